// Package session owns who is signed in: OIDC sign-in and back-channel logout, sign-in with a directory's password, browser
// sessions, API tokens, which subject of an identity provider is which person, and the roles of administrators.
//
// It guarantees that a frozen person is nobody from the first request on, whatever proof is shown, that what was
// begun before a person's access ended cannot bring a session or token to life afterwards (an epoch per person,
// compared at each use), that secrets are kept as SHA-256 only, passwords not at all, and that two subjects are never taken for one
// person because of an e-mail address. Guesses of a password are counted over all nodes, before they are sent. It keeps no cache of proofs. It never decides what a person may see.
package session

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of sessions up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "session", migrations)
}

// proofError is an error that is httpapi.ErrUnauthenticated too, without its text.
type proofError string

func (e proofError) Error() string { return string(e) }

func (e proofError) Is(target error) bool { return target == httpapi.ErrUnauthenticated }

// Why somebody is not who they say, or not now. The first three are httpapi.ErrUnauthenticated to errors.Is.
var (
	ErrBadProof    error = proofError("the token is not one of ours, or has ended")
	ErrEnded       error = proofError("the session has ended")
	ErrFrozen      error = proofError("this person has no access now")
	ErrNoPerson          = errors.New("the directory knows nobody for this")
	ErrNoIdentity        = errors.New("there is no such identity")
	ErrOtherPerson       = errors.New("this person signs in as another subject already")
	ErrLastAdmin         = errors.New("the last one who has this role, and can get in, keeps it")
	ErrSeparation        = errors.New("the separation of powers forbids it")
	ErrNoUnit            = errors.New("there is no such unit")
	ErrRole              = errors.New("this role cannot be given so")
	ErrOwnRole           = errors.New("nobody gives a role to themselves")
	ErrStronger          = errors.New("only an owner makes an owner, ends it, or seals the account that opens as one")
	ErrNotFound          = errors.New("there is no such session or token")
	ErrNobody            = errors.New("there is no such person")
	ErrTooMany           = errors.New("this person has too many tokens; revoke one first")
	ErrBadRequest        = errors.New("the request is not valid")
	ErrOutside           = errors.New("who is from outside has no API tokens, bots or webhooks here")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrFrozen, Status: http.StatusUnauthorized, Code: "person_frozen"},
		{Err: ErrEnded, Status: http.StatusUnauthorized, Code: "session_ended"},
		{Err: ErrBadProof, Status: http.StatusUnauthorized, Code: "token_invalid"},
		{Err: ErrNoPerson, Status: http.StatusNotFound, Code: "person_not_found"},
		{Err: ErrNoIdentity, Status: http.StatusNotFound, Code: "identity_not_found"},
		{Err: ErrOtherPerson, Status: http.StatusConflict, Code: "identity_conflict"},
		{Err: ErrLastAdmin, Status: http.StatusConflict, Code: "last_admin"},
		{Err: ErrSeparation, Status: http.StatusConflict, Code: "separation"},
		{Err: ErrNoFactor, Status: http.StatusNotFound, Code: "no_factor"},
		{Err: ErrCode, Status: http.StatusForbidden, Code: "code_refused"},
		{Err: ErrLocked, Status: http.StatusForbidden, Code: "factor_locked"},
		{Err: ErrNoSeal, Status: http.StatusConflict, Code: "no_seal"},
		{Err: ErrBySelf, Status: http.StatusForbidden, Code: "by_self"},
		{Err: ErrStepUp, Status: http.StatusForbidden, Code: "step_up_required"},
		{Err: ErrSession, Status: http.StatusForbidden, Code: "session_required"},
		{Err: ErrNoUnit, Status: http.StatusUnprocessableEntity, Code: "unit_not_found"},
		{Err: ErrRole, Status: http.StatusUnprocessableEntity, Code: "invalid_role"},
		{Err: ErrOwnRole, Status: http.StatusForbidden, Code: "own_role"},
		{Err: ErrStronger, Status: http.StatusForbidden, Code: "stronger_role"},
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrNobody, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrTooMany, Status: http.StatusConflict, Code: "too_many_tokens"},
		{Err: ErrOutside, Status: http.StatusForbidden, Code: "from_outside"},
		{Err: ErrBadRequest, Status: http.StatusBadRequest, Code: "invalid_request"},
	}
}

// Standing tells whether a person is frozen, as of now and by the node's own index. It may lag behind the database;
// the epoch covers that.
type Standing interface {
	Frozen(id.Person) bool
}

// Claims is what an identity provider proved about a subject that is not known yet.
type Claims struct {
	Issuer, Subject   string
	SID               string // the session at the identity provider, where it says one
	Name, Email       string
	EmailVerified     bool
	PreferredUsername string
	All               map[string]any // every claim of the ID token
	Company           string         // whose identity provider proved it; empty: the organisation's
}

