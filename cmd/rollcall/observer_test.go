package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An observer is a process of its own that knows nothing of the servers: it opens sockets, and notes for each message that comes off the wire when
// the kernel had its bytes, which is not when the observer came to read them.

// The kinds of watch.
const (
	watchSocket  = "websocket"
	watchEvents  = "events"
	watchAgain   = "reconnects" // a WebSocket that comes back at once, again and again
	watchHistory = "history"    // reads the newest messages, again and again
)

// lastSeen is how many of the messages of a watch are kept; of those before there is the number.
const lastSeen = 48

// order is what an observer is told to do.
type order struct {
	Watch   string `json:",omitempty"` // a new one's name; empty: answer what was seen, and end all
	Kind    string `json:",omitempty"`
	Address string `json:",omitempty"`
	Token   string `json:",omitempty"`
	Channel string `json:",omitempty"`
	After   int64  `json:",omitempty"`
	// Wait is what to wait for. live: until each has heard something; over: until each has ended that does not come back; past: until whoever stays has heard After.
	Wait string `json:",omitempty"`
}

// seen is what one watch saw.
type seen struct {
	Watch  string
	Frames int64
	Last   []arrival
	Over   bool
}

// arrival is one message off the wire.
type arrival struct {
	N  int64
	At int64 // nanoseconds of the clock of this machine, by the kernel
}

// observe is the process.
func observe() {
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	o := &observing{stop: make(chan struct{})}
	for in.Scan() {
		var todo order
		if err := json.Unmarshal(in.Bytes(), &todo); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitError)
		}
		switch {
		case todo.Watch != "":
			w := &lookout{order: todo, over: make(chan struct{}), stop: o.stop}
			o.all = append(o.all, w)
			go w.run()
			continue
		case todo.Wait != "":
			out.Encode(o.wait(todo.Wait, todo.After))
			continue
		}
		close(o.stop)
		found := []seen{}
		for _, w := range o.all {
			w.close()
			<-w.over
			found = append(found, seen{w.Watch, w.frames, w.last, w.ended})
		}
		o.all, o.stop = nil, make(chan struct{})
		out.Encode(found)
	}
}

type observing struct {
	all  []*lookout
	stop chan struct{}
}

// wait answers the names of those for which it has waited in vain.
func (o *observing) wait(what string, n int64) []string {
	missing := []string{}
	patience := make(chan struct{})
	time.AfterFunc(time.Minute, func() { close(patience) })
	for _, w := range o.all {
		switch {
		case what == "over" && (w.Kind == watchAgain || w.Kind == watchHistory):
		case what == "over":
			select {
			case <-w.over:
			case <-patience:
				missing = append(missing, w.Watch)
			}
		case what == "past" && !strings.HasPrefix(w.Watch, "stays"):
		default:
			for live := false; !live; {
				w.mu.Lock()
				live = len(w.last) > 0 && w.newest >= n
				w.mu.Unlock()
				select {
				case <-patience:
					missing, live = append(missing, w.Watch), true
				case <-time.After(time.Millisecond):
				}
			}
		}
	}
	return missing
}

// lookout is one person's look at one node, by one way.
type lookout struct {
	order
	over chan struct{}
	stop chan struct{}

	mu     sync.Mutex
	conn   *net.TCPConn
	frames int64
	newest int64
	last   []arrival
	ended  bool // by the server
}

func (w *lookout) run() {
	defer close(w.over)
	for again := true; again; {
		if conn, err := net.DialTimeout("tcp", w.Address, 5*time.Second); err == nil {
			w.mu.Lock()
			w.conn = conn.(*net.TCPConn)
			w.mu.Unlock()
			w.follow(conn.(*net.TCPConn))
			conn.Close()
		}
		w.mu.Lock()
		again = w.Kind == watchAgain || w.Kind == watchHistory || w.frames == 0 // a node that is loaded may have refused it
		w.mu.Unlock()
		select {
		case <-w.stop:
			return
		case <-time.After(2 * time.Millisecond):
			w.ended = true
		}
	}
}

