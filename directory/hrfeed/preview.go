package hrfeed

import (
	"cmp"
	"errors"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// preview tries a part after the other and takes each back. Units stand before every part, which would not be there else.
func (j *job) preview(units []directory.Change, steps []step) error {
	if err := j.tellAbsent(); err != nil {
		return err
	}
	if j.source.Mode != directory.ModeLive { // nobody follows yet: `source preview` shows the whole stage
		return nil
	}
	who := j.persons()
	for part := range slices.Chunk(steps, batch) {
		if err := j.sift(part, func(part []step) error { return j.try(units, part, who) }); err != nil {
			return err
		}
	}
	if len(j.rep.Losses) == 0 { // nothing that could be held
		return nil
	}
	var err error
	j.rep.Held, err = j.Store.WouldHold(j.ctx, j.order.Cause, func(yield func([]directory.Change) bool) {
		for part := range slices.Chunk(steps, batch) {
			changes := slices.Clone(units)
			for _, s := range part {
				changes = append(changes, s.change)
			}
			if !yield(changes) {
				return
			}
		}
	})
	return err
}

// try makes a part and takes it back.
func (j *job) try(units []directory.Change, part []step, who map[string]id.Person) error {
	changes := slices.Clone(units)
	var people []id.Person
	for _, s := range part {
		changes = append(changes, s.change)
		if s.p != nil {
			people = append(people, s.p.before.Person)
		}
		if m, ok := s.change.(directory.MarkAbsent); ok {
			for _, k := range m.Keys {
				people = append(people, who[k])
			}
		}
	}
	_, err := j.Store.Try(j.ctx, j.order.Cause, func(tx *db.Tx) error {
		for _, s := range part {
			if s.p == nil || s.p.known || j.Foresee == nil || len(j.rep.Gains) >= maxTold {
				continue
			}
			r, err := j.Store.In(tx).RecordByKey(j.ctx, j.source.ID, s.p.key) // who is new is there now
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return err
			}
			people = append(people, r.Person)
		}
		return j.foresee(tx, people)
	}, changes...)
	var one *directory.ChangeError
	if errors.As(err, &one) {
		return &directory.ChangeError{Index: one.Index - len(units), Err: one.Err}
	}
	return err
}

// foresee gathers what these people would lose and get.
func (j *job) foresee(tx *db.Tx, people []id.Person) error {
	slices.Sort(people)
	people = slices.DeleteFunc(slices.Compact(people), func(p id.Person) bool { return p == "" })
	if j.Foresee == nil || len(people) == 0 {
		return nil
	}
	changes, err := j.Foresee(tx, people)
	if err != nil {
		return err
	}
	names, err := j.Store.In(tx).Names(j.ctx, people)
	if err != nil {
		return err
	}
	for _, c := range changes {
		list := map[string]*[]Loss{"remove": &j.rep.Losses, "add": &j.rep.Gains}[c.Op]
		if list != nil && len(*list) < maxTold {
			*list = append(*list, Loss{Person: string(c.Person), Name: names[c.Person], Group: c.Group, Role: cmp.Or(c.Role, c.FromRole), At: c.At})
		}
	}
	return nil
}
