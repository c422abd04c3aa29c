package hrfeed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// batch is how many changes go into one Apply.
const batch = 500

// heartbeat is how often a full file that changes nothing is noted as a synchronisation all the same.
const heartbeat = time.Hour

// step is one change with the person it is of; nil for a unit or several.
type step struct {
	change directory.Change
	p      *person
}

// write makes what was gathered so, those first who lose their access at once. In a preview it only looks.
func (j *job) write() error {
	units := j.units.changes(j.source)
	vetoed, err := j.Store.Vetoed(j.ctx, j.source.ID)
	if err != nil {
		return err
	}
	var now, later, rest []step
	for _, p := range j.sorted() {
		outcome := j.outcome(p)
		contradicts := vetoed[p.before.Person] && p.live && p.rec.Active && !p.deleted && p.ended == nil
		if contradicts {
			j.rep.note(Finding{Line: p.line, Key: p.key, Code: "veto", Text: "the person was terminated at once and stays out: the file lifts no veto, an administrator does"})
		}
		put := step{directory.PutRecord{Record: p.rec}, p}
		if outcome == "" {
			if contradicts { // said once more: noted on the veto
				rest = append(rest, put)
			}
			continue
		}
		switch {
		case p.deleted:
			now = append(now, step{directory.DeleteRecord{Source: j.source.ID, Key: p.key}, p})
		case p.ended != nil && p.known:
			now = append(now, step{*p.ended, p})
			rest = append(rest, put)
		case p.known && p.out(j.rep.At):
			now = append(now, put)
		default:
			rest = append(rest, put)
			if p.ended != nil {
				later = append(later, step{*p.ended, p})
			}
		}
	}
	for part := range slices.Chunk(j.absent, batch) {
		later = append(later, step{directory.MarkAbsent{Source: j.source.ID, Keys: part, Proof: j.proof()}, nil})
	}
	if j.rep.Counts.Units = len(units); j.order.Preview {
		return j.preview(units, slices.Concat(now, rest, later))
	}
	return j.make(now, units, slices.Concat(rest, later))
}

// make writes those who lose their access at once, the units, and everybody else.
func (j *job) make(now []step, units []directory.Change, rest []step) (err error) {
	if err := j.parts(now); err != nil {
		return err
	}
	tree := make([]step, len(units))
	for i, u := range units {
		tree[i] = step{u, nil}
	}
	if err := j.parts(tree); err != nil {
		return err
	}
	over, err := j.rehearse(rest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, over(context.WithoutCancel(j.ctx))) }()
	if err := j.parts(rest); err != nil {
		return err
	}
	return j.tellAbsent()
}

func (j *job) parts(list []step) error {
	for part := range slices.Chunk(list, batch) {
		if err := j.apply(part); err != nil {
			return err
		}
	}
	return nil
}

// tellAbsent reports whom a full file misses.
func (j *job) tellAbsent() error {
	j.rep.Counts.Absent = len(j.absent)
	who := j.persons()
	told := j.absent[:min(len(j.absent), maxTold)]
	people := make([]id.Person, len(told))
	for i, key := range told {
		people[i] = who[key]
	}
	names, err := j.Store.Names(j.ctx, people)
	if err != nil {
		return err
	}
	for _, key := range told {
		j.rep.tell(Diff{Key: key, Name: names[who[key]], Outcome: "absent"})
	}
	return nil
}

// persons answers who has which key.
func (j *job) persons() map[string]id.Person {
	who := map[string]id.Person{}
	for _, k := range j.keys {
		who[k.Key] = k.Person
	}
	return who
}

// about answers whom the file speaks of, of those who are known.
func (j *job) about() []id.Person {
	var out []id.Person
	for _, p := range j.people {
		if p.accepted && p.known {
			out = append(out, p.before.Person)
		}
	}
	return out
}

// sorted answers the people of the file in order of their last row.
func (j *job) sorted() []*person {
	out := make([]*person, 0, len(j.people))
	for _, p := range j.people {
		if p.accepted {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *person) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.row, b.row), strings.Compare(a.key, b.key))
	})
	return out
}

// outcome says and counts what becomes of somebody; empty where nothing does.
func (j *job) outcome(p *person) string {
	d := Diff{Line: p.line, Row: p.row, Key: p.key, Name: cmp.Or(p.rec.DisplayName, p.rec.FamilyName+p.rec.GivenName)}
	c := &j.rep.Counts
	switch {
	case p.deleted && p.known:
		d.Outcome = "deleted"
		c.Deleted++
	case !p.live:
		return ""
	case !p.known:
		d.Outcome = "new"
		c.New++
	default:
		for _, f := range directory.Diff(p.before, p.rec) {
			d.Fields = append(d.Fields, Change{Field: f.Name, Before: f.Before, Now: f.Now})
		}
		switch {
		case p.ended != nil || p.out(j.rep.At): // ended is ended, whatever else the file says of them
			d.Outcome = "ended"
			c.Ended++
		case len(d.Fields) > 0:
			d.Outcome, d.back = "changed", p.absent
			c.Changed++
			if d.quiet() {
				j.rep.quiet++
			}
		case p.absent:
			d.Outcome = "back"
			c.Changed++
		default:
			c.Unchanged++
			return ""
		}
	}
	j.rep.tell(d)
	return d.Outcome
}

