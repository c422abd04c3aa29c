package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// none is said of what holds no credential and lets nobody in.
const none = ""

// kept is every column that keeps what somebody could show to be let in, or looks as if, and the test that takes it from somebody who is offboarded.
var kept = map[string]string{
	"sessions.token_hash":           "cmd/rollcall TestEveryExitIsShut",
	"session_tokens.token_hash":     "cmd/rollcall TestEveryExitIsShut",
	"chat_tickets.hash":             "cmd/rollcall TestEveryExitIsShut",
	"source_tokens.hash":            "directory/scim TestTokenEndsWithinAConnection", // a source's, which is nobody
	"session_emergency.first_hash":  "internal/session TestEmergency",                // nobody's: two halves open it for an hour
	"session_emergency.second_hash": "internal/session TestEmergency",
	"session_factors.secret":        "internal/session TestStepUp", // beside a session, never instead of one
	"session_recovery.hash":         "internal/session TestStepUp",
	"transmit_receivers.token_hash": "cmd/rollcall TestTransmitter", // a receiver's, which is nobody
	"transmit_receivers.sealed":     none,                           // what it wants to see of us
	"transmit_keys.sealed":          none,                           // what signs events
	"chat_tickets.token":            none,                           // which token a ticket is of
	"audit_hashes.hash":             none,                           // of records
	"erased_key.secret":             none,                           // marks who was erased
	"plans.hash":                    none,                           // of what a plan was worked out from, as the next
	"guest_links.hash":              "story G06-links-that-are-over",
	"plan_schedules.hash":           none,
	"go_lives.hash":                 none,
	"policy_versions.hash":          none,
	"records.hash":                  none, // of what a source said, as the next
	"ldap_objects.hash":             none,
	"ldap_previews.hash":            none,
	"authz_engine.model_hash":       none,
	"authz_engine.changes_token":    none, // a place in a list
	"guest_providers.sealed":        none, // by which we are known at a company's identity provider
	"evidence_keys.sealed":          none, // what signs records
}

// doors are the routes that know nobody beforehand, and the test that refuses who was offboarded behind each.
var doors = map[string]string{
	"GET /api/v1/stream":                           "cmd/rollcall TestEveryExitIsShut",
	"GET /api/v1/events":                           "cmd/rollcall TestEveryExitIsShut",
	"GET /auth/login":                              "internal/session TestFrozenPersonCannotSignIn",
	"GET /auth/callback":                           "internal/session TestFrozenPersonCannotSignIn",
	"GET /auth/callback/{company}":                 "cmd/rollcall TestCompanyProvider",
	"POST /auth/password":                          "internal/session TestPasswordSignInBesideAFreeze",
	"POST /auth/emergency":                         "internal/session TestEmergency",
	"POST /api/v1/sources/{id}/feed":               "story hr-post",
	"POST /hooks/{id}":                             "story hr-post",
	"GET /.well-known/ssf-configuration":           none,
	"GET /.well-known/ssf-configuration/{path...}": none,
	"GET /ssf/jwks.json":                           none,
	"POST /ssf/stream":                             "cmd/rollcall TestTransmitter",
	"GET /ssf/stream":                              "cmd/rollcall TestTransmitter",
	"PATCH /ssf/stream":                            "cmd/rollcall TestTransmitter",
	"PUT /ssf/stream":                              "cmd/rollcall TestTransmitter",
	"DELETE /ssf/stream":                           "cmd/rollcall TestTransmitter",
	"GET /ssf/status":                              "cmd/rollcall TestTransmitter",
	"POST /ssf/status":                             "cmd/rollcall TestTransmitter",
	"POST /ssf/verify":                             "cmd/rollcall TestTransmitter",
	"POST /ssf/poll/{stream}":                      "cmd/rollcall TestTransmitter",
	"GET /auth/emergency":                          none, // a page
	"GET /auth/methods":                            none,
	"POST /auth/logout":                            none,
	"POST /auth/backchannel-logout":                none, // these three take access away, and give none
	"POST /auth/signals":                           none,
	"POST /auth/global-token-revocation":           none,
	"GET /healthz":                                 none,
	"GET /readyz":                                  none,
	"GET /":                                        none,
	"GET /asyncapi.json":                           none,
	"GET /policy.schema.json":                      none,
	"GET /api/v1/evidence/keys":                    none,
	"POST /auth/guest":                             "story G06-links-that-are-over",
	"POST /auth/guest/enter":                       "story G06-links-that-are-over",
	"POST /auth/guest/code":                        "story G05-links",
	"POST /auth/guest/sign-in":                     "story G05-links",
	"GET /auth/guest":                              none, // a page
	"GET /auth/guest/wait":                         none, // a page
}

