package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
)

const exitPolicy = `apiVersion: rollcall/v1
guard: # one person after the other leaves
  move: {people: 1000, percent: 100}
  attribute: {people: 1000, percent: 100}
  cleanup: {people: 1000, percent: 100}
  group: {people: 1000, percent: 100}
  unit: {people: 1000, percent: 100}
groups:
  - key: lab
    name: {en: Lab, zh: 实验室}
    channels:
      - {key: bench, name: {en: Bench, zh: 工作台}}
      - {key: leads, name: {en: Leads, zh: 负责人}, access: {participant: none, collaborator: none}}
    rules:
      - {key: heads, role: owner, when: person.title == "Head"}
      - {key: rnd, role: participant, when: person.department == "R&D"}
      - {key: tree, role: participant, when: person.user_name == "u000005"}
      - {key: crew, role: participant, when: '"hr/crew" in person.groups'}
      - {key: extra, role: participant, when: person.title == "Extra"} # cut here
      - {key: staff, role: participant, when: person.employee_type == "Employee"}
    approvals:
      elevation: {by: [owners], most_days: 7}
  - key: vault
    name: {en: Vault, zh: 库房}
    channels: [{key: vault, name: {en: Vault, zh: 库房}}]
    rules: [{key: keepers, role: participant, when: person.title == "Keeper"}]
  - key: suppliers
    name: {en: Suppliers, zh: 供应商}
    channels: [{key: suppliers, name: {en: Suppliers, zh: 供应商}}]
    rules:
      - {key: contractors, role: participant, when: person.employee_type == "Contractor"}
      - {key: heads, role: owner, when: person.title == "Head"}
`

// What an exit rests on.
const (
	onToken   = "token"          // who the caller is, by an API token
	onSession = "session"        // the same, by a browser's session
	onPlace   = "place by token" // a place in the channel, too
	inBrowser = "place by session"
	onRole    = "role"               // an administrator's role
	onGlass   = "reading by consent" // break-glass, of a channel that the person has no place in
	onMachine = "a machine's token"  // that belongs to nobody, and that they made
)

