package delivery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// WebSocket answers GET of the stream (RFC 6455).
func (h *Hub) WebSocket() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, p := h.admit(r, true)
		if p != nil {
			httpapi.WriteError(w, r, p)
			return
		}
		var asked compression
		sock, rw, _, err := ws.HTTPUpgrader{Timeout: closeTime, Negotiate: asked.negotiate}.Upgrade(r, w)
		if err != nil {
			if sock != nil {
				sock.Close()
			}
			return
		}
		as := plain
		if _, agreed := asked.Accepted(); agreed {
			as = deflated
		}
		h.serve(r.Context(), who, sock, rw.Reader, as, nil)
	})
}

// Events answers GET of the stream as server-sent events. The query's person_seq=N and repeated
// cursor=CHANNEL:SEQ are its resume; what cannot be sent upwards here goes through the HTTP API.
func (h *Hub) Events() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, p := h.admit(r, false)
		if p != nil {
			httpapi.WriteError(w, r, p)
			return
		}
		start, err := resumeOf(r)
		if err != nil {
			httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusBadRequest, "bad_cursor", err.Error()))
			return
		}
		sock, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusNotImplemented, "stream_unsupported", "streams need HTTP/1.1"))
			return
		}
		sock.SetDeadline(time.Now().Add(closeTime))
		if _, err := sock.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n")); err != nil {
			sock.Close()
			return
		}
		sock.SetDeadline(time.Time{})
		h.serve(r.Context(), who, sock, rw.Reader, sse, start)
	})
}

// admit judges a request for a stream before anything is hijacked.
func (h *Hub) admit(r *http.Request, upgrade bool) (httpapi.Caller, *httpapi.Problem) {
	who, ambient := httpapi.CallerFrom(r.Context()), true
	if secret := r.URL.Query().Get("ticket"); secret != "" {
		if h.o.Ticket == nil {
			return who, httpapi.NewProblem(http.StatusUnauthorized, "bad_ticket", "the ticket is not valid")
		}
		var err error
		if who, err = h.o.Ticket(r.Context(), secret); err != nil {
			return who, httpapi.NewProblem(http.StatusUnauthorized, "bad_ticket", "the ticket is not valid")
		}
		ambient = false
	} else if who.Token != "" {
		ambient = false
	}
	if who.Person == "" {
		return who, httpapi.NewProblem(http.StatusUnauthorized, "unauthenticated", "a stream needs a signed-in person")
	}
	if !h.originAllowed(r, ambient, upgrade) {
		return who, httpapi.NewProblem(http.StatusForbidden, "cross_origin", "this origin may not open a stream")
	}
	if !h.fresh() {
		return who, stale()
	}
	if h.o.Frozen != nil && h.o.Frozen(who.Person) {
		return who, httpapi.NewProblem(http.StatusUnauthorized, "unauthenticated", "the person has no access")
	}
	return who, nil
}

// originAllowed holds against cross-site WebSocket hijacking (RFC 6455 section 10.2): a browser's Origin must
// be this host or a configured one, whatever the proof. Without one only a proof that no browser adds by
// itself will do; server-sent events, whose answer a foreign page cannot read, look at Sec-Fetch-Site.
func (h *Hub) originAllowed(r *http.Request, ambient, upgrade bool) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		if !ambient {
			return true
		}
		site := r.Header.Get("Sec-Fetch-Site")
		return !upgrade && (site == "" || site == "same-origin" || site == "none")
	}
	if len(origins) > 1 {
		return false
	}
	if slices.Contains(h.o.Origins, origins[0]) {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, r.Host) &&
		u.Path == "" && u.User == nil && u.RawQuery == ""
}

type resumeFrame struct {
	personSeq *int64
	channels  map[id.Channel]int64
}

