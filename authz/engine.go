package authz

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// EngineConfig says where OpenFGA is and how to ask it.
type EngineConfig struct {
	// URL is the base address: EmbeddedURL or that of an external server.
	URL string
	// Transport reaches the server; nil means HTTP.
	Transport http.RoundTripper
	// Token is the pre-shared key of an external server; may be empty.
	Token string
	// Node names this node, unique among those that run.
	Node string
	// Parallel limits the questions under way; 0 means 8.
	Parallel int
	// Timeout limits one question; 0 means 2 s.
	Timeout time.Duration
	Log     *slog.Logger
}

// Engine is a client of OpenFGA that keeps it equal to our tuples.
type Engine struct {
	store *Store

	// Now is the clock of decisions; nil means time.Now.
	Now func() time.Time
}

// NewEngine makes a client; Ensure must run before anything else.
func NewEngine(s *Store, c EngineConfig) (*Engine, error) { return &Engine{store: s}, nil }

// Ensure finds or makes our store and the model in OpenFGA.
func (e *Engine) Ensure(ctx context.Context) error { return errors.New("not built yet") }

// Run applies the log to OpenFGA until ctx ends, on one node at a time.
func (e *Engine) Run(ctx context.Context) error { return errors.New("not built yet") }

// CaughtUp tells whether OpenFGA has applied every change that is committed.
func (e *Engine) CaughtUp(ctx context.Context) (bool, error) {
	return false, errors.New("not built yet")
}

// Check asks OpenFGA whether person has relation to channel now; an action stands for its relation.
func (e *Engine) Check(ctx context.Context, person id.Person, channel id.Channel, relation string) (bool, error) {
	return false, errors.New("not built yet")
}

// Comparison is what Compare found.
type Comparison struct {
	Checked   int
	Different []Difference
}

// Difference is a question that Index and OpenFGA answered differently.
type Difference struct {
	Person         id.Person
	Channel        id.Channel
	Action         string
	Index, OpenFGA bool
}

// Compare asks x and OpenFGA about sample decisions and answers where they differ. ErrBehind where they
// cannot be compared because one of them is behind.
func (e *Engine) Compare(ctx context.Context, x *Index, sample int) (Comparison, error) {
	return Comparison{}, errors.New("not built yet")
}

// Report is what Sweep found and did.
type Report struct {
	Read    int     // tuples that OpenFGA holds
	Foreign []Tuple // in OpenFGA only: removed
	Missing []Tuple // in ours only: written
}

// Sweep reads all of OpenFGA, removes foreign tuples and writes missing ones.
func (e *Engine) Sweep(ctx context.Context) (Report, error) {
	return Report{}, errors.New("not built yet")
}