// exitList are the ways out of the server for what a person may see or do. There is no search, no attachment, no push message and no webhook that is a
// person's: TestExitsAreAll holds the routes for people against this list.
var exitList = []struct {
	name, on, route string
	open            func(w *exitWorld, p *leaver) bool
}{
	{"who am I", onToken, "GET /api/v1/me", gets(byToken, "/api/v1/me")},
	{"inbox", onToken, "GET /api/v1/inbox", gets(byToken, "/api/v1/inbox")},
	{"my tokens", onToken, "GET /api/v1/me/tokens", gets(byToken, "/api/v1/me/tokens")},
	{"my sessions", onToken, "GET /api/v1/me/sessions", gets(byToken, "/api/v1/me/sessions")},
	{"groups to join", onToken, "GET /api/v1/me/groups", gets(byToken, "/api/v1/me/groups")},
	{"my requests", onToken, "GET /api/v1/me/requests", gets(byToken, "/api/v1/me/requests")},
	{"approvals", onToken, "GET /api/v1/me/approvals", gets(byToken, "/api/v1/me/approvals")},
	{"reviews", onToken, "GET /api/v1/me/reviews", gets(byToken, "/api/v1/me/reviews")},
	{"guests I answer for", onToken, "GET /api/v1/me/guests", gets(byToken, "/api/v1/me/guests")},
	{"what I may let guests into", onToken, "GET /api/v1/me/guests/doors", gets(byToken, "/api/v1/me/guests/doors")},
	{"closed project groups", onToken, "GET /api/v1/me/closings", gets(byToken, "/api/v1/me/closings")},
	{"handovers", onToken, "GET /api/v1/me/handovers", gets(byToken, "/api/v1/me/handovers")},
	{"plans of owners", onToken, "GET /api/v1/me/plans", gets(byToken, "/api/v1/me/plans")},
	{"a ticket for a stream", onToken, "POST /api/v1/stream/tickets", func(w *exitWorld, p *leaver) bool { return w.ticket(p) != "" }},
	{"who am I, in a browser", onSession, "GET /api/v1/me", gets(byCookie, "/api/v1/me")},
	{"my channels", onPlace, "GET /api/v1/channels", func(w *exitWorld, p *leaver) bool {
		status, body := w.send(p, byToken, "GET", "/api/v1/channels", "")
		return status == http.StatusOK && strings.Contains(body, p.channel)
	}},
	{"a channel", onPlace, "GET /api/v1/channels/{id}", gets(byToken, "/api/v1/channels/CHANNEL")},
	{"history", onPlace, "GET /api/v1/channels/{id}/messages", gets(byToken, "/api/v1/channels/CHANNEL/messages")},
	{"one message", onPlace, "GET /api/v1/messages/{id}", gets(byToken, "/api/v1/messages/MESSAGE")},
	{"writing", onPlace, "POST /api/v1/channels/{id}/messages", func(w *exitWorld, p *leaver) bool {
		p.written++
		status, _ := w.send(p, byToken, "POST", "/api/v1/channels/"+p.channel+"/messages", fmt.Sprintf(`{"client_id":"%s-%d","text":"mine"}`, p.person, p.written))
		return status < 300
	}},
	{"read position", onPlace, "POST /api/v1/channels/{id}/read", func(w *exitWorld, p *leaver) bool {
		status, _ := w.send(p, byToken, "POST", "/api/v1/channels/"+p.channel+"/read", `{"seq":1}`)
		return status < 300
	}},
	{"an open WebSocket", onPlace, "GET /api/v1/stream", func(w *exitWorld, p *leaver) bool { return p.stream.hears(w.word) }},
	{"open server-sent events", onPlace, "GET /api/v1/events", func(w *exitWorld, p *leaver) bool { return p.events.hears(w.word) }},
	{"a new WebSocket", onPlace, "GET /api/v1/stream", func(w *exitWorld, p *leaver) bool { return w.opens("/api/v1/stream", p, p.token) }},
	{"a WebSocket by a ticket that there was", onPlace, "GET /api/v1/stream", func(w *exitWorld, p *leaver) bool {
		ticket := p.tickets[0]
		p.tickets = p.tickets[1:]
		return w.opens("/api/v1/stream?ticket="+ticket, p, "")
	}},
	{"new server-sent events", onPlace, "GET /api/v1/events", func(w *exitWorld, p *leaver) bool { return w.opens("/api/v1/events", p, p.token) }},
	{"history, in a browser", inBrowser, "GET /api/v1/channels/{id}/messages", gets(byCookie, "/api/v1/channels/CHANNEL/messages")},
	{"the audit log, as an auditor", onRole, "GET /api/v1/audit", gets(asAuditor, "/api/v1/audit")},
	{"the audit log, by a machine", onMachine, "GET /api/v1/audit", gets(asMachine, "/api/v1/audit")},
	{"a channel read by consent", onGlass, "GET /api/v1/break-glass/{id}/messages", gets(asReader, "/api/v1/break-glass/GLASS/messages")},
}

const stays = "it is about the place alone: who they are has not changed"

