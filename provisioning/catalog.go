package provisioning

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Group is a project group.
type Group struct {
	ID         id.Group
	Key        string
	Names      map[string]string // by language tag
	CreatedAt  time.Time
	ArchivedAt time.Time // zero while the policy has it
}

// ChannelKind says what a channel belongs to.
type ChannelKind string

// The kinds of channels.
const (
	KindProject ChannelKind = "project" // to a project group
	KindDirect  ChannelKind = "direct"  // to two people
	KindAdhoc   ChannelKind = "adhoc"   // to the people who made it
)

// Channel is a place for messages. Group, Access and History are set for project channels, People for the others.
type Channel struct {
	ID         id.Channel
	Kind       ChannelKind
	Group      id.Group
	Key        string
	Names      map[string]string
	Labels     []string
	Access     map[policies.Role]policies.Access
	History    policies.History
	People     []id.Person
	CreatedAt  time.Time
	ArchivedAt time.Time
}

// catalog is one version of the policy with the groups and channels that belong to it, compiled once. It is
// never changed once made: groups and channels change only together with the version.
type catalog struct {
	version   int64
	policy    *policies.Policy
	groups    map[id.Group]Group
	byKey     map[string]id.Group
	channels  map[id.Group][]Channel        // not archived, in the order of the policy
	uses      map[string]bool               // attributes that its rules ask for
	report    func([]Conflict)              // of the catalog of a plan: told of what is kept apart; nil elsewhere
	zones     sync.Map                      // by name; what is in it never changes
	dayZone   func(directory.Record) string // see Reactor.DayZone
	handover  map[id.Group][]handovers
	sighted   map[id.Group]bool // of the catalog of a plan: see resights; nil elsewhere
	settled   bool              // the version is followed through
	edited    map[string]bool   // while it is not: rules that it changed
	following *following        // while it is not: its plan
}

// live tells whether the policy has g.
func (c *catalog) live(g id.Group) bool {
	group, ok := c.groups[g]
	return ok && group.ArchivedAt.IsZero()
}

// key answers the key of g.
func (c *catalog) key(g id.Group) string { return c.groups[g].Key }

// matches evaluates every rule for one subject, and answers the instant up to which that holds for the same facts; zero: for ever.
func (c *catalog) matches(s policies.Subject) ([]Match, time.Time, unjudged) {
	if c.policy == nil {
		return nil, time.Time{}, nil
	}
	judged := c.judge(s)
	out := make([]Match, len(judged.Wanted))
	for i, w := range judged.Wanted {
		out[i] = Match{Kind: KindRule, Group: c.byKey[w.Group], Role: w.Role, Ref: ruleRef(w.Group, w.Rule)}
	}
	return out, judged.Next, judged.Failed
}

// judge evaluates every rule for one subject; what fails is in the judgement.
func (c *catalog) judge(s policies.Subject) policies.Judgement {
	judged, _ := c.policy.Evaluate(s)
	return judged
}

func ruleRef(group, rule string) string { return group + "/" + rule }

// parse reads policy files into one policy.
func parse(files []File) (*policies.Policy, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no file", ErrPolicy)
	}
	policy, err := policies.Parse(files...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return policy, nil
}

// lockState reads which policy is in force and, on PostgreSQL, keeps it in force until the end of tx.
func lockState(tx *db.Tx, exclusive bool) (stateRow, error) {
	switch {
	case tx.Engine() != db.Postgres:
		return readState(tx.DB, "")
	case exclusive:
		return readState(tx.DB, " for update")
	}
	return readState(tx.DB, " for share")
}

func readState(q reader, lock string) (stateRow, error) {
	var s stateRow
	if err := q.Raw("select id, version, settled from policy_state where id = 1" + lock).Scan(&s).Error; err != nil {
		return s, fmt.Errorf("read policy state: %w", err)
	}
	return s, nil
}

// locked answers the catalog in force, which lockState keeps in force until the end of tx.
func (r *Reactor) locked(tx *db.Tx, exclusive bool) (*catalog, error) {
	state, err := lockState(tx, exclusive)
	if err != nil {
		return nil, err
	}
	return r.catalogAt(tx.DB, state)
}

