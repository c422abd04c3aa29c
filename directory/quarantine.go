package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// A new person of whom the same is said as of somebody who is kept out gets no access before a human being decides the work item of the pair:
// else whoever is terminated would come back by any source that does not correlate. The same means the employee number or the userName of
// somebody under a veto (or in quarantine themselves), and the employee number of somebody whom a source with authority over employment
// disabled, deleted or ended. What two people with access have in common quarantines nobody.

// keptOut answers of these values those by which somebody is known who is kept out so.
func (r Reader) keptOut(ctx context.Context, asked map[token]bool, sources map[id.Source]Source, at time.Time) (map[token]bool, error) {
	values, now, out := map[Hint][]string{}, at.UnixMicro(), map[token]bool{}
	for t := range asked {
		if t.hint == HintEmployeeNumber || t.hint == HintUserName {
			values[t.hint] = append(values[t.hint], t.value)
		}
	}
	for hint, column := range map[Hint]string{HintEmployeeNumber: "employee_number", HintUserName: "user_name_fold"} {
		slices.Sort(values[hint])
		for part := range slices.Chunk(values[hint], chunk) {
			var rows []struct {
				Value    string
				Slot     string
				SourceID id.Source
			}
			if err := r.from(ctx).Raw("select distinct r."+column+" as value, f.slot, f.source_id from records r join freezes f on f.person_id = r.person_id where r."+column+" <> '' and r."+column+
				" in ? and f.lifted_at is null and (f.from_at is null or f.from_at <= ?) and (f.until_at is null or f.until_at > ?) and f.cause in ?",
				db.Pad(part), now, now, []FreezeCause{CauseVeto, CauseQuarantine, CauseDisabled, CauseDeleted, CauseEnded}).Scan(&rows).Error; err != nil {
				return nil, fmt.Errorf("look for those who are kept out: %w", err)
			}
			for _, row := range rows {
				if row.Slot == SlotVeto || row.Slot == SlotQuarantine || hint == HintEmployeeNumber && !sources[row.SourceID].Advisory() {
					out[token{hint, row.Value}] = true
				}
			}
		}
	}
	return out, nil
}

// quarantine finds which people of this call a source made although they may be somebody who is kept out. Whom a human being made of
// a record (SplitRecord, LinkRecord) is nobody to ask about again.
func (w *work) quarantine() error {
	asked := map[token]bool{}
	var made []*entry
	for _, e := range w.order {
		if p := e.after.Person; w.fresh[p] && !w.returned[p] && e.before.Person == "" {
			made = append(made, e)
			for t := range tokens(e.after) {
				asked[t] = true
			}
		}
	}
	if len(made) == 0 {
		return nil
	}
	found, err := w.r.keptOut(w.ctx, asked, w.sources, w.now)
	if err != nil || len(found) == 0 {
		return err
	}
	for _, e := range made {
		for t := range tokens(e.after) {
			if found[t] {
				w.suspects[e.after.Person] = e.after.Source
			}
		}
	}
	return nil
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
		if d.keep == s.id || d.other == s.id {
			decided = append(decided, d.item.ID)
		}
	}
	if at < 0 || len(decided) == 0 {
		return Freeze{}, false, nil
	}
	var open int64
	if err := w.tx.Raw(`select count(*) from work_items i join freezes f on f.person_id = case when i.newer = ? then i.older else i.newer end
		where i.state = 'open' and i.id not in ? and (i.newer = ? or i.older = ?) and f.lifted_at is null and (f.from_at is null or f.from_at <= ?)
		and (f.until_at is null or f.until_at > ?) and f.cause in ?`, s.id, decided, s.id, s.id, w.now.UnixMicro(), w.now.UnixMicro(),
		[]FreezeCause{CauseVeto, CauseDisabled, CauseDeleted, CauseEnded}).Scan(&open).Error; err != nil {
		return Freeze{}, false, fmt.Errorf("read work items: %w", err)
	}
	f := s.standing[at]
	f.LiftedAt = w.now
	return f, open == 0, nil
}

// quarantined answers who of these people is in quarantine.
func (w *work) quarantined(people []id.Person) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	for part := range slices.Chunk(people, chunk) {
		var some []id.Person
		if err := w.tx.Raw("select person_id from freezes where person_id in ? and slot = ? and lifted_at is null", part, SlotQuarantine).Scan(&some).Error; err != nil {
			return nil, fmt.Errorf("read freezes: %w", err)
		}
		for _, p := range some {
			out[p] = true
		}
	}
	return out, nil
}

// quarantine marks the new people of a stage who would get no access before a human being decides.
func (s stager) quarantine(out []StageFact) error {
	asked := map[token]bool{}
	for _, f := range out {
		if f.By == "" {
			for t := range tokens(f.Record) {
				asked[t] = true
			}
		}
	}
	found, err := s.keptOut(s.ctx, asked, s.sources, s.at)
	if err != nil || len(found) == 0 {
		return err
	}
	for i := range out {
		if f := &out[i]; f.By == "" && slices.ContainsFunc(slices.Collect(maps.Keys(tokens(f.Record))), func(t token) bool { return found[t] }) {
			f.After.Freezes = append(f.After.Freezes, quarantineBy(s.source))
			f.After.Person.Frozen = true
			for n := range f.After.Ahead {
				f.After.Ahead[n].Freezes = append(f.After.Ahead[n].Freezes, quarantineBy(s.source))
				f.After.Ahead[n].Person.Frozen = true
			}
		}
	}
	return nil
}