// exitCauses are the ways in which access ends. Every exit that is not named in stay is shut when the call has returned, and those are open as before,
// for the reason given.
var exitCauses = []struct {
	name string
	stay map[string]string // by what an exit rests on
	who  hired
	take func(w *exitWorld, p *leaver)
}{
	{"frozen in the console", nil, hired{}, func(w *exitWorld, p *leaver) {
		w.must("POST", "/api/v1/people/"+p.person+"/freeze", `{"reason":"exit"}`)
	}},
	{"terminated at once", nil, hired{}, func(w *exitWorld, p *leaver) {
		w.must("POST", "/api/v1/people/"+p.person+"/terminate", `{"reason":"exit"}`)
	}},
	{"inactive by SCIM", nil, hired{}, func(w *exitWorld, p *leaver) { w.setActive(p.link, false) }},
	{"deleted by SCIM", nil, hired{}, func(w *exitWorld, p *leaver) { w.call("DELETE", "/scim/v2/Users/"+p.link, w.scim, "") }},
	{"locked in the directory", nil, hired{ldap: true}, func(w *exitWorld, p *leaver) {
		m := goldap.NewModifyRequest(p.link, nil)
		w.tree.lock(m)
		if err := w.tree.conn.Modify(m); err != nil {
			w.t.Fatal(err)
		}
		w.must("POST", "/api/v1/sources/corp/sync", "")
	}},
	{"the planned end came", nil, hired{ends: true}, func(w *exitWorld, p *leaver) { time.Sleep(time.Until(p.until)) }},
	{"account disabled, says the identity provider", nil, hired{}, func(w *exitWorld, p *leaver) { w.says(p, risc+"account-disabled") }},
	{"account purged, says the identity provider", nil, hired{}, func(w *exitWorld, p *leaver) { w.says(p, risc+"account-purged") }},
	{"sessions ended by an administrator", nil, hired{}, func(w *exitWorld, p *leaver) {
		w.must("DELETE", "/api/v1/people/"+p.person+"/sessions", "")
	}},
	{"session revoked, says the identity provider", nil, hired{}, func(w *exitWorld, p *leaver) { w.says(p, caep+"session-revoked") }},
	{"one session ended", map[string]string{onToken: "a token is no session", onPlace: "a token is no session", onRole: "a token is no session", onGlass: "a token is no session", onMachine: "a token is no session"}, hired{}, func(w *exitWorld, p *leaver) {
		w.call("DELETE", "/api/v1/me/sessions/"+p.session, p.token, "")
	}},
	{"one token ended", map[string]string{onSession: "the session is another proof", inBrowser: "the session is another proof", onRole: "it has a token of its own", onGlass: "it has a token of its own", onMachine: "it has a token of its own"}, hired{}, func(w *exitWorld, p *leaver) {
		for _, item := range w.call("GET", "/api/v1/me/tokens", p.token, "")["items"].([]any) {
			if item := item.(map[string]any); item["name"] == "bench" {
				w.call("DELETE", "/api/v1/me/tokens/"+item["id"].(string), p.token, "")
				return
			}
		}
		w.t.Fatal("the token is not listed")
	}},
	{"moved to another department", map[string]string{onToken: stays, onSession: stays, onRole: stays, onGlass: stays, onMachine: stays}, hired{}, func(w *exitWorld, p *leaver) {
		w.patch("/scim/v2/Users/"+p.link, `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Sales"}`)
	}},
	{"left a group of the directory", map[string]string{onToken: stays, onSession: stays, onRole: stays, onGlass: stays, onMachine: stays}, hired{department: "None", crew: true}, func(w *exitWorld, p *leaver) {
		w.patch("/scim/v2/Groups/"+w.crew, `{"op":"remove","path":"members[value eq \"`+p.link+`\"]"}`)
	}},
	{"became a contractor", map[string]string{onToken: stays, onSession: stays, onRole: stays, onGlass: stays, onMachine: stays}, hired{department: "None", staff: true}, func(w *exitWorld, p *leaver) {
		w.patch("/scim/v2/Users/"+p.link, `{"op":"replace","path":"userType","value":"Contractor"}`)
	}},
	{"a stronger role was lent and is over", map[string]string{onToken: stays, onSession: stays, onRole: stays, onGlass: stays, onMachine: stays}, hired{lent: true}, func(w *exitWorld, p *leaver) {
		time.Sleep(time.Until(p.until))
	}},
	{"the rule is gone from the policy", map[string]string{onToken: stays, onSession: stays, onRole: stays, onGlass: stays, onMachine: stays}, hired{department: "None", title: "Extra"}, func(w *exitWorld, p *leaver) {
		lines := slices.DeleteFunc(strings.Split(exitPolicy, "\n"), func(line string) bool { return strings.HasSuffix(line, "# cut here") })
		w.policy(strings.Join(lines, "\n"))
	}},
	{"role taken", map[string]string{onToken: "they are a person as before", onSession: "they are a person as before", onPlace: "a role gives no place", inBrowser: "a role gives no place", onGlass: "it rests on another role"}, hired{}, func(w *exitWorld, p *leaver) {
		w.must("DELETE", "/api/v1/admins/"+p.person+"?role=auditor", "")
	}},
	{"reading by consent ended", map[string]string{onToken: "the reading alone is over", onSession: "the reading alone is over", onPlace: "they have a place there", inBrowser: "they have a place there", onRole: "the reading alone is over", onMachine: "the reading alone is over"}, hired{}, func(w *exitWorld, p *leaver) {
		w.call("POST", "/api/v1/break-glass/"+p.glass+"/end", w.chief, "")
	}},
}

