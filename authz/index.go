package authz

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Index answers from memory what the model says, at the instant of the question.
type Index struct {
	store *Store

	// Now is the clock of decisions; nil means time.Now. Decision time never goes back.
	Now func() time.Time
}

// NewIndex makes an empty index, which denies everything until Load.
func NewIndex(s *Store) *Index { return &Index{store: s} }

// Load reads every tuple in one snapshot of the database.
func (x *Index) Load(ctx context.Context) error { return errors.New("not built yet") }

// CatchUp applies what was committed after Revision, at least up to rev where it is committed already.
func (x *Index) CatchUp(ctx context.Context, rev int64) error { return errors.New("not built yet") }

// Run keeps the index up to date and ends windows at their instants, until ctx ends.
func (x *Index) Run(ctx context.Context) error { return errors.New("not built yet") }

// Revision answers the newest revision in force here.
func (x *Index) Revision() int64 { return 0 }

// Settled returns when rev is in force here: every decision begun since obeys it and every callback has returned.
func (x *Index) Settled(ctx context.Context, rev int64) error { return errors.New("not built yet") }

// Attach has fn called after each change that took something from somebody.
func (x *Index) Attach(fn func(rev int64, people []id.Person, channels []id.Channel)) {}

// Allow tells whether person may do action ("view", "post", "manage") in channel now, and from when on the
// person may see its history (zero: all of it).
func (x *Index) Allow(person id.Person, channel id.Channel, action string) (ok bool, historyFrom time.Time) {
	return false, time.Time{}
}

// View answers a function that tells whether a person may see channel at the moment of the call.
func (x *Index) View(channel id.Channel) func(id.Person) bool {
	return func(id.Person) bool { return false }
}

// Audience yields everybody who may see channel now, in no order.
func (x *Index) Audience(channel id.Channel) iter.Seq[id.Person] {
	return func(func(id.Person) bool) {}
}

// Channels answers the channels that person may see now, in no order.
func (x *Index) Channels(person id.Person) []id.Channel { return nil }

// Frozen tells whether a freeze of person is open now.
func (x *Index) Frozen(person id.Person) bool { return false }
