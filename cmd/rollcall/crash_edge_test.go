package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// edges is a server that is killed at a named edge of a transaction, under one administrator who works through a list of acts and repeats
// what got no answer.
type edges struct {
	*crash
	seen  string // the file of edges
	read  int    // so many bytes of it are read
	round int
	boss  string // SCIM id
	feed  string // the source of personnel files
	dead  int    // how often the server was gone
}

const edgePolicy = `apiVersion: rollcall/v1
guard: {cleanup: {people: 1000, percent: 100}, move: {people: 1000, percent: 100}} # there is a round for each edge
groups:
  - key: lab
    name: {en: Lab, zh: 实验室}
    channels:
      - {key: bench, name: {en: Bench, zh: 工作台}}
    rules:
      - {key: rnd, role: participant, when: person.department == "R&D"}
      - {key: leads, role: owner, when: person.department == "R&D" && person.title == "Lead"}
    successors: [manager]
  - key: other
    name: {en: Other, zh: 其他}
    channels:
      - {key: room, name: {en: Room, zh: 房间}}
    rules:
      - {key: all, role: participant, when: 'person.user_name != "nobody-%d"%s'}
`

// SIGKILL at each edge of each kind of writing transaction that the acts of an administrator and a source cause, right before its
// commit and right after: what was answered is in force, what was not can be done again, nobody who was offboarded is let in, the audit log grows by
// whole records, a plan of the policy in force has nothing to do, and index and OpenFGA hold the same. The edges are not a list
// that somebody keeps: a first run through the acts writes them down.
func TestKilledAtEveryEdge(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			e := newEdges(t, dbtest.DSN(t, engine))
			e.acts() // the first policy is another matter than the next ones
			e.met()
			e.acts()
			met := e.met()
			names := slices.Sorted(maps.Keys(met))
			if len(names) < 20 {
				t.Fatalf("%d edges: %v", len(names), names)
			}
			if testing.Short() {
				rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				names = names[:8]
			}
			for _, name := range names {
				e.kill(name, rand.IntN(met[name]))
			}
			if e.dead < len(names)/2 {
				t.Errorf("killed at %d of %d edges", e.dead, len(names))
			}
			e.stop(os.Interrupt)
			e.compare()
			t.Logf("killed at %d of %d edges, audit log of %d records", e.dead, len(names), e.report.Size)
		})
	}
}

func newEdges(t *testing.T, dsn string) *edges {
	e := &edges{seen: filepath.Join(t.TempDir(), "edges")}
	t.Setenv(edgeEnv, e.seen)
	e.crash = configuredCrash(t, dsn, "hr_feeds:\n  - {name: staff, time_zone: Asia/Shanghai}\n")
	e.serve()
	e.source = e.must("POST", "/api/v1/sources", crashToken, `{"name":"hr","kind":"scim"}`)["id"].(string)
	e.secret = e.must("POST", "/api/v1/sources/"+e.source+"/tokens", crashToken, `{"name":"crash"}`)["secret"].(string)
	for _, s := range e.must("GET", "/api/v1/sources", crashToken, "")["items"].([]any) {
		if s := s.(map[string]any); s["name"] == "staff" {
			e.feed = s["id"].(string)
		}
	}
	e.boss = e.must("POST", "/scim/v2/Users", e.secret, e.user("boss", "Board", "VP"))["id"].(string)
	people := `{"kind":"full","count":1,"rows":[{"employee_number":"S0","name":"Staff","department":"R&D","start":"2020-03-02"}]}`
	e.must("POST", "/api/v1/sources/"+e.feed+"/feed", crashToken, people)
	e.command("source", "live", "staff", "--yes")
	return e
}

// met answers how often each edge was met since it was asked last.
func (e *edges) met() map[string]int {
	e.t.Helper()
	text, err := os.ReadFile(e.seen)
	if err != nil {
		e.t.Fatal(err)
	}
	met := map[string]int{}
	for name := range strings.Lines(string(text[e.read:])) {
		met[strings.TrimSpace(name)]++
	}
	e.read = len(text)
	return met
}

// kill works through the acts with a server that ends at an edge, passing it so often before, and looks at what is left.
func (e *edges) kill(name string, passes int) {
	e.t.Helper()
	e.t.Logf("%s after %d", name, passes)
	if err := os.WriteFile(e.seen+".kill", fmt.Appendf(nil, "%d %s", passes, name), 0o600); err != nil {
		e.t.Fatal(err)
	}
	before := e.dead
	e.acts()
	_ = os.Remove(e.seen + ".kill")
	if e.dead == before {
		e.t.Log("not met so often this time")
	}
	if e.t.Failed() {
		e.t.Fatalf("server log:\n%s", e.log.String())
	}
}

