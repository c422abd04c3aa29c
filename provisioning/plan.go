package provisioning

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// File is one policy file.
type File = policies.File

// Basis is what a plan was computed on.
type Basis struct {
	Version  int64  `json:"version"`  // the policy in force
	Policy   string `json:"policy"`   // hash of the policy to be applied
	Position int64  `json:"position"` // seq of the feed: everything up to it was seen
}

// PlannedChange is what applying a plan does to one membership.
type PlannedChange struct {
	Person  id.Person     `json:"person"`
	Group   string        `json:"group"` // key
	Op      Op            `json:"op"`
	Role    policies.Role `json:"role"`                // after; of a removal the last one
	Before  policies.Role `json:"from_role,omitempty"` // of a change of role
	Cause   Cause         `json:"cause"`
	Reasons []string      `json:"reasons"`     // rules that begin to give it; of a removal those that gave it
	At      time.Time     `json:"at,omitzero"` // of a planned one: when
}

// ShapeChange is what applying a plan does to a group or a channel.
type ShapeChange struct {
	Op      string   `json:"op"` // "add", "change", "archive", "restore"
	Group   string   `json:"group"`
	Channel string   `json:"channel,omitempty"` // empty: the group itself
	Fields  []string `json:"fields,omitempty"`  // of a change: "names", "labels", "access", "history"
}

// Summary counts a plan's changes.
type Summary struct {
	People   int `json:"people"` // whose memberships change
	Added    int `json:"added"`
	Removed  int `json:"removed"`
	Changed  int `json:"changed"` // role or reasons
	Groups   int `json:"groups"`  // groups and channels that change
	Channels int `json:"channels"`
}

type planBody struct {
	Shapes  []ShapeChange   `json:"shapes"`
	Changes []PlannedChange `json:"changes"`
	Verdict Verdict         `json:"verdict"`
}

// hash is the identity of what a plan does. What the guard says of it may change without that: it is judged
// again when the plan is applied.
func (b planBody) hash() string {
	text, err := json.Marshal(planBody{Shapes: b.Shapes, Changes: b.Changes})
	if err != nil {
		panic(err) // plain data
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Plan is a computed, not yet applied change of policy: exact, and refused where it is no longer exact.
type Plan struct {
	ID        id.Plan
	Hash      string // of the basis and of every change
	Basis     Basis
	Shapes    []ShapeChange
	Changes   []PlannedChange // by person, then group
	Verdict   Verdict         // what the guard says of it: where it holds, applying wants a confirmation
	Author    string
	Applied   bool
	CreatedAt time.Time
	AppliedAt time.Time
}

// Empty tells whether applying the plan would change nothing that anybody can see.
func (p Plan) Empty() bool { return len(p.Shapes)+len(p.Changes) == 0 }

// Summary counts the plan's changes.
func (p Plan) Summary() Summary {
	var s Summary
	people := map[id.Person]bool{}
	for _, c := range p.Changes {
		people[c.Person] = true
		switch c.Op {
		case OpAdd:
			s.Added++
		case OpRemove:
			s.Removed++
		default:
			s.Changed++
		}
	}
	for _, c := range p.Shapes {
		if c.Channel == "" {
			s.Groups++
		} else {
			s.Channels++
		}
	}
	s.People = len(people)
	return s
}

func planHash(b Basis, body planBody) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%d\n%s\n", b.Version, b.Policy, b.Position, body.hash()))
	return hex.EncodeToString(sum[:])
}

// PlanPolicy computes what applying files would do, stores it and answers it; nothing else is written.
// Files that cannot be accepted are ErrPolicy, with a *policies.SyntaxError where a place can be named; so is a
// rule that cannot be evaluated for somebody.
func (r *Reactor) PlanPolicy(ctx context.Context, files []File, author string) (*Plan, error) {
	policy, err := parse(files)
	if err != nil {
		return nil, err
	}
	position, err := r.feed.Head(ctx) // before the state: what happens in between only makes it look again
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	version, body, err := r.compute(ctx, policy)
	if err != nil {
		return nil, err
	}
	p := &Plan{ID: id.New[id.Plan](), Basis: Basis{Version: version, Policy: policy.Hash(), Position: position}, Shapes: body.Shapes, Changes: body.Changes,
		Verdict: body.Verdict, Author: author, CreatedAt: r.clock()}
	p.Hash = planHash(p.Basis, body)
	row := planRow{ID: p.ID, Hash: p.Hash, Basis: db.JSON[Basis]{V: p.Basis}, Body: db.JSON[planBody]{V: body}, Files: db.JSON[[]File]{V: files}, Author: author,
		State: "open", CreatedAt: db.At(p.CreatedAt)}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error { return tx.Create(&row).Error }); err != nil {
		return nil, fmt.Errorf("store plan: %w", err)
	}
	return p, nil
}

