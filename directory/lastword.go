package directory

import (
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// lastWords finds the employments that a deleted record keeps closed: a deletion lets nobody in. Who was kept out by a record when it was
// deleted (before a start, after an end, on leave, disabled) stays out of every employment that it stood behind, or would have, until
// a record behind that employment says something new about it (Record.SaidAt). A hire that was withdrawn before it began is taken back only by its
// own source or one that comes before it: an account that is made afterwards says nothing about it. Another employment is none of its business
// (J29, J26): nor is what remains after that, where it was the one that ran and was deleted later.
func lastWords(all []employment, records []Record, sources map[id.Source]Source) {
	for _, t := range records {
		if !t.deniedAtDeletion() {
			continue
		}
		for i := range all {
			e := &all[i]
			anew := func(r Record) bool {
				return r.SaidAt.After(t.DeletedAt) && (!t.withdrawn() || sources[r.Source].Priority < sources[t.Source].Priority)
			}
			if contradicts(e.records, t) || slices.ContainsFunc(e.records, anew) {
				continue
			}
			ran := func(o Record) bool {
				return o.allowedAtDeletion() && !o.DeletedAt.Before(t.DeletedAt) && contradicts([]Record{o}, t) && o.Link != t.Link && !contradicts(e.records, o)
			}
			if !slices.ContainsFunc(records, ran) {
				e.closed = append(e.closed, t)
			}
		}
	}
}

func (r Record) deniedAtDeletion() bool { return !r.DeletedAt.IsZero() && !r.opens() }

func (r Record) allowedAtDeletion() bool { return !r.DeletedAt.IsZero() && r.opens() }

// withdrawn tells whether a record was deleted before its employment began.
func (r Record) withdrawn() bool { return !r.DeletedAt.IsZero() && r.StartAt.After(r.DeletedAt) }

// opens tells whether a tombstone let its person in when it was deleted.
func (r Record) opens() bool {
	at := r.DeletedAt.UnixMicro()
	onLeave := (!r.LeaveFrom.IsZero() || !r.LeaveUntil.IsZero()) && lower(r.LeaveFrom) <= at && at < upper(r.LeaveUntil)
	return r.Active && lower(r.StartAt) <= at && at < upper(r.EndAt) && !onLeave
}

// employsAlike tells whether two contents of a record say the same about whether and when its person works here.
func employsAlike(a, b Record) bool {
	return a.Active == b.Active && a.StartAt.Equal(b.StartAt) && a.EndAt.Equal(b.EndAt) && a.LeaveFrom.Equal(b.LeaveFrom) && a.LeaveUntil.Equal(b.LeaveUntil)
}
