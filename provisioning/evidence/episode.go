package evidence

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
)

// episode is one leaving: the time without a gap in which a freeze stood that says that somebody has left.
type episode struct {
	from, until time.Time // until is zero while it runs
	first       directory.Freeze
	freezes     []directory.Freeze // of every cause, that stood within it; the first first
}

// holds tells whether something belongs to the episode by its instant.
func (e episode) holds(at time.Time) bool {
	return !at.Before(e.from) && (e.until.IsZero() || !at.After(e.until))
}

// leaves tells whether a freeze says that somebody has left, and not that they have not come yet, are on leave or looked into.
func leaves(cause directory.FreezeCause) bool {
	switch cause {
	case directory.CauseDisabled, directory.CauseDeleted, directory.CauseEnded, directory.CauseVeto:
		return true
	}
	return false
}

// begin answers since when a freeze denied.
func begin(f directory.Freeze) time.Time { return later(f.From, f.CreatedAt) }

// stop answers until when it did; zero: it does.
func stop(f directory.Freeze, now time.Time) time.Time {
	end := f.LiftedAt
	if !f.Until.IsZero() && (end.IsZero() || f.Until.Before(end)) {
		end = f.Until
	}
	if end.After(now) {
		return time.Time{}
	}
	return end
}

// episodes answers the leavings that these freezes make, in order of time.
func episodes(all []directory.Freeze, now time.Time) []episode {
	list := slices.DeleteFunc(slices.Clone(all), func(f directory.Freeze) bool {
		end := stop(f, now)
		return begin(f).After(now) || !end.IsZero() && !end.After(begin(f))
	})
	slices.SortFunc(list, func(a, b directory.Freeze) int {
		if c := begin(a).Compare(begin(b)); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	var out []episode
	for _, f := range list {
		if !leaves(f.Cause) {
			continue
		}
		end := stop(f, now)
		last := len(out) - 1
		if last >= 0 && (out[last].until.IsZero() || !begin(f).After(out[last].until)) {
			if !out[last].until.IsZero() && (end.IsZero() || end.After(out[last].until)) {
				out[last].until = end
			}
			continue
		}
		out = append(out, episode{from: begin(f), until: end, first: f})
	}
	for i := range out {
		for _, f := range list {
			end := stop(f, now)
			if (out[i].until.IsZero() || !begin(f).After(out[i].until)) && (end.IsZero() || end.After(out[i].from)) {
				out[i].freezes = append(out[i].freezes, f)
			}
			// What the source said stands before the veto that came with it.
			if first := out[i].first; f.ID != first.ID && first.Cause == directory.CauseVeto && f.Request == first.Request && leaves(f.Cause) && begin(f).Equal(out[i].from) {
				out[i].first = f
			}
		}
	}
	return out
}

// episodeAt answers the leaving that ran at an instant, or the last one.
func episodeAt(all []directory.Freeze, at, now time.Time) (episode, bool) {
	list := episodes(all, now)
	if at.IsZero() {
		if len(list) == 0 {
			return episode{}, false
		}
		return list[len(list)-1], true
	}
	for _, e := range list {
		if e.holds(at) {
			return e, true
		}
	}
	return episode{}, false
}

// acts finds what the audit log says of the leaving, and of its undoing.
func (s *Store) acts(ctx context.Context, l *Leaver, e episode) error {
	var subjects []string
	for one := range l.subjects {
		subjects = append(subjects, one)
	}
	slices.Sort(subjects)
	since := e.from
	for _, f := range e.freezes {
		if f.Request == e.first.Request && f.CreatedAt.Before(since) { // a planned end was told of before
			since = f.CreatedAt
		}
	}
	found, err := audit.About(ctx, s.DB, subjects, since.Add(-time.Second), 5*citedMost)
	if err != nil {
		return err
	}
	until := now(s.Now)
	if !e.until.IsZero() {
		until = e.until.Add(time.Minute) // what lifted it
	}
	var told []time.Time // until when a veto lasts is no secret
	for _, f := range l.Freezes {
		told = append(told, f.Until)
	}
	for _, r := range found {
		if r.At.After(until) || !l.concerns(r, e) || directory.NamesAhead(r.Public, told, now(s.Now)) { // a record is cited whole, so one that says what lies ahead is not
			continue
		}
		if len(l.Acts) == citedMost {
			l.Limits = append(l.Limits, limitCited)
			break
		}
		l.Acts = append(l.Acts, actOf(r))
		switch r.Action {
		case "person.restored", "person.unfrozen", "run.undone", "hold.restored":
			l.Undone = append(l.Undone, actOf(r))
		}
	}
	return nil
}

// concerns tells whether a record about one of the subjects belongs to the leaving.
func (l *Leaver) concerns(r audit.Record, e episode) bool {
	kind, what, _ := strings.Cut(r.Action, ".")
	switch kind {
	case "person":
		return what != "changed" && what != "created"
	case "session":
		return what == "ended"
	case "veto", "run", "hold":
		return true
	case "record":
		return r.RequestID == string(e.first.Request) || !r.At.Before(e.from)
	case "membership":
		return what != "planned" && what != "withdrawn" && !r.At.Before(e.from.Add(-time.Second))
	case "handover":
		return r.Public["from"] == string(l.Person.ID)
	}
	return false
}
