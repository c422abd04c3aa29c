package ldap_test

import (
	"errors"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A source in its dry run is read as any other: the second reading writes nothing, what goes is seen to go, and nobody follows until it is live.
func TestSyncInADryRun(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		server, c := double(t, 6)
		w := newWorld(t, d)
		var err error
		if w.source, err = w.store.CreateSource(t.Context(), directory.Cause{}, directory.Source{Name: "new", Kind: directory.KindLDAP, Priority: 1, Mode: directory.ModeDryRun}); err != nil {
			t.Fatal(err)
		}
		if err := server.Add(demo.Entry{DN: "ou=a," + base, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}}}); err != nil {
			t.Fatal(err)
		}
		nobody := func(when string) {
			t.Helper()
			people, err := w.store.AllPeople(t.Context())
			if err != nil || len(people)+len(w.units())+len(w.access.frozen)+w.access.settled > 0 {
				t.Errorf("%s: %v people, %d units, %d frozen, %d settled, %v", when, people, len(w.units()), len(w.access.frozen), w.access.settled, err)
			}
		}
		units := func() int {
			t.Helper()
			list, err := w.store.UnitsOf(t.Context(), w.source.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if rep := w.sync(w.syncer(c)); rep.Outcomes[ldap.ClassPerson][directory.Created] != 6 || units() == 0 {
			t.Fatalf("%+v", rep)
		}
		nobody("first")
		if rep := w.sync(w.syncer(c)); rep.Written() != 0 {
			t.Errorf("second sync: %+v", rep)
		}
		had := units()
		if err := errors.Join(server.Delete("ou=a,"+base), server.Delete("uid=u002,ou=研发,ou=people,"+base)); err != nil {
			t.Fatal(err)
		}
		if rep := w.sync(w.syncer(c)); rep.Absent != 1 || units() != had-1 {
			t.Errorf("%d units of %d, %+v", units(), had, rep)
		}
		nobody("after a loss")
		stage, err := w.store.StageOf(t.Context(), w.source.ID)
		if err != nil || stage.Records != 6 || stage.Members == 0 || stage.MembersPending != 0 {
			t.Errorf("%+v, %v", stage, err)
		}
		if err := errors.Join(w.store.BeginLive(t.Context(), directory.Cause{}, w.source.ID, stage.Version), w.store.GoOn(t.Context(), directory.Cause{}, w.source.ID)); err != nil {
			t.Fatal(err)
		}
		if p := w.person("u003"); p.Unit == "" || len(p.Groups) == 0 || p.Absent || len(w.units()) != had-1 {
			t.Errorf("%+v", p)
		}
		if p := w.person("u002"); !p.Absent {
			t.Errorf("%+v", p)
		}
		if rep := w.sync(w.syncer(c)); rep.Written() != 0 || rep.Absent != 0 {
			t.Errorf("sync of the live source: %+v", rep)
		}
	})
}
