package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
)

// batch is how many changes go into one Apply, and batchMembers how many members of groups, where it is more than one group.
const (
	batch        = 500
	batchMembers = 20_000
)

// weight counts the members that a step names.
func (st step) weight() int {
	switch c := st.change.(type) {
	case directory.PutGroup:
		return len(c.Members)
	case directory.EditGroup:
		return len(c.Add) + len(c.Remove)
	}
	return 0
}

// maxRefused bounds how many changes of one pass the store may refuse before the pass gives up.
const maxRefused = 200

// writer brings the steps of one pass into the store. Each transaction holds records, the rows of their entries and the proof that this
// node follows the source still; the last one also what ends the pass: the cursor.
type writer struct {
	s       *Syncer
	sp      *space
	rep     *Report
	aside   []step // people whose login somebody else has in the store
	refused map[Class]int
	doubts  []string         // noted with the first steps
	unsure  map[*object]bool // noted with their rows
}

// write brings everything the pass found into the store.
func (s *Syncer) write(ctx context.Context, p *pass, end func() []directory.Change) (err error) {
	w := &writer{s: s, sp: p.sp, rep: p.rep, refused: map[Class]int{}, unsure: p.unsure}
	if !p.whole {
		w.doubts = p.doubts()
	}
	order := p.order()
	p.shown = nil
	steps, over, err := w.entries(ctx, p, order)
	if over != nil {
		defer func() { err = errors.Join(err, over(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return err
	}
	if err := w.rest(ctx, p, steps, end); err != nil {
		return err
	}
	if len(order) > 0 {
		s.progress(Progress{Phase: "write", Class: order[len(order)-1].class, Done: len(order), Total: len(order)})
	}
	return nil
}

// entries writes what was shown, but for the last steps, which it answers. over is to be called when everything is written; it may be nil.
func (w *writer) entries(ctx context.Context, p *pass, order []*object) (steps []step, over func(context.Context) error, err error) {
	members := 0
	many, same := crowd(order) > batch, map[*object]bool{} // same: people of whom the store says already what is to be written
	for i, o := range order {
		if many && o.class != ClassUnit {
			if same, over, err = w.rehearse(ctx, p, order, steps); err != nil {
				return nil, nil, err
			}
			many, steps = false, nil
		}
		next := p.stepsOf(o, same[o])
		if len(next) == 0 {
			p.rep.tally(o.class, directory.Unchanged, 1)
			continue
		}
		more := 0
		for _, st := range next {
			more += st.weight()
		}
		if members += more; len(steps) >= batch || members > batchMembers && members > more {
			if err := w.flush(ctx, steps, nil); err != nil {
				return nil, over, fmt.Errorf("write %s: %w", o.class, err)
			}
			steps, members = steps[:0], more
			w.s.progress(Progress{Phase: "write", Class: o.class, Done: i, Total: len(order)})
		}
		steps = append(steps, next...)
	}
	return steps, over, nil
}

// stepsOf answers what is to be written of an entry; of one that the store has as it is, same, only its row.
func (p *pass) stepsOf(o *object, same bool) []step {
	next := make([]step, 0, 2)
	if st, needed := p.step(o); needed {
		if same {
			st.change = nil
			p.rep.tally(o.class, directory.Unchanged, 1)
		}
		next = append(next, st)
	}
	if p.groups[o] != nil && p.joined[o] != nil { // told after it was shown
		if st, needed := p.crewStep(o); needed {
			next = append(next, st)
		}
	}
	return next
}

// rest writes the last steps, who is gone, who was set aside, and what ends the pass.
func (w *writer) rest(ctx context.Context, p *pass, steps []step, end func() []directory.Change) error {
	for _, st := range p.farewells() {
		if len(steps) >= batch {
			if err := w.flush(ctx, steps, nil); err != nil {
				return err
			}
			steps = steps[:0]
		}
		steps = append(steps, st)
	}
	if len(w.aside) > 0 {
		if err := w.flush(ctx, steps, nil); err != nil {
			return err
		}
		steps = nil
	}
	if err := w.again(ctx); err != nil {
		return err
	}
	for class, n := range w.refused {
		p.rep.find(Warning, "refused", "%d entries (%s) were refused; the log says why", n, class)
	}
	if err := w.flush(ctx, steps, end); err != nil {
		return err
	}
	if len(w.aside) > 0 { // of the last steps
		return w.again(ctx)
	}
	return nil
}

// flush writes steps in one transaction. A change the store refuses is left out, so that it does not keep the others out.
func (w *writer) flush(ctx context.Context, steps []step, end func() []directory.Change) error {
	steps = slices.Clone(steps)
	for {
		changes, at := make([]directory.Change, 0, len(steps)+3), make([]int, 0, len(steps))
		var rows, gone []*object
		for i, st := range steps {
			if st.change != nil {
				changes, at = append(changes, st.change), append(at, i)
			}
			if st.o != nil && (len(rows) == 0 || rows[len(rows)-1] != st.o) {
				rows = append(rows, st.o)
			}
			gone = append(gone, st.gone...)
		}
		var last []directory.Change
		if end != nil {
			last = end()
		}
		if len(rows)+len(gone)+len(changes)+len(last) == 0 {
			return nil
		}
		doubts := slices.Clone(w.doubts)
		for _, o := range rows {
			if w.unsure[o] {
				doubts = append(doubts, itself+o.key)
			}
		}
		changes = append(changes, w.s.alongside(rows, gone, doubts))
		applied, err := w.s.Store.Apply(ctx, w.s.cause(w.rep, ""), append(changes, last...)...)
		if err == nil {
			w.done(steps, at, applied, rows)
			return nil
		}
		var bad *directory.ChangeError
		if !errors.As(err, &bad) || bad.Index >= len(at) || len(w.aside)+w.refusals() >= maxRefused {
			return err
		}
		steps = w.refuse(steps, at[bad.Index], bad.Err)
	}
}

func (w *writer) refusals() (n int) {
	for _, count := range w.refused {
		n += count
	}
	return n
}

func (w *writer) done(steps []step, at []int, applied directory.Applied, rows []*object) {
	for n, i := range at {
		if absent, ok := steps[i].change.(directory.MarkAbsent); ok {
			w.rep.Absent += len(absent.Keys)
			continue
		}
		w.rep.tally(steps[i].class, applied.Outcomes[n], 1)
	}
	for _, o := range rows {
		o.row = true
	}
	w.doubts = nil
}

// refuse takes a step the store did not take out of steps. A login that somebody else has in the store may be that of an old holder who is written
// later in the same pass: so first all go without it, then each tries again. Who still cannot have it goes without.
func (w *writer) refuse(steps []step, i int, why error) []step {
	st := steps[i]
	if without, ok := nameless(st.change, false); ok && st.o.named && errors.Is(why, directory.ErrExists) {
		w.aside = append(w.aside, st)
		st.change, st.o.named = without, false
		steps[i] = st
		return steps
	}
	w.refused[st.class]++
	w.s.Log.Warn("directory entry refused", "source", w.s.Source.Name, "class", st.class, "error", why)
	if st.o != nil {
		st.o.hash, st.o.members = digest{}, digest{}
	}
	return slices.Delete(steps, i, i+1)
}

// nameless answers the same change of a person without the login; where it is claimed, with the word that it is another's.
func nameless(c directory.Change, claimed bool) (directory.Change, bool) {
	without := func(r *directory.Record) {
		if claimed {
			r.Claims = r.UserName
		}
		r.UserName = ""
	}
	switch c := c.(type) {
	case directory.PutRecord:
		without(&c.Record)
		return c, true
	case directory.EditRecord:
		edit := c.Edit
		c.Edit = func(r *directory.Record) error {
			err := edit(r)
			without(r)
			return err
		}
		return c, true
	}
	return c, false
}

// again gives those who were set aside their login, where nobody who is there has it now.
func (w *writer) again(ctx context.Context) error {
	taken := 0
	for _, st := range w.aside {
		st.o.named = true
		err := w.alone(ctx, st)
		var held *directory.ConflictError
		if errors.As(err, &held) && held.Field == "userName" && held.Link != "" {
			err = w.alone(ctx, st, directory.EditRecord{Source: w.s.Source.ID, Link: held.Link, Edit: letGo, Aside: true})
		}
		if errors.Is(err, directory.ErrExists) {
			st.o.named = false
			taken++
			st.change, _ = nameless(st.change, true)
			err = w.alone(ctx, st)
		}
		if err != nil {
			return err
		}
	}
	w.aside = nil
	if taken > 0 {
		w.rep.find(Warning, "login_taken", "%s a login that another record of this source still holds; they are kept without it", persons(taken, "has", "have"))
	}
	return nil
}

// alone writes one step, after what makes room for it.
func (w *writer) alone(ctx context.Context, st step, first ...directory.Change) error {
	_, err := w.s.Store.Apply(ctx, w.s.cause(w.rep, ""), append(first, st.change, w.s.alongside([]*object{st.o}, nil, nil))...)
	return err
}

// alongside answers what goes into the transaction of what the store is given: the rows of entries, new doubts, and the proof that this node follows the
// source still.
func (s *Syncer) alongside(rows, gone []*object, doubts []string) directory.Change {
	return directory.Alongside{Write: func(tx *db.Tx) error {
		if err := fence(tx, s.Source.ID, s.holder(), s.now()); err != nil {
			return err
		}
		if err := addDoubts(tx, s.Source.ID, doubts); err != nil {
			return err
		}
		return storeObjects(tx, s.Source.ID, rows, gone)
	}}
}

// letGo takes the login from a record that is absent: whoever is there has it. One that comes back goes without.
func letGo(r *directory.Record) error {
	if r.AbsentSince.IsZero() {
		return fmt.Errorf("userName: %w", directory.ErrExists)
	}
	r.UserName = ""
	return nil
}

func (r *Report) tally(class Class, o directory.Outcome, n int) {
	if r.Outcomes[class] == nil {
		r.Outcomes[class] = map[directory.Outcome]int{}
	}
	r.Outcomes[class][o] += n
}
