package provisioning

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Preview is what would happen if a source in its dry run went live now. Nothing of it has happened.
type Preview struct {
	Stage   directory.Stage
	Policy  int64  // version
	Hash    string // of everything that would happen; GoLive refuses another one
	Summary PreviewSummary
	Lines   []PreviewLine // one page
	Next    id.Link       // of the last line, where more follow
}

// PreviewSummary counts what would happen.
type PreviewSummary struct {
	New         int            `json:"new" doc:"people who are new"`
	Joined      int            `json:"joined" doc:"records that join a person another source knows"`
	JoinedBy    map[string]int `json:"joined_by" doc:"of those, how many by which field"`
	Changed     int            `json:"changed" doc:"people whose attributes change"`
	Fields      map[string]int `json:"fields" doc:"how many people change in which attribute"`
	Frozen      int            `json:"frozen" doc:"people who have access now and would be frozen"`
	Lifted      int            `json:"lifted" doc:"people who are frozen now and would not be"`
	Arriving    int            `json:"arriving_frozen" doc:"new people who would be frozen from the first moment"`
	Gained      int            `json:"gained" doc:"memberships that begin"`
	Lost        int            `json:"lost" doc:"memberships that end, or are held"`
	Roles       int            `json:"roles" doc:"memberships whose role changes"`
	Doubles     int            `json:"doubles" doc:"new people who share an employee number, e-mail or userName with somebody; never joined by that"`
	Quarantined int            `json:"quarantined" doc:"who may be somebody who is kept out: no access before the work item is decided"`
	Refused     int            `json:"conflicts" doc:"records that join nobody although somebody has their value"`
	Pending     int            `json:"pending" doc:"records that name a unit or manager nobody knows yet"`
	Failed      int            `json:"failed" doc:"people whom the policy cannot judge"`
	Groups      []GroupEffect  `json:"groups" nullable:"false" doc:"memberships per project group"`
	Verdict     Verdict        `json:"-"`
}

// GroupEffect is what would happen to one project group.
type GroupEffect struct {
	Group  string        `json:"group" doc:"key"`
	Gained int           `json:"gained"`
	Roles  int           `json:"roles"`
	Lost   map[Cause]int `json:"lost" doc:"by cause"`
}

// PreviewLine is what one record of the source would do.
type PreviewLine struct {
	Link        id.Link         `json:"link"`
	Key         string          `json:"key" doc:"of the record in the source; of a personnel file the employee number"`
	UserName    string          `json:"user_name"`
	DisplayName string          `json:"display_name"`
	Kinds       []string        `json:"kinds" nullable:"false" doc:"new, joined, changed, frozen, lifted, gained, lost, double, conflict, pending, failed"`
	Person      id.Person       `json:"person" doc:"whom it joins, or the id the new person would have"`
	By          string          `json:"by,omitempty" doc:"the field by which it joins"`
	Conflict    string          `json:"conflict,omitempty" enum:"claimed_twice,several_people,already_joined" doc:"why it joins nobody although somebody has its value"`
	Changes     []FieldChange   `json:"changes" nullable:"false"`
	Freezes     []FreezeEffect  `json:"freezes" nullable:"false"`
	Frozen      bool            `json:"frozen" doc:"the person would have no access"`
	Memberships []PlannedChange `json:"memberships" nullable:"false"`
	Doubles     []PreviewDouble `json:"doubles" nullable:"false"`
	Pending     []string        `json:"pending" nullable:"false" doc:"unit, manager"`
	Failure     string          `json:"failure,omitempty"`
}

// FieldChange is one attribute of a person.
type FieldChange struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// FreezeEffect is a freeze that would begin or be lifted.
type FreezeEffect struct {
	Op    string                `json:"op" enum:"open,lift"`
	Cause directory.FreezeCause `json:"cause"`
	From  time.Time             `json:"from,omitzero"`
	Until time.Time             `json:"until,omitzero"`
}

// PreviewDouble is somebody who may be the same human being.
type PreviewDouble struct {
	Person id.Person `json:"person"`
	By     string    `json:"by" enum:"employee_number,email,user_name"`
}

// PreviewQuery chooses lines; the zero value answers the summary alone.
type PreviewQuery struct {
	Kind  string  // one of a line's kinds; empty: all
	After id.Link // only later ones; then the summary, the verdict and the hash are not worked out
	Limit int
	// AtOnce leaves out what is to come of people: the hash is that of all of it.
	AtOnce bool
}

