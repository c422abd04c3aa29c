package delivery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// knock sends a request for a stream and answers its status.
func knock(t *testing.T, w *world, path string, header map[string]string) int {
	t.Helper()
	conn, err := net.Dial("tcp", w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, w.url)
	if !strings.HasPrefix(path, "/events") {
		fmt.Fprint(conn, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	}
	for name, value := range header {
		for _, v := range strings.Split(value, "|") {
			fmt.Fprintf(conn, "%s: %s\r\n", name, v)
		}
	}
	fmt.Fprint(conn, "\r\n")
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// A page of another origin cannot open a stream with the cookie of who visits it.
//
// holds: attack chat-01
func TestOrigin(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Origins = []string{"https://chat.example.com"} })
	cookie, bearer, ticket := map[string]string{"X-Person": "per_a", "X-Session": "ses_a"}, map[string]string{"X-Person": "per_a", "X-Token": "tok_a"}, map[string]string{}
	for _, c := range []struct {
		name, path, origin string
		proof              map[string]string
		want               int
	}{
		{"cookie, same origin", "/stream", "http://" + w.url, cookie, 101},
		{"cookie, same origin over TLS", "/stream", "https://" + w.url, cookie, 101},
		{"cookie, configured origin", "/stream", "https://chat.example.com", cookie, 101},
		{"cookie, no origin", "/stream", "", cookie, 403},
		{"cookie, evil", "/stream", "https://evil.example", cookie, 403},
		{"cookie, null", "/stream", "null", cookie, 403},
		{"cookie, subdomain", "/stream", "http://sub." + w.url, cookie, 403},
		{"cookie, subdomain of a configured one", "/stream", "https://a.chat.example.com", cookie, 403},
		{"cookie, prefix", "/stream", "http://" + w.url + ".evil.example", cookie, 403},
		{"cookie, user info", "/stream", "http://" + w.url + "@evil.example", cookie, 403},
		{"cookie, path", "/stream", "http://" + w.url + "/x", cookie, 403},
		{"cookie, other scheme", "/stream", "file://" + w.url, cookie, 403},
		{"cookie, two origins", "/stream", "http://" + w.url + "|https://evil.example", cookie, 403},
		{"cookie, empty origin", "/stream", " ", cookie, 403},
		{"bearer, no origin", "/stream", "", bearer, 101},
		{"bearer, evil", "/stream", "https://evil.example", bearer, 403},
		{"ticket, no origin", "/stream?ticket=good-per_a", "", ticket, 101},
		{"ticket, evil", "/stream?ticket=good-per_a", "https://evil.example", ticket, 403},
		{"bad ticket", "/stream?ticket=bad", "", ticket, 401},
		{"bad ticket beside a good cookie", "/stream?ticket=bad", "http://" + w.url, cookie, 401},
		{"nobody", "/stream", "http://" + w.url, nil, 401},
		{"events, cookie, no origin", "/events", "", cookie, 200},
		{"events, cookie, evil", "/events", "https://evil.example", cookie, 403},
		{"events, cookie, null", "/events", "null", cookie, 403},
		{"events, bearer", "/events", "", bearer, 200},
		{"events, nobody", "/events", "", nil, 401},
	} {
		header := map[string]string{}
		for k, v := range c.proof {
			header[k] = v
		}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if got := knock(t, w, c.path, header); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := knock(t, w, "/events", map[string]string{"X-Person": "per_a", "X-Session": "ses_a", "Sec-Fetch-Site": "cross-site"}); got != 403 {
		t.Errorf("events from another site: %d", got)
	}
	for _, path := range []string{"/events?cursor=x", "/events?cursor=a:-1", "/events?person_seq=x"} {
		if got := knock(t, w, path, bearer); got != 400 {
			t.Errorf("%s: %d", path, got)
		}
	}
	w.gate.Freeze("per_a")
	if got := knock(t, w, "/stream", bearer); got != 401 {
		t.Errorf("frozen: %d", got)
	}
}

// closeCode reads until the close frame and answers its code; 0 where the connection ended without.
func closeCode(t *testing.T, conn net.Conn, r io.Reader) ws.StatusCode {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(8 * time.Second))
	for {
		f, err := readFrame(r)
		if err != nil {
			t.Logf("ended without a close frame: %v", err)
			return 0
		}
		if f.Header.OpCode == ws.OpClose {
			code, _ := ws.ParseCloseFrameData(f.Payload)
			return code
		}
	}
}

