package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Progress says how far a sync has come.
type Progress struct {
	Phase string // "read" or "write"
	Class Class
	Done  int
	Total int // 0 while it is not known
}

// Report is what one sync did.
type Report struct {
	Run       id.Run
	Kind      string // "full", "live" or "inventory"
	StartedAt time.Time
	Duration  time.Duration
	ReadTime  time.Duration // of Duration, until the last page
	Proof     Proof
	// Outcomes counts, per class, what the store made of the entries.
	Outcomes map[Class]map[directory.Outcome]int
	Absent   int // newly marked absent
	Disabled int // of an incomplete reading: accounts frozen because it showed them disabled
	Findings []Finding
}

// Written counts the rows of people, units and groups that the sync changed, absences among them.
func (r Report) Written() int {
	n := r.Absent + r.Disabled
	for _, outcomes := range r.Outcomes {
		for outcome, count := range outcomes {
			if outcome != directory.Unchanged {
				n += count
			}
		}
	}
	return n
}

// join adds what another did.
func (r *Report) join(other *Report) {
	for class, outcomes := range other.Outcomes {
		for outcome, n := range outcomes {
			r.tally(class, outcome, n)
		}
	}
	r.Absent += other.Absent
	r.Findings = append(r.Findings, other.Findings...)
}

func (r *Report) find(severity Severity, code, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Severity: severity, Code: code, Text: fmt.Sprintf(format, args...)})
}

// Syncer keeps one source of the directory in step with one LDAP server. The exported fields are set before the first use.
type Syncer struct {
	Store    *directory.Store
	DB       *db.DB // where the tables of Migrate are; the Store's
	Source   directory.Source
	Config   Config
	File     Mapping // what the configuration says, where Config has what administrators keep over it
	Log      *slog.Logger
	Progress func(Progress)   // may be nil; called in turn
	Now      func() time.Time // nil: time.Now
	Reader   Reader           // nil: a Client for Config; followed where it is a Stream
	// Rekeyed is told, in the transaction of a relinking, the records that have another key now, old to new; may be nil.
	Rekeyed func(tx *db.Tx, source id.Source, keys map[string]string) error
	// Inventory is how often all ids are compared while the source is followed; 0: an hour.
	Inventory time.Duration

	refreshing sync.Mutex              // taken before remapping; guards mapped
	mapped     int                     // the version of the mapping that was looked at last
	remapping  sync.Mutex              // taken before running; guards stop and ended
	stop       context.CancelCauseFunc // ends the turn of Run
	ended      chan struct{}           // closed when that has ended
	running    sync.Mutex              // one sync or batch of changes at a time; taken before mu
	space      *space                  // guarded by running; nil: to be read
	mu         sync.Mutex
	opened     Reader
	name       string // of this Syncer among those that follow sources
	kept       int    // how many keep the lease
	epoch      int    // how often everything was read
	status     Status
	taken      chan struct{} // closed when a login is taken again; guarded by mu
	under      *Progress     // of the sync that is under way
}

// heartbeat is how often a sync that changed nothing is noted in the store all the same.
const heartbeat = time.Hour

func (s *Syncer) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

func (s *Syncer) reader() (Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		if s.opened = s.Reader; s.opened == nil {
			client, err := NewClient(s.Config)
			if err != nil {
				return nil, err
			}
			s.opened = client
		}
	}
	return s.opened, nil
}

// Close closes the standing connection to the server.
func (s *Syncer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	closer, ok := s.opened.(interface{ Close() error })
	if s.opened = nil; ok {
		return closer.Close()
	}
	return nil
}

// Probe tests the connection and the rights, and changes nothing. Findings stand also where it fails.
func (s *Syncer) Probe(ctx context.Context) (Capabilities, []Finding, error) {
	reader, err := s.reader()
	if err != nil {
		return Capabilities{}, []Finding{{Severity: Error, Code: "config", Text: err.Error()}}, err
	}
	return reader.Probe(ctx)
}

// Sync reads the whole directory and writes what differs from what it showed last. ErrIncomplete and ErrImplausible mean that nobody was
// marked absent and nothing was changed, but for accounts that an incomplete reading shows disabled. The Report stands with an error, too. A node that follows
// the source is asked to let go of it first, which takes seconds.
func (s *Syncer) Sync(ctx context.Context) (Report, error) { return s.sync(ctx, true, s.claim) }

