package chat

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func TestAsyncAPIIsServed(t *testing.T) {
	doc, handler := readDocument(t), (&API{}).AsyncAPI()
	if doc.AsyncAPI != "3.0.0" || doc.Channels["stream"].Address != "/api/v1/stream" || doc.Channels["events"].Address != "/api/v1/events" {
		t.Errorf("%+v", doc.Channels)
	}
	first, again := httptest.NewRecorder(), httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/asyncapi.json", nil)
	handler.ServeHTTP(first, r)
	if first.Code != 200 || first.Header().Get("Content-Type") != "application/json" || first.Body.String() != string(asyncAPI) {
		t.Errorf("%d %v", first.Code, first.Header())
	}
	r.Header.Set("If-None-Match", first.Header().Get("ETag"))
	if handler.ServeHTTP(again, r); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d", again.Code)
	}
}

// words are what the source of the stream says, by its syntax tree.
type words struct{ in, out, types, refused, closes map[string]bool }

func literal(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		text, _ := strconv.Unquote(lit.Value)
		return text
	}
	return ""
}

func (w words) note(n ast.Node) {
	put := func(set map[string]bool, e ast.Expr) {
		if text := literal(e); text != "" {
			set[text] = true
		}
	}
	switch n := n.(type) {
	case *ast.SwitchStmt:
		if tag, ok := n.Tag.(*ast.SelectorExpr); ok && tag.Sel.Name == "Op" {
			for _, branch := range n.Body.List {
				for _, e := range branch.(*ast.CaseClause).List {
					put(w.in, e)
				}
			}
		}
	case *ast.KeyValueExpr:
		key := literal(n.Key)
		if name, ok := n.Key.(*ast.Ident); ok {
			key = strings.ToLower(name.Name)
		}
		switch key {
		case "op":
			put(w.out, n.Value)
		case "type":
			put(w.types, n.Value)
		}
	case *ast.GenDecl: // the constants of event types stand in one block
		if first, ok := n.Specs[0].(*ast.ValueSpec); ok && n.Tok == token.CONST && first.Names[0].Name == "messageCreated" {
			for _, spec := range n.Specs {
				put(w.types, spec.(*ast.ValueSpec).Values[0])
			}
		}
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "refuse" {
			put(w.refused, n.Args[0])
		}
	case *ast.CompositeLit:
		if name, ok := n.Type.(*ast.Ident); ok && name.Name == "closing" && len(n.Elts) > 0 {
			switch code := n.Elts[0].(type) {
			case *ast.SelectorExpr:
				w.closes[code.Sel.Name] = true
			case *ast.Ident:
				w.closes[code.Name] = true
			}
		}
	}
}

