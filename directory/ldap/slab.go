package ldap

import "strings"

// This file holds a great many small things in few allocations, so that the collector, which goes over all of a space again and again while a large
// directory is read, finds few of them. What was handed out stays as long as anything near it does: it is for what mostly stays.

// slab hands out things that are empty.
type slab[T any] struct{ rest []T }

const slabSize = 128

func (s *slab[T]) next() *T {
	if len(s.rest) == 0 {
		s.rest = make([]T, slabSize)
	}
	v := &s.rest[0]
	s.rest = s.rest[1:]
	return v
}

// shelf keeps texts one behind the other.
type shelf struct{ b strings.Builder }

const shelfSize = 32 << 10

func (s *shelf) keep(text string) string {
	s.room(len(text))
	at := s.b.Len()
	s.b.WriteString(text)
	return s.b.String()[at:]
}

func (s *shelf) keepRaw(raw []byte) string {
	s.room(len(raw))
	at := s.b.Len()
	s.b.Write(raw)
	return s.b.String()[at:]
}

// room begins anew where n bytes would not fit: what is written never moves.
func (s *shelf) room(n int) {
	if s.b.Cap()-s.b.Len() < n {
		s.b.Reset()
		s.b.Grow(max(n, shelfSize))
	}
}
