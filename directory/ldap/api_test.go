package ldap_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// desk is the API of one source, served.
type desk struct {
	*world
	server *httptest.Server
	at     string
}

func (w *world) serve(s *ldap.Syncer, foresee func(*db.Tx, []id.Person) ([]directory.MembershipChange, error)) *desk {
	w.t.Helper()
	api := &ldap.API{Store: w.store, Foresee: foresee, Syncer: func(source id.Source) *ldap.Syncer {
		if s == nil || source != s.Source.ID {
			return nil
		}
		return s
	}}
	who := httpapi.Admins
	server := &httpapi.Server{Log: w.logs, Version: "test", Authenticate: func(r *http.Request) (httpapi.Caller, error) {
		return httpapi.Caller{Person: "per_1", Grants: map[bool]roles.Grants{true: roles.Everything()}[r.Header.Get("X-Admin") == ""], Stepped: true}, nil
	}, Errors: []httpapi.Case{{Err: directory.ErrNotFound, Status: 404, Code: "not_found"}, {Err: directory.ErrVersion, Status: 412, Code: "version_mismatch"}}}
	at := "/api/v1/sources/{id}"
	d := &desk{world: w, at: "/api/v1/sources/" + string(w.source.ID), server: httptest.NewServer(server.Handler([]httpapi.Route{
		httpapi.Op("GET", at+"/ldap", who, "source", api.Get),
		httpapi.Op("POST", at+"/probe", who, "probe", api.Probe).Unrepeatable(),
		httpapi.Op("POST", at+"/samples", who, "samples", api.Samples).Unrepeatable(),
		httpapi.Op("POST", at+"/mapping/preview", who, "preview", api.PreviewMapping).Unrepeatable(),
		httpapi.Op("PUT", at+"/mapping", who, "apply", api.ApplyMapping),
		httpapi.Op("POST", at+"/relink/preview", who, "relink", api.PreviewRelink).Unrepeatable(),
		httpapi.Op("POST", at+"/relink", who, "relink", api.Relink),
	}))}
	w.t.Cleanup(d.server.Close)
	return d
}

// call makes one request and reads the answer into out; no answer may hold a password.
func (d *desk) call(method, path, body string, status int, out any) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := d.server.Client().Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	noCanary(d.t, path, string(text))
	if err != nil || answer.StatusCode != status {
		d.t.Fatalf("%s %s: %d %s, %v", method, path, answer.StatusCode, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
}

// An administrator sees where a directory is and what it can do, and never a password: neither the account's nor a person's.
func TestAPILooksAround(t *testing.T) {
	server, c := double(t, 6)
	w := newWorld(t, dbtest.SQLite(t))
	if err := server.Add(demo.Entry{DN: "uid=secret,ou=sales,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "cn": {"Zhou Min"}, "sn": {"Zhou"},
		"sambaNTPassword": {canary}, "jpegPhoto": {"\xff\xd8\x00"}, "description": {"x"}}}); err != nil {
		t.Fatal(err)
	}
	d := w.serve(w.syncer(c), nil)
	var source ldap.SourceView
	d.call("GET", d.at+"/ldap", "", 200, &source)
	if source.Connection.Security != "plain" || source.Connection.BindDN != c.BindDN || source.Probe != nil || source.Progress != nil || len(source.Mapping.Fields) != len(ldap.Fields()) {
		t.Errorf("%+v", source)
	}
	var report ldap.ProbeReport
	d.call("POST", d.at+"/probe", "", 200, &report)
	if !report.OK || report.Capabilities.Sample[ldap.ClassPerson] != 7 || len(report.Findings) == 0 || report.Findings[0].Code != "plain" {
		t.Errorf("%+v", report)
	}
	d.call("GET", d.at+"/ldap", "", 200, &source)
	if source.Probe == nil || !source.Probe.At.Equal(report.At) {
		t.Errorf("%+v", source.Probe)
	}

	var some, one struct{ Items []ldap.Sample }
	d.call("POST", d.at+"/samples", `{"limit":3}`, 200, &some)
	if len(some.Items) != 3 || len(some.Items[0].Made) == 0 || some.Items[0].Proposed != nil {
		t.Errorf("%+v", some)
	}
	d.call("POST", d.at+"/samples", `{"name":"secret","mapping":{"title":"description","email":"-"}}`, 200, &one)
	if len(one.Items) != 1 {
		t.Fatalf("%+v", one)
	}
	shown := map[string]ldap.Shown{}
	for _, a := range one.Items[0].Attributes {
		shown[a.Name] = a
	}
	if p := shown["sambantpassword"]; !p.Hidden || len(p.Values) > 0 || !shown["jpegphoto"].Binary || shown["sn"].Values[0] != "Zhou" {
		t.Errorf("%+v", shown)
	}
	if made := one.Items[0].Proposed; len(made) == 0 || made[len(made)-1].Field != "family_name" && made[2].Value != "x" {
		t.Errorf("%+v", made)
	}
	d.call("POST", d.at+"/samples", `{"name":"*)(uid=*"}`, 200, &some)
	if len(some.Items) != 0 {
		t.Errorf("a filter was let in: %+v", some)
	}
	for _, refused := range []string{`{"mapping":{"title":"userPassword"}}`, `{"labels":{"x":"sambaNTPassword"}}`, `{"mapping":{"title":"a b"}}`, `{"mapping":{"shoe":"size"}}`, `{"labels":{"x":"2.5.4.35"}}`} {
		d.call("POST", d.at+"/samples", refused, 422, nil)
	}

	server.SetFaults(demo.Faults{Silent: true})
	c.Timeout = 200_000_000
	late := w.serve(w.syncer(c), nil)
	late.call("POST", late.at+"/probe", "", 200, &report)
	if report.OK || report.Findings[len(report.Findings)-1].Code != "timeout" {
		t.Errorf("%+v", report)
	}
	late.call("POST", late.at+"/samples", `{}`, 502, nil)
	w.serve(nil, nil).call("GET", d.at+"/ldap", "", 409, nil)
	d.call("GET", "/api/v1/sources/src_none/ldap", "", 404, nil)
}

