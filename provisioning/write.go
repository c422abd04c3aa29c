package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// write makes one transaction of what was assessed. The people are locked.
func (r *Reactor) write(ctx context.Context, tx *db.Tx, run *run, c *catalog, list []assessment) (Result, error) {
	var result Result
	s := &sheet{run: run, catalog: c, now: r.clock(), leave: r.directory.Leave, batch: Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}, Signs: Signs{Counts: run.counts}}}
	for _, a := range list {
		s.batch.collect(a)
		s.recaused = append(s.recaused, a.recaused...)
		s.vanished = append(s.vanished, a.vanished...)
	}
	stopped, err := r.judge(ctx, tx, run, s)
	if err != nil {
		return result, err
	}
	for _, a := range list {
		s.person = a.person
		if a.note {
			if err := r.noteUnjudged(tx, a.person, a.failed); err != nil {
				return result, fmt.Errorf("note failure: %w", err)
			}
		}
		held, gone := 0, 0
		stays := map[id.Group]bool{}
		for _, step := range a.steps {
			if stays[step.Group] {
				continue // what is planned for after a removal waits as that does
			}
			if breach, ok := stopped[step.Before.ID]; ok && step.guarded {
				s.hold(a.person, step, breach)
				held++
				stays[step.Group] = true
				continue
			}
			s.put(a.person, step)
			result.Written++
			if step.Op == OpRemove {
				gone++
			}
		}
		result.Held += held
		if a.missing && gone > 0 && held == 0 { // the guard let them go: then sign-in and tokens go too
			a.raise = append(a.raise, absence(a.person))
		}
		s.fences(a)
	}
	if err := s.flush(tx); err != nil {
		return result, err
	}
	if err := r.tellMoved(tx, s.moved); err != nil {
		return result, err
	}
	if _, err := r.feed.Append(tx, s.events...); err != nil {
		return result, err
	}
	if result.Rev, err = r.authz.Append(tx, s.tuples...); err != nil {
		return result, fmt.Errorf("append tuples: %w", err)
	}
	if result.Rev == 0 {
		// Somebody else may have written what this call would have: then that is what must be in force.
		if result.Rev, err = r.authz.Revision(tx); err != nil {
			return result, fmt.Errorf("read revision: %w", err)
		}
	}
	return result, audit.Append(tx, s.records...)
}

// judge has the guard say which of the batch's removals are held, by which breach.
func (r *Reactor) judge(ctx context.Context, tx *db.Tx, run *run, s *sheet) (map[id.Membership]Breach, error) {
	if len(s.batch.Removals)+len(s.vanished) == 0 {
		return nil, nil
	}
	if err := tx.ForUpdate().Table("guard_state").Where("id = 1").Take(&guardRow{}).Error; err != nil {
		return nil, fmt.Errorf("lock guard: %w", err)
	}
	if len(s.batch.Removals) == 0 {
		return nil, nil
	}
	if err := r.complete(ctx, tx, s.catalog, &s.batch); err != nil {
		return nil, err
	}
	for g, n := range run.added { // also those that other chunks add
		s.batch.Added[g] = max(n, s.batch.Added[g])
	}
	for g, n := range run.later {
		s.batch.Later[g] = max(n, s.batch.Later[g])
	}
	verdict, err := Guard{guardOf(s.catalog)}.Check(s.batch)
	if err != nil {
		return nil, err
	}
	if verdict, err = verdict.standing(tx.DB); err != nil {
		return nil, err
	}
	if verdict, err = verdict.foreseen(tx.DB, s.now); err != nil {
		return nil, err
	}
	stopped := map[id.Membership]Breach{}
	for _, removal := range s.batch.Removals {
		if breach, held := run.verdict.breach(removal); held {
			stopped[removal.Membership] = breach
		} else if breach, held := verdict.breach(removal); held {
			stopped[removal.Membership] = breach
		}
	}
	return stopped, nil
}

// sheet collects the rows of one transaction.
type sheet struct {
	run     *run
	catalog *catalog
	person  id.Person // whose changes are being noted
	group   id.Group  // of the place that is being noted, where one is
	now     time.Time
	leave   directory.LeaveRule
	placed  map[id.Person]string     // where people work, for what is kept of them
	said    map[id.Membership]string // of a hold that is rejected: what it is about
	batch   Batch

	recaused, vanished []heldRow

	begin    []membershipRow
	end      map[ending][]id.Membership
	roles    []membershipRow
	planned  []membershipRow // planned ones that move, or are in force now
	grounds  []reasonRow
	lapsed   map[id.Request][]id.Reason
	reopened []membershipRow
	revived  []reasonRow
	removals []removalRow
	held     []stoppedRemoval
	lift     []fenceRow
	raise    []fenceRow
	healed   []id.Person
	moved    []Moved

	events  []feed.Event
	tuples  []authz.Change
	records []audit.Record
}