// do makes a call until it is answered, and answers what it was; a status of 300 and more must be among allowed.
func (e *edges) do(method, path, token, body string, allowed ...int) (int, map[string]any) {
	e.t.Helper()
	for range 3 {
		status, out, err := e.call(method, path, token, body)
		if err != nil {
			e.revive()
			continue
		}
		if status >= 300 && !slices.Contains(allowed, status) {
			e.t.Fatalf("round %d: %s %s: %d %v\n%s", e.round, method, path, status, out, e.log.String())
		}
		return status, out
	}
	e.t.Fatalf("%s %s: no answer", method, path)
	return 0, nil
}

// revive starts the server that was killed, and holds that the log stands.
func (e *edges) revive() {
	e.t.Helper()
	e.dead++
	_ = os.Remove(e.seen + ".kill")
	_ = e.server.Wait()
	e.server = nil
	e.verifyAudit()
	e.serve()
}

func (e *edges) user(name, department, title string) string {
	manager := ""
	if e.boss != "" {
		manager = fmt.Sprintf(`,"manager":{"value":"%s"}`, e.boss)
	}
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s","externalId":"E-%s","active":true,"title":"%s",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"%s","employeeNumber":"E-%s"%s}}`, name, name, title, department, name, manager)
}

// hire answers the SCIM id, the person and a token of somebody who is there.
func (e *edges) hire(name, title string) (link, person, token string) {
	e.t.Helper()
	status, out := e.do("POST", "/scim/v2/Users", e.secret, e.user(name, "R&D", title), http.StatusConflict)
	if status == http.StatusConflict { // the call that was cut had been carried out
		_, out = e.do("GET", "/scim/v2/Users?filter=externalId+eq+%22E-"+name+"%22", e.secret, "")
		out = out["Resources"].([]any)[0].(map[string]any)
	}
	_, found := e.do("GET", "/api/v1/people?q="+name, crashToken, "")
	person = found["items"].([]any)[0].(map[string]any)["id"].(string)
	_, made := e.do("POST", "/api/v1/people/"+person+"/tokens", crashToken, `{"name":"crash"}`)
	return out["id"].(string), person, made["token"].(string)
}

// acts hires, applies a policy, writes, offboards, gives back, moves, plans an end, undoes, and offboards for good.
func (e *edges) acts() {
	e.t.Helper()
	e.round++
	e.apply(fmt.Sprintf(edgePolicy, e.round, ""))
	link, lead, token := e.hire(fmt.Sprintf("lead%d", e.round), "Lead")
	moved, mover, _ := e.hire(fmt.Sprintf("mover%d", e.round), "")
	channel := e.bench(token)
	e.do("POST", "/api/v1/channels/"+channel+"/messages", token, `{"client_id":"1","kind":"text","text":"hello"}`)
	e.do("POST", "/api/v1/channels/"+channel+"/read", token, `{"seq":1}`)

	// A leaver, and the mistake undone.
	e.do("PATCH", "/scim/v2/Users/"+link, e.secret, patchBody(`{"op":"replace","path":"active","value":false}`))
	e.out(token, "an offboarding")
	_, of := e.do("GET", "/api/v1/people/"+lead, crashToken, "")
	for _, f := range of["freezes"].([]any) {
		if f := f.(map[string]any); f["lifted_at"] == nil {
			e.do("POST", "/api/v1/people/"+lead+"/restore", crashToken, fmt.Sprintf(`{"freeze":%q,"reason":"wrong one"}`, f["id"]), http.StatusConflict, http.StatusNotFound)
		}
	}
	e.holds(lead, "lab", true)
	e.out(token, "an undo: sessions and tokens are not given back")

	// A mover, there and back.
	e.do("PATCH", "/scim/v2/Users/"+moved, e.secret, patchBody(`{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales"}}`))
	e.holds(mover, "lab", false)

	// A rule that takes a place away, and the plan undone.
	plan := e.apply(fmt.Sprintf(edgePolicy, e.round, fmt.Sprintf(` && person.user_name != "mover%d"`, e.round)))
	e.holds(mover, "other", false)
	e.do("POST", "/api/v1/runs/"+plan+"/undo", crashToken, `{"reason":"no"}`, http.StatusConflict)
	e.holds(mover, "other", true)

	// A personnel file that plans an end, which comes.
	e.staff()

	// Gone for good.
	e.do("POST", "/api/v1/people/"+mover+"/terminate", crashToken, `{"reason":"gone"}`, http.StatusConflict)
	e.do("DELETE", "/scim/v2/Users/"+moved, e.secret, "", http.StatusNotFound)
	e.do("DELETE", "/scim/v2/Users/"+link, e.secret, "", http.StatusNotFound)
	e.holds(mover, "other", false)
	e.holds(lead, "lab", false)
	e.apply(fmt.Sprintf(edgePolicy, e.round, ""))
	e.settled()
}

