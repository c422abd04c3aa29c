package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Reader reads the directory: outside any transaction (Store embeds one) or inside one (Store.In).
type Reader struct {
	from   func(context.Context) *gorm.DB
	engine db.Engine
	now    func() time.Time
	leave  *LeaveRule

	disclosure *Disclosure
	former     *time.Duration
	sight      *Sight // nil: sees everything
}

// Store is the directory. Access is set once, before the first Apply.
type Store struct {
	Reader
	Access     Access
	Now        func() time.Time // nil: time.Now
	Leave      LeaveRule        // set once, before the first Apply
	Disclosure Disclosure       // set once, before the first request
	Former     time.Duration    // how long people are found by former names; set once, before the first Apply
	// Held tells whether what is known of a person has to be kept whatever anybody asks; nil: of nobody. Set once, before the first Apply.
	Held     func(tx *db.Tx, person id.Person) (bool, error)
	written  atomic.Int64 // people, since the start
	nextLook atomic.Int64 // at how many of them the engine looks again

	marks *marks // OpenMarks

	configuring sync.Mutex // one merging anew after a change of configuration at a time

	db   *db.DB
	feed *feed.Feed
	log  *slog.Logger
}

// New makes a Store whose tables are migrated; the caller sets Access.
func New(d *db.DB, f *feed.Feed, log *slog.Logger) *Store {
	s := &Store{db: d, feed: f, log: log, Former: FormerNames}
	s.Reader = Reader{from: d.Read, engine: d.Engine, now: s.clock, leave: &s.Leave, disclosure: &s.Disclosure, former: &s.Former}
	return s
}

func (s *Store) clock() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// In answers a Reader that reads inside tx, and sees what tx wrote.
func (s *Store) In(tx *db.Tx) Reader {
	return Reader{from: func(context.Context) *gorm.DB { return tx.DB }, engine: s.db.Engine, now: s.clock, leave: &s.Leave, disclosure: &s.Disclosure, former: &s.Former}
}

// errDry rolls a dry run back.
var errDry = errors.New("dry run")

// applyTime bounds one call, so that a database that hangs does not keep it for ever.
const applyTime = 5 * time.Minute

// Apply makes all changes or none, and returns when what they took away is in force. An error of one change is a *ChangeError.
// Where the error came from waiting (Access.Settle), the changes stand, Applied says which, and the same call may be made again: it
// waits for what stands. Concurrent calls are safe; ctx ending after the commit does not end the wait.
func (s *Store) Apply(ctx context.Context, cause Cause, changes ...Change) (done Applied, err error) {
	if s.Access == nil {
		return Applied{}, ErrNoAccess
	}
	ctx, step := trace.Begin(ctx, "directory.apply", "rollcall.source", cause.Source, "rollcall.request", cause.Request, "rollcall.changes", len(changes))
	defer func() {
		step.Set("rollcall.people", len(done.Changed), "rollcall.revision", done.Rev)
		step.End(err)
	}()
	// A client that hangs up does not take back what it has said: the call goes on to its end, within a bound.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	w, err := s.attempt(ctx, cause, nil, changes)
	for try := 1; errors.Is(err, errStale) && try < staleMost; try++ {
		w, err = s.attempt(ctx, cause, nil, changes)
	}
	if errors.Is(err, errDry) {
		return w.applied, nil
	}
	if err != nil {
		if w != nil && errors.Is(err, ErrNotFound) && !cause.DryRun {
			if wait := s.settle(ctx, cause, nil, w.waits, 0); wait != nil {
				return Applied{}, wait
			}
		}
		return Applied{}, err
	}
	s.grew(ctx, len(w.applied.Changed))
	return w.applied, s.settle(ctx, cause, w.applied.Changed, w.waits, w.applied.Rev)
}

// staleMost is how often a call is made that somebody else's decision overtakes.
const staleMost = 5