// ending is why memberships end, and by which call.
type ending struct {
	cause Cause
	by    id.Request
}

// cause names the call by which the person at hand changes: the plan that is being followed, where it says something of the place at hand.
func (s *sheet) cause() directory.Cause {
	if s.group != "" && s.catalog.following.has(position{s.person, s.group}) {
		return s.catalog.following.cause
	}
	if of, ok := s.run.causes[s.person]; ok {
		return of
	}
	return s.run.cause
}

// put notes one change of one person.
func (s *sheet) put(person id.Person, step step) {
	s.group = step.Group
	defer func() { s.group = "" }()
	m := step.Before
	back, returned := s.run.returned(person, step.Group)
	switch {
	case step.Op == OpAdd && returned:
		m = Membership{ID: back.ID, Person: person, Group: step.Group, Since: back.Since}
		s.reopened = append(s.reopened, membershipRow{ID: m.ID, Role: step.Role})
	case step.Op == OpAdd:
		m = Membership{ID: id.New[id.Membership](), Person: person, Group: step.Group, Since: s.now, Begins: step.Begins}
		if !m.Begins.IsZero() {
			m.Since = m.Begins
		}
		s.begin = append(s.begin, membershipRow{ID: m.ID, Person: person, GroupID: step.Group, Role: step.Role, Since: db.At(m.Since), BeginsAt: db.At(m.Begins)})
	case step.Op == OpRole:
		s.roles = append(s.roles, membershipRow{ID: m.ID, Role: step.Role})
	case step.Op == OpRemove:
		if s.end == nil {
			s.end = map[ending][]id.Membership{}
		}
		end := ending{step.cause, s.cause().Request}
		s.end[end] = append(s.end[end], m.ID)
	}
	if step.guarded {
		s.removals = append(s.removals, removalRow{Membership: m.ID, Person: person, GroupID: step.Group, Cause: step.cause, Source: step.source, At: db.At(s.now)})
	}
	if step.Op != OpAdd && step.Op != OpRemove && !step.Before.Begins.IsZero() {
		if m.Begins = step.Begins; !m.Begins.IsZero() {
			m.Since = m.Begins
		} else if m.Since.After(s.now) { // the start was moved to before now
			m.Since = s.now
		}
		s.planned = append(s.planned, membershipRow{ID: m.ID, Role: step.Role, Since: db.At(m.Since), BeginsAt: db.At(m.Begins)})
	}
	for _, g := range step.End {
		if s.lapsed == nil {
			s.lapsed = map[id.Request][]id.Reason{}
		}
		s.lapsed[s.cause().Request] = append(s.lapsed[s.cause().Request], g.ID)
	}
	for _, g := range step.Add {
		kind, ref := g.stored()
		row := reasonRow{ID: s.run.revives(m, g), Membership: m.ID, Kind: kind, Ref: ref, Role: g.Role, PolicyVersion: g.Version,
			StartsAt: db.At(g.From), Until: db.At(g.Until), CreatedAt: db.At(s.now), Placed: g.placed}
		if row.ID != "" {
			s.revived = append(s.revived, row)
			continue
		}
		row.ID = id.New[id.Reason]()
		s.grounds = append(s.grounds, row)
	}
	s.kept(person, step)
	after := m
	after.Role, after.Reasons = step.Role, standing(step)
	s.retuple(step, after)
	s.tell(step, after)
}

// standing answers the reasons that a membership has after a step.
func standing(step step) []Reason {
	ended := func(r Reason) bool { // those of a scan have no id
		return slices.ContainsFunc(step.End, func(o Reason) bool {
			return o.ID == r.ID && o.ground() == r.ground() && o.From.Equal(r.From) && o.Until.Equal(r.Until)
		})
	}
	return append(slices.Clone(step.Add), slices.DeleteFunc(slices.Clone(step.Before.Reasons), ended)...)
}

