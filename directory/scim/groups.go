package scim

import (
	"context"
	"mime"
	"net/http"
	"strings"

	engine "github.com/elimity-com/scim"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// groups is the library's handler of /Groups.
type groups struct {
	h    *Handler
	kind *kind
}

// assertGroup makes record say what the resource says. Members are rows of their own and not kept in Raw.
func (k *kind) assertGroup(record *directory.GroupRecord, r resource) error {
	before, err := k.readRaw(record.Raw)
	if err != nil {
		return err
	}
	if err := k.check(before, r); err != nil {
		return err
	}
	delete(r, "schemas")
	delete(r, "members")
	dropUnassigned(r)
	record.DisplayName, record.ExternalID = text(r, "displayName"), text(r, "externalId")
	if record.DisplayName == "" {
		return invalidValue("displayName is required.")
	}
	for name, value := range map[string]string{"displayName": record.DisplayName, "externalId": record.ExternalID} {
		if len(value) > maxKeyBytes {
			return invalidValue("%s is longer than %d bytes.", name, maxKeyBytes)
		}
	}
	raw, err := k.writeRaw(r)
	record.Raw = raw
	return err
}

// Create implements engine.ResourceHandler. Members that are not known yet stay as pending references.
func (g groups) Create(r *http.Request, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	members, err := c.members(r, c.known["members"])
	if err != nil {
		return engine.Resource{}, err
	}
	body := c.written()
	record := directory.GroupRecord{Source: c.source.ID}
	if err := g.kind.assertGroup(&record, body); err != nil {
		return engine.Resource{}, err
	}
	return g.write(r, "", directory.CreateGroup{Group: record, Members: members})
}

// Replace implements engine.ResourceHandler. A PUT without members leaves them as they are; an empty list
// removes all.
func (g groups) Replace(r *http.Request, group string, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	change := directory.EditGroup{Source: c.source.ID, Group: id.DirectoryGroup(group), IfVersion: c.ifMatch,
		Edit: func(record *directory.GroupRecord) error {
			body := c.written()
			before, err := g.kind.readRaw(record.Raw)
			if err != nil {
				return err
			}
			g.kind.carryOver(before, body)
			if _, given := body["externalId"]; !given && record.ExternalID != "" {
				body["externalId"] = record.ExternalID
			}
			return g.kind.assertGroup(record, body)
		}}
	if list, given := c.known["members"]; given {
		members, err := c.members(r, list)
		if err != nil {
			return engine.Resource{}, err
		}
		change.Replace = &members
	}
	return g.write(r, group, change)
}

// Patch implements engine.ResourceHandler. It answers nothing (204) unless the client asked for attributes, or says
// that it accepts a resource and the group is small: the answer to a change of one member must not grow with the group.
func (g groups) Patch(r *http.Request, group string, _ []engine.PatchOperation) (engine.Resource, error) {
	c := callOf(r)
	var m memberEdit
	var rest []operation
	for _, o := range c.operations {
		p, err := g.kind.parsePath(o.Path)
		if err != nil {
			return engine.Resource{}, err
		}
		if p.urn != "" || p.attr.Name() != "members" {
			rest = append(rest, o)
			continue
		}
		if err := m.take(o.Op, p, o.Value); err != nil {
			return engine.Resource{}, err
		}
	}
	if err := m.resolve(r.Context(), c); err != nil {
		return engine.Resource{}, g.h.outside(r, group, err)
	}
	change := directory.EditGroup{Source: c.source.ID, Group: id.DirectoryGroup(group), IfVersion: c.ifMatch,
		Add: m.add, Remove: m.remove, Replace: m.replace,
		Edit: func(record *directory.GroupRecord) error {
			body, err := g.kind.readRaw(record.Raw)
			if err != nil {
				return err
			}
			if err := g.kind.apply(body, rest); err != nil {
				return err
			}
			applyForeign(body, c.foreignOps)
			return g.kind.assertGroup(record, body)
		}}
	if len(c.query.attributes) > 0 { // RFC 7644 section 3.5.2
		return g.write(r, group, change)
	}
	record, err := g.apply(r, group, change)
	if err != nil {
		return engine.Resource{}, err
	}
	if c.answers {
		more, err := g.h.store.Members(r.Context(), record.ID, directory.MemberQuery{Offset: shownMembers, Limit: 1, NoTotal: true})
		if err != nil {
			return engine.Resource{}, g.h.outside(r, group, err)
		}
		if len(more.Members) == 0 {
			return g.resource(r, record)
		}
	}
	c.stamps[group] = stamp{record.CreatedAt, record.UpdatedAt, record.Version}
	return engine.Resource{}, nil
}

// acceptsResource tells whether the client names a media type of resources, not just anything.
func acceptsResource(header http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(header.Values("Accept"), ","), ",") {
		kind, _, err := mime.ParseMediaType(part)
		if err == nil && (kind == "application/scim+json" || kind == "application/json") {
			return true
		}
	}
	return false
}

