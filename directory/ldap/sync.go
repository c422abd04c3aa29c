package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
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

func (r *Report) find(severity Severity, code, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Severity: severity, Code: code, Text: fmt.Sprintf(format, args...)})
}

// Syncer keeps one source of the directory in step with one LDAP server. The exported fields are set before the first use.
type Syncer struct {
	Store    *directory.Store
	Source   directory.Source
	Config   Config
	Log      *slog.Logger
	Progress func(Progress)   // may be nil; called in turn
	Now      func() time.Time // nil: time.Now
	Reader   Reader           // nil: a Client for Config

	running sync.Mutex // one sync at a time; taken before mu
	// written holds what this Syncer last wrote, by class and key, so that a sync after a small change does not compare
	// everything in the store again. Guarded by running.
	written map[string]digest
	mu      sync.Mutex
	opened  Reader
	status  Status
	under   *Progress // of the sync that is under way
}

// batch is how many changes go into one Apply.
const batch = 500

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

// Sync reads the whole directory and writes what differs. ErrIncomplete and ErrImplausible mean that nobody was marked absent
// and nothing was changed, but for accounts that an incomplete reading shows disabled. The Report stands with an error, too.
func (s *Syncer) Sync(ctx context.Context) (Report, error) {
	s.running.Lock()
	defer s.running.Unlock()
	defer s.over()
	rep := Report{Run: id.New[id.Run](), StartedAt: s.now(), Outcomes: map[Class]map[directory.Outcome]int{}}
	started := time.Now()
	err := s.sync(ctx, &rep)
	rep.Duration = time.Since(started)
	s.note(rep, err)
	return rep, err
}

func (s *Syncer) sync(ctx context.Context, rep *Report) error {
	reader, err := s.reader()
	if err != nil {
		return err
	}
	p, err := s.Config.prepare()
	if err != nil {
		return err
	}
	known, err := s.Store.RecordKeys(ctx, s.Source.ID)
	if err != nil {
		return fmt.Errorf("read what is known of source %s: %w", s.Source.Name, err)
	}
	st, begun := newStage(p, s.Source.ID), time.Now()
	count := map[Class]int{}
	rep.Proof, err = reader.Snapshot(ctx, func(objects []Object) error {
		count[objects[0].Class] += len(objects)
		s.progress(Progress{Phase: "read", Class: objects[0].Class, Done: count[objects[0].Class]})
		return st.add(objects)
	})
	rep.ReadTime = time.Since(begun)
	if err != nil || !rep.Proof.Complete() {
		return s.incomplete(ctx, rep, st, known, err)
	}
	if err := plausible(known, st); err != nil {
		rep.find(Error, "implausible", "%v", err)
		return err
	}
	if len(st.people) == 0 {
		rep.find(Warning, "no_people", "no person was found: look at base and person_classes")
	}
	return s.write(ctx, rep, st, known, reader)
}

// incomplete lets nothing of a reading without proof in, but for explicit disables: those are no inference, and a
// server that fails on each last page must not keep leavers in.
func (s *Syncer) incomplete(ctx context.Context, rep *Report, st *stage, known []directory.RecordKey, cause error) error {
	for _, why := range rep.Proof.Missing {
		rep.find(Error, "incomplete", "%s", why)
	}
	var changes []directory.Change
	for _, k := range known {
		if p, ok := st.people[k.Key]; ok && !p.record.Active && k.DeletedAt.IsZero() {
			delete(s.written, string(ClassPerson)+k.Key)
			changes = append(changes, directory.EditRecord{Source: s.Source.ID, Link: k.Link, Edit: func(r *directory.Record) error {
				r.Active = false
				return nil
			}})
		}
	}
	if ctx.Err() == nil {
		for chunk := range slices.Chunk(changes, batch) {
			done, err := s.Store.Apply(ctx, s.cause(rep, "disabled in the directory"), chunk...)
			if err != nil {
				cause = errors.Join(cause, err)
				break
			}
			for _, o := range done.Outcomes {
				if o != directory.Unchanged {
					rep.Disabled++
				}
			}
		}
	}
	if cause != nil {
		return fmt.Errorf("%w: nobody was marked absent: %w", ErrIncomplete, cause)
	}
	return fmt.Errorf("%w: nobody was marked absent: %s", ErrIncomplete, rep.Proof.Missing[0])
}

