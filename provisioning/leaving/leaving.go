// Package leaving owns who hears, and when, that somebody's employment is about to end or that a leave is over, that somebody came into a project
// group or is in it no more, and that the guard holds something.
//
// It guarantees that what is due is worked out from the directory each time, so that a server that was down tells the latest thing that
// is due, once, and that an end which is moved or taken back is told to whoever heard of it. It decides nobody's access: ends and leaves
// take effect by themselves.
package leaving

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// The kinds of notices of this package.
const (
	KindSoon      notices.Kind = "leaving.soon"      // to the manager: about person, at, days
	KindWithdrawn notices.Kind = "leaving.withdrawn" // to whoever heard of it: the end was moved or taken back
	KindLeaveOver notices.Kind = "leave.over"        // to administrators: a leave is over and no source says that the person is back
)

const (
	every      = 5 * time.Second  // how often Run looks whether anything moved
	everyFull  = time.Minute      // how often it looks at everybody anyway
	shortly    = time.Hour        // within which the next level comes in place of the one before
	soonest    = 91 * notices.Day // how long ago an end was told of at most that lies ahead: the most that a policy can say, and a day
	lookBehind = 30 * notices.Day // after which nobody is reminded of a leave any more
	managers   = 10               // how far up somebody who is there is looked for
)

// Levels are how many days before the end a manager is told where the policy does not say, the first first.
func Levels() []int { return []int{14, 7, 1} }

// Watch tells what is due. Its methods may be called on several nodes at once: each thing is told once.
type Watch struct {
	DB        *db.DB
	Directory *directory.Store
	// Admins answers who is reminded of leaves, and of ends where nobody is left above the person.
	Admins func(ctx context.Context) ([]id.Person, error)
	// ManagerFirst has managers told of ends that are not disclosed yet; else the administrators are told in their place.
	ManagerFirst bool
	// Levels answers how many days before an end somebody is told, going down; nil: Levels().
	Levels func(ctx context.Context) ([]int, error)
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger

	last look // of Run
}

// look is what the last full look saw.
type look struct {
	ends, leaves []directory.Boundary
	levels       []int
	at, next     time.Time // when it was; when the next level is due
}

func (w *Watch) clock() time.Time {
	if w.Now != nil {
		return w.Now().UTC()
	}
	return time.Now().UTC()
}

// Run tells what is due until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := w.Look(ctx); err != nil && ctx.Err() == nil {
			w.Log.ErrorContext(ctx, "telling who leaves", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Look tells what is due now and was not told. Where nothing moved since it looked last it reads two short lists and no more; it
// must not be called twice at the same time.
func (w *Watch) Look(ctx context.Context) error {
	now, levels := w.clock(), Levels()
	var err error
	if w.Levels != nil {
		if levels, err = w.Levels(ctx); err != nil {
			return err
		}
	}
	ahead := now.Add(notices.Day)
	if len(levels) > 0 {
		ahead = ahead.Add(time.Duration(levels[0]) * notices.Day)
	}
	ends, err := w.Directory.Ends(ctx, now, ahead)
	if err != nil {
		return err
	}
	leaves, err := w.Directory.LeavesOver(ctx, now.Add(-lookBehind), now)
	if err != nil {
		return err
	}
	l := w.last
	if slices.Equal(l.levels, levels) && slices.Equal(l.ends, ends) && slices.Equal(l.leaves, leaves) && now.Before(l.at.Add(everyFull)) && (l.next.IsZero() || now.Before(l.next)) && !now.Before(l.at) {
		return nil
	}
	next, err := w.tell(ctx, ends, leaves, levels, ahead, now)
	if err == nil {
		w.last = look{ends, leaves, levels, now, next}
	}
	return err
}

// tell writes what is due and takes back what is not so any more; ends are those up to ahead. It answers when the next level is.
func (w *Watch) tell(ctx context.Context, ends, leaves []directory.Boundary, levels []int, ahead, now time.Time) (next time.Time, err error) {
	staff, err := w.staff(ctx, ends, leaves)
	if err != nil {
		return next, err
	}
	known, err := w.heard(ctx, now)
	if err != nil {
		return next, err
	}
	admins, err := w.Admins(ctx)
	if err != nil {
		return next, fmt.Errorf("read administrators: %w", err)
	}
	open := ends
	if !w.ManagerFirst {
		if open, err = w.Directory.Disclosed(ctx, ends); err != nil {
			return next, err
		}
	}
	may := map[directory.Boundary]bool{}
	for _, b := range open {
		may[b] = true
	}
	wanted, next := staff.soon(ends, may, admins, levels, now)
	for person, n := range staff.over(leaves, admins, w.Directory.Leave, now) {
		wanted[person] = n
	}
	var fresh, gone []notices.Notice
	for key, n := range wanted {
		if _, was := known[key]; !was {
			fresh = append(fresh, n)
		}
	}
	for key, n := range known {
		if _, still := wanted[key]; !still && withdrawn(n, ends, leaves, ahead, now) {
			gone = append(gone, n)
		}
	}
	if len(fresh)+len(gone) == 0 {
		return next, nil
	}
	order := func(a, b notices.Notice) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Key, b.Key))
	}
	slices.SortFunc(fresh, order)
	slices.SortFunc(gone, order)
	err = w.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, n := range gone {
			if err := notices.Withdraw(tx, n.Key); err != nil {
				return err
			}
			if n.Kind == KindSoon {
				fresh = append(fresh, notices.Notice{Person: n.Person, Kind: KindWithdrawn, About: n.About, At: now, Again: true,
					Key: "leaving-off/" + n.About["person"] + "/" + n.About["at"]})
			}
		}
		return notices.Tell(tx, fresh...)
	})
	return next, err
}

