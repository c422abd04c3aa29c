package outlet

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/rollcall-im/rollcall/internal/audit"
)

// checkpoint is a signed statement of what the log was (C2SP tlog-checkpoint).
type checkpoint struct {
	Size int64
	Root string // hex
	Text string
}

// NewKey makes a pair of keys for checkpoints: what signs, which is secret, and what verifies. name says whose log it is, as
// rollcall.example.com; it has no blank and no plus sign.
func NewKey(name string) (secret, verifier string, err error) {
	if name == "" || strings.ContainsAny(name, " +\t\r\n") {
		return "", "", fmt.Errorf("%q is no name of a key: it has a blank or a plus sign, or is empty", name)
	}
	return note.GenerateKey(rand.Reader, name)
}

// Signers reads secret keys with blanks or line ends between them. Each checkpoint is signed with all: while a key is exchanged for another,
// both are given.
func Signers(text string) ([]note.Signer, error) {
	var out []note.Signer
	for i, one := range strings.Fields(text) {
		signer, err := note.NewSigner(one)
		if err != nil {
			return nil, fmt.Errorf("key %d is none that `rollcall audit keygen` wrote", i+1)
		}
		out = append(out, signer)
	}
	return out, nil
}

// Verifiers reads public keys as NewKey answers them.
func Verifiers(texts []string) (note.Verifiers, error) {
	var out []note.Verifier
	for _, one := range texts {
		verifier, err := note.NewVerifier(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("%q is no public key of a checkpoint: it begins with a name and a plus sign", one)
		}
		out = append(out, verifier)
	}
	return note.VerifierList(out...), nil
}

func signed(size int64, root string, signers []note.Signer) (checkpoint, error) {
	raw, err := hex.DecodeString(root)
	if err != nil {
		return checkpoint{}, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", signers[0].Name(), size, base64.StdEncoding.EncodeToString(raw))
	whole, err := note.Sign(&note.Note{Text: text}, signers...)
	return checkpoint{size, root, string(whole)}, err
}

// ErrCheckpoint says that a text is no checkpoint that one of the keys signed.
var ErrCheckpoint = errors.New("no checkpoint that one of the keys signed")

// Open answers what a checkpoint says of the log, as audit.Verify takes it.
func Open(text string, keys note.Verifiers) (audit.Report, error) {
	opened, err := note.Open([]byte(text), keys)
	if err != nil {
		return audit.Report{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return audit.Report{}, ErrCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, other := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || other != nil || size < 0 {
		return audit.Report{}, errors.Join(ErrCheckpoint, err, other)
	}
	return audit.Report{Size: size, Root: hex.EncodeToString(root)}, nil
}

// Last answers the last checkpoint among the lines of an outlet, or the text itself where it has none.
func Last(text string) string {
	last := text
	for line := range strings.Lines(text) {
		var l checkpointLine
		if json.Unmarshal([]byte(line), &l) == nil && l.Checkpoint != "" {
			last = l.Checkpoint
		}
	}
	return last
}
