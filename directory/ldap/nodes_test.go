package ldap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestManyNodes runs two nodes. A mapping that is previewed on one of them is put in force on the other, and whoever follows the source reads by it; both say how
// the source stands; and what only the one who follows it may do is done on either.
func TestManyNodes(t *testing.T) {
	server, c := double(t, 8)
	for i := range 8 {
		if err := server.Modify(dn(i), demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{fmt.Sprintf("Job %d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, dbtest.Open(t, dbtest.Postgres(t)))
	one, two := w.syncer(c), w.syncer(c)
	runs(t, one, time.Hour)
	w.until("the first follows", func() bool { return one.Status().Mode == "live" })
	runs(t, two, time.Hour)
	w.until("the second stands by", func() bool { return two.Status().Mode == "standby" })
	stands := func(s *ldap.Syncer) ldap.Status {
		t.Helper()
		st, err := s.Stands(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	w.until("the second knows how the source stands", func() bool {
		st := stands(two)
		return st.Mode == "live" && !st.VerifiedAt.IsZero()
	})
	if st := stands(one); st.Mode != "live" || st.Last.Run == "" {
		t.Errorf("who follows it says %+v", st)
	}

	here, there := w.serve(one, nil), w.serve(two, nil)
	title := func(login string) string { return w.people()[login].Title }
	put := func(preview, apply *desk, mapping string) {
		t.Helper()
		var diff ldap.MappingDiff
		preview.call("POST", preview.at+"/mapping/preview", `{`+mapping+`}`, 200, &diff)
		apply.call("PUT", apply.at+"/mapping", `{`+mapping+`,"hash":"`+diff.Hash+`"}`, 200, nil)
	}
	put(here, there, `"mapping":{"title":"description"}`)
	w.until("the one who follows reads by it", func() bool { return title("u003") == "Job 3" })
	var view ldap.SourceView
	here.call("GET", here.at+"/ldap", "", 200, &view)
	if view.Mapping.Version != 1 || view.Mapping.File {
		t.Errorf("%+v", view.Mapping)
	}
	put(there, here, `"file":true`)
	w.until("the configuration's again", func() bool { return title("u003") == "Engineer" })

	if rep, err := two.Sync(t.Context()); err != nil || rep.Proof.Counts[ldap.ClassPerson] != 8 {
		t.Errorf("a sync on the node that stands by: %+v, %v", rep, err)
	}
	reload(t, server, func(*demo.Entry) {}, dnOf(1), dnOf(3), dnOf(5), dnOf(7), dnOf(2), dnOf(4))
	var found ldap.RelinkView
	here.call("POST", here.at+"/relink/preview", "", 200, &found)
	there.call("POST", there.at+"/relink", `{"hash":"`+found.Hash+`"}`, 200, nil)
	w.until("everybody under their new id", func() bool {
		return len(w.absent()) == 0 && len(w.people()) == 8 && (one.Status().Mode == "live" || two.Status().Mode == "live")
	})
	if found.Linked != 6 {
		t.Errorf("%+v", found)
	}
}
