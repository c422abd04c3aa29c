package demo

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// The filter choices of RFC 4511 section 4.5.1.
const (
	filterAnd = iota
	filterOr
	filterNot
	filterEqual
	filterSubstrings
	filterGreater
	filterLess
	filterPresent
	filterApprox
	filterExtensible
)

const maxFilterDepth = 64

// verdict is the three-valued logic of RFC 4511 section 4.5.1.7.
type verdict int

const (
	undefined verdict = iota
	no
	yes
)

func truth(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

// match evaluates a filter on the attributes that lookup answers.
func match(f *ber.Packet, lookup func(string) []string, depth int) verdict {
	if f == nil || depth > maxFilterDepth {
		return undefined
	}
	switch int(f.Tag) {
	case filterAnd, filterOr:
		start, stop := yes, no
		if f.Tag == filterOr {
			start, stop = no, yes
		}
		result := start
		for _, child := range f.Children {
			switch v := match(child, lookup, depth+1); v {
			case stop:
				return stop
			case undefined:
				result = undefined
			}
		}
		return result
	case filterNot:
		switch match(child(f, 0), lookup, depth+1) {
		case yes:
			return no
		case no:
			return yes
		}
		return undefined
	case filterPresent:
		return truth(len(lookup(text(f))) > 0 || strings.EqualFold(text(f), "objectClass"))
	case filterSubstrings:
		return truth(slices.ContainsFunc(lookup(text(child(f, 0))), func(v string) bool { return substrings(child(f, 1), v) }))
	case filterExtensible:
		return extensible(f, lookup)
	case filterEqual, filterApprox, filterGreater, filterLess:
		want := text(child(f, 1))
		return truth(slices.ContainsFunc(lookup(text(child(f, 0))), func(v string) bool {
			switch int(f.Tag) {
			case filterGreater:
				return compare(v, want) >= 0
			case filterLess:
				return compare(v, want) <= 0
			}
			return same(v, want)
		}))
	}
	return undefined
}

func substrings(parts *ber.Packet, value string) bool {
	if parts == nil {
		return false
	}
	value = strings.ToLower(value)
	for _, p := range parts.Children {
		piece := strings.ToLower(text(p))
		switch p.Tag {
		case 0: // initial
			rest, ok := strings.CutPrefix(value, piece)
			if !ok {
				return false
			}
			value = rest
		case 1: // any
			_, rest, ok := strings.Cut(value, piece)
			if !ok {
				return false
			}
			value = rest
		default: // final
			if !strings.HasSuffix(value, piece) {
				return false
			}
		}
	}
	return true
}

// extensible knows equality under any rule but the bit rules of Active Directory, which it also knows.
func extensible(f *ber.Packet, lookup func(string) []string) verdict {
	var rule, name, want string
	for _, p := range f.Children {
		switch p.Tag {
		case 1:
			rule = text(p)
		case 2:
			name = text(p)
		case 3:
			want = text(p)
		}
	}
	if name == "" {
		return undefined
	}
	return truth(slices.ContainsFunc(lookup(name), func(v string) bool {
		bits, err1 := strconv.ParseInt(want, 10, 64)
		have, err2 := strconv.ParseInt(v, 10, 64)
		switch {
		case rule == "1.2.840.113556.1.4.803":
			return err1 == nil && err2 == nil && have&bits == bits
		case rule == "1.2.840.113556.1.4.804":
			return err1 == nil && err2 == nil && have&bits != 0
		case rule == "2.5.13.5": // caseExactMatch
			return v == want
		}
		return same(v, want)
	}))
}

// compare orders whole numbers by value and everything else, generalized times too, as text.
func compare(a, b string) int {
	x, err1 := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// child answers the i-th part of p, or nil: requests come from outside and may lack any part.
func child(p *ber.Packet, i int) *ber.Packet {
	if p == nil || i >= len(p.Children) {
		return nil
	}
	return p.Children[i]
}

func text(p *ber.Packet) string {
	if p == nil || p.Data == nil {
		return ""
	}
	return p.Data.String()
}

func number(p *ber.Packet) int64 {
	if p == nil || p.Data == nil || p.Data.Len() > 8 {
		return -1
	}
	n, err := ber.ParseInt64(p.Data.Bytes())
	if err != nil {
		return -1
	}
	return n
}
