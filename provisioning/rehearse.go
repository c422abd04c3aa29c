package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// rehearsal gathers what the parts of one run of a source would take, before the first of them is written.
type rehearsal struct {
	r     *Reactor
	cause directory.Cause
	batch Batch
	lost  map[Sign]map[id.Person]bool // who would bear a sign; true: nothing would come in its place
	// whom the source would miss
	missed map[id.Person]bool
}

// Rehearse implements directory.Rehearser.
func (r *Reactor) Rehearse(cause directory.Cause) directory.Rehearsal {
	return &rehearsal{r: r, cause: cause, batch: Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}}, lost: map[Sign]map[id.Person]bool{}, missed: map[id.Person]bool{}}
}

// Look implements directory.Rehearsal.
func (f *rehearsal) Look(ctx context.Context, tx *db.Tx, people []id.Person, lost []directory.Loss) error {
	c, err := f.r.catalogIn(tx.DB)
	if err != nil {
		return err
	}
	list, err := f.r.gather(tx, &run{cause: f.cause}, c, distinct(people), false)
	if err != nil {
		return err
	}
	part := Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}}
	for _, a := range list {
		part.collect(a)
	}
	if _, err := f.r.bear(ctx, tx, c, part.Removals); err != nil {
		return err
	}
	f.batch.Removals = append(f.batch.Removals, part.Removals...)
	for g, n := range part.Added {
		f.batch.Added[g] += n
	}
	for g, n := range part.Later {
		f.batch.Later[g] += n
	}
	missed, err := f.r.missing(ctx, tx)(f.cause.Source)
	if err != nil {
		return err
	}
	for _, p := range missed {
		f.missed[p] = true
	}
	loses := func(s Sign, person id.Person, cleared bool) {
		if f.lost[s] == nil {
			f.lost[s] = map[id.Person]bool{}
		}
		f.lost[s][person] = cleared
	}
	for _, l := range lost {
		for _, s := range signsOf(l, c.uses) { // a unit or a manager may come with another part
			loses(s, l.Person, l.Cleared && l.Field != directory.LossUnit && l.Field != "manager")
		}
	}
	for _, removal := range part.Removals {
		for _, s := range removal.Signs { // of whom is missed no row says it
			if removal.Cause == CauseAbsence && s.Field == directory.LossGroup {
				loses(s, removal.Person, true)
			}
		}
	}
	return nil
}

// verdict is what the guard says of everything that was shown.
func (f *rehearsal) verdict(ctx context.Context) (v Verdict, c *catalog, err error) {
	err = f.r.look(ctx, func(tx *db.Tx, now *catalog) error {
		c = now
		if err := f.count(ctx, tx); err != nil {
			return err
		}
		var err error
		if f.batch.Recent, err = recent(tx.DB, f.r.clock()); err != nil {
			return err
		}
		var groups []id.Group
		for _, removal := range f.batch.Removals {
			groups = append(groups, removal.Group)
		}
		slices.Sort(groups)
		if f.batch.Members, err = countMembers(tx.DB, slices.Compact(groups)); err != nil {
			return err
		}
		f.batch.Population = f.r.population(ctx, tx)
		f.batch.Missed = func(source id.Source) ([]id.Person, error) {
			if source == f.cause.Source {
				return slices.Collect(maps.Keys(f.missed)), nil
			}
			return f.r.missing(ctx, tx)(source)
		}
		v, err = Guard{guardOf(c)}.Check(f.batch)
		return err
	})
	if err != nil {
		err = fmt.Errorf("judge the run as a whole: %w", err)
	}
	return v, c, err
}

// Held implements directory.Rehearsal.
func (f *rehearsal) Held(ctx context.Context) ([]directory.Held, error) {
	if len(f.batch.Removals) == 0 {
		return nil, nil
	}
	v, c, err := f.verdict(ctx)
	if err != nil {
		return nil, err
	}
	people := map[Breach]map[id.Person]bool{}
	for _, removal := range f.batch.Removals {
		if b, held := v.breach(removal); held {
			if people[b] == nil {
				people[b] = map[id.Person]bool{}
			}
			people[b][removal.Person] = true
		}
	}
	var out []directory.Held
	for _, b := range v.Breaches {
		if n := len(people[b]); n > 0 {
			name, err := f.r.nameOf(ctx, c, b)
			if err != nil {
				return nil, err
			}
			out = append(out, directory.Held{Cause: string(b.Cause), People: n, Reason: b.naming(name)})
			delete(people, b)
		}
	}
	return out, nil
}

// Judge implements directory.Rehearsal. Whether a group would be emptied is not known here: who comes into it may come in another way.
func (f *rehearsal) Judge(ctx context.Context) error {
	if len(f.batch.Removals) == 0 {
		return nil
	}
	v, _, err := f.verdict(ctx)
	if err != nil {
		return err
	}
	v.Breaches = slices.DeleteFunc(v.Breaches, func(b Breach) bool { return b.Group != "" })
	if !v.Held() {
		return nil
	}
	row := foreseenRow{Source: f.cause.Source, Run: f.cause.Request, Verdict: db.JSON[Verdict]{V: v}, At: db.At(f.r.clock())}
	if err := f.r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("delete from foreseen where source = ?", row.Source).Error; err != nil {
			return err
		}
		return tx.Create(&row).Error
	}); err != nil {
		return fmt.Errorf("note what the guard says of the run: %w", err)
	}
	return nil
}

// count adds who would bear a sign to who bears it already.
func (f *rehearsal) count(ctx context.Context, tx *db.Tx) error {
	f.batch.Counts = map[Sign]directory.LossCount{}
	var signs []Sign
	for _, removal := range f.batch.Removals {
		signs = append(signs, removal.Signs...)
	}
	if err := f.r.countSigns(ctx, tx, signs, f.batch.Counts); err != nil {
		return err
	}
	for s, n := range f.batch.Counts {
		n.Lost += len(f.lost[s])
		for _, cleared := range f.lost[s] {
			if cleared {
				n.Cleared++
			}
		}
		if n.Had > 0 { // who lost it twice within the window counts once
			n.Lost, n.Cleared = min(n.Lost, n.Had), min(n.Cleared, n.Had)
		}
		f.batch.Counts[s] = n
	}
	return nil
}

// Over implements directory.Rehearsal.
func (f *rehearsal) Over(ctx context.Context) error {
	var rows []foreseenRow
	if err := f.r.db.Read(ctx).Raw("select * from foreseen where source = ? and run = ?", f.cause.Source, f.cause.Request).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read what the guard says of the run: %w", err)
	}
	if len(rows) == 0 {
		return nil
	}
	return f.r.db.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("delete from foreseen where source = ? and run = ?", f.cause.Source, f.cause.Request).Error
	})
}

// foreseenFor is how long the word about a run stands that never ended.
const foreseenFor = time.Hour

// foreseen adds what the guard said of runs that are being written: they are held whole, in whatever parts they come.
func (v Verdict) foreseen(q reader, now time.Time) (Verdict, error) {
	var rows []foreseenRow
	if err := q.Raw("select * from foreseen where at > ?", db.At(now.Add(-foreseenFor))).Scan(&rows).Error; err != nil {
		return v, fmt.Errorf("read what the guard says of runs: %w", err)
	}
	for _, row := range rows {
		v.Breaches = append(v.Breaches[:len(v.Breaches):len(v.Breaches)], row.Verdict.V.Breaches...)
	}
	return v, nil
}
