// Package seal keeps secrets of a configuration sealed with age (age-encryption.org/v1): who reads the file, or a copy of it,
// reads nothing without the identity, which is kept apart.
//
// It guarantees that no error holds a secret, an identity or a sealed text. It owns no file and logs nothing.
package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Prefix begins a sealed text: behind it stands an age file, in base64 or as ASCII armour.
const Prefix = "age:"

// What can be wrong with a sealed text or an identity.
var (
	ErrOther     = errors.New("it was sealed for another identity")
	ErrDamaged   = errors.New("it is not whole: seal it again")
	ErrIdentity  = errors.New("this is no identity of age: a line AGE-SECRET-KEY-…, as `rollcall config keygen` writes")
	ErrRecipient = errors.New("this is no recipient of age: age1…, as `rollcall config keygen` prints")
	ErrSize      = errors.New("a secret has 1 byte to 64 KiB")
)

const maxSecret = 64 << 10

// Sealed tells whether text is sealed.
func Sealed(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, Prefix) || strings.HasPrefix(text, armor.Header)
}

// Key opens what was sealed for it. Nothing prints it.
type Key struct{ identities []age.Identity }

// Parse reads identities, one in a line, as age-keygen writes them; lines with # are comments.
func Parse(text string) (*Key, error) {
	identities, err := age.ParseIdentities(strings.NewReader(strings.ReplaceAll(text, "\r\n", "\n")))
	if err != nil {
		return nil, ErrIdentity // the text of err may quote the line
	}
	return &Key{identities: identities}, nil
}

// Generate makes an identity and answers the file to keep it in and the recipient to seal for.
func Generate(now time.Time) (file, recipient string, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	recipient = identity.Recipient().String()
	return fmt.Sprintf("# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), recipient, identity), recipient, nil
}

// Recipients answers for whom to seal, so that k can open it.
func (k *Key) Recipients() []string {
	var out []string
	for _, identity := range k.identities {
		switch one := identity.(type) {
		case *age.X25519Identity:
			out = append(out, one.Recipient().String())
		case *age.HybridIdentity:
			out = append(out, one.Recipient().String())
		}
	}
	return out
}

// Open answers the secret in a sealed text.
func (k *Key) Open(text string) (string, error) {
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), Prefix))
	var in io.Reader = armor.NewReader(strings.NewReader(text))
	if !strings.HasPrefix(text, armor.Header) {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return "", ErrDamaged
		}
		in = bytes.NewReader(raw)
	}
	opened, err := age.Decrypt(in, k.identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return "", ErrOther
	}
	if err != nil {
		return "", ErrDamaged
	}
	secret, err := io.ReadAll(io.LimitReader(opened, maxSecret+1))
	switch {
	case err != nil:
		return "", ErrDamaged
	case len(secret) == 0 || len(secret) > maxSecret:
		return "", ErrSize
	}
	return string(secret), nil
}

// Seal answers secret sealed for recipients, each of whom can open it, as one line.
func Seal(secret string, recipients ...string) (string, error) {
	if secret == "" || len(secret) > maxSecret {
		return "", ErrSize
	}
	var to []age.Recipient
	for _, text := range recipients {
		found, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return "", ErrRecipient
		}
		to = append(to, found...)
	}
	if len(to) == 0 {
		return "", ErrRecipient
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(w, secret); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return Prefix + base64.StdEncoding.EncodeToString(b.Bytes()), nil
}
