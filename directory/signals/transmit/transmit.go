// Package transmit tells others what became of accounts here: a transmitter of Shared Signals (OpenID SSF 1.0 with CAEP 1.0 and RISC 1.0), by push
// (RFC 8935) and by poll (RFC 8936).
//
// What is told follows from where people stand now and what a receiver was told last, never from what happened in between: each change is one event,
// nothing is told twice or lost, and nothing that is still to come is told at all. An event is a row before it is sent, and stays one until it is
// acknowledged: one that is delivered again is the same token. Events about one person arrive in order. A receiver that does not answer
// holds nobody else up. What a receiver said itself is not said back to it.
package transmit

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of this package up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "transmit", migrations) }

// Transmitter tells receivers. Its methods may be called at the same time, on several nodes; Run runs on one of them.
type Transmitter struct {
	DB        *db.DB
	Log       *slog.Logger
	People    *directory.Store
	Seal      *seal.Key // opens and seals keys and what receivers want to see; nil: nothing can be sent
	PublicURL string    // the issuer
	Peers     []string  // transmitters whose signals are taken here, by name
	Issuer    string    // of the subjects people signed in as, where a receiver names none
	// SubjectAt answers as whom of an issuer a person signed in here; empty: as nobody.
	SubjectAt  func(ctx context.Context, issuer string, person id.Person) (string, error)
	HTTPClient *http.Client     // towards receivers
	Closed     func() bool      // whether what stands in the database is not known to hold: nothing is told then; nil: never
	Now        func() time.Time // nil: time.Now
	Most       int              // events that wait for one receiver; 0: 100,000
	FirstRetry time.Duration    // after a failure, and twice that after each further one, up to 5 minutes; 0: 1 s

	mu   sync.Mutex
	wake chan struct{} // closed and replaced at each nudge
	keys map[string]jose.Signer
}

// The errors of this package.
var (
	ErrNotFound = errors.New("there is no such receiver of signals")
	ErrStream   = errors.New("there is no such stream")
	ErrExists   = errors.New("the receiver has a stream already")
	ErrNamed    = errors.New("a receiver of this name is there already")
	ErrInvalid  = errors.New("the receiver of signals is not one that can be told")
	ErrNoSeal   = errors.New("signals cannot be signed: secrets.identity is missing")
	ErrKey      = errors.New("the key that signs signals was sealed for another identity")
	ErrOften    = errors.New("this stream was verified a moment ago")
)

const (
	mostWaiting = 100_000
	firstRetry  = time.Second
	lastRetry   = 5 * time.Minute
	tick        = 500 * time.Millisecond // the safety net under lost nudges
)

func (t *Transmitter) clock() time.Time {
	if t.Now != nil {
		return t.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

// Wake has whoever waits on this node for events look now.
func (t *Transmitter) Wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wake != nil {
		close(t.wake)
	}
	t.wake = make(chan struct{})
}

func (t *Transmitter) woken() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wake == nil {
		t.wake = make(chan struct{})
	}
	return t.wake
}

// wait answers after a nudge, or a moment; false: ctx has ended.
func wait(ctx context.Context, wake <-chan struct{}, most time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-time.After(most):
	}
	return true
}