// catalogIn answers the catalog in force on the state that q sees.
func (r *Reactor) catalogIn(q reader) (*catalog, error) {
	state, err := readState(q, "")
	if err != nil {
		return nil, err
	}
	return r.catalogAt(q, state)
}

// catalogAt answers the catalog of a state, from memory where it was compiled before. All that q reads is of that version:
// q is a snapshot, or a transaction that holds the lock of lockState.
func (r *Reactor) catalogAt(q reader, state stateRow) (*catalog, error) {
	r.mu.Lock()
	known := r.compiled
	r.mu.Unlock()
	if known.is(state) {
		return known, nil
	}
	if known != nil && known.version == state.Version && state.Settled >= state.Version { // it was followed through meanwhile
		c := &catalog{dayZone: r.dayZone, version: known.version, policy: known.policy, groups: known.groups, byKey: known.byKey, channels: known.channels, uses: known.uses,
			handover: known.handover, settled: true}
		return r.hold(c), nil
	}
	c, err := loadCatalog(q, state)
	if err != nil {
		return nil, err
	}
	c.dayZone = r.dayZone
	return r.hold(c), nil
}

// hold remembers a catalog where it is the newest.
func (r *Reactor) hold(c *catalog) *catalog {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.compiled == nil || r.compiled.version < c.version || r.compiled.version == c.version && c.settled {
		r.compiled = c
	}
	return c
}

// is tells whether a catalog is that of a state.
func (c *catalog) is(s stateRow) bool {
	return c != nil && c.version == s.Version && c.settled == (s.Settled >= s.Version)
}

func loadCatalog(q reader, state stateRow) (*catalog, error) {
	version := state.Version
	c := &catalog{version: version, settled: state.Settled >= version, groups: map[id.Group]Group{}, byKey: map[string]id.Group{}, channels: map[id.Group][]Channel{}}
	if version > 0 {
		policy, err := policyAt(q, version)
		if err != nil {
			return nil, err
		}
		c.policy, c.uses = policy, policy.Uses()
	}
	if !c.settled && state.Settled > 0 {
		before, err := policyAt(q, state.Settled)
		if err != nil {
			return nil, err
		}
		c.edit(before)
	}
	var groups []groupRow
	if err := q.Raw("select * from project_groups").Scan(&groups).Error; err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	for _, g := range groups {
		c.groups[g.ID] = g.group()
		c.byKey[g.Key] = g.ID
	}
	var channels []channelRow
	if err := q.Raw("select * from channels where kind = 'project' and archived_at is null").Scan(&channels).Error; err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	for _, row := range channels {
		channel := row.channel()
		c.channels[channel.Group] = append(c.channels[channel.Group], channel)
	}
	c.sort()
	c.handsOver()
	if version > 0 && !c.settled {
		var row versionRow
		if err := q.Raw("select * from policy_versions where version = ?", version).Scan(&row).Error; err != nil {
			return nil, fmt.Errorf("read policy %d: %w", version, err)
		}
		var err error
		if c.following, err = c.follow(q, row); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func policyAt(q reader, version int64) (*policies.Policy, error) {
	var row versionRow
	if err := q.Raw("select * from policy_versions where version = ?", version).Scan(&row).Error; err != nil {
		return nil, fmt.Errorf("read policy %d: %w", version, err)
	}
	policy, err := parse(row.Files.V)
	if err != nil {
		return nil, fmt.Errorf("read policy %d: %w", version, err)
	}
	return policy, nil
}

// sort brings channels into the order of the policy.
func (c *catalog) sort() {
	if c.policy == nil {
		return
	}
	for _, g := range c.policy.Groups {
		place := make(map[string]int, len(g.Channels))
		for i, channel := range g.Channels {
			place[channel.Key] = i
		}
		slices.SortFunc(c.channels[c.byKey[g.Key]], func(a, b Channel) int { return place[a.Key] - place[b.Key] })
	}
}

// current answers the catalog in force, for reading: from memory where the version has not changed.
func (r *Reactor) current(ctx context.Context) (*catalog, error) {
	state, err := readState(r.db.Read(ctx), "")
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	known := r.compiled
	r.mu.Unlock()
	if known.is(state) {
		return known, nil
	}
	var out *catalog
	err = r.look(ctx, func(_ *db.Tx, c *catalog) error {
		out = c
		return nil
	})
	return out, err
}
