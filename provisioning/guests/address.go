package guests

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

const (
	localMost  = 64 // RFC 5321 section 4.5.3.1.1
	domainMost = 253
	labelMost  = 63 // RFC 1035 section 2.3.4
)

// Domain answers a domain in the one form in which domains are compared: lower case, and each label that is not ASCII as its A-label (RFC 5891). ErrInvalid for what is
// no domain of the Internet, with a dot.
func Domain(text string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSpace(text)))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %q is no domain: %v", ErrInvalid, text, err)
	case !strings.Contains(ascii, ".") || len(ascii) > domainMost || slices.ContainsFunc(strings.Split(ascii, "."), func(label string) bool { return label == "" || len(label) > labelMost }):
		return "", fmt.Errorf("%w: %q is no domain", ErrInvalid, text)
	}
	return ascii, nil
}

// Address is an e-mail address, or the number of somebody who has none, in the one form in which addresses are compared.
type Address struct {
	Text   string // lower case, domain as A-labels; where mail goes. A number as E.164 has it: +8613800138000
	Key    string // the same without the tag behind a plus sign: who it is
	Domain string // empty for a number
}

// number tells whether the text of an Address is a number: no e-mail address begins with a plus sign here.
func number(text string) bool { return strings.HasPrefix(text, "+") }

const (
	digitsLeast = 7
	digitsMost  = 15 // ITU-T E.164 section 6.2.1
)

func parseNumber(text string) (Address, error) {
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "").Replace(text[1:])
	if len(digits) < digitsLeast || len(digits) > digitsMost || digits[0] == '0' || strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return Address{}, fmt.Errorf("%w: %q is no number with its country, as +8613800138000", ErrInvalid, text)
	}
	return Address{Text: "+" + digits, Key: "+" + digits}, nil
}

// ParseAddress reads an e-mail address, or a number that begins with a plus sign. What is before the @ is lower case ASCII then: a letter of another alphabet that looks like it is somebody else.
// ErrInvalid.
func ParseAddress(text string) (Address, error) {
	text = strings.TrimSpace(text)
	if number(text) && !strings.Contains(text, "@") {
		return parseNumber(text)
	}
	at := strings.LastIndex(text, "@")
	if at < 1 || strings.TrimSpace(text[at+1:]) != text[at+1:] {
		return Address{}, fmt.Errorf("%w: %q is no e-mail address", ErrInvalid, text)
	}
	local := strings.ToLower(text[:at])
	domain, err := Domain(text[at+1:])
	if err != nil {
		return Address{}, err
	}
	name, _, _ := strings.Cut(local, "+")
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) // RFC 5322 section 3.2.3: dot-atom
	}
	if name == "" || len(local) > localMost || strings.ContainsFunc(local, func(r rune) bool { return !plain(r) }) ||
		strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return Address{}, fmt.Errorf("%w: %q is no e-mail address in plain letters, digits and signs", ErrInvalid, text)
	}
	return Address{Text: local + "@" + domain, Key: name + "@" + domain, Domain: domain}, nil
}
