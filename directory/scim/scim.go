// Package scim owns the SCIM 2.0 service provider (RFC 7643, RFC 7644) at /scim/v2/: what identity providers
// push comes in here and leaves as changes of the directory.
//
// A request runs through stages: front (source token, limits, paths), normalise and canonical (what real clients
// send becomes what the schemas describe), filter (checked and compiled into the store's query language; never
// evaluated in memory), the library elimity-com/scim (routing, validation, PATCH typing, discovery), handlers (one
// directory.Store.Apply per write), finish (schemas, meta, projection, ETag).
//
// It guarantees that no filter, path or body makes it panic or answer 500; that a source sees only its own
// resources; that what a request does not say about a person's activity changes nothing about it; and that a
// write is answered only after Apply returned, so that a deactivation is in force by then. It holds no state but
// the token buckets, and never writes to the database but through Apply (AuditMissing apart).
package scim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	engine "github.com/elimity-com/scim"
	"golang.org/x/time/rate"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Root is the path under which the handler is mounted, without a trailing slash.
const Root = "/scim/v2"

// Limits of one request (RFC 7644 section 3.7.4 names the first two in the configuration).
const (
	maxBody      = 1 << 20
	maxResults   = 200
	defaultRate  = 50
	membersBatch = 5000
	shownMembers = 100 // in the answer to a PATCH of a group
)

// writeTime bounds one request that writes.
const writeTime = 10 * time.Minute

// Options are what the service provider needs. Store is required; all else has a default.
type Options struct {
	Store *directory.Store
	Log   *slog.Logger
	// PublicURL is the scheme and host under which clients reach the server, for locations; empty: as the
	// request says.
	PublicURL string
	// Rate is how many requests per second one source may make, Burst how many at once. 0: 50, and twice Rate.
	Rate, Burst int
	// Zone is where dates are days for people without a time zone; nil: UTC.
	Zone *time.Location
	// Now is the clock of the token buckets; nil: time.Now.
	Now func() time.Time
	// Definitions are resource types and schema extensions from configuration.
	Definitions Definitions
	// AdvertiseCursor says in the ServiceProviderConfig that pages can be asked for by cursor (RFC 9865). They can in any
	// case: some strict client refuses a configuration with a member it does not know.
	AdvertiseCursor bool
	// Missing, where set, is told of each write or read of a well-formed id that the source does not have: it may
	// belong to another source. AuditMissing makes one.
	Missing func(ctx context.Context, cause directory.Cause, resource string)
	// Note, where set, is handed each request with its answer, without what is secret. It must not wait.
	Note func(journal.Entry)
}

// Handler is the service provider. It is an http.Handler for Root and everything below.
type Handler struct {
	store   *directory.Store
	log     *slog.Logger
	public  string
	zone    *time.Location
	now     func() time.Time
	missing func(context.Context, directory.Cause, string)
	note    func(journal.Entry)
	mask    mask
	cursors bool
	kinds   []*kind
	library engine.Server

	limit   rate.Limit
	burst   int
	mu      sync.Mutex // guards buckets, limit and burst
	buckets map[id.Source]*rate.Limiter
}

// New makes a Handler.
func New(o Options) (*Handler, error) {
	if o.Store == nil {
		return nil, errors.New("scim: no store")
	}
	h := &Handler{store: o.Store, log: o.Log, public: strings.TrimRight(o.PublicURL, "/"), zone: o.Zone, now: o.Now, missing: o.Missing, note: o.Note, cursors: o.AdvertiseCursor,
		limit: rate.Limit(o.Rate), burst: o.Burst, buckets: map[id.Source]*rate.Limiter{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.zone == nil {
		h.zone = time.UTC
	}
	if h.now == nil {
		h.now = time.Now
	}
	if o.Rate <= 0 {
		h.limit = defaultRate
	}
	if o.Burst <= 0 {
		h.burst = max(1, int(2*h.limit))
	}
	var err error
	if h.kinds, err = o.Definitions.kinds(); err != nil {
		return nil, fmt.Errorf("scim: %w", err)
	}
	h.mask = newMask(h.kinds)
	types := make([]engine.ResourceType, len(h.kinds))
	for i, k := range h.kinds {
		types[i] = k.resourceType(h.handler(k))
	}
	library, err := engine.NewServer(&engine.ServerArgs{ServiceProviderConfig: serviceProviderConfig(), ResourceTypes: types})
	if err != nil {
		return nil, fmt.Errorf("scim: %w", err)
	}
	h.library = library
	return h, nil
}

// handler answers who keeps the resources of a type.
func (h *Handler) handler(k *kind) engine.ResourceHandler {
	switch {
	case k.custom:
		return resources{h, k}
	case k.name == "Group":
		return groups{h, k}
	}
	return users{h, k}
}

// ServeHTTP implements http.Handler. Every answer with a body is application/scim+json.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if httpapi.RequestFrom(r.Context()) == "" {
		r = r.WithContext(httpapi.WithRequest(r.Context(), id.New[id.Request]()))
	}
	x := h.watch(w, r)
	if x != nil {
		w = x
	}
	defer x.end()
	if r.Method == http.MethodHead { // RFC 9110 section 9.3.2: a GET whose answer has no body
		get := *r
		get.Method = http.MethodGet
		w, r = headOnly{w}, &get
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.log.ErrorContext(r.Context(), "scim request panicked", "request", httpapi.RequestFrom(r.Context()), "panic", httpapi.PanicText(p), "stack", string(debug.Stack()))
			writeError(w, answer(http.StatusInternalServerError, ""))
		}
	}()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		// A client that hangs up does not take back what it has said.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeTime)
		defer cancel()
		r = r.WithContext(ctx)
	}
	c, err := h.enter(w, r, x)
	if err == nil {
		err = h.serve(w, r, c)
	}
	if err != nil {
		known := h.outside(r, "", err)
		writeError(w, known)
	}
}

// headOnly drops the body of an answer.
type headOnly struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (w headOnly) Write(b []byte) (int, error) { return len(b), nil }

// Limits answers how many requests one source may make per second, and how many at once.
func (h *Handler) Limits() (rate, burst int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int(h.limit), h.burst
}

// Slow makes perSecond hold for every source from the next request on, and twice of it at once.
func (h *Handler) Slow(perSecond int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit, h.burst = rate.Limit(perSecond), 2*perSecond
	for _, b := range h.buckets {
		b.SetLimit(h.limit)
		b.SetBurst(h.burst)
	}
}

// bucket answers the token bucket of a source.
func (h *Handler) bucket(source id.Source) *rate.Limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.buckets[source]
	if b == nil {
		b = rate.NewLimiter(h.limit, h.burst)
		h.buckets[source] = b
	}
	return b
}
