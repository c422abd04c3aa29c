package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decode reads one JSON object. Numbers keep their digits.
func decode(body []byte) (resource, error) {
	if !utf8.Valid(body) { // RFC 7644 section 3.8; the decoder would put U+FFFD in
		return nil, invalidSyntax("The body is not UTF-8 text.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object resource
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, invalidSyntax("The body is not a JSON object.")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalidSyntax("The body holds more than one JSON value.")
	}
	if err := checkTexts(body); err != nil {
		return nil, err
	}
	if deeper(object, maxNesting) { // SQLite reads no JSON of more than 1000 levels
		return nil, invalidValue("The body is nested deeper than %d levels.", maxNesting)
	}
	if hasNUL(object) {
		return nil, invalidValue("A text holds the character U+0000.")
	}
	return object, nil
}

// maxNesting bounds the levels of a body.
const maxNesting = 100

// deeper tells whether v has more than limit levels.
func deeper(v any, limit int) bool {
	if limit < 0 {
		return true
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if deeper(e, limit-1) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if deeper(e, limit-1) {
				return true
			}
		}
	}
	return false
}

// hasNUL looks for U+0000, which PostgreSQL cannot keep in a text.
func hasNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.IndexByte(v, 0) >= 0
	case []any:
		for _, e := range v {
			if hasNUL(e) {
				return true
			}
		}
	case map[string]any:
		for key, e := range v {
			if hasNUL(key) || hasNUL(e) {
				return true
			}
		}
	}
	return false
}

// checkTexts refuses, in a body that is JSON, what readers of JSON disagree on (RFC 8259 sections 4 and 8.2): a name that an
// object has twice, and an escaped half of a character, in whose place the decoder puts U+FFFD.
func checkTexts(body []byte) error {
	var open []map[string]bool // by level the names of an object; nil of a list
	name := false              // the next text is one
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			open, name = append(open, map[string]bool{}), true
		case '[':
			open, name = append(open, nil), false
		case '}', ']':
			open, name = open[:len(open)-1], false
		case ',':
			name = len(open) > 0 && open[len(open)-1] != nil
		case '"':
			end := closing(body, i)
			if end < 0 {
				return invalidSyntax("The body is not a JSON object.")
			}
			text := body[i+1 : end-1]
			if bytes.IndexByte(text, '\\') >= 0 {
				if halfCharacter(text) {
					return invalidSyntax("A text holds an escaped half of a character (a surrogate without the other).")
				}
				var plain string
				if json.Unmarshal(body[i:end], &plain) == nil {
					text = []byte(plain)
				}
			}
			if names := open[len(open)-1]; name && names[string(text)] {
				return invalidSyntax("An object has the member %.100s twice.", text)
			} else if name {
				names[string(text)], name = true, false
			}
			i = end - 1
		}
	}
	return nil
}

// halfCharacter looks for \uD800 to \uDFFF without the other half.
func halfCharacter(text []byte) bool {
	unit := func(i int) (rune, bool) {
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		return rune(n), err == nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r, ok := unit(i)
		if !ok {
			i++ // of an escape of one character
			continue
		}
		if i += 5; utf16.IsSurrogate(r) {
			second, _ := unit(i + 1)
			if utf16.DecodeRune(r, second) == unicode.ReplacementChar {
				return true
			}
			i += 6
		}
	}
	return false
}
