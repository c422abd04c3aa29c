package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// erasedWords are said of one person and of nobody else.
var erasedWords = []string{"qanari", "veltrix", "ormundo", "QX-77123", "+86-139-0000-7712"}

// canaryUser is that person as a source sends them; the name and the login are what changes.
func canaryUser(name, login string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"%[2]s","externalId":"QX-77123-ext","active":true,"displayName":"%[1]s Qanari","name":{"givenName":"%[1]s","familyName":"Qanari"},"title":"Qanari Lead",
		"emails":[{"value":"%[2]s@example.test","primary":true}],"phoneNumbers":[{"value":"+86-139-0000-7712"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D","employeeNumber":"QX-77123","costCenter":"qanari-cost"}}`, name, login)
}

// erasureWorld is a company that somebody has left, of whom something stands everywhere.
type erasureWorld struct {
	*bench
	t                   *testing.T
	who, link           string
	hr1, hr2, sec, sec2 string
}

func newErasureWorld(t *testing.T, engine db.Engine) *erasureWorld {
	t.Helper()
	w := &erasureWorld{bench: newBench(t, engine), t: t}
	for n := range 5 {
		w.hireIn(n, "sh/R&D", "")
	}
	grant := func(n int, role roles.Role) string {
		who, _ := w.person(fmt.Sprintf("u%d", n))
		return w.admin(who, roles.Grant{Role: role}, true)
	}
	w.hr1, w.hr2, w.sec, w.sec2 = grant(0, roles.HR), grant(1, roles.HR), grant(2, roles.Security), grant(3, roles.Security)
	w.link = w.call("POST", "/scim/v2/Users", w.scim, canaryUser("First", "ormundo"))["id"].(string)
	who, own := w.person("ormundo")
	w.who = who
	w.call("PUT", "/scim/v2/Users/"+w.link, w.scim, canaryUser("Second", "veltrix"))
	w.call("PATCH", "/scim/v2/Users/"+w.link, w.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"title":"Qanari Boss"}}]}`)
	w.call("POST", "/scim/v2/Groups", w.scim, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"readers","members":[{"value":"`+w.link+`","display":"Second Qanari"}]}`)
	w.call("POST", "/api/v1/channels/"+w.channel+"/messages", own, `{"client_id":"1","kind":"text","text":"a message that stays"}`)
	freeze := w.call("POST", "/api/v1/people/"+who+"/freeze", w.sec, `{"reason":"qanari was seen"}`)["id"].(string)
	w.call("POST", "/api/v1/people/"+who+"/unfreeze", w.sec, `{"reason":"it was not qanari","freeze":"`+freeze+`"}`)
	feed, err := w.app.people.CreateSource(t.Context(), directory.Cause{Actor: "system"}, directory.Source{Name: "payroll", Kind: directory.KindHRFeed,
		Correlate: []string{directory.CorrelateExternalID}, Priority: 1})
	if err != nil {
		t.Fatal(err)
	}
	record := directory.Record{Source: feed.ID, Key: "qanari-key", ExternalID: "QX-77123-ext", Attributes: directory.Attributes{DisplayName: "Payroll Qanari", EmployeeNumber: "QX-77123"}, Active: true, Raw: []byte(`{"row":"qanari raw"}`)}
	if _, err := w.app.people.Apply(t.Context(), directory.Cause{Source: feed.ID}, directory.PutRecord{Record: record}); err != nil {
		t.Fatal(err)
	}
	if code, _ := w.ask("GET", "/api/v1/people/"+who+"/erasure", w.hr1, ""); code != http.StatusConflict {
		t.Fatalf("somebody who is here can be erased: %d", code)
	}
	if _, err := w.app.people.Apply(t.Context(), directory.Cause{Source: feed.ID}, directory.DeleteRecord{Source: feed.ID, Key: "qanari-key"}); err != nil {
		t.Fatal(err)
	}
	if code, text := w.ask("DELETE", "/scim/v2/Users/"+w.link, w.scim, ""); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, text)
	}
	w.spoken(string(feed.ID))
	w.commented()
	return w
}