func (w *world) dial(t *testing.T, person id.Person, extensions ...httphead.Option) (net.Conn, io.Reader) {
	t.Helper()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Person": {string(person)}, "X-Token": {"tok"}}, Extensions: extensions}
	conn, buffered, _, err := d.Dial(context.Background(), "ws://"+w.url+"/stream")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if buffered != nil {
		return conn, io.MultiReader(buffered, conn)
	}
	return conn, conn
}

func masked(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload)))
	return ws.MustCompileFrame(f)
}

// What is no WebSocket, too large, too fast or no UTF-8 is closed with the code of RFC 6455.
//
// holds: attack chat-02
func TestBadFrames(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessageTime = 300 * time.Millisecond })
	head := func(b0, b1 byte, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{b0, b1}, n) }
	for _, c := range []struct {
		name string
		send func(conn net.Conn)
		want ws.StatusCode
	}{
		{"10 MiB in one frame", func(conn net.Conn) {
			conn.Write(append(head(0x81, 0xff, 10<<20), 1, 2, 3, 4))
			conn.Write(make([]byte, 10<<20))
		}, ws.StatusMessageTooBig},
		{"2^63 in one frame", func(conn net.Conn) { conn.Write(append(head(0x81, 0xff, 1<<63), 1, 2, 3, 4)) }, ws.StatusMessageTooBig},
		{"10 MiB in fragments", func(conn net.Conn) {
			conn.Write(masked(ws.OpText, false, strings.Repeat("a", 60<<10)))
			for range 160 {
				conn.Write(masked(ws.OpContinuation, false, strings.Repeat("a", 60<<10)))
			}
		}, ws.StatusMessageTooBig},
		{"invalid UTF-8", func(conn net.Conn) { conn.Write(masked(ws.OpText, true, "{\"op\":\"\xff\"}")) }, ws.StatusInvalidFramePayloadData},
		{"invalid UTF-8 over two fragments", func(conn net.Conn) {
			conn.Write(masked(ws.OpText, false, "\xe4\xbd"))
			conn.Write(masked(ws.OpContinuation, true, "x"))
		}, ws.StatusInvalidFramePayloadData},
		{"binary", func(conn net.Conn) { conn.Write(masked(ws.OpBinary, true, "x")) }, ws.StatusUnsupportedData},
		{"unmasked", func(conn net.Conn) { conn.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte("{}")))) }, ws.StatusProtocolError},
		{"compressed, as never agreed", func(conn net.Conn) { b := masked(ws.OpText, true, "{}"); b[0] |= 0x40; conn.Write(b) }, ws.StatusProtocolError},
		{"reserved op", func(conn net.Conn) { conn.Write(masked(ws.OpCode(3), true, "{}")) }, ws.StatusProtocolError},
		{"continuation of nothing", func(conn net.Conn) { conn.Write(masked(ws.OpContinuation, true, "{}")) }, ws.StatusProtocolError},
		{"text inside a message", func(conn net.Conn) {
			conn.Write(masked(ws.OpText, false, "a"))
			conn.Write(masked(ws.OpText, true, "b"))
		}, ws.StatusProtocolError},
		{"fragmented ping", func(conn net.Conn) { conn.Write(masked(ws.OpPing, false, "a")) }, ws.StatusProtocolError},
		{"large ping", func(conn net.Conn) { conn.Write(masked(ws.OpPing, true, strings.Repeat("a", 126))) }, ws.StatusProtocolError},
		{"10,000 frames at once", func(conn net.Conn) { conn.Write(bytes.Repeat(masked(ws.OpText, true, `{"op":"ack"}`), 10_000)) }, ws.StatusPolicyViolation},
		{"10,000 pings at once", func(conn net.Conn) { conn.Write(bytes.Repeat(masked(ws.OpPing, true, "x"), 10_000)) }, ws.StatusPolicyViolation},
		{"one byte at a time", func(conn net.Conn) {
			for _, b := range masked(ws.OpText, true, strings.Repeat("a", 200)) {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}, ws.StatusPolicyViolation},
		{"close with code 1005", func(conn net.Conn) { conn.Write(masked(ws.OpClose, true, "\x03\xed")) }, ws.StatusProtocolError},
		{"close", func(conn net.Conn) { conn.Write(masked(ws.OpClose, true, "\x03\xe8bye")) }, ws.StatusNormalClosure},
		{"close without a code", func(conn net.Conn) { conn.Write(masked(ws.OpClose, true, "")) }, ws.StatusNormalClosure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, r := w.dial(t, "per_a")
			go c.send(conn)
			if got := closeCode(t, conn, r); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
		})
	}
}

