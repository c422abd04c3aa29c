package directory

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Who may be somebody who is kept out gets no access before a human being decides the work item of the pair: else whoever is terminated would
// come back by any source that does not correlate. There are four ways into quarantine:
//
//   - a source makes a new person of whom the employee number or the userName is said of somebody under a veto (or in quarantine
//     themselves), or the employee number of somebody whom a source with authority over employment disabled, deleted or ended;
//   - somebody who is there takes the number or the userName of somebody under a veto or in quarantine;
//   - somebody is terminated while an open work item says that the number or the userName of another is theirs: the other;
//   - a record is split off from somebody under a veto, or a record of such a pair from somebody in quarantine.
//
// A value is said of somebody under a veto or in quarantine who has it, or had it since that came (kept_values).
//
// What two people with access have in common quarantines nobody, and nobody is asked about again whom a human being told apart.

// lockKept lets one call that terminates somebody, and one by which somebody else takes their number, come one after the other. It comes after
// the records and before the people.
func (w *work) lockKept(terminates, takes bool) error {
	if w.tx.Engine() != db.Postgres || !terminates && !takes {
		return nil
	}
	lock := "pg_advisory_xact_lock_shared"
	if terminates {
		lock = "pg_advisory_xact_lock"
	}
	if err := w.tx.Exec("select " + lock + "(hashtextextended('kept out', 9))").Error; err != nil {
		return fmt.Errorf("lock those who are kept out: %w", err)
	}
	return nil
}

// twins finds, before the people are locked, who may be somebody whom this call terminates.
func (w *work) twins() error {
	ends, takes := map[id.Person]bool{}, false
	for _, op := range w.console {
		if _, ok := op.change.(Terminate); ok {
			ends[op.person] = true
		}
	}
	into := map[id.Person]id.Person{}
	for _, d := range w.decisions {
		if d.state == ItemLinked {
			into[d.other] = d.keep
		}
	}
	for _, e := range w.order {
		takes = takes || len(e.gained()) > 0
	}
	if err := w.lockKept(len(ends)+len(into) > 0, takes); err != nil || len(ends)+len(into) == 0 {
		return err
	}
	asked := slices.Concat(sorted(ends), slices.Sorted(maps.Keys(into)), slices.Sorted(maps.Values(into)))
	vetoed, err := w.standingIn(SlotVeto, asked)
	if err != nil {
		return err
	}
	for gone, keep := range into {
		if vetoed[gone] {
			ends[keep] = true
		}
	}
	maps.DeleteFunc(ends, func(p id.Person, _ bool) bool { return vetoed[p] }) // they were looked for when it came
	var rows []workItemRow
	for part := range slices.Chunk(sorted(ends), chunk) {
		var some []workItemRow
		if err := w.tx.Raw("select * from work_items where state = 'open' and newer in ? union select * from work_items where state = 'open' and older in ?",
			part, part).Scan(&some).Error; err != nil {
			return fmt.Errorf("read work items: %w", err)
		}
		rows = append(rows, some...)
	}
	for _, row := range rows {
		if !slices.Contains(row.Hints.V, HintEmployeeNumber) && !slices.Contains(row.Hints.V, HintUserName) ||
			slices.ContainsFunc(w.decisions, func(d decision) bool { return coupleOf(d.keep, d.other) == couple{row.Newer, row.Older} }) {
			continue
		}
		for p := range ends {
			if p != row.Newer && p != row.Older {
				continue
			}
			twin := row.item().Other(p)
			w.twin[twin], w.touched[twin] = true, true
		}
	}
	return nil
}

// quarantine finds who of this call may be somebody who is kept out.
func (w *work) quarantine(subjects []*subject) error {
	byID := map[id.Person]*subject{}
	for _, s := range subjects {
		byID[s.id] = s
	}
	for p := range w.twin {
		s := byID[p]
		if s == nil || stands(s.standing, SlotVeto, w.now) {
			continue
		}
		if here := living(s.records); len(here) > 0 {
			w.suspect(s, here[0].Source)
		}
	}
	for i := range w.decisions {
		if err := w.splitAgain(&w.decisions[i], byID); err != nil {
			return err
		}
	}
	if err := w.returns(byID); err != nil {
		return err
	}
	return w.takers(byID)
}