// Plan answers one plan.
func (r *Reactor) Plan(ctx context.Context, plan id.Plan) (*Plan, error) {
	_, p, err := loadPlan(r.db.Read(ctx), plan)
	return p, err
}

func loadPlan(q reader, plan id.Plan) ([]File, *Plan, error) {
	var rows []planRow
	if err := q.Raw("select * from plans where id = ?", plan).Scan(&rows).Error; err != nil {
		return nil, nil, fmt.Errorf("read plan: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("plan %s: %w", plan, ErrNotFound)
	}
	row := rows[0]
	return row.Files.V, &Plan{ID: row.ID, Hash: row.Hash, Basis: row.Basis.V, Shapes: row.Body.V.Shapes, Changes: row.Body.V.Changes, Verdict: row.Body.V.Verdict,
		Author: row.Author, Applied: row.State == "applied", CreatedAt: row.CreatedAt.Time, AppliedAt: row.AppliedAt.Time}, nil
}

// compute answers what policy would do to everybody, on one consistent state, and the version in force there.
func (r *Reactor) compute(ctx context.Context, policy *policies.Policy) (int64, planBody, error) {
	people, err := r.everybody(ctx)
	if err != nil {
		return 0, planBody{}, err
	}
	var version int64
	body := planBody{Shapes: []ShapeChange{}, Changes: []PlannedChange{}}
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		version = c.version
		next, shapes, err := draft(tx.DB, c, policy, r.clock())
		if err != nil {
			return err
		}
		body.Shapes = shapes.list
		batch := Batch{Added: map[id.Group]int{}}
		for part := range slices.Chunk(distinct(people), chunkMost) {
			list, err := r.gather(tx, &run{}, next, part, false)
			if err != nil {
				return err
			}
			for _, a := range list {
				if a.err != nil {
					return fmt.Errorf("%w: for %s: %w", ErrPolicy, a.person, a.err)
				}
				body.Changes = append(body.Changes, planned(next, a, &batch)...)
			}
		}
		if err := r.complete(ctx, tx, next, &batch); err != nil {
			return err
		}
		batch.Recent = nil // a plan is judged by itself
		body.Verdict, err = Guard{policy.Guard}.Check(batch)
		return err
	})
	return version, body, err
}

// planned answers those steps of one person that the policy causes, and puts its removals into the batch. What
// the person's own facts ask for meanwhile (absence, clean-up) is not the plan's.
func planned(c *catalog, a assessment, batch *Batch) []PlannedChange {
	var out []PlannedChange
	for _, s := range a.steps {
		p := PlannedChange{Person: a.person, Group: c.key(s.Group), Op: s.Op, Role: s.Role, Cause: CausePolicy, Reasons: reasonTexts(s.Add), At: s.at()}
		switch {
		case s.Op == OpRemove && (s.cause == CauseMove || s.cause == CausePolicy):
			p.Role, p.Reasons = s.Before.Role, reasonTexts(s.End)
			removal := s.removal(a.person)
			removal.Cause = CausePolicy
			batch.Removals = append(batch.Removals, removal)
		case s.Op == OpRemove && !s.Before.Begins.IsZero(): // nobody has it yet: nothing for the guard
			p.Role, p.Reasons, p.At = s.Before.Role, reasonTexts(s.End), s.Before.Begins
		case s.Op == OpRemove:
			continue
		case s.Op == OpRole:
			p.Before = s.Before.Role
		case s.Op == OpAdd && s.Begins.IsZero():
			batch.Added[s.Group]++
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b PlannedChange) int { return cmp.Compare(a.Group, b.Group) })
	return out
}
