package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Line is one step of an explanation. Kind is "rule", "fact", "succession" (of a unit), "company" or "sponsor" (of a guest), "reason", "tuple",
// "freeze", "hold", "person", "channel" or "role".
type Line struct {
	Kind          string    `json:"kind"`
	Text          Text      `json:"text"`
	Ref           string    `json:"ref,omitempty" doc:"what it names: rule, fact, reason, freeze, hold"`
	Since         time.Time `json:"since,omitzero"`
	By            string    `json:"by,omitempty" doc:"who did it: author of a policy, source"`
	ByName        string    `json:"by_name,omitempty" doc:"what that one is called, where it has a name of its own"`
	Expression    string    `json:"expression,omitempty" doc:"of a rule"`
	PolicyVersion int64     `json:"policy_version,omitempty" doc:"of a rule or reason: the version that first gave it"`
	User          string    `json:"user,omitempty" doc:"of a tuple"`
	Relation      string    `json:"relation,omitempty" doc:"of a tuple"`
	Object        string    `json:"object,omitempty" doc:"of a tuple"`
}

// Explanation says why a person sees a channel, or what is missing. It is made of rows, and says what they give;
// whether access stands this instant is for package authz to decide, which holds the same tuples.
type Explanation struct {
	Allowed bool // what the rows give now
	Role    policies.Role
	Since   time.Time // of the place
	Path    []Line    // rule, its facts, the reason, the tuples: for each reason
	Missing []Line    // what stands against it; empty where allowed
}

// Explain answers why person may or may not view channel. A person or channel that does not exist is
// ErrNotFound or directory.ErrNotFound.
func (r *Reactor) Explain(ctx context.Context, person id.Person, channel id.Channel) (Explanation, error) {
	return r.explain(ctx, directory.SeesAll(), person, channel)
}

// explain is Explain for somebody with this sight.
func (r *Reactor) explain(ctx context.Context, sight directory.Sight, person id.Person, channel id.Channel) (Explanation, error) {
	target, err := r.Channel(ctx, channel)
	if err != nil {
		return Explanation{}, err
	}
	var e Explanation
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error {
		seen := r.directory.In(tx).As(sight)
		facts, err := seen.Facts(tx, []id.Person{person}, false)
		if err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
		if len(facts) == 0 {
			return fmt.Errorf("person %s: %w", person, directory.ErrNotFound)
		}
		x := explainer{tx: tx, catalog: c, fact: facts[0], channel: target, now: r.clock(), sources: seen, sight: sight, reactor: r, leave: r.directory.Leave, ctx: ctx}
		if x.above, err = headsOf(seen, tx, c, facts); err != nil {
			return err
		}
		if target.Kind == KindProject {
			err = x.project()
		} else {
			x.direct()
		}
		if err != nil {
			return err
		}
		if target.Kind == KindProject {
			x.failing()
		}
		x.obstacles()
		if err := x.doubted(); err != nil {
			return err
		}
		e = x.named()
		e.Allowed = e.Role != "" && len(e.Missing) == 0
		return nil
	})
	return e, err
}

// explainer works on one state of the database, for one call only: hence the ctx in it.
type explainer struct {
	Explanation
	ctx     context.Context
	tx      *db.Tx
	catalog *catalog
	fact    directory.Fact
	channel Channel
	now     time.Time
	sources directory.Reader
	sight   directory.Sight
	reactor *Reactor
	above   heads
	leave   directory.LeaveRule
}

