// Package journal owns the last requests of each source with their answers, for an administrator who connects one and
// wants to see what it sends: a ring of the last 200 per source and its last 50 failures, kept for a day at most.
//
// It guarantees that noting a request never waits for the database: entries are gathered in memory and written by Run
// in one transaction every few seconds; what is lost is counted. Bodies are personal data: they stay in these tables,
// reach no log, and are cut, masked by whoever notes them, and deleted with their entry. Nothing decides by what stands here.
package journal

import (
	"context"
	"embed"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the journal's tables up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "journal", migrations) }

// What is kept.
const (
	lastRequests = 200 // of each source
	lastFailures = 50  // of each source, beyond the last requests
	maxBody      = 8 << 10
	maxText      = 4 << 10 // of a path, a query, a detail
	maxName      = 200     // of a client, an attribute
	maxNames     = 200     // attributes of one source
	maxPending   = 5000    // entries in memory, of all sources
	trafficTime  = 14 * 24 * time.Hour
	writeTime    = 5 * time.Second
	tidyTime     = time.Minute
)

// Entry is one request and its answer.
type Entry struct {
	ID     id.Request
	Source id.Source // empty: the request named none that is known; it is only counted
	At     time.Time
	Method string
	Path   string
	Query  string // as sent, without what is secret
	Status int
	Failed bool // the answer is an error, or a part of it is
	// ScimType and Detail are those of an error.
	ScimType, Detail          string
	Took                      time.Duration
	Resource                  string
	Token                     id.Token
	Ignored                   []string // names of attributes that nobody understood
	Client                    string
	Request, Answer           string // the bodies, without what is secret; kept up to 8 KiB
	RequestBytes, AnswerBytes int64  // as they were
}

// Options say what is kept.
type Options struct {
	Bodies bool          // of requests and answers
	Keep   time.Duration // how long entries stay; 0: none is kept, requests are only counted
	Now    func() time.Time
	Log    *slog.Logger
}

// Journal notes requests. Its methods may be called at the same time.
type Journal struct {
	Options
	db *db.DB

	writing sync.Mutex // held while entries are written; taken before mu
	mu      sync.Mutex // guards what follows
	batch
	dropped int64 // since the start
}

// batch is what was gathered and not written yet.
type batch struct {
	rings   map[id.Source]*ring
	pending int
	traffic map[hour]*count
	ignored map[attribute]*ignored
}

type hour struct {
	source id.Source
	at     int64
}

type count struct{ requests, failed, limited int64 }

type attribute struct {
	source id.Source
	name   string
}

type ignored struct {
	requests int64
	last     time.Time
}

// ring holds the entries of one source that may still be among the last.
type ring struct{ last, failures []Entry }

func newBatch() batch {
	return batch{rings: map[id.Source]*ring{}, traffic: map[hour]*count{}, ignored: map[attribute]*ignored{}}
}

// New makes a Journal whose tables are migrated.
func New(d *db.DB, o Options) *Journal {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Journal{Options: o, db: d, batch: newBatch()}
}

// Note takes an entry. It never waits for the database.
func (j *Journal) Note(e Entry) {
	e = j.trim(e)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count(e)
	if e.Source == "" || j.Keep <= 0 {
		return
	}
	r := j.rings[e.Source]
	if r == nil {
		r = &ring{}
		j.rings[e.Source] = r
	}
	before := len(r.last) + len(r.failures)
	r.add(e)
	j.pending += len(r.last) + len(r.failures) - before
	if j.pending > maxPending { // many busy sources and a database that does not keep up: the newest goes
		r.last = r.last[:len(r.last)-1]
		j.pending--
		j.dropped++
	}
}

// add puts e at the end; what can no longer be among the last requests or failures goes.
func (r *ring) add(e Entry) {
	r.last = append(r.last, e)
	if len(r.last) <= lastRequests {
		return
	}
	if old := r.last[0]; old.Failed {
		if r.failures = append(r.failures, old); len(r.failures) > lastFailures {
			r.failures = append([]Entry{}, r.failures[1:]...)
		}
	}
	r.last[0] = Entry{} // its bodies are let go at once
	r.last = r.last[1:]
}

func (b *batch) count(e Entry) {
	at := hour{e.Source, e.At.Truncate(time.Hour).UnixMicro()}
	c := b.traffic[at]
	if c == nil {
		c = &count{}
		b.traffic[at] = c
	}
	c.requests++
	if e.Failed {
		c.failed++
	}
	if e.Status == 429 {
		c.limited++
	}
	for _, name := range e.Ignored {
		name, _, _ = strings.Cut(name, "[") // the values of a filter are not part of the name
		key := attribute{e.Source, cut(name, maxName)}
		if b.ignored[key] == nil {
			if len(b.ignored) >= maxPending {
				continue
			}
			b.ignored[key] = &ignored{}
		}
		b.ignored[key].requests++
		b.ignored[key].last = e.At
	}
}

// trim makes e something the tables can hold.
func (j *Journal) trim(e Entry) Entry {
	e.At = e.At.UTC().Truncate(time.Microsecond)
	for _, text := range []*string{&e.Path, &e.Query, &e.Detail} {
		*text = cut(*text, maxText)
	}
	for _, text := range []*string{&e.Client, &e.Resource, &e.Method, &e.ScimType} {
		*text = cut(*text, maxName)
	}
	names := make([]string, 0, min(len(e.Ignored), maxNames))
	for _, name := range e.Ignored[:min(len(e.Ignored), maxNames)] {
		names = append(names, cut(name, maxName))
	}
	e.Ignored = names
	if !j.Bodies {
		e.Request, e.Answer = "", ""
	}
	e.Request, e.Answer = cut(e.Request, maxBody), cut(e.Answer, maxBody)
	return e
}

// cut answers the first n bytes of a text at most, as characters that every engine stores.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	s = strings.ToValidUTF8(s, "�")
	return strings.Clone(strings.ReplaceAll(s, "\x00", "�")) // what was cut off is let go
}

// Run writes what was noted until ctx ends, and answers its error. What comes later is written by Close.
func (j *Journal) Run(ctx context.Context) error {
	if err := j.tidy(ctx); err != nil && ctx.Err() == nil {
		j.Log.WarnContext(ctx, "old requests of sources not deleted", "error", err)
	}
	write, tidy := time.NewTicker(writeTime), time.NewTicker(tidyTime)
	defer write.Stop()
	defer tidy.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-write.C:
			err = j.Write(ctx)
		case <-tidy.C:
			err = j.tidy(ctx)
		}
		if err != nil && ctx.Err() == nil {
			j.Log.WarnContext(ctx, "requests of sources not written", "error", err)
		}
	}
}

// Close writes what was noted since. Run has ended before.
func (j *Journal) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	return j.Write(ctx)
}

// take answers what was gathered, and begins anew.
func (j *Journal) take() batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.batch
	j.batch = newBatch()
	return b
}

// lost counts entries that will not be written.
func (j *Journal) lost(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dropped += int64(n)
}
