package hrfeed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Config is one source of the configuration.
type Config struct {
	Name    string        `koanf:"name"`      // of the source, never changed
	Folder  string        `koanf:"folder"`    // where files are dropped; empty: nowhere
	Every   time.Duration `koanf:"every"`     // between looks at the folder
	Mapping Mapping       `koanf:"mapping"`   // how columns are read
	Zone    string        `koanf:"time_zone"` // where days begin for people of whom nothing nearer is known
	Secret  string        `koanf:"secret"`    // that signs messages: whsec_ and base64; empty: there is no hook
}

// Feeds takes the files of all HR sources. The exported fields are set before the first use.
type Feeds struct {
	Store *directory.Store
	DB    *db.DB
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
	// Foresee answers, on the state that tx sees, what becomes of the memberships of these people; nil where nobody can say.
	Foresee func(tx *db.Tx, people []id.Person) ([]directory.MembershipChange, error)
	// Configs are those of the configuration, by the source.
	Configs map[id.Source]Config

	mu    sync.Mutex // guards turns and read
	read  map[id.Source]zones
	turns map[id.Source]chan struct{}
}

// Order says what to do with a file.
type Order struct {
	Source  id.Source
	File    File
	Preview bool // write nothing
	Again   bool // although it was taken before
	Cause   directory.Cause
	message string // id of the signed message that carried it
}

func (f *Feeds) now() time.Time {
	if f.Now != nil {
		return f.Now().UTC()
	}
	return time.Now().UTC()
}

