package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Disclosure says how many days before its instant something that is to come of a person is told to whoever may see the person, where its
// source does not say when. The zero value tells nothing before it happens.
type Disclosure struct {
	End, Move, Leave int
}

// Sight is of whom somebody may see what is not disclosed yet: ends, moves and leaves to come, and the reasons of freezes and ends. The zero
// Sight sees nothing of it, of nobody: not of themselves either.
type Sight struct {
	Future, Reasons roles.Scope
}

// SightOf answers what the caller of ctx may see by their roles. A context without a caller sees what is disclosed.
func SightOf(ctx context.Context) Sight {
	grants := httpapi.CallerFrom(ctx).Grants
	return Sight{Future: grants.Scope(roles.FutureRead), Reasons: grants.Scope(roles.ReasonsRead)}
}

// SeesAll is the sight of the product itself.
func SeesAll() Sight {
	return Sight{Future: roles.Scope{All: true}, Reasons: roles.Scope{All: true}}
}

// Full tells whether s sees everything to come of everybody.
func (s Sight) Full() bool { return s.Future.All }

// changes answers those changes of memberships that somebody with this sight may be told: what is to come only to who sees all of it.
func (s Sight) changes(list []MembershipChange) []MembershipChange {
	if s.Full() {
		return list
	}
	return slices.DeleteFunc(list, func(c MembershipChange) bool { return !c.At.IsZero() })
}

// As is the one door before what is not disclosed: a Reader that answers people, records, freezes and facts as somebody with this sight may
// know them, and as if nobody had said the rest. It is for whatever shows people to anybody; nothing decides by it.
func (r Reader) As(s Sight) Reader {
	r.sight = &s
	return r
}

// For is As for the caller of ctx.
func (r Reader) For(ctx context.Context) Reader { return r.As(SightOf(ctx)) }

// Hidden are the instants to come of some people that a Reader may not tell.
type Hidden map[id.Person][]time.Time

// Hides tells whether something that happens to person at this instant is not to be told.
func (h Hidden) Hides(person id.Person, at time.Time) bool {
	return slices.ContainsFunc(h[person], func(t time.Time) bool { return t.Equal(at) })
}

// Hidden answers what of these people the reader must not tell; people of whom there is nothing are left out. A reader without a Sight hides
// nothing.
func (r Reader) Hidden(ctx context.Context, people []id.Person) (Hidden, error) {
	out := Hidden{}
	if r.sight == nil || r.sight.Future.All {
		return out, nil
	}
	now := db.At(r.now())
	for part := range slices.Chunk(people, chunk) {
		var rows []recordRow
		if err := r.from(ctx).Select(recordColumns).Where(`person_id in ? and deleted_at is null and (end_at > ? or leave_from > ? or planned <> 'null')`,
			db.Pad(part), now, now).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read what is to come: %w", err)
		}
		for _, row := range rows {
			rec := row.record()
			out.add(rec.Person, r.disclosure.veil(&rec, r.now()))
		}
		var ends []freezeRow
		if err := r.from(ctx).Where("person_id in ? and slot = ? and lifted_at is null and from_at > ?", db.Pad(part), SlotEnded, now).Find(&ends).Error; err != nil {
			return nil, fmt.Errorf("read what is to come: %w", err)
		}
		for _, row := range ends {
			if at := row.freeze().From; !told(at, time.Time{}, r.disclosure.End, time.UTC, r.now()) {
				out.add(row.PersonID, []time.Time{at})
			}
		}
	}
	known, err := r.inside(ctx, r.sight.Future, slices.Sorted(maps.Keys(out)))
	maps.DeleteFunc(out, func(person id.Person, _ []time.Time) bool { return known[person] })
	return out, err
}

// add notes instants of a person.
func (h Hidden) add(person id.Person, at []time.Time) {
	if len(at) > 0 {
		h[person] = append(h[person], at...)
	}
}

// Disclosed answers those of these boundaries that everybody who may see the person may know.
func (r Reader) Disclosed(ctx context.Context, list []Boundary) ([]Boundary, error) {
	people := make([]id.Person, len(list))
	for i, b := range list {
		people[i] = b.Person
	}
	hidden, err := r.As(Sight{}).Hidden(ctx, people)
	return slices.DeleteFunc(slices.Clone(list), func(b Boundary) bool { return hidden.Hides(b.Person, b.At) }), err
}

// veil takes from a record what is not told at now, and answers the instants of that.
func (d Disclosure) veil(rec *Record, now time.Time) []time.Time {
	var hidden []time.Time
	zone := time.UTC
	if own, err := time.LoadLocation(rec.TimeZone); rec.TimeZone != "" && err == nil {
		zone = own
	}
	if !told(rec.EndAt, rec.DiscloseAt, d.End, zone, now) {
		hidden, rec.EndAt = append(hidden, rec.EndAt), time.Time{}
	}
	if !told(rec.LeaveFrom, rec.DiscloseAt, d.Leave, zone, now) {
		hidden, rec.LeaveFrom = append(hidden, rec.LeaveFrom), time.Time{}
		if !rec.LeaveUntil.IsZero() {
			hidden, rec.LeaveUntil = append(hidden, rec.LeaveUntil), time.Time{}
		}
	}
	var planned []Planned
	for _, p := range rec.Planned {
		said := p.DiscloseAt
		if said.IsZero() {
			said = rec.DiscloseAt
		}
		if !told(p.At, said, d.Move, zone, now) {
			hidden = append(hidden, p.At)
			continue
		}
		p.DiscloseAt = time.Time{}
		planned = append(planned, p)
	}
	rec.Planned, rec.DiscloseAt = planned, time.Time{}
	if len(hidden) > 0 {
		rec.Raw = nil
	}
	return hidden
}

