package provisioning

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
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
	// Revision is that of the relations, grants and freezes among them, and At the instant as of which everything was looked at.
	Revision int64     `json:"revision,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// Ground says what about a policy makes it change a membership.
type Ground string

// The grounds, the one that says most first.
const (
	GroundGroupGone   Ground = "group_removed"
	GroundGroupNew    Ground = "group_added"
	GroundRuleGone    Ground = "rule_removed"
	GroundRuleNew     Ground = "rule_added"
	GroundRuleChanged Ground = "rule_changed"
	GroundChannels    Ground = "channels_changed" // access to channels, or which there are
	GroundUnits       Ground = "units"            // of a plan about units: what becomes of them
	GroundFacts       Ground = "facts"            // nothing: the person's facts ask for it, and it has not been done yet
)

// PlannedChange is what applying a plan does to one membership.
type PlannedChange struct {
	Person  id.Person     `json:"person"`
	Group   string        `json:"group"` // key
	Op      Op            `json:"op"`
	Role    policies.Role `json:"role"`                // after; of a removal the last one
	Before  policies.Role `json:"from_role,omitempty"` // of a change of role
	Cause   Cause         `json:"cause"`
	Ground  Ground        `json:"ground,omitempty"` // of a plan: what about the policy
	Reasons []string      `json:"reasons"`          // rules that begin to give it; of a removal those that gave it
	At      time.Time     `json:"at,omitzero"`      // of a planned one: when
	// Of who keeps the place in the group: the keys of its channels that they see then, and that they see no more.
	Gained []string `json:"gained,omitempty"`
	Lost   []string `json:"lost,omitempty"`
	// Of who keeps the place, and sees these channels still: where they may do more in it then, and where less.
	Raised  []string `json:"raised,omitempty"`
	Lowered []string `json:"lowered,omitempty"`
	// Later says that the policy takes some of it at an instant to come, which it did not before.
	Later bool `json:"later,omitempty"`
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
	People   int `json:"people"`  // whose memberships change, or what they see by them
	Losing   int `json:"losing"`  // who lose one, or a channel or a right of one
	Lowered  int `json:"lowered"` // who keep the place, and may do less there
	Added    int `json:"added"`
	Removed  int `json:"removed"`
	Changed  int `json:"changed"` // role, reasons or channels
	Groups   int `json:"groups"`  // groups and channels that change
	Channels int `json:"channels"`
}

// Tally counts what a plan does to memberships of one group, or by one ground.
type Tally struct {
	Name    string `json:"name" doc:"key of the group, or the ground"`
	People  int    `json:"people"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Changed int    `json:"changed"`
}

// Sight is what coming, going or changing role in a group gives and takes.
type Sight struct {
	Group  string        `json:"group"`
	Before policies.Role `json:"before,omitempty"` // none: comes
	After  policies.Role `json:"after,omitempty"`  // none: goes
	Gains  []string      `json:"gains,omitempty"`  // keys of channels of the group
	Loses  []string      `json:"loses,omitempty"`
}

// planBody is what is kept of a plan beside its changes, which stand in parts of their own.
type planBody struct {
	Shapes  []ShapeChange   `json:"shapes"`
	Changes []PlannedChange `json:"changes,omitempty"` // of plans made before changes had parts
	Verdict Verdict         `json:"verdict"`
	Loosens []string        `json:"loosens,omitempty"` // see FourEyes
	Opens   []string        `json:"opens,omitempty"`   // see policies.Opens
	Gives   []string        `json:"gives,omitempty"`   // see FourEyes
	Digest  string          `json:"digest"`            // of shapes and changes
	// Words are what the policy says otherwise and neither shapes nor changes tell, the first planWords of them.
	Words   []policies.Difference `json:"words,omitempty"`
	Undoes  id.Request            `json:"undoes,omitempty"`  // see Plan.undoes
	Closes  id.Group              `json:"closes,omitempty"`  // see Plan.Closes
	Unknown []Unknown             `json:"unknown,omitempty"` // what the policy names and nobody knows
	Total   int                   `json:"total"`             // changes
	Summary Summary               `json:"summary"`
	Groups  []Tally               `json:"groups,omitempty"`
	Grounds []Tally               `json:"grounds,omitempty"`
	Sights  []Sight               `json:"sights,omitempty"`
	// Conflicts are the first of what separation keeps from people.
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Present counts what the plan changes at once, without what is to come of people.
	Present *presentPart `json:"present,omitempty"`
	// Units is what the plan says of units, where it is about them and not about the policy.
	Units *UnitsChange `json:"units,omitempty"`
	// Together are who lose by this plan, and by those of the window before that nobody else looked at.
	Together int `json:"together,omitempty"`
}