func (w *lookout) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.Close()
	}
}

// follow asks, and reads until the end.
func (w *lookout) follow(conn *net.TCPConn) {
	resume := fmt.Sprintf(`{"op":"resume","channels":{"%s":%d}}`, w.Channel, w.After)
	switch w.Kind {
	case watchEvents:
		fmt.Fprintf(conn, "GET /api/v1/events?cursor=%s:%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", w.Channel, w.After, w.Address, w.Token)
	case watchHistory:
		fmt.Fprintf(conn, "GET /api/v1/channels/%s/messages?limit=20 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n", w.Channel, w.Address, w.Token)
	default:
		fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", w.Address, w.Token)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	if err := raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) }); err != nil {
		return
	}
	buf, oob := make([]byte, 256<<10), make([]byte, 128)
	asked := w.Kind == watchEvents || w.Kind == watchHistory
	for kept := 0; ; {
		n, at := take(raw, buf[kept:], oob)
		if n <= 0 {
			return
		}
		if kept = w.see(buf, kept+n, at); !asked { // its first bytes are the answer to the handshake
			asked = true
			conn.Write(masked(resume))
		}
	}
}

// take reads once and answers when the kernel had what it read.
func take(raw syscall.RawConn, buf, oob []byte) (n int, at int64) {
	err := raw.Read(func(fd uintptr) bool {
		var told int
		var err error
		n, told, _, _, err = unix.Recvmsg(int(fd), buf, oob, 0)
		if err == unix.EAGAIN {
			return false
		}
		if at = time.Now().UnixNano(); err != nil {
			n = 0
			return true
		}
		messages, _ := unix.ParseSocketControlMessage(oob[:told])
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
				at = int64(binary.NativeEndian.Uint64(m.Data))*int64(time.Second) + int64(binary.NativeEndian.Uint64(m.Data[8:]))
			}
		}
		return true
	})
	if err != nil {
		return 0, 0
	}
	return n, at
}

// masked is a text frame of a client, shorter than 64 KB; its mask is 0.
func masked(text string) []byte {
	frame := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(frame[2:], uint16(len(text)))
	return append(frame, text...)
}

// see notes the messages in the first n bytes of buf, and answers how many bytes at their end may be the beginning of one: they are moved to the front.
func (w *lookout) see(buf []byte, n int, at int64) (kept int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := 0
	for _, found := range numbered.FindAllSubmatchIndex(buf[:n], -1) {
		number, _ := strconv.ParseInt(string(buf[found[2]:found[3]]), 10, 64)
		w.frames++
		w.newest = max(w.newest, number)
		if w.last = append(w.last, arrival{number, at}); len(w.last) > 2*lastSeen {
			w.last = append(w.last[:0], w.last[lastSeen:]...)
		}
		end = found[1]
	}
	return copy(buf, buf[max(end, n-40):n])
}

// numbered finds the number that each message of a hunt bears.
var numbered = regexp.MustCompile(`n=([0-9]+);`)

// observer is the process as a test sees it.
type observer struct {
	testing.TB
	mu  sync.Mutex
	in  io.WriteCloser
	out *json.Decoder
}

func newObserver(t testing.TB) *observer {
	t.Helper()
	run := exec.Command("observer")
	run.Stderr = os.Stderr
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); run.Wait() })
	return &observer{TB: t, in: in, out: json.NewDecoder(out)}
}

func (o *observer) tell(todo order) {
	o.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := json.NewEncoder(o.in).Encode(todo); err != nil {
		o.Fatal(err)
	}
}

func (o *observer) wait(what string, n int64) (missing []string) {
	o.Helper()
	o.tell(order{Wait: what, After: n})
	if err := o.out.Decode(&missing); err != nil {
		o.Fatal(err)
	}
	return missing
}

// end ends all watches and answers what they saw.
func (o *observer) end() (found []seen) {
	o.Helper()
	o.tell(order{})
	if err := o.out.Decode(&found); err != nil {
		o.Fatal(err)
	}
	return found
}