// told tells whether what happens at an instant may be told at now: it has happened, or its source said so, or else the days before it have
// come, on the calendar of zone.
func told(at, said time.Time, days int, zone *time.Location, now time.Time) bool {
	if at.IsZero() || !at.After(now) {
		return true
	}
	if said.IsZero() {
		said = at.In(zone).AddDate(0, 0, -days)
	}
	return !said.After(now)
}

// veilRecords takes from records what the reader must not tell.
func (r Reader) veilRecords(ctx context.Context, records []Record) error {
	if r.sight == nil || r.sight.Future.All || len(records) == 0 {
		return nil
	}
	var people []id.Person
	for _, rec := range records {
		people = append(people, rec.Person)
	}
	slices.Sort(people)
	hidden, err := r.Hidden(ctx, slices.Compact(people))
	for i := range records {
		if len(hidden[records[i].Person]) > 0 {
			r.disclosure.veil(&records[i], r.now())
		}
		records[i].DiscloseAt = time.Time{}
	}
	return err
}

// veilFreezes answers the freezes that the reader may tell, with the reasons that it may.
func (r Reader) veilFreezes(ctx context.Context, list []Freeze) ([]Freeze, error) {
	if r.sight == nil || len(list) == 0 || r.sight.Future.All && r.sight.Reasons.All {
		return list, nil
	}
	var people []id.Person
	for _, f := range list {
		people = append(people, f.Person)
	}
	slices.Sort(people)
	people = slices.Compact(people)
	hidden, err := r.Hidden(ctx, people)
	if err != nil {
		return nil, err
	}
	reasons, err := r.inside(ctx, r.sight.Reasons, people)
	if err != nil {
		return nil, err
	}
	known, err := r.inside(ctx, r.sight.Future, people)
	if err != nil {
		return nil, err
	}
	out := make([]Freeze, 0, len(list))
	for _, f := range list {
		never := !f.LiftedAt.IsZero() && f.From.After(f.LiftedAt) // taken back before it came
		if hidden.Hides(f.Person, f.From) || never && !known[f.Person] {
			continue
		}
		if hidden.Hides(f.Person, f.Until) {
			f.Until = time.Time{}
		}
		if !reasons[f.Person] {
			f.Reason = ""
		}
		out = append(out, f)
	}
	return out, nil
}

// inside answers which of these people lie within scope.
func (r Reader) inside(ctx context.Context, scope roles.Scope, people []id.Person) (map[id.Person]bool, error) {
	out := make(map[id.Person]bool, len(people))
	for part := range slices.Chunk(people, chunk) {
		found := part
		if !scope.All {
			if len(scope.Units) == 0 {
				return out, nil
			}
			found = nil
			if err := r.from(ctx).Raw("select id from persons where id in ? and merged_into = '' and "+belowUnits, db.Pad(part), scope.Units).Scan(&found).Error; err != nil {
				return nil, fmt.Errorf("read people: %w", err)
			}
		}
		for _, p := range found {
			out[p] = true
		}
	}
	return out, nil
}

// statusSQL is statusSQL as the reader may tell it. Where it must not tell every end it chooses some too many, by days and not by the hour; who
// reads them looks at their status again (People).
func (r Reader) statusSQL(status Status) (string, []any, error) {
	sql, args, err := statusSQL(status, r.now())
	if err != nil || !r.looksTwice(status) {
		return sql, args, err
	}
	notice, more, err := statusSQL(StatusNotice, r.now())
	if status == StatusActive {
		return "((" + sql + ") or (" + notice + "))", append(args, more...), err
	}
	if len(r.sight.Future.Units) > 0 {
		return sql, args, err
	}
	now, near := db.At(r.now()), db.At(r.now().AddDate(0, 0, r.disclosure.End+2))
	return "(" + sql + `) and (exists (select 1 from records d where d.person_id = persons.id and d.deleted_at is null and d.end_at > ?
		and (d.disclose_at <= ? or d.disclose_at is null and d.end_at <= ?))
		or exists (select 1 from freezes d where d.person_id = persons.id and d.lifted_at is null and d.cause in ('ended', 'deleted') and d.source_id = '' and d.from_at > ?)
		or exists (select 1 from records d where d.person_id = persons.id and d.set_aside_until > ?))`, append(args, now, now, near, now, now), err
}

// looksTwice tells whether the status that SQL finds may be another one than the reader may tell.
func (r Reader) looksTwice(status Status) bool {
	return r.sight != nil && !r.sight.Future.All && (status == StatusNotice || status == StatusActive)
}
