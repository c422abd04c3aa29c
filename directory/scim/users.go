package scim

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	engine "github.com/elimity-com/scim"
	"github.com/elimity-com/scim/schema"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// users is the library's handler of /Users.
type users struct {
	h    *Handler
	kind *kind
}

// Create implements engine.ResourceHandler. A POST without active creates an active user.
func (u users) Create(r *http.Request, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	body := c.written()
	record := directory.Record{Source: c.source.ID, Active: true}
	if err := c.findManager(r.Context(), text(body, enterpriseURN, "manager", "value")); err != nil {
		return engine.Resource{}, u.h.outside(r, "", err)
	}
	if err := u.assert(r, &record, body); err != nil {
		return engine.Resource{}, u.h.outside(r, "", err)
	}
	return u.write(r, "", directory.CreateRecord{Record: record})
}

// Replace implements engine.ResourceHandler. What a PUT leaves out is cleared (RFC 7644 section 3.5.1), except
// for active and externalId: nobody is activated, deactivated or cut off from their past by what is not said.
func (u users) Replace(r *http.Request, link string, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	if err := c.findManager(r.Context(), text(c.known, enterpriseURN, "manager", "value")); err != nil {
		return engine.Resource{}, u.h.outside(r, link, err)
	}
	return u.edit(r, link, func(record *directory.Record) error {
		body := c.written()
		if _, given := body["externalId"]; !given && record.ExternalID != "" {
			body["externalId"] = record.ExternalID
		}
		return u.assert(r, record, body)
	})
}

// Patch implements engine.ResourceHandler.
func (u users) Patch(r *http.Request, link string, _ []engine.PatchOperation) (engine.Resource, error) {
	c := callOf(r)
	for _, o := range c.operations {
		if manager, ok := o.Value.(map[string]any); ok && o.Path == enterpriseURN+":manager" {
			if err := c.findManager(r.Context(), text(manager, "value")); err != nil {
				return engine.Resource{}, u.h.outside(r, link, err)
			}
		}
	}
	return u.edit(r, link, func(record *directory.Record) error {
		body, err := u.kind.readRaw(record.Raw)
		if err != nil {
			return err
		}
		if err := u.kind.apply(body, c.operations); err != nil {
			return err
		}
		applyForeign(body, c.foreignOps)
		return u.assert(r, record, body)
	})
}

// written is the resource that a POST or PUT asks for, apart from c.
func (c *call) written() resource {
	body := clone(c.known).(map[string]any)
	maps.Copy(body, clone(c.foreign).(map[string]any))
	return body
}

// applyForeign keeps what no schema knows, where the source put it.
func applyForeign(r resource, operations []operation) {
	for _, o := range operations {
		holder, name := r, o.Path
		for key, v := range r {
			inner, ok := v.(map[string]any)
			if rest, below := strings.CutPrefix(o.Path, key+":"); ok && below {
				holder, name = inner, rest
			}
		}
		if o.Op == "remove" {
			delete(holder, name)
		} else {
			holder[name] = clone(o.Value)
		}
	}
}

// assert makes record say what body says, and names the manager by id. A manager who was found once stays, for as
// long as the source names them by the same word: the word may change its meaning. It runs inside the transaction,
// where nothing may wait for a second connection: who a new word means, findManager asked before.
func (u users) assert(r *http.Request, record *directory.Record, body resource) error {
	before, err := u.kind.readRaw(record.Raw)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPut {
		u.kind.carryOver(before, body)
	}
	if err := u.kind.check(before, body); err != nil {
		return err
	}
	key := record.ManagerKey
	if err := u.kind.assert(record, body, u.h.zone); err != nil {
		return err
	}
	word := record.ManagerKey
	if ours(key) && word == text(before, enterpriseURN, "manager", "value") {
		record.ManagerKey = key
		return nil
	}
	c := callOf(r)
	if record.ManagerKey = c.managers[word]; record.ManagerKey == "" {
		record.ManagerKey = waitingKey(word)
	}
	c.newManager = record.ManagerKey != key
	return nil
}

func (u users) edit(r *http.Request, link string, edit func(*directory.Record) error) (engine.Resource, error) {
	c := callOf(r)
	return u.write(r, link, directory.EditRecord{Source: c.source.ID, Link: id.Link(link), IfVersion: c.ifMatch, Edit: edit})
}

func (u users) write(r *http.Request, link string, change directory.Change) (engine.Resource, error) {
	c := callOf(r)
	applied, err := u.h.store.Apply(r.Context(), c.cause, change)
	if err != nil {
		return engine.Resource{}, c.refused(r, link, err)
	}
	record, err := c.arrived(r.Context(), applied.Records[0])
	if err != nil {
		return engine.Resource{}, u.h.outside(r, link, err)
	}
	if c.newManager {
		c.warnOfManagers(r.Context(), record)
	}
	c.fresh = applied.Outcomes[0] == directory.Created && !c.referred
	out, err := u.resources(r, []directory.Record{record})
	if err != nil {
		return engine.Resource{}, u.h.outside(r, link, err)
	}
	return out[0], nil
}

// refused answers an error of the store on one resource.
func (c *call) refused(r *http.Request, resource string, err error) error {
	out := c.h.outside(r, resource, err)
	if resource != "" && c.h.missing != nil && isNotFound(out) && (ours(resource) || strings.HasPrefix(resource, resourcePrefix)) {
		c.h.missing(r.Context(), c.cause, resource)
	}
	return out
}

