package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	"github.com/gorilla/websocket"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

func caller(person id.Person, session id.Session) httpapi.Caller {
	return httpapi.Caller{Person: person, Session: session}
}

// clientStream is a stream as a client sees it.
type clientStream struct {
	conn   *websocket.Conn
	hello  clientFrame
	frames chan clientFrame
}

type clientFrame struct {
	Op        string
	Type      string
	Channel   id.Channel
	Seq       int64
	PersonSeq int64 `json:"person_seq"`
	Code      string
	ClientID  string `json:"client_id"`
	Message   Message
	Person    Author
	Read      readCursor
	raw       []byte
	stream    int // which, where several are read together
}

func openStream(t *testing.T, h *house, person, resume string) *clientStream {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.url, "http")+"/api/v1/stream", http.Header{"X-Person": {person}, "Authorization": {"tok"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &clientStream{conn: conn, frames: make(chan clientFrame, 10_000)}
	go func() {
		defer close(s.frames)
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				return
			}
			f := clientFrame{raw: data}
			if json.Unmarshal(data, &f) != nil {
				return
			}
			s.frames <- f
		}
	}()
	if s.hello = s.next(t); s.hello.Op != "hello" {
		t.Fatal("no hello")
	}
	s.send(t, resume)
	return s
}

func (s *clientStream) send(t *testing.T, frame string) {
	t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func (s *clientStream) next(t *testing.T) clientFrame {
	t.Helper()
	select {
	case f, ok := <-s.frames:
		if !ok {
			return clientFrame{Op: "closed"}
		}
		return f
	case <-time.After(10 * time.Second):
		t.Fatal("nothing comes")
		return clientFrame{}
	}
}

// event skips to the next event of a type.
func (s *clientStream) event(t *testing.T, kind string) clientFrame {
	t.Helper()
	for {
		f := s.next(t)
		if f.Type == kind || f.Op == kind {
			return f
		}
		if f.Op == "closed" {
			t.Fatalf("closed before %s", kind)
		}
	}
}

func TestConversation(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		h.gate.Let(general, chattest.Grant{}, "per_reader")
		a, b, b2 := openStream(t, h, "per_a", `{"op":"resume"}`), openStream(t, h, "per_b", `{"op":"resume"}`), openStream(t, h, "per_b", `{"op":"resume"}`)
		for _, s := range []*clientStream{a, b, b2} {
			s.event(t, "resumed")
		}
		a.send(t, `{"op":"send","channel":"chn_general","client_id":"c1","text":"**hello** <b>"}`)
		sent := a.event(t, "sent")
		if sent.ClientID != "c1" || sent.Seq != 1 {
			t.Errorf("%+v", sent)
		}
		e := b.event(t, "message.created")
		if e.Seq != 1 || e.Message.HTML != "<p><strong>hello</strong> &lt;b&gt;</p>" || e.Message.Author.Name != "Name of per_a" || e.Message.ClientID != "c1" {
			t.Errorf("%s", e.raw)
		}
		a.send(t, `{"op":"send","channel":"chn_general","client_id":"c1","text":"**hello** <b>"}`)
		if again := a.event(t, "sent"); again.Seq != 1 {
			t.Errorf("%+v", again)
		}
		status, body := h.call("per_b", "POST", "/api/v1/channels/chn_general/messages", map[string]any{"client_id": "c1", "kind": "code", "language": "go", "text": "x := 1"})
		html, _ := body["html"].(string)
		if status != 201 || body["language"] != "go" || !strings.Contains(html, `<span class="o">:=</span>`) {
			t.Errorf("%d %v", status, body)
		}
		if status, again := h.call("per_b", "POST", "/api/v1/channels/chn_general/messages", map[string]any{"client_id": "c1", "kind": "code", "language": "go", "text": "x := 1"}); status != 200 || again["id"] != body["id"] {
			t.Errorf("%d %v", status, again)
		}
		if e := a.event(t, "message.created"); e.Seq != 2 && a.event(t, "message.created").Seq != 2 {
			t.Errorf("%+v", e)
		}
		a.send(t, `{"op":"typing","channel":"chn_general"}`)
		b.event(t, "typing")
		b.send(t, `{"op":"read","channel":"chn_general","seq":1}`)
		status, body = h.call("per_a", "POST", "/api/v1/channels/chn_general/read", map[string]any{"seq": 2})
		if status != 200 || body["read_seq"] != 2.0 || body["unread"] != 0.0 {
			t.Errorf("%d %v", status, body)
		}
		h.post("per_a", general, "third")
		b.send(t, `{"op":"read","channel":"chn_general","seq":3}`)
		if f := b2.event(t, "read.moved"); f.Read.Seq != 3 || f.PersonSeq != 1 {
			t.Errorf("%s", f.raw)
		}
		status, body = h.call("per_reader", "GET", "/api/v1/channels", nil)
		if items, _ := json.Marshal(body["items"]); status != 200 || !bytes.Contains(items, []byte(`"can_post":false`)) || !bytes.Contains(items, []byte(`"unread":3`)) || len(texts(body)) != 1 {
			t.Errorf("%d %s", status, items)
		}
		status, body = h.call("per_b", "GET", "/api/v1/channels/chn_general", nil)
		if status != 200 || body["unread"] != 0.0 || body["last_seq"] != 3.0 || body["role"] != "participant" {
			t.Errorf("%d %v", status, body)
		}
		status, body = h.call("per_reader", "GET", "/api/v1/channels/chn_general/messages?limit=2", nil)
		if got := texts(body); status != 200 || !reflect.DeepEqual(got, []string{"x := 1", "third"}) || body["next"] != "2" {
			t.Errorf("%d %v", status, body)
		}
		if status, body := h.call("per_reader", "POST", "/api/v1/channels/chn_general/messages", map[string]any{"text": "x"}); status != 403 || body["code"] != "denied" {
			t.Errorf("%d %v", status, body)
		}
	})
}