// spoken is what people and the server wrote about others and that names them all the same, now or by a former login, wherever a text stands.
func (w *erasureWorld) spoken(source string) {
	w.t.Helper()
	if err := w.app.journal.Write(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	other, _ := w.person("u4")
	w.call("POST", "/api/v1/people/"+other+"/freeze", w.sec, `{"reason":"seen with Second Qanari"}`)
	for _, said := range []struct {
		sql  string
		args []any
	}{
		{"insert into kept_values (link, hint, value, at) values (?, 'user_name', 'ormundo', 1)", []any{w.link}},
		{"insert into source_runs (id, source_id, kind, started_at, ok, error, counts, findings, proof) values ('run_said', ?, 'full', 1, false, 'no such entry: uid=veltrix', '{}', '[{\"text\":\"qx-77123-EXT\"}]', '')", []any{source}},
		{"insert into hr_files (id, source_id, sha256, name, kind, origin, at, micros, applied, error, counts, findings) values ('file_said', ?, '', 'a.csv', 'full', 'api', 1, 1, false, 'of QX-77123', '{}', '[]')", []any{source}},
		{"insert into approval_requests (id, kind, requester, subject, object, role, days, reason, state, asked_at, lapses_at) values ('ask_said', 'group', ?, ?, 'x', '', 1, 'what ormundo did', 'waiting', 1, 2)", []any{other, other}},
		{"insert into approval_decisions (request, approver, agrees, comment, at) values ('ask_said', ?, true, 'as First Qanari did', 1)", []any{other}},
		{"insert into reviews (id, about, ref, reviewer, named, silence, made_by, created_at, until, ends_at) values ('review_said', 'group', 'x', 'owner', '', 'keep', 'system', 1, 2, 3)", nil},
		{"insert into review_lines (review, membership, person, group_id, role, since, reasons, reviewer, decision, why, decided_by, outcome) values ('review_said', 'm', ?, 'g', '', 1, '[]', '', 'keep', 'in place of VELTRIX', '', '')", []any{other}},
		{"insert into plan_reasons (plan, reason, version) values ('plan_said', 'after Second Qanari left', 0)", nil},
		{"update source_tokens set name = 'from the desk of Veltrix' where source_id = (select source_id from records where link = ?)", []any{w.link}},
		{"update session_tokens set name = 'Second Qanari lent it' where person <> ?", []any{w.who}},
	} {
		if err := w.app.db.Tx(w.t.Context(), func(tx *db.Tx) error { return tx.Exec(said.sql, said.args...).Error }); err != nil {
			w.t.Fatalf("%s: %v", said.sql, err)
		}
	}
}

// commented puts the policy in force again, with comments that name the person.
func (w *erasureWorld) commented() {
	w.t.Helper()
	list := w.call("GET", "/api/v1/policies", w.app.cfg.BootstrapToken, "")["items"].([]any)
	version := list[0].(map[string]any)["version"]
	policy := w.call("GET", fmt.Sprintf("/api/v1/policies/%v", version), w.app.cfg.BootstrapToken, "")
	source := policy["source"].([]any)[0].(map[string]any)["source"].(string)
	files, err := json.Marshal(map[string]any{"files": []map[string]string{{"name": "p.yaml", "source": "# asked by Second Qanari\n" + source + "\n# as Veltrix said\n"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	plan := w.call("POST", "/api/v1/plans", w.app.cfg.BootstrapToken, string(files))
	w.call("POST", "/api/v1/plans/"+plan["id"].(string)+"/apply", w.app.cfg.BootstrapToken, fmt.Sprintf(`{"hash":%q,"confirm":true}`, plan["hash"]))
}

// stands answers where in a database one of these words stands.
func stands(t testing.TB, d *db.DB, words ...string) (out []string) {
	t.Helper()
	tables := "select m.name as tab, c.name as col from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'sqlite_%'"
	if d.Engine == db.Postgres {
		tables = "select table_name as tab, column_name as col from information_schema.columns where table_schema = current_schema() and data_type in ('text', 'character varying', 'jsonb', 'json')"
	}
	var found []struct{ Tab, Col string }
	if err := d.Read(t.Context()).Raw(tables).Scan(&found).Error; err != nil {
		t.Fatal(err)
	}
	if len(found) < 200 {
		t.Fatalf("only %d columns were found", len(found))
	}
	for _, f := range found {
		for _, word := range words {
			var n int64
			if err := d.Read(t.Context()).Raw(fmt.Sprintf(`select count(*) from %s where lower(cast("%s" as text)) like ?`, f.Tab, f.Col), "%"+strings.ToLower(word)+"%").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				out = append(out, fmt.Sprintf("%s.%s: %s, %d times", f.Tab, f.Col, word, n))
			}
		}
	}
	return out
}

// inFiles answers in which files of a SQLite database one of these words stands.
func inFiles(t testing.TB, dsn string, words ...string) (out []string) {
	t.Helper()
	path, lite := strings.CutPrefix(dsn, "sqlite:")
	if !lite {
		return nil
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("files of the database: %v %v", files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if strings.Contains(strings.ToLower(string(raw)), strings.ToLower(word)) {
				out = append(out, filepath.Base(file)+": "+word)
			}
		}
	}
	return out
}

// Who was erased stands nowhere any more: in no column of any table, and on SQLite in no byte of its files. The chain of the audit log holds,
// a second run changes nothing, and whoever a source sends again by the same number waits for a human being.
//
// holds: J40
func TestErasure(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := newErasureWorld(t, engine)
			before := strings.Join(stands(t, w.app.db, erasedWords...), "\n")
			for _, place := range []string{"persons.search", "records.raw", "record_contacts.value_fold", "former_names.words", "kept_values.value", "freezes.reason", "audit_personal.payload",
				"source_requests.request_body", "source_runs.error", "source_runs.findings", "hr_files.error", "approval_requests.reason", "approval_decisions.comment", "review_lines.why",
				"plan_reasons.reason", "plans.files", "policy_versions.files", "source_tokens.name", "session_tokens.name"} {
				if !strings.Contains(before, place+":") {
					t.Errorf("the person does not stand in %s: nothing is proved of it", place)
				}
			}
			if engine == db.SQLite && len(inFiles(t, w.app.cfg.Database, erasedWords...)) == 0 {
				t.Fatal("the files do not have the words before: looking for them proves nothing")
			}
			path := "/api/v1/people/" + w.who + "/erasure"
			w.call("GET", path, w.hr1, "")
			w.call("POST", path, w.hr1, "")
			if code, text := w.ask("POST", path+"/confirm", w.hr1, ""); code != http.StatusForbidden {
				t.Fatalf("one administrator erased alone: %d %s", code, text)
			}
			done := w.call("POST", path+"/confirm", w.hr2, "")
			if done["state"] != "erased" {
				t.Fatalf("%v", done)
			}
			if left := stands(t, w.app.db, erasedWords...); len(left) > 0 {
				t.Errorf("stands still: %v", left)
			}
			if left := inFiles(t, w.app.cfg.Database, erasedWords...); len(left) > 0 {
				t.Errorf("in the files still: %v", left)
			}
			report, err := audit.Verify(t.Context(), w.app.db, audit.Report{})
			if err != nil || report.Erased == 0 {
				t.Errorf("audit log: %+v %v", report, err)
			}
			if again := w.call("POST", path+"/confirm", w.hr2, ""); again["state"] != "erased" {
				t.Errorf("again: %v", again)
			}
			if again := w.call("POST", path, w.hr1, ""); again["state"] != "erased" || again["request"] == nil {
				t.Errorf("asked again: %v", again)
			}
			after, err := audit.Verify(t.Context(), w.app.db, report)
			if err != nil || after.Size != report.Size {
				t.Errorf("a second run wrote: %+v %v", after, err)
			}
			w.seenAfter()
			w.comesBack()
		})
	}
}

// seenAfter looks at what stays: the pseudonym, the message, and that nobody can be linked or restored.
func (w *erasureWorld) seenAfter() {
	w.t.Helper()
	p := w.call("GET", "/api/v1/people/"+w.who, w.app.cfg.BootstrapToken, "")
	if p["status"] != "anonymised" || p["display_name"] != directory.Pseudonym(id.Person(w.who)) || p["frozen"] != true {
		w.t.Errorf("person: %v", p)
	}
	for _, path := range []string{"", "/memberships", "/evidence", "/handover", "/sessions", "/identities", "/erasure"} {
		if code, text := w.ask("GET", "/api/v1/people/"+w.who+path, w.app.cfg.BootstrapToken, ""); code >= http.StatusInternalServerError || strings.Contains(strings.ToLower(text), "qanari") {
			w.t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if list := w.call("GET", "/api/v1/people?status=anonymised", w.app.cfg.BootstrapToken, "")["items"].([]any); len(list) != 1 {
		w.t.Errorf("anonymised: %v", list)
	}
	_, token := w.person("u0")
	text := fmt.Sprint(w.call("GET", "/api/v1/channels/"+w.channel+"/messages", token, ""))
	if !strings.Contains(text, "a message that stays") || strings.Contains(text, "Qanari") {
		w.t.Errorf("messages: %s", text)
	}
	if _, err := w.app.access.ReconcileAll(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Error(err)
	}
	if _, err := w.app.people.Apply(w.t.Context(), directory.Cause{Actor: "system"}, directory.RefreshPeople{People: []id.Person{id.Person(w.who)}}); err != nil {
		w.t.Error(err)
	}
	if p := w.call("GET", "/api/v1/people/"+w.who, w.app.cfg.BootstrapToken, ""); p["frozen"] != true || p["status"] != "anonymised" {
		w.t.Errorf("merged again: %v", p)
	}
}

// comesBack has the source list the person again: nobody is linked with who was erased.
func (w *erasureWorld) comesBack() {
	w.t.Helper()
	w.call("POST", "/scim/v2/Users", w.scim, canaryUser("Third", "veltrix"))
	who := w.call("GET", "/api/v1/people?q=veltrix", w.app.cfg.BootstrapToken, "")["items"].([]any)[0].(map[string]any)["id"].(string)
	p := w.call("GET", "/api/v1/people/"+who, w.app.cfg.BootstrapToken, "")
	if who == w.who || p["frozen"] != true {
		w.t.Fatalf("back: %v", p)
	}
	items := w.call("GET", "/api/v1/work-items?kind=erased_return", w.app.cfg.BootstrapToken, "")["items"].([]any)
	if len(items) != 1 {
		w.t.Fatalf("work items: %v", items)
	}
	item := items[0].(map[string]any)["id"].(string)
	if code, text := w.ask("POST", "/api/v1/work-items/"+item+"/link", w.hr1, `{"keep":"`+w.who+`"}`); code != http.StatusConflict {
		w.t.Errorf("linked with who was erased: %d %s", code, text)
	}
	w.call("POST", "/api/v1/work-items/"+item+"/separate", w.hr1, `{}`)
	if p := w.call("GET", "/api/v1/people/"+who, w.app.cfg.BootstrapToken, ""); p["frozen"] != false {
		w.t.Errorf("kept apart: %v", p)
	}
}

// Where the company says so, what somebody wrote goes with them: its place in the channel stays.
//
// holds: J40
func TestErasureOfMessages(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := newErasureWorld(t, engine)
			w.app.cfg.Erasure.Messages, w.app.erasure.Messages = "erase", true
			path := "/api/v1/people/" + w.who + "/erasure"
			asked := w.call("POST", path, w.hr1, "")
			if strings.Contains(fmt.Sprint(asked["keeps"]), "messages") {
				t.Errorf("messages are kept: %v", asked)
			}
			if n := w.call("GET", path, w.hr1, "")["erases"].(map[string]any)["messages"]; n != float64(1) {
				t.Errorf("%v messages in the preview", n)
			}
			_, token := w.person("u0")
			own := w.call("POST", "/api/v1/channels/"+w.channel+"/messages", token, `{"client_id":"1","kind":"text","text":"of another one"}`)
			w.call("POST", path+"/confirm", w.hr2, "")
			if left := stands(t, w.app.db, "a message that stays"); len(left) > 0 {
				t.Errorf("stands still: %v", left)
			}
			items := w.call("GET", "/api/v1/channels/"+w.channel+"/messages", token, "")["items"].([]any)
			if len(items) != 2 {
				t.Fatalf("messages: %v", items)
			}
			if first := items[0].(map[string]any); first["erased"] != true || first["text"] != "" || first["html"] != "" || first["author"].(map[string]any)["id"] != w.who {
				t.Errorf("erased: %v", first)
			}
			if second := items[1].(map[string]any); second["erased"] != nil || second["text"] != own["text"] {
				t.Errorf("of another one: %v", second)
			}
		})
	}
}

