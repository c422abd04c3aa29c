package ldap

import "encoding/binary"

// spool holds entries in few bytes until a reading is known to be complete: a first reading holds all of them.
type spool struct {
	blocks [][]byte
	names  []string
	byName map[string]uint64
}

// spooled says where in a spool an entry lies.
type spooled struct{ block, at uint32 }

const spoolBlock = 1 << 20

func (s *spool) put(o Object) spooled {
	if n := len(s.blocks); n == 0 || len(s.blocks[n-1]) > spoolBlock-4096 {
		s.blocks = append(s.blocks, make([]byte, 0, spoolBlock))
	}
	i := len(s.blocks) - 1
	b, at := s.blocks[i], len(s.blocks[i])
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
	s.blocks[i] = b
	return spooled{uint32(i), uint32(at)}
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
	b := s.blocks[where.block][where.at:]
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
