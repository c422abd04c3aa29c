package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// canonical answers the one text of a JSON value (RFC 8785): names in order, no blanks, no escape that is not needed. A number that is
// no whole one is refused: no document of this package has any.
func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	plain, err := decode(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeCanonical(&b, plain); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: something follows it", ErrFormat)
	}
	return v, nil
}

// asCanonical is ErrFormat where a text is not its value's canonical one, blanks aside: where a name stands twice in an object or a letter is
// written in another way, another reader may see another document than the one that is signed.
func asCanonical(text []byte, v any) error {
	var given, only bytes.Buffer
	if err := json.Compact(&given, text); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := writeCanonical(&only, v); err != nil {
		return err
	}
	if !bytes.Equal(given.Bytes(), only.Bytes()) {
		return fmt.Errorf("%w: it is not in the one form that is signed (RFC 8785): a name stands twice, out of order, or in another spelling", ErrFormat)
	}
	return nil
}

func writeCanonical(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, v)
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") || v.String() == "-0" {
			return fmt.Errorf("%w: %s is no whole number", ErrFormat, v)
		}
		b.WriteString(v.String())
	case string:
		writeString(b, v)
	case []any:
		b.WriteByte('[')
		for i, one := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeCanonical(b, one); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
		b.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, name)
			b.WriteByte(':')
			if err := writeCanonical(b, v[name]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		return fmt.Errorf("%w: %T", ErrFormat, v)
	}
	return nil
}

func writeString(b *bytes.Buffer, s string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	b.WriteByte('"')
	for _, r := range s {
		switch text, is := short[r]; {
		case is:
			b.WriteString(text)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