// apply makes a change of a group.
func (g groups) apply(r *http.Request, group string, change directory.Change) (directory.GroupRecord, error) {
	c := callOf(r)
	applied, err := g.h.store.Apply(r.Context(), c.cause, change)
	if err != nil {
		return directory.GroupRecord{}, c.refused(r, group, err)
	}
	record, err := c.recheck(r.Context(), applied.Groups[0])
	c.warnOfGroups(r.Context(), record, change)
	return record, g.h.outside(r, group, err)
}

func (g groups) write(r *http.Request, group string, change directory.Change) (engine.Resource, error) {
	record, err := g.apply(r, group, change)
	if err != nil {
		return engine.Resource{}, err
	}
	return g.resource(r, record)
}

// Get implements engine.ResourceHandler.
func (g groups) Get(r *http.Request, group string) (engine.Resource, error) {
	c := callOf(r)
	record, err := g.h.store.Group(r.Context(), c.source.ID, id.DirectoryGroup(group))
	if err != nil {
		return engine.Resource{}, c.refused(r, group, err)
	}
	return g.resource(r, record)
}

// GetAll implements engine.ResourceHandler.
func (g groups) GetAll(r *http.Request, params engine.ListRequestParams) (engine.Page, error) {
	c := callOf(r)
	var found []directory.GroupRecord
	total, keep, err := c.page(params, func(where directory.Where, offset, limit int, total bool) (int, int, error) {
		page, err := g.h.store.FindGroups(r.Context(), directory.GroupQuery{Source: c.source.ID, Where: where, Sort: c.sort,
			Descending: c.descending(), Offset: offset, Limit: limit, NoTotal: !total})
		found = page.Groups
		return len(found), page.Total, err
	}, func(i int) (string, string) { return string(found[i].ID), c.groupValue(found[i]) })
	if err != nil {
		return engine.Page{}, g.h.outsideQuery(r, err)
	}
	out := make([]engine.Resource, keep)
	for i, record := range found[:keep] {
		if out[i], err = g.resource(r, record); err != nil {
			return engine.Page{}, err
		}
	}
	return engine.Page{TotalResults: total, Resources: out}, nil
}

// Delete implements engine.ResourceHandler.
func (g groups) Delete(r *http.Request, group string) error {
	c := callOf(r)
	_, err := g.h.store.Apply(r.Context(), c.cause, directory.DeleteGroup{Source: c.source.ID, Group: id.DirectoryGroup(group), IfVersion: c.ifMatch})
	if err != nil {
		return c.refused(r, group, err)
	}
	return nil
}

// resource writes a group; a client that does not want the members causes no reading of them.
func (g groups) resource(r *http.Request, record directory.GroupRecord) (engine.Resource, error) {
	c := callOf(r)
	body, err := g.kind.readRaw(record.Raw)
	if err != nil {
		return engine.Resource{}, g.h.outside(r, string(record.ID), err)
	}
	body = g.kind.described(body)
	if c.projection.wants("members") {
		members, err := g.members(r.Context(), c, record.ID)
		if err != nil {
			return engine.Resource{}, g.h.outside(r, string(record.ID), err)
		}
		if len(members) > 0 {
			body["members"] = members
		}
	}
	return c.carry(string(record.ID), body, stamp{record.CreatedAt, record.UpdatedAt, record.Version}), nil
}

// members reads all members; a pending one is a value and nothing else. It goes on behind the last value, so that
// what comes and goes meanwhile neither hides nor doubles another.
func (g groups) members(ctx context.Context, c *call, group id.DirectoryGroup) ([]any, error) {
	var out []any
	last := ""
	for {
		page, err := g.h.store.Members(ctx, group, directory.MemberQuery{After: last, Limit: membersBatch, NoTotal: true})
		if err != nil {
			return nil, err
		}
		for _, m := range page.Members {
			member := resource{"value": m.Value}
			switch {
			case m.Link != "":
				member["type"] = "User"
				c.reference(member, string(m.Link))
			case m.Group != "":
				member["type"] = "Group"
				c.reference(member, string(m.Group))
			}
			if m.Display != "" {
				member["display"] = m.Display
			}
			out = append(out, member)
			last = m.Value
		}
		if len(page.Members) < membersBatch {
			return out, nil
		}
	}
}