// hired says how somebody comes into the channel.
type hired struct {
	department, title             string
	ldap, crew, ends, lent, staff bool
}

// leaver is somebody with every proof that there is, and everything open.
type leaver struct {
	person, link, channel, message string
	token, cookie, session         string
	auditor, reader, glass         string
	machine                        string
	tickets                        []string
	stream, events                 *hearing
	until                          time.Time
	written                        int
}

// Every exit × every cause: open before, and shut when the call that takes it away has returned, or open as before for a reason.
//
// holds: known tokens, known demotion, attack revocation-05
func TestEveryExitIsShut(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() {
				t.Skip("minutes")
			}
			w := newExitWorld(t, engine)
			cells, kept := 0, 0
			for n, cause := range exitCauses {
				p := w.hired(n+100, cause.who)
				w.speak(p)
				for _, e := range exitList {
					if !e.open(w, p) {
						t.Errorf("%s × %s: not open before", e.name, cause.name)
					}
				}
				cause.take(w, p)
				w.speak(p)
				for _, e := range exitList {
					why, open := cause.stay[e.on], false
					if cells++; why != "" {
						kept++
					}
					if open = e.open(w, p); open != (why != "") {
						t.Errorf("%s × %s: open is %v; %s", e.name, cause.name, open, why)
					}
				}
				p.stream.close()
				p.events.close()
			}
			t.Logf("%d exits × %d causes: %d cells, %d of them stay open for a reason", len(exitList), len(exitCauses), cells, kept)
		})
	}
}

// acts are what people do that tells nothing of a channel: each stands behind the same proof as "who am I".
var acts = []string{"DELETE /api/v1/me/sessions/{id}", "POST /api/v1/me/tokens", "DELETE /api/v1/me/tokens/{id}", "POST /api/v1/inbox/read", "POST /api/v1/inbox/{id}/read",
	"POST /api/v1/me/handovers/{id}/accept", "POST /api/v1/me/handovers/{id}/refuse", "POST /api/v1/me/groups/{id}/join", "POST /api/v1/me/groups/{id}/leave", "POST /api/v1/me/requests",
	"POST /api/v1/me/requests/{id}/withdraw", "POST /api/v1/me/approvals/{id}/approve", "POST /api/v1/me/approvals/{id}/refuse", "POST /api/v1/me/reviews/{id}/decide",
	"POST /api/v1/me/guests", "POST /api/v1/me/guests/{id}/renew", "POST /api/v1/me/guests/{id}/end", "POST /api/v1/me/guests/{id}/resume", "GET /api/v1/me/stay", "POST /api/v1/me/stay", "POST /api/v1/me/guests/{id}/link", "POST /api/v1/me/guests/{id}/mail",
	"POST /api/v1/me/guests/{id}/confirm",
	"POST /api/v1/me/guests/import/preview", "POST /api/v1/me/guests/import",
	"GET /api/v1/me/guests/{id}",                                                                                                  // what the list of guests leads to
	"GET /api/v1/me/groups/{id}/guests", "POST /api/v1/me/groups/{id}/guests/preview", "POST /api/v1/me/groups/{id}/guests/apply", // for owners of the group: nothing of a channel
	"POST /api/v1/me/groups/{id}/closing/preview", "POST /api/v1/me/groups/{id}/closing", // likewise
	"GET /api/v1/me/closings/{id}/archive",                                                                         // what the list of closings leads to; TestArchiveIsOfWhoOwnedIt
	"GET /api/v1/me/factor", "POST /api/v1/me/factor", "POST /api/v1/me/factor/confirm", "POST /api/v1/me/step-up", // by a session alone
	"GET /api/v1/me/plans/{id}"} // what the list of plans leads to