// A client that follows rel="next" (RFC 8288) sees everything once, in pages of the size that it asked for.
func TestNextIsALink(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	for _, channel := range []id.Channel{general, "chn_quiet", "chn_vendors"} {
		h.gate.Let(channel, chattest.Grant{Post: true}, "per_a")
	}
	for i := range 5 {
		h.post("per_a", general, fmt.Sprint("m", i+1))
	}
	for start, want := range map[string][]string{
		"/api/v1/channels?limit=2":                                       {"chn_general chn_quiet", "chn_vendors"},
		"/api/v1/channels":                                               {"chn_general chn_quiet chn_vendors"},
		"/api/v1/channels/chn_general/messages?limit=2":                  {"m4 m5", "m2 m3", "m1"},
		"/api/v1/channels/chn_general/messages?limit=2&before=5":         {"m3 m4", "m1 m2"},
		"/api/v1/channels/chn_general/messages?after=1&limit=2":          {"m2 m3", "m4 m5"},
		"/api/v1/channels/chn_general/messages?after=0&limit=4":          {"m1 m2 m3 m4", "m5"},
		"/api/v1/channels/chn_general/messages?after=1&before=4&limit=1": {"m2", "m3"},
		"/api/v1/channels/chn_general/messages":                          {"m1 m2 m3 m4 m5"},
	} {
		var pages []string
		for path := start; path != "" && len(pages) < 9; {
			req, err := http.NewRequest("GET", h.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Person", "per_a")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var body map[string]any
			if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != 200 {
				t.Fatal(path, res.StatusCode, err)
			}
			res.Body.Close()
			pages = append(pages, strings.Join(texts(body), " "))
			link := res.Header.Get("Link")
			if link == "" != (body["next"] == nil) {
				t.Errorf("%s: next is %v, the link %q", path, body["next"], link)
			}
			next, rel, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
			if path = next; link != "" && rel != `; rel="next"` {
				t.Errorf("%s", link)
			}
		}
		if !reflect.DeepEqual(pages, want) {
			t.Errorf("%s: %q", start, pages)
		}
	}
}

// What one may not see and what does not exist are told apart by nothing.
func TestInvisibleIsNotThere(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
	h.gate.Let("chn_vendors", chattest.Grant{}, "per_b")
	m := h.post("per_a", general, "secret")
	strip := func(body map[string]any) map[string]any { delete(body, "request_id"); return body }
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/api/v1/channels/%s", nil},
		{"GET", "/api/v1/channels/%s/messages", nil},
		{"POST", "/api/v1/channels/%s/messages", map[string]any{"text": "x"}},
		{"POST", "/api/v1/channels/%s/read", map[string]any{"seq": 1}},
	} {
		s1, b1 := h.call("per_b", c.method, fmt.Sprintf(c.path, general), c.body)
		s2, b2 := h.call("per_b", c.method, fmt.Sprintf(c.path, "chn_nowhere"), c.body)
		if s1 != 404 || s1 != s2 || !reflect.DeepEqual(strip(b1), strip(b2)) {
			t.Errorf("%s %s: %d %v and %d %v", c.method, c.path, s1, b1, s2, b2)
		}
	}
	s1, b1 := h.call("per_b", "GET", "/api/v1/messages/"+string(m.ID), nil)
	s2, b2 := h.call("per_b", "GET", "/api/v1/messages/msg_nowhere", nil)
	if s1 != 404 || s2 != 404 || !reflect.DeepEqual(strip(b1), strip(b2)) {
		t.Errorf("%d %v and %d %v", s1, b1, s2, b2)
	}
	if s, b := h.call("per_a", "GET", "/api/v1/messages/"+string(m.ID), nil); s != 200 || b["text"] != "secret" {
		t.Errorf("%d %v", s, b)
	}
	if n := h.count("select count(*) from chat_channels"); n != 1 {
		t.Errorf("%d counters: a refused post left one", n)
	}
}

