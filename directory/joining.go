package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// errStale says that somebody else decided about a person between the reading and the lock: the call is made anew.
var errStale = errors.New("decided at the same time")

// rehireAfter is after how long a dismissal is over: who is made anew later is hired again, and what was given by hand before is not given back.
// A rename at the identity provider is a dismissal of minutes (J14), a rehire comes after months (J26).
const rehireAfter = 7 * 24 * time.Hour

func (MergePeople) change()    {}
func (SeparatePeople) change() {}
func (SplitRecord) change()    {}

// decision is what a human being says about two people.
type decision struct {
	state       WorkItemState
	keep, other id.Person // of a separation in no order
	item        WorkItem  // zero: the pair had none
	moved       []id.Link
	index       int // of its change
	split       bool
}

// prepare reads which records a decision moves, before they are locked.
func (w *work) prepare(c Change, links map[id.Link]bool) error {
	switch c := c.(type) {
	case SplitRecord:
		links[c.Link] = true
	case MergePeople:
		var list []id.Link
		if err := w.tx.Raw("select link from records where person_id = ?", c.Gone).Scan(&list).Error; err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, link := range list {
			links[link] = true
		}
	}
	return nil
}

// pair answers the work item of two people, or the zero one.
func (w *work) pair(a, b id.Person) (WorkItem, error) {
	c := coupleOf(a, b)
	var rows []workItemRow
	if err := w.tx.Where("newer = ? and older = ?", c.newer, c.older).Find(&rows).Error; err != nil {
		return WorkItem{}, fmt.Errorf("read work item: %w", err)
	}
	if len(rows) == 0 {
		return WorkItem{}, nil
	}
	return rows[0].item(), nil
}

func (w *work) mergePeople(c MergePeople) (Outcome, error) {
	if c.Keep == c.Gone {
		return "", fmt.Errorf("%w: a person cannot be merged into themselves", ErrInvalid)
	}
	var people []personRow
	if err := w.tx.Select("id, merged_into, erased_at").Where("id in ?", []id.Person{c.Keep, c.Gone}).Find(&people).Error; err != nil {
		return "", fmt.Errorf("read people: %w", err)
	}
	if len(people) < 2 {
		return "", fmt.Errorf("people %s and %s: %w", c.Keep, c.Gone, ErrNotFound)
	}
	for _, p := range people {
		switch {
		case p.ID == c.Gone && p.MergedInto == c.Keep:
			w.wait(c.Keep, true)
			w.wait(c.Gone, true)
			return Unchanged, nil
		case !p.ErasedAt.IsZero():
			return "", ErrErased
		case p.MergedInto != "":
			return "", fmt.Errorf("person %s was merged already: %w", p.ID, ErrDecided)
		}
	}
	item, err := w.pair(c.Keep, c.Gone)
	if err != nil {
		return "", err
	}
	if item.State == ItemSeparated && !c.Anyway {
		return "", fmt.Errorf("work item %s is %s: %w", item.ID, item.State, ErrDecided)
	}
	d := decision{state: ItemLinked, keep: c.Keep, other: c.Gone, item: item, index: w.index}
	for _, e := range w.order {
		if e.after.Person == c.Gone {
			e.after.Person, e.index = c.Keep, w.index
			d.moved = append(d.moved, e.after.Link)
		}
	}
	w.touched[c.Keep], w.touched[c.Gone] = true, true
	w.decisions = append(w.decisions, d)
	return Updated, nil
}

func (w *work) separatePeople(c SeparatePeople) (Outcome, error) {
	item, err := w.r.WorkItem(w.ctx, c.Item)
	if err != nil {
		return "", err
	}
	switch item.State {
	case ItemSeparated:
		return Unchanged, nil
	case ItemLinked:
		return "", fmt.Errorf("work item %s is %s: %w", item.ID, item.State, ErrDecided)
	}
	w.touched[item.Older], w.touched[item.Newer] = true, true
	w.decisions = append(w.decisions, decision{state: ItemSeparated, keep: item.Older, other: item.Newer, item: item})
	return Updated, nil
}

