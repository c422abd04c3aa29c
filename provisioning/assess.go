package provisioning

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// position names a membership before it has an id, and after.
type position struct {
	person id.Person
	group  id.Group
}

// run is what one reconciliation carries from its beginning to its last chunk.
type run struct {
	cause    directory.Cause
	causes   map[id.Person]directory.Cause // where several calls are one run: of whom each person is
	released map[id.Membership]bool        // removals that a released hold contains
	approved map[position]bool             // removals of a plan about units
	verdict  Verdict                       // of everything together; the zero Verdict where there is one chunk
	added    map[id.Group]int              // members the whole run will add
	counts   map[Sign]directory.LossCount  // of what is lost, as the survey counted it
	later    map[id.Group]int              // and those it plans
	given    map[id.Person][]Grant         // reasons that are given and taken
	above    heads                         // of the people at hand
	back     map[id.Person][]Membership    // of the people at hand: what a plan gives back
	watched  bool                          // everybody is looked at as those are who are watched
}

// step is one change with why it comes.
type step struct {
	Change
	cause   Cause
	source  id.Source // for CauseAbsence
	freeze  id.Freeze // for CauseCleanup: the freeze it follows
	guarded bool      // nobody has decided it: the guard must
}

func (s step) removal(person id.Person) Removal {
	return Removal{Membership: s.Before.ID, Person: person, Group: s.Group, Cause: s.cause, Source: s.source, Ahead: s.Op != OpRemove}
}

// announces tells whether a step gives a membership that had none an end, by what a source plans or because all that is left is a handover period. The guard judges that when it is announced,
// as a move: at its instant it is over. What the guard holds stays open, and is held at the instant too.
func (s step) announces(now time.Time) bool {
	return s.hands(now) || s.Op == OpReasons && s.Before.Begins.IsZero() && closes(s.Before.Reasons).IsZero() && !closes(standing(s)).IsZero()
}

// at answers when a step takes effect, where that lies ahead: a membership that is planned, or one that gets an end.
func (s step) at() time.Time {
	switch {
	case s.Op == OpRemove:
		return time.Time{}
	case !s.Begins.IsZero():
		return s.Begins
	case s.Op == OpReasons && len(s.Add) > 0:
		return closes(placewide(standing(s)))
	}
	return time.Time{}
}

// assessment is what is to be done about one person.
type assessment struct {
	person   id.Person
	steps    []step
	recaused []heldRow          // held removals that something else asks for now
	vanished []heldRow          // held removals that nothing asks for any more, or that go through now
	lift     []fenceRow         // freezes that stand as tuples and no longer as rows
	raise    []directory.Freeze // the other way round
	missing  bool               // absent from every source, and no fence says so yet
	healed   bool               // the person failed last time
	have     []Membership       // of a plan: those that show other channels under it
	failed   unjudged           // what of the policy cannot be judged for the person: it gives nothing
	note     bool               // that has to be noted
	beyond   bool               // there are more instants to come than were looked at
}

func (a assessment) idle() bool {
	return !a.note && len(a.steps)+len(a.have)+len(a.recaused)+len(a.vanished)+len(a.lift)+len(a.raise) == 0 && !a.healed
}

// gather assesses people on the state that tx sees, in order of id; with lock their rows are locked first.
func (r *Reactor) gather(tx *db.Tx, run *run, c *catalog, people []id.Person, lock bool) ([]assessment, error) {
	facts, err := r.directory.In(tx).Facts(tx, people, lock)
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	known := make(map[id.Person]directory.Fact, len(facts))
	for _, f := range facts {
		known[f.Person.ID] = f
	}
	have, err := loadMemberships(tx.DB, people)
	if err != nil {
		return nil, err
	}
	held, err := loadHeld(tx.DB, people)
	if err != nil {
		return nil, err
	}
	fences, err := loadFences(tx.DB, people)
	if err != nil {
		return nil, err
	}
	failed, err := loadFailures(tx.DB, people)
	if err != nil {
		return nil, err
	}
	if run.above, err = r.headsOf(tx, c, facts); err != nil {
		return nil, err
	}
	now := r.clock()
	if run.back, err = c.following.returns(tx.DB, facts, now); err != nil {
		return nil, err
	}
	out := make([]assessment, 0, len(people))
	for _, p := range people {
		fact, ok := known[p]
		if !ok { // nobody the directory knows: nothing may stand
			fact.Person = directory.Person{ID: p, Status: directory.StatusTerminated}
		}
		a := run.assess(c, fact, have[p], held, now)
		rows := fact.Freezes
		if fact.Person.Absent {
			gone := absence(p)
			if slices.ContainsFunc(fences[p], func(row fenceRow) bool { return row.Slot == gone.Slot }) {
				rows = append(slices.Clone(rows), gone)
			} else {
				a.missing = true
			}
		}
		a.fence(rows, fences[p])
		row, stood := failed[p]
		a.healed, a.note = stood && len(a.failed) == 0, len(a.failed) > 0 && !a.failed.noted(row)
		out = append(out, a)
	}
	return out, nil
}