func TestBadInput(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
	s := openStream(t, h, "per_a", `{"op":"resume"}`)
	s.event(t, "resumed")
	for name, c := range map[string]struct {
		body any
		code string
	}{
		"empty":         {map[string]any{"text": ""}, "empty_message"},
		"no text":       {map[string]any{}, "empty_message"},
		"blank":         {map[string]any{"text": " \u200b\n"}, "empty_message"},
		"too long":      {map[string]any{"text": strings.Repeat("王", 40_001)}, "message_too_long"},
		"kind":          {map[string]any{"text": "x", "kind": "video"}, "invalid_message"},
		"zero":          {map[string]any{"text": "a\x00b"}, "invalid_message"},
		"invalid UTF-8": {[]byte("{\"text\":\"a\xffb\"}"), "invalid_message"},
		"long id":       {map[string]any{"text": "x", "client_id": strings.Repeat("x", 129)}, "invalid_message"},
	} {
		status, body := h.call("per_a", "POST", "/api/v1/channels/chn_general/messages", c.body)
		if status != 400 || body["code"] != c.code {
			t.Errorf("%s: %d %v", name, status, body)
		}
		if raw, ok := c.body.(map[string]any); ok && name != "long id" {
			frame := map[string]any{"op": "send", "channel": general, "client_id": "c"}
			for k, v := range raw {
				frame[k] = v
			}
			data, err := json.Marshal(frame)
			if err != nil {
				t.Fatal(err)
			}
			s.send(t, string(data))
			if f := s.event(t, "error"); f.Code != c.code || f.ClientID != "c" {
				t.Errorf("%s: %s", name, f.raw)
			}
		}
	}
	if n := h.count("select count(*) from chat_channels"); n != 0 {
		t.Error("something was written")
	}
	if status, _ := h.call("per_a", "POST", "/api/v1/channels/chn_general/messages", map[string]any{"text": strings.Repeat("王", 40_000)}); status != 201 {
		t.Errorf("as long as allowed: %d", status)
	}
	for _, path := range []string{"/api/v1/channels/chn_general/messages?limit=0", "/api/v1/channels/chn_general/messages?limit=201", "/api/v1/channels/chn_general/messages?before=-1", "/api/v1/channels?cursor=%21"} {
		if status, body := h.call("per_a", "GET", path, nil); status < 400 || status > 499 {
			t.Errorf("%s: %d %v", path, status, body)
		}
	}
}

// A request that began before the revocation does not answer after it, at whatever point it is caught.
func TestRequestUnderWay(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	slow := &slowPeople{house: h, entered: make(chan struct{}), leave: make(chan struct{})}
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
	h.post("per_a", general, "older secret") // so that there is a next page
	m := h.post("per_a", general, "secret")
	for _, path := range []string{"/api/v1/channels/chn_general/messages?limit=1", "/api/v1/messages/" + string(m.ID)} {
		for _, all := range []bool{true, false} {
			h.chat.c.People = slow
			got := make(chan string, 1)
			go func() {
				req, _ := http.NewRequest("GET", h.url+path, nil)
				req.Header.Set("X-Person", "per_b")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					got <- err.Error()
					return
				}
				defer res.Body.Close()
				body, _ := io.ReadAll(res.Body)
				got <- fmt.Sprint(res.StatusCode, " ", string(body), " ", res.Header["Link"])
			}()
			<-slow.entered // the messages are read, the names not yet
			if all {
				h.gate.Freeze("per_b")
			} else {
				h.gate.Remove(general, "per_b")
			}
			slow.leave <- struct{}{}
			if answer := <-got; !strings.HasPrefix(answer, "404 ") || strings.Contains(answer, "secret") || !strings.HasSuffix(answer, " []") {
				t.Errorf("%s: %s", path, answer)
			}
			h.gate.Thaw("per_b")
			h.gate.Let(general, chattest.Grant{Post: true}, "per_b")
		}
	}
}