// What a header promises takes no memory before it arrives.
//
// holds: attack chat-02
func TestPromisedBytesTakeNoMemory(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PerPerson = 1000 })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 300 {
		conn, _ := w.dial(t, "per_a")
		conn.Write(append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 500<<10), 1, 2, 3, 4, 'x'))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / 300; grown > 32<<10 {
		t.Errorf("%d bytes per connection", grown)
	}
}

func TestPingsAndFragments(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{Post: true}, "per_a")
	conn, r := w.dial(t, "per_a")
	conn.Write(masked(ws.OpText, false, `{"op":`))
	conn.Write(masked(ws.OpPing, true, "between"))
	conn.Write(masked(ws.OpContinuation, false, ""))
	conn.Write(masked(ws.OpContinuation, true, `"ping"}`))
	for _, b := range masked(ws.OpText, true, `{"op":"nonsense"}`) {
		conn.Write([]byte{b})
	}
	conn.Write(masked(ws.OpText, true, `not json`))
	conn.Write(masked(ws.OpText, true, `{"op":"typing","channel":"chn_other"}`))
	conn.Write(masked(ws.OpText, true, `{"op":"send","channel":"chn_other","client_id":"c1","text":"x"}`))
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var got []string
	for len(got) < 7 {
		f, err := readFrame(r)
		if err != nil {
			t.Fatal(err, got)
		}
		got = append(got, string(f.Payload))
	}
	for i, want := range []string{`"hello"`, "between", `"pong"`, "bad_frame", "bad_frame", "not_found", `"client_id":"c1"`} {
		if !strings.Contains(got[i], want) {
			t.Errorf("frame %d is %s, want %s", i, got[i], want)
		}
	}
}

func TestSessionEndsWhileConnecting(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Alive = func(_ context.Context, who httpapi.Caller) error {
			if who.Session == "ses_dead" {
				return errors.New("ended")
			}
			return nil
		}
	})
	w.gate.Let(main, chattest.Grant{}, "per_a")
	for session, want := range map[string]string{"ses_dead": "session has ended", "ses_live": `"hello"`} {
		p, err := connect(w.url, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(p.conn, "GET /stream HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Person: per_a\r\nX-Session: %s\r\n\r\n", w.url, w.url, session)
		go p.read()
		p.wait(t, want)
		if session == "ses_live" {
			w.hub.EndSession("ses_live")
			<-p.done
		}
		p.conn.Close()
	}
	token := w.join("per_a")
	w.hub.EndToken("tok")
	<-token.done
	person := w.join("per_a")
	w.hub.EndPerson("per_a")
	<-person.done
	eventually(t, func() bool { return w.hub.Stats().Connections == 0 }, func() string { return fmt.Sprintf("%+v", w.hub.Stats()) })
}

func TestTooManyConnections(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PerPerson = 2 })
	w.dial(t, "per_a")
	w.dial(t, "per_a")
	eventually(t, func() bool { return w.hub.Stats().Connections == 2 }, func() string { return "two are there" })
	conn, r := w.dial(t, "per_a")
	if code := closeCode(t, conn, r); code != CodeBusy {
		t.Errorf("closed with %d", code)
	}
}

func TestSilentClientIsCut(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PingEvery, o.MessageTime = 100*time.Millisecond, 100*time.Millisecond })
	p := w.join("per_a") // answers no ping
	<-p.done
	if !strings.Contains(p.text(), "\x89\x00") {
		t.Error("it was not pinged")
	}
}

var offer = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}.Option()

