// Package signals takes what identity providers tell of sessions and accounts while people work: Shared Signals (OpenID SSF 1.0 with CAEP and RISC)
// by push (RFC 8935) and by poll (RFC 8936), and global token revocation (draft-parecki-oauth-global-token-revocation).
//
// It guarantees that a token is believed only by the keys of a configured transmitter, for this audience, under an asymmetric algorithm; that
// it has one effect however often it is delivered; that it is acknowledged only after the effect is in force on every node; and that it can take access and
// give back what the same transmitter took, never more. It finds people by the subject they signed in as, and by an e-mail address only to take.
package signals

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of signals up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "signals", migrations) }

// Transmitter is an identity provider whose signals are taken.
type Transmitter struct {
	Name      string        `koanf:"name"`       // in the audit log, [a-z0-9-]
	Issuer    string        `koanf:"issuer"`     // iss of its tokens
	Audience  string        `koanf:"audience"`   // what aud of its event tokens names; empty: the public URL
	JWKS      string        `koanf:"jwks"`       // address of its keys; empty: from its SSF configuration
	SpeaksFor []string      `koanf:"speaks_for"` // issuers whose subjects it names; empty: its own
	Poll      string        `koanf:"poll"`       // address to poll (RFC 8936); empty: it pushes
	PollToken string        `koanf:"token"`      // bearer token for that
	Every     time.Duration `koanf:"every"`      // between two polls; 0: 10 s
}

// Sessions is what ends proofs. Each returns when what it ended is ended on every node.
type Sessions interface {
	// PersonAt answers who signed in as a subject of an issuer; empty: nobody did.
	PersonAt(ctx context.Context, issuer, subject string) (id.Person, error)
	// EndAt ends the sessions that began as sid of an issuer, and answers how many.
	EndAt(ctx context.Context, issuer, sid, actor, cause string) (int, error)
	// EndPerson ends every session and token of a person.
	EndPerson(ctx context.Context, person id.Person, actor, cause string) error
}

// Receiver takes signals. Its methods may be called at the same time, on several nodes.
type Receiver struct {
	DB           *db.DB
	Log          *slog.Logger
	People       *directory.Store
	Sessions     Sessions
	Transmitters []Transmitter
	PublicURL    string
	HTTPClient   *http.Client // towards transmitters; nil: one with a timeout of 10 s
	Now          func() time.Time

	keys keyring
}

var (
	errRequest  = errors.New("the request is not a security event token")
	errToken    = errors.New("the token is not good")
	errIssuer   = errors.New("nobody of this issuer is configured")
	errAudience = errors.New("the token is for somebody else")
	errKeys     = errors.New("the keys of the transmitter cannot be read now")
	errSubject  = errors.New("the subject is not one that is understood")
)

func (r *Receiver) clock() time.Time {
	if r.Now != nil {
		return r.Now().UTC().Truncate(time.Microsecond)
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

func (r *Receiver) client() *http.Client {
	if r.HTTPClient != nil {
		return r.HTTPClient
	}
	return &http.Client{Timeout: 10 * time.Second}
}

func (r *Receiver) transmitter(issuer string) (Transmitter, bool) {
	for _, t := range r.Transmitters {
		if t.Issuer == issuer {
			return t, true
		}
	}
	return Transmitter{}, false
}

// actor is the name under which a transmitter stands in the audit log and at the freezes it set.
func (t Transmitter) actor() string { return "idp:" + t.Name }

// kept is how long a token is remembered: longer than any transmitter delivers one again.
const kept = 30 * 24 * time.Hour

// taken tells whether a token was acted on before.
func (r *Receiver) taken(ctx context.Context, t Transmitter, jti string) (bool, error) {
	var n int64
	err := r.DB.Read(ctx).Raw("select count(*) from signals_taken where transmitter = ? and jti = ?", t.Name, jti).Scan(&n).Error
	return n > 0, err
}

// take remembers it, after it had its effect: what fails in between is done again, and ends what is ended.
func (r *Receiver) take(ctx context.Context, t Transmitter, jti string) error {
	return r.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("insert into signals_taken (transmitter, jti, at) values (?, ?, ?) on conflict (transmitter, jti) do nothing", t.Name, jti, db.At(r.clock())).Error; err != nil {
			return err
		}
		return tx.Exec("delete from signals_taken where at < ?", db.At(r.clock().Add(-kept))).Error
	})
}

// latest tells whether a word about an account was issued no earlier than the last one that was taken.
func (r *Receiver) latest(ctx context.Context, t Transmitter, person id.Person, issued time.Time) (bool, error) {
	var last db.Instant
	err := r.DB.Read(ctx).Raw("select issued_at from signals_accounts where transmitter = ? and person = ?", t.Name, person).Scan(&last).Error
	return !issued.Before(last.Time), err
}

// spoke notes it.
func (r *Receiver) spoke(ctx context.Context, t Transmitter, person id.Person, issued time.Time) error {
	return r.DB.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec(`insert into signals_accounts (transmitter, person, issued_at) values (?, ?, ?)
			on conflict (transmitter, person) do update set issued_at = excluded.issued_at where signals_accounts.issued_at < excluded.issued_at`, t.Name, person, db.At(issued)).Error
	})
}