// A legal hold stops an erasure that was asked for, tells its reason to whoever may know, and ends by two.
func TestLegalHold(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := newErasureWorld(t, engine)
			path, hold := "/api/v1/people/"+w.who+"/erasure", "/api/v1/people/"+w.who+"/legal-hold"
			w.call("POST", path, w.hr1, "")
			w.call("PUT", hold, w.sec, `{"reason":"case 4711"}`)
			for method, route := range map[string]string{"GET": path, "POST": path + "/confirm"} {
				code, text := w.ask(method, route, w.hr2, "")
				if code != http.StatusConflict || !strings.Contains(text, "legal_hold") || strings.Contains(text, "4711") {
					t.Errorf("%s %s as hr: %d %s", method, route, code, text)
				}
				if code, text = w.ask(method, route, w.app.cfg.BootstrapToken, ""); method == "GET" && (code != http.StatusConflict || !strings.Contains(text, "4711")) {
					t.Errorf("%s %s as owner: %d %s", method, route, code, text)
				}
			}
			if code, text := w.ask("DELETE", "/api/v1/people/"+w.who+"/former-names", w.hr1, ""); code != http.StatusConflict || !strings.Contains(text, "legal_hold") {
				t.Errorf("former names of somebody who is held: %d %s", code, text)
			}
			if state := w.call("DELETE", hold, w.sec, "")["state"]; state != "lifting" {
				t.Errorf("asked: %v", state)
			}
			if state := w.call("DELETE", hold, w.sec, "")["state"]; state != "lifting" {
				t.Errorf("the same one again: %v", state)
			}
			if code, _ := w.ask("POST", path+"/confirm", w.hr2, ""); code != http.StatusConflict {
				t.Errorf("erased although only one agreed: %d", code)
			}
			if state := w.call("DELETE", hold, w.sec2, "")["state"]; state != "lifted" {
				t.Errorf("the second: %v", state)
			}
			if code, text := w.ask("POST", path+"/confirm", w.hr2, ""); code != http.StatusConflict || !strings.Contains(text, "not_asked") {
				t.Errorf("what was asked before the hold: %d %s", code, text)
			}
			w.call("POST", path, w.hr1, "")
			if state := w.call("POST", path+"/confirm", w.hr2, "")["state"]; state != "erased" {
				t.Errorf("after the hold: %v", state)
			}
		})
	}
}