// Each way to prove who one is, and each way in: a column that keeps a secret, a route that knows nobody, a member of Caller. All that there are stand in
// a list with the test that takes them from whoever is offboarded; a new one wants a line there, and so a test.
//
// holds: known tokens
func TestCredentialsAreAll(t *testing.T) {
	b := newBench(t, db.SQLite)
	tests := func(held string) bool {
		where, name, _ := strings.Cut(held, " ")
		if where == "story" {
			_, err := os.Stat("testdata/script/" + name + ".txtar")
			return err == nil
		}
		files, _ := filepath.Glob("../../" + where + "/*_test.go")
		return slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && regexp.MustCompile(`(?m)^func `+name+`\(`).Match(text)
		})
	}
	seen := map[string]bool{}
	look := func(what string, list map[string]string) {
		t.Helper()
		seen[what] = true
		if held, listed := list[what]; !listed {
			t.Errorf("%s may let somebody in, and nothing is said of how it ends", what)
		} else if held != none && !tests(held) {
			t.Errorf("%s: there is no %s", what, held)
		}
	}
	var columns []struct{ Owner, Name string }
	if err := b.app.db.Read(t.Context()).Raw(`select m.name as owner, p.name as name from sqlite_master m join pragma_table_info(m.name) p where m.type = 'table'`).Scan(&columns).Error; err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`hash|secret|token$|password|sealed$|ticket|api_?key`)
	for _, c := range columns {
		if secret.MatchString(c.Name) && !strings.HasPrefix(c.Owner, "fga_") {
			look(c.Owner+"."+c.Name, kept)
		}
	}
	for _, r := range b.app.routes() {
		if r.Who == anybody {
			look(r.Method+" "+r.Path, doors)
		}
	}
	for _, list := range []map[string]string{kept, doors} {
		for what := range list {
			if !seen[what] {
				t.Errorf("%s is in the list, and is not there", what)
			}
		}
	}
	var members []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[httpapi.Caller]()) {
		members = append(members, f.Name)
	}
	if want := []string{"Person", "Maker", "Session", "Token", "Grants", "Stepped"}; !slices.Equal(members, want) {
		t.Errorf("a caller is known by %v: is a new one of them a proof?", members)
	}
}

// Whoever was an employee and is a contractor now loses what only employees had before the source is answered, with a socket that is open and a queue that
// is full: nothing that is written afterwards comes, and what was queued is dropped. What contractors have comes by the same account.
//
// holds: known demotion
func TestDemotion(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("needs PostgreSQL")
			}
			w := newExitWorld(t, engine)
			p := w.hired(400, hired{department: "None", staff: true})
			defer p.stream.close()
			defer p.events.close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			slow, _, err := websocket.Dial(ctx, strings.Replace(w.url, "http", "ws", 1)+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + p.token}}})
			if err != nil {
				t.Fatal(err)
			}
			defer slow.CloseNow()
			slow.SetReadLimit(1 << 20)
			if err := slow.Write(ctx, websocket.MessageText, []byte(`{"op":"resume"}`)); err != nil {
				t.Fatal(err)
			}
			read := func() string {
				_, frame, err := slow.Read(ctx)
				if err != nil {
					return ""
				}
				return string(frame)
			}
			for frame := ""; !strings.Contains(frame, `"resumed"`); {
				if frame = read(); frame == "" {
					t.Fatal("the slow stream does not begin")
				}
			}
			const queued = 90
			for i := range queued { // more than the sockets take, less than the queue
				w.call("POST", "/api/v1/channels/"+w.room+"/messages", w.poster, fmt.Sprintf(`{"client_id":"q%d","text":"before-%d %s"}`, i, i, strings.Repeat("x", 7000)))
			}
			w.within("who reads has it", func() bool { return p.stream.hears(fmt.Sprintf("before-%d ", queued-1)) })
			w.patch("/scim/v2/Users/"+p.link, `{"op":"replace","path":"userType","value":"Contractor"}`)
			for i := range 5 {
				w.call("POST", "/api/v1/channels/"+w.room+"/messages", w.poster, fmt.Sprintf(`{"client_id":"a%d","text":"after-%d"}`, i, i))
			}
			if gets(byToken, "/api/v1/channels/CHANNEL/messages")(w, p) {
				t.Error("the history is open")
			}
			p.channel = w.suppliers
			w.within("they have what contractors have", func() bool { return gets(byToken, "/api/v1/channels/CHANNEL")(w, p) })
			w.speak(p)
			w.within("it comes by the stream that was open", func() bool { return p.stream.hears(w.word) && p.events.hears(w.word) })
			for name, h := range map[string]*hearing{"websocket": p.stream, "events": p.events} {
				if h.hears("after-") {
					t.Errorf("%s: what was written after the demotion came", name)
				}
			}
			got, gone := 0, false
			for {
				frame := read()
				if gone = gone || frame == ""; frame == "" || strings.Contains(frame, w.word) { // reset, for half of a frame was out
					break
				}
				got += strings.Count(frame, `"before-`)
				gone = gone || strings.Contains(frame, "channel.gone")
				if strings.Contains(frame, "after-") {
					t.Errorf("the slow stream: %.200s", frame)
				}
			}
			if got == queued {
				t.Errorf("all %d messages came: what was queued was not dropped, or nothing was queued", got)
			}
			if !gone {
				t.Error("the slow stream goes on, and was not told that the channel is gone")
			}
			t.Logf("%d of %d messages were out when they lost the channel", got, queued)
		})
	}
}