// due is what facts and policy give a person: asking costs the rules, and is done once.
type due struct {
	matches  []Match
	standing Standing
	mover    *mover
	failed   unjudged
	beyond   bool
}

// due evaluates the policy for a person whose fact is present; have counts only where the policy separates.
func (run *run) due(c *catalog, f directory.Fact, have []Membership, held map[id.Membership]heldRow, now time.Time) due {
	d := due{standing: Standing{Terminated: f.Person.Status.Left(), Absent: f.Person.Absent, Version: c.version, Live: c.live,
		Merged: f.Person.MergedInto != "", Rehired: f.Person.RehiredAt}}
	if d.standing.Terminated || d.standing.Absent {
		return d
	}
	have = run.untaken(f.Person.ID, have)
	joined := run.joined(c, d.standing, f.Person.ID, have, now)
	most := momentsMost
	if run.watched {
		most = momentsWatched
	}
	d.matches, d.standing.Begins, d.failed, d.beyond = c.foreseen(f, run.above, withHeld(have, held), joined, now, most)
	d.standing.Barred = c.barred(func() policies.Subject { return c.subject(f, run.above, now) }, have, joined, now)
	d.mover = run.moverOf(c, f, d.standing, now)
	return d
}

// assess compares what a person has with what the person ought to have. It is pure.
func (run *run) assess(c *catalog, f directory.Fact, have []Membership, held map[id.Membership]heldRow, now time.Time) assessment {
	f = presentFact(f, now)
	with := run.withReturns(f, have)
	a := run.compare(c, f, have, with, held, run.due(c, f, with, held, now), now)
	a.have = c.resighted(have)
	return a
}

// compare answers what is to be done about a person whose due is known; with is what they have and what is given back to them.
func (run *run) compare(c *catalog, f directory.Fact, have, with []Membership, held map[id.Membership]heldRow, d due, now time.Time) assessment {
	a := assessment{person: f.Person.ID, failed: d.failed, note: len(d.failed) > 0, beyond: d.beyond}
	standing := d.standing
	asked := with
	if keeps(with) {
		standing.Placed = placed(f.Person)
		asked = unkept(overtaken(with, f.Person), d.matches, standing, now)
	}
	going := map[id.Membership]bool{}
	kept := map[id.Group]bool{}
	want, revoked := run.with(Desired(asked, d.matches, standing, now), a.person, standing)
	want = d.mover.outlast(have, founded(want), d.matches)
	for _, change := range Diff(have, want, now) {
		if change.Op == OpAdd && kept[change.Group] {
			continue
		}
		s := step{Change: change, cause: causeOf(change, standing, now)}
		if _, back := run.returned(a.person, change.Group); back && change.Op == OpAdd {
			s.cause = CauseUndo
		}
		row, stopped := held[change.Before.ID]
		if s.announces(now) && !run.released[change.Before.ID] {
			if s.cause, s.guarded = CauseMove, true; stopped {
				going[change.Before.ID] = true
				a.recause(row, f, s.cause, now)
				continue
			}
		}
		if change.Op != OpRemove {
			a.steps = append(a.steps, s)
			continue
		}
		switch {
		case run.released[change.Before.ID]:
			s.cause = CauseRelease
		case revoked[change.Group]:
			s.cause = CauseRevoked
		case s.cause == CauseMove && (c.following.removes(position{a.person, change.Group}) || run.approved[position{a.person, change.Group}]):
			s.cause = CausePolicy
		case stopped && s.cause != CausePolicy:
			going[change.Before.ID], kept[change.Group] = true, true
			a.recause(row, f, s.cause, now)
			continue // held already, and held it stays
		case guestOnly(change.Before.Reasons): // whoever lets guests in ends that too: no source's word takes them in bulk
		case s.cause == CauseMove || s.cause == CauseCleanup || s.cause == CauseAbsence:
			s.guarded = true
		}
		s.source, s.freeze = blame(f, s.cause, now)
		a.steps = append(a.steps, s)
	}
	for _, m := range have {
		if row, stopped := held[m.ID]; stopped && !going[m.ID] {
			a.vanished = append(a.vanished, row)
		}
	}
	return a
}

