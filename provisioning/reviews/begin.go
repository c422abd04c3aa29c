package reviews

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// populationMost bounds one review.
const populationMost = 20_000

// Begin freezes the population of a review, says who is asked about each place, and tells them. About, Ref, Reviewer, Named, Silence, Until
// and EndsAt say what is wanted.
func (e *Engine) Begin(ctx context.Context, by string, r Review) (Review, error) {
	r.ID, r.MadeBy, r.CreatedAt = id.New[id.Review](), by, e.clock()
	if err := e.check(ctx, r); err != nil {
		return Review{}, err
	}
	places, _, err := e.Reactor.Population(ctx, r.populace())
	if err != nil {
		return Review{}, err
	}
	if len(places) > populationMost {
		return Review{}, fmt.Errorf("%w: %d places are more than one review holds (%d)", ErrInvalid, len(places), populationMost)
	}
	lines := make([]Line, len(places))
	for i, m := range places {
		lines[i] = Line{Review: r.ID, Membership: m.ID, Person: m.Person, Group: m.Group, Role: m.Role, Since: m.Since}
		lines[i].Grounds, lines[i].Reasons = groundsOf(m, r.CreatedAt)
	}
	if err := e.assign(ctx, r, lines); err != nil {
		return Review{}, err
	}
	told, err := e.asked(ctx, r, lines, KindAsked, KindWaiting, "")
	if err != nil {
		return Review{}, err
	}
	if len(told) == 0 && len(lines) > 0 {
		return Review{}, fmt.Errorf("%w: nobody can be asked: whom it names has no access, and there is no administrator who is a person", ErrInvalid)
	}
	return r, e.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := insert(tx, r, lines); err != nil {
			return err
		}
		if err := notices.Tell(tx, told...); err != nil {
			return err
		}
		return audit.Append(tx, r.record(r.CreatedAt, by, "review.begun", map[string]any{"about": r.About, "ref": r.Ref, "reviewer": r.Reviewer, "named": string(r.Named),
			"silence": r.Silence, "lines": len(lines), "until": r.Until.Format(time.RFC3339), "ends_at": r.EndsAt.Format(time.RFC3339)}))
	})
}

func (e *Engine) check(ctx context.Context, r Review) error {
	bad := func(field, text string) error { return fmt.Errorf("%w: %s: %s", ErrInvalid, field, text) }
	least := cmp.Or(e.Least, LeastTime)
	switch {
	case !r.Until.After(r.CreatedAt):
		return bad("until", "lies ahead")
	case r.EndsAt.Before(r.Until):
		return bad("ends_at", "is not before reviewers have answered")
	case r.Until.Before(r.CreatedAt.Add(least - least/100)): // a client's "in a day" was said a moment ago
		return bad("until", fmt.Sprintf("reviewers have %s at least, and it leaves them %s", least, r.Until.Sub(r.CreatedAt).Round(time.Second)))
	case r.EndsAt.After(r.CreatedAt.Add(MostDays * 24 * time.Hour)):
		return bad("ends_at", fmt.Sprintf("a review ends within %d days", MostDays))
	case r.Silence != Remove && r.Silence != Keep:
		return bad("silence", "is remove or keep")
	case r.About == OfReason && !slices.Contains([]string{"grant", "join", "approval", "keep"}, r.Ref):
		return bad("ref", "a kind of reason is grant, join, approval or keep")
	case (r.Ref == "") != (r.About == OfOutside):
		return bad("ref", "names the group, the channel or the kind of reason; about outside nothing")
	case (r.Named != "") != (r.Reviewer == ByPerson):
		return bad("named", "a person is named exactly where the reviewer is person")
	}
	if r.Named == "" {
		return nil
	}
	p, err := e.Directory.Person(ctx, r.Named)
	if err == nil && !handover.Able(p) {
		err = bad("named", "has no access")
	}
	return err
}