// packed is a message as a client compresses it, in pieces.
func packed(t *testing.T, text string, pieces int) []byte {
	t.Helper()
	whole, err := wsflate.CompressFrame(ws.NewTextFrame([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	all := whole.Payload
	var out []byte
	for i := range pieces {
		from, to := len(all)*i/pieces, len(all)*(i+1)/pieces
		f := masked(ws.OpContinuation, i == pieces-1, string(all[from:to]))
		if i == 0 {
			f = masked(ws.OpText, pieces == 1, string(all[:to]))
			f[0] |= 0x40
		}
		out = append(out, f...)
	}
	return out
}

// What a room says goes compressed to whom that was agreed with, and as it is to everybody else; what is short does not.
func TestCompressed(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{Post: true}, "per_a")
	conn, r := w.dial(t, "per_a", offer)
	other := w.join("per_a")
	conn.Write(packed(t, `{"op":"resume","channels":{"chn_main":0}}`, 1))
	other.send(`{"op":"resume","channels":{"chn_main":0}}`)
	other.wait(t, "resumed")
	long := strings.Repeat("many of one kind, ", 40)
	next := func(want string, compressed bool) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		for {
			f, err := readFrame(r)
			if err != nil {
				t.Fatal(err)
			}
			was := f.Header.Rsv1()
			if was {
				if len(f.Payload) > 300 {
					t.Errorf("%d bytes", len(f.Payload))
				}
				if f, err = wsflate.DecompressFrame(f); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(string(f.Payload), want) {
				if was != compressed {
					t.Errorf("%s: compressed %v", want, was)
				}
				return
			}
			if was {
				t.Errorf("compressed: %s", f.Payload)
			}
		}
	}
	next("resumed", false)
	w.post(main, "short")
	next(`"short"`, false)
	w.post(main, long+"one")
	next("one", true)
	conn.Write(packed(t, `{"op":"send","channel":"chn_main","text":"`+long+`two"}`, 3))
	next("two", true)
	w.hub.Typing(main, "per_b")
	next("typing", false)
	for _, text := range []string{"one", "two"} {
		other.wait(t, long+text)
	}
}

// A client offers what it will; what we cannot hold is declined and the stream opens all the same (RFC 7692 section 5.1).
func TestOffers(t *testing.T) {
	w := newWorld(t, nil)
	for said, want := range map[string]string{
		"permessage-deflate":                                                "permessage-deflate",
		"permessage-deflate; client_max_window_bits":                        "permessage-deflate",
		"permessage-deflate; server_max_window_bits=10":                     "",
		"permessage-deflate; unknown=1":                                     "",
		"permessage-deflate; server_max_window_bits=100":                    "",
		"x-webkit-deflate-frame":                                            "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": "permessage-deflate",
		"permessage-deflate; unknown=1, permessage-deflate":                 "permessage-deflate",
	} {
		conn, err := net.Dial("tcp", w.url)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Person: per_a\r\nX-Token: tok\r\nSec-WebSocket-Extensions: %s\r\n\r\n", w.url, said)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := res.Header.Get("Sec-Websocket-Extensions")
		if name, rest, _ := strings.Cut(got, ";"); res.StatusCode != 101 || name != want || want != "" && (!strings.Contains(rest, "server_no_context_takeover") || !strings.Contains(rest, "client_no_context_takeover")) {
			t.Errorf("%s: %d %q", said, res.StatusCode, got)
		}
		conn.Close()
	}
}

// What a client compresses is bounded as what it does not, and counts by what it becomes.
//
// holds: attack chat-02
func TestBadCompression(t *testing.T) {
	w := newWorld(t, nil)
	wrong := func(op ws.OpCode, fin bool, payload string) []byte {
		b := masked(op, fin, payload)
		b[0] |= 0x40
		return b
	}
	bomb := packed(t, `{"op":"ack","x":"`+strings.Repeat("a", 400<<10)+`"}`, 1)
	for name, c := range map[string]struct {
		bytes []byte
		want  ws.StatusCode
	}{
		"10 MiB of one letter":       {packed(t, strings.Repeat("a", 10<<20), 1), ws.StatusMessageTooBig},
		"10 MiB in fragments":        {packed(t, strings.Repeat("a", 10<<20), 50), ws.StatusMessageTooBig},
		"many that become very long": {bytes.Repeat(bomb, 30), ws.StatusPolicyViolation},
		"no DEFLATE":                 {wrong(ws.OpText, true, "no deflate"), ws.StatusInvalidFramePayloadData},
		"invalid UTF-8":              {packed(t, "{\"op\":\"\xff\"}", 1), ws.StatusInvalidFramePayloadData},
		"a compressed ping":          {wrong(ws.OpPing, true, "x"), ws.StatusProtocolError},
		"a compressed continuation":  {append(packed(t, "{}", 2)[:7], wrong(ws.OpContinuation, true, "x")...), ws.StatusProtocolError},
		"another reserved bit":       {func() []byte { b := packed(t, "{}", 1); b[0] |= 0x20; return b }(), ws.StatusProtocolError},
		"a good one, then goodbye":   {append(packed(t, `{"op":"ack"}`, 1), masked(ws.OpClose, true, "\x03\xe8bye")...), ws.StatusNormalClosure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, r := w.dial(t, "per_a", offer)
			go conn.Write(c.bytes)
			if got := closeCode(t, conn, r); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
		})
	}
}