func (x *explainer) project() error {
	person := x.fact.Person.ID
	have, err := queryMemberships(x.tx.DB, "m.person = ? and m.group_id = ?", person, x.channel.Group)
	if err != nil {
		return err
	}
	if len(have[person]) == 0 {
		x.unmatched()
		return x.separations(person)
	}
	told, err := x.reactor.disclosed(x.ctx, x.sight, have[person][:1])
	if err != nil {
		return err
	}
	if len(told) == 0 {
		x.unmatched()
		return x.separations(person)
	}
	m := told[0]
	x.Since = m.Since
	for _, reason := range m.Reasons {
		if !reason.reaches(x.channel) {
			continue
		}
		if reason.Kind == KindGuest && x.reactor.Outside != nil {
			lines, err := x.reactor.Outside(x.tx, person, x.channel.Group, x.channel.Key)
			if err != nil {
				return err
			}
			x.Path = append(x.Path, lines...)
		}
		if err := x.reason(reason, true); err != nil {
			return err
		}
	}
	var stopped []heldRow
	if err := x.tx.Raw("select * from held_removals where membership = ? and ended_at is null", m.ID).Scan(&stopped).Error; err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	for _, h := range stopped {
		if !x.sight.Full() && stands(m.Reasons, x.now) {
			continue // for what is to come
		}
		x.Path = append(x.Path, Line{Kind: "hold", Ref: string(h.Hold), Since: h.CreatedAt.Time,
			Text: Text{"No reason is left; the guard holds the removal (" + string(cmp.Or(h.NowCause, h.Cause)) + ")", "已无理由；移除被保护机制暂停（" + string(cmp.Or(h.NowCause, h.Cause)) + "）"}})
	}
	role := roleIn(m.Reasons, x.channel, x.now)
	if len(stopped) > 0 && x.fact.Person.Absent {
		x.Path = append(x.Path, x.missed())
	}
	if !anyOpen(m.Reasons, x.now) {
		x.Missing = append(x.Missing, windowLine(m.Reasons, x.now))
		return nil
	}
	relation := relationOf(x.channel.Access[role])
	if relation == "" {
		if placeRole(m.Reasons, x.now) == "" { // a handover period of other channels
			x.unmatched()
			return x.separations(person)
		}
		t := roleText(placeRole(m.Reasons, x.now))
		x.Missing = append(x.Missing, Line{Kind: "role", Text: Text{"A " + t.EN + " has no access to this channel", t.ZH + "在此频道没有访问权限"}})
		return x.separations(person)
	}
	x.Role = role
	for _, t := range seatTuples(m, []Channel{x.channel}, x.now) {
		x.tuple(t, m.Since)
	}
	if placeRole(m.Reasons, x.now) != role {
		return nil // by its own tuple
	}
	x.tuple(authz.Tuple{User: groupRef(m.Group) + "#" + string(role), Relation: relation, Object: channelRef(x.channel.ID)}, x.channel.CreatedAt)
	return nil
}

// windowLine says that a place is planned, or over.
func windowLine(reasons []Reason, now time.Time) Line {
	if at := opens(reasons, now); !at.IsZero() {
		return Line{Kind: "reason", Since: at, Text: Text{"The place is planned and begins at " + momentText(at), "该成员资格已计划，将于 " + momentText(at) + " 生效"}}
	}
	at := closes(reasons)
	return Line{Kind: "reason", Since: at, Text: Text{"The place ended at " + momentText(at), "该成员资格已于 " + momentText(at) + " 结束"}}
}

// momentText is an instant as exact as it is kept: what happened within its second is told apart.
func momentText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999 UTC") }

func (x *explainer) tuple(t authz.Tuple, since time.Time) {
	x.Path = append(x.Path, tupleLine(t, since))
}

func tupleLine(t authz.Tuple, since time.Time) Line {
	text := t.User + " " + t.Relation + " " + t.Object
	return Line{Kind: "tuple", Since: since, Text: Text{text, text}, User: t.User, Relation: t.Relation, Object: t.Object}
}

// reason writes the reason itself and, withRule, before it the rule as it is now, and its facts.
func (x *explainer) reason(reason Reason, withRule bool) error {
	by := ""
	if reason.Kind == KindRule {
		var rows []versionRow
		if err := x.tx.Raw("select version, author, hash, plan, applied_at from policy_versions where version = ?", reason.Version).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read policy %d: %w", reason.Version, err)
		}
		if len(rows) > 0 {
			by = rows[0].Author
		}
		if rule, ok := x.catalog.rule(reason.Ref); ok && withRule {
			x.Path = append(x.Path, Line{Kind: "rule", Ref: reason.Ref, By: by, Expression: rule.When, PolicyVersion: reason.Version, Text: ruleText(reason.Ref, reason.Version, rule.Role, rule.When)})
			x.Path = append(x.Path, x.facts(rule.When)...)
		}
	}
	x.Path = append(x.Path, Line{Kind: "reason", Ref: reason.String(), Since: reason.CreatedAt, By: by, PolicyVersion: reason.Version, Text: reasonText(reason, x.actorName(by))})
	return nil
}

