package provisioning_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// The owner of a project group sees what a plan that is not in force would do to it, at once, and nothing of other groups, of what is to come
// of people, or of a plan that is in force; who owns nothing sees nothing.
func TestOwnersSeePlans(t *testing.T) {
	both(t, func(w *world) {
		w.policy(policyText)
		head := w.put("head", "dept=R&D title=Head")
		p := w.put("p", "dept=R&D")
		moves := w.record("moves", "dept=Sales")
		moves.Planned = []directory.Planned{{At: w.clock().Add(24 * time.Hour), Set: map[string]string{"department": "R&D", "title": "Clerk"}}}
		w.apply(directory.PutRecord{Record: moves})
		caller := httpapi.Caller{Person: head}
		a := &provisioning.API{Reactor: w.r, Directory: w.people, Index: w.index}
		handler := (&httpapi.Server{Errors: provisioning.Cases(), Authenticate: func(*http.Request) (httpapi.Caller, error) { return caller, nil }}).Handler([]httpapi.Route{
			httpapi.Op("GET", "/api/v1/me/plans", httpapi.People, "plans", a.OwnedPlans),
			httpapi.Op("GET", "/api/v1/me/plans/{id}", httpapi.People, "changes", a.OwnedChanges),
		})
		get := func(path string) (code int, text string, items []map[string]any) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest("GET", "http://rollcall.test"+path, nil))
			var out struct{ Items []map[string]any }
			w.ok(json.Unmarshal(answer.Body.Bytes(), &out))
			return answer.Code, answer.Body.String(), out.Items
		}
		edit := strings.NewReplacer(`role: participant, when: person.department == "R&D"`, `role: participant, when: person.title == "Clerk"`,
			`role: participant, when: person.department == "Sales"`, `role: participant, when: person.department == "Nobody"`).Replace(policyText)
		plan, err := w.r.Propose(ctx, provisioning.Proposal{Files: []provisioning.File{{Name: "policy.yaml", Source: edit}}}, "tok_root")
		w.ok(err)
		apollo := string(w.channel("apollo", "general").Group)
		_, text, items := get("/api/v1/me/plans")
		if len(items) != 1 || items[0]["id"] != string(plan.ID) || strings.Contains(text, "sales") {
			t.Fatalf("plans: %s", text)
		}
		part := items[0]["groups"].([]any)
		if len(part) != 1 || part[0].(map[string]any)["key"] != "apollo" || part[0].(map[string]any)["removed"] != 1.0 || part[0].(map[string]any)["added"] != 0.0 {
			t.Errorf("parts: %s", text)
		}
		_, text, items = get("/api/v1/me/plans/" + string(plan.ID) + "?group=" + apollo)
		losers := 0
		for _, c := range items {
			if c["op"] == "remove" && c["person"].(map[string]any)["id"] == string(p) && c["loses"].([]any)[0] == "general" {
				losers++
			}
		}
		if losers != 1 || strings.Contains(text, "MOVES") || strings.Contains(text, "sales") {
			t.Errorf("changes: %s", text)
		}
		if code, text, _ := get("/api/v1/me/plans/" + string(plan.ID) + "?group=" + string(w.channel("sales", "general").Group)); code != 404 {
			t.Errorf("somebody else's group: %d %s", code, text)
		}
		for _, caller = range []httpapi.Caller{{Person: p}, {Person: id.Person("per_nobody")}} {
			if _, text, items := get("/api/v1/me/plans"); len(items) != 0 {
				t.Errorf("who owns nothing: %s", text)
			}
			if code, _, _ := get("/api/v1/me/plans/" + string(plan.ID) + "?group=" + apollo); code != 404 {
				t.Errorf("who owns nothing sees changes: %d", code)
			}
		}
		caller = httpapi.Caller{Person: head}
		_, err = w.r.ApplyPlan(ctx, directory.Cause{Actor: "admin"}, plan.ID, plan.Hash, true)
		w.ok(err)
		if _, text, items := get("/api/v1/me/plans"); len(items) != 0 {
			t.Errorf("in force: %s", text)
		}
	})
}
