package evidence

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
)

// periodMost is how long a period may be.
const periodMost = 400 * 24 * time.Hour

// act names what one call, or the clock, did to one person.
type act struct {
	request string
	person  string
}

// windowMost and windowTime bound what is open at a time while the log is read: what follows from a call stands close behind it.
const (
	windowMost = 5000
	windowTime = 2 * time.Minute
	rowPart    = 500
)

// period is one reading of the log.
type period struct {
	s      *Store
	query  Query
	open   map[act]*Row
	leaver map[id.Freeze]*Row
	order  []act
	ready  []*Row
	names  map[id.Source]string
	tally  Tally
	answer func(Row) error
}

// Period has answer called with every row of a period, in the order of the log, and counts them. It holds a few thousand rows at most.
func (s *Store) Period(ctx context.Context, q Query, answer func(Row) error) (Tally, error) {
	if err := s.Fences.Flush(ctx); err != nil {
		return Tally{}, err
	}
	p := &period{s: s, query: q, open: map[act]*Row{}, leaver: map[id.Freeze]*Row{}, names: map[id.Source]string{}, answer: answer,
		tally: Tally{Kinds: map[string]int{}, Exceptions: map[string]int{}}}
	p.query.Overdue = cmp.Or(q.Overdue, time.Minute)
	sources, err := s.Directory.Sources(ctx)
	if err != nil {
		return p.tally, err
	}
	for _, src := range sources {
		p.names[src.ID] = src.Name
	}
	// What follows from the last calls of the period stands behind its end.
	err = audit.Each(ctx, s.DB, q.From, q.Until.Add(windowTime), func(list []audit.Record) error {
		for _, r := range list {
			if err := p.see(ctx, r); err != nil {
				return err
			}
		}
		return p.turn(ctx, list[len(list)-1].At.Add(-windowTime))
	})
	if err == nil {
		err = p.turn(ctx, time.Time{})
	}
	if err == nil {
		err = p.give(ctx)
	}
	return p.tally, err
}

// row answers what is open of one call and person, and opens it.
func (p *period) row(r audit.Record, person string) *Row {
	key := act{r.RequestID, person}
	if row := p.open[key]; row != nil {
		return row
	}
	row := &Row{Seq: r.Seq, Person: id.Person(person), Request: id.Request(r.RequestID), recorded: r.At, Exceptions: []string{}}
	row.ArrivedAt = id.MadeAt(r.RequestID)
	if row.ArrivedAt.IsZero() || row.ArrivedAt.After(r.At) {
		row.ArrivedAt = r.At
	}
	p.open[key] = row
	p.order = append(p.order, key)
	return row
}

