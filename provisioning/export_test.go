package provisioning

import (
	"context"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Enact puts a plan's policy into force and stops there, as a process that ends in between.
func (r *Reactor) Enact(ctx context.Context, p *Plan) error {
	files, _, err := loadPlan(r.db.Read(ctx), p.ID)
	if err != nil {
		return err
	}
	policy, err := parse(files)
	if err != nil {
		return err
	}
	_, now, err := r.compute(ctx, policy, p.undoes, false)
	if err != nil {
		return err
	}
	_, err = r.enact(ctx, directory.Cause{}, p, policy, files, now)
	return err
}

// Tables lists one row of every table.
func Tables() []any { return tables() }

// TouchedDiffers says where looking only at those whom files touch finds other changes than looking at everybody does, and how many were looked at; -1: all. behind is how far
// the follower came.
func (r *Reactor) TouchedDiffers(ctx context.Context, files []File, behind int64) (looked int, diff string, err error) {
	policy, err := parse(files)
	if err != nil {
		return 0, "", err
	}
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		next, _, err := draft(tx.DB, c, policy, r.clock())
		if err != nil {
			return err
		}
		some, err := r.touched(ctx, tx, c, next, behind)
		if looked = len(some); some == nil {
			looked = -1
		}
		if err != nil {
			return err
		}
		var found [2][]PlannedChange
		for i, people := range [][]id.Person{nil, some} {
			l := newLedger(false)
			l.begin(c, next, nil)
			if err := r.scan(tx, &run{}, next, people, func(a assessment, _ bool) error {
				found[i] = append(found[i], l.planned(a, &Batch{Added: map[id.Group]int{}})...)
				return nil
			}); err != nil {
				return err
			}
		}
		diff = cmp.Diff(found[0], found[1])
		return nil
	})
	return looked, diff, err
}

// ScanDiffers says where scan does not answer what gather does, and where a plain fact is not what Facts answers; nil: nowhere.
func (r *Reactor) ScanDiffers(ctx context.Context) (out []string, err error) {
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		in := r.directory.In(tx)
		people, err := in.AllPeople(ctx)
		if err != nil {
			return err
		}
		say := func(a assessment) string {
			text := fmt.Sprint(a.person, " ", a.failed.names(), len(a.vanished), len(a.lift), len(a.raise), a.healed)
			for _, s := range a.steps {
				text += fmt.Sprint("; ", s.Op, s.Group, s.Role, s.cause, s.guarded, s.Begins, s.Before.ID, reasonTexts(s.Add), reasonTexts(s.End))
			}
			return text
		}
		want, got := map[id.Person]string{}, map[id.Person]string{}
		list, err := r.gather(tx, &run{}, c, people, false)
		if err != nil {
			return err
		}
		for _, a := range list {
			if !a.idle() {
				want[a.person] = say(a)
			}
		}
		if err := r.scan(tx, &run{}, c, nil, func(a assessment, _ bool) error { got[a.person] = say(a); return nil }); err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			out = append(out, diff)
		}
		facts, err := in.Facts(tx, people, false)
		if err != nil {
			return err
		}
		involved := map[id.Person]bool{}
		crowd, err := in.Crowd(tx, true)
		if err != nil {
			return err
		}
		for _, p := range crowd.Involved {
			involved[p] = true
		}
		plain := map[id.Person]directory.Fact{}
		if err := crowd.Each(func(f directory.Fact) error { plain[f.Person.ID] = f; return nil }); err != nil {
			return err
		}
		for _, f := range facts {
			p, is := plain[f.Person.ID]
			if is == involved[f.Person.ID] {
				out = append(out, fmt.Sprint(f.Person.ID, " is plain: ", is))
			} else if is {
				f.Records, p.Records = nil, nil
				if diff := cmp.Diff(f, p, cmpopts.EquateEmpty()); diff != "" {
					out = append(out, diff)
				}
			}
		}
		return nil
	})
	return out, err
}
