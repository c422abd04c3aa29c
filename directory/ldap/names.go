package ldap

import (
	"encoding/hex"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// fold makes a DN comparable: lower case, no blanks around separators, one way of escaping. A text that is no DN
// folds to "".
func fold(dn string) string {
	if isFolded(dn) {
		return dn
	}
	if strings.ContainsAny(dn, `\+"#<>;`) {
		return foldSlow(dn)
	}
	return foldPlain(dn)
}

func foldPlain(dn string) string {
	parts := strings.Split(dn, ",")
	for i, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return ""
		}
		parts[i] = strings.ToLower(strings.TrimSpace(name) + "=" + strings.TrimSpace(value))
	}
	return strings.Join(parts, ",")
}

// isFolded tells of most DNs that are so that they fold to themselves.
func isFolded(dn string) bool {
	named := false // the RDN has a "="
	for i := range len(dn) {
		switch c := dn[i]; {
		case c < ' ', c > '~', 'A' <= c && c <= 'Z', strings.IndexByte(`\+"#<>;`, c) >= 0:
			return false
		case c == ' ':
			if i == 0 || i == len(dn)-1 || strings.IndexByte("=,", dn[i-1]) >= 0 || strings.IndexByte("=,", dn[i+1]) >= 0 {
				return false
			}
		case c == '=':
			named = true
		case c == ',':
			if !named {
				return false
			}
			named = false
		}
	}
	return named
}

func foldSlow(dn string) string {
	d, err := goldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	parts := make([]string, len(d.RDNs))
	for i, rdn := range d.RDNs {
		values := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			values[j] = strings.ToLower(a.Type) + "=" + escapeSeparators(strings.ToLower(strings.TrimSpace(a.Value)))
		}
		slices.Sort(values) // RFC 4514 section 2.2: the values of one RDN have no order
		parts[i] = strings.Join(values, "+")
	}
	return strings.Join(parts, ",")
}

func escapeSeparators(v string) string {
	if !strings.ContainsAny(v, `,+\`) {
		return v
	}
	var b strings.Builder
	for _, c := range []byte(v) {
		if c == ',' || c == '+' || c == '\\' {
			b.WriteString(`\` + hex.EncodeToString([]byte{c}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// above cuts the first RDN off a folded DN; "" at the top.
func above(folded string) string {
	_, parent, _ := strings.Cut(folded, ",")
	return parent
}

// rdnValue answers the value of attribute name in the first RDN of dn; "" where it is another attribute.
func rdnValue(dn, name string) string {
	first := dn
	if !strings.ContainsAny(dn, `\+"#<>;`) {
		first, _, _ = strings.Cut(dn, ",")
		if n, v, ok := strings.Cut(first, "="); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v)
		}
		return ""
	}
	d, err := goldap.ParseDN(dn)
	if err != nil || len(d.RDNs) == 0 {
		return ""
	}
	for _, a := range d.RDNs[0].Attributes {
		if strings.EqualFold(a.Type, name) {
			return a.Value
		}
	}
	return ""
}

// tree finds keys by DN. Several DNs may lead to one key, where an entry was renamed while it was read.
type tree map[string]string

func (t tree) put(dn, key string) {
	if f := fold(dn); f != "" {
		t[f] = key
	}
}

// exact answers the key of the entry dn.
func (t tree) exact(dn string) string { return t[fold(dn)] }

// parent answers the key of the nearest entry above dn.
func (t tree) parent(dn string) string {
	for at := above(fold(dn)); at != ""; at = above(at) {
		if k, ok := t[at]; ok {
			return k
		}
	}
	return ""
}
