package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/elimity-com/scim/schema"
)

// mask takes what is secret out of what the journal keeps of a request: values of attributes that are called like
// passwords, that are written but never answered, and tokens, wherever they stand.
type mask struct {
	words  []string // in lower case: what the name of a secret holds
	never  []string // in lower case: attributes that are never returned
	tokens *regexp.Regexp
}

const (
	masked   = "***"
	maxDepth = 100
)

func newMask(kinds []*kind) mask {
	m := mask{tokens: regexp.MustCompile(`rc[st]_[A-Za-z0-9_-]{8,}`),
		words: []string{"passw", "passphrase", "secret", "credential", "private_key", "privatekey", "api_key", "apikey", "access_token", "accesstoken"}}
	for _, k := range kinds {
		for _, s := range append(slices.Clone(k.extensions), k.core) {
			for _, a := range withSubAttributes(s.Attributes) {
				if a.Returned() == "never" || a.Mutability() == "writeOnly" {
					m.never = append(m.never, strings.ToLower(a.Name()))
				}
			}
		}
	}
	return m
}

func withSubAttributes(attributes schema.Attributes) schema.Attributes {
	all := slices.Clone(attributes)
	for _, a := range attributes {
		all = append(all, a.SubAttributes()...)
	}
	return all
}

// secret tells whether a value of this name, path or parameter is one.
func (m mask) secret(name string) bool {
	name = strings.ToLower(name)
	if slices.ContainsFunc(m.words, func(w string) bool { return strings.Contains(name, w) }) {
		return true
	}
	return slices.Contains(m.never, name[strings.LastIndexAny(name, ":.")+1:])
}

// suspicious tells whether a text may hold a secret; it is asked of every body, and is nearly always wrong.
func (m mask) suspicious(body []byte) bool {
	lower := lowerASCII(body)
	holds := func(w string) bool { return strings.Contains(lower, w) }
	return slices.ContainsFunc(m.words, holds) || slices.ContainsFunc(m.never, holds) || holds(`\u00`) // a letter of ASCII in disguise
}

// lowerASCII is enough for the words looked for, and leaves the rest of a Chinese name alone.
func lowerASCII(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// text takes tokens out.
func (m mask) text(s string) string {
	if !strings.Contains(s, "rcs_") && !strings.Contains(s, "rct_") {
		return s
	}
	return m.tokens.ReplaceAllString(s, masked)
}

// query takes secrets out of a query as sent.
func (m mask) query(raw string) string {
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if lower := strings.ToLower(plain); m.secret(lower) || strings.Contains(lower, "token") {
			pairs[i] = name + "=" + masked
			continue
		}
		if plain, err = url.QueryUnescape(value); err != nil {
			plain = value
		}
		if m.suspicious([]byte(plain)) {
			pairs[i] = name + "=" + masked
		}
	}
	return m.text(strings.Join(pairs, "&"))
}

// body takes secrets out of a body. What is not JSON up to its end is cut where it stops being so, if it may hold one.
// hidden are the texts that were taken out.
func (m mask) body(raw []byte) (out string, hidden []string) {
	if !m.suspicious(raw) {
		return m.text(string(raw)), nil
	}
	s := scrubber{mask: m, raw: raw, d: json.NewDecoder(bytes.NewReader(raw))}
	s.d.UseNumber()
	_, err := s.value(0)
	end := s.d.InputOffset()
	if err == nil && len(bytes.TrimSpace(raw[end:])) == 0 {
		end = int64(len(raw))
	}
	if s.open > 0 { // the text ended within a secret
		s.hide = append(s.hide, span{s.open, max(end, s.open)})
	}
	slices.SortFunc(s.hide, func(a, b span) int { return int(a.from - b.from) })
	var b strings.Builder
	at := int64(0)
	for _, h := range s.hide {
		if h.from < at { // within another
			continue
		}
		b.Write(raw[at:h.from])
		b.WriteString(`"` + masked + `"`)
		hidden = append(hidden, strings.Trim(string(raw[h.from:h.to]), `"`))
		at = h.to
	}
	b.Write(raw[at:max(end, at)])
	if end < int64(len(raw)) {
		b.WriteString("…")
	}
	return m.text(b.String()), hidden
}

type span struct{ from, to int64 }

// scrubber walks through a JSON text and notes where its secrets stand.
type scrubber struct {
	mask
	raw  []byte
	d    *json.Decoder
	hide []span
	open int64 // where the secret begins that the walk is in
}

// value walks over one value and answers it, where it is a text.
func (s *scrubber) value(depth int) (string, error) {
	token, err := s.d.Token()
	if err != nil {
		return "", err
	}
	if text, ok := token.(string); ok {
		return text, nil
	}
	if depth > maxDepth {
		return "", io.ErrUnexpectedEOF
	}
	switch token {
	case json.Delim('['):
		for s.d.More() {
			if _, err := s.value(depth + 1); err != nil {
				return "", err
			}
		}
	case json.Delim('{'):
		if err := s.members(depth); err != nil {
			return "", err
		}
	default:
		return "", nil
	}
	_, err = s.d.Token() // the bracket
	return "", err
}

// members walks over the members of an object. Of a PATCH operation the path says whether its value is a secret, wherever
// it stands.
func (s *scrubber) members(depth int) error {
	var value span
	secretPath := false
	for s.d.More() {
		key, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		from := s.d.InputOffset()
		for from < int64(len(s.raw)) && strings.IndexByte(" \t\r\n:", s.raw[from]) >= 0 {
			from++
		}
		hide := s.secret(key) || secretPath && strings.EqualFold(key, "value")
		if hide && s.open == 0 {
			s.open = from
		}
		text, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		here := span{from, s.d.InputOffset()}
		if hide {
			s.hide = append(s.hide, here)
		}
		if s.open == from {
			s.open = 0
		}
		switch {
		case strings.EqualFold(key, "value"):
			value = here
		case strings.EqualFold(key, "path") && s.secret(text):
			secretPath = true
			if value.to > 0 {
				s.hide = append(s.hide, value)
			}
		}
	}
	return nil
}