// attempt makes changes in one transaction, and has look look at what then stands, where it is given, and takes all of it back.
func (s *Store) attempt(ctx context.Context, cause Cause, look func(*work) error, changes []Change) (w *work, err error) {
	transaction := s.db.Tx
	if isBrief(changes) && look == nil && !cause.DryRun {
		transaction = s.db.Brief
	}
	err = transaction(ctx, func(tx *db.Tx) error {
		var err error
		if w, err = s.begin(ctx, tx, cause, len(changes)); err != nil {
			return err
		}
		w.takenBack = look != nil
		if err := w.run(changes); err != nil {
			return err
		}
		if look != nil {
			if err := look(w); err != nil {
				return err
			}
		}
		if cause.DryRun || look != nil {
			return errDry
		}
		return nil
	})
	return w, err
}

// Try makes changes as Apply does, lets look see what would stand, and takes everything back.
func (s *Store) Try(ctx context.Context, cause Cause, look func(*db.Tx) error, changes ...Change) (Applied, error) {
	if s.Access == nil {
		return Applied{}, ErrNoAccess
	}
	w, err := s.attempt(ctx, cause, func(w *work) error { return look(w.tx) }, changes)
	if !errors.Is(err, errDry) {
		return Applied{}, err
	}
	return w.applied, nil
}

// isBrief tells whether changes are what one person or program does at a time: then they may share a commit with others.
func isBrief(changes []Change) bool {
	const most, mostMembers = 8, 200
	members := 0
	for _, c := range changes {
		switch c := c.(type) {
		case CreateRecord, EditRecord, DeleteRecord, FreezePerson, LiftFreeze, EndPerson:
		case CreateGroup:
			members += len(c.Members)
		case EditGroup:
			members += len(c.Add) + len(c.Remove)
			if c.Replace != nil {
				return false
			}
		default:
			return false
		}
	}
	return len(changes) <= most && members <= mostMembers
}

// firstLook is after how many changed people the engine first looks at its tables again. SQLite knows nothing
// of a table before, and takes an index that fits the order for as good as one that finds a single row.
func (s *Store) firstLook() int64 {
	if s.db.Engine == db.SQLite {
		return 100
	}
	return 1000
}

// manyWritten is from how many people on the engine looks at its tables half as often.
const manyWritten = 2000

// grew has the engine look at how its tables are filled, each time twice as many people were written, and of many four times as many: the plans
// it made for empty tables read whole tables, and its own look comes a minute late.
func (s *Store) grew(ctx context.Context, people int) {
	written, next := s.written.Add(int64(people)), s.nextLook.Load()
	more := int64(2)
	if written >= manyWritten { // no plan changes any more, and each look costs as much as some thousand people
		more = 4
	}
	if written < max(next, s.firstLook()) || !s.nextLook.CompareAndSwap(next, more*written) {
		return
	}
	if err := s.db.Analyze(ctx); err != nil {
		s.log.WarnContext(ctx, "tables could not be analyzed", "error", err)
	}
}

// settle waits until what a call did, or what it found standing, is in force.
func (s *Store) settle(ctx context.Context, cause Cause, changed []Changed, waits map[id.Person]bool, rev int64) error {
	people := map[id.Person]bool{}
	for _, c := range changed {
		people[c.Person] = true
	}
	var asked []id.Person
	for p, always := range waits {
		if always {
			people[p] = true
		}
		asked = append(asked, p)
	}
	for part := range slices.Chunk(asked, chunk) {
		var rows []struct {
			PersonID id.Person
			Rev      int64
		}
		if err := s.db.Read(ctx).Raw("select person_id, max(rev) as rev from freezes where lifted_at is null and person_id in ? group by person_id", part).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read freezes: %w", err)
		}
		for _, row := range rows {
			people[row.PersonID] = true
			rev = max(rev, row.Rev)
		}
	}
	if len(people) == 0 {
		return nil
	}
	if err := s.Access.Settle(ctx, cause, sorted(people), rev); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}
