package ldap

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"io"
)

// spool holds entries in few bytes until a reading is known to be complete: a first reading holds all of them. It is quick for who asks for them
// in the order in which they came.
type spool struct {
	packed [][]byte // full blocks
	last   []byte   // what is not packed yet
	names  []string
	byName map[string]uint64

	pack   *flate.Writer
	unpack io.ReadCloser
	open   int    // the packed block that is in page, counted from 1
	page   []byte // as it was
}

// spooled says where in a spool an entry lies.
type spooled struct{ block, at uint32 }

func (w spooled) compare(o spooled) int {
	return cmp.Or(cmp.Compare(w.block, o.block), cmp.Compare(w.at, o.at))
}

const spoolBlock = 128 << 10

func (s *spool) put(o Object) spooled {
	if len(s.last) > spoolBlock-4096 {
		s.close()
	}
	if s.last == nil {
		s.last = make([]byte, 0, 4096)
	}
	b, at := s.last, len(s.last)
	text := func(v string) {
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	text(o.Key)
	text(o.DN)
	b = binary.AppendUvarint(b, uint64(len(o.Attrs)))
	for name, values := range o.Attrs {
		b = binary.AppendUvarint(b, s.number(name))
		b = binary.AppendUvarint(b, uint64(len(values)))
		for _, v := range values {
			text(v)
		}
	}
	s.last = b
	return spooled{uint32(len(s.packed)), uint32(at)}
}

// close packs the last block.
func (s *spool) close() {
	var out bytes.Buffer
	if s.pack == nil {
		s.pack, _ = flate.NewWriter(nil, flate.BestSpeed) // fails for other levels only
	}
	s.pack.Reset(&out)
	_, _ = s.pack.Write(s.last) // into memory
	_ = s.pack.Close()
	s.packed = append(s.packed, bytes.Clone(out.Bytes()))
	s.last = s.last[:0]
}

// block answers the bytes of a block.
func (s *spool) block(i int) []byte {
	if i == len(s.packed) {
		return s.last
	}
	if s.open == i+1 {
		return s.page
	}
	from := bytes.NewReader(s.packed[i])
	if s.unpack == nil {
		s.unpack = flate.NewReader(from)
	} else {
		_ = s.unpack.(flate.Resetter).Reset(from, nil)
	}
	page := bytes.NewBuffer(s.page[:0])
	_, _ = page.ReadFrom(s.unpack) // what close packed
	s.page, s.open = page.Bytes(), i+1
	return s.page
}

func (s *spool) number(name string) uint64 {
	if s.byName == nil {
		s.byName = map[string]uint64{}
	}
	n, ok := s.byName[name]
	if !ok {
		n = uint64(len(s.names))
		s.names, s.byName[name] = append(s.names, name), n
	}
	return n
}

func (s *spool) get(class Class, where spooled) Object {
	b := s.block(int(where.block))[where.at:]
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	text := func() string {
		n := number()
		v := string(b[:n])
		b = b[n:]
		return v
	}
	o := Object{Class: class, Key: text(), DN: text()}
	n := number()
	o.Attrs = make(map[string][]string, n)
	for range n {
		name := s.names[number()]
		values := make([]string, number())
		for i := range values {
			values[i] = text()
		}
		o.Attrs[name] = values
	}
	return o
}