// recause notes that something else asks for a held removal than when it was looked at last.
func (a *assessment) recause(row heldRow, f directory.Fact, cause Cause, now time.Time) {
	at, source := db.At(now), id.Source("")
	if cause == row.Cause {
		cause, at = "", db.Instant{}
	} else {
		source, _ = blame(f, cause, now)
	}
	if cause == row.NowCause && source == row.NowSource {
		return
	}
	row.NowCause, row.NowSource, row.NowAt = cause, source, at
	a.recaused = append(a.recaused, row)
}

// slotAbsent is the fence of people whom every source misses and whom the guard let go. It is no row of the
// directory: a source said nothing. It falls when a source names the person again.
const slotAbsent = "absent"

func absence(person id.Person) directory.Freeze {
	return directory.Freeze{ID: slotAbsent, Person: person, Slot: slotAbsent}
}

// fence compares the freezes that are rows of the directory with those that stand as tuples.
func (a *assessment) fence(rows []directory.Freeze, standing []fenceRow) {
	open := make(map[string]directory.Freeze, len(rows))
	for _, f := range rows {
		open[f.Slot] = f
	}
	for _, row := range standing {
		f, stays := open[row.Slot]
		if !stays {
			a.lift = append(a.lift, row)
		} else if f.ID == row.FreezeID {
			delete(open, row.Slot)
		}
	}
	for _, f := range open {
		a.raise = append(a.raise, f)
	}
	slices.SortFunc(a.raise, func(x, y directory.Freeze) int { return cmp.Compare(x.Slot, y.Slot) })
}

// blame answers the source that misses a person, or the freeze that their clean-up follows.
func blame(f directory.Fact, cause Cause, now time.Time) (id.Source, id.Freeze) {
	switch cause {
	case CauseAbsence:
		var any id.Source
		for _, record := range f.Records {
			if record.AbsentSince.IsZero() || !record.DeletedAt.IsZero() {
				continue
			}
			any = cmp.Or(any, record.Source)
			if slices.ContainsFunc(f.Affiliations, func(a directory.Affiliation) bool { return slices.Contains(a.Links, record.Link) }) {
				return record.Source, "" // it speaks for an employment
			}
		}
		return any, ""
	case CauseCleanup:
		for _, freeze := range f.Freezes {
			if (freeze.Cause == directory.CauseDeleted || freeze.Cause == directory.CauseEnded) && freeze.OpenAt(now) {
				return "", freeze.ID
			}
		}
	}
	return "", ""
}

// subjectOf makes of a subject what needs nothing but the fact; catalog.subject makes all of it.
func subjectOf(f directory.Fact) policies.Subject {
	p := f.Person
	s := policies.Subject{ID: string(p.ID), DisplayName: p.DisplayName, UserName: p.UserName, Email: p.Email, Title: p.Title, Department: p.Department,
		Division: p.Division, Organization: p.Organization, Company: p.Company, EmployeeNumber: p.EmployeeNumber, EmployeeType: p.EmployeeType,
		CostCenter: p.CostCenter, Locale: p.Locale, TimeZone: p.TimeZone, Manager: string(p.Manager), Groups: p.Groups, Labels: p.Labels, Guest: f.Guest}
	if len(f.UnitPath) > 0 {
		s.UnitKey, s.UnitName = f.UnitPath[0].Key, f.UnitPath[0].Name
	}
	s.UnitPath = pathNames(append([][]directory.UnitKey{f.UnitPath}, f.UnitPaths...)...)
	return s
}

// pathNames answers everything the units of paths are called, each once.
func pathNames(paths ...[]directory.UnitKey) []string {
	var out []string
	seen := map[string]bool{}
	for _, path := range paths {
		for _, u := range path {
			for _, name := range unitNames(u) {
				if name != "" && !seen[name] {
					seen[name] = true
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// unitNames answers everything a rule may call a unit by: its key and its names, and those of the units that it succeeds, in a stable order.
func unitNames(u directory.UnitKey) []string {
	out := []string{u.Key, u.Name}
	languages := make([]string, 0, len(u.Names))
	for language := range u.Names {
		languages = append(languages, language)
	}
	slices.Sort(languages)
	for _, language := range languages {
		out = append(out, u.Names[language])
	}
	for _, was := range u.Was {
		out = append(out, unitNames(was)...)
	}
	return out
}