// see reads one record.
func (p *period) see(ctx context.Context, r audit.Record) error {
	inside := r.At.Before(p.query.Until) // behind it only what was begun before goes on
	known := func(person string) *Row {
		if row := p.open[act{r.RequestID, person}]; row != nil || !inside {
			return row
		}
		return p.row(r, person)
	}
	switch r.Action {
	case "person.effective":
		if row := known(r.Subject); row != nil {
			if row.said(r.Public["effective_at"], SaidEffective); row.Request == "" {
				row.ArrivedAt = row.SourceAt // it was told of long before
			}
			if text(r.Public["what"]) == "start" { // a hire whose first day has come
				row.Kind, row.SourceSaid, row.InForceAt = Joiner, SaidStart, row.SourceAt
			}
		}
	case "person.created", "person.changed":
		if row := known(r.Subject); row != nil {
			p.changed(row, r)
		}
	case "person.terminated":
		if row := known(r.Subject); row != nil {
			row.said(r.Public["effective_at"], SaidEffective)
		}
	case "person.frozen":
		if row := known(r.Subject); row != nil {
			p.frozen(row, r)
		}
	case ActionFenced:
		return p.fenced(ctx, r, inside)
	case "person.unfrozen", "person.restored":
		if row := known(r.Subject); row != nil && row.Kind == "" && leaves(directory.FreezeCause(text(r.Public["cause"]))) {
			row.Kind, row.What, row.InForceAt = Returned, []string{text(r.Public["cause"])}, r.At
			row.source = id.Source(r.Cause)
		}
	case "membership.added", "membership.removed", "membership.changed", "membership.held":
		row := p.open[act{r.RequestID, text(r.Public["person"])}]
		if row != nil {
			row.moved(r)
		}
	}
	return nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// said notes the instant that a source named.
func (r *Row) said(v any, by string) {
	if at, err := time.Parse(time.RFC3339Nano, text(v)); err == nil {
		r.SourceAt, r.SourceSaid = at.UTC(), by
	}
}

// placing are the fields of a person that say where they work.
func placing(field string) bool {
	switch field {
	case "unit", "manager", "title", "department", "division", "organization", "company", "cost_center", "employee_type":
		return true
	}
	return false
}

func (p *period) changed(row *Row, r audit.Record) {
	row.source = cmp.Or(row.source, id.Source(r.Cause))
	if r.Action == "person.created" {
		row.Kind = Joiner
		return
	}
	fields, _ := r.Public["fields"].([]any)
	for _, f := range fields {
		if placing(text(f)) && row.Kind != Joiner {
			row.Kind, row.What = cmp.Or(row.Kind, Mover), append(row.What, text(f))
		}
	}
}

// frozen notes a freeze: of who leaves now, of who has not come yet, of who may be somebody else.
func (p *period) frozen(row *Row, r audit.Record) {
	cause := directory.FreezeCause(text(r.Public["cause"]))
	row.source = cmp.Or(row.source, id.Source(r.Cause))
	from, _ := time.Parse(time.RFC3339Nano, text(r.Public["from"]))
	switch {
	case cause == directory.CausePending:
		if row.Kind == Joiner { // reported when the first day has come, and not before
			row.Kind = ""
		}
		row.pending = true
	case cause == directory.CauseQuarantine:
		row.except(Quarantined)
	case leaves(cause) && !from.After(r.At):
		if row.Kind == LeaverOf && row.freeze != "" && cause == directory.CauseVeto {
			row.except(Vetoed)
			return
		}
		row.Kind, row.What, row.freeze = LeaverOf, []string{string(cause)}, id.Freeze(text(r.Public["freeze"]))
		p.leaver[row.freeze] = row
		if cause == directory.CauseEnded && !from.IsZero() {
			row.said(r.Public["from"], SaidEnd)
		}
		if cause == directory.CauseVeto {
			row.except(Vetoed)
		}
	}
}

// fenced notes that a freeze was in force: of a leaver whose call was seen, or of one who leaves by the clock.
func (p *period) fenced(ctx context.Context, r audit.Record, inside bool) error {
	freeze := id.Freeze(text(r.Public["freeze"]))
	if row := p.leaver[freeze]; row != nil {
		row.InForceAt = r.At
		return nil
	}
	if !inside || text(r.Public["how"]) == string(ByBarrier) {
		return nil
	}
	found, err := p.s.Directory.FreezesByID(ctx, []id.Freeze{freeze})
	if f, ok := found[freeze]; ok && leaves(f.Cause) && f.From.After(f.CreatedAt) {
		row := p.row(audit.Record{Seq: r.Seq, At: r.At, RequestID: "fence " + string(freeze)}, r.Subject)
		row.Kind, row.What, row.freeze, row.source, row.Request = LeaverOf, []string{string(f.Cause)}, freeze, f.Source, f.Request
		row.SourceAt, row.SourceSaid, row.InForceAt = f.From, SaidEnd, r.At
		if row.ArrivedAt = id.MadeAt(f.Request); row.ArrivedAt.IsZero() {
			row.ArrivedAt = f.CreatedAt
		}
	}
	return err
}

// moved notes what became of a membership.
func (r *Row) moved(rec audit.Record) {
	switch rec.Action {
	case "membership.held":
		r.except(Held)
		return
	case "membership.added":
		r.Gained++
	case "membership.removed":
		r.Lost++
	}
	if r.pending {
		return
	}
	if r.Kind == "" {
		r.Kind = Mover
	}
	if r.Kind == LeaverOf || r.Kind == Returned {
		return
	}
	at := rec.At
	if effective, err := time.Parse(time.RFC3339Nano, text(rec.Public["effective_at"])); err == nil {
		at = effective.UTC() // its window was written ahead: the clock decided
	}
	r.InForceAt = later(r.InForceAt, at)
}

// turn gives on what began before an instant, or beyond what is held at a time; the zero instant: everything.
func (p *period) turn(ctx context.Context, before time.Time) error {
	for len(p.order) > 0 {
		row := p.open[p.order[0]]
		if !before.IsZero() && !row.recorded.Before(before) && len(p.order) <= windowMost {
			break
		}
		delete(p.open, p.order[0])
		p.order = p.order[1:]
		delete(p.leaver, row.freeze)
		if row.Kind == "" || len(p.query.Kinds) > 0 && !slices.Contains(p.query.Kinds, row.Kind) {
			continue
		}
		if p.ready = append(p.ready, row); len(p.ready) >= rowPart {
			if err := p.give(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// give completes the rows that are ready and answers them.
func (p *period) give(ctx context.Context) error {
	list := p.ready
	p.ready = nil
	var people []id.Person
	var freezes []id.Freeze
	for _, row := range list {
		people = append(people, row.Person)
		if row.freeze != "" {
			freezes = append(freezes, row.freeze)
		}
	}
	slices.Sort(people)
	people = slices.Compact(people)
	reached, err := p.s.Directory.Among(ctx, p.query.Scope, people)
	if err != nil {
		return err
	}
	known, err := p.s.Directory.PeopleByID(ctx, people)
	if err != nil {
		return err
	}
	who := map[id.Person]directory.Person{}
	for _, one := range known {
		who[one.ID] = one
	}
	of, err := p.s.Directory.FreezesByID(ctx, freezes)
	if err != nil {
		return err
	}
	fences, err := fencesOf(p.s.DB, ctx, freezes)
	if err != nil {
		return err
	}
	for _, row := range list {
		if !reached[row.Person] {
			continue
		}
		row.Name, row.Number, row.Source = who[row.Person].DisplayName, who[row.Person].EmployeeNumber, p.names[row.source]
		row.complete(of[row.freeze], fences[row.freeze], p.query.Overdue)
		if p.query.Only && len(row.Exceptions) == 0 {
			continue
		}
		p.tally.Rows++
		p.tally.Kinds[row.Kind]++
		for _, what := range row.Exceptions {
			p.tally.Exceptions[what]++
		}
		p.tally.WorstUS = max(p.tally.WorstUS, row.DelayUS)
		if err := p.answer(*row); err != nil {
			return err
		}
	}
	return nil
}
