package delivery

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

const (
	deflateFrom  = 128      // bytes of a message below which compressing it is not worth the work
	inflateFrame = 16 << 10 // bytes of what a client compressed that count as one frame against its rate: a few bytes make very many
)

// flushed ends what a flush of DEFLATE wrote, and does not travel (RFC 7692 section 7.2.1).
var flushed = []byte{0x00, 0x00, 0xff, 0xff}

// compression negotiates permessage-deflate (RFC 7692) where neither side keeps a window from one message to the next (section 7.1.1):
// a message is compressed once for all its receivers, a connection costs no memory, and no message's length tells of another.
type compression struct{ wsflate.Extension }

func (c *compression) negotiate(offer httphead.Option) (httphead.Option, error) {
	c.Parameters = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	accepted, err := c.Negotiate(offer)
	if err != nil {
		return httphead.Option{}, nil // an offer that makes no sense is declined, and the next one looked at (section 5.1)
	}
	return accepted, nil
}

type compressor struct {
	out bytes.Buffer
	*flate.Writer
}

var (
	compressors = sync.Pool{New: func() any {
		c := new(compressor)
		c.Writer, _ = flate.NewWriter(&c.out, flate.BestSpeed) // it knows this level
		return c
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

// appendDeflated appends a text message as one compressed frame, or as it is where that is not shorter.
func appendDeflated(dst, payload []byte) []byte {
	if len(payload) < deflateFrom {
		return appendFrame(dst, ws.OpText, payload)
	}
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.out.Reset()
	c.Reset(&c.out)
	c.Write(payload) // neither fails: it writes to memory
	c.Flush()
	short := bytes.TrimSuffix(c.out.Bytes(), flushed)
	if len(short) >= len(payload) {
		return appendFrame(dst, ws.OpText, payload)
	}
	at := len(dst)
	dst = appendFrame(dst, ws.OpText, short)
	dst[at] |= 0x40 // RSV1: compressed (section 6)
	return dst
}

// inflate answers a client's compressed message of at most limit bytes.
func inflate(payload []byte, limit int) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	// the end of a flush that did not travel, and an empty last block, so that the reader sees an end
	whole := io.MultiReader(bytes.NewReader(payload), bytes.NewReader(flushed), bytes.NewReader([]byte{0x01, 0x00, 0x00, 0xff, 0xff}))
	if err := r.(flate.Resetter).Reset(whole, nil); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &closing{ws.StatusInvalidFramePayloadData, "what is compressed is DEFLATE"}
	case err != nil:
		return nil, err
	case len(out) > limit:
		return nil, &closing{ws.StatusMessageTooBig, fmt.Sprintf("a message may hold %d bytes", limit)}
	}
	return out, nil
}