// Preview answers what would happen if source went live now, on one consistent state and without writing: directory.ErrLive where it is live.
// It reads all that is staged, and keeps no more than the page, the counts and the removals.
func (r *Reactor) Preview(ctx context.Context, source id.Source, q PreviewQuery) (*Preview, error) {
	p := &previewer{r: r, q: q, sum: sha256.New(), groups: map[id.Group]*GroupEffect{}, batch: Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}}}
	p.out.Summary.JoinedBy, p.out.Summary.Fields = map[string]int{}, map[string]int{}
	p.out.Lines = []PreviewLine{}
	err := r.look(ctx, func(tx *db.Tx, c *catalog) error {
		p.tx, p.catalog = tx, c
		reader := r.directory.In(tx)
		var err error
		if p.out.Stage, err = reader.StageOf(ctx, source); err != nil {
			return err
		}
		if err := p.out.Stage.Source.In(directory.ModeDryRun); err != nil {
			return err
		}
		p.out.Policy = c.version
		if err := reader.EachStaged(ctx, p.out.Stage.Source, q.After, p.see); err != nil {
			return err
		}
		if q.After != "" {
			return nil
		}
		return p.conclude(ctx)
	})
	return &p.out, err
}

// previewer works on one state of the database, for one call only.
type previewer struct {
	r       *Reactor
	q       PreviewQuery
	tx      *db.Tx
	catalog *catalog
	out     Preview
	sum     hash.Hash
	groups  map[id.Group]*GroupEffect
	batch   Batch
	above   heads // of the people at hand
}

// see takes in one part of the stage. Beyond the first page it goes on only for the sake of the summary.
func (p *previewer) see(facts []directory.StageFact) (bool, error) {
	var joined []id.Person
	for _, f := range facts {
		if f.By != "" {
			joined = append(joined, f.Record.Person)
		}
	}
	have, err := loadMemberships(p.tx.DB, joined)
	if err != nil {
		return false, err
	}
	held, err := loadHeld(p.tx.DB, joined)
	if err != nil {
		return false, err
	}
	var both []directory.Fact
	for _, f := range facts {
		both = append(both, f.Before, f.After)
	}
	if p.above, err = p.r.headsOf(p.tx, p.catalog, both); err != nil {
		return false, err
	}
	now := p.r.clock()
	for _, f := range facts {
		line, steps := p.line(f, have[f.Record.Person], held, now)
		text, err := json.Marshal(line)
		if err != nil {
			return false, err
		}
		p.sum.Write(text)
		p.batch.collect(assessment{person: line.Person, steps: steps})
		if p.q.AtOnce {
			line, steps = atOnce(f, line, steps, now)
		}
		p.count(f, line, steps)
		if p.q.Limit > 0 && (p.q.Kind == "" || slices.Contains(line.Kinds, p.q.Kind)) {
			if len(p.out.Lines) < p.q.Limit {
				p.out.Lines = append(p.out.Lines, line)
			} else if p.out.Next == "" {
				p.out.Next = p.out.Lines[p.q.Limit-1].Link
			}
		}
	}
	return p.q.After == "" || p.out.Next == "", nil
}

// line works out what one record would do. It is pure.
func (p *previewer) line(f directory.StageFact, have []Membership, held map[id.Membership]heldRow, now time.Time) (PreviewLine, []step) {
	after := f.After.Person
	line := PreviewLine{Link: f.Record.Link, Key: f.Record.Key, UserName: f.Record.UserName, DisplayName: after.DisplayName, Person: after.ID, By: f.By, Conflict: string(f.Refused),
		Kinds: []string{}, Changes: []FieldChange{}, Freezes: []FreezeEffect{}, Frozen: after.Frozen, Memberships: []PlannedChange{}, Doubles: []PreviewDouble{}, Pending: []string{}}
	for _, d := range f.Fields {
		line.Changes = append(line.Changes, FieldChange{d.Name, d.Before, d.Now})
	}
	for _, d := range f.Doubles {
		line.Doubles = append(line.Doubles, PreviewDouble{d.Person, d.By})
	}
	line.Freezes = freezeEffects(f.Before.Freezes, f.After.Freezes, now)
	run := &run{above: p.above}
	then := run.assess(p.catalog, f.After, have, held, now)
	steps := then.steps
	if f.By != "" { // what is due anyway is not the source's doing
		due := run.assess(p.catalog, f.Before, have, held, now)
		steps = slices.DeleteFunc(steps, func(s step) bool {
			return slices.ContainsFunc(due.steps, func(o step) bool { return o.Op == s.Op && o.Group == s.Group && o.Role == s.Role })
		})
	}
	for _, s := range steps {
		change := PlannedChange{Person: after.ID, Group: p.catalog.key(s.Group), Op: s.Op, Role: s.Role, Cause: s.cause, Reasons: reasonTexts(s.Add), At: s.at()}
		switch s.Op {
		case OpReasons:
			continue
		case OpRemove:
			change.Role, change.Reasons = s.Before.Role, reasonTexts(s.End)
		case OpRole:
			change.Before = s.Before.Role
		}
		line.Memberships = append(line.Memberships, change)
	}
	slices.SortFunc(line.Memberships, func(a, b PlannedChange) int { return cmp.Compare(a.Group, b.Group) })
	if f.UnitPending {
		line.Pending = append(line.Pending, "unit")
	}
	if f.ManagerPending {
		line.Pending = append(line.Pending, "manager")
	}
	if len(then.failed) > 0 {
		line.Failure = then.failed.err().Error()
	}
	line.kinds(f)
	return line, steps
}

