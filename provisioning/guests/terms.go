package guests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// termsMost is how long the terms may be in one language.
const termsMost = 100_000

// owing is the condition that guest g has not accepted the terms that hold.
const owing = `(exists (select 1 from guest_terms) and not exists (select 1 from guest_acceptances a where a.guest = g.id and a.version = (select max(version) from guest_terms)))`

// Terms are what every guest has to accept before they see anything.
type Terms struct {
	Version  int               // from 1
	Texts    map[string]string // by language, en and zh; plain text
	MadeBy   string
	MadeAt   time.Time
	Accepted int // by how many guests
}

// Acceptance is that a guest accepted a version.
type Acceptance struct {
	Guest    id.Guest
	Version  int
	Language string // in which they read it
	Address  string // of the network, where they did
	At       time.Time
}

// hash answers by which a text is told apart for good.
func (t Terms) hash() string {
	sum := sha256.New()
	for _, language := range slices.Sorted(maps.Keys(t.Texts)) {
		fmt.Fprintf(sum, "%s %d\n%s\n", language, len(t.Texts[language]), t.Texts[language])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// PublishTerms has every guest accept these texts before they see anything more, and returns when that is in force: who is in is asked, too. It answers the version, and of how many guests. Texts that hold
// already are no new version. ErrInvalid.
func (e *Engine) PublishTerms(ctx context.Context, cause directory.Cause, texts map[string]string) (Terms, int, error) {
	t := Terms{Texts: map[string]string{}, MadeAt: e.clock(), MadeBy: e.record(cause, "", "", nil).Actor}
	for language, text := range texts {
		text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
		if language != "en" && language != "zh" || len(text) > termsMost {
			return t, 0, fmt.Errorf("%w: terms are in en and zh, of %d bytes at most", ErrInvalid, termsMost)
		}
		if text != "" {
			t.Texts[language] = text
		}
	}
	if len(t.Texts) == 0 {
		return t, 0, fmt.Errorf("%w: terms have a text in en or zh", ErrInvalid)
	}
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		last, err := latest(tx.DB)
		if err != nil {
			return err
		}
		if maps.Equal(last.Texts, t.Texts) {
			t = last
			return nil
		}
		t.Version = last.Version + 1
		row := termsRow{Version: t.Version, Texts: db.JSON[map[string]string]{V: t.Texts}, MadeBy: t.MadeBy, MadeAt: db.At(t.MadeAt)}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write terms of guests: %w", err)
		}
		return audit.Append(tx, e.record(cause, "guests.terms", "guests", map[string]any{"version": t.Version, "sha256": t.hash(), "languages": slices.Sorted(maps.Keys(t.Texts))}))
	})
	if err != nil {
		return Terms{}, 0, err
	}
	n, err := e.enforceAll(ctx, cause, "g.person <> '' and g.ended_at is null and "+owing+" order by g.id")
	return t, n, err
}

// errTerms says that there are terms to be accepted first.
var errTerms = errors.New("there are terms to be accepted first")

// accept notes that a guest accepted a version that they read in a language, and returns when nothing keeps them out any more that did because of it. errTerms where another version holds by now.
func (e *Engine) accept(ctx context.Context, g Guest, version int, language, address string) error {
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		t, err := latest(tx.DB)
		if err != nil {
			return err
		}
		if t.Version != version || t.Texts[language] == "" {
			return errTerms
		}
		done := tx.Exec("insert into guest_acceptances (guest, version, language, address, at) values (?, ?, ?, ?, ?) on conflict do nothing", g.ID, version, language, address, db.At(e.clock()))
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		record := e.record(directory.Cause{Actor: string(g.Person)}, "guest.terms", string(g.ID), map[string]any{"version": version, "language": language, "sha256": t.hash()})
		record.Personal = map[string]any{"address": address}
		return audit.Append(tx, record)
	})
	if err != nil {
		return err
	}
	_, err = e.enforceAll(ctx, directory.Cause{Actor: string(g.Person)}, "g.id = ? and g.person <> ''", g.ID)
	return err
}

// owed answers the terms that a guest has to accept first; Version 0: none.
func (e *Engine) owed(ctx context.Context, guest id.Guest) (Terms, error) {
	out, err := keptOut(e.DB.Read(ctx), []Guest{{ID: guest}}, directory.GuestsTerms)
	if err != nil || !out[guest] {
		return Terms{}, err
	}
	return latest(e.DB.Read(ctx))
}
