package provisioning

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Place is a channel as one person has it.
type Place struct {
	Channel Channel
	Group   Group         // zero where the channel belongs to none
	Role    policies.Role // participant in direct channels
	Since   time.Time
	Until   time.Time // of a handover period: when it ends; zero elsewhere
}

// Channel answers one channel of any kind, an archived one too.
func (r *Reactor) Channel(ctx context.Context, channel id.Channel) (Channel, error) {
	q := r.db.Read(ctx)
	var rows []channelRow
	if err := q.Raw("select * from channels where id = ?", channel).Scan(&rows).Error; err != nil {
		return Channel{}, fmt.Errorf("read channel: %w", err)
	}
	if len(rows) == 0 {
		return Channel{}, fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	c := rows[0].channel()
	if c.Kind != KindProject {
		if err := q.Raw("select person from channel_people where channel = ? order by person", channel).Scan(&c.People).Error; err != nil {
			return Channel{}, fmt.Errorf("read channel: %w", err)
		}
	}
	return c, nil
}

// Group answers one project group, an archived one too.
func (r *Reactor) Group(ctx context.Context, group id.Group) (Group, error) {
	c, err := r.current(ctx)
	if err != nil {
		return Group{}, err
	}
	g, ok := c.groups[group]
	if !ok {
		return Group{}, fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	return g, nil
}

// GroupView is a project group of the policy in force with its channels and how many members it has.
type GroupView struct {
	Group
	Channels []Channel
	Members  int
}

// Groups answers the groups of the policy in force, in its order.
func (r *Reactor) Groups(ctx context.Context) ([]GroupView, error) {
	c, err := r.current(ctx)
	if err != nil || c.policy == nil {
		return nil, err
	}
	out := make([]GroupView, len(c.policy.Groups))
	ids := make([]id.Group, len(out))
	for i, g := range c.policy.Groups {
		ids[i] = c.byKey[g.Key]
		out[i] = GroupView{Group: c.groups[ids[i]], Channels: c.channels[ids[i]]}
	}
	members, err := countMembers(r.db.Read(ctx), ids)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Members = members[out[i].ID]
	}
	return out, nil
}

// ChannelsOf answers the channels in which person has a place, by group and channel key, direct ones last.
// Whether the person may use a place right now is for package authz to say: a frozen person keeps every place.
func (r *Reactor) ChannelsOf(ctx context.Context, person id.Person) ([]Place, error) {
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	q := r.db.Read(ctx)
	found, err := loadMemberships(q, []id.Person{person})
	if err != nil {
		return nil, err
	}
	rows, now := found[person], r.clock()
	slices.SortFunc(rows, func(a, b Membership) int { return strings.Compare(c.key(a.Group), c.key(b.Group)) })
	var out []Place
	for _, m := range rows {
		if !anyOpen(m.Reasons, now) {
			continue // planned, or over
		}
		for _, channel := range c.channels[m.Group] {
			if role := roleIn(m.Reasons, channel, now); role != "" {
				out = append(out, Place{Channel: channel, Group: c.groups[m.Group], Role: role, Since: m.Since, Until: keptUntil(m.Reasons, channel, now)})
			}
		}
	}
	direct, err := directOf(q, person)
	return append(out, direct...), err
}

func directOf(q reader, person id.Person) ([]Place, error) {
	var rows []channelRow
	if err := q.Raw("select c.* from channel_people mine join channels c on c.id = mine.channel where mine.person = ? and c.archived_at is null order by c.id", person).
		Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read direct channels: %w", err)
	}
	var members []channelPersonRow
	if err := q.Raw(`select p.* from channel_people mine join channel_people p on p.channel = mine.channel where mine.person = ? order by p.channel, p.person`, person).
		Scan(&members).Error; err != nil {
		return nil, fmt.Errorf("read direct channels: %w", err)
	}
	in := map[id.Channel][]id.Person{}
	since := map[id.Channel]time.Time{}
	for _, m := range members {
		in[m.Channel] = append(in[m.Channel], m.Person)
		if m.Person == person {
			since[m.Channel] = m.JoinedAt.Time
		}
	}
	out := make([]Place, len(rows))
	for i, row := range rows {
		out[i] = Place{Channel: row.channel(), Role: policies.Participant, Since: since[row.ID]}
		out[i].Channel.People = in[row.ID]
	}
	return out, nil
}

