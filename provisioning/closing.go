package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// A project group is closed by a word of the policy, so that everything that makes, judges and takes back a plan holds for it. Owners write no policy files: the word stands in a file of
// its own, which stays when others send theirs.

// closedFile is the name of that file.
const closedFile = "closed.yaml"

// carried adds to files what keeps groups closed, where they say nothing of it.
func (r *Reactor) carried(ctx context.Context, files []File) ([]File, error) {
	policy, err := parse(files)
	if err != nil || policy.Closed != nil {
		return files, err
	}
	c, err := r.current(ctx)
	if err != nil || c.policy == nil || len(c.policy.Closed) == 0 {
		return files, err
	}
	return append(slices.Clone(files), fileOfClosed(c.policy.Closed)), nil
}

func fileOfClosed(keys []string) File {
	return File{Name: closedFile, Source: "apiVersion: " + policies.Version + "\nclosed: [" + strings.Join(keys, ", ") + "]\n"}
}

// PlanClosing computes what closing a project group would do, or what opening it again would, stores it as a plan and answers it; nothing else is written. Closed, the policy has
// the group no more: nobody has a place, a grant or a request there, and its channels are archived. Opened again it is as the rules say then; what was granted is not given back. ErrNotFound for
// one that is not there to be closed, or to be opened; ErrPolicy where a file of the policy says otherwise.
func (r *Reactor) PlanClosing(ctx context.Context, cause directory.Cause, group id.Group, open bool) (*Plan, error) {
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	key := c.key(group)
	if c.policy == nil || key == "" || open != slices.Contains(c.policy.Closed, key) || open == c.live(group) {
		return nil, fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	now, err := r.Policy(ctx, c.version)
	if err != nil {
		return nil, err
	}
	files := slices.DeleteFunc(slices.Clone(now.Files), func(f File) bool { return f.Name == closedFile })
	keys := slices.DeleteFunc(slices.Clone(c.policy.Closed), func(k string) bool { return k == key })
	if !open {
		keys = append(keys, key)
	}
	if slices.Sort(keys); len(keys) > 0 {
		files = append(files, fileOfClosed(keys))
	}
	policy, err := parse(files)
	if err != nil {
		return nil, err
	}
	if is := policy.Group(key) != nil; is != open {
		return nil, fmt.Errorf("%w: the files of the policy say of %q whether it is closed", ErrPolicy, key)
	}
	basis, l, err := r.compute(ctx, policy, "", true, cause.Behind)
	if err != nil {
		return nil, err
	}
	l.body.Closes = group
	return r.keepPlan(ctx, basis, l, files, actorOf(cause), cause.Behind, planReasonRow{Reason: cause.Reason})
}

// Closes answers the project group that a plan is about to close or to open again; empty for any other plan.
func (p *Plan) Closes() id.Group { return p.closes }

// ShapeOf answers a project group of the policy in force with its channels; ErrNotFound for one that it does not have.
func (r *Reactor) ShapeOf(ctx context.Context, group id.Group) (Group, []Channel, error) {
	c, err := r.current(ctx)
	if err == nil && !c.live(group) {
		err = fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	if err != nil {
		return Group{}, nil, err
	}
	return c.groups[group], c.channels[group], nil
}

// PlacedOf answers digests of where people work: who works elsewhere has another one.
func (r *Reactor) PlacedOf(tx *db.Tx, people []id.Person) (map[id.Person]string, error) {
	facts, err := r.directory.In(tx).Facts(tx, people, false)
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	return placesOf(facts), nil
}

// Attendance is that somebody had a place in a project group, and why.
type Attendance struct {
	Person  id.Person     `json:"person"`
	Name    string        `json:"name"`
	Role    policies.Role `json:"role"`
	Since   time.Time     `json:"since"`
	EndedAt time.Time     `json:"ended_at,omitzero"`
	Reasons []Attended    `json:"reasons"`
}

// Attended is one reason for it.
type Attended struct {
	Kind    Kind          `json:"kind"`
	Ref     string        `json:"ref"`
	Role    policies.Role `json:"role"`
	Since   time.Time     `json:"since"`
	EndedAt time.Time     `json:"ended_at,omitzero"`
}

// Attendances answers who ever had a place in a project group, in the order of time. Who was to come and never did is not among them, and nothing says until when anything was to last.
func (r *Reactor) Attendances(ctx context.Context, group id.Group) ([]Attendance, error) {
	q := r.db.Read(ctx)
	var rows []membershipRow
	if err := q.Raw("select * from memberships where group_id = ? and begins_at is null order by since, id", group).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	out, at, people := make([]Attendance, len(rows)), make(map[id.Membership]int, len(rows)), make([]id.Person, len(rows))
	for i, row := range rows {
		out[i] = Attendance{Person: row.Person, Role: row.Role, Since: row.Since.Time, EndedAt: row.EndedAt.Time, Reasons: []Attended{}}
		at[row.ID], people[i] = i, row.Person
	}
	var reasons []reasonRow
	if err := q.Raw(`select r.* from reasons r join memberships m on m.id = r.membership where m.group_id = ? and m.begins_at is null
		and (r.starts_at is null or r.starts_at <= ?) and (r.ended_at is null or r.starts_at is null or r.starts_at < r.ended_at) order by r.created_at, r.id`, group, db.At(r.clock())).Scan(&reasons).Error; err != nil {
		return nil, fmt.Errorf("read reasons: %w", err)
	}
	for _, row := range reasons {
		one := row.reason()
		m := &out[at[row.Membership]]
		m.Reasons = append(m.Reasons, Attended{Kind: one.Kind, Ref: one.Ref, Role: one.Role, Since: one.CreatedAt, EndedAt: row.EndedAt.Time})
	}
	names, err := r.directory.Names(ctx, distinct(people))
	for i, m := range out {
		out[i].Name = names[m.Person]
	}
	return out, err
}
