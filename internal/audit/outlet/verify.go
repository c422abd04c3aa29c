package outlet

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"

	"github.com/rollcall-im/rollcall/internal/audit"
)

// Proof is what a stream shows by itself.
type Proof struct {
	Records     int64  `json:"records"`
	Repeated    int64  `json:"repeated"` // told again, the same
	Checkpoints int    `json:"checkpoints"`
	Proven      int64  `json:"proven"` // records that a signed checkpoint is about
	Root        string `json:"root"`   // of all records, hex
}

// Stream holds what an outlet was given against its checkpoints, from the first record on, without a database.
type Stream struct {
	Keys note.Verifiers

	tree   audit.Tree
	leaves []string
	proof  Proof
}

// Read takes the lines of one file or object, in the order they were written. A record that is missing, or told twice with another text, and a
// checkpoint that the records before it do not lead to, are audit.ErrBroken. What is no whole line, because a crash cut it, is left out.
func (s *Stream) Read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		if len(text) > 1 {
			if err := s.line(text); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *Stream) line(text []byte) error {
	var l struct {
		Seq        *int64  `json:"seq"`
		Leaf       *string `json:"leaf"`
		Checkpoint string  `json:"checkpoint"`
	}
	switch err := json.Unmarshal(text, &l); {
	case err != nil:
		return nil // cut; what it held follows, or is found missing
	case l.Checkpoint != "":
		return s.checkpoint(l.Checkpoint)
	case l.Seq == nil || l.Leaf == nil:
		return errors.New("a line is neither a record nor a checkpoint")
	case *l.Seq < s.tree.Size():
		if s.leaves[*l.Seq] != *l.Leaf {
			return fmt.Errorf("%w: record %d is told twice, with another text", audit.ErrBroken, *l.Seq)
		}
		s.proof.Repeated++
		return nil
	case *l.Seq > s.tree.Size():
		return fmt.Errorf("%w: record %d is missing", audit.ErrBroken, s.tree.Size())
	}
	s.leaves = append(s.leaves, *l.Leaf)
	return s.tree.Add(*l.Leaf)
}

func (s *Stream) checkpoint(text string) error {
	said, err := Open(text, s.Keys)
	if err != nil {
		return err
	}
	root, err := s.tree.Root(said.Size)
	if err != nil {
		return err
	}
	if root != said.Root {
		return fmt.Errorf("%w: its first %d records are not those of a checkpoint", audit.ErrBroken, said.Size)
	}
	s.proof.Checkpoints++
	s.proof.Proven = max(s.proof.Proven, said.Size)
	return nil
}

// Proof answers what was shown.
func (s *Stream) Proof() (Proof, error) {
	s.proof.Records = s.tree.Size()
	root, err := s.tree.Root(s.tree.Size())
	s.proof.Root = root
	return s.proof, err
}
