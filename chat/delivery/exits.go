package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Exits holds the requests under way whose answers carry what a person may lose: history, lists, a message.
// Such an answer is written in pieces, each in a section that asks the Gate, as on a stream.
type Exits struct {
	hub *Hub

	mu      sync.Mutex
	running map[*exit]struct{}
}

func newExits(h *Hub) *Exits { return &Exits{hub: h, running: map[*exit]struct{}{}} }

// Exits answers the hub's registry of answers under way.
func (h *Hub) Exits() *Exits { return h.exits }

type exitKey struct{}

type connKey struct{}

// ConnContext is for http.Server.ConnContext: it keeps the kernel's send buffer small and lets a revocation
// reset a connection whose answer a slow client has not taken yet.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(64 << 10)
	}
	return context.WithValue(ctx, connKey{}, c)
}

const (
	exitPiece  = 32 << 10
	exitBytes  = 4 << 20 // a larger answer is not kept until it is whole
	lingerTime = 15 * time.Second
	// NotFound is the text for what does not exist and for what the caller may not see, alike.
	NotFound = "no such channel or message"
)

// exit is one request under way. It is the http.ResponseWriter of its handler.
type exit struct {
	http.ResponseWriter
	exits   *Exits
	control *http.ResponseController
	conn    net.Conn // nil where the server does not use ConnContext

	who      httpapi.Caller // this and the next four: written with gate and Exits.mu held, read with either
	channels []id.Channel
	grounds  []func() bool
	request  id.Request
	cancel   context.CancelFunc
	ended    atomic.Bool
	writing  atomic.Bool // bytes of the answer may be on their way

	// gate is held by each check and the write that follows. It is taken before Exits.mu.
	gate    sync.Mutex
	guarded bool
	status  int
	body    []byte // of a guarded answer, until it is whole or too large
	sent    bool   // the header is out
	refused bool
}

// Handler lets the handlers below next use Enter. It stands outside of everything that writes answers.
// A node that has lost touch answers 503 to everything but the probes.
func (e *Exits) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.hub.fresh() && !probe(r.URL.Path) {
			w.Header().Set("Retry-After", "1")
			httpapi.WriteError(w, r, stale())
			return
		}
		x := &exit{ResponseWriter: w, exits: e, control: http.NewResponseController(w)}
		x.conn, _ = r.Context().Value(connKey{}).(net.Conn)
		defer x.leave()
		next.ServeHTTP(x, r.WithContext(context.WithValue(r.Context(), exitKey{}, x)))
		x.finish()
	})
}

// Enter makes the answer of ctx's request conditional: each piece of it is written only while who may view
// every one of channels. The context it returns is cancelled when that ends. It answers ErrGone where it
// has ended already, and ErrNoExit where Handler does not stand above.
func (e *Exits) Enter(ctx context.Context, who httpapi.Caller, channels ...id.Channel) (context.Context, error) {
	return e.enter(ctx, who, nil, channels...)
}

// EnterOn does what Enter does for an answer that rests on another ground than a place in the channel: each piece is written only while
// ground says so, and while who is not frozen. ground is asked with the answer's gate held: it takes no gate, and is quick.
func (e *Exits) EnterOn(ctx context.Context, who httpapi.Caller, ground func() bool) (context.Context, error) {
	return e.enter(ctx, who, ground)
}

func (e *Exits) enter(ctx context.Context, who httpapi.Caller, ground func() bool, channels ...id.Channel) (context.Context, error) {
	x, _ := ctx.Value(exitKey{}).(*exit)
	if x == nil {
		return nil, ErrNoExit
	}
	x.gate.Lock()
	defer x.gate.Unlock()
	e.mu.Lock() // register, then judge
	if !x.guarded {
		x.who, x.guarded, x.request = who, true, httpapi.RequestFrom(ctx)
	}
	x.channels = append(x.channels[:len(x.channels):len(x.channels)], channels...)
	if ground != nil {
		x.grounds = append(x.grounds[:len(x.grounds):len(x.grounds)], ground)
	}
	if x.cancel == nil {
		ctx, x.cancel = context.WithCancel(ctx)
	}
	e.running[x] = struct{}{}
	e.mu.Unlock()
	if !x.allowed() {
		return nil, ErrGone
	}
	return ctx, nil
}

// leave ends the request. Where the client has not taken all of the answer yet it waits a while, so that the
// answer stays within reach of a revocation, which then resets the connection.
func (x *exit) leave() {
	if x.cancel == nil {
		return
	}
	x.cancel()
	if x.writing.Load() {
		for waited, pause := time.Duration(0), 50*time.Microsecond; x.unsent() > 0 && waited < lingerTime && !x.ended.Load(); waited, pause = waited+pause, min(2*pause, 2*time.Millisecond) {
			time.Sleep(pause)
		}
	}
	x.exits.mu.Lock()
	delete(x.exits.running, x)
	x.exits.mu.Unlock()
}

// unsent answers how many bytes the kernel holds that the client has not acknowledged.
func (x *exit) unsent() (n int) {
	tcp, ok := x.conn.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	if err := raw.Control(func(fd uintptr) { n = unsent(int(fd)) }); err != nil {
		return 0
	}
	return n
}