// assign says who is asked about each line that nobody decided: the first by the rule who has access and is not the one it is about.
func (e *Engine) assign(ctx context.Context, r Review, lines []Line) error {
	a := &assigner{e: e, review: r, people: map[id.Person]directory.Person{}, owners: map[id.Group][]id.Person{}}
	var groups []id.Group
	for _, l := range lines {
		groups = append(groups, l.Group)
	}
	slices.Sort(groups)
	if groups = slices.Compact(groups); r.Reviewer == ByOwner && len(groups) > 0 {
		list, err := e.Reactor.Ownerships(ctx, groups)
		if err != nil {
			return err
		}
		for _, o := range list {
			for _, owner := range o.Owners {
				a.owners[o.Group.ID] = append(a.owners[o.Group.ID], owner.Person)
			}
		}
	}
	for i := range lines {
		if lines[i].Decision != "" || lines[i].Outcome != "" {
			continue
		}
		if stays, err := a.may(ctx, lines[i].Reviewer, lines[i]); err != nil || stays {
			if err != nil {
				return err
			}
			continue
		}
		to, err := a.reviewer(ctx, lines[i])
		if err != nil {
			return err
		}
		lines[i].Reviewer = to
	}
	return nil
}

// assigner remembers whom it looked up.
type assigner struct {
	e      *Engine
	review Review
	people map[id.Person]directory.Person
	owners map[id.Group][]id.Person
}

func (a *assigner) person(ctx context.Context, one id.Person) (directory.Person, error) {
	if p, known := a.people[one]; known || one == "" {
		return p, nil
	}
	found, err := a.e.Directory.PeopleByID(ctx, []id.Person{one})
	if err != nil {
		return directory.Person{}, err
	}
	if len(found) == 1 {
		a.people[one] = found[0]
	} else {
		a.people[one] = directory.Person{}
	}
	return a.people[one], nil
}

// chainMost is how far up a line of managers somebody is looked for.
const chainMost = 10

// reviewer answers who is asked: those whom the rule names first, then the managers of the first of them, upwards. Empty: the administrators.
func (a *assigner) reviewer(ctx context.Context, l Line) (id.Person, error) {
	first := []id.Person{a.review.Named}
	switch a.review.Reviewer {
	case ByOwner:
		first = a.owners[l.Group]
	case ByManager:
		first = []id.Person{l.Person}
	}
	for _, one := range first {
		if able, err := a.may(ctx, one, l); err != nil || able {
			return one, err
		}
	}
	if len(first) == 0 {
		return "", nil
	}
	at := first[0]
	if slices.Contains(first, l.Person) {
		at = l.Person
	}
	for range chainMost {
		p, err := a.person(ctx, at)
		if err != nil || p.Manager == "" {
			return "", err
		}
		at = p.Manager
		if able, err := a.may(ctx, at, l); err != nil || able {
			return at, err
		}
	}
	return "", nil
}

// may tells whether somebody can be asked about a line: they have access, and it is not about them.
func (a *assigner) may(ctx context.Context, one id.Person, l Line) (bool, error) {
	if one == "" || one == l.Person {
		return false, nil
	}
	p, err := a.person(ctx, one)
	return handover.Able(p), err
}

// asked answers the notices to everybody who is asked about a line that is undecided.
func (e *Engine) asked(ctx context.Context, r Review, lines []Line, kind, waiting notices.Kind, key string) ([]notices.Notice, error) {
	var to []id.Person
	queue := false
	for _, l := range lines {
		if l.Decision == "" && l.Outcome == "" {
			queue = queue || l.Reviewer == ""
			to = append(to, l.Reviewer)
		}
	}
	slices.Sort(to)
	var out []notices.Notice
	for _, one := range slices.Compact(to) {
		if one != "" {
			out = append(out, r.notice(kind, one, key, e.clock()))
		}
	}
	if !queue {
		return out, nil
	}
	admins, err := e.Admins(ctx)
	for _, one := range admins {
		out = append(out, r.notice(waiting, one, key, e.clock()))
	}
	return out, err
}