// resumeOf reads the cursors of a query; the browser's Last-Event-ID is the newest of them.
func resumeOf(r *http.Request) (*resumeFrame, error) {
	q := r.URL.Query()
	out := &resumeFrame{channels: map[id.Channel]int64{}}
	if text := q.Get("person_seq"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return nil, errors.New("person_seq is a number")
		}
		out.personSeq = &n
	}
	for _, cursor := range append(q["cursor"], r.Header.Values("Last-Event-ID")...) {
		channel, text, ok := strings.Cut(cursor, ":")
		n, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || n < 0 || channel == "" || len(channel) > maxIDBytes {
			return nil, errors.New("a cursor is CHANNEL:SEQ")
		}
		out.channels[id.Channel(channel)] = max(n, out.channels[id.Channel(channel)])
	}
	if len(out.channels) > maxCursors {
		return nil, fmt.Errorf("at most %d cursors", maxCursors)
	}
	return out, nil
}

// serve makes a connection of a hijacked socket and runs it in a goroutine of the hub, so that nothing of the
// HTTP server stays in memory.
func (h *Hub) serve(ctx context.Context, who httpapi.Caller, sock net.Conn, reader *bufio.Reader, as wire, start *resumeFrame) {
	early, _ := reader.Peek(reader.Buffered())
	early = slices.Clone(early)
	// Not a child of the request's context: that would keep the HTTP server's buffers alive.
	ctx, cancel := context.WithCancel(httpapi.WithRequest(httpapi.WithCaller(context.Background(), who), httpapi.RequestFrom(ctx)))
	c := &conn{hub: h, name: newName(), who: who, sock: sock, wire: as, cancel: cancel, closed: make(chan struct{})}
	if err := c.prepare(); err != nil {
		h.o.Slog.Error("stream on a connection that is no socket", "error", err)
		sock.Close()
		cancel()
		return
	}
	c.lastRead.Store(time.Now().UnixMicro())
	if err := h.register(c); err != nil {
		c.fail(err)
		c.cut()
		return
	}
	if !h.spawn(func() { c.run(ctx, early, start) }) {
		c.cut()
		h.forget(c)
	}
}

// prepare sets the socket and finds its descriptor.
func (c *conn) prepare() error {
	holder, ok := c.sock.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T", c.sock) // TLS must end before us: a section never waits
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return err
	}
	c.raw = raw
	return raw.Control(func(fd uintptr) {
		c.fd = int(fd)
		unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, c.hub.o.SocketBytes)
		unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((2 * c.hub.o.PingEvery).Milliseconds()))
	})
}

// run is the life of a connection after it was registered.
func (c *conn) run(ctx context.Context, early []byte, start *resumeFrame) {
	defer c.hub.forget(c)
	err := c.begin(ctx, start)
	if err == nil {
		err = c.read(ctx, early)
	}
	if err != nil {
		c.fail(err)
		c.discard()
	}
	c.gate.Lock()
	c.kill()
	c.leave()
	<-c.closed
}

// begin judges what may have changed since the request was admitted, now that revocations reach the connection.
func (c *conn) begin(ctx context.Context, start *resumeFrame) error {
	if alive := c.hub.o.Alive; alive != nil {
		if err := alive(ctx, c.who); err != nil {
			return &closing{ws.StatusPolicyViolation, "the session has ended"}
		}
	}
	if !c.hub.fresh() {
		return &closing{CodeResume, "resume"}
	}
	if frozen := c.hub.o.Frozen; frozen != nil && frozen(c.who.Person) {
		return &closing{ws.StatusPolicyViolation, "the person has no access"}
	}
	c.reply(map[string]any{"op": "hello", "connection": c.name, "at": time.Now().UTC()})
	if start == nil {
		return nil
	}
	return c.resume(ctx, start.personSeq, start.channels)
}

// fail says goodbye with the code that err stands for.
func (c *conn) fail(err error) {
	why := &closing{ws.StatusInternalServerError, "internal"}
	switch {
	case errors.As(err, &why):
	case errors.Is(err, ErrClosed):
		why = &closing{ws.StatusGoingAway, "the server stops"}
	case errors.Is(err, ErrGone), errors.Is(err, context.Canceled):
	default:
		c.hub.o.Slog.Error("stream ended", "connection", c.name, "error", err)
	}
	c.gate.Lock()
	defer c.leave()
	c.shut(why)
}