// takers finds who takes, or is made with, what is said of somebody who is kept out.
func (w *work) takers(byID map[id.Person]*subject) error {
	asked, taken, existing := map[token]bool{}, map[*entry]map[token]bool{}, map[id.Person]bool{}
	for _, e := range w.order {
		p := e.after.Person
		if !e.dirty() || byID[p] == nil || w.returned[p] || e.before.Person != "" && e.before.Person != p { // whom a human being made of a record is nobody to ask about again
			continue
		}
		got := e.gained()
		if w.fresh[p] {
			got = tokens(e.after)
		} else {
			maps.DeleteFunc(got, func(t token, _ bool) bool { return w.had(byID[p], t) })
			existing[p] = existing[p] || len(got) > 0
		}
		if taken[e] = got; len(got) > 0 {
			maps.Copy(asked, got)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	found, err := w.r.keptOut(w.ctx, asked, w.sources, w.now)
	if err != nil {
		return err
	}
	w.terminated(found, byID)
	if len(found) == 0 {
		return nil
	}
	apart, err := w.r.toldApart(w.ctx, existing)
	if err != nil {
		return err
	}
	for _, e := range w.order {
		p := e.after.Person
		for t := range taken[e] {
			if slices.ContainsFunc(found[t], func(k keeper) bool {
				return k.person != p && (w.fresh[p] || k.firm && !apart[coupleOf(p, k.person)])
			}) {
				w.suspect(byID[p], e.after.Source)
			}
		}
	}
	return nil
}

// had tells whether a value was said of somebody before this call.
func (w *work) had(s *subject, t token) bool {
	for _, r := range s.records {
		if e := w.entries[r.Link]; e != nil {
			if e.before.Person != s.id {
				continue
			}
			r = e.before
		}
		if r.DeletedAt.IsZero() && tokens(r)[t] {
			return true
		}
	}
	return false
}

// terminated adds whom this call itself terminates.
func (w *work) terminated(found map[token][]keeper, byID map[id.Person]*subject) {
	for _, op := range w.console {
		if _, ok := op.change.(Terminate); !ok || byID[op.person] == nil {
			continue
		}
		known := map[token]bool{}
		for _, r := range byID[op.person].records {
			maps.Copy(known, tokens(r))
			if e := w.entries[r.Link]; e != nil && e.before.Person == op.person {
				maps.Copy(known, tokens(e.before)) // what a call takes from them beside
			}
		}
		for t := range known {
			if t.hint != HintEmail {
				found[t] = append(found[t], keeper{op.person, true})
			}
		}
	}
}

// splitAgain puts somebody into quarantine whose record is split off from somebody under a veto, whatever the two share by now: their sources may
// have changed all of it since they were linked. So it does with whoever is split off from somebody in quarantine and shares a number or a
// userName with them, and with who was in quarantine before the two were linked. The pair is asked about again.
func (w *work) splitAgain(d *decision, byID map[id.Person]*subject) error {
	if !d.split {
		return nil
	}
	for _, pair := range [][2]*subject{{byID[d.other], byID[d.keep]}, {byID[d.keep], byID[d.other]}} {
		s, from := pair[0], pair[1]
		if s == nil || from == nil || !firm(from.standing, w.now) || stands(s.standing, SlotQuarantine, w.now) {
			continue
		}
		var before int64
		if d.item.State == ItemLinked {
			if err := w.tx.Raw("select count(*) from freezes where person_id = ? and slot = ? and lifted_at = ?", s.id, SlotQuarantine, db.At(d.item.ClosedAt)).Scan(&before).Error; err != nil {
				return fmt.Errorf("read freezes: %w", err)
			}
		}
		if before > 0 || !stands(s.standing, SlotVeto, w.now) && (stands(from.standing, SlotVeto, w.now) || slices.ContainsFunc(common(s.records, from.records, w.sources), keeps)) {
			d.state = ItemOpen
			w.suspect(s, s.records[0].Source)
			return nil
		}
	}
	return nil
}

func keeps(h Hint) bool { return h == HintEmployeeNumber || h == HintUserName }

// suspect has somebody put in quarantine, once.
func (w *work) suspect(s *subject, by id.Source) {
	if !slices.ContainsFunc(s.standing, func(f Freeze) bool { return f.Slot == SlotQuarantine }) {
		w.suspects[s.id] = by
	}
}

func quarantineBy(source id.Source) Freeze {
	return Freeze{Slot: SlotQuarantine, Cause: CauseQuarantine, Source: source, Veto: true}
}

// released answers the quarantine of a person whom a decision of this call clears: it stays while another question about somebody who is kept
// out is open.
func (w *work) released(s *subject) (Freeze, bool, error) {
	at := slices.IndexFunc(s.standing, func(f Freeze) bool { return f.Slot == SlotQuarantine })
	var decided []id.WorkItem
	for _, d := range w.decisions {
		if d.state != ItemOpen && (d.keep == s.id || d.other == s.id) {
			decided = append(decided, d.item.ID)
		}
	}
	if at < 0 || len(decided) == 0 {
		return Freeze{}, false, nil
	}
	var others int64
	if err := w.tx.Raw(`select count(*) from work_items i join freezes f on f.person_id = case when i.newer = ? then i.older else i.newer end
		where i.state = 'open' and i.id not in ? and (i.newer = ? or i.older = ?) and f.lifted_at is null and (f.from_at is null or f.from_at <= ?)
		and (f.until_at is null or f.until_at > ?) and f.cause in ?`, s.id, decided, s.id, s.id, w.now.UnixMicro(), w.now.UnixMicro(),
		[]FreezeCause{CauseVeto, CauseDisabled, CauseDeleted, CauseEnded}).Scan(&others).Error; err != nil {
		return Freeze{}, false, fmt.Errorf("read work items: %w", err)
	}
	f := s.standing[at]
	f.LiftedAt = w.now
	return f, others == 0, nil
}

// standingIn answers who of these people has a freeze of a slot in force.
func (w *work) standingIn(slot string, people []id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	for part := range slices.Chunk(people, chunk) {
		var some []id.Person
		if err := w.tx.Raw("select person_id from freezes where person_id in ? and slot = ? and lifted_at is null and (until_at is null or until_at > ?)", part, slot, w.now.UnixMicro()).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("read freezes: %w", err)
		}
		for _, p := range some {
			out[p] = true
		}
	}
	return out, nil
}

// quarantine marks the people of a stage who would get no access before a human being decides.
func (s stager) quarantine(out []StageFact) error {
	asked, existing := map[token]bool{}, map[id.Person]bool{}
	for _, f := range out {
		maps.Copy(asked, f.brings())
		if f.By != "" {
			existing[f.Record.Person] = true
		}
	}
	found, err := s.keptOut(s.ctx, asked, s.sources, s.at)
	if err != nil || len(found) == 0 {
		return err
	}
	apart, err := s.toldApart(s.ctx, existing)
	if err != nil {
		return err
	}
	for i := range out {
		f := &out[i]
		suspect := slices.ContainsFunc(slices.Collect(maps.Keys(f.brings())), func(t token) bool {
			return slices.ContainsFunc(found[t], func(k keeper) bool {
				return f.By == "" || k.firm && k.person != f.Record.Person && !apart[coupleOf(f.Record.Person, k.person)]
			})
		})
		if !suspect || slices.ContainsFunc(f.After.Freezes, func(o Freeze) bool { return o.Slot == SlotQuarantine }) {
			continue
		}
		f.After.Freezes = append(f.After.Freezes, quarantineBy(s.source))
		f.After.Person.Frozen = true
		for n := range f.After.Ahead {
			f.After.Ahead[n].Freezes = append(f.After.Ahead[n].Freezes, quarantineBy(s.source))
			f.After.Ahead[n].Person.Frozen = true
		}
	}
	return nil
}

// brings answers the values by which whoever a staged record belongs to would be known, and is not yet.
func (f StageFact) brings() map[token]bool {
	out := tokens(f.Record)
	for _, r := range f.Before.Records {
		if r.DeletedAt.IsZero() {
			for t := range tokens(r) {
				delete(out, t)
			}
		}
	}
	return out
}
