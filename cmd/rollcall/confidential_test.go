package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/provisioning"
)

// canaryPolicy has a group that the subject will come into by a move that is not disclosed, and one of everybody whose end is known.
const canaryPolicy = `apiVersion: rollcall/v1
groups:
  - key: lab
    name: {en: Lab, zh: 实验室}
    channels: [{key: bench, name: {en: Bench, zh: 工作台}, handover: {days: 5}}]
    rules:
      - {key: lead, role: owner, when: person.title == "Lead"}
      - {key: rnd, role: participant, when: person.department == "R&D"}
  - key: target
    name: {en: Target, zh: 目标}
    channels: [{key: aim, name: {en: Aim, zh: 瞄准}}]
    rules:
      - {key: lead, role: owner, when: person.title == "Lead"}
      - {key: move, role: participant, when: person.department.startsWith("Canary")}
  - key: other
    name: {en: Other, zh: 其他}
    channels: [{key: room, name: {en: Room, zh: 房间}}]
    rules: [{key: all, role: participant, when: person.user_name != ""}]
  - key: club
    name: {en: Club, zh: 俱乐部}
    channels: [{key: bar, name: {en: Bar, zh: 酒吧}}]
    rules: [{key: lead, role: owner, when: person.title == "Lead"}]
    eligibility: {join: person.department == "R&D", role: participant}
`

// canaryWorld is a company in which something is to come of one person that nobody may know but security, HR and owners.
type canaryWorld struct {
	*bench
	t       *testing.T
	subject string
	link    string
	feed    directory.Source
	callers []canaryCaller
	hidden  []canaryCaller // those who may not know
	ids     map[string]string
}

type canaryCaller struct{ name, token string }

// canaries are what must not show: texts of the source, and the instants in every form in which one may be written.
func canaries() map[string]string {
	out := map[string]string{"unit to come": "Canary-Target", "title to come": "Canary-Title", "reason": "canary-reason"}
	for what, day := range map[string]string{"end": "2031-03-05", "move": "2031-01-17", "leave": "2031-02-11", "return": "2031-02-23", "disclosure": "2031-06-29"} {
		at, _ := time.Parse(time.DateOnly, day)
		out[what] = day
		out[what+" the day before"] = at.AddDate(0, 0, -1).Format(time.DateOnly)
		out[what+" the day after"] = at.AddDate(0, 0, 1).Format(time.DateOnly)
		out[what+" in seconds"] = fmt.Sprint(at.Add(12 * time.Hour).Unix())[:6]
	}
	return out
}

func newCanaryWorld(t *testing.T, engine db.Engine) *canaryWorld {
	t.Helper()
	w := &canaryWorld{bench: newBench(t, engine), t: t}
	for try := 0; ; try++ {
		_, err := w.app.access.SetPolicy(t.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: canaryPolicy}})
		if err == nil {
			break
		} else if try == 20 {
			t.Fatal(err)
		}
	}
	w.hireIn(0, "sh/R&D", "Boss")
	w.hireIn(1, "sh/R&D", "Engineer")
	var err error
	if w.feed, err = w.app.people.CreateSource(t.Context(), directory.Cause{Actor: "system"}, directory.Source{Name: "payroll", Kind: directory.KindHRFeed,
		Correlate: []string{directory.CorrelateExternalID}, Priority: 1}); err != nil {
		t.Fatal(err)
	}
	w.link = w.call("GET", "/scim/v2/Users?filter=userName%20eq%20%22u1%22", w.scim, "")["Resources"].([]any)[0].(map[string]any)["id"].(string)
	w.manages(w.link, "u0")
	add := func(name, title string, grant *roles.Grant) string {
		n := len(w.callers) + 10
		w.hireIn(n, "sh/lab", title)
		who, token := w.person(fmt.Sprintf("u%d", n))
		if grant != nil {
			token = w.admin(who, *grant, true)
		}
		w.callers = append(w.callers, canaryCaller{name, token})
		return who
	}
	w.hireIn(2, "elsewhere/there", "Clerk")
	froze, _ := w.person("u1")
	freeze := w.call("POST", "/api/v1/people/"+froze+"/freeze", w.app.cfg.BootstrapToken, `{"reason":"canary-reason"}`)["id"].(string)
	w.call("POST", "/api/v1/people/"+froze+"/unfreeze", w.app.cfg.BootstrapToken, `{"reason":"canary-reason","freeze":"`+freeze+`"}`)
	unit := w.unit("elsewhere")
	for _, role := range roles.All() {
		add(string(role), "", &roles.Grant{Role: role})
	}
	add("hr of another unit", "", &roles.Grant{Role: roles.HR, Unit: unit})
	add("helpdesk of the unit", "", &roles.Grant{Role: roles.Helpdesk, Unit: w.unit("sh")})
	add("colleague", "", nil)
	w.owner(add("group owner", "Lead", nil))
	subject, own := w.person("u1")
	_, boss := w.person("u0")
	w.subject = subject
	groups, err := w.app.access.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Key == "club" { // a place of one's own, which ends by the move
			w.call("POST", "/api/v1/me/groups/"+string(g.ID)+"/join", own, "")
		}
	}
	w.callers = append(w.callers, canaryCaller{"subject", own}, canaryCaller{"manager", boss}, canaryCaller{"nobody", ""})
	for _, c := range w.callers {
		if !slices.Contains([]string{string(roles.Owner), string(roles.Security), string(roles.HR)}, c.name) {
			w.hidden = append(w.hidden, c)
		}
	}
	return w
}

