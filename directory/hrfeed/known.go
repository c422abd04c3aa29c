package hrfeed

import (
	"errors"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
)

// manyKeys is from how many people on all of a source are read at once.
const manyKeys = 300

// know reads what the source said of the people that the file names.
func (j *job) know(*table) error {
	var err error
	if j.keys, err = j.Store.RecordKeys(j.ctx, j.source.ID); err != nil {
		return err
	}
	j.people = map[string]*person{}
	for _, in := range j.intents {
		j.people[in.key] = &person{key: in.key, rec: directory.Record{Source: j.source.ID}}
	}
	live := map[string]directory.RecordKey{}
	for _, k := range j.keys {
		if p := j.people[k.Key]; p != nil && k.Withdrawn {
			p.withdrawn = true
		}
		if p := j.people[k.Key]; p != nil && k.DeletedAt.IsZero() {
			live[k.Key], p.absent = k, !k.AbsentSince.IsZero()
		}
	}
	keep := func(r directory.Record) {
		p := j.people[r.Key]
		if p == nil || !r.DeletedAt.IsZero() {
			return
		}
		r = r.EffectiveAt(j.rep.At)
		r.Planned = slices.DeleteFunc(slices.Clone(r.Planned), func(s directory.Planned) bool { return !s.At.After(j.rep.At) })
		if len(r.Planned) == 0 {
			r.Planned = nil
		}
		p.before, p.rec, p.known, p.live = r, r, true, true
	}
	if len(live) <= manyKeys {
		for _, k := range slices.Sorted(maps.Keys(live)) {
			r, err := j.Store.RecordByKey(j.ctx, j.source.ID, k)
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return err
			}
			keep(r)
		}
		return nil
	}
	q := directory.RecordQuery{Source: j.source.ID, Limit: 1000, NoTotal: true}
	for {
		page, err := j.Store.FindRecords(j.ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			keep(r)
		}
		if len(page.Records) < q.Limit {
			return nil
		}
		q.After = page.Records[len(page.Records)-1].Link
	}
}