// kinds says by which words a line is found.
func (l *PreviewLine) kinds(f directory.StageFact) {
	op := func(op Op) bool {
		return slices.ContainsFunc(l.Memberships, func(c PlannedChange) bool { return c.Op == op })
	}
	for _, k := range []struct {
		kind string
		is   bool
	}{{"new", f.By == ""}, {"joined", f.By != ""}, {"changed", len(l.Changes) > 0}, {"frozen", l.Frozen && !f.Before.Person.Frozen},
		{"lifted", f.Before.Person.Frozen && !l.Frozen}, {"gained", op(OpAdd)}, {"lost", op(OpRemove)}, {"double", len(l.Doubles) > 0},
		{"conflict", l.Conflict != ""}, {"pending", len(l.Pending) > 0}, {"failed", l.Failure != ""}} {
		if k.is {
			l.Kinds = append(l.Kinds, k.kind)
		}
	}
}

// freezeEffects compares freezes by slot and window; those that are over freeze nobody.
func freezeEffects(before, after []directory.Freeze, now time.Time) []FreezeEffect {
	out := []FreezeEffect{}
	over := func(f directory.Freeze) bool { return !f.Until.IsZero() && !f.Until.After(now) }
	before, after = slices.DeleteFunc(slices.Clone(before), over), slices.DeleteFunc(slices.Clone(after), over)
	stays := func(list []directory.Freeze, f directory.Freeze) bool {
		return slices.ContainsFunc(list, func(o directory.Freeze) bool {
			return o.Slot == f.Slot && o.From.Equal(f.From) && o.Until.Equal(f.Until)
		})
	}
	for _, f := range before {
		if !stays(after, f) {
			out = append(out, FreezeEffect{"lift", f.Cause, f.From, f.Until})
		}
	}
	for _, f := range after {
		if !stays(before, f) {
			out = append(out, FreezeEffect{"open", f.Cause, f.From, f.Until})
		}
	}
	return out
}

// count adds one line to the summary and its removals to what the guard judges.
func (p *previewer) count(f directory.StageFact, line PreviewLine, steps []step) {
	s := &p.out.Summary
	add := func(to *int, when bool) {
		if when {
			*to++
		}
	}
	fresh := f.By == ""
	add(&s.New, fresh)
	add(&s.Joined, !fresh)
	if !fresh {
		s.JoinedBy[f.By]++
	}
	add(&s.Changed, len(line.Changes) > 0)
	for _, c := range line.Changes {
		s.Fields[c.Field]++
	}
	add(&s.Frozen, !fresh && line.Frozen && !f.Before.Person.Frozen)
	add(&s.Lifted, !fresh && !line.Frozen && f.Before.Person.Frozen)
	add(&s.Arriving, fresh && line.Frozen)
	add(&s.Doubles, len(line.Doubles) > 0)
	add(&s.Quarantined, slices.ContainsFunc(line.Freezes, func(e FreezeEffect) bool { return e.Op == "open" && e.Cause == directory.CauseQuarantine }))
	add(&s.Refused, line.Conflict != "")
	add(&s.Pending, len(line.Pending) > 0)
	add(&s.Failed, line.Failure != "")
	for _, step := range steps {
		g := p.groups[step.Group]
		if g == nil {
			g = &GroupEffect{Group: p.catalog.key(step.Group), Lost: map[Cause]int{}}
			p.groups[step.Group] = g
		}
		switch step.Op {
		case OpAdd:
			s.Gained++
			g.Gained++
		case OpRemove:
			s.Lost++
			g.Lost[step.cause]++
		case OpRole:
			s.Roles++
			g.Roles++
		}
	}
}

// conclude judges all of it together and names it by its hash.
func (p *previewer) conclude(ctx context.Context) error {
	p.out.Summary.Groups = []GroupEffect{}
	for _, g := range p.groups {
		if g.Gained+g.Roles+len(g.Lost) > 0 {
			p.out.Summary.Groups = append(p.out.Summary.Groups, *g)
		}
	}
	slices.SortFunc(p.out.Summary.Groups, func(a, b GroupEffect) int { return cmp.Compare(a.Group, b.Group) })
	if len(p.batch.Removals) > 0 {
		if err := p.r.complete(ctx, p.tx, p.catalog, &p.batch); err != nil {
			return err
		}
		var err error
		if p.out.Summary.Verdict, err = (Guard{guardOf(p.catalog)}).Check(p.batch); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.sum, "%s\n%d\n", p.out.Stage.Source.ID, p.out.Policy)
	p.out.Hash = hex.EncodeToString(p.sum.Sum(nil))
	return nil
}