func unsent(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil { // a socket of another kind: nothing is known
		return 0
	}
	return n
}

// allowed asks for every channel. The gate is held.
func (x *exit) allowed() bool {
	if x.exits.hub.fault&faultOpenExit != 0 {
		return true
	}
	return !x.ended.Load() && x.exits.stands(x.who.Person, x.channels, x.grounds)
}

// stands tells whether everything that an answer rests on is there.
func (e *Exits) stands(person id.Person, channels []id.Channel, grounds []func() bool) bool {
	h := e.hub
	if !h.fresh() {
		return false
	}
	if h.o.Frozen != nil && h.o.Frozen(person) {
		return false
	}
	for _, channel := range channels {
		if ok, _ := h.o.Gate.Allow(person, channel, View); !ok {
			return false
		}
	}
	for _, ground := range grounds {
		if !ground() {
			return false
		}
	}
	return true
}

// Unwrap lets http.ResponseController reach the server's writer, for Hijack.
func (x *exit) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader keeps a guarded answer's status until its first section.
func (x *exit) WriteHeader(status int) {
	x.gate.Lock()
	defer x.gate.Unlock()
	if x.guarded && status >= 200 && !x.sent {
		x.status = status
		return
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write keeps a guarded answer until it is whole: then its length is known, and so is whether it may be given.
func (x *exit) Write(p []byte) (int, error) {
	x.gate.Lock()
	if !x.guarded {
		defer x.gate.Unlock()
		return x.ResponseWriter.Write(p)
	}
	x.body = append(x.body, p...)
	large := x.sent || len(x.body) > exitBytes
	x.gate.Unlock()
	if !large {
		return len(p), nil
	}
	return len(p), x.release()
}

// FlushError serves http.ResponseController: what is flushed goes through sections too.
func (x *exit) FlushError() error {
	x.gate.Lock()
	guarded := x.guarded
	x.gate.Unlock()
	if !guarded {
		return x.control.Flush()
	}
	return x.release()
}

// release writes what is kept, in pieces, each in a section of its own. An answer whose ground is gone becomes
// a 404 where nothing is out yet; else the connection is reset, so that the client cannot take what it has for
// the whole.
func (x *exit) release() error {
	x.gate.Lock()
	body := x.body
	x.body = nil
	x.gate.Unlock()
	for first := true; first || len(body) > 0; first = false {
		n := min(len(body), exitPiece)
		if err := x.section(body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

func (x *exit) section(piece []byte) error {
	x.gate.Lock()
	defer x.gate.Unlock()
	if x.refused {
		return nil
	}
	x.writing.Store(true) // before the check: who ends this answer either sees it or is seen by it
	if !x.allowed() {
		if x.sent {
			x.reset()
			panic(http.ErrAbortHandler)
		}
		x.writing.Store(false)
		x.refuse()
		return nil
	}
	if trace := x.exits.hub.trace; trace != nil {
		trace(x.who.Person, piece)
	}
	if !x.sent {
		x.sent = true
		x.ResponseWriter.WriteHeader(max(x.status, http.StatusOK)) // 0: never set
	}
	if len(piece) > 0 {
		if _, err := x.ResponseWriter.Write(piece); err != nil {
			return err
		}
	}
	if err := x.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) { // what is buffered would leave after the section
		return err
	}
	return nil
}

// probe tells whether a path answers on a node that has lost touch, too.
func probe(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

// stale is the answer of a node that has lost touch.
func stale() *httpapi.Problem {
	return httpapi.NewProblem(http.StatusServiceUnavailable, "node_stale", "this node has lost touch with the others and answers nothing until it is back; try again")
}

// refuse answers as for a thing that does not exist.
func (x *exit) refuse() {
	x.refused, x.sent = true, true
	h := x.ResponseWriter.Header()
	h.Del("Content-Length")
	h.Del("ETag")
	h.Del("Link") // it would tell what is there
	h.Set("Cache-Control", "no-store")
	p := httpapi.NewProblem(http.StatusNotFound, "not_found", NotFound)
	if !x.exits.hub.fresh() {
		p = stale()
	}
	p.Request = x.request
	h.Set("Content-Type", "application/problem+json")
	x.ResponseWriter.WriteHeader(p.Status)
	json.NewEncoder(x.ResponseWriter).Encode(p)
}

// finish sends what the handler left: all of a small answer, or the header of one without a body.
func (x *exit) finish() {
	x.gate.Lock()
	idle := !x.guarded || x.status == 0 && len(x.body) == 0 || x.sent && len(x.body) == 0
	if !idle && !x.sent && bodyAllowed(x.status) {
		x.ResponseWriter.Header().Set("Content-Length", strconv.Itoa(len(x.body)))
	}
	x.gate.Unlock()
	if !idle {
		x.release() // an error says that the client has gone
	}
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// waiting answers how many bytes the kernel has not put on the wire yet: those that a reset takes back.
func waiting(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQNSD)
	if err != nil {
		return 1 // in doubt there is something
	}
	return n
}