func (s *Syncer) sync(ctx context.Context, trust bool, take func(context.Context) error) (Report, error) {
	s.running.Lock()
	defer s.running.Unlock()
	defer s.over()
	rep := Report{Run: id.New[id.Run](), Kind: "full", StartedAt: s.now(), Outcomes: map[Class]map[directory.Outcome]int{}}
	started := time.Now()
	ctx, step := trace.Begin(ctx, "ldap.compare", "rollcall.source", s.Source.ID, "rollcall.run", rep.Run)
	err := take(ctx)
	if err == nil {
		if err = s.compare(ctx, &rep, trust); err != nil && !errors.Is(err, ErrIncomplete) && !errors.Is(err, ErrImplausible) {
			s.space = nil // it may be ahead of what was written
		}
		s.mu.Lock()
		s.epoch++
		s.mu.Unlock()
		rep.Duration = time.Since(started)
		err = errors.Join(err, s.done(ctx, &rep, err))
		s.let(ctx)
	}
	rep.Duration = time.Since(started)
	s.note(rep, err)
	step.Set("rollcall.written", rep.Written())
	step.End(err)
	return rep, err
}

// done notes a run in the store, where it changed something, failed, or nothing was noted for long.
func (s *Syncer) done(ctx context.Context, rep *Report, failed error) error {
	source, err := s.Store.SourceByID(ctx, s.Source.ID)
	if err != nil {
		return fmt.Errorf("note the sync: %w", err)
	}
	old := s.now().Sub(source.SyncedAt) >= heartbeat
	run := directory.Run{ID: rep.Run, Source: s.Source.ID, Kind: rep.Kind, StartedAt: rep.StartedAt, EndedAt: s.now(), OK: failed == nil, Counts: map[string]int{"absent": rep.Absent, "written": rep.Written()}}
	for class, n := range rep.Proof.Counts {
		run.Counts[string(class)] = n
	}
	var changes []directory.Change
	if failed != nil {
		if run.Error = scrub(failed.Error(), s.config().Password); ctx.Err() != nil || run.Error == s.Status().LastError { // said already
			return nil
		}
	} else {
		if run.Proof = rep.Proof.text(); rep.Written() == 0 && !old {
			return nil
		}
		if rep.Proof.Complete() {
			changes = append(changes, directory.SyncDone{Source: s.Source.ID, Run: rep.Run, Proof: run.Proof, Counts: run.Counts})
		}
	}
	return s.put(ctx, rep, run, changes...)
}

// remember notes a run of following that changed something.
func (s *Syncer) remember(ctx context.Context, rep *Report) error {
	return s.put(ctx, rep, directory.Run{ID: rep.Run, Source: s.Source.ID, Kind: rep.Kind, StartedAt: rep.StartedAt, EndedAt: s.now(), OK: true, Proof: rep.Proof.text(),
		Counts: map[string]int{"absent": rep.Absent, "written": rep.Written()}})
}

func (s *Syncer) put(ctx context.Context, rep *Report, run directory.Run, changes ...directory.Change) (err error) {
	if len(rep.Findings) > 0 {
		if run.Findings, err = json.Marshal(rep.Findings); err != nil {
			return err
		}
	}
	if _, err := s.Store.Apply(ctx, s.cause(rep, ""), append(changes, directory.PutRun{Run: run})...); err != nil {
		return fmt.Errorf("note the sync: %w", err)
	}
	return nil
}

// text writes a proof for the audit record.
func (p Proof) text() string {
	out := p.Kind
	for _, class := range slices.Sorted(maps.Keys(p.Counts)) {
		out += fmt.Sprintf(" %s=%d", class, p.Counts[class])
	}
	if p.Position != "" {
		out += " at " + p.Position
	}
	return out
}

func (s *Syncer) cause(rep *Report, reason string) directory.Cause {
	return directory.Cause{Source: s.Source.ID, Actor: string(s.Source.ID), Request: id.Request(rep.Run), Reason: reason}
}
