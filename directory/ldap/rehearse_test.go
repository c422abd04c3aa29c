package ldap_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// judging is an access that judges runs as a whole, and notes what it was shown, and how much was settled at that time.
type judging struct {
	access
	shown   map[id.Person]bool
	lost    int
	judged  []int // settled before
	ended   int
	settled int
}

func (j *judging) Settle(context.Context, directory.Cause, []id.Person, int64) error {
	j.settled++
	return nil
}

func (j *judging) Rehearse(directory.Cause) directory.Rehearsal { return j }

func (j *judging) Look(_ context.Context, _ *db.Tx, people []id.Person, lost []directory.Loss) error {
	for _, p := range people {
		j.shown[p] = true
	}
	j.lost += len(lost)
	return nil
}

func (j *judging) Judge(context.Context) error {
	j.judged = append(j.judged, j.settled)
	return nil
}

func (j *judging) Held(context.Context) ([]directory.Held, error) { return nil, nil }

func (j *judging) Over(context.Context) error {
	j.ended++
	return nil
}

// A pass that changes more people than one transaction holds is shown whole before its first part is written; a first reading, a small pass
// and one that changes nobody show nobody.
func TestMassChangeIsShownWhole(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		j := &judging{shown: map[id.Person]bool{}}
		w.store.Access = j
		entries := func(n int, title string) []ldap.Object {
			out := make([]ldap.Object, 1200)
			for i := range out {
				job := "Engineer"
				if i < n {
					job = title
				}
				uid := fmt.Sprintf("p%04d", i)
				out[i] = ldap.Object{Class: ldap.ClassPerson, Key: "k" + uid, DN: "uid=" + uid + ",dc=example,dc=org",
					Attrs: map[string][]string{"objectclass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid}, "title": {job}}}
			}
			return out
		}
		r := &given{objects: entries(0, "")}
		s := w.syncer(ldap.Config{URL: "ldaps://ldap.example.org", Base: "dc=example,dc=org", BindDN: "cn=reader", Password: "x"})
		s.Reader = r
		w.sync(s)
		if len(j.shown) != 0 {
			t.Fatalf("a first reading showed %d", len(j.shown))
		}
		r.objects = entries(40, "Artist")
		w.sync(s)
		if len(j.shown) != 0 {
			t.Fatalf("a small pass showed %d", len(j.shown))
		}
		before, judged := j.settled, len(j.judged)
		r.objects = entries(900, "Artist")
		rep := w.sync(s)
		if len(j.shown) != 860 || j.lost != 860 || len(j.judged) != judged+1 || j.judged[judged] != before || j.ended != len(j.judged) {
			t.Errorf("shown %d, lost %d, judged %v after %d, ended %d", len(j.shown), j.lost, j.judged, before, j.ended)
		}
		if n := rep.Outcomes[ldap.ClassPerson][directory.Updated]; n != 860 {
			t.Errorf("%d updated: %v", n, rep.Outcomes)
		}
		if got := w.person("p0899").Title; got != "Artist" {
			t.Errorf("title %q", got)
		}
	})
}

// given shows these entries, with proof.
type given struct{ objects []ldap.Object }

func (g *given) Probe(context.Context) (ldap.Capabilities, []ldap.Finding, error) {
	return ldap.Capabilities{}, nil, nil
}

func (g *given) Snapshot(_ context.Context, emit func([]ldap.Object) error) (ldap.Proof, error) {
	return ldap.Proof{Kind: "test", Counts: map[ldap.Class]int{ldap.ClassPerson: len(g.objects)}}, emit(g.objects)
}

func (g *given) Lookup(context.Context, ldap.Class, []string) ([]ldap.Object, error) { return nil, nil }

func (g *given) Position(context.Context) (string, error) { return "", nil }