// Get implements engine.ResourceHandler.
func (u users) Get(r *http.Request, link string) (engine.Resource, error) {
	c := callOf(r)
	record, err := u.h.store.Record(r.Context(), c.source.ID, id.Link(link))
	if err != nil {
		return engine.Resource{}, c.refused(r, link, err)
	}
	out, err := u.resources(r, []directory.Record{record})
	if err != nil {
		return engine.Resource{}, u.h.outside(r, link, err)
	}
	return out[0], nil
}

// GetAll implements engine.ResourceHandler.
func (u users) GetAll(r *http.Request, params engine.ListRequestParams) (engine.Page, error) {
	c := callOf(r)
	var records []directory.Record
	total, keep, err := c.page(params, func(where directory.Where, offset, limit int, total bool) (int, int, error) {
		page, err := u.h.store.FindRecords(r.Context(), directory.RecordQuery{Source: c.source.ID, Pushed: true, Where: where, Sort: c.sort,
			Descending: c.descending(), Offset: offset, Limit: limit, NoTotal: !total})
		records = page.Records
		return len(records), page.Total, err
	}, func(i int) (string, string) { return string(records[i].Link), c.recordValue(records[i]) })
	if err != nil {
		return engine.Page{}, u.h.outsideQuery(r, err)
	}
	out, err := u.resources(r, records[:keep])
	if err != nil {
		return engine.Page{}, u.h.outside(r, "", err)
	}
	return engine.Page{TotalResults: total, Resources: out}, nil
}

// Delete implements engine.ResourceHandler.
func (u users) Delete(r *http.Request, link string) error {
	c := callOf(r)
	_, err := u.h.store.Apply(r.Context(), c.cause, directory.DeleteRecord{Source: c.source.ID, Link: id.Link(link), IfVersion: c.ifMatch})
	if err != nil {
		return c.refused(r, link, err)
	}
	return nil
}

// resources writes records as the source asserted them: active is what this source said, whatever others say.
func (u users) resources(r *http.Request, records []directory.Record) ([]engine.Resource, error) {
	c := callOf(r)
	var memberships map[id.Link][]directory.GroupRef
	if len(records) > 0 && !c.fresh && c.projection.wants("groups") {
		links := make([]id.Link, len(records))
		for i, record := range records {
			links[i] = record.Link
		}
		var err error
		if memberships, err = u.h.store.GroupsOf(r.Context(), c.source.ID, links); err != nil {
			return nil, err
		}
	}
	out := make([]engine.Resource, len(records))
	for i, record := range records {
		body, err := u.kind.readRaw(record.Raw)
		if err != nil {
			return nil, err
		}
		body = u.kind.described(body)
		body["active"] = record.Active
		if enterprise, ok := body[enterpriseURN].(map[string]any); ok {
			if manager, ok := enterprise["manager"].(map[string]any); ok {
				c.reference(manager, record.ManagerKey)
			}
		}
		if groups := memberships[record.Link]; len(groups) > 0 {
			body["groups"] = c.groupRefs(groups)
		}
		out[i] = c.carry(string(record.Link), body, stamp{record.CreatedAt, record.UpdatedAt, record.Version})
	}
	return out, nil
}

// reference gives object, which refers to the resource of ours named name, that resource's address.
func (c *call) reference(object resource, name string) {
	delete(object, "$ref")
	switch {
	case strings.HasPrefix(name, userPrefix):
		object["$ref"] = c.base + "/Users/" + name
	case strings.HasPrefix(name, groupPrefix):
		object["$ref"] = c.base + "/Groups/" + name
	}
}

func (c *call) groupRefs(groups []directory.GroupRef) []any {
	out := make([]any, len(groups))
	for i, g := range groups {
		ref := resource{"value": string(g.ID), "display": g.DisplayName, "type": "indirect"}
		if g.Direct {
			ref["type"] = "direct"
		}
		c.reference(ref, string(g.ID))
		out[i] = ref
	}
	return out
}

// described keeps of a resource what its schemas describe and let be read: what no schema knows is kept in the database only.
func (k *kind) described(r resource) resource {
	out := readable(k.core.Attributes, r)
	for _, extension := range k.extensions {
		inner, _ := r[extension.ID].(map[string]any)
		if kept := readable(extension.Attributes, inner); len(kept) > 0 {
			out[extension.ID] = kept
		}
	}
	if v, ok := r["externalId"]; ok {
		out["externalId"] = v
	}
	return out
}

// readable answers what of an object may be read.
func readable(attributes schema.Attributes, r resource) resource {
	out := resource{}
	for _, a := range attributes {
		v, ok := r[a.Name()]
		if !ok || a.Returned() == "never" {
			continue
		}
		hidden := func(sub schema.CoreAttribute) bool { return sub.Returned() == "never" }
		if slices.ContainsFunc(a.SubAttributes(), hidden) {
			for _, sub := range a.SubAttributes() {
				if hidden(sub) {
					dropSub(r, target{attr: a, sub: &sub})
				}
			}
			if isEmpty(v) {
				continue
			}
		}
		out[a.Name()] = v
	}
	return out
}
