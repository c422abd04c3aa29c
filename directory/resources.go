package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Resource is what a source keeps here of a type from configuration. It is nobody's record: no person and no access depends on it.
type Resource struct {
	ID         id.Resource
	Source     id.Source
	Type       string
	ExternalID string
	Raw        json.RawMessage
	// Unique are the values, by attribute and in the form they compare in, that no other resource of the type has in the source.
	// It is written and not read back.
	Unique               map[string][]string
	Version              int64
	CreatedAt, UpdatedAt time.Time
}

// CreateResource makes a resource; a unique value that another one has is ErrExists.
type CreateResource struct{ Resource Resource }

// EditResource changes a resource under its lock; Edit sets Unique anew. See EditRecord for IfVersion and Edit.
type EditResource struct {
	Source    id.Source
	Type      string
	Resource  id.Resource
	IfVersion []int64
	Edit      func(*Resource) error
}

// DeleteResource deletes a resource and leaves nothing; an unknown one is ErrNotFound.
type DeleteResource struct {
	Source    id.Source
	Type      string
	Resource  id.Resource
	IfVersion []int64
}

func (CreateResource) change() {}
func (EditResource) change()   {}
func (DeleteResource) change() {}

func (w *work) createResource(c CreateResource) (Outcome, error) {
	r := c.Resource
	if r.Type == "" {
		return "", fmt.Errorf("%w: a resource needs its type", ErrInvalid)
	}
	if err := w.cleanResource(r); err != nil {
		return "", err
	}
	r.ID, r.Version, r.CreatedAt, r.UpdatedAt = id.New[id.Resource](), 1, w.now, w.now
	row := resourceRowOf(r)
	if err := w.tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("write resource: %w", err)
	}
	if _, err := w.uniqueValues(r, true); err != nil {
		return "", err
	}
	w.resourceNote("resource.created", r, Resource{})
	return Created, nil
}

func (w *work) cleanResource(r Resource) error {
	if _, err := w.source(r.Source); err != nil {
		return err
	}
	for field, value := range map[string]string{"externalId": r.ExternalID, "raw": string(r.Raw)} {
		if err := storable(field, value); err != nil {
			return err
		}
	}
	if !json.Valid(r.Raw) {
		return fmt.Errorf("%w: raw form is not JSON", ErrInvalid)
	}
	return nil
}

// lockResource reads a resource of a source for writing.
func (w *work) lockResource(source id.Source, typ string, resource id.Resource, ifVersion []int64) (Resource, error) {
	var rows []resourceRow
	if err := w.tx.ForUpdate().Where("id = ? and source_id = ? and type = ?", resource, source, typ).Find(&rows).Error; err != nil {
		return Resource{}, fmt.Errorf("read resource: %w", err)
	}
	if len(rows) == 0 {
		return Resource{}, fmt.Errorf("resource %s: %w", resource, ErrNotFound)
	}
	return rows[0].resource(), matches(ifVersion, rows[0].Version)
}

func (w *work) editResource(c EditResource) (Outcome, error) {
	before, err := w.lockResource(c.Source, c.Type, c.Resource, c.IfVersion)
	if err != nil {
		return "", err
	}
	r := before
	r.Raw = slices.Clone(r.Raw)
	if err := c.Edit(&r); err != nil {
		return "", err
	}
	r.ID, r.Source, r.Type, r.Version, r.CreatedAt, r.UpdatedAt = before.ID, before.Source, before.Type, before.Version, before.CreatedAt, before.UpdatedAt
	if err := w.cleanResource(r); err != nil {
		return "", err
	}
	changed, err := w.uniqueValues(r, false)
	if err != nil {
		return "", err
	}
	if !changed && before.ExternalID == r.ExternalID && text(raw(before.Raw)) == text(raw(r.Raw)) {
		w.applied.Resources[w.index] = before
		return Unchanged, nil
	}
	r.Version, r.UpdatedAt = before.Version+1, w.now
	if err := w.tx.Exec("update resources set external_id = ?, raw = ?, version = ?, updated_at = ? where id = ?",
		r.ExternalID, string(r.Raw), r.Version, r.UpdatedAt.UnixMicro(), r.ID).Error; err != nil {
		return "", fmt.Errorf("write resource: %w", err)
	}
	w.resourceNote("resource.changed", r, before)
	return Updated, nil
}

func (w *work) deleteResource(c DeleteResource) (Outcome, error) {
	r, err := w.lockResource(c.Source, c.Type, c.Resource, c.IfVersion)
	if err != nil {
		return "", err
	}
	for _, statement := range []string{"delete from resource_values where resource_id = ?", "delete from resources where id = ?"} {
		if err := w.tx.Exec(statement, r.ID).Error; err != nil {
			return "", fmt.Errorf("delete resource: %w", err)
		}
	}
	w.resourceNote("resource.deleted", r, r)
	return Deleted, nil
}

// uniqueValues writes the unique values of r that differ from what stands, always in one order, so that two writers never wait for each other.
func (w *work) uniqueValues(r Resource, fresh bool) (changed bool, err error) {
	var standing []resourceValueRow
	if !fresh {
		if err := w.tx.Where("resource_id = ?", r.ID).Find(&standing).Error; err != nil {
			return false, fmt.Errorf("read values: %w", err)
		}
	}
	wanted := resourceValueRowsOf(r)
	for _, row := range standing {
		if slices.Contains(wanted, row) {
			continue
		}
		changed = true
		if err := w.tx.Exec("delete from resource_values where attribute = ? and value = ? and type = ? and source_id = ?", row.Attribute, row.Value, row.Type, row.SourceID).Error; err != nil {
			return false, fmt.Errorf("delete values: %w", err)
		}
	}
	for _, row := range wanted {
		if slices.Contains(standing, row) {
			continue
		}
		if err := storable(row.Attribute, row.Value); err != nil {
			return false, err
		}
		var other int64
		if err := w.tx.Raw("select count(*) from resource_values where attribute = ? and value = ? and type = ? and source_id = ?",
			row.Attribute, row.Value, row.Type, row.SourceID).Scan(&other).Error; err != nil {
			return false, fmt.Errorf("read values: %w", err)
		}
		if other > 0 {
			return false, &ConflictError{Field: row.Attribute}
		}
		changed = true
		if err := w.tx.Create(&row).Error; err != nil {
			return false, fmt.Errorf("write values: %w", duplicate(err))
		}
	}
	return changed, nil
}

func (w *work) resourceNote(action string, r, before Resource) {
	w.wrote = true
	w.applied.Resources[w.index] = r
	fields := diff([]attribute{{"external_id", before.ExternalID}, {"raw", raw(before.Raw)}}, []attribute{{"external_id", r.ExternalID}, {"raw", raw(r.Raw)}})
	w.note(action, string(r.ID), fields, map[string]any{"source": r.Source, "type": r.Type, "version": r.Version})
	w.events = append(w.events, feed.Event{At: w.now, Kind: "resource.changed", Subject: string(r.ID), Data: json.RawMessage(`{"action":"` + action + `"}`)})
}
