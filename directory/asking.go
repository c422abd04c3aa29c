package directory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// decide writes what human beings said about pairs.
func (w *work) decide() error {
	for _, d := range w.decisions {
		if d.state == ItemOpen {
			if err := w.askAgain(d); err != nil {
				return err
			}
			continue
		}
		c := coupleOf(d.keep, d.other)
		row := workItemRow{ID: d.item.ID, Kind: PossibleDuplicate, Newer: c.newer, Older: c.older, State: d.state, Hints: db.JSON[[]Hint]{V: []Hint{}},
			Moved: db.JSON[[]id.Link]{V: d.moved}, CreatedAt: db.At(w.now), ClosedAt: db.At(w.now), ClosedBy: w.cause.actor()}
		if d.state == ItemLinked {
			row.Kept = d.keep
		}
		if d.moved == nil {
			row.Moved.V = []id.Link{}
		}
		if row.ID == "" {
			row.ID = id.New[id.WorkItem]()
			if err := w.tx.Create(&row).Error; err != nil {
				return fmt.Errorf("write work item: %w", err)
			}
		} else if err := w.tx.Exec("update work_items set state = ?, kept = ?, moved = ?, closed_at = ?, closed_by = ? where id = ?", row.State, row.Kept,
			row.Moved, row.ClosedAt, row.ClosedBy, row.ID).Error; err != nil {
			return fmt.Errorf("write work item: %w", err)
		}
		w.wrote = true
		w.note("work_item."+string(d.state), string(row.ID), nil, map[string]any{"people": []id.Person{d.keep, d.other}, "moved": row.Moved.V})
		if d.state != ItemLinked {
			continue
		}
		if err := w.merged(d); err != nil {
			return err
		}
	}
	return nil
}

// askAgain opens a pair that was decided, or that nobody ever asked about.
func (w *work) askAgain(d decision) error {
	if d.item.ID == "" {
		return w.askFirst(d)
	}
	if err := w.tx.Exec("update work_items set state = ?, kept = '', moved = '[]', created_at = ?, closed_at = null, closed_by = '' where id = ?", ItemOpen, db.At(w.now), d.item.ID).Error; err != nil {
		return fmt.Errorf("write work item: %w", err)
	}
	w.wrote = true
	w.note("work_item.reopened", string(d.item.ID), nil, map[string]any{"people": []id.Person{d.keep, d.other}})
	return nil
}

// askFirst asks about a pair that a split makes. What the two have in common is found later, and may be nothing.
func (w *work) askFirst(d decision) error {
	c := coupleOf(d.keep, d.other)
	row := workItemRow{ID: id.New[id.WorkItem](), Kind: PossibleRehire, Newer: c.newer, Older: c.older, State: ItemOpen, Hints: db.JSON[[]Hint]{V: []Hint{}},
		Moved: db.JSON[[]id.Link]{V: []id.Link{}}, CreatedAt: db.At(w.now)}
	for _, e := range w.order {
		if e.before.Person == d.keep && e.after.Person == d.other {
			row.SourceID, row.Link = e.after.Source, e.after.Link
		}
	}
	if err := w.tx.Create(&row).Error; err != nil {
		return fmt.Errorf("write work item: %w", err)
	}
	w.wrote = true
	return nil
}

// merged makes the rest of a merge: whoever was merged into who goes now is who stays, and so are those who were told apart.
func (w *work) merged(d decision) error {
	if err := w.tx.Exec("update persons set merged_into = ? where merged_into = ? and merged_into <> ''", d.keep, d.other).Error; err != nil {
		return fmt.Errorf("write people: %w", err)
	}
	var apart []workItemRow
	if err := w.tx.Where("state = ? and id in (select id from work_items where newer = ? union all select id from work_items where older = ?)", ItemSeparated, d.other, d.other).Order("id").Find(&apart).Error; err != nil {
		return fmt.Errorf("read work items: %w", err)
	}
	for _, row := range apart {
		third := row.item().Other(d.other)
		if third == d.keep {
			continue
		}
		c := coupleOf(d.keep, third)
		row.ID, row.Newer, row.Older = id.New[id.WorkItem](), c.newer, c.older
		if err := w.tx.Exec(`insert into work_items (id, kind, newer, older, source_id, link, hint, hints, state, kept, moved, created_at, closed_at, closed_by)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '[]', ?, ?, ?) on conflict (newer, older) do update set state = excluded.state, closed_by = excluded.closed_by
			where work_items.state = 'vanished'`, row.ID, row.Kind, row.Newer, row.Older, row.SourceID, row.Link, row.Hint, row.Hints, row.State,
			row.CreatedAt, row.ClosedAt, row.ClosedBy).Error; err != nil {
			return fmt.Errorf("write work item: %w", err)
		}
	}
	w.note("person.merged", string(d.other), nil, map[string]any{"into": d.keep})
	data, err := json.Marshal(map[string]any{"into": d.keep, "idle": w.idle[d.keep]})
	if err != nil {
		return err
	}
	w.events = append(w.events, feed.Event{At: w.now, Kind: "person.merged", Subject: string(d.other), Data: data})
	return nil
}