// Each route for people is in the list of exits, or an act: a new one wants a line there. And nothing of a channel goes out by itself: chat knows no way
// to another server.
//
// holds: attack revocation-05
func TestExitsAreAll(t *testing.T) {
	b := newBench(t, db.SQLite)
	listed := map[string]bool{}
	for _, e := range exitList {
		listed[e.route] = true
	}
	looked := 0
	for _, r := range b.app.routes() {
		name := r.Method + " " + r.Path
		if stream := r.Path == "/api/v1/stream" || r.Path == "/api/v1/events"; r.Who != people && r.Who != known && !stream {
			continue
		}
		if looked++; listed[name] == slices.Contains(acts, name) {
			t.Errorf("%s is a way out that no cause is held against", name)
		}
	}
	if looked < 30 {
		t.Errorf("%d routes were looked at", looked)
	}
	for _, dir := range []string{"../../chat", "../../chat/delivery"} {
		names, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range file.Imports {
				if path := strings.Trim(i.Path.Value, `"`); slices.Contains([]string{"net/smtp", "os/exec", module + "internal/outbound", module + "internal/webhook"}, path) {
					t.Errorf("%s imports %s: what leaves by it passes no gate", name, path)
				}
			}
		}
	}
}

const module = "github.com/rollcall-im/rollcall/"

type exitWorld struct {
	*transmitter
	t            *testing.T
	tree         written
	poster, crew string
	chief        string // an owner's token
	room, leads  string // channels
	vault, lab   string
	suppliers    string
	word         string // what was said last
}

func newExitWorld(t *testing.T, engine db.Engine) *exitWorld {
	w := &exitWorld{t: t, tree: writtenServer(t, "openldap", 20)}
	b := newLoggedBench(t, engine, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), w.tree.source)
	w.transmitter = transmitterTo(t, b)
	w.policy(exitPolicy)
	w.within("there are channels", func() bool {
		groups, err := b.app.access.Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			for _, c := range g.Channels {
				switch c.Key {
				case "bench":
					w.room, w.lab = string(c.ID), string(g.ID)
				case "leads":
					w.leads = string(c.ID)
				case "vault":
					w.vault = string(c.ID)
				case "suppliers":
					w.suppliers = string(c.ID)
				}
			}
		}
		return w.room != "" && w.leads != "" && w.vault != "" && w.suppliers != ""
	})
	w.join(90, "None", "Head", "")
	head, poster := w.bench.person("u90")
	w.poster = poster
	w.owner(head)
	w.chief = w.admin(head, roles.Grant{Role: roles.Owner}, true)
	w.crew = w.call("POST", "/scim/v2/Groups", w.scim, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"crew"}`)["id"].(string)
	return w
}

func (w *exitWorld) must(method, path, body string) map[string]any {
	return w.call(method, path, w.app.cfg.BootstrapToken, body)
}

func (w *exitWorld) patch(path, operation string) {
	w.call("PATCH", path, w.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operation+`]}`)
}

func (w *exitWorld) within(what string, ok func() bool) {
	w.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			w.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func (w *exitWorld) policy(text string) {
	w.t.Helper()
	for try := 0; ; try++ { // the state may have changed while it was looked at
		_, err := w.app.access.SetPolicy(w.t.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: text}})
		if err == nil {
			return
		}
		if try == 20 {
			w.t.Fatal(err)
		}
	}
}

func (w *exitWorld) join(n int, department, title, employment string) string {
	return w.call("POST", "/scim/v2/Users", w.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"u%d","externalId":"E%d","active":true,"displayName":"Person %d","title":%q%s,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":%q}}`, n, n, n, title, employment, department))["id"].(string)
}