// told names a notice: to whom, and what.
type told struct {
	person id.Person
	key    string
}

// heard answers what was told of ends that may lie ahead, and of leaves somebody may still be reminded of.
func (w *Watch) heard(ctx context.Context, now time.Time) (map[told]notices.Notice, error) {
	out := map[told]notices.Notice{}
	store := &notices.Store{DB: w.DB}
	for _, kind := range []notices.Kind{KindSoon, KindLeaveOver} {
		list, err := store.Told(ctx, kind, now.Add(-soonest-lookBehind))
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			out[told{n.Person, n.Key}] = n
		}
	}
	return out, nil
}

// withdrawn tells whether what a notice says is not so any more: an end that lies ahead is not planned, or a source took back a leave. A
// notice of an end that came is history; one of a leave that was long ago too.
func withdrawn(n notices.Notice, ends, leaves []directory.Boundary, ahead, now time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, n.About["at"])
	if err != nil {
		return false
	}
	is := func(b directory.Boundary) bool { return string(b.Person) == n.About["person"] && b.At.Equal(at) }
	if n.Kind == KindSoon {
		return at.After(now) && at.Before(ahead) && !slices.ContainsFunc(ends, is)
	}
	return at.After(now.Add(-lookBehind)) && !slices.ContainsFunc(leaves, is)
}

// staff is the people whom the notices are about, and those above them.
type staff map[id.Person]directory.Person

func (w *Watch) staff(ctx context.Context, lists ...[]directory.Boundary) (staff, error) {
	out := staff{}
	var wanted []id.Person
	for _, list := range lists {
		for _, b := range list {
			wanted = append(wanted, b.Person)
		}
	}
	for range managers {
		slices.Sort(wanted)
		wanted = slices.DeleteFunc(slices.Compact(wanted), func(p id.Person) bool { _, known := out[p]; return known })
		if len(wanted) == 0 {
			break
		}
		found, err := w.Directory.PeopleByID(ctx, wanted)
		if err != nil {
			return nil, fmt.Errorf("read people: %w", err)
		}
		wanted = nil
		for _, p := range found {
			out[p.ID] = p
			if p.Manager != "" {
				wanted = append(wanted, p.Manager)
			}
		}
	}
	return out, nil
}

// above answers who is told about p: the manager, or the next one above who is there.
func (s staff) above(p directory.Person) id.Person {
	for range managers {
		boss, known := s[p.Manager]
		if !known || boss.ID == p.ID {
			return ""
		}
		if (boss.Status == directory.StatusActive || boss.Status == directory.StatusNotice) && !boss.Frozen && !boss.Absent && boss.MergedInto == "" {
			return boss.ID
		}
		p = boss
	}
	return ""
}

// soon answers the notices of ends that are due, the latest of each person, and when the next is. Managers hear of those that are open.
func (s staff) soon(ends []directory.Boundary, open map[directory.Boundary]bool, admins []id.Person, levels []int, now time.Time) (out map[told]notices.Notice, next time.Time) {
	out = map[told]notices.Notice{}
	for _, b := range ends {
		p, known := s[b.Person]
		if !known || p.Status.Left() || p.MergedInto != "" {
			continue
		}
		days := 0
		for _, level := range levels {
			at := b.At.In(zone(p)).AddDate(0, 0, -level)
			if at.After(now) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
				if !at.After(now.Add(shortly)) { // one notice, and the right one
					days = 0
				}
				break
			}
			days = level
		}
		if days == 0 {
			continue
		}
		to := []id.Person{s.above(p)}
		if to[0] == "" || !open[b] {
			to = admins
		}
		for _, person := range to {
			n := notices.Notice{Person: person, Kind: KindSoon, At: now, About: map[string]string{"person": string(p.ID), "at": instant(b.At), "days": strconv.Itoa(days)},
				Key: "leaving/" + string(p.ID) + "/" + instant(b.At) + "/" + strconv.Itoa(days)}
			out[told{person, n.Key}] = n
		}
	}
	return out, next
}

// over answers the reminders of leaves whose date of return has passed while the source still tells of them.
func (s staff) over(leaves []directory.Boundary, admins []id.Person, rule directory.LeaveRule, now time.Time) map[told]notices.Notice {
	out := map[told]notices.Notice{}
	state := "returned"
	if rule.Stays {
		state = "paused"
	}
	for _, b := range leaves {
		p, known := s[b.Person]
		if !known || p.Status.Left() || p.MergedInto != "" {
			continue
		}
		for _, person := range admins {
			n := notices.Notice{Person: person, Kind: KindLeaveOver, At: now, About: map[string]string{"person": string(p.ID), "at": instant(b.At), "state": state},
				Key: "leave/" + string(p.ID) + "/" + instant(b.At)}
			out[told{person, n.Key}] = n
		}
	}
	return out
}

// zone answers the zone of a person's calendar.
func zone(p directory.Person) *time.Location {
	if at, err := time.LoadLocation(p.TimeZone); p.TimeZone != "" && err == nil {
		return at
	}
	return time.UTC
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
