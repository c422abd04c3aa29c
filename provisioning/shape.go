package provisioning

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// shapes is what a policy changes about groups and channels.
type shapes struct {
	list  []ShapeChange
	group map[string]Group     // every group of the policy, by key: as it will be
	steps []channelStep        // channels that begin, change or end, with both shapes
	gone  []Group              // groups that end
	fresh map[string]groupStep // groups that begin or change
	bared []string             // channels that come back without a label that they had, as policies.Opens names them
}

type groupStep struct {
	op    string
	group Group
}

type channelStep struct {
	op            string
	before, after Channel
}

// draft makes the catalog that would be in force under policy. Groups and channels that do not exist yet have
// ids of their own, which are not stored here. c is the catalog in force.
func draft(q reader, c *catalog, policy *policies.Policy, now time.Time) (*catalog, *shapes, error) {
	next := &catalog{dayZone: c.dayZone, version: c.version + 1, policy: policy, groups: maps.Clone(c.groups), byKey: maps.Clone(c.byKey), channels: map[id.Group][]Channel{}, uses: policy.Uses()}
	s := &shapes{list: []ShapeChange{}, group: map[string]Group{}, fresh: map[string]groupStep{}}
	past, err := archivedChannels(q)
	if err != nil {
		return nil, nil, err
	}
	for _, want := range policy.Groups {
		g, known := c.groups[c.byKey[want.Key]]
		op := ""
		switch {
		case !known:
			op, g = "add", Group{ID: id.New[id.Group](), Key: want.Key}
		case !c.live(g.ID):
			op = "restore"
		case !maps.Equal(g.Names, want.Names):
			op = "change"
		}
		g.Names, g.ArchivedAt = want.Names, time.Time{}
		next.groups[g.ID], next.byKey[g.Key] = g, g.ID
		s.group[g.Key] = g
		if op != "" {
			s.fresh[g.Key] = groupStep{op, g}
			change := ShapeChange{Op: op, Group: g.Key}
			if op == "change" {
				change.Fields = []string{"names"}
			}
			s.list = append(s.list, change)
		}
		next.channels[g.ID] = s.channels(g, want.Channels, c.channels[g.ID], past)
	}
	for _, g := range c.groups {
		if !c.live(g.ID) || s.group[g.Key].ID != "" {
			continue
		}
		s.gone = append(s.gone, g)
		s.list = append(s.list, ShapeChange{Op: "archive", Group: g.Key})
		s.channels(g, nil, c.channels[g.ID], past)
		g.ArchivedAt = now
		next.groups[g.ID] = g
	}
	next.handsOver()
	next.edited = maps.Clone(c.edited)
	next.edit(c.policy)
	slices.SortStableFunc(s.list, func(a, b ShapeChange) int {
		return strings.Compare(a.Group+"\x00"+a.Channel, b.Group+"\x00"+b.Channel)
	})
	return next, s, nil
}

// channels compares the channels of one group with those the policy wants and answers them as they will be.
func (s *shapes) channels(g Group, want []policies.Channel, have []Channel, past map[channelName]Channel) []Channel {
	standing := map[string]Channel{}
	for _, c := range have {
		standing[c.Key] = c
	}
	var out []Channel
	for _, w := range want {
		old, known := standing[w.Key]
		delete(standing, w.Key)
		after := Channel{ID: old.ID, Kind: KindProject, Group: g.ID, Key: w.Key, Names: w.Names, Labels: w.Labels, Access: w.Access, History: w.History, CreatedAt: old.CreatedAt}
		change := ShapeChange{Op: "change", Group: g.Key, Channel: w.Key}
		if !known {
			change.Op = "add"
			if before, was := past[channelName{g.ID, w.Key}]; was {
				change.Op, after.ID, after.CreatedAt = "restore", before.ID, before.CreatedAt
				if slices.ContainsFunc(before.Labels, func(l string) bool { return !slices.Contains(w.Labels, l) }) {
					s.bared = append(s.bared, "groups."+g.Key+".channels."+w.Key+".labels")
				}
			} else {
				after.ID = id.New[id.Channel]()
			}
		} else if change.Fields = differing(old, after); len(change.Fields) == 0 {
			out = append(out, old)
			continue
		}
		out = append(out, after)
		s.list = append(s.list, change)
		s.steps = append(s.steps, channelStep{change.Op, old, after})
	}
	for _, old := range standing {
		s.list = append(s.list, ShapeChange{Op: "archive", Group: g.Key, Channel: old.Key})
		s.steps = append(s.steps, channelStep{"archive", old, Channel{}})
	}
	return out
}

func differing(a, b Channel) []string {
	var out []string
	if !maps.Equal(a.Names, b.Names) {
		out = append(out, "names")
	}
	if !slices.Equal(a.Labels, b.Labels) {
		out = append(out, "labels")
	}
	if !maps.Equal(a.Access, b.Access) {
		out = append(out, "access")
	}
	if a.History != b.History {
		out = append(out, "history")
	}
	return out
}

// channelName names a channel of a group by its key.
type channelName struct {
	group id.Group
	key   string
}

func archivedChannels(q reader) (map[channelName]Channel, error) {
	var rows []channelRow
	if err := q.Raw("select * from channels where kind = 'project' and archived_at is not null").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	out := make(map[channelName]Channel, len(rows))
	for _, row := range rows {
		c := row.channel()
		out[channelName{c.Group, c.Key}] = c
	}
	return out, nil
}
