package ldap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// holder names this Syncer among all that may follow the source.
func (s *Syncer) holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == "" {
		s.name = rand.Text()
	}
	return s.name
}

// keep makes this Syncer the one who follows the source, and forgets the space where somebody else wrote meanwhile. let gives it back.
func (s *Syncer) keep(ctx context.Context) error {
	writer, _, err := acquire(ctx, s.DB, s.Source.ID, s.holder(), "", s.now())
	if err != nil {
		return err
	}
	if writer != s.holder() {
		s.space = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept++
	return nil
}

// claim is keep that asks the node that follows the source to let go of it, and waits for that.
func (s *Syncer) claim(ctx context.Context) error {
	for until := time.Now().Add(2 * lease); ; {
		err := s.keep(ctx)
		if !errors.Is(err, errElsewhere) || time.Now().After(until) {
			return err
		}
		if err := askFor(ctx, s.DB, s.Source.ID, s.holder(), s.now()); err != nil {
			return err
		}
		if err := sleep(ctx, claimEvery); err != nil {
			return err
		}
	}
}

// claimEvery is how often a node that wants a source looks whether it has it.
const claimEvery = 200 * time.Millisecond

func (s *Syncer) let(ctx context.Context) {
	s.mu.Lock()
	s.kept--
	last := s.kept == 0
	s.mu.Unlock()
	if !last {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := release(ctx, s.DB, s.Source.ID, s.holder()); err != nil {
		s.Log.Warn("lease of a directory was not released", "source", s.Source.Name, "error", err)
	}
}

// renew keeps the lease until ctx ends, and says how the source stands; it ends lost where somebody else has the lease, or asks for it.
func (s *Syncer) renew(ctx context.Context, lost context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lease / 3):
		}
		_, yield, err := acquire(ctx, s.DB, s.Source.ID, s.holder(), s.Status().said(), s.now())
		if errors.Is(err, errElsewhere) || err == nil && yield {
			lost(errElsewhere)
			return
		}
	}
}

// stored is what the cursor of the source says: for which directory, account and mapping it holds.
type stored struct {
	server, mapping string
	cursor          Cursor
}

// open answers the space, read where it is not at hand, and how far the source was followed.
func (s *Syncer) open(ctx context.Context) (*space, stored, error) {
	text, err := s.Store.Cursor(ctx, s.Source.ID)
	if err != nil {
		return nil, stored{}, err
	}
	if s.space == nil {
		if s.space, err = loadSpace(ctx, s.DB, s.Source.ID); err != nil {
			return nil, stored{}, err
		}
	}
	return s.space, parseCursor(text), nil
}

const cursorForm = "1" // of what is stored

func cursorOf(c Config, cursor Cursor) string {
	return strings.Join([]string{cursorForm, serverKey(c), mappingKey(c), string(cursor)}, " ")
}

func parseCursor(text string) stored {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 || parts[0] != cursorForm {
		return stored{}
	}
	return stored{server: parts[1], mapping: parts[2], cursor: Cursor(parts[3])}
}

// valid tells whether the source may be followed from st with configuration c.
func (st stored) valid(c Config) bool {
	return st.cursor != "" && st.server == serverKey(c) && st.mapping == mappingKey(c)
}

// serverKey stands for everything that a cursor is bound to.
func serverKey(c Config) string {
	return keyOf(c.URL, c.Base, c.BindDN, c.PersonClasses, c.UnitClasses, c.GroupClasses, c.IDAttribute)
}

// mappingKey stands for everything that makes records of entries.
func mappingKey(c Config) string {
	return keyOf(c.Base, c.IDAttribute, c.PersonClasses, c.UnitClasses, c.GroupClasses, c.Mapping, c.Labels)
}

func keyOf(parts ...any) string {
	raw, err := json.Marshal(parts)
	if err != nil { // texts, lists and maps of texts always can be
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