// Options says how to build a Door. DB and Standing are needed; without Issuer and Passwords nobody can sign in by browser.
type Options struct {
	DB        *db.DB
	Log       *slog.Logger
	Standing  Standing
	PublicURL string // what browsers see: "https://chat.example.com"; cookies are Secure where it is https

	Issuer, ClientID, ClientSecret string
	Scopes                         []string     // nil: openid profile email
	HTTPClient                     *http.Client // towards the identity provider; nil: one with a timeout of 10 s
	// AnyLogoutType takes logout tokens whose header does not say "logout+jwt", for identity providers that
	// follow the first edition of OpenID Connect Back-Channel Logout.
	AnyLogoutType bool

	// Resolve finds the person of a subject that signs in for the first time, by a claim that the deployment trusts
	// to be unique and never re-used. It answers ErrNoPerson where there is none. It runs outside transactions.
	Resolve func(context.Context, Claims) (id.Person, error)
	// Passwords, where set, lets people sign in with the password of their directory.
	Passwords Passwords
	Conduct
	// Outsiders, where set, answers which of these people are from outside: they make no API tokens, which would be programs of theirs.
	Outsiders func(ctx context.Context, people []id.Person) (map[id.Person]bool, error)
	// Companies knows the identity providers of companies; nil: there are none.
	Companies Companies
	// Turned, where set, is asked about somebody whom the identity provider has proved and who has no access now; true: it has answered the browser.
	Turned func(w http.ResponseWriter, r *http.Request, person id.Person, c Claims) bool
	// Separation is the separation of powers: nobody is an owner, nobody holds two of roles.Separate, and BootstrapToken is nobody's.
	Separation bool
	// Closed, where set, tells whether the database was restored and nobody but the bearer of BootstrapToken may get in.
	Closed func() bool
	// Key seals second factors; nil: nobody enrols one.
	Key *seal.Key

	// Alarm tells people, in tx, that the emergency account was opened; nil: only the audit log and the log of the server say so.
	Alarm func(tx *db.Tx, people []id.Person, opened id.Session, at time.Time) error

	// BootstrapToken is an administrator's token that needs no database row; empty: none.
	BootstrapToken string
	// OnEnd and OnEndToken are called after a session or token ended, so that its sockets end too.
	OnEnd      func(session id.Session, person id.Person)
	OnEndToken func(token id.Token, person id.Person)
	// Spread, where there are several nodes, notes in tx that these proofs ended, so that every node ends their sockets; settled, called
	// after the commit, returns when each has. Nobody is told of what a freeze ended: it reaches every node by itself.
	Spread func(tx *db.Tx, proofs []string) (settled func(), err error)
	// Ended, where set, notes in tx, after every other row of it and before the audit log, that everything people had ended by actor's doing: not by a freeze,
	// which tells of itself.
	Ended func(tx *db.Tx, actor string, people []id.Person) error

	Absolute time.Duration // how long a session lives at most; 0: 12 h
	Idle     time.Duration // how long it lives without a request; 0: 2 h
	Now      func() time.Time
}

// Door is where callers prove who they are. It is safe for concurrent use.
type Door struct {
	Options   // but for Conduct, which conduct answers
	holds     atomic.Pointer[Conduct]
	bootstrap string // SHA-256
	secure    bool
	provider  provider
	others    sync.Map      // *provider of companies, by issuer
	refusals  *rate.Limiter // refused sign-ins that are audited; a flood must not fill the log
}

// New makes a door; it does not touch the network.
func New(o Options) (*Door, error) {
	public, err := url.Parse(o.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "https" && public.Scheme != "http" {
		return nil, fmt.Errorf("session: public url must be http:// or https:// and a host, not %q", o.PublicURL)
	}
	if o.BootstrapToken != "" && len(o.BootstrapToken) < 16 {
		return nil, errors.New("session: the bootstrap token must have 16 characters at least")
	}
	if o.Issuer != "" && (o.ClientID == "" || o.Resolve == nil) {
		return nil, errors.New("session: an issuer needs a client id and a way to find people")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Absolute == 0 {
		o.Absolute = 12 * time.Hour
	}
	if o.Idle == 0 {
		o.Idle = 2 * time.Hour
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"openid", "profile", "email"}
	}
	if err := o.Tries.check(); err != nil {
		return nil, err
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	rules := o.Conduct
	o.Conduct = Conduct{}
	d := &Door{Options: o, secure: public.Scheme == "https", refusals: rate.NewLimiter(5, 100)}
	d.holds.Store(&rules)
	if o.BootstrapToken != "" {
		d.bootstrap = hashed(o.BootstrapToken)
		d.BootstrapToken = "" // only its hash is kept
	}
	return d, nil
}