// plausible refuses a reading that is complete, and still cannot be this directory.
func plausible(known []directory.RecordKey, st *stage) error {
	const enough = 5
	var live, met int
	for _, k := range known {
		if !k.DeletedAt.IsZero() {
			continue
		}
		live++
		if _, ok := st.people[k.Key]; ok {
			met++
		}
	}
	switch {
	case live > 0 && len(st.people) == 0:
		return fmt.Errorf("%w: it shows no people, and %d are known: look at base, person_classes and the account's rights", ErrImplausible, live)
	case live >= enough && met == 0:
		return fmt.Errorf("%w: none of the %d people it shows is among the %d that are known: is it another directory, or is id_attribute changed?", ErrImplausible, len(st.people), live)
	}
	return nil
}

// write brings the store in step with a reading that is complete.
func (s *Syncer) write(ctx context.Context, rep *Report, st *stage, known []directory.RecordKey, reader Reader) error {
	lost, doubles := st.link()
	if doubles > 0 {
		rep.find(Warning, "login_twice", "%d people have the login of another entry; they are kept without it", doubles)
	}
	if lost > 0 {
		rep.find(Info, "manager_unknown", "%d people name a manager who is not in the directory", lost)
		if rep.Proof.Moved {
			if err := s.keepManagers(ctx, st); err != nil {
				return err
			}
		}
	}
	groups, lost, blind := st.groupChanges(rep.Proof.Moved)
	if lost > 0 {
		rep.find(Info, "member_unknown", "%d members of groups are not in the directory", lost)
	}
	if blind {
		rep.find(Warning, "members_hidden", "no group shows a member: may the account read them? Members stay as they are")
	}
	for _, part := range []struct {
		class   Class
		changes []directory.Change
	}{{ClassUnit, st.unitChanges()}, {ClassPerson, st.personChanges()}, {ClassGroup, groups}} {
		if err := s.put(ctx, rep, part.class, s.fresh(rep, part.class, part.changes, known)); err != nil {
			return fmt.Errorf("write %s: %w", part.class, err)
		}
	}
	if err := s.absent(ctx, rep, st, known, reader); err != nil {
		return err
	}
	if err := s.remove(ctx, rep, st); err != nil {
		return err
	}
	return s.done(ctx, rep)
}

// maxRaced bounds how many managers are looked up after a reading that raced with writes.
const maxRaced = 1000

// keepManagers leaves a manager in place whose name leads to nobody, because he may have been renamed during the
// reading; the server's mark has moved, so the next sync follows at once.
func (s *Syncer) keepManagers(ctx context.Context, st *stage) error {
	n := 0
	for k, p := range st.people {
		if !p.lost {
			continue
		}
		if n++; n > maxRaced {
			return nil
		}
		old, err := s.Store.RecordByKey(ctx, s.Source.ID, k)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		p.record.ManagerKey = old.ManagerKey
		st.people[k] = p
	}
	return nil
}

// done notes the sync in the store, where it changed something or nothing was noted for long.
func (s *Syncer) done(ctx context.Context, rep *Report) error {
	source, err := s.Store.SourceByID(ctx, s.Source.ID)
	if err != nil {
		return fmt.Errorf("note the sync: %w", err)
	}
	if rep.Written() == 0 && s.now().Sub(source.SyncedAt) < heartbeat {
		return nil
	}
	counts := map[string]int{"absent": rep.Absent}
	for class, n := range rep.Proof.Counts {
		counts[string(class)] = n
	}
	if _, err := s.Store.Apply(ctx, s.cause(rep, ""), directory.SyncDone{Source: s.Source.ID, Run: rep.Run, Proof: rep.Proof.text(), Counts: counts}); err != nil {
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
