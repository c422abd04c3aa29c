package ldap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// until waits for something that comes by itself.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: it did not come\n%s", what, w.log.String())
		}
	}
}

// What was previewed, and only that, is put in force while the directory is followed: everybody is read by it, later changes too, it is kept
// over a restart, and everybody stays who they are.
func TestAPIAppliesAMapping(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, engine *db.DB) {
		server, c := double(t, 8)
		w := newWorld(t, engine)
		for i := range 8 {
			if err := server.Modify(dn(i), demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{fmt.Sprintf("Job %d", i)}}); err != nil {
				t.Fatal(err)
			}
		}
		s := w.syncer(c)
		runs(t, s, time.Hour)
		title := func(login string) string { return w.people()[login].Title }
		w.until("first reading", func() bool { return title("u003") == "Engineer" })
		people := w.people()

		d := w.serve(s, nil)
		const wanted = `"mapping":{"title":"description"},"labels":{"number":"employeeNumber"}`
		put := func(body string, status int) (view ldap.MappingView) {
			t.Helper()
			d.call("PUT", d.at+"/mapping", body, status, &view)
			return view
		}
		put(`{`+wanted+`,"hash":""}`, 409)
		var diff, other ldap.MappingDiff
		d.call("POST", d.at+"/mapping/preview", `{`+wanted+`}`, 200, &diff)
		if diff.Changed != 8 {
			t.Fatalf("%+v", diff)
		}
		put(`{"mapping":{"title":"cn"},"hash":"`+diff.Hash+`"}`, 409) // another one than was previewed
		put(`{`+wanted+`,"id_attribute":"uid","hash":"`+diff.Hash+`"}`, 422)
		view := put(`{`+wanted+`,"hash":"`+diff.Hash+`"}`, 200)
		if view.Version != 1 || view.File || len(view.Versions) != 1 || view.Versions[0].Actor != "per_1" || len(view.Labels) != 1 {
			t.Errorf("%+v", view)
		}
		w.until("reading by the mapping", func() bool { return title("u003") == "Job 3" && title("u007") == "Job 7" })
		if err := server.Modify(dn(4), demo.Mod{Kind: demo.ModReplace, Name: "description", Values: []string{"Chief"}}); err != nil {
			t.Fatal(err)
		}
		w.until("a change by the mapping", func() bool { return title("u004") == "Chief" })
		for login, before := range people {
			now := w.people()[login]
			if now.Person != before.Person || now.Link != before.Link || !now.AbsentSince.IsZero() || now.Labels["number"] == "" {
				t.Errorf("%s: %+v, was %+v", login, now, before)
			}
		}
		put(`{`+wanted+`,"hash":"`+diff.Hash+`"}`, 409) // a preview is good for once

		kept, err := ldap.Kept(t.Context(), w.store, w.source.ID, c)
		if err != nil || kept.Mapping["title"] != "description" || kept.URL != c.URL {
			t.Errorf("after a restart: %+v, %v", kept.Mapping, err)
		}
		d.call("POST", d.at+"/mapping/preview", `{"file":true}`, 200, &other)
		if other.Changed != 8 || other.Base != 1 {
			t.Errorf("%+v", other)
		}
		if view := put(`{"file":true,"hash":"`+other.Hash+`"}`, 200); view.Version != 2 || !view.File || len(view.Versions) != 2 {
			t.Errorf("%+v", view)
		}
		w.until("the configuration's again", func() bool { return title("u003") == "Engineer" && title("u004") == "Engineer" })
		if kept, err = ldap.Kept(t.Context(), w.store, w.source.ID, c); err != nil || len(kept.Mapping) != 0 {
			t.Errorf("%+v, %v", kept.Mapping, err)
		}
		records, err := audit.List(t.Context(), engine, audit.Filter{Action: "source.setting", Limit: 10})
		if err != nil || len(records) != 2 || records[0].Actor != "per_1" || !strings.Contains(fmt.Sprint(records[1].Public), "description") {
			t.Errorf("%+v, %v", records, err)
		}
	})
}

// Two administrators previewed the same mapping: the second to apply is told that the first was faster.
func TestAPIMappingRace(t *testing.T) {
	_, c := double(t, 3)
	w := newWorld(t, dbtest.SQLite(t))
	d := w.serve(w.syncer(c), nil)
	var diff ldap.MappingDiff
	d.call("POST", d.at+"/mapping/preview", `{"mapping":{"title":"cn"}}`, 200, &diff)
	if _, err := w.store.Apply(t.Context(), directory.Cause{Actor: "per_2"}, directory.PutSetting{Source: w.source.ID, Name: "ldap.mapping", Value: []byte(`{"mapping":{"title":"sn"}}`)}); err != nil {
		t.Fatal(err)
	}
	d.call("PUT", d.at+"/mapping", `{"mapping":{"title":"cn"},"hash":"`+diff.Hash+`"}`, 412, nil)
}

func dn(i int) string {
	return fmt.Sprintf("uid=u%03d,ou=%s,ou=people,%s", i, []string{"研发", "sales"}[i%2], base)
}