// open asks about each couple that was found, unless that was asked before.
func (w *work) open(found map[couple]*finding) error {
	newer := map[id.Person]bool{}
	for c := range found {
		newer[c.newer] = true
	}
	before := map[couple]workItemRow{}
	for part := range slices.Chunk(sorted(newer), chunk) {
		var rows []workItemRow
		if err := w.tx.Where("newer in ?", part).Find(&rows).Error; err != nil {
			return fmt.Errorf("read work items: %w", err)
		}
		for _, row := range rows {
			before[couple{row.Newer, row.Older}] = row
		}
	}
	var fresh []workItemRow
	order := slices.SortedFunc(maps.Keys(found), func(a, b couple) int {
		return strings.Compare(string(a.newer+a.older), string(b.newer+b.older))
	})
	for _, c := range order {
		f := found[c]
		row, asked := before[c]
		if asked && row.State == ItemSeparated {
			continue
		}
		set := maps.Clone(f.hints)
		if asked && row.State == ItemOpen {
			for _, h := range row.Hints.V {
				set[h] = true
			}
			if len(set) == len(row.Hints.V) {
				continue
			}
		}
		hints := ranking(set)
		rec := f.entry.after
		now := workItemRow{ID: id.New[id.WorkItem](), Kind: f.kind, Newer: c.newer, Older: c.older, SourceID: rec.Source, Link: rec.Link, Hint: hints[0],
			Hints: db.JSON[[]Hint]{V: hints}, State: ItemOpen, Moved: db.JSON[[]id.Link]{V: []id.Link{}}, CreatedAt: db.At(w.now)}
		if !asked {
			fresh = append(fresh, now)
			continue
		}
		if row.State == ItemOpen {
			now.SourceID, now.Link, now.CreatedAt = row.SourceID, row.Link, row.CreatedAt
		}
		if err := w.tx.Exec(`update work_items set kind = ?, source_id = ?, link = ?, hint = ?, hints = ?, state = ?, kept = '', moved = ?, created_at = ?,
			closed_at = null, closed_by = '' where id = ?`, now.Kind, now.SourceID, now.Link, now.Hint, now.Hints, now.State, now.Moved, now.CreatedAt, row.ID).Error; err != nil {
			return fmt.Errorf("write work item: %w", err)
		}
		w.wrote = true
	}
	if len(fresh) > 0 {
		w.wrote = true
		if err := w.tx.KeepFirst().CreateInBatches(fresh, 200).Error; err != nil {
			return fmt.Errorf("write work items: %w", err)
		}
	}
	return nil
}

// vanish looks again at what is asked about these people, and closes what nothing speaks for.
func (w *work) vanish(people map[id.Person]bool) error {
	var rows []workItemRow
	for part := range slices.Chunk(sorted(people), chunk) {
		var some []workItemRow
		if err := w.tx.Raw(`select * from work_items where state = 'open' and newer in ? union select * from work_items where state = 'open' and older in ? order by id`,
			part, part).Scan(&some).Error; err != nil {
			return fmt.Errorf("read work items: %w", err)
		}
		rows = append(rows, some...)
	}
	if len(rows) == 0 {
		return nil
	}
	concerned := map[id.Person]bool{}
	for _, row := range rows {
		concerned[row.Newer], concerned[row.Older] = true, true
	}
	records := map[id.Person][]Record{}
	for part := range slices.Chunk(sorted(concerned), chunk) {
		list, err := w.r.recordsOf(w.ctx, part)
		if err != nil {
			return err
		}
		for _, r := range list {
			records[r.Person] = append(records[r.Person], r)
		}
	}
	held, err := w.standingIn(SlotQuarantine, sorted(concerned))
	if err != nil {
		return err
	}
	for _, row := range rows {
		hints := common(records[row.Newer], records[row.Older], w.sources)
		sql, args := "", []any(nil)
		switch {
		case row.Kind == ErasedReturn: // nothing is known any more of who was erased: a human being decides
			continue
		case len(hints) == 0 && (held[row.Newer] || held[row.Older]) && len(records[row.Newer]) > 0 && len(records[row.Older]) > 0: // a human being decides, whatever a source takes back
			continue
		case len(hints) == 0 || len(living(records[row.Newer])) == 0:
			sql, args = "update work_items set state = ?, closed_at = ?, closed_by = 'system' where id = ?", []any{ItemVanished, db.At(w.now), row.ID}
		case !slices.Equal(hints, row.Hints.V):
			sql, args = "update work_items set hint = ?, hints = ? where id = ?", []any{hints[0], db.JSON[[]Hint]{V: hints}, row.ID}
		default:
			continue
		}
		if err := w.tx.Exec(sql, args...).Error; err != nil {
			return fmt.Errorf("write work item: %w", err)
		}
		w.wrote = true
	}
	return nil
}