// presentPart counts those changes of a plan that everybody who sees plans may know of.
type presentPart struct {
	Total   int     `json:"total"`
	Summary Summary `json:"summary"`
	Groups  []Tally `json:"groups,omitempty"`
	Grounds []Tally `json:"grounds,omitempty"`
	// Together is planBody.Together, of these changes.
	Together int `json:"together,omitempty"`
}

// atOnce tells whether a change says nothing of what is to come of the person.
func (c PlannedChange) atOnce() bool {
	return c.At.IsZero() && (c.Op != OpReasons || c.Ground != GroundFacts)
}

// Plan is a computed, not yet applied change of policy: exact, and refused where it is no longer exact.
type Plan struct {
	ID        id.Plan
	Hash      string // of the basis and of every change
	Basis     Basis
	Shapes    []ShapeChange
	Total     int             // changes of memberships
	Changes   []PlannedChange // the first planPage of them, by person, then group; PlanChanges answers all
	Groups    []Tally         // by group, in order of the keys
	Grounds   []Tally         // by what in the policy causes it: see PlannedChange.Ground
	Sights    []Sight
	Conflicts []Conflict            // what separation keeps from people under this policy, the first planPage of them
	Unknown   []Unknown             // what the policy names and no directory knew when it was planned
	Words     []policies.Difference // what the policy says otherwise beside shapes: rules, who may join, handover periods, what is kept apart, …; the first planWords
	Verdict   Verdict               // what the guard says of it: where it holds, applying wants a confirmation
	Author    string
	Units     *UnitsChange // what it is about, where that is not the policy
	Behind    id.Person    // the human being behind the author, where that is known
	Applied   bool
	CreatedAt time.Time
	AppliedAt time.Time

	summary  Summary
	together int
	loosens  []string
	opens    []string
	gives    []string  // to whoever made it
	applier  id.Person // while it is applied: to whom, other than its maker, it gives something, and who applies it
	digest   string
	present  *presentPart
	closes   id.Group
	undoes   id.Request // the run, or the plan, whose way back it is: what that took comes back with it
}

// Empty tells whether applying the plan would change nothing that anybody can see.
func (p Plan) Empty() bool { return p.Units == nil && len(p.Shapes)+p.Total+len(p.Words) == 0 }

// Summary counts the plan's changes.
func (p Plan) Summary() Summary { return p.summary }

func planHash(b Basis, digest string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%d\n%d\n%d\n%s\n", b.Version, b.Policy, b.Position, b.Revision, b.At.UnixMicro(), digest))
	return hex.EncodeToString(sum[:])
}

// PlanPolicy computes what applying files would do, stores it and answers it; nothing else is written.
// Files that cannot be accepted are ErrPolicy, with a *policies.SyntaxError where a place can be named. A
// rule that cannot be judged for somebody gives them nothing, and is among the plan's conflicts.
func (r *Reactor) PlanPolicy(ctx context.Context, files []File, author string) (*Plan, error) {
	return r.PlanFor(ctx, files, author, "")
}

// PlanFor is PlanPolicy on behalf of a person, who cannot approve it then.
func (r *Reactor) PlanFor(ctx context.Context, files []File, author string, behind id.Person) (*Plan, error) {
	files, err := r.carried(ctx, files)
	if err != nil {
		return nil, err
	}
	return r.planFor(ctx, files, author, behind, "")
}

// planFor is PlanFor; undoes names the run or the plan whose way back it is, if it is one.
func (r *Reactor) planFor(ctx context.Context, files []File, author string, behind id.Person, undoes id.Request) (*Plan, error) {
	policy, err := parse(files)
	if err != nil {
		return nil, err
	}
	basis, l, err := r.compute(ctx, policy, undoes, true, behind)
	if err != nil {
		return nil, err
	}
	return r.keepPlan(ctx, basis, l, files, author, behind, planReasonRow{})
}

