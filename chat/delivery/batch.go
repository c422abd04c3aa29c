package delivery

import (
	"strconv"

	"github.com/gobwas/ws"
)

// wire is how a connection takes what is sent to it.
type wire uint8

const (
	plain    wire = iota // WebSocket
	deflated             // WebSocket, compressed where that was agreed on
	sse                  // server-sent events
	wires
)

// append appends data as one frame or event; name is the cursor that server-sent events carry.
func (w wire) append(dst []byte, name string, data []byte) []byte {
	switch w {
	case sse:
		return appendSSE(dst, name, data)
	case deflated:
		return appendDeflated(dst, data)
	}
	return appendFrame(dst, ws.OpText, data)
}

// batch is what a room sends next: the frames of events in order, then what has no seq. Its bytes are made once for all receivers of one wire, when the first of them is met.
type batch struct {
	events []Event
	typing [][]byte
	last   int64
	bytes  [wires][]byte
	ends   [wires][]int // where each event's frame ends
}

func newBatch(events []Event, typing [][]byte) *batch {
	b := &batch{events: events, typing: typing}
	if len(events) > 0 {
		b.last = events[len(events)-1].Seq
	}
	return b
}

// from answers the bytes without the first skip events, and the instant of the oldest event in them.
func (b *batch) from(skip int, as wire) ([]byte, int64) {
	if b.bytes[as] == nil {
		b.encode(as)
	}
	buf := b.bytes[as]
	var at int64
	if skip < len(b.events) {
		at = b.events[skip].At.UnixMicro()
	}
	if skip > 0 {
		buf = buf[b.ends[as][skip-1]:]
	}
	return buf, at
}

func (b *batch) encode(as wire) {
	size, ends := 0, make([]int, len(b.events))
	for _, e := range b.events {
		size += len(e.Data) + 10
	}
	buf := make([]byte, 0, size)
	for i, e := range b.events {
		buf = as.append(buf, string(e.Channel)+":"+strconv.FormatInt(e.Seq, 10), e.Data)
		ends[i] = len(buf)
	}
	for _, data := range b.typing {
		buf = as.append(buf, "", data)
	}
	b.bytes[as], b.ends[as] = buf, ends
}
