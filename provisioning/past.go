package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// PastEntry is somebody who could see a channel at an instant, and by what.
type PastEntry struct {
	Person      id.Person
	Name        string // as it is today
	Role        policies.Role
	Access      policies.Access
	Since       time.Time // when the relation was written, or began
	Until       time.Time // when it was to end by itself; zero: no end was known
	Revision    int64     // of the relations: by which it was written
	HistoryFrom time.Time
	Reasons     []Reason // that stood
}

// PastAudience is who could see a channel at an instant.
type PastAudience struct {
	Channel  Channel
	At       time.Time
	Revision int64 // of the relations: the last one up to then
	Entries  []PastEntry
	More     bool
}

// AudienceAt answers who could see a channel at an instant, past or to come, in order of the people, up to limit after the person after. It plays
// the log of the relations back, which is what decided at that time; of an instant to come it says what is known now.
func (r *Reactor) AudienceAt(ctx context.Context, channel id.Channel, at time.Time, after id.Person, limit int) (PastAudience, error) {
	c, err := r.Channel(ctx, channel)
	if err != nil {
		return PastAudience{}, err
	}
	out := PastAudience{Channel: c, At: at}
	past, err := r.asOf(ctx, channel, at)
	if err != nil {
		return out, err
	}
	out.Revision = past.Revision()
	people := past.Audience()
	if i, found := slices.BinarySearch(people, after); after != "" {
		if people = people[i:]; found {
			people = people[1:]
		}
	}
	if out.More = len(people) > limit; out.More {
		people = people[:limit]
	}
	known, err := r.directory.PeopleByID(ctx, people)
	if err != nil {
		return out, fmt.Errorf("read people: %w", err)
	}
	names := map[id.Person]string{}
	for _, p := range known {
		names[p.ID] = p.DisplayName
	}
	reasons, err := reasonsAt(r.db.Read(ctx), c.Group, people, at)
	if err != nil {
		return out, err
	}
	for _, person := range people {
		e := PastEntry{Person: person, Name: names[person], Reasons: reasons[person]}
		_, e.HistoryFrom = past.Allow(person, authz.View)
		e.place(past, c, at)
		e.handed(c)
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

// pastAt is what was played back last, for the pages of one list.
type pastAt struct {
	mu      sync.Mutex
	channel id.Channel
	at      time.Time
	past    *authz.Past
}

// asOf plays the log back, or answers what was played back before: nothing is added to what is over.
func (r *Reactor) asOf(ctx context.Context, channel id.Channel, at time.Time) (*authz.Past, error) {
	over := at.Before(r.clock().Add(-time.Minute))
	r.pastAt.mu.Lock()
	defer r.pastAt.mu.Unlock()
	if over && r.pastAt.past != nil && r.pastAt.channel == channel && r.pastAt.at.Equal(at) {
		return r.pastAt.past, nil
	}
	past, err := r.authz.AsOf(ctx, channel, at)
	if err == nil && over {
		r.pastAt.channel, r.pastAt.at, r.pastAt.past = channel, at, past
	}
	return past, err
}

// place fills in by which relation the person saw the channel: the strongest that held.
func (e *PastEntry) place(past *authz.Past, c Channel, at time.Time) {
	access := map[string]policies.Access{"manager": policies.Manage, "writer": policies.Post, "reader": policies.Read}
	for _, of := range past.Of(e.Person) {
		if !of.Covers(at) {
			continue
		}
		given, role := access[of.Tuple.Relation], policies.Role("")
		if of.Tuple.Object == groupRef(c.Group) && c.Group != "" {
			role = policies.Role(of.Tuple.Relation)
			for _, by := range past.Access() {
				if by.Tuple.User == of.Tuple.Object+"#"+of.Tuple.Relation {
					given = access[by.Tuple.Relation]
				}
			}
		}
		if given == "" || role != "" && role.Strength() < e.Role.Strength() {
			continue
		}
		e.Role, e.Access, e.Since, e.Until, e.Revision = role, given, of.At, of.Tuple.Until, of.Rev
		if of.Tuple.From.After(e.Since) {
			e.Since = of.Tuple.From
		}
	}
}

// handed fills in the role of who saw the channel for itself.
func (e *PastEntry) handed(c Channel) {
	for _, r := range e.Reasons {
		if e.Role == "" && e.Access != "" && r.Kind.narrow() && r.Ref == c.Key {
			e.Role = r.Role
		}
	}
}

// reasonsAt answers the reasons of people in a group that stood at an instant.
func reasonsAt(q reader, group id.Group, people []id.Person, at time.Time) (map[id.Person][]Reason, error) {
	out := map[id.Person][]Reason{}
	if group == "" {
		return out, nil
	}
	for part := range slices.Chunk(people, chunkMost) {
		var places []membershipRow
		if err := q.Raw("select id, person from memberships where person in ? and group_id = ?", part, group).Scan(&places).Error; err != nil {
			return nil, fmt.Errorf("read memberships: %w", err)
		}
		of := make(map[id.Membership]id.Person, len(places))
		for _, row := range places {
			of[row.ID] = row.Person
		}
		var rows []reasonRow
		if err := q.Raw(`select x.* from memberships m join reasons x on x.membership = m.id where m.person in ? and m.group_id = ? and x.created_at <= ?
			and (x.ended_at is null or x.ended_at > ?) order by x.created_at, x.id`, part, group, db.At(at), db.At(at)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read reasons: %w", err)
		}
		for _, row := range rows {
			if r := row.reason(); r.openAt(at) {
				out[of[row.Membership]] = append(out[of[row.Membership]], r)
			}
		}
	}
	return out, nil
}

// ExplainAt answers why person could or could not see channel at an instant, past or to come: what Explain says of now. Allowed is what the relations
// decided then; of a place that was not there it says what was before and what came after.
func (r *Reactor) ExplainAt(ctx context.Context, person id.Person, channel id.Channel, at time.Time) (Explanation, error) {
	return r.explainAt(ctx, directory.SeesAll(), person, channel, at)
}

// explainAt is ExplainAt for somebody with this sight.
func (r *Reactor) explainAt(ctx context.Context, sight directory.Sight, person id.Person, channel id.Channel, at time.Time) (Explanation, error) {
	c, err := r.Channel(ctx, channel)
	if err != nil {
		return Explanation{}, err
	}
	if _, err := r.directory.Person(ctx, person); err != nil {
		return Explanation{}, fmt.Errorf("person %s: %w", person, err)
	}
	past, err := r.authz.AsOf(ctx, channel, at)
	if err != nil {
		return Explanation{}, err
	}
	var e Explanation
	e.Allowed, _ = past.Allow(person, authz.View)
	entry := PastEntry{Person: person}
	entry.place(past, c, at)
	e.Role, e.Since = entry.Role, entry.Since
	err = r.look(ctx, func(tx *db.Tx, now *catalog) error {
		x := explainer{Explanation: e, tx: tx, catalog: now, channel: c, now: at, sources: r.directory.In(tx).As(sight), sight: sight, reactor: r, leave: r.directory.Leave, ctx: ctx, fact: directory.Fact{Person: directory.Person{ID: person}}}
		found, err := reasonsAt(tx.DB, c.Group, []id.Person{person}, at)
		if err != nil {
			return err
		}
		entry.Reasons = found[person]
		entry.handed(c)
		x.Role = entry.Role
		then, err := policyThen(tx.DB, at)
		if err != nil {
			return err
		}
		for _, reason := range found[person] {
			if !reason.reaches(c) {
				continue
			}
			x.ruleThen(then, reason)
			if err := x.reason(reason, false); err != nil {
				return err
			}
		}
		if err := x.relations(past); err != nil {
			return err
		}
		if role := roleThen(past.Of(person), c.Group, at); entry.Access == "" && role != "" {
			t := roleText(role)
			x.Missing = append(x.Missing, Line{Kind: "role", Text: Text{"A " + t.EN + " had no access to this channel", t.ZH + "当时在此频道没有访问权限"}})
		} else if entry.Access == "" {
			if err := x.around(); err != nil {
				return err
			}
			x.rulesThen(then)
		}
		if !at.Before(c.ArchivedAt) {
			x.archived()
		}
		e = x.named()
		return nil
	})
	return e, err
}

// thenPolicy is the policy that was in force at an instant.
type thenPolicy struct {
	policy  *policies.Policy // nil: none was
	version versionRow
}

// policyThen answers the policy that was in force at an instant; of one to come that of now.
func policyThen(q reader, at time.Time) (thenPolicy, error) {
	var out thenPolicy
	var rows []versionRow
	if err := q.Raw("select version, author, hash, plan, applied_at from policy_versions where applied_at <= ? order by version desc limit 1", db.At(at)).Scan(&rows).Error; err != nil {
		return out, fmt.Errorf("read policy: %w", err)
	}
	if len(rows) == 0 {
		return out, nil
	}
	var err error
	out.version = rows[0]
	out.policy, err = policyAt(q, rows[0].Version)
	return out, err
}

// ruleThen writes the rule that gave a reason as the policy of that time said it, since when that was in force and by whom.
func (x *explainer) ruleThen(then thenPolicy, reason Reason) {
	if rule, ok := rulesOf(then.policy)[reason.Ref]; ok && reason.Kind == KindRule {
		x.Path = append(x.Path, Line{Kind: "rule", Ref: reason.Ref, Since: then.version.AppliedAt.Time, By: then.version.Author, Expression: rule.When, PolicyVersion: then.version.Version,
			Text: ruleText(reason.Ref, then.version.Version, rule.Role, rule.When)})
	}
}

// rulesThen writes, of somebody without a place, the rules that would have given access by the policy of that time.
func (x *explainer) rulesThen(then thenPolicy) {
	if then.policy == nil {
		return
	}
	key := x.catalog.key(x.channel.Group)
	g := then.policy.Group(key)
	if g == nil {
		return
	}
	for _, rule := range g.Rules {
		if i := slices.IndexFunc(g.Channels, func(c policies.Channel) bool { return c.Key == x.channel.Key }); i < 0 || relationOf(g.Channels[i].Access[rule.Role]) == "" {
			continue
		}
		ref := ruleRef(key, rule.Key)
		x.Missing = append(x.Missing, Line{Kind: "rule", Ref: ref, Since: then.version.AppliedAt.Time, By: then.version.Author, Expression: rule.When, PolicyVersion: then.version.Version,
			Text: thenText(ref, then.version.Version, rule.Role, rule.When)})
	}
}

// roleThen answers the strongest role in a group that held at an instant.
func roleThen(list []authz.Evidence, group id.Group, at time.Time) policies.Role {
	var role policies.Role
	for _, of := range list {
		if is := policies.Role(of.Tuple.Relation); group != "" && of.Tuple.Object == groupRef(group) && of.Covers(at) && is.Strength() > role.Strength() {
			role = is
		}
	}
	return role
}

// relations writes the tuples about the person that stood, and which of them denied.
func (x *explainer) relations(past *authz.Past) error {
	at := x.now
	for _, of := range past.Of(x.fact.Person.ID) {
		line := tupleLine(of.Tuple, of.At)
		line.Ref = fmt.Sprintf("revision %d", of.Rev)
		kind, slot, _ := strings.Cut(of.Tuple.Object, ":")
		switch {
		case kind != "freeze" && of.Covers(at):
			x.Path = append(x.Path, line)
		case kind == "freeze" && of.Covers(at):
			freezes, err := x.sources.Freezes(x.ctx, x.fact.Person.ID)
			if err != nil {
				return fmt.Errorf("read freezes: %w", err)
			}
			for _, f := range freezes {
				if f.Slot == slot && !f.CreatedAt.After(at) && (f.LiftedAt.IsZero() || f.LiftedAt.After(at)) {
					by := x.sourceName(f.Source)
					x.Missing = append(x.Missing, Line{Kind: "freeze", Ref: string(f.ID), Since: f.CreatedAt, By: by, Text: freezeText(f, by)})
				}
			}
			x.Missing = append(x.Missing, line)
		}
	}
	for _, of := range past.Access() {
		if strings.HasPrefix(of.Tuple.User, groupRef(x.channel.Group)+"#") && x.Role != "" && strings.HasSuffix(of.Tuple.User, "#"+string(x.Role)) {
			line := tupleLine(of.Tuple, of.At)
			line.Ref = fmt.Sprintf("revision %d", of.Rev)
			x.Path = append(x.Path, line)
		}
	}
	return nil
}

// around says of somebody without a place at an instant which place ended before, and which begins after.
func (x *explainer) around() error {
	at := x.now
	var rows []membershipRow
	if err := x.tx.Raw("select * from memberships where person = ? and group_id = ? order by since", x.fact.Person.ID, x.channel.Group).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	said := false
	if !x.sight.Full() {
		rows = slices.DeleteFunc(rows, func(row membershipRow) bool { return row.BeginsAt.After(x.reactor.clock()) })
	}
	for i, row := range rows {
		switch {
		case row.Since.After(at) && !said:
			x.Missing = append(x.Missing, Line{Kind: "reason", Since: row.Since.Time, Text: Text{"The place begins later, at " + momentText(row.Since.Time),
				"该成员资格稍后开始，时间为 " + momentText(row.Since.Time)}})
			said = true
		case !row.EndedAt.IsZero() && !row.EndedAt.After(at) && (i+1 == len(rows) || rows[i+1].Since.After(at)):
			x.Missing = append(x.Missing, Line{Kind: "reason", Since: row.EndedAt.Time, By: string(row.EndedBy), Text: Text{
				"The place ended at " + momentText(row.EndedAt.Time) + " (" + row.EndCause + ")", "该成员资格已于 " + momentText(row.EndedAt.Time) + " 结束（" + row.EndCause + "）"}})
			said = true
		}
	}
	if !said {
		x.Missing = append(x.Missing, Line{Kind: "reason", Text: Text{"No reason stood for a place", "没有成立的成员资格理由"}})
	}
	return nil
}