// compute answers what policy would do to everybody, on one consistent state. Where keep is set the ledger holds the changes, to be stored; what it gives to those of watch it
// tells of each.
func (r *Reactor) compute(ctx context.Context, policy *policies.Policy, undoes id.Request, keep bool, watch ...id.Person) (Basis, *ledger, error) {
	basis := Basis{Policy: policy.Hash()}
	var err error
	if basis.Position, err = r.feed.Head(ctx); err != nil { // before the state: what happens in between only makes it look again
		return basis, nil, fmt.Errorf("plan: %w", err)
	}
	behind, err := r.feed.Position(ctx, followerName) // before the state, too
	if err != nil {
		return basis, nil, fmt.Errorf("plan: %w", err)
	}
	l := newLedger(keep, watch...)
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		basis.Version, basis.At = c.version, r.clock()
		if basis.Revision, err = r.authz.Revision(tx); err != nil {
			return fmt.Errorf("read revision: %w", err)
		}
		next, shapes, err := draft(tx.DB, c, policy, basis.At)
		if err != nil {
			return err
		}
		next.following = &following{undoes: undoes}
		l.begin(c, next, shapes.list)
		l.body.Undoes = undoes
		l.body.Loosens, l.body.Opens = loosens(c.policy, policy), append(policies.Opens(c.policy, policy), shapes.bared...)
		l.now, next.sighted = basis.At, resights(c, next)
		if keep {
			l.body.Words = wordsOf(c.policy, policy)
			if l.body.Unknown, err = r.unknown(ctx, tx, policy); err != nil {
				return err
			}
		}
		taken, err := loadTaken(tx.DB, basis.At)
		if err != nil {
			return err
		}
		l.since(taken)
		next.report = l.conflict
		batch := Batch{Added: map[id.Group]int{}}
		some, err := r.touched(ctx, tx, c, next, behind)
		if err != nil {
			return err
		}
		back, err := next.following.returnees(tx.DB)
		if err != nil {
			return err
		}
		if some != nil {
			some = distinct(append(some, back...))
		}
		if some, err = fewer(tx.DB, some); err != nil {
			return err
		}
		err = r.scan(tx, &run{}, next, some, func(a assessment, plain bool) error {
			return l.take(a.person, l.planned(a, &batch), plain)
		})
		if err == nil {
			err = l.end()
		}
		if next.report = nil; err == nil {
			err = r.watch(tx, l)
		}
		if err != nil {
			return err
		}
		if err := r.complete(ctx, tx, next, &batch); err != nil {
			return err
		}
		batch.Recent = taken.removals() // a plan is judged by what plans take, in however many slices
		if l.body.Verdict, err = (Guard{policy.Guard}).Check(batch); err != nil || l.body.Verdict.Held() || c.policy == nil {
			return err
		}
		l.body.Verdict, err = Guard{c.policy.Guard}.Check(batch) // a plan does not widen the guard for itself
		return err
	})
	return basis, l, err
}

// planWords is how many differences of what the policy says a plan tells.
const planWords = 200

// wordsOf answers what a policy says otherwise than the one before, without what shapes and the coming and going of groups and channels tell. A first policy says everything.
func wordsOf(before, after *policies.Policy) []policies.Difference {
	if before == nil {
		return nil
	}
	out := policies.Diff(before, after)
	whole := map[string]bool{} // groups that come or go
	for _, d := range out {
		whole[d.Name] = whole[d.Name] || d.Kind == "group" && d.Op != "change"
	}
	shaped := map[string][]string{"group": {"name"}, "channel": {"name", "labels", "access", "default_history"}}
	for i, d := range out {
		out[i].Fields = slices.DeleteFunc(d.Fields, func(f policies.FieldWords) bool { return slices.Contains(shaped[d.Kind], f.Field) })
	}
	out = slices.DeleteFunc(out, func(d policies.Difference) bool {
		group, _, _ := strings.Cut(d.Name, "/")
		return len(d.Fields) == 0 || (d.Kind == "rule" || d.Kind == "channel" || d.Kind == "group") && whole[group]
	})
	return out[:min(len(out), planWords)]
}

// planned answers those steps of one person that the policy causes, and puts its removals into the batch. What
// the person's own facts ask for meanwhile (absence, clean-up) is not the plan's.
func (l *ledger) planned(a assessment, batch *Batch) []PlannedChange {
	var out []PlannedChange
	for _, s := range a.steps {
		p := PlannedChange{Person: a.person, Group: l.after.key(s.Group), Op: s.Op, Role: s.Role, Cause: CausePolicy, Ground: l.ground(s), Reasons: reasonTexts(s.Add), At: s.at()}
		switch {
		case s.Op == OpRemove && (s.cause == CauseMove || s.cause == CausePolicy):
			p.Role, p.Reasons = s.Before.Role, reasonTexts(s.End)
			removal := s.removal(a.person)
			removal.Cause = CausePolicy
			batch.Removals = append(batch.Removals, removal)
		case s.Op == OpRemove && !s.Before.Begins.IsZero(): // nobody has it yet: nothing for the guard
			p.Role, p.Reasons, p.At = s.Before.Role, reasonTexts(s.End), s.Before.Begins
		case s.Op == OpRemove && !l.dropsHandover(s):
			continue
		case s.Op == OpRemove:
			p.Role, p.Reasons = s.Before.Role, reasonTexts(s.End)
			removal := s.removal(a.person)
			removal.Cause = CausePolicy
			batch.Removals = append(batch.Removals, removal)
		case s.Op == OpRole:
			p.Before = s.Before.Role
		case s.Op == OpAdd && s.Begins.IsZero():
			batch.Added[s.Group]++
		}
		out = append(out, p)
	}
	out = l.resight(a, out, batch)
	slices.SortFunc(out, func(a, b PlannedChange) int { return cmp.Compare(a.Group, b.Group) })
	return out
}