// What is kept of somebody under a legal hold is kept word for word, also where it names another: nobody erases that one until the hold is over, and then nothing of them stands any more.
func TestLegalHoldKeepsWhatNamesAnother(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := newErasureWorld(t, engine)
			other := w.call("GET", "/api/v1/people?q=u4", w.app.cfg.BootstrapToken, "")["items"].([]any)[0].(map[string]any)["id"].(string)
			path, hold := "/api/v1/people/"+w.who+"/erasure", "/api/v1/people/"+other+"/legal-hold"
			w.call("PUT", hold, w.sec, `{"reason":"case 4712"}`)
			kept := strings.Join(stands(t, w.app.db, erasedWords...), "\n")
			w.call("POST", path, w.hr1, "")
			refused := func(what string) {
				t.Helper()
				for method, route := range map[string]string{"GET": path, "POST": path + "/confirm"} {
					code, text := w.ask(method, route, w.hr2, "")
					if code != http.StatusConflict || !strings.Contains(text, "legal_hold_of_another") || strings.Contains(text, "4712") || strings.Contains(text, other) {
						t.Errorf("%s: %s %s: %d %s", what, method, route, code, text)
					}
				}
			}
			refused("a freeze, a request, a review")
			if now := strings.Join(stands(t, w.app.db, erasedWords...), "\n"); now != kept {
				t.Errorf("before:\n%s\nafter it was refused:\n%s", kept, now)
			}
			for table, column := range map[string]string{"freezes": "reason", "approval_requests": "reason", "approval_decisions": "comment", "review_lines": "why"} {
				if err := w.app.db.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec("update " + table + " set " + column + " = ''").Error }); err != nil {
					t.Fatal(err)
				}
			}
			refused("the audit log")
			w.call("DELETE", hold, w.sec, "")
			w.call("DELETE", hold, w.sec2, "")
			if state := w.call("POST", path+"/confirm", w.hr2, "")["state"]; state != "erased" {
				t.Errorf("after the hold: %v", state)
			}
			if left := stands(t, w.app.db, erasedWords...); len(left) > 0 {
				t.Errorf("stands still: %v", left)
			}
		})
	}
}
