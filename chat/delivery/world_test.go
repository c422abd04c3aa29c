package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	marker = "SECRET"
	main   = id.Channel("chn_main")
)

// memory is a log in memory: events are there before they are published, as after a commit.
type memory struct {
	mu       sync.Mutex
	channels map[id.Channel][]Event
	people   map[id.Person][]PersonEvent
}

func newMemory() *memory {
	return &memory{channels: map[id.Channel][]Event{}, people: map[id.Person][]PersonEvent{}}
}

func (m *memory) Heads(context.Context) (map[id.Channel]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[id.Channel]int64{}
	for channel, events := range m.channels {
		out[channel] = int64(len(events))
	}
	return out, nil
}

func (m *memory) After(_ context.Context, channel id.Channel, after int64, limit int) ([]Event, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.channels[channel]
	if after >= int64(len(all)) {
		return nil, int64(len(all)), nil
	}
	return all[after:min(int64(len(all)), after+int64(limit))], int64(len(all)), nil
}

func (m *memory) PersonAfter(_ context.Context, person id.Person, after int64, limit int) ([]PersonEvent, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.people[person]
	if after >= int64(len(all)) {
		return nil, int64(len(all)), nil
	}
	return all[after:min(int64(len(all)), after+int64(limit))], int64(len(all)), nil
}

func (m *memory) write(channel id.Channel, rev int64, text string) Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := Event{Channel: channel, Seq: int64(len(m.channels[channel])) + 1, Rev: rev, At: time.Now()}
	data, err := json.Marshal(map[string]any{"op": "event", "channel": channel, "seq": e.Seq, "type": "message.created", "text": text})
	if err != nil {
		panic(err)
	}
	e.Data = data
	m.channels[channel] = append(m.channels[channel], e)
	return e
}

func (m *memory) writePerson(person id.Person, channel id.Channel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := int64(len(m.people[person])) + 1
	m.people[person] = append(m.people[person], PersonEvent{Seq: seq, Channel: channel,
		Data: fmt.Appendf(nil, `{"op":"event","person_seq":%d,"type":"read.moved","channel":"%s"}`, seq, channel), Hidden: fmt.Appendf(nil, `{"op":"event","person_seq":%d,"type":"hidden"}`, seq)})
}

// world is a hub behind a real HTTP server on loopback, with a real gate and log in memory.
type world struct {
	t    testing.TB
	gate *chattest.Gate
	log  *memory
	hub  *Hub
	url  string // host:port
}

var errRefused = errors.New("refused")

type memoryInbox struct{ w *world }

func (i memoryInbox) Send(_ context.Context, who httpapi.Caller, in Send) (Sent, error) {
	if ok, _ := i.w.gate.Allow(who.Person, in.Channel, Post); !ok {
		return Sent{}, errRefused
	}
	e := i.w.post(in.Channel, in.Text)
	return Sent{Message: "msg_x", Seq: e.Seq}, nil
}

func (i memoryInbox) Read(_ context.Context, who httpapi.Caller, channel id.Channel, _ int64) error {
	i.w.log.writePerson(who.Person, channel)
	i.w.hub.NudgePerson(who.Person)
	return nil
}

func (memoryInbox) Problem(err error) (string, string) { return "refused", err.Error() }

func newWorld(t testing.TB, edit func(*Options), faults ...fault) *world {
	t.Helper()
	w := &world{t: t, gate: &chattest.Gate{}, log: newMemory()}
	o := Options{Gate: w.gate, Log: w.log, Inbox: memoryInbox{w}, Frozen: w.gate.Frozen, Visible: w.gate.Channels, Fresh: w.gate.Fresh, Slog: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
		Ticket: func(_ context.Context, secret string) (httpapi.Caller, error) {
			if person, ok := strings.CutPrefix(secret, "good-"); ok {
				return httpapi.Caller{Person: id.Person(person)}, nil
			}
			return httpapi.Caller{}, errRefused
		}}
	if edit != nil {
		edit(&o)
	}
	w.hub = New(o)
	for _, f := range faults {
		w.hub.fault |= f
	}
	if err := w.hub.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /stream", w.hub.WebSocket())
	mux.Handle("GET /events", w.hub.Events())
	mux.HandleFunc("GET /history", w.history)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ConnContext: ConnContext, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: w.hub.Exits().Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who := httpapi.Caller{Person: id.Person(r.Header.Get("X-Person")), Token: id.Token(r.Header.Get("X-Token")), Session: id.Session(r.Header.Get("X-Session"))}
		mux.ServeHTTP(rw, r.WithContext(httpapi.WithCaller(r.Context(), who)))
	}))}
	go server.Serve(listener)
	w.url = listener.Addr().String()
	t.Cleanup(func() {
		w.hub.Close()
		server.Close()
	})
	return w
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if !strings.Contains(string(p), "broken pipe") {
		fmt.Fprintf(io.Discard, "%s", p)
	}
	return len(p), nil
}