// What the code can say and take is what the document describes, no more and no less.
func TestAsyncAPISaysWhatTheCodeSays(t *testing.T) {
	w := words{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, dir := range []string{".", "delivery"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool { w.note(n); return true })
		}
	}
	for _, c := range Cases() {
		if !errors.Is(c.Err, ErrTicket) { // answered before there is a stream
			w.refused[c.Code] = true
		}
	}
	code, _ := inbox{New(Config{Gate: &chattest.Gate{}})}.Problem(errors.New("unknown"))
	w.refused[code] = true

	doc := readDocument(t)
	equal := func(what string, code map[string]bool, described []string) {
		slices.Sort(described)
		if said := slices.Sorted(maps.Keys(code)); !slices.Equal(said, slices.Compact(described)) {
			t.Errorf("%s: the code has %v, the document %v", what, said, described)
		}
	}
	consts := func(names []string, property string) (out []string) {
		for _, name := range names {
			if text := doc.Components.Messages[name].Payload.Properties[property].Const; text != "" {
				out = append(out, text)
			}
		}
		return out
	}
	equal("ops of clients", w.in, consts(doc.way("stream", "receive"), "op"))
	equal("ops of the server", w.out, consts(doc.way("stream", "send"), "op"))
	equal("types of events", w.types, consts(doc.way("stream", "send"), "type"))
	equal("codes of errors", w.refused, doc.Components.Schemas["ErrorCode"].Enum)
	both := append(doc.way("stream", "receive"), doc.way("stream", "send")...)
	all := map[string]bool{}
	for name := range doc.Components.Messages {
		all[name] = true
	}
	equal("messages of operations", all, both)
	equal("messages of the channel", all, slices.Collect(maps.Keys(doc.Channels["stream"].Messages)))

	delete(w.closes, "code") // the client's own, said back
	numbers := map[string]ws.StatusCode{"StatusGoingAway": ws.StatusGoingAway, "StatusProtocolError": ws.StatusProtocolError, "StatusUnsupportedData": ws.StatusUnsupportedData,
		"StatusInvalidFramePayloadData": ws.StatusInvalidFramePayloadData, "StatusPolicyViolation": ws.StatusPolicyViolation, "StatusMessageTooBig": ws.StatusMessageTooBig,
		"StatusInternalServerError": ws.StatusInternalServerError, "CodeResume": delivery.CodeResume, "CodeBusy": delivery.CodeBusy}
	closes := map[string]bool{}
	for name := range w.closes {
		closes[fmt.Sprint(uint16(numbers[name]))] = true
	}
	equal("close codes", closes, slices.Collect(maps.Keys(doc.Channels["stream"].Closes)))
}