// manages says over SCIM who is above the record of a link.
func (w *canaryWorld) manages(link, manager string) {
	above := w.call("GET", "/scim/v2/Users?filter=userName%20eq%20%22"+manager+"%22", w.scim, "")["Resources"].([]any)[0].(map[string]any)["id"].(string)
	w.call("PATCH", "/scim/v2/Users/"+link, w.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"`+above+`"}]}`)
}

// plant enters what is to come by two sources, and waits until it is written ahead.
func (w *canaryWorld) plant() {
	w.t.Helper()
	const ext = "urn:ietf:params:scim:schemas:extension:rollcall:employment:1.0:User"
	w.call("PATCH", "/scim/v2/Users/"+w.link, w.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","value":{"`+ext+`":{
		"endDate":"2031-03-05T07:11:13Z","leaveFrom":"2031-02-11T07:11:13Z","leaveUntil":"2031-02-23T07:11:13Z","disclosureDate":"2031-06-29T07:11:13Z"}}}]}`)
	move := time.Date(2031, 1, 17, 7, 11, 13, 0, time.UTC)
	_, err := w.app.people.Apply(w.t.Context(), directory.Cause{Source: w.feed.ID, Reason: "canary-reason"},
		directory.EditRecord{Source: w.scimSource(), Link: id.Link(w.link), Edit: func(r *directory.Record) error {
			r.Planned = []directory.Planned{{At: move, Set: map[string]string{"department": "Canary-Target", "title": "Canary-Title"}, DiscloseAt: move}}
			return nil
		}},
	)
	if err != nil {
		w.t.Fatal(err)
	}
	w.call("POST", "/api/v1/plans", w.app.cfg.BootstrapToken, planBodyOf(strings.Replace(canaryPolicy, `== "Lead"`, `== "Lead" || person.title.startsWith("Can")`, 1)))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, text := w.ask("GET", "/api/v1/people/"+w.subject+"/memberships", w.app.cfg.BootstrapToken, "")
		if strings.Contains(text, `"begins":"2031-01-17`) {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the move is not written ahead: %s", text)
		}
	}
	w.quiet()
	if err := w.app.journal.Write(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// quiet waits until everybody who follows the feed has seen all of it.
func (w *canaryWorld) quiet() {
	w.t.Helper()
	pool, err := w.app.db.Pool()
	if err != nil {
		w.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var behind int64
		if err := pool.QueryRow("select (select seq from feed_counter where id = 1) - min(seq) from feed_cursors").Scan(&behind); err != nil || time.Now().After(deadline) {
			w.t.Fatalf("%d events are not followed: %v", behind, err)
		}
		if behind == 0 {
			return
		}
	}
}

func planBodyOf(policy string) string {
	text, _ := json.Marshal(map[string]any{"files": []map[string]string{{"name": "p.yaml", "source": policy}}})
	return string(text)
}

func (w *canaryWorld) scimSource() id.Source {
	s, err := w.app.people.SourceByName(w.t.Context(), "hr")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

// firstID answers the first id that a list has, as an owner sees it.
func (w *canaryWorld) firstID(list string) string {
	if known, ok := w.ids[list]; ok {
		return known
	}
	status, text := w.ask("GET", list, w.app.cfg.BootstrapToken, "")
	var page struct {
		Items []map[string]any `json:"items"`
	}
	w.ids[list] = "x"
	if status == http.StatusOK && json.Unmarshal([]byte(text), &page) == nil && len(page.Items) > 0 {
		for _, key := range []string{"id", "version"} {
			if value, ok := page.Items[0][key]; ok {
				w.ids[list] = fmt.Sprint(value)
				break
			}
		}
	}
	return w.ids[list]
}

// addresses answers what is asked of a route: its path with real ids, of people the subject's, and with every query that chooses something.
func (w *canaryWorld) addresses(r httpapi.Route) []string {
	path := r.Path
	for strings.Contains(path, "{") {
		at := strings.Index(path, "{")
		end := at + strings.Index(path[at:], "}") + 1
		value := w.subject
		if list := strings.TrimSuffix(path[:at], "/"); list != "/api/v1/people" {
			value = w.firstID(strings.Replace(list, "/access/channels", "/channels", 1))
		}
		if path[:at] == "/api/v1/access/channels/" {
			value = w.ids["target"]
		}
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			value = "x" // nothing is to be changed
		}
		path = path[:at] + value + path[end:]
	}
	out := []string{path}
	const at = "2031-07-01T00:00:00Z"
	switch r.Path {
	case "/api/v1/people":
		for _, q := range []string{"status=notice", "status=active", "status=leave", "q=canary", "q=u1", "limit=200"} {
			out = append(out, path+"?"+q)
		}
	case "/api/v1/memberships":
		out = []string{path + "?group=" + w.ids["group"], path + "?limit=200&group=" + w.ids["lab"], path + "?limit=200&group=" + w.ids["club"]}
	case "/api/v1/access/explain":
		for _, channel := range []string{w.ids["target"], w.channel, w.ids["bar"]} {
			out = append(out, path+"?person="+w.subject+"&channel="+channel, path+"?person="+w.subject+"&channel="+channel+"&at="+at)
		}
	case "/api/v1/access/channels/{id}/audience":
		for _, channel := range []string{w.ids["target"], w.channel, w.ids["bar"]} {
			out = append(out, "/api/v1/access/channels/"+channel+"/audience", "/api/v1/access/channels/"+channel+"/audience?at="+at)
		}
	case "/api/v1/audit":
		out = append(out, path+"?limit=200", path+"?subject="+w.subject, path+"?subject="+w.link)
	case "/api/v1/plans/{id}":
		out = append(out, path+"?person="+w.subject, path+"?limit=200")
	case "/scim/v2/":
		out = []string{path + "Users"}
	}
	return out
}

// look asks one address, and answers what came; of a stream what it begins with.
func (w *canaryWorld) look(method, address, token string) string {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if address == "/api/v1/events" || address == "/api/v1/stream" {
		ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
	}
	body := ""
	if method == http.MethodPost {
		body = "{}"
	}
	request, err := http.NewRequestWithContext(ctx, method, w.url+address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body) // a stream is cut
	if plain, err := url.QueryUnescape(string(text)); err == nil {
		return fmt.Sprint(answer.StatusCode, " ", string(text), plain)
	}
	return fmt.Sprint(answer.StatusCode, " ", string(text))
}

// walk asks every route as somebody, and answers what came by address.
func (w *canaryWorld) walk(token string) map[string]string {
	out := map[string]string{}
	for _, r := range w.app.routes() {
		method := r.Method
		if method == "" {
			method = "GET"
		}
		if strings.HasPrefix(r.Path, "/auth/") {
			continue // nobody is signed in by a token
		}
		for _, address := range w.addresses(r) {
			out[method+" "+address] = w.look(method, address, token)
		}
	}
	return out
}

// walkAll is walk as each of those who may not know, by their names.
func (w *canaryWorld) walkAll() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, c := range w.hidden {
		out[c.name] = w.walk(c.token)
	}
	return out
}