func (w *work) splitRecord(c SplitRecord) (Outcome, error) {
	e := w.entries[c.Link]
	if e == nil || e.after.Person != c.Person {
		return "", fmt.Errorf("record %s of person %s: %w", c.Link, c.Person, ErrNotFound)
	}
	var others int64
	if err := w.tx.Raw("select count(*) from records where person_id = ? and link <> ?", c.Person, c.Link).Scan(&others).Error; err != nil {
		return "", fmt.Errorf("read records: %w", err)
	}
	if others == 0 {
		return "", fmt.Errorf("%w: it is the person's only record", ErrInvalid)
	}
	to, err := w.origin(c)
	if err != nil {
		return "", err
	}
	if to == "" {
		to = w.newPerson()
	}
	item, err := w.pair(c.Person, to)
	if err != nil {
		return "", err
	}
	e.after.Person, e.index = to, w.index
	w.result[w.index] = e
	w.returned[to] = true
	w.decisions = append(w.decisions, decision{state: ItemSeparated, keep: c.Person, other: to, item: item, split: true})
	return Updated, nil
}

// origin finds whose a record was before a decision brought it to its person, where they are empty still; else nobody.
func (w *work) origin(c SplitRecord) (id.Person, error) {
	var empty []id.Person
	if err := w.tx.Raw("select id from persons where merged_into = ? and merged_into <> ''", c.Person).Scan(&empty).Error; err != nil {
		return "", fmt.Errorf("read people: %w", err)
	}
	if len(empty) == 0 {
		return "", nil
	}
	var rows []workItemRow
	if err := w.tx.Where("state = ? and (newer in ? or older in ?)", ItemLinked, empty, empty).Order("closed_at desc, id desc").Find(&rows).Error; err != nil {
		return "", fmt.Errorf("read work items: %w", err)
	}
	for _, row := range rows {
		item := row.item()
		if from := item.Other(item.Kept); slices.Contains(item.Moved, c.Link) && slices.Contains(empty, from) {
			return from, nil
		}
	}
	return "", nil
}

// stale tells whether what this call read about a locked person was decided otherwise meanwhile.
func (w *work) stale(s *subject) error {
	for _, d := range w.decisions {
		if d.state == ItemLinked && (s.id == d.other && len(s.records) > 0 || s.id == d.keep && s.old.MergedInto != "") {
			return errStale
		}
	}
	if s.old.MergedInto == "" || w.returned[s.id] {
		return nil
	}
	for _, r := range s.records {
		if e := w.entries[r.Link]; e != nil && e.before.Person != s.id {
			return errStale // it was found by a tombstone that has another person now
		}
	}
	return nil
}

// inherit lets who stays have what the console said about who goes: a freeze is not shaken off by being linked.
func (w *work) inherit(subjects []*subject) {
	for _, d := range w.decisions {
		if d.state != ItemLinked {
			continue
		}
		for _, s := range subjects {
			if s.id == d.keep {
				_, frozen, _ := statusOf(s.standing, w.now, w.s.Leave)
				w.idle[s.id] = frozen
			}
			if s.id != d.other {
				continue
			}
			for _, f := range s.standing {
				op := consoleOp{index: d.index, person: d.keep}
				switch f.Slot {
				case SlotSecurity:
					op.change = FreezePerson{Person: d.keep, Veto: f.Veto, Until: f.Until}
				case SlotEnded:
					op.change = EndPerson{Person: d.keep, At: f.From}
				case SlotVeto:
					if !f.OpenAt(w.now) {
						continue
					}
					op.change = Terminate{Person: d.keep, Reason: f.Reason}
					if !f.Until.IsZero() {
						op.change = Terminate{Person: d.keep, Veto: f.Until.Sub(w.now), Reason: f.Reason}
					}
				default:
					transmitter, ok := strings.CutPrefix(f.Slot, signalSlot)
					if !ok {
						continue
					}
					op.change = FreezePerson{Person: d.keep, Veto: f.Veto, Until: f.Until, Signal: transmitter}
				}
				w.console = append(w.console, op)
			}
		}
	}
}

// mergedInto answers into whom a person is merged after this call. Whoever has a record is somebody.
func (w *work) mergedInto(s *subject) id.Person {
	if len(s.records) > 0 {
		return ""
	}
	for _, d := range w.decisions {
		if d.state == ItemLinked && d.other == s.id {
			return d.keep
		}
	}
	return s.old.MergedInto
}

// rehiredAt answers since when a person works here again after a dismissal that was over.
func (w *work) rehiredAt(s *subject) time.Time {
	if !w.rehired[s.id] {
		return s.old.RehiredAt.Time
	}
	for _, f := range s.standing {
		began := f.CreatedAt
		if f.From.After(began) {
			began = f.From
		}
		dismissal := f.Cause == CauseDisabled || f.Cause == CauseDeleted || f.Cause == CauseEnded
		if dismissal && f.OpenAt(w.now) && !w.now.Before(began.Add(rehireAfter)) {
			return w.now
		}
	}
	return s.old.RehiredAt.Time
}