// The example of every event is what encode makes of such a thing, member by member.
func TestAsyncAPIExamples(t *testing.T) {
	doc := readDocument(t)
	for name, m := range doc.Components.Messages {
		if len(m.Examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range m.Examples {
			if got := doc.name(t, []string{name}, example.Payload, map[string]bool{}); got != name {
				t.Errorf("%s", got)
			}
			if m.Payload.Properties["op"].Const != "event" || name == "event.typing" { // typing is the hub's own
				continue
			}
			var f frame
			d := json.NewDecoder(strings.NewReader(string(example.Payload)))
			d.DisallowUnknownFields()
			if err := d.Decode(&f); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			again, err := f.bytes()
			var want, got any
			if err := errors.Join(err, json.Unmarshal(example.Payload, &want), json.Unmarshal(again, &got)); err != nil || fmt.Sprint(want) != fmt.Sprint(got) {
				t.Errorf("%s: %s, again %s (%v)", name, example.Payload, again, err)
			}
		}
	}
}

// A real hub takes every example of a client's frame, and says each frame and each member that is described.
func TestAsyncAPIFramesOfARealHub(t *testing.T) {
	doc := readDocument(t)
	h := newHouse(t, dbtest.SQLite(t), nil)
	var sample struct{ Channel id.Channel }
	if err := json.Unmarshal(doc.Components.Messages["send"].Examples[0].Payload, &sample); err != nil {
		t.Fatal(err)
	}
	h.gate.Let(sample.Channel, chattest.Grant{Post: true}, "per_a", "per_b")
	h.gate.Let("chn_quiet", chattest.Grant{}, "per_a")

	spoken, server := map[string]bool{}, doc.way("stream", "send")
	seen, used := map[string]bool{}, map[string]bool{}
	see := func(f clientFrame) { seen[doc.name(t, server, f.raw, used)] = true }
	until := func(s *clientStream, kind string) {
		t.Helper()
		for {
			f := s.next(t)
			if f.Op == "closed" {
				t.Fatalf("closed before %s", kind)
			}
			if see(f); f.Type == kind || f.Op == kind {
				return
			}
		}
	}
	b := openStream(t, h, "per_b", `{"op":"resume"}`)
	until(b, "resumed")
	a := openStream(t, h, "per_a", `{"op":"resume"}`)
	see(a.hello)
	until(a, "resumed")
	for _, name := range []string{"resume", "send", "read", "ack", "typing", "ping"} {
		spoken[name] = true
		for _, example := range doc.Components.Messages[name].Examples {
			a.send(t, string(example.Payload))
			a.send(t, `{"op":"ping"}`)
			if until(a, "pong"); seen["error"] {
				t.Errorf("refused: %s", example.Payload)
			}
		}
	}
	if said := slices.Sorted(maps.Keys(spoken)); !slices.Equal(said, doc.way("stream", "receive")) {
		t.Errorf("%v", said)
	}
	until(b, "typing")
	b.send(t, fmt.Sprintf(`{"op":"read","channel":%q,"seq":1}`, sample.Channel))
	until(b, "read.moved")
	for _, move := range []struct {
		Move
		told string
	}{{Move{Channel: sample.Channel, Person: "per_c", Joined: true}, "member.joined"}, {Move{Channel: sample.Channel, Person: "per_c"}, "member.left"},
		{Move{Channel: "chn_quiet", Person: "per_a", Joined: true}, "channel.joined"}, {Move{Channel: "chn_quiet", Person: "per_a"}, "channel.left"}} {
		if err := h.db.Tx(t.Context(), func(tx *db.Tx) error { return h.chat.RecordMemberships(tx, []Move{move.Move}) }); err != nil {
			t.Fatal(err)
		}
		until(a, move.told)
	}
	a.send(t, `{"op":"send","channel":"chn_nowhere","client_id":"c9","text":"x"}`)
	until(a, "error")
	a.send(t, fmt.Sprintf(`{"op":"resume","person_seq":99,"channels":{%q:99,"chn_nowhere":1}}`, sample.Channel))
	until(a, "resumed")
	if err := h.db.Tx(t.Context(), func(tx *db.Tx) error { _, err := Erase(tx, []id.Person{"per_a"}); return err }); err != nil {
		t.Fatal(err)
	}
	until(openStream(t, h, "per_b", fmt.Sprintf(`{"op":"resume","channels":{%q:0}}`, sample.Channel)), "resumed") // what was erased, too
	h.gate.Remove("chn_quiet", "per_a")
	until(openStream(t, h, "per_a", `{"op":"resume","person_seq":0}`), "resumed") // what is about chn_quiet is hidden now

	for _, name := range server {
		if !seen[name] {
			t.Errorf("never said: %s", name)
		}
		for _, path := range doc.paths(doc.Components.Messages[name].Payload, name) {
			if !used[path] {
				t.Errorf("never said: %s", path)
			}
		}
	}
	testEventsAreTheSame(t, doc, h, sample.Channel)
}

// testEventsAreTheSame reads a resume by server-sent events.
func testEventsAreTheSame(t *testing.T, doc *asyncDocument, h *house, channel id.Channel) {
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.url+"/api/v1/events?person_seq=0&cursor=chn_nowhere:1&cursor="+string(channel)+":0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Person", "per_a")
	r.Header.Set("Authorization", "tok")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	names, seen, mark := doc.way("events", "send"), map[string]bool{}, ""
	for lines := bufio.NewScanner(answer.Body); !seen["resumed"] && lines.Scan(); {
		key, data, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			mark = data
		case "data":
			var f clientFrame
			if err := json.Unmarshal([]byte(data), &f); err != nil {
				t.Fatal(err)
			}
			seen[doc.name(t, names, []byte(data), map[string]bool{})] = true
			want := ""
			if f.Op == "event" && f.Seq > 0 {
				want = fmt.Sprintf("%s:%d", f.Channel, f.Seq)
			}
			if mark != want {
				t.Errorf("%s has the id %q", data, mark)
			}
			mark = ""
		}
	}
	for _, name := range []string{"hello", "event.message.created", "event.member.left", "event.channel.left", "event.hidden", "channel.gone", "resumed"} {
		if !seen[name] {
			t.Errorf("no %s by server-sent events", name)
		}
	}
	if listed := slices.Sorted(maps.Keys(doc.Channels["events"].Messages)); !slices.Equal(listed, names) {
		t.Errorf("%v, %v", listed, names)
	}
}