// hired makes somebody who has a place, every proof and every way in open.
func (w *exitWorld) hired(n int, how hired) *leaver {
	w.t.Helper()
	p := &leaver{channel: w.room}
	name := fmt.Sprintf("u%d", n)
	if how.department == "" {
		how.department = "R&D"
	}
	if how.ends {
		p.until = time.Now().Add(30 * time.Second).Truncate(time.Second)
	}
	if how.ldap {
		name, p.link = "u000005", ""
		w.must("POST", "/api/v1/sources/corp/sync", "")
		found, err := w.tree.conn.Search(goldap.NewSearchRequest(ldaptest.Base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false, "(uid=u000005)", []string{"1.1"}, nil))
		if err != nil || len(found.Entries) != 1 {
			w.t.Fatalf("the directory: %v", err)
		}
		p.link = found.Entries[0].DN
	} else {
		employment := ""
		if how.ends {
			employment = fmt.Sprintf(`,"urn:ietf:params:scim:schemas:extension:rollcall:employment:1.0:User":{"endDate":%q}`, p.until.UTC().Format(time.RFC3339))
		}
		p.link = w.join(n, how.department, how.title, employment)
	}
	if how.staff {
		w.patch("/scim/v2/Users/"+p.link, `{"op":"replace","path":"userType","value":"Employee"}`)
	}
	if how.crew {
		w.patch("/scim/v2/Groups/"+w.crew, `{"op":"add","path":"members","value":[{"value":"`+p.link+`"}]}`)
	}
	p.person, p.token = w.bench.person(name)
	if how.lent {
		p.until, p.channel = time.Now().Add(30*time.Second).Truncate(time.Second), w.leads
		ask := w.call("POST", "/api/v1/me/requests", p.token, fmt.Sprintf(`{"kind":"elevation","object":%q,"role":"owner","until":%q,"reason":"exit"}`, w.lab, p.until.UTC().Format(time.RFC3339)))["id"].(string)
		w.call("POST", "/api/v1/me/approvals/"+ask+"/approve", w.poster, "{}")
	}
	p.cookie, p.session = "cookie-"+p.person, "ses_"+p.person
	sum, now := sha256.Sum256([]byte(p.cookie)), time.Now()
	if err := w.app.db.Tx(w.t.Context(), func(tx *db.Tx) error {
		if err := tx.Exec("insert into session_identities (issuer, subject, person, created_at) values (?, ?, ?, 1)", w.srv.URL, p.person, p.person).Error; err != nil {
			return err
		}
		return tx.Exec(`insert into sessions (id, token_hash, person, epoch, issuer, subject, sid, user_agent, created_at, last_seen_at, expires_at, end_cause)
			values (?, ?, ?, 0, ?, ?, ?, '', ?, ?, ?, '')`, p.session, hex.EncodeToString(sum[:]), p.person, w.srv.URL, p.person, p.session, now.UnixMicro(), now.UnixMicro(), now.Add(time.Hour).UnixMicro()).Error
	}); err != nil {
		w.t.Fatal(err)
	}
	p.auditor = w.admin(p.person, roles.Grant{Role: roles.Auditor}, false)
	var err error
	if p.machine, _, err = w.app.door.CreateToken(w.t.Context(), httpapi.Caller{Person: id.Person(p.person), Session: id.Session(p.session), Grants: roles.Grants{{Role: roles.Auditor}}}, session.NewToken{Name: "machine", Role: roles.Auditor}); err != nil {
		w.t.Fatal(err)
	}
	p.reader = w.admin(p.person, roles.Grant{Role: roles.Security}, true)
	p.glass = w.call("POST", "/api/v1/break-glass", p.reader, `{"channel":"`+w.vault+`","minutes":60,"reason":"exit"}`)["id"].(string)
	w.call("POST", "/api/v1/break-glass/"+p.glass+"/approve", w.chief, "{}")
	w.within("they have a place", func() bool { return gets(byToken, "/api/v1/channels/CHANNEL")(w, p) })
	p.message = w.call("POST", "/api/v1/channels/"+p.channel+"/messages", w.poster, `{"client_id":"of `+p.person+`","text":"before"}`)["id"].(string)
	p.stream, p.events = w.listen("/api/v1/stream", p.token), w.listen("/api/v1/events", p.token)
	if p.stream == nil || p.events == nil {
		w.t.Fatal("the streams do not open")
	}
	p.tickets = []string{w.ticket(p), w.ticket(p)}
	return p
}

// speak says something in the leaver's channel, and waits until somebody who stays has heard it, and a moment more.
func (w *exitWorld) speak(p *leaver) {
	w.t.Helper()
	other := w.listen("/api/v1/stream", w.poster)
	if other == nil {
		w.t.Fatal("the stream does not open")
	}
	defer other.close()
	w.say(p)
	w.within("it is heard", func() bool { return other.hears(w.word) })
	time.Sleep(150 * time.Millisecond)
}

func (w *exitWorld) say(p *leaver) {
	p.written++
	w.word = fmt.Sprintf("word-%s-%d", p.person, p.written)
	w.call("POST", "/api/v1/channels/"+p.channel+"/messages", w.poster, fmt.Sprintf(`{"client_id":%q,"text":%q}`, w.word, w.word))
}