// apply makes a part so. What the directory refuses of it is refused with its row, and the rest is made.
func (j *job) apply(part []step) error {
	return j.sift(part, func(part []step) error {
		changes := make([]directory.Change, len(part))
		for i, s := range part {
			changes[i] = s.change
		}
		_, err := j.Store.Apply(j.ctx, j.order.Cause, changes...)
		return err
	})
}

// sift makes a part, without what is refused of it: once as a whole without the first of those, then, where there are more, one
// after the other, so that a part that is wrong throughout costs as many calls as it has steps.
func (j *job) sift(part []step, do func([]step) error) error {
	for _, size := range []int{batch, batch, 1} {
		var left []step
		for piece := range slices.Chunk(part, size) {
			err := do(piece)
			i, ok := j.refused(err, piece)
			if err != nil && !ok {
				return err
			}
			if ok {
				left = slices.Delete(slices.Clone(piece), i, i+1)
			}
		}
		if part = left; len(part) == 0 {
			return nil
		}
	}
	return nil
}

// refused tells which step the directory refuses for what it says, and reports its row.
func (j *job) refused(err error, part []step) (int, bool) {
	var one *directory.ChangeError
	if !errors.As(err, &one) || one.Index < 0 || one.Index >= len(part) {
		return 0, false
	}
	f := Finding{Code: "conflict", Text: one.Error()}
	switch {
	case errors.Is(err, directory.ErrExists):
		f.Text = "somebody else of this source has the same user name"
	case errors.Is(err, directory.ErrCycle):
		f.Code = "unit_cycle"
	case errors.Is(err, directory.ErrInvalid):
		f.Code = "invalid"
	default:
		return 0, false
	}
	if p := part[one.Index].p; p != nil {
		f.Line, f.Row, f.Key = p.line, p.row, p.key
		quiet := slices.ContainsFunc(j.rep.People, func(d Diff) bool { return d.Key == p.key && d.Outcome == "changed" && d.quiet() })
		j.rep.People = slices.DeleteFunc(j.rep.People, func(d Diff) bool { return d.Key == p.key })
		c := &j.rep.Counts
		switch {
		case !p.known:
			c.New--
		case p.out(j.rep.At):
			c.Ended--
		default:
			c.Changed--
			if quiet {
				j.rep.quiet--
			}
		}
		j.rep.refuse(f)
	} else {
		j.rep.note(f)
	}
	return one.Index, true
}

// proof says how it is known that a full file is whole.
func (j *job) proof() string {
	return fmt.Sprintf("full file read to its end: %d rows, sha256 %s", j.rep.Counts.Rows, j.rep.SHA256)
}

// remember notes the file and the run, without what it said of anybody.
func (j *job) remember(failed error) error {
	told := make([]Finding, 0, len(j.rep.Refused))
	for _, f := range slices.Concat(j.rep.Refused, j.rep.Notes) {
		if len(told) == maxTold {
			break
		}
		f.Key, f.Value = "", ""
		if f.Code == "lost_zeros" || f.Code == "other_case" || f.Code == "other_form" {
			f.Text, _, _ = strings.Cut(f.Text, " (")
		}
		told = append(told, f)
	}
	findings, err := json.Marshal(told)
	if err != nil {
		return err
	}
	c := j.rep.Counts
	run := directory.Run{ID: id.Run(j.rep.Run), Source: j.source.ID, Kind: cmp.Or(string(j.rep.Kind), "import"), StartedAt: j.rep.At, EndedAt: j.now(), OK: failed == nil,
		Counts:   map[string]int{"rows": c.Rows, "refused": c.Refused, "new": c.New, "changed": c.Changed, "ended": c.Ended, "deleted": c.Deleted, "absent": c.Absent, "units": c.Units},
		Findings: findings}
	if failed != nil {
		run.Error = codeOf(failed)
	}
	var changes []directory.Change
	if failed == nil && j.rep.Complete {
		run.Proof = j.proof()
		if c.written() > 0 || j.rep.At.Sub(j.source.SyncedAt) >= heartbeat {
			changes = append(changes, directory.SyncDone{Source: j.source.ID, Run: run.ID, Proof: run.Proof, Counts: run.Counts})
		}
	}
	changes = append(changes, directory.PutRun{Run: run}, directory.Alongside{Write: func(tx *db.Tx) error { return j.note(tx, failed, findings) }})
	_, err = j.Store.Apply(j.ctx, j.order.Cause, changes...)
	return err
}
