package directory

import (
	"database/sql"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// groupLink is a group that something is in directly, by its place in names.
type groupLink struct{ group, next int32 }

func (c *Crowd) prepare(groups bool) error {
	ctx := c.q.Statement.Context
	var err error
	in := c.reader
	if c.sources, err = in.sourceMap(ctx); err != nil {
		return err
	}
	var units []unitRow
	if err := c.q.Raw("select * from units").Scan(&units).Error; err != nil {
		return fmt.Errorf("read units: %w", err)
	}
	c.paths = unitPaths{ids: make(map[reference]id.Unit, len(units)), units: make(map[id.Unit]Unit, len(units))}
	c.ups = make(map[id.Unit][]UnitKey, len(units))
	for _, row := range units {
		c.paths.ids[reference{row.SourceID, row.UnitKey}], c.paths.units[row.ID] = row.ID, row.unit()
	}
	if c.paths.former, err = in.allFormers(ctx); err != nil {
		return err
	}
	if groups {
		return c.groups()
	}
	return nil
}

// namedGroup is a directory group with what rules call it by.
type namedGroup struct {
	ID                                         id.DirectoryGroup
	SourceID                                   id.Source
	GroupKey, ExternalID, DisplayName, SysName string
}

func groupsNamed(q handle) ([]namedGroup, error) {
	var list []namedGroup
	if err := q.Raw(`select g.id, g.source_id, g.group_key, g.external_id, g.display_name, s.name as sys_name from directory_groups g
		join sources s on s.id = g.source_id`).Scan(&list).Error; err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	return list, nil
}

func (g namedGroup) names() []string {
	var out []string
	for _, key := range []string{g.DisplayName, g.ExternalID} {
		if key != "" {
			out = append(out, g.SysName+"/"+key)
		}
	}
	return out
}

// groups reads every group and who is in it.
func (c *Crowd) groups() error {
	list, err := groupsNamed(c.q)
	if err != nil {
		return err
	}
	at := make(map[id.DirectoryGroup]int32, len(list))
	for i, g := range list {
		at[g.ID] = int32(i)
	}
	c.inside = map[reference]int32{}
	row := func(rows *sql.Rows) error {
		var source, group sql.RawBytes
		var value string
		if err := rows.Scan(&source, &value, &group); err != nil {
			return err
		}
		if g, ok := at[id.DirectoryGroup(group)]; ok {
			ref := reference{id.Source(c.text(source)), value}
			c.links = append(c.links, groupLink{g, c.inside[ref]})
			c.inside[ref] = int32(len(c.links))
		}
		return nil
	}
	if err := c.eachMember(list, row); err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	c.names = make([][]string, len(list))
	for i := range list {
		found, queue := map[int32]bool{int32(i): true}, []int32{int32(i)}
		for len(queue) > 0 {
			g := queue[0]
			queue = queue[1:]
			c.names[i] = append(c.names[i], list[g].names()...)
			for _, up := range c.groupsOf(reference{list[g].SourceID, list[g].GroupKey}, nil) {
				if !found[up] {
					found[up], queue = true, append(queue, up)
				}
			}
		}
		slices.Sort(c.names[i])
		c.names[i] = slices.Compact(c.names[i])
	}
	return nil
}

// eachMember calls row for what is directly in a group: everything, or what can lead to the people at hand.
func (c *Crowd) eachMember(list []namedGroup, row func(*sql.Rows) error) error {
	const query = "select source_id, value, group_id from group_members"
	if c.some == nil {
		return eachRow(c.q.Raw(query), row)
	}
	keys := map[reference]bool{}
	for _, g := range list {
		keys[reference{g.SourceID, g.GroupKey}] = true
	}
	for _, r := range c.records {
		keys[reference{id.Source(c.texts[r.source]), r.key}] = true
	}
	for source, values := range bySource(keys) {
		for part := range slices.Chunk(values, chunk) {
			if err := eachRow(c.q.Raw(query+" where source_id = ? and value in ?", source, db.Pad(part)), row); err != nil {
				return err
			}
		}
	}
	return nil
}

// bySource answers the keys of references, by source.
func bySource(list map[reference]bool) map[id.Source][]string {
	out := map[id.Source][]string{}
	for ref := range list {
		out[ref.source] = append(out[ref.source], ref.key)
	}
	return out
}

// groupsOf appends the groups that something is in directly.
func (c *Crowd) groupsOf(ref reference, to []int32) []int32 {
	for at := c.inside[ref]; at > 0; at = c.links[at-1].next {
		to = append(to, c.links[at-1].group)
	}
	return to
}

// groupNames answers what the groups that somebody is in directly, and all above, are called.
func (c *Crowd) groupNames(direct []int32) []string {
	switch len(direct) {
	case 0:
		return nil
	case 1:
		return c.names[direct[0]]
	}
	var out []string
	for _, g := range direct {
		out = append(out, c.names[g]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// up answers the path from a unit to its root, which is the same for everybody there.
func (c *Crowd) up(unit id.Unit) []UnitKey {
	path, known := c.ups[unit]
	if !known {
		path = c.paths.up(unit, c.now)
		c.ups[unit] = path
	}
	return path
}
