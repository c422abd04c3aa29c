package directory

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// span is [from, until) in microseconds; the extremes stand for open ends.
type span struct{ from, until int64 }

const (
	always = math.MinInt64
	never  = math.MaxInt64
)

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func lower(t time.Time) int64 {
	if t.IsZero() {
		return always
	}
	return t.UnixMicro()
}

func upper(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixMicro()
}

func instant(at int64) time.Time {
	if at == always || at == never {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}

// union answers the spans sorted and melted; empty ones are dropped.
func union(spans []span) []span {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return s.from >= s.until })
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].until {
			out[n-1].until = max(out[n-1].until, s.until)
			continue
		}
		out = append(out, s)
	}
	return out
}

// complement answers what melted spans leave uncovered.
func complement(spans []span) []span {
	var out []span
	at := int64(always)
	for _, s := range spans {
		if s.from > at {
			out = append(out, span{at, s.from})
		}
		at = s.until
	}
	if at < never {
		out = append(out, span{at, never})
	}
	return out
}

// intersect answers what two melted lists have in common.
func intersect(a, b []span) []span {
	var out []span
	for _, x := range a {
		for _, y := range b {
			if s := (span{max(x.from, y.from), min(x.until, y.until)}); s.from < s.until {
				out = append(out, s)
			}
		}
	}
	return union(out)
}

// employment is an affiliation with the records behind it, leading first.
type employment struct {
	records []Record
	active  bool
	closed  []Record // tombstones whose last word keeps it closed (lastWords)
}

func (e employment) window() span {
	w := span{always, never}
	for _, r := range e.records {
		w.from, w.until = max(w.from, lower(r.StartAt)), min(w.until, upper(r.EndAt))
	}
	return w
}

// leave answers when the employment rests; where a leave stays until it is taken back, the date of return does not end it.
func (e employment) leave(stays bool) []span {
	var out []span
	for _, r := range e.records {
		if !r.LeaveFrom.IsZero() || !r.LeaveUntil.IsZero() {
			until := upper(r.LeaveUntil)
			if stays {
				until = never
			}
			out = append(out, span{lower(r.LeaveFrom), until})
		}
	}
	return union(out)
}

// freezesOf answers the freezes that a person's records ask for, whatever the time is now: state, not history. The rule (decision 14):
// a person may come in while any active employment runs; an employment is active only if every record behind it is. What the
// running employments leave open is a window of "pending" before a start, "ended" after the last end, "leave" within. Where no
// employment is active each record that says so holds a "disabled", and each tombstone that closes one (lastWords) a "deleted"; where
// no record lives, the last tombstone does. What is set aside (UndoFreeze) begins when that ends.
func freezesOf(records []Record, sources map[id.Source]Source, rule LeaveRule) []Freeze {
	records = employed(records, sources)
	if len(living(records)) == 0 {
		return []Freeze{deletedFreeze(records)}
	}
	all := employments(records, sources)
	lastWords(all, records, sources)
	base := slices.DeleteFunc(slices.Clone(all), func(e employment) bool { return !e.active || len(e.closed) > 0 })
	var out []Freeze
	if len(base) == 0 {
		base = all
		for _, e := range all {
			for _, r := range e.records {
				if !r.Active {
					out = addFreeze(out, Freeze{Cause: CauseDisabled, Source: r.Source, From: r.SetAsideUntil}, false)
				}
			}
			for _, r := range e.closed {
				out = addFreeze(out, Freeze{Cause: CauseDeleted, Source: r.Source, From: r.SetAsideUntil}, false)
			}
		}
	}
	var runs, works []span
	for _, e := range base {
		w := []span{e.window()}
		runs = append(runs, w...)
		works = append(works, intersect(w, complement(e.leave(rule.Stays)))...)
	}
	runs, works = union(runs), union(works)
	for _, gap := range complement(runs) {
		f := Freeze{Cause: CausePending, From: instant(gap.from), Until: instant(gap.until)}
		if gap.until == never {
			f.Cause = CauseEnded
		}
		f.Source = edge(base, gap)
		out = addFreeze(out, f, true)
	}
	for _, gap := range intersect(runs, complement(works)) {
		out = addFreeze(out, Freeze{Cause: CauseLeave, Source: leaver(base, gap, rule.Stays), From: instant(gap.from), Until: instant(gap.until)}, true)
	}
	return out
}