// DirectChannel answers the direct channel of two people, which it makes where there is none; then it returns
// when both may use it. People the directory does not know, one person twice, or a new channel with somebody who has
// left, is ErrPeople.
func (r *Reactor) DirectChannel(ctx context.Context, cause directory.Cause, a, b id.Person) (Channel, error) {
	pair := []id.Person{min(a, b), max(a, b)}
	if a == b {
		return Channel{}, fmt.Errorf("%s with themselves: %w", a, ErrPeople)
	}
	key := string(pair[0]) + "|" + string(pair[1])
	if c, found, err := r.findDirect(ctx, key); err != nil || found {
		return c, err
	}
	known, err := r.directory.PeopleByID(ctx, pair)
	if err != nil {
		return Channel{}, fmt.Errorf("read people: %w", err)
	}
	if len(known) != 2 || slices.ContainsFunc(known, func(p directory.Person) bool { return p.Status.Left() }) {
		return Channel{}, fmt.Errorf("%s and %s: %w", a, b, ErrPeople)
	}
	c := Channel{ID: id.New[id.Channel](), Kind: KindDirect, Key: key, Names: map[string]string{}, Labels: []string{}, History: policies.FullHistory,
		People: pair, CreatedAt: r.clock()}
	rev, err := r.createDirect(ctx, cause, c)
	if db.IsDuplicate(err) { // somebody else made it meanwhile
		if c, _, err = r.findDirect(ctx, key); err == nil {
			err = r.look(ctx, func(tx *db.Tx, _ *catalog) error { rev, err = r.authz.Revision(tx); return err })
		}
	}
	if err != nil {
		return Channel{}, fmt.Errorf("make direct channel: %w", err)
	}
	return c, r.wait(ctx, rev)
}

func (r *Reactor) findDirect(ctx context.Context, key string) (Channel, bool, error) {
	var found []id.Channel
	if err := r.db.Read(ctx).Raw("select id from channels where kind = 'direct' and key = ?", key).Scan(&found).Error; err != nil {
		return Channel{}, false, fmt.Errorf("find direct channel: %w", err)
	}
	if len(found) == 0 {
		return Channel{}, false, nil
	}
	c, err := r.Channel(ctx, found[0])
	return c, true, err
}

func (r *Reactor) createDirect(ctx context.Context, cause directory.Cause, c Channel) (int64, error) {
	var rev int64
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		if err := insertPrivate(tx, c); err != nil {
			return err
		}
		s := &sheet{run: &run{cause: cause}, now: c.CreatedAt}
		s.events = append(s.events, feed.Event{At: s.now, Kind: EventChannelCreated, Subject: string(c.ID), Data: mustJSON(map[string]any{"kind": c.Kind, "people": c.People})})
		s.record(EventChannelCreated, string(c.ID), map[string]any{"kind": string(c.Kind), "people": []string{string(c.People[0]), string(c.People[1])}})
		if _, err := r.feed.Append(tx, s.events...); err != nil {
			return err
		}
		var err error
		if rev, err = r.authz.Append(tx, turn(nil, directTuples(c.ID, c.People...))...); err != nil {
			return err
		}
		return audit.Append(tx, s.records...)
	})
	return rev, err
}

// insertPrivate writes a channel that belongs to people.
func insertPrivate(tx *db.Tx, c Channel) error {
	row := channelRow{ID: c.ID, Kind: string(c.Kind), Key: c.Key, Names: db.JSON[map[string]string]{V: c.Names}, Labels: db.JSON[[]string]{V: c.Labels},
		Access: db.JSON[map[policies.Role]policies.Access]{V: map[policies.Role]policies.Access{}}, History: string(c.History), CreatedAt: db.At(c.CreatedAt)}
	if err := tx.Create(&row).Error; err != nil {
		return err
	}
	var people []channelPersonRow
	for _, p := range c.People {
		people = append(people, channelPersonRow{Channel: c.ID, Person: p, JoinedAt: db.At(c.CreatedAt)})
	}
	return insert(tx, people)
}
