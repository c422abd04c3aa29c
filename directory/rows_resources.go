package directory

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type resourceRow struct {
	ID         id.Resource
	SourceID   id.Source
	Type       string
	ExternalID string
	Raw        string
	Version    int64
	CreatedAt  db.Instant
	UpdatedAt  db.Instant
}

func (resourceRow) TableName() string { return "resources" }

func (r resourceRow) resource() Resource {
	return Resource{ID: r.ID, Source: r.SourceID, Type: r.Type, ExternalID: r.ExternalID, Raw: json.RawMessage(r.Raw), Version: r.Version,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
}

func resourceRowOf(r Resource) resourceRow {
	return resourceRow{ID: r.ID, SourceID: r.Source, Type: r.Type, ExternalID: r.ExternalID, Raw: string(r.Raw), Version: r.Version,
		CreatedAt: db.At(r.CreatedAt), UpdatedAt: db.At(r.UpdatedAt)}
}

type resourceValueRow struct {
	Attribute  string
	Value      string
	Type       string
	SourceID   id.Source
	ResourceID id.Resource
}

func (resourceValueRow) TableName() string { return "resource_values" }

// resourceValueRowsOf answers the rows of the unique values of r, each once, in one order.
func resourceValueRowsOf(r Resource) []resourceValueRow {
	var rows []resourceValueRow
	for _, attribute := range slices.Sorted(maps.Keys(r.Unique)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(r.Unique[attribute]))) {
			rows = append(rows, resourceValueRow{Attribute: attribute, Value: value, Type: r.Type, SourceID: r.Source, ResourceID: r.ID})
		}
	}
	return rows
}