// turn waits until no other file of the source is being taken; done lets the next one in.
func (f *Feeds) turn(ctx context.Context, source id.Source) (done func(), err error) {
	f.mu.Lock()
	if f.turns == nil {
		f.turns = map[id.Source]chan struct{}{}
	}
	turn := f.turns[source]
	if turn == nil {
		turn = make(chan struct{}, 1)
		f.turns[source] = turn
	}
	f.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Take reads a file and makes what it says so, or says what it would do. The Report stands with an error too; where the error is one of
// this package's, the file is at fault and nothing of it was written, any other may pass if the file is taken again.
func (f *Feeds) Take(ctx context.Context, o Order) (Report, error) {
	sum := sha256.Sum256(o.File.Data)
	rep := Report{Run: string(id.New[id.Run]()), File: o.File.Name, SHA256: hex.EncodeToString(sum[:]), Preview: o.Preview, At: f.now(),
		Refused: []Finding{}, Notes: []Finding{}, Unknown: []string{}, People: []Diff{}}
	source, err := f.Store.SourceByID(ctx, o.Source)
	if err != nil {
		return rep, err
	}
	rep.Source, rep.Mode = source.Name, string(source.Mode)
	if source.Kind != directory.KindHRFeed {
		return rep, fmt.Errorf("%w: %s is of kind %s", ErrKind, source.Name, source.Kind)
	}
	done, err := f.turn(ctx, o.Source)
	if err != nil {
		return rep, err
	}
	defer done()
	began := time.Now()
	ctx, step := trace.Begin(ctx, "hrfeed.file", "rollcall.source", o.Source, "rollcall.run", rep.Run, "rollcall.preview", o.Preview)
	defer func() {
		step.Set("rollcall.rows", rep.Counts.Rows, "rollcall.refused", rep.Counts.Refused)
		step.End(err)
	}()
	o.Cause.Source, o.Cause.Request = o.Source, id.Request(rep.Run) // by the run's id the audit log names it, and it is undone
	if o.Cause.Actor == "" {
		o.Cause.Actor = string(o.Source)
	}
	job := &job{Feeds: f, ctx: ctx, order: o, source: source, rep: &rep}
	err = job.run()
	if err == nil && !o.Preview { // of a file that was taken before, too: rep.Run is the run that took it
		run := id.Request(rep.Run)
		if rep.Kind == Full { // it says again whatever an earlier one said
			run = ""
		}
		var unknown error
		if rep.Held, unknown = f.Store.HeldOf(ctx, o.Source, run, job.about()); unknown != nil { // the file is taken all the same
			f.Log.Error("what is held of a personnel file", "source", rep.Source, "run", rep.Run, "error", unknown)
		}
	}
	rep.inOrder()
	rep.Seconds = time.Since(began).Seconds()
	if err != nil {
		rep.Error = err.Error()
	}
	if !o.Preview && rep.Again.IsZero() && (err == nil || atFault(err)) {
		if noted := job.remember(err); noted != nil && err == nil {
			err = noted
		}
	}
	f.tell(rep, o, err)
	return rep, err
}

// tell logs how it went, without a value of the file.
func (f *Feeds) tell(rep Report, o Order, err error) {
	args := []any{"source", rep.Source, "run", rep.Run, "kind", string(rep.Kind), "preview", rep.Preview, "rows", rep.Counts.Rows, "refused", rep.Counts.Refused,
		"written", rep.Counts.written(), "absent", rep.Counts.Absent, "origin", o.File.Origin, "seconds", rep.Seconds}
	switch {
	case err == nil && !rep.Again.IsZero():
		f.Log.Info("personnel file taken before", "source", rep.Source, "run", rep.Run, "origin", o.File.Origin)
	case err == nil:
		f.Log.Info("personnel file taken", args...)
	case atFault(err) || errors.Is(err, ErrReplayed):
		f.Log.Warn("personnel file refused", append(args, "code", codeOf(err))...)
	default:
		f.Log.Error("personnel file not taken", append(args, "error", err)...)
	}
}

// atFault tells whether an error is the file's own: taking it again would end the same.
func atFault(err error) bool { return codeOf(err) != "" }

// codes are the errors of files with their stable names.
func codes() []struct {
	err  error
	code string
} {
	return []struct {
		err  error
		code string
	}{{ErrUndeclared, "undeclared"}, {ErrTooLarge, "too_large"}, {ErrTruncated, "truncated"}, {ErrImplausible, "implausible"}, {ErrUnreadable, "unreadable"}, {ErrMapping, "mapping"}, {ErrKind, "not_hrfeed"}}
}

func codeOf(err error) string {
	for _, c := range codes() {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}

// mapping answers how the source is read: what the configuration says, and over it what an administrator saved.
func (f *Feeds) mapping(ctx context.Context, source id.Source) (Mapping, error) {
	c := f.Configs[source]
	m := c.Mapping
	if c.Zone != "" {
		m.TimeZone = c.Zone
	}
	saved, _, err := f.saved(ctx, source)
	if err != nil {
		return m, err
	}
	m = m.over(saved)
	return m, m.Check()
}

// job is one file being taken, for one call only: hence the ctx in it.
type job struct {
	*Feeds
	ctx     context.Context
	order   Order
	source  directory.Source
	rep     *Report
	m       Mapping
	zone    *time.Location
	intents []intent
	unsure  int  // rows that nobody can say whose they are
	names   bool // the file has a column of names
	named   map[string]bool
	keys    []directory.RecordKey
	people  map[string]*person
	units   *units
	absent  []string
}

func (j *job) run() error {
	if j.order.message != "" {
		if again, err := j.replayed(); err != nil || again {
			return err
		}
	}
	var err error
	if j.m, err = j.mapping(j.ctx, j.source.ID); err != nil {
		return err
	}
	if j.zone, err = time.LoadLocation(j.m.TimeZone); err != nil {
		return fmt.Errorf("%w: %w", ErrMapping, err)
	}
	t, err := read(j.order.File, j.m.Sheet)
	if err != nil {
		return err
	}
	j.rep.Format = t.format
	if j.rep.Kind, err = declared(j.order.File, t); err != nil {
		return err
	}
	if !j.order.Again && j.order.message == "" { // a signed message is told from others by its id: what it says may hold again
		if j.rep.Again, err = j.taken(); err != nil || !j.rep.Again.IsZero() {
			return err
		}
	}
	for _, step := range []func(*table) error{j.understand, j.know, j.gather, j.missing} {
		if err := step(t); err != nil {
			return err
		}
	}
	return j.write()
}

// declared answers what a file says it is; two different words are as bad as none.
func declared(f File, t *table) (Kind, error) {
	kind := Kind("")
	for _, k := range append([]Kind{f.Kind, t.kind}, kindsOfName(f.Name)...) {
		switch {
		case k == "":
		case k != Full && k != Delta:
			return "", fmt.Errorf("%w: %q is neither full nor delta", ErrUndeclared, cutText(string(k)))
		case kind != "" && kind != k:
			return "", fmt.Errorf("%w: it is said to be both", ErrUndeclared)
		default:
			kind = k
		}
	}
	if kind == "" {
		return "", fmt.Errorf("%w: name it people.full.csv or people.delta.csv (people_full.csv, 员工全量.csv), or say full or delta with it", ErrUndeclared)
	}
	return kind, nil
}

// understand reads the header and the rows.
func (j *job) understand(t *table) error {
	rows := t.rows
	c, err := j.m.header(t, &rows)
	if err != nil {
		return err
	}
	j.rep.Unknown = append(j.rep.Unknown, c.unknown...)
	for _, f := range c.twice {
		j.rep.note(f)
	}
	if j.rep.Counts.Rows = len(rows); t.count >= 0 && t.count != len(rows) {
		return fmt.Errorf("%w: it says that it has %d rows, and %d are there", ErrTruncated, t.count, len(rows))
	}
	j.names = slices.ContainsFunc(c.fields, func(f string) bool { return f == fDisplay || f == fGiven || f == fFamily })
	r := &reader{words: words{byWord(allActions(), j.m.Actions), byWord(allStatuses(), j.m.Statuses)}, m: j.m, c: c, kind: j.rep.Kind, exact: t.format == "xlsx"}
	for _, at := range rows {
		in, notes, wrong := r.read(at)
		if wrong != nil {
			if wrong.Code == "no_name" { // nobody's
			} else if wrong.Key == "" {
				j.unsure++
			} else {
				j.name(wrong.Key)
			}
			j.rep.refuse(*wrong)
			continue
		}
		for _, n := range notes {
			j.rep.note(n)
		}
		j.intents = append(j.intents, in)
	}
	return nil
}

func (j *job) name(key string) {
	if j.named == nil {
		j.named = map[string]bool{}
	}
	j.named[key] = true
}

// headerRows is among how many rows at the top the header is looked for: lists often begin with a title.
const headerRows = 10

// header finds the columns of a table, and takes what stands up to them off the rows.
func (m Mapping) header(t *table, rows *[]row) (columns, error) {
	if t.columns != nil || t.format == "json" {
		if len(*rows) == 0 || len(t.columns) == 0 { // then every row is wrong, and says why
			return columns{}, nil
		}
		return m.match(t.columns)
	}
	best, most := fmt.Errorf("%w: it is empty", ErrUnreadable), 0
	for i, r := range (*rows)[:min(len(*rows), headerRows)] {
		names := make([]string, len(r.cells))
		filled := 0
		for k, c := range r.cells {
			if names[k] = c.text; c.text != "" {
				filled++
			}
		}
		c, err := m.match(names)
		if err == nil && r.wrong != "" { // what a column says must not go to another one, or to none
			return c, fmt.Errorf("%w: the header, line %d: %s", ErrUnreadable, r.line, r.wrong)
		}
		if err == nil {
			*rows = (*rows)[i+1:]
			c.measure(r, *rows)
			return c, nil
		}
		if filled > most {
			best, most = err, filled
		}
	}
	return columns{}, best
}