// leaks answers which canaries show to those who may not know, and where.
func (w *canaryWorld) leaks(came map[string]map[string]string) []string {
	var out []string
	for _, c := range w.hidden {
		for address, text := range came[c.name] {
			for what, canary := range canaries() {
				at := strings.Index(text, canary)
				if strings.HasSuffix(what, " in seconds") { // a number of its own, and no digits of a measurement
					at = -1
					if found := regexp.MustCompile(`(?:^|[^0-9.])(` + canary + `\d{4})`).FindStringSubmatchIndex(text); found != nil {
						at = found[2]
					}
				}
				if at >= 0 {
					out = append(out, fmt.Sprintf("%s: %s shows the %s: …%s…", c.name, address, what, text[max(0, at-150):min(len(text), at+100)]))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// settle fills in the ids that the walk needs.
func (w *canaryWorld) settle() {
	w.ids = map[string]string{}
	groups, err := w.app.access.Groups(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range groups {
		switch g.Key {
		case "target":
			w.ids["target"], w.ids["group"] = string(g.Channels[0].ID), string(g.ID)
		case "club":
			w.ids["club"], w.ids["bar"] = string(g.ID), string(g.Channels[0].ID)
		case "lab":
			w.ids["lab"], w.channel = string(g.ID), string(g.Channels[0].ID)
		}
	}
}

// volatile is what two answers to one question differ in, whatever is to come: counters of versions, clocks, ids.
func volatile() *regexp.Regexp {
	return regexp.MustCompile(`"(updated_at|version|request_id|last_used_at|at|last_at|seen_at|hash|seq|used_at|synced_at)":("[^"]*"|[0-9.]+)|nonce="[^"]*"`)
}

// What is to come of somebody, and why somebody was frozen, shows on no route to whoever may not know it: neither the words and instants of
// it, nor its effect. A route that is added is walked too; of a list that names ids the first is taken.
func TestConfidential(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("one engine when in a hurry")
			}
			dbtest.DSN(t, engine)
			w := newCanaryWorld(t, engine)
			w.quiet()
			w.settle()
			before := w.walkAll()
			w.plant()
			w.settle()
			after := w.walkAll()
			for _, leak := range w.leaks(after) {
				t.Error(leak)
			}
			for _, c := range w.hidden {
				for address, text := range after[c.name] {
					if was, asked := before[c.name][address]; asked && !mayDiffer(address) && volatile().ReplaceAllString(was, "") != volatile().ReplaceAllString(text, "") {
						t.Errorf("%s: %s is another one since:\n%.1500s\n%.1500s", c.name, address, was, text)
					}
				}
			}
			w.alive()
			w.noWayBySource()
			w.app.people.Disclosure = directory.Disclosure{End: 3650, Move: 3650, Leave: 3650} // the door open
			w.undisclose()
			found := w.leaks(w.walkAll())
			for _, route := range []string{"/api/v1/people/" + w.subject + " ", "/memberships", "/handover", "status=notice", "/audience", "/access/explain"} {
				if !slices.ContainsFunc(found, func(leak string) bool { return strings.Contains(leak, route) }) {
					t.Errorf("with the door open nothing shows at %s: this test finds nothing", route)
				}
			}
		})
	}
}

// undisclose takes back what the sources say of the disclosure, so that the rule alone decides.
func (w *canaryWorld) undisclose() {
	w.t.Helper()
	_, err := w.app.people.Apply(w.t.Context(), directory.Cause{Actor: "system"}, directory.EditRecord{Source: w.scimSource(), Link: id.Link(w.link), Edit: func(r *directory.Record) error {
		r.DiscloseAt, r.Planned = time.Time{}, []directory.Planned{{At: r.Planned[0].At, Set: r.Planned[0].Set}}
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// alive fails where a canary is not there at all: an owner sees each.
func (w *canaryWorld) alive() {
	w.t.Helper()
	var all strings.Builder
	for _, text := range w.walkReads(w.app.cfg.BootstrapToken) {
		all.WriteString(text)
	}
	for _, what := range slices.Sorted(maps.Keys(canaries())) {
		if canary := canaries()[what]; !strings.Contains(what, " the day ") && !strings.Contains(what, "seconds") && !strings.Contains(all.String(), canary) {
			w.t.Errorf("the %s (%s) shows to nobody: this test looks for nothing", what, canary)
		}
	}
}

// walkReads is walk without what changes anything.
func (w *canaryWorld) walkReads(token string) map[string]string {
	out := map[string]string{}
	for _, r := range w.app.routes() {
		if r.Method == http.MethodGet && !strings.HasPrefix(r.Path, "/auth/") {
			for _, address := range w.addresses(r) {
				out[address] = w.look(r.Method, address, token)
			}
		}
	}
	return out
}

// mayDiffer names what is another one each time, or since somebody did something that everybody may know of.
func mayDiffer(address string) bool {
	for _, part := range []string{"/metrics", "/api/v1/audit", "/api/v1/plans", "/requests", "/traffic", "/api/v1/me", "/api/v1/tokens", "/stream", "/events", "/sources", "/healthz", "/inbox", "POST ", "PUT ", "DELETE ", "PATCH "} {
		if strings.Contains(address, part) {
			return true
		}
	}
	return false
}