// says hands in what the identity provider says of the leaver.
func (w *exitWorld) says(p *leaver, event string) {
	subject := map[string]any{"format": "iss_sub", "iss": w.srv.URL, "sub": p.person}
	status, code := w.push(w.sign("secevent+jwt", map[string]any{"sub_id": subject, "events": map[string]any{event: map[string]any{"event_timestamp": time.Now().Unix()}}}))
	w.is(status, code, http.StatusAccepted, "")
}

func (w *exitWorld) ticket(p *leaver) string {
	status, body := w.send(p, byToken, "POST", "/api/v1/stream/tickets", "")
	var out struct{ Ticket string }
	if status >= 300 || json.Unmarshal([]byte(body), &out) != nil {
		return ""
	}
	return out.Ticket
}

// proof chooses by what a request says who it is.
type proof func(p *leaver, r *http.Request)

func bearer(of func(p *leaver) string) proof {
	return func(p *leaver, r *http.Request) { r.Header.Set("Authorization", "Bearer "+of(p)) }
}

var (
	byToken   = bearer(func(p *leaver) string { return p.token })
	asAuditor = bearer(func(p *leaver) string { return p.auditor })
	asReader  = bearer(func(p *leaver) string { return p.reader })
	asMachine = bearer(func(p *leaver) string { return p.machine })
	byCookie  = proof(func(p *leaver, r *http.Request) { r.AddCookie(&http.Cookie{Name: "rollcall", Value: p.cookie}) })
)

func gets(by proof, path string) func(w *exitWorld, p *leaver) bool {
	return func(w *exitWorld, p *leaver) bool {
		status, _ := w.send(p, by, "GET", strings.NewReplacer("CHANNEL", p.channel, "MESSAGE", p.message, "GLASS", p.glass).Replace(path), "")
		return status == http.StatusOK
	}
}

func (w *exitWorld) send(p *leaver, by proof, method, path, body string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	by(p, request)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(answer.Body).WriteTo(&text); err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, text.String()
}

// hearing gathers what a stream brings.
type hearing struct {
	mu    sync.Mutex
	heard strings.Builder
	close func()
}

func (h *hearing) hears(word string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.heard.String(), word)
}

// listen opens a stream by a token, or by what the path says; nil where it is refused.
func (w *exitWorld) listen(path, token string) *hearing {
	h := &hearing{}
	take := func(text string) {
		h.mu.Lock()
		h.heard.WriteString(text)
		h.mu.Unlock()
	}
	if strings.HasPrefix(path, "/api/v1/events") {
		ctx, cancel := context.WithCancel(context.Background())
		request, err := http.NewRequestWithContext(ctx, "GET", w.url+path, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			cancel()
			return nil
		}
		h.close = cancel
		go func() {
			defer answer.Body.Close()
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
				take(lines.Text())
			}
		}()
		w.within("the events begin", func() bool { return h.hears("data") || h.hears("event") })
		return h
	}
	options := &websocket.DialOptions{}
	if token != "" {
		options.HTTPHeader = http.Header{"Authorization": {"Bearer " + token}}
	}
	conn, _, err := websocket.Dial(context.Background(), strings.Replace(w.url, "http", "ws", 1)+path, options)
	if err != nil {
		return nil
	}
	conn.SetReadLimit(1 << 20)
	h.close = func() { _ = conn.CloseNow() }
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			_, frame, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			take(string(frame))
		}
	}()
	if err := conn.Write(context.Background(), websocket.MessageText, []byte(`{"op":"resume","person_seq":0,"channels":{}}`)); err != nil {
		h.close()
		return nil
	}
	for began := time.Now(); !h.hears(`"op"`); time.Sleep(2 * time.Millisecond) {
		select {
		case <-ended:
			return nil
		default:
		}
		if time.Since(began) > 20*time.Second {
			w.t.Fatal("the stream greets nobody")
		}
	}
	return h
}

// opens tells whether a new stream opens and brings what is said then.
func (w *exitWorld) opens(path string, p *leaver, token string) bool {
	w.t.Helper()
	h := w.listen(path, token)
	if h == nil {
		return false
	}
	defer h.close()
	w.speak(p)
	return h.hears(w.word)
}
