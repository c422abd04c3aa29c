package hrfeed

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// person is one record while a file is read: what it was and what it will be.
type person struct {
	key       string
	line      int
	row       int              // of JSON
	before    directory.Record // as stored, with what was planned up to now in force
	rec       directory.Record
	known     bool // it was live before
	live      bool // it is there after the rows that were taken
	deleted   bool
	absent    bool // a full file missed it before
	withdrawn bool // it was deleted before it began
	ended     *directory.Terminate
	accepted  bool // at least one row was taken
}

// out tells whether somebody who had access has none any more: they are switched off, or their last day is over.
func (p *person) out(now time.Time) bool {
	over := func(r directory.Record) bool { return !r.Active || !r.EndAt.IsZero() && !r.EndAt.After(now) }
	return !over(p.before) && over(p.rec)
}

// problem is why a row is not taken.
type problem struct{ code, text string }

func because(code, format string, args ...any) *problem {
	return &problem{code, fmt.Sprintf(format, args...)}
}

// editor takes rows into people.
type editor struct {
	m     Mapping
	delta bool
	names bool // the file has a column of names
	zone  *time.Location
	now   time.Time
	note  func(in intent, code, format string, args ...any)
}

// zoneOf answers where somebody's days begin: the row's zone, the record's, that of unit or company, the source's.
func (e *editor) zoneOf(rec directory.Record, in intent) *time.Location {
	if in.zone != nil {
		return in.zone
	}
	company := rec.Company
	if value, said := in.says(fCompany); said {
		company = value
	}
	unit := rec.UnitKey
	if value, said := in.says(fUnit); said {
		unit = value
	}
	names := []string{rec.TimeZone, e.m.TimeZones[unit], e.m.TimeZones[company]}
	for i := len(in.path); i > 0; i-- {
		names = append(names, e.m.TimeZones[pathKey(in.path[:i])])
	}
	for _, name := range names {
		if zone, err := time.LoadLocation(name); err == nil && name != "" {
			return zone
		}
	}
	return e.zone
}

// take takes a row, or answers why not; then p is as it was.
func (e *editor) take(p *person, in intent) *problem {
	was := *p
	wrong := e.apply(p, in)
	if wrong == nil && p.live && !p.rec.StartAt.IsZero() && !p.rec.EndAt.IsZero() && p.rec.EndAt.Before(p.rec.StartAt) {
		wrong = because("end_before_start", "the end lies before the start")
	}
	if wrong == nil && p.live && !p.rec.LeaveUntil.IsZero() && !p.rec.LeaveUntil.After(p.rec.LeaveFrom) {
		wrong = because("leave_turned", "the leave ends before it begins")
	}
	if wrong != nil {
		*p = was
		return wrong
	}
	if late := afterEnd(p.rec); p.live && !late.IsZero() && !late.Equal(afterEnd(was.rec)) {
		e.note(in, "after_end", "a move is planned for %s, and the last day is over by then", late.In(e.zoneOf(p.rec, in)).Format(time.DateOnly))
	}
	p.accepted, p.line, p.row = true, in.line, in.row
	return nil
}

// afterEnd answers the first instant for which something is planned that no work is left for.
func afterEnd(r directory.Record) time.Time {
	for _, s := range r.Planned {
		if !r.EndAt.IsZero() && !s.At.Before(r.EndAt) {
			return s.At
		}
	}
	return time.Time{}
}

