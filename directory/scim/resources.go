package scim

import (
	"net/http"
	"time"

	engine "github.com/elimity-com/scim"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// resources is the library's handler of a resource type from configuration.
type resources struct {
	h    *Handler
	kind *kind
}

// assertResource makes record say what the resource says.
func (k *kind) assertResource(record *directory.Resource, r resource, replaced bool) error {
	before, err := k.readRaw(record.Raw)
	if err != nil {
		return err
	}
	if replaced {
		k.carryOver(before, r)
	}
	if err := k.check(before, r); err != nil {
		return err
	}
	delete(r, "schemas")
	dropUnassigned(r)
	if record.ExternalID = text(r, "externalId"); len(record.ExternalID) > maxKeyBytes {
		return invalidValue("externalId is longer than %d bytes.", maxKeyBytes)
	}
	record.Unique = k.uniqueValues(r)
	record.Raw, err = k.writeRaw(r)
	return err
}

// Create implements engine.ResourceHandler.
func (s resources) Create(r *http.Request, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	record := directory.Resource{Source: c.source.ID, Type: s.kind.name}
	if err := s.kind.assertResource(&record, c.written(), false); err != nil {
		return engine.Resource{}, s.h.outside(r, "", err)
	}
	return s.write(r, "", directory.CreateResource{Resource: record})
}

// Replace implements engine.ResourceHandler.
func (s resources) Replace(r *http.Request, name string, _ engine.ResourceAttributes) (engine.Resource, error) {
	c := callOf(r)
	return s.edit(r, name, func(record *directory.Resource) error { return s.kind.assertResource(record, c.written(), true) })
}

// Patch implements engine.ResourceHandler.
func (s resources) Patch(r *http.Request, name string, _ []engine.PatchOperation) (engine.Resource, error) {
	c := callOf(r)
	return s.edit(r, name, func(record *directory.Resource) error {
		body, err := s.kind.readRaw(record.Raw)
		if err != nil {
			return err
		}
		if err := s.kind.apply(body, c.operations); err != nil {
			return err
		}
		applyForeign(body, c.foreignOps)
		return s.kind.assertResource(record, body, false)
	})
}

func (s resources) edit(r *http.Request, name string, edit func(*directory.Resource) error) (engine.Resource, error) {
	c := callOf(r)
	return s.write(r, name, directory.EditResource{Source: c.source.ID, Type: s.kind.name, Resource: id.Resource(name), IfVersion: c.ifMatch, Edit: edit})
}

func (s resources) write(r *http.Request, name string, change directory.Change) (engine.Resource, error) {
	c := callOf(r)
	applied, err := s.h.store.Apply(r.Context(), c.cause, change)
	if err != nil {
		return engine.Resource{}, c.refused(r, name, err)
	}
	return s.resource(r, applied.Resources[0])
}

// Get implements engine.ResourceHandler.
func (s resources) Get(r *http.Request, name string) (engine.Resource, error) {
	c := callOf(r)
	record, err := s.h.store.Resource(r.Context(), c.source.ID, s.kind.name, id.Resource(name))
	if err != nil {
		return engine.Resource{}, c.refused(r, name, err)
	}
	return s.resource(r, record)
}

// GetAll implements engine.ResourceHandler.
func (s resources) GetAll(r *http.Request, params engine.ListRequestParams) (engine.Page, error) {
	c := callOf(r)
	var found []directory.Resource
	total, keep, err := c.page(params, func(where directory.Where, offset, limit int, total bool) (int, int, error) {
		page, err := s.h.store.FindResources(r.Context(), directory.ResourceQuery{Source: c.source.ID, Type: s.kind.name, Where: where, Sort: c.sort,
			Descending: c.descending(), Offset: offset, Limit: limit, NoTotal: !total})
		found = page.Resources
		return len(found), page.Total, err
	}, func(i int) (string, string) { return string(found[i].ID), c.resourceValue(found[i]) })
	if err != nil {
		return engine.Page{}, s.h.outsideQuery(r, err)
	}
	out := make([]engine.Resource, keep)
	for i, record := range found[:keep] {
		if out[i], err = s.resource(r, record); err != nil {
			return engine.Page{}, err
		}
	}
	return engine.Page{TotalResults: total, Resources: out}, nil
}

// Delete implements engine.ResourceHandler.
func (s resources) Delete(r *http.Request, name string) error {
	c := callOf(r)
	_, err := s.h.store.Apply(r.Context(), c.cause, directory.DeleteResource{Source: c.source.ID, Type: s.kind.name, Resource: id.Resource(name), IfVersion: c.ifMatch})
	if err != nil {
		return c.refused(r, name, err)
	}
	return nil
}

func (s resources) resource(r *http.Request, record directory.Resource) (engine.Resource, error) {
	c := callOf(r)
	body, err := s.kind.readRaw(record.Raw)
	if err != nil {
		return engine.Resource{}, s.h.outside(r, string(record.ID), err)
	}
	return c.carry(string(record.ID), s.kind.described(body), stamp{record.CreatedAt, record.UpdatedAt, record.Version}), nil
}

// resourceValue answers what the list is sorted by, of a resource.
func (c *call) resourceValue(r directory.Resource) string {
	switch c.sort {
	case directory.ColCreated:
		return r.CreatedAt.Format(time.RFC3339Nano)
	case directory.ColModified:
		return r.UpdatedAt.Format(time.RFC3339Nano)
	case directory.ColID:
		return string(r.ID)
	case directory.ColExternalID:
		return r.ExternalID
	}
	return c.rawValue(r.Raw)
}