type slowPeople struct {
	*house
	entered, leave chan struct{}
}

func (s *slowPeople) Names(_ context.Context, people []id.Person) (map[id.Person]Profile, error) {
	s.entered <- struct{}{}
	<-s.leave
	return s.house.Names(context.Background(), people)
}

// An API whose answers nobody guards answers nothing.
func TestUnguardedAnswersNothing(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
	h.post("per_a", general, "secret")
	api := &API{Chat: h.chat}
	ctx := httpapi.WithCaller(t.Context(), caller("per_a", ""))
	if out, err := api.History(ctx, &HistoryInput{ID: general, Window: Window{Limit: 10}}); err == nil || out != nil {
		t.Errorf("%v, %v", out, err)
	}
}

// Who may read from joining on gets neither older messages nor their number.
func TestVendor(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
		var old Message
		for i := range 5 {
			old = h.post("per_a", general, fmt.Sprint("old", i))
		}
		time.Sleep(2 * time.Millisecond)
		h.gate.Let(general, chattest.Grant{Post: true, From: time.Now()}, "per_v")
		h.post("per_a", general, "new")
		if _, body := h.call("per_v", "GET", "/api/v1/channels/chn_general/messages?limit=100", nil); !reflect.DeepEqual(texts(body), []string{"new"}) {
			t.Errorf("%v", texts(body))
		}
		if _, body := h.call("per_v", "GET", "/api/v1/channels/chn_general/messages?after=1&limit=2", nil); !reflect.DeepEqual(texts(body), []string{"new"}) {
			t.Errorf("%v", texts(body))
		}
		if status, _ := h.call("per_v", "GET", "/api/v1/messages/"+string(old.ID), nil); status != 404 {
			t.Errorf("an old message: %d", status)
		}
		if _, body := h.call("per_v", "GET", "/api/v1/channels/chn_general", nil); body["unread"] != 1.0 {
			t.Errorf("%v", body)
		}
		s := openStream(t, h, "per_v", `{"op":"resume","channels":{"chn_general":2}}`)
		if f := s.event(t, "reset"); f.Seq != 5 {
			t.Errorf("%s", f.raw)
		}
		if f := s.event(t, "message.created"); f.Message.Text != "new" {
			t.Errorf("%s", f.raw)
		}
	})
}

// The person who is removed sees nothing of it but that the channel is gone; the others see it in its place.
func TestRemovalHasAPlace(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
	h.gate.Let("chn_quiet", chattest.Grant{}, "per_b")
	a := openStream(t, h, "per_a", `{"op":"resume"}`)
	a.event(t, "resumed")
	h.post("per_a", general, "before")
	rev := h.gate.Remove(general, "per_b")
	if err := h.db.Tx(t.Context(), func(tx *db.Tx) error {
		return h.chat.RecordMemberships(tx, []Move{{Channel: general, Person: "per_b", Rev: rev}})
	}); err != nil {
		t.Fatal(err)
	}
	h.post("per_a", general, "after")
	var got []string
	for range 3 {
		f := a.next(t)
		got = append(got, fmt.Sprint(f.Seq, f.Type, f.Person.ID))
	}
	if want := []string{"1message.created", "2member.leftper_b", "3message.created"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	b := openStream(t, h, "per_b", `{"op":"resume","person_seq":0,"channels":{"chn_general":0}}`)
	if f := b.next(t); f.Type != "channel.left" || f.PersonSeq != 1 {
		t.Errorf("%s", f.raw)
	}
	if f := b.next(t); f.Op != "channel.gone" || f.Channel != general {
		t.Errorf("%s", f.raw)
	}
}

func TestTicketOpensOneStream(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t), nil)
	_, body := h.call("per_a", "POST", "/api/v1/stream/tickets", nil)
	url := "ws" + strings.TrimPrefix(h.url, "http") + "/api/v1/stream?ticket=" + fmt.Sprint(body["ticket"])
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, hello, err := conn.ReadMessage(); err != nil || !bytes.Contains(hello, []byte("con_")) {
		t.Errorf("%s %v", hello, err)
	}
	if err := h.chat.EndPerson(t.Context(), "per_a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the stream is not the ticket's person's")
	}
	if _, res, err := websocket.DefaultDialer.Dial(url, nil); err == nil || res.StatusCode != 401 {
		t.Errorf("a second time: %v", err)
	}
}