func (e *editor) apply(p *person, in intent) *problem {
	zone := e.zoneOf(p.rec, in)
	fresh := !p.live
	switch {
	case p.live:
	case in.action == "" && p.withdrawn && !in.begins():
		return because("withdrawn", "the hire was taken back before it began; to begin all the same it wants the action hire, or a start")
	case in.action == "" && e.delta && !in.begins() && !in.named():
		return because("unknown_person", "nobody of this number is known; who is new has a name, a start or the action hire")
	case in.action == "" && e.names && !e.delta && !in.named():
		return because("no_name", "nobody of this number is known, and the row names nobody: it may be a line of totals")
	case in.action == "" || in.action == hire:
		p.begin()
	case in.action == remove:
		e.note(in, "unknown_person", "nobody of this number is known; there is nothing to delete")
		return nil
	default:
		return because("unknown_person", "nobody of this number is known")
	}
	switch in.action {
	case "", change, hire:
		if in.action == hire || fresh {
			e.hire(p, in, zone)
		} else if e.later(in, zone) {
			return e.plan(p, in, in.effective.begin(zone))
		}
		e.set(p, in)
		if wrong := e.standing(p, in, zone); wrong != nil {
			return wrong
		}
		return e.dates(p, in, zone)
	case move:
		if !in.effective.said || in.effective.clear {
			return because("no_effective", "a move needs the day from which it holds")
		}
		if e.later(in, zone) {
			return e.plan(p, in, in.effective.begin(zone))
		}
		e.set(p, in)
	case leave, comeBack, terminate, terminateNow:
		e.set(p, in)
		return map[action]func(*person, intent, *time.Location) *problem{leave: e.leave, comeBack: e.comeBack, terminate: e.terminate, terminateNow: e.terminateNow}[in.action](p, in, zone)
	case rescind:
		return e.rescind(p, in, zone)
	case remove:
		p.live, p.deleted = false, true
	}
	return nil
}

// begins tells whether a row says from when on somebody works here.
func (in intent) begins() bool {
	return in.start.said && !in.start.clear || in.effective.said && !in.effective.clear
}

// named tells whether a row says what somebody is called.
func (in intent) named() bool {
	return slices.ContainsFunc(in.texts, func(a assign) bool {
		return a.value != "" && (a.field == fDisplay || a.field == fGiven || a.field == fFamily)
	})
}

// begin makes p somebody new.
func (p *person) begin() {
	p.rec = directory.Record{Source: p.rec.Source, Key: p.key, Active: true}
	p.live, p.deleted = true, false
}

// later tells whether a row is about a time to come.
func (e *editor) later(in intent, zone *time.Location) bool {
	return in.effective.said && !in.effective.clear && in.effective.begin(zone).After(e.now)
}

// hire begins an employment. Who works here already is only changed; of who had left, what ended them is over.
func (e *editor) hire(p *person, in intent, zone *time.Location) {
	start := in.start.begin(zone)
	if !in.start.said {
		start = in.effective.begin(zone)
	}
	over := !p.rec.EndAt.IsZero() && !p.rec.EndAt.After(e.now) && !(in.end.said && in.end.over(zone).Equal(p.rec.EndAt))
	if over || !p.rec.Active {
		p.rec.Active, p.rec.EndAt, p.rec.LeaveFrom, p.rec.LeaveUntil = true, time.Time{}, time.Time{}, time.Time{}
	}
	if !start.IsZero() {
		p.rec.StartAt = start
	}
}

// standing takes a status that stands in words.
func (e *editor) standing(p *person, in intent, zone *time.Location) *problem {
	switch in.status {
	case working:
		p.rec.Active = true
		if !in.end.said && !p.rec.EndAt.IsZero() && !p.rec.EndAt.After(e.now) {
			e.note(in, "ended", "the status says active, and the last day is over; the end stands. A new employment is a hire")
		}
	case disabled:
		p.rec.Active = false
	case gone:
		if end := in.end.over(zone); end.IsZero() && (p.rec.EndAt.IsZero() || in.end.clear) {
			p.rec.Active = false
		}
	case away:
		onLeave := !p.rec.LeaveFrom.IsZero() && !p.rec.LeaveFrom.After(e.now) && (p.rec.LeaveUntil.IsZero() || p.rec.LeaveUntil.After(e.now))
		if !in.leaveFrom.said && !onLeave {
			p.rec.LeaveFrom, p.rec.LeaveUntil = today(e.now, zone), time.Time{}
		}
	case notStarted:
		if start := in.start.begin(zone); !start.After(e.now) && !p.rec.StartAt.After(e.now) {
			return because("no_start", "the status says that they have not begun, and no first day to come is known")
		}
	}
	return nil
}

// disclose takes from when on the end or leave of a row may be told.
func (p *person) disclose(in intent, zone *time.Location) {
	if in.disclose.said {
		p.rec.DiscloseAt = in.disclose.begin(zone)
	}
}

func today(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	return directory.OnWall(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), zone).UTC()
}

