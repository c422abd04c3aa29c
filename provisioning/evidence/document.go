package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Format names the form of a document; what is signed begins with it, so that no other text of the same key can be taken for one.
const Format = "rollcall-evidence/1"

// The kinds of documents.
const (
	KindLeaver = "leaver"
	KindPeriod = "period"
	KindReview = "review"
)

// Document is what is signed and given away.
type Document struct {
	Format    string         `json:"format"`
	Kind      string         `json:"kind"`
	MadeAt    time.Time      `json:"made_at"`
	MadeBy    string         `json:"made_by"`
	Record    any            `json:"record"`
	Audit     audit.Citation `json:"audit"`
	Signature Signature      `json:"signature"`
}

// Signature says who signed. Value is Ed25519 over Format, a line feed and the canonical document without Value itself.
type Signature struct {
	Algorithm string         `json:"algorithm"`
	Key       id.EvidenceKey `json:"key"`
	Public    string         `json:"public"` // base64
	Value     string         `json:"value,omitempty"`
}

// sign fills the signature in and answers the document's text.
func (d *Document) sign(key signer) ([]byte, error) {
	d.Format, d.Signature = Format, Signature{Algorithm: "Ed25519", Key: key.id, Public: base64.StdEncoding.EncodeToString(key.public())}
	text, err := canonical(d)
	if err != nil {
		return nil, err
	}
	d.Signature.Value = base64.StdEncoding.EncodeToString(ed25519.Sign(key.private, signed(text)))
	if text, err = canonical(d); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", " ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

func signed(canonical []byte) []byte { return append([]byte(Format+"\n"), canonical...) }

// Verified is what a document says once it was found whole.
type Verified struct {
	Kind        string         `json:"kind"`
	MadeAt      time.Time      `json:"made_at"`
	Key         id.EvidenceKey `json:"key"`
	Fingerprint string         `json:"fingerprint"` // of the public key
	Given       bool           `json:"given"`       // the key was the one that the reader brought; else only that it is whole is known
	Size        int64          `json:"size"`        // of the audit log, and
	Root        string         `json:"root"`        // its root: `rollcall audit verify --size --root` holds them against the log
	Records     int            `json:"records"`     // of the log that the document names, each of which leads to the root
}

// Verify holds a document against its signature, which is over every letter of it but the blanks between its parts, and the records of the audit log that it names against the root. public is the key that
// the reader has from elsewhere; nil: the one in the document. What does not agree is ErrSignature, ErrFormat or audit.ErrBroken.
func Verify(text []byte, public ed25519.PublicKey) (Verified, error) {
	plain, err := decode(text)
	if err != nil {
		return Verified{}, err
	}
	if err := asCanonical(text, plain); err != nil {
		return Verified{}, err
	}
	whole, _ := plain.(map[string]any)
	sealed, _ := whole["signature"].(map[string]any)
	if whole["format"] != Format || sealed["algorithm"] != "Ed25519" {
		return Verified{}, ErrFormat
	}
	value, err := bytesOf(sealed["value"])
	if err != nil {
		return Verified{}, err
	}
	own, err := bytesOf(sealed["public"])
	if err != nil || len(own) != ed25519.PublicKeySize {
		return Verified{}, fmt.Errorf("%w: the public key", ErrFormat)
	}
	if public != nil && !bytes.Equal(public, own) {
		return Verified{}, fmt.Errorf("%w: it was made with the key %s, not with %s", ErrSignature, Fingerprint(own), Fingerprint(public))
	}
	delete(sealed, "value")
	var b bytes.Buffer
	if err := writeCanonical(&b, whole); err != nil {
		return Verified{}, err
	}
	if !ed25519.Verify(own, signed(b.Bytes()), value) {
		return Verified{}, ErrSignature
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return Verified{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	out := Verified{Kind: d.Kind, MadeAt: d.MadeAt, Key: d.Signature.Key, Fingerprint: Fingerprint(own), Given: public != nil,
		Size: d.Audit.Size, Root: d.Audit.Root, Records: len(d.Audit.Records)}
	_, err = d.Audit.Check()
	return out, err
}

func bytesOf(v any) ([]byte, error) {
	text, _ := v.(string)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, fmt.Errorf("%w: the signature", ErrFormat)
	}
	return raw, nil
}

// Fingerprint names a public key for people to compare.
func Fingerprint(public []byte) string {
	sum := sha256.Sum256(public)
	return "SHA256:" + hex.EncodeToString(sum[:])[:32]
}

// ParseKey reads a public key as the route and the command print it: base64, alone or in a line after a name; or the JSON of either.
func ParseKey(text string) (ed25519.PublicKey, error) {
	var list struct {
		Public string `json:"public"`
		Items  []struct {
			Public    string    `json:"public"`
			RetiredAt time.Time `json:"retired_at"`
		} `json:"items"`
	}
	if json.Unmarshal([]byte(text), &list) == nil {
		text = list.Public
		for _, one := range list.Items {
			if text == "" && one.RetiredAt.IsZero() {
				text = one.Public
			}
		}
	}
	for _, field := range strings.Fields(text) {
		if raw, err := base64.StdEncoding.DecodeString(field); err == nil && len(raw) == ed25519.PublicKeySize {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("%w: this is no public key: 32 bytes in base64, as `rollcall evidence keys` prints", ErrFormat)
}