// unmatched says which rules would have given access, with the facts they look at.
func (x *explainer) unmatched() {
	if x.catalog.policy == nil {
		return
	}
	key := x.catalog.key(x.channel.Group)
	met := x.catalog.judge(x.catalog.subject(x.fact, x.above, x.now)).Wanted
	for _, g := range x.catalog.policy.Groups {
		if g.Key != key {
			continue
		}
		for _, rule := range g.Rules {
			if relationOf(x.channel.Access[rule.Role]) == "" {
				continue
			}
			if slices.ContainsFunc(met, func(w policies.Wanted) bool { return w.Group == key && w.Rule == rule.Key }) {
				x.Missing = append(x.Missing, Line{Kind: "rule", Ref: ruleRef(key, rule.Key), Expression: rule.When, Text: metText(ruleRef(key, rule.Key), rule.Role)})
			} else {
				x.Missing = append(x.Missing, Line{Kind: "rule", Ref: ruleRef(key, rule.Key), Expression: rule.When, Text: missText(ruleRef(key, rule.Key), rule.Role, rule.When)})
				x.Missing = append(x.Missing, x.facts(rule.When)...)
			}
		}
	}
	if len(x.Missing) == 0 {
		x.Missing = append(x.Missing, Line{Kind: "rule", Text: Text{"No rule gives access to this channel", "没有规则授予此频道的访问权限"}})
	}
}

func (x *explainer) direct() {
	person := x.fact.Person.ID
	for _, p := range x.channel.People {
		if p == person {
			x.Role, x.Since = policies.Participant, x.channel.CreatedAt
			x.tuple(authz.Tuple{User: userRef(person), Relation: "writer", Object: channelRef(x.channel.ID)}, x.channel.CreatedAt)
			return
		}
	}
	x.Missing = append(x.Missing, Line{Kind: "channel", Text: Text{"This is a direct channel between other people", "这是其他人之间的私聊"}})
}

// obstacles says what stands against access whatever the reasons: freezes, departure, absence, the archive.
func (x *explainer) obstacles() {
	for _, f := range x.fact.Freezes {
		by := x.sourceName(f.Source)
		if f.UndoneAt(x.now) {
			x.Path = append(x.Path, Line{Kind: "freeze", Ref: string(f.ID), Since: f.CreatedAt, By: f.Actor, Text: undoneText(f, by, x.actorName(f.Actor))})
		}
		if !f.OpenAt(x.now) {
			continue
		}
		tuple := tupleLine(freezeTuples(f, x.leave, x.now)[1], f.CreatedAt)
		if readsOn(f, x.leave) {
			x.Path = append(x.Path, Line{Kind: "freeze", Ref: string(f.ID), Since: f.CreatedAt, By: by, Text: pauseText(f)}, tuple)
			continue
		}
		x.Missing = append(x.Missing, Line{Kind: "freeze", Ref: string(f.ID), Since: f.CreatedAt, By: by, Text: freezeText(f, by)}, tuple)
	}
	switch p := x.fact.Person; {
	case p.MergedInto != "":
		x.Missing = append(x.Missing, Line{Kind: "person", Ref: string(p.MergedInto), Text: Text{"This person was linked to another and is that one now: " + string(p.MergedInto),
			"此人已与另一人关联，现为同一人：" + string(p.MergedInto)}})
	case p.Status.Left() && x.Role == "":
		x.Missing = append(x.Missing, Line{Kind: "person", Text: Text{"The person has left: every record is deleted or ended", "此人已离职：所有记录均已删除或结束"}})
	case p.Absent && x.Role == "":
		x.Missing = append(x.Missing, x.missed())
	}
	x.archived()
}

// archived says that the channel is archived, where it is.
func (x *explainer) archived() {
	if at := x.channel.ArchivedAt; !at.IsZero() {
		x.Missing = append(x.Missing, Line{Kind: "channel", Since: at, Text: Text{"The channel is archived", "频道已归档"}})
	}
}

func (x *explainer) sourceName(source id.Source) string {
	if found, err := x.sources.SourceByID(x.ctx, source); source != "" && err == nil {
		return found.Name
	}
	return string(source)
}

// actorName names who did something: a person by name, a token by its id.
func (x *explainer) actorName(actor string) string {
	if names, err := x.sources.Names(x.ctx, []id.Person{id.Person(actor)}); err == nil && names[id.Person(actor)] != "" {
		return names[id.Person(actor)]
	}
	return actor
}

// named answers the explanation with names beside the ids of those who did something.
func (x *explainer) named() Explanation {
	for _, lines := range [][]Line{x.Path, x.Missing} {
		for i := range lines {
			if name := x.actorName(lines[i].By); name != lines[i].By {
				lines[i].ByName = name
			}
		}
	}
	return x.Explanation
}
