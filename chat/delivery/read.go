package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	readBytes  = 4 << 10
	maxCursors = 5000
	maxIDBytes = 64

	typingEvery = time.Second
)

type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[readBytes]byte {
	if got, ok := b.pool.Get().(*[readBytes]byte); ok {
		return got
	}
	return new([readBytes]byte)
}

// receive waits until the client sent something. A buffer is taken only then, so an idle connection has none.
// io.EOF where the client ended its side.
func (c *conn) receive() (buf *[readBytes]byte, n int, err error) {
	var problem error
	err = c.raw.Read(func(fd uintptr) bool {
		buf = c.hub.buffers.get()
		for {
			if n, problem = syscall.Read(int(fd), buf[:]); problem != syscall.EINTR {
				break
			}
		}
		if problem != nil {
			c.hub.buffers.pool.Put(buf)
			buf = nil
		}
		return problem != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return nil, 0, err
	case problem != nil:
		return nil, 0, problem
	case n == 0:
		c.hub.buffers.pool.Put(buf)
		return nil, 0, io.EOF
	}
	return buf, n, nil
}

// read serves the client until it or we end the connection. nil: there is nobody to say goodbye to.
func (c *conn) read(ctx context.Context, early []byte) error {
	p := &parser{limit: c.hub.o.MessageBytes, deflate: c.wire == deflated}
	limiter := rate.NewLimiter(c.hub.o.FrameRate, c.hub.o.FrameBurst)
	frames := func(n int) error {
		if !limiter.AllowN(time.Now(), n) {
			return &closing{ws.StatusPolicyViolation, "too many frames"}
		}
		return nil
	}
	emit := func(op ws.OpCode, payload []byte) error { return c.take(ctx, op, payload) }
	feed := func(b []byte) error {
		if c.wire == sse {
			return nil // nothing is expected
		}
		err := p.feed(b, frames, emit)
		if !p.midway() {
			c.begun.Store(0)
		} else if c.begun.Load() == 0 {
			c.begun.Store(time.Now().UnixMicro())
		}
		return err
	}
	if err := feed(early); err != nil {
		return err
	}
	for {
		buf, n, err := c.receive()
		if err != nil {
			if c.ending() {
				c.parted(errors.Is(err, io.EOF))
			}
			return nil
		}
		c.lastRead.Store(time.Now().UnixMicro())
		if !c.ending() {
			err = feed(buf[:n])
		}
		c.hub.buffers.pool.Put(buf)
		if err != nil {
			return err
		}
	}
}

// discard reads what still comes after a goodbye, so that closing does not reset it away.
func (c *conn) discard() {
	for {
		buf, _, err := c.receive()
		if err != nil {
			c.parted(errors.Is(err, io.EOF))
			return
		}
		c.hub.buffers.pool.Put(buf)
	}
}

func (c *conn) ending() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	return c.state >= closingDown
}

// parted notes that the client closed after it was told: it has all it will have, no reset is needed.
func (c *conn) parted(agreed bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.graceful = agreed && c.state == closingDown && len(c.queue) == 0
}

// take handles one message or control frame.
func (c *conn) take(ctx context.Context, op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpText:
		return c.request(ctx, payload)
	case ws.OpPing:
		c.gate.Lock()
		defer c.leave()
		if c.state < closingDown {
			c.put(nil, 0, appendFrame(nil, ws.OpPong, payload))
		}
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		if len(payload) == 0 {
			code = ws.StatusNormalClosure
		} else if len(payload) == 1 || ws.CheckCloseFrameData(code, reason) != nil {
			return &closing{ws.StatusProtocolError, "invalid close frame"}
		}
		return &closing{code, ""}
	}
	return nil
}

// frameIn is what a client may send.
type frameIn struct {
	Op        string               `json:"op"`
	PersonSeq *int64               `json:"person_seq"`
	Channels  map[id.Channel]int64 `json:"channels"`
	Channel   id.Channel           `json:"channel"`
	Seq       int64                `json:"seq"`
	ClientID  string               `json:"client_id"`
	Kind      string               `json:"kind"`
	Text      string               `json:"text"`
	Language  string               `json:"language"`
}

type frameError struct {
	Op       string     `json:"op"`
	Code     string     `json:"code"`
	Detail   string     `json:"detail,omitempty"`
	For      string     `json:"for,omitempty"`
	Channel  id.Channel `json:"channel,omitempty"`
	ClientID string     `json:"client_id,omitempty"`
}

// request handles one JSON frame. What is wrong with it is answered; only a broken connection is an error.
func (c *conn) request(ctx context.Context, payload []byte) error {
	var in frameIn
	if err := json.NewDecoder(bytes.NewReader(payload)).Decode(&in); err != nil {
		c.reply(frameError{Op: "error", Code: "bad_frame", Detail: "frames are JSON objects with an op"})
		return nil
	}
	refuse := func(code, detail string) {
		c.reply(frameError{Op: "error", Code: code, Detail: detail, For: in.Op, Channel: in.Channel, ClientID: in.ClientID})
	}
	if len(in.Channel) > maxIDBytes || len(in.Channels) > maxCursors || len(in.ClientID) > 4*maxIDBytes {
		in.Channel, in.ClientID = "", ""
		refuse("bad_frame", "an id or a list of cursors is too long")
		return nil
	}
	if !c.hub.fresh() {
		return &closing{CodeResume, "resume"}
	}
	switch in.Op {
	case "ping":
		c.reply(map[string]any{"op": "pong", "at": time.Now().UTC()})
	case "resume":
		for channel, seq := range in.Channels {
			if seq < 0 || len(channel) > maxIDBytes {
				refuse("bad_frame", "a cursor is a channel's id and a seq of zero or more")
				return nil
			}
		}
		return c.resume(ctx, in.PersonSeq, in.Channels)
	case "send":
		sent, err := c.hub.o.Inbox.Send(ctx, c.who, Send{Channel: in.Channel, ClientID: in.ClientID, Kind: in.Kind, Text: in.Text, Language: in.Language})
		if err != nil {
			refuse(c.hub.o.Inbox.Problem(err))
			return nil
		}
		return c.confirm(ctx, in, sent)
	case "read":
		if err := c.hub.o.Inbox.Read(ctx, c.who, in.Channel, in.Seq); err != nil {
			refuse(c.hub.o.Inbox.Problem(err))
		}
	case "typing":
		if ok, _ := c.hub.o.Gate.Allow(c.who.Person, in.Channel, Post); !ok {
			refuse("not_found", NotFound)
			return nil
		}
		if now := time.Now(); now.Sub(c.typed) >= typingEvery {
			c.typed = now
			c.hub.Typing(in.Channel, c.who.Person)
		}
	case "ack": // taken from every client; receipts of delivery are not kept yet
	default:
		refuse("bad_frame", "unknown op")
	}
	return nil
}

// confirm tells a sender where the message stands, also where it was a retry.
func (c *conn) confirm(ctx context.Context, in frameIn, sent Sent) error {
	data, err := json.Marshal(map[string]any{"op": "sent", "channel": in.Channel, "client_id": in.ClientID, "id": sent.Message, "seq": sent.Seq})
	if err != nil {
		return err
	}
	_, err = c.answer(ctx, c.hub.room(in.Channel), "", time.Time{}, data)
	return err
}