// What another mapping would change is counted over everybody and written nowhere.
func TestAPIPreviewsAMapping(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, engine *db.DB) {
		server, c := double(t, 12)
		w := newWorld(t, engine)
		if err := server.Add(demo.Entry{DN: "uid=extra,ou=sales,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "cn": {"Extra"}, "sn": {"E"},
			"mail": {"x@corp.example"}, "description": {"Buyer"}, "businessCategory": {"B1"}}}); err != nil {
			t.Fatal(err)
		}
		s := w.syncer(c)
		w.sync(s)
		head, asked := w.head(), 0
		d := w.serve(s, func(_ *db.Tx, people []id.Person) (out []directory.MembershipChange, _ error) {
			asked = len(people)
			for i, p := range people {
				out = append(out, directory.MembershipChange{Person: p, Group: "company", Op: []string{"add", "remove", "role"}[i%3]})
			}
			return out, nil
		})
		var diff ldap.MappingDiff
		d.call("POST", d.at+"/mapping/preview", `{"mapping":{"title":"description"},"labels":{"class":"businessCategory"}}`, 200, &diff)
		if diff.People != 13 || diff.Changed != 13 || !diff.Complete || !diff.Foreseen || asked != 13 || diff.Hash == "" {
			t.Fatalf("%+v, asked of %d", diff, asked)
		}
		title := diff.Fields[0]
		if title.Field != "title" || title.Changed != 13 || title.Gained != 1 || title.Lost != 12 || len(title.Examples) != 5 || title.Examples[0].Before != "Engineer" {
			t.Errorf("%+v", title)
		}
		if label := diff.Fields[1]; label.Field != "label.class" || label.Gained != 1 || label.Changed != 1 {
			t.Errorf("%+v", label)
		}
		if len(diff.Groups) != 1 || diff.Groups[0] != (ldap.GroupDiff{Group: "company", Added: 5, Removed: 4, Roles: 4}) {
			t.Errorf("%+v", diff.Groups)
		}
		if len(diff.Findings) != 1 || diff.Findings[0].Code != "emptied" {
			t.Errorf("%+v", diff.Findings)
		}
		d.call("POST", d.at+"/mapping/preview", `{"mapping":{"user_name":"sn"}}`, 200, &diff)
		codes := ""
		for _, f := range diff.Findings {
			codes += f.Code + " "
		}
		if codes != "login_twice identifies " {
			t.Errorf("%s", codes)
		}
		d.call("POST", d.at+"/mapping/preview", `{"mapping":{}}`, 200, &diff)
		if diff.Changed != 0 || len(diff.Fields) != 0 {
			t.Errorf("%+v", diff)
		}
		if now := w.head(); now != head {
			t.Errorf("a preview wrote: feed at %d, was %d", now, head)
		}
		var refused struct{ Code, Detail string }
		d.call("POST", d.at+"/mapping/preview", `{"mapping":{},"id_attribute":"uid"}`, 422, &refused)
		if refused.Code != "id_attribute" || !strings.Contains(refused.Detail, "linked anew") {
			t.Errorf("%+v", refused)
		}
	})
}