func (s *sheet) retuple(step step, after Membership) {
	channels := s.catalog.channels[step.Group]
	var before, now []authz.Tuple
	if step.Op != OpAdd {
		before = seatNames(step.Before, channels)
	}
	if step.Op != OpRemove {
		now = seatTuples(after, channels, s.now)
	}
	same := func(a, b authz.Tuple) bool {
		return a.User == b.User && a.Relation == b.Relation && a.Object == b.Object && a.From.Equal(b.From) && a.Until.Equal(b.Until)
	}
	if step.Op == OpReasons && slices.EqualFunc(seatTuples(step.Before, channels, s.now), now, same) && len(before) == len(seatNames(after, channels)) {
		return
	}
	s.tuples = append(s.tuples, turn(before, now)...)
}

// fences notes the freezes of one person that begin and end. Its tuples come after those of the memberships.
func (s *sheet) fences(a assessment) {
	for _, f := range a.raise {
		s.raise = append(s.raise, fenceRow{Person: a.person, Slot: f.Slot, FreezeID: f.ID, At: db.At(s.now)})
		for _, t := range freezeTuples(f, s.leave, s.now) {
			s.tuples = append(s.tuples, authz.Put(t))
		}
	}
	for _, f := range a.lift {
		s.lift = append(s.lift, f)
		object, _ := denial(f.Slot, s.leave)
		s.tuples = append(s.tuples, authz.Remove(authz.Tuple{User: userRef(a.person), Relation: "subject", Object: object}))
	}
	if a.healed {
		s.healed = append(s.healed, a.person)
	}
}

// flush writes the rows of this package.
func (s *sheet) flush(tx *db.Tx) error {
	now := db.At(s.now)
	for request, reasons := range s.lapsed {
		for part := range slices.Chunk(reasons, chunkMost) {
			if err := tx.Exec("update reasons set ended_at = ?, ended_by = ? where id in ? and ended_at is null", now, request, part).Error; err != nil {
				return fmt.Errorf("end reasons: %w", err)
			}
		}
	}
	for end, members := range s.end {
		for part := range slices.Chunk(members, chunkMost) {
			if err := tx.Exec("update memberships set ended_at = ?, end_cause = ?, ended_by = ? where id in ? and ended_at is null", now, end.cause, end.by, part).Error; err != nil {
				return fmt.Errorf("end memberships: %w", err)
			}
		}
	}
	if err := s.flushReturns(tx); err != nil {
		return err
	}
	for _, row := range s.roles {
		if err := tx.Exec("update memberships set role = ? where id = ?", row.Role, row.ID).Error; err != nil {
			return fmt.Errorf("change role: %w", err)
		}
	}
	for _, row := range s.planned {
		if err := tx.Exec("update memberships set role = ?, since = ?, begins_at = ? where id = ?", row.Role, row.Since, row.BeginsAt, row.ID).Error; err != nil {
			return fmt.Errorf("move planned membership: %w", err)
		}
	}
	for _, row := range s.lift {
		if err := tx.Exec("delete from fences where person = ? and slot = ?", row.Person, row.Slot).Error; err != nil {
			return fmt.Errorf("lift fence: %w", err)
		}
	}
	for _, row := range s.raise {
		if err := tx.Exec(`insert into fences (person, slot, freeze_id, at) values (?, ?, ?, ?)
			on conflict (person, slot) do update set freeze_id = excluded.freeze_id, at = excluded.at`, row.Person, row.Slot, row.FreezeID, row.At).Error; err != nil {
			return fmt.Errorf("raise fence: %w", err)
		}
	}
	for part := range slices.Chunk(s.healed, chunkMost) {
		if err := tx.Exec("delete from failures where person in ?", part).Error; err != nil {
			return fmt.Errorf("forget failures: %w", err)
		}
	}
	if err := insert(tx, s.begin); err != nil {
		return fmt.Errorf("add memberships: %w", err)
	}
	if err := insert(tx, s.grounds); err != nil {
		return fmt.Errorf("add reasons: %w", err)
	}
	for part := range slices.Chunk(s.removals, chunkMost) { // one that was announced and taken back counts from now on
		members := make([]id.Membership, len(part))
		for i, row := range part {
			members[i] = row.Membership
		}
		if err := tx.Exec("delete from removals where membership in ?", members).Error; err != nil {
			return fmt.Errorf("note removals: %w", err)
		}
	}
	if err := insert(tx, s.removals); err != nil {
		return fmt.Errorf("note removals: %w", err)
	}
	return s.flushHolds(tx)
}

// insert writes rows of one table, a few statements for many.
func insert[T any](tx *db.Tx, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.CreateInBatches(&rows, 200).Error
}
