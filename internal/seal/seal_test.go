package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const secret = "s3cr3t canary with 中文 and \"quotes\"\\"

func newKey(t testing.TB) (*Key, string, string) {
	t.Helper()
	file, recipient, err := Generate(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Recipients(); len(got) != 1 || got[0] != recipient || !strings.Contains(file, "# public key: "+recipient) {
		t.Fatalf("recipients %v, file %s", got, file)
	}
	return key, recipient, file
}

func TestSeal(t *testing.T) {
	key, recipient, file := newKey(t)
	other, otherRecipient, otherFile := newKey(t)
	sealed, err := Seal(secret, recipient)
	if err != nil || !Sealed(sealed) || strings.ContainsAny(sealed, "\n ") || strings.Contains(sealed, "canary") {
		t.Fatalf("%q %v", sealed, err)
	}
	if again, err := Seal(secret, recipient); err != nil || again == sealed {
		t.Error("the same secret gives the same text twice")
	}
	both, err := Parse(otherFile + "\r\n" + file)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*Key{"its key": key, "one of two": both} {
		if got, err := k.Open(" " + sealed + "\n"); err != nil || got != secret {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	forTwo, err := Seal(secret, recipient, otherRecipient)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Open(forTwo); err != nil || got != secret {
		t.Errorf("sealed for two: %q %v", got, err)
	}
	if got, err := other.Open(sealed); !errors.Is(err, ErrOther) || got != "" {
		t.Errorf("another's: %q %v", got, err)
	}
}

// What the age program writes is opened, with the prefix and without.
func TestArmour(t *testing.T) {
	key, _, _ := newKey(t)
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, key.identities[0].(*age.X25519Identity).Recipient())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, secret)
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{b.String(), "age:" + b.String(), "\n" + strings.ReplaceAll(b.String(), "\n", "\r\n")} {
		if got, err := key.Open(text); !Sealed(text) || err != nil || got != secret {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	key, recipient, file := newKey(t)
	sealed, err := Seal(secret, recipient)
	if err != nil {
		t.Fatal(err)
	}
	last := len(sealed) - 8
	for name, text := range map[string]string{"empty": "age:", "no base64": "age:***", "no age file": "age:aGVsbG8=", "cut": sealed[:len(sealed)-12],
		"altered": sealed[:last] + map[bool]string{true: "B", false: "A"}[sealed[last] == 'A'] + sealed[last+1:], "armour without an end": armor.Header + "\nYWdl\n"} {
		if got, err := key.Open(text); err == nil || got != "" || strings.Contains(err.Error(), "canary") || len(text) > 8 && strings.Contains(err.Error(), text[4:]) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for _, text := range []string{"", "# nothing\n", "AGE-SECRET-KEY-1canary", strings.ToLower(file), recipient} {
		if _, err := Parse(text); !errors.Is(err, ErrIdentity) || strings.Contains(err.Error(), "canary") {
			t.Errorf("identity %q: %v", text, err)
		}
	}
	for _, to := range [][]string{nil, {""}, {"age1canary"}, {recipient, "age1canary"}, {strings.TrimSpace(file)}} {
		if _, err := Seal(secret, to...); !errors.Is(err, ErrRecipient) {
			t.Errorf("for %v: %v", to, err)
		}
	}
	for _, text := range []string{"", strings.Repeat("x", maxSecret+1)} {
		if _, err := Seal(text, recipient); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	if s, err := Seal(strings.Repeat("x", maxSecret), recipient); err != nil {
		t.Error(err)
	} else if got, err := key.Open(s); err != nil || len(got) != maxSecret {
		t.Errorf("the longest: %d %v", len(got), err)
	}
	if text := fmt.Sprintf("%v %+v", key, key); strings.Contains(text, "AGE-SECRET") {
		t.Error("a key prints itself")
	}
}

func FuzzOpen(f *testing.F) {
	key, recipient, _ := newKey(f)
	sealed, err := Seal("x", recipient)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(armor.Header + "\nYWdlLWVuY3J5cHRpb24ub3JnL3Yx\n" + armor.Footer)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := key.Open(text); err == nil && got != "x" {
			t.Errorf("%q was opened: %q", text, got)
		}
	})
}