// addFreeze adds f in its slot "<cause>.<source>". A second window of one cause and source gets a slot of its own, anything else is there already.
func addFreeze(list []Freeze, f Freeze, window bool) []Freeze {
	for n := 1; ; n++ {
		f.Slot = string(f.Cause) + "." + string(f.Source)
		if n > 1 {
			f.Slot = string(f.Cause) + strconv.Itoa(n) + "." + string(f.Source)
		}
		taken := slices.ContainsFunc(list, func(o Freeze) bool { return o.Slot == f.Slot })
		if !taken {
			return append(list, f)
		}
		if !window {
			at := slices.IndexFunc(list, func(o Freeze) bool { return o.Slot == f.Slot })
			if f.From.Before(list[at].From) { // of several records the one that denies first
				list[at].From = f.From
			}
			return list
		}
	}
}

// deletedFreeze names the record that was deleted last.
func deletedFreeze(records []Record) Freeze {
	f := Freeze{Cause: CauseDeleted}
	var last Record
	for _, r := range records {
		if last.Link == "" || r.DeletedAt.After(last.DeletedAt) || r.DeletedAt.Equal(last.DeletedAt) && r.Link > last.Link {
			last = r
		}
	}
	f.Source, f.From = last.Source, last.SetAsideUntil
	f.Slot = string(CauseDeleted) + "." + string(f.Source)
	if f.Source == "" {
		f.Slot = string(CauseDeleted) + ".unlinked" // every record was given to somebody else
	}
	return f
}

// edge names the source whose date bounds a gap: the start after it, or the end before it.
func edge(base []employment, gap span) id.Source {
	for _, e := range base {
		for _, r := range e.records {
			if gap.until != never && lower(r.StartAt) == gap.until || gap.until == never && upper(r.EndAt) == gap.from {
				return r.Source
			}
		}
	}
	return base[0].records[0].Source
}

func leaver(base []employment, gap span, stays bool) id.Source {
	for _, e := range base {
		for _, r := range e.records {
			if (!r.LeaveFrom.IsZero() || !r.LeaveUntil.IsZero()) && lower(r.LeaveFrom) <= gap.from && (stays || gap.from < upper(r.LeaveUntil)) {
				return r.Source
			}
		}
	}
	return base[0].records[0].Source
}

// statusOf answers where a person stands at now. Who has no record left holds a deleted freeze; where that is undone for a while
// they work here until it begins, as before: it is no end that anybody planned. A leave during which people may read freezes nobody.
func statusOf(standing []Freeze, now time.Time, rule LeaveRule) (status Status, frozen bool, endsAt time.Time) {
	open := map[FreezeCause]bool{}
	for _, f := range standing {
		if f.OpenAt(now) {
			open[f.Cause] = true
			frozen = frozen || f.Cause != CauseLeave || !rule.ReadOnly
		}
		if f.Cause == CauseEnded && f.LiftedAt.IsZero() && !f.From.IsZero() && (endsAt.IsZero() || f.From.Before(endsAt)) {
			endsAt = f.From
		}
	}
	switch {
	case open[CauseDeleted] || open[CauseEnded]:
		status = StatusTerminated
	case open[CausePending]:
		status = StatusPending
	case open[CauseLeave]:
		status = StatusLeave
	case endsAt.After(now):
		status = StatusNotice
	default:
		status = StatusActive
	}
	return status, frozen, endsAt
}