// post commits and publishes.
func (w *world) post(channel id.Channel, text string) Event {
	e := w.log.write(channel, w.gate.Revision(), text)
	w.hub.Publish(e)
	return e
}

// history answers the whole log of a channel, slowly, as one guarded answer.
func (w *world) history(rw http.ResponseWriter, r *http.Request) {
	channel := id.Channel(r.URL.Query().Get("channel"))
	who := httpapi.CallerFrom(r.Context())
	if ok, _ := w.gate.Allow(who.Person, channel, View); !ok {
		http.NotFound(rw, r)
		return
	}
	ctx, err := w.hub.Exits().Enter(r.Context(), who, channel)
	if err != nil {
		http.NotFound(rw, r)
		return
	}
	_, head, _ := w.log.After(ctx, channel, 0, 1)
	events, _, _ := w.log.After(ctx, channel, max(0, head-40), 40)
	time.Sleep(time.Duration(time.Now().UnixNano() % int64(time.Millisecond))) // the database is read before the revocation, the answer is written after it
	var out []byte
	for range max(1, len(r.URL.Query().Get("big"))) {
		for _, e := range events {
			out = append(out, e.Data...)
		}
	}
	rw.Write(out)
}

// peer is a client of its own making, on a plain socket, so that it can count bytes exactly.
type peer struct {
	conn net.Conn
	raw  syscall.RawConn

	mu    sync.Mutex
	got   []byte
	ended bool
	err   error
	done  chan struct{}
}

var dialed atomic.Int64

func connect(url string, receive int) (*peer, error) {
	d := net.Dialer{}
	if receive > 0 {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receive) })
		}
	}
	conn, err := d.Dial("tcp", url)
	if err != nil {
		return nil, err
	}
	dialed.Add(1)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	return &peer{conn: conn, raw: raw, done: make(chan struct{})}, nil
}

// stream opens a WebSocket; the answer to the handshake stays among the bytes got.
func stream(url string, person id.Person, receive int) (*peer, error) {
	p, err := connect(url, receive)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(p.conn, "GET /stream HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Person: %s\r\nX-Token: tok\r\n\r\n", url, person)
	return p, err
}

func (p *peer) send(frame string) error {
	return ws.WriteFrame(p.conn, ws.MaskFrame(ws.NewTextFrame([]byte(frame))))
}

// read takes bytes as they come until the connection ends.
func (p *peer) read() {
	defer close(p.done)
	buf := make([]byte, 16<<10)
	for {
		var n int
		var problem error
		err := p.raw.Read(func(fd uintptr) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			n, problem = syscall.Read(int(fd), buf)
			if n > 0 {
				p.got = append(p.got, buf[:n]...)
			}
			return problem != syscall.EAGAIN
		})
		if err != nil || problem != nil || n == 0 {
			p.mu.Lock()
			p.ended = true
			p.err = errors.Join(err, problem)
			p.mu.Unlock()
			return
		}
	}
}

// reached answers how many bytes have reached this client's kernel by now.
func (p *peer) reached() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	p.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	return len(p.got) + n
}

func (p *peer) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.got)
}

// wait waits until what was got holds text.
func (p *peer) wait(t testing.TB, text string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(p.text(), text) }, func() string { return fmt.Sprintf("no %q in %.2000q", text, p.text()) })
}

func eventually(t testing.TB, ok func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal(why())
		}
	}
}

// join opens a stream that reads and is live.
func (w *world) join(person id.Person) *peer {
	w.t.Helper()
	p, err := stream(w.url, person, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.conn.Close() })
	if err := p.send(`{"op":"resume"}`); err != nil {
		w.t.Fatal(err)
	}
	go p.read()
	p.wait(w.t, `"resumed"`)
	return p
}

// readFrame reads one frame of the server.
func readFrame(r io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	if h.Length > 4<<20 {
		return ws.Frame{}, fmt.Errorf("a frame of %d bytes", h.Length)
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