// dates takes the days that a row names. A last day lasts until midnight.
func (e *editor) dates(p *person, in intent, zone *time.Location) *problem {
	if in.start.said {
		p.rec.StartAt = in.start.begin(zone)
	}
	over := !p.rec.EndAt.IsZero() && !p.rec.EndAt.After(e.now)
	switch {
	case in.end.blank && over: // a list that is behind must not bring back who has left
		e.note(in, "ended", "the last day is over and stands, although the cell is empty. A new employment is a hire")
	case in.end.said:
		p.rec.EndAt = in.end.over(zone)
	}
	if in.leaveFrom.said {
		p.rec.LeaveFrom = in.leaveFrom.begin(zone)
		if p.rec.LeaveFrom.IsZero() {
			p.rec.LeaveUntil = time.Time{}
		}
	}
	if in.leaveUntil.said {
		p.rec.LeaveUntil = in.leaveUntil.over(zone)
	}
	p.disclose(in, zone)
	if p.rec.LeaveFrom.IsZero() && !p.rec.LeaveUntil.IsZero() {
		return because("no_leave_from", "a leave needs its first day")
	}
	return nil
}

func (e *editor) leave(p *person, in intent, zone *time.Location) *problem {
	from := in.leaveFrom.begin(zone)
	if !in.leaveFrom.said {
		from = in.effective.begin(zone)
	}
	if from.IsZero() {
		return because("no_leave_from", "a leave needs its first day")
	}
	p.rec.LeaveFrom, p.rec.LeaveUntil = from, in.leaveUntil.over(zone)
	p.disclose(in, zone)
	return nil
}

func (e *editor) comeBack(p *person, in intent, zone *time.Location) *problem {
	if p.rec.LeaveFrom.IsZero() {
		e.note(in, "not_on_leave", "no leave is known that could end")
		return nil
	}
	at := in.effective.begin(zone)
	if at.IsZero() || !at.After(p.rec.LeaveFrom) {
		p.rec.LeaveFrom, p.rec.LeaveUntil = time.Time{}, time.Time{}
		return nil
	}
	p.rec.LeaveUntil = at
	return nil
}

func (e *editor) terminate(p *person, in intent, zone *time.Location) *problem {
	last := in.end
	if !last.said || last.clear {
		last = in.effective
	}
	if !last.said || last.clear {
		return because("no_end", "a termination needs the last day; at once is terminate_now")
	}
	p.rec.EndAt = last.over(zone)
	p.disclose(in, zone)
	return nil
}

func (e *editor) terminateNow(p *person, in intent, zone *time.Location) *problem {
	at := e.now
	if in.effective.said && !in.effective.clear {
		at = in.effective.begin(zone)
	}
	if at.After(e.now) {
		return because("not_now", "terminate_now is for now; a day to come is terminate")
	}
	if !p.rec.Active {
		e.note(in, "ended", "they have no access already")
		return nil
	}
	p.rec.Active = false
	p.ended = &directory.Terminate{Source: p.rec.Source, Key: p.key, At: at, Reason: in.reason}
	return nil
}

// rescind takes back what is to come: the move of a day, the end, or a hire that has not begun.
func (e *editor) rescind(p *person, in intent, zone *time.Location) *problem {
	if in.effective.said && !in.effective.clear {
		at := in.effective.begin(zone)
		if i := slices.IndexFunc(p.rec.Planned, func(s directory.Planned) bool { return s.At.Equal(at) }); i >= 0 {
			p.rec.Planned = slices.Delete(slices.Clone(p.rec.Planned), i, i+1)
			return nil
		}
		if !p.rec.EndAt.Equal(in.effective.over(zone)) {
			return because("nothing_planned", "nothing is planned for that day")
		}
	}
	switch {
	case !p.rec.EndAt.IsZero() && p.rec.EndAt.After(e.now):
		p.rec.EndAt = time.Time{}
	case !p.rec.EndAt.IsZero():
		return because("over", "the last day is over; a new employment is a hire")
	case p.rec.StartAt.After(e.now):
		p.live, p.deleted = false, true
	case !p.rec.Active:
		return because("over", "they were ended at once; a new employment is a hire")
	case len(p.rec.Planned) > 0:
		e.note(in, "nothing_planned", "no end is planned; a move is, for %s: say that day as effective to take it back", p.rec.Planned[0].At.In(zone).Format(time.DateOnly))
	default:
		e.note(in, "nothing_planned", "no end is planned; there is nothing to take back")
	}
	return nil
}