// BenchmarkPost is messages from the call to their commit and hand-over, 16 at a time, on both engines: into one channel, into 1,000, and into one of 1,000 and of 10,000 members
// with nobody connected.
func BenchmarkPost(b *testing.B) {
	const writer = id.Person("per_writer")
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		for _, size := range []struct{ channels, members int }{{1, 1}, {1000, 1}, {1, 1000}, {1, 10000}} {
			b.Run(fmt.Sprintf("%s/channels=%d,members=%d", engine, size.channels, size.members), func(b *testing.B) {
				h := newHouse(b, dbtest.Open(b, dbtest.DSN(b, engine)), nil)
				members := []id.Person{writer}
				for n := range size.members - 1 {
					members = append(members, id.Person(fmt.Sprint("per_", n)))
				}
				channels := make([]id.Channel, size.channels)
				for n := range channels {
					channels[n] = id.Channel(fmt.Sprint(benched, n))
					h.gate.Let(channels[n], chattest.Grant{Post: true}, members...)
				}
				text := strings.Repeat("word ", 40)
				var next atomic.Int64
				b.ResetTimer()
				b.SetParallelism((16 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						h.post(writer, channels[int(next.Add(1))%len(channels)], text)
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
				m := h.post(writer, channels[0], text)
				events, err := h.chat.encode(context.Background(), channels[0], []entry{{seq: m.Seq, kind: messageCreated, at: m.At, message: &m}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(events[0].Data)), "bytes/event")
			})
		}
	}
}

// How long the frame of a message of 200 bytes is on the wire, compressed and not.
func BenchmarkFrame(b *testing.B) {
	const reader = id.Person("per_01KB0D3V7Q9X2M5N8R4T6W1YZA")
	h := newHouse(b, dbtest.SQLite(b), nil)
	channel := id.New[id.Channel]()
	h.gate.Let(channel, chattest.Grant{Post: true}, reader)
	offers := map[string][]httphead.Option{"plain": nil, "deflated": {wsflate.Parameters{ClientMaxWindowBits: 1}.Option()}}
	for name, text := range map[string]string{
		"english": "The supplier moved the delivery of the pumps to Friday, because the test of the second line is not over. Please look at the drawings before our call, and tell Li Na whether the schedule for Suzhou holds.",
		"chinese": "供应商把水泵的交付改到了周五，因为二号线的测试还没有结束。请大家在电话会议之前看一下图纸，并告诉李娜苏州的进度是否不变，谢谢。",
	} {
		for as, offer := range offers {
			b.Run(name+"/"+as, func(b *testing.B) {
				d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Person": {string(reader)}, "Authorization": {"tok"}}, Extensions: offer}
				conn, early, _, err := d.Dial(b.Context(), "ws"+strings.TrimPrefix(h.url, "http")+"/api/v1/stream")
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				in := io.Reader(conn)
				if early != nil {
					in = io.MultiReader(early, conn)
				}
				if err := wsutil.WriteClientText(conn, []byte(`{"op":"resume"}`)); err != nil {
					b.Fatal(err)
				}
				size := 0
				for b.Loop() {
					h.post(reader, channel, text)
					for {
						head, err := ws.ReadHeader(in)
						if err != nil {
							b.Fatal(err)
						}
						f := ws.Frame{Header: head, Payload: make([]byte, head.Length)}
						if _, err := io.ReadFull(in, f.Payload); err != nil {
							b.Fatal(err)
						}
						size = ws.HeaderSize(f.Header) + len(f.Payload)
						if f.Header.Rsv1() {
							if f, err = wsflate.DecompressFrame(f); err != nil {
								b.Fatal(err)
							}
						}
						if strings.Contains(string(f.Payload), "message.created") {
							break
						}
					}
				}
				b.ReportMetric(float64(len(text)), "text-bytes")
				b.ReportMetric(float64(size), "frame-bytes")
			})
		}
	}
}
