package guests

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"wei@acme.example":               {"wei@acme.example", "wei@acme.example", "acme.example"},
		" Wei@ACME.Example ":             {"wei@acme.example", "wei@acme.example", "acme.example"},
		"wei+pumps@acme.example":         {"wei+pumps@acme.example", "wei@acme.example", "acme.example"},
		"wei+a+b@acme.example":           {"wei+a+b@acme.example", "wei@acme.example", "acme.example"},
		"o'neil.x@acme.example":          {"o'neil.x@acme.example", "o'neil.x@acme.example", "acme.example"},
		"wei@BÜCHER.example":             {"wei@xn--bcher-kva.example", "wei@xn--bcher-kva.example", "xn--bcher-kva.example"},
		"wei@xn--bcher-kva.example":      {"wei@xn--bcher-kva.example", "wei@xn--bcher-kva.example", "xn--bcher-kva.example"},
		"wei@асme.example":               {"wei@xn--me-6kc2e.example", "wei@xn--me-6kc2e.example", "xn--me-6kc2e.example"}, // Cyrillic а and с
		"wei@公司.example":                 {"wei@xn--55qx5d.example", "wei@xn--55qx5d.example", "xn--55qx5d.example"},
		strings.Repeat("a", 64) + "@a.b": {strings.Repeat("a", 64) + "@a.b", strings.Repeat("a", 64) + "@a.b", "a.b"},
	} {
		if got, err := ParseAddress(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "wei", "@acme.example", "wei@", "wei@localhost", "wei@acme..example", "wei@.example", "wei@acme.", "wеi@acme.example", "wei wu@acme.example",
		"wei@acme.example@evil.example", "+pumps@acme.example", ".wei@acme.example", "wei.@acme.example", "we..i@acme.example", "wei\n@acme.example", "\"wei\"@acme.example", "wei@acme_x.example",
		"wei@acme.example\x00", strings.Repeat("a", 65) + "@a.b", "wei@" + strings.Repeat("a.", 130) + "example", "<wei@acme.example>", "wei@[127.0.0.1]", "wei@ acme.example", "wei@" + strings.Repeat("a", 64) + ".example"} {
		if got, err := ParseAddress(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is taken for %+v (%v)", text, got, err)
		}
	}
}

// Whatever is an address is the same when it is read again.
func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"wei@acme.example", "Wei+X@BÜCHER.example", "wеi@acme.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		again, err := ParseAddress(a.Text)
		if err != nil || again != a {
			t.Errorf("%q is %+v, and that again %+v (%v)", text, a, again, err)
		}
		if key, err := ParseAddress(a.Key); err != nil || key.Key != a.Key {
			t.Errorf("%q is who %q, who is %+v (%v)", text, a.Key, key, err)
		}
	})
}

// Who has no e-mail address is known by a number with its country, however it is written.
func TestParseNumber(t *testing.T) {
	for text, want := range map[string]string{"+8613800138000": "+8613800138000", " +86 138-0013 8000": "+8613800138000", "+1 (555) 010.0000": "+15550100000"} {
		if got, err := ParseAddress(text); err != nil || got.Text != want || got.Key != want || got.Domain != "" {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"+", "13800138000", "008613800138000", "+012345678", "+123456", "+1234567890123456", "+86138x0138000", "+86１３８００１３８０００", "++8613800138000", "+8613800138000\n1"} {
		if got, err := ParseAddress(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is taken for %+v (%v)", text, got, err)
		}
	}
}
