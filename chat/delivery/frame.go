package delivery

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// appendFrame appends a final, unmasked frame (RFC 6455 section 5.2).
func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// appendSSE appends one server-sent event; data holds no line break, as JSON does not.
func appendSSE(dst []byte, id string, data []byte) []byte {
	if id != "" {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	dst = append(dst, "data: "...)
	return append(append(dst, data...), "\n\n"...)
}

// frameEnd answers where the frame that holds offset off ends; buf begins with a frame.
func frameEnd(buf []byte, off int) int {
	at := 0
	for at < off && at+2 <= len(buf) {
		n, head := int(buf[at+1]&0x7f), 2
		switch {
		case n == 126 && at+4 <= len(buf):
			n, head = int(binary.BigEndian.Uint16(buf[at+2:])), 4
		case n == 127 && at+10 <= len(buf):
			n, head = int(binary.BigEndian.Uint64(buf[at+2:])), 10
		}
		at += head + n
	}
	return min(at, len(buf))
}

// closing is why a connection is closed, as the client is told.
type closing struct {
	code   ws.StatusCode
	reason string
}

func (c *closing) Error() string { return fmt.Sprintf("closed with %d: %s", c.code, c.reason) }

// parser takes a client's bytes as they come and gives back whole messages. It holds memory only for
// what has arrived, never for what a header promises.
type parser struct {
	limit int

	deflate bool // compressed messages were agreed on
	packed  bool // the message that is open is one

	head  [14]byte
	have  int // bytes of head
	frame ws.Header
	body  bool // inside a frame's payload
	at    int  // bytes of the payload seen

	open    bool // a fragmented message is open
	op      ws.OpCode
	message []byte
	control []byte
}

// midway tells that a frame or a message has begun and not ended.
func (p *parser) midway() bool { return p.have > 0 || p.body || p.open }

// feed takes b apart and calls emit for each whole message and control frame. frames is called with how many came, or were worth it.
func (p *parser) feed(b []byte, frames func(n int) error, emit func(op ws.OpCode, payload []byte) error) error {
	for len(b) > 0 || p.body && p.at == int(p.frame.Length) {
		if !p.body {
			b = p.header(b)
			if !p.body {
				return nil
			}
			if err := frames(1); err != nil {
				return err
			}
			if err := p.begin(); err != nil {
				return err
			}
			continue
		}
		n := min(len(b), int(p.frame.Length)-p.at)
		part := b[:n]
		b = b[n:]
		if p.frame.OpCode.IsControl() {
			p.control = append(p.control, part...)
			ws.Cipher(p.control[p.at:], p.frame.Mask, p.at)
		} else {
			from := len(p.message)
			p.message = append(p.message, part...)
			ws.Cipher(p.message[from:], p.frame.Mask, p.at)
		}
		if p.at += n; p.at < int(p.frame.Length) {
			return nil
		}
		p.body = false
		if err := p.end(frames, emit); err != nil {
			return err
		}
	}
	return nil
}

// header collects a frame's header and sets body where it is whole.
func (p *parser) header(b []byte) []byte {
	need := func() int {
		if p.have < 2 {
			return 2
		}
		n := 2
		switch p.head[1] & 0x7f {
		case 126:
			n = 4
		case 127:
			n = 10
		}
		if p.head[1]&0x80 != 0 {
			n += 4
		}
		return n
	}
	for p.have < need() {
		if len(b) == 0 {
			return b
		}
		n := copy(p.head[p.have:need()], b)
		p.have += n
		b = b[n:]
	}
	h := ws.Header{Fin: p.head[0]&0x80 != 0, Rsv: p.head[0] >> 4 & 7, OpCode: ws.OpCode(p.head[0] & 0xf), Masked: p.head[1]&0x80 != 0}
	at := 2
	switch n := p.head[1] & 0x7f; n {
	case 126:
		h.Length, at = int64(binary.BigEndian.Uint16(p.head[2:])), 4
	case 127:
		h.Length, at = int64(binary.BigEndian.Uint64(p.head[2:])), 10
	default:
		h.Length = int64(n)
	}
	if h.Masked {
		copy(h.Mask[:], p.head[at:])
	}
	p.frame, p.body, p.at, p.have = h, true, 0, 0
	return b
}

// begin judges a frame by its header alone.
func (p *parser) begin() error {
	state := ws.StateServerSide
	if p.open {
		state = state.Set(ws.StateFragmented)
	}
	if p.frame.OpCode == ws.OpText && !p.open {
		if p.packed = p.deflate && p.frame.Rsv1(); p.packed { // on the first frame of a message alone (RFC 7692 section 6.1)
			p.frame.Rsv = ws.Rsv(false, p.frame.Rsv2(), p.frame.Rsv3())
		}
	}
	if err := ws.CheckHeader(p.frame, state); err != nil {
		return &closing{ws.StatusProtocolError, err.Error()}
	}
	if p.frame.Length < 0 || p.frame.Length > int64(p.limit) || !p.frame.OpCode.IsControl() && int64(len(p.message))+p.frame.Length > int64(p.limit) {
		return &closing{ws.StatusMessageTooBig, fmt.Sprintf("a message may hold %d bytes", p.limit)}
	}
	if p.frame.OpCode == ws.OpBinary {
		return &closing{ws.StatusUnsupportedData, "messages are text"}
	}
	if p.frame.OpCode == ws.OpText {
		p.op = ws.OpText
	}
	return nil
}

func (p *parser) end(frames func(n int) error, emit func(ws.OpCode, []byte) error) error {
	if p.frame.OpCode.IsControl() {
		payload := p.control
		p.control = nil
		return emit(p.frame.OpCode, payload)
	}
	if p.open = !p.frame.Fin; p.open {
		return nil
	}
	payload := p.message
	p.message = nil
	if p.packed {
		var err error
		if payload, err = inflate(payload, p.limit); err != nil {
			return err
		}
		if err = frames(len(payload) / inflateFrame); err != nil {
			return err
		}
	}
	if !utf8.Valid(payload) {
		return &closing{ws.StatusInvalidFramePayloadData, "text is UTF-8"} // RFC 6455 section 8.1
	}
	return emit(p.op, payload)
}