// apply plans a policy and puts it in force; what drifted is planned again, and what was applied already is not applied twice.
func (e *edges) apply(text string) (plan string) {
	e.t.Helper()
	files, err := json.Marshal(map[string]any{"files": []map[string]string{{"name": "p.yaml", "source": text}}})
	if err != nil {
		e.t.Fatal(err)
	}
	for range 5 {
		_, made := e.do("POST", "/api/v1/plans", crashToken, string(files))
		plan = made["id"].(string)
		status, out := e.do("POST", "/api/v1/plans/"+plan+"/apply", crashToken, fmt.Sprintf(`{"hash":%q,"confirm":true}`, made["hash"]), http.StatusConflict)
		if status < 300 {
			return plan
		}
		if _, now := e.do("GET", "/api/v1/plans/"+plan, crashToken, ""); now["state"] == "applied" {
			return plan
		}
		if out["code"] != "drift" {
			e.t.Fatalf("apply: %v", out)
		}
	}
	e.t.Fatal("the plan drifts again and again")
	return ""
}

// bench answers the one channel that a token of the lab sees.
func (e *edges) bench(token string) string {
	e.t.Helper()
	_, out := e.do("GET", "/api/v1/channels", token, "")
	for _, c := range out["items"].([]any) {
		if c := c.(map[string]any); c["key"] == "bench" {
			return c["id"].(string)
		}
	}
	e.t.Fatalf("no bench: %v", out)
	return ""
}

// out holds that a token lets nobody in.
func (e *edges) out(token, after string) {
	e.t.Helper()
	if status, _ := e.do("GET", "/api/v1/channels", token, "", http.StatusUnauthorized); status != http.StatusUnauthorized {
		e.t.Errorf("round %d: after %s the token is answered %d", e.round, after, status)
	}
}

// holds waits until somebody has a place, or none.
func (e *edges) holds(person, group string, want bool) {
	e.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, out := e.do("GET", "/api/v1/people/"+person+"/memberships", crashToken, "")
		has := false
		for _, m := range out["items"].([]any) {
			m := m.(map[string]any)
			has = has || m["group"].(map[string]any)["key"] == group && m["suspended"] != true
		}
		if has == want {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("round %d: in %s %v, want %v: %v\n%s", e.round, group, has, want, out, e.log.String())
		}
	}
}

// staff hands in a personnel file: somebody whose last day lies ahead, who then leaves at once.
func (e *edges) staff() {
	e.t.Helper()
	row := func(more string) string {
		return fmt.Sprintf(`{"kind":"delta","rows":[{"employee_number":"S%d",%s}]}`, e.round, more)
	}
	for _, rows := range []string{row(`"name":"Staff","department":"R&D","start":"2020-03-02"`), row(`"action":"terminate","end":"2099-06-30"`), row(`"action":"rescind"`)} {
		e.do("POST", "/api/v1/sources/"+e.feed+"/feed", crashToken, rows)
	}
	_, found := e.do("GET", "/api/v1/people?q="+fmt.Sprint("S", e.round), crashToken, "")
	person := found["items"].([]any)[0].(map[string]any)["id"].(string)
	e.holds(person, "lab", true)
	e.do("POST", "/api/v1/sources/"+e.feed+"/feed", crashToken, row(`"action":"terminate","end":"2024-06-30"`))
	e.holds(person, "lab", false)
}

// settled holds that the policy in force has nothing left to do.
func (e *edges) settled() {
	e.t.Helper()
	files, err := json.Marshal(map[string]any{"files": []map[string]string{{"name": "p.yaml", "source": fmt.Sprintf(edgePolicy, e.round, "")}}})
	if err != nil {
		e.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, plan := e.do("POST", "/api/v1/plans", crashToken, string(files))
		if plan["empty"] == true {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("round %d: still to do: %v", e.round, plan)
		}
	}
}
