package directory

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Resource answers a resource of a source; ErrNotFound for others and other sources'.
func (r Reader) Resource(ctx context.Context, source id.Source, typ string, resource id.Resource) (Resource, error) {
	var rows []resourceRow
	if storable("id", string(resource)) == nil {
		if err := r.from(ctx).Where("id = ? and source_id = ? and type = ?", resource, source, typ).Find(&rows).Error; err != nil {
			return Resource{}, fmt.Errorf("read resource: %w", err)
		}
	}
	if len(rows) == 0 {
		return Resource{}, fmt.Errorf("resource %q: %w", resource, ErrNotFound)
	}
	return rows[0].resource(), nil
}

// FindResources answers one page of resources of a type and source.
func (r Reader) FindResources(ctx context.Context, q ResourceQuery) (ResourcePage, error) {
	c := compiler{table: resourceTable(r.engine)}
	where, err := c.where(q.Where)
	if err != nil {
		return ResourcePage{}, err
	}
	order, err := c.table.order(q.Sort, q.Descending)
	if err != nil {
		return ResourcePage{}, err
	}
	where = "resources.source_id = ? and resources.type = ? and " + where
	args := append([]any{q.Source, q.Type}, c.args...)
	var page ResourcePage
	if !q.NoTotal {
		if err := r.from(ctx).Raw("select count(*) from resources where "+where, args...).Scan(&page.Total).Error; err != nil {
			return ResourcePage{}, fmt.Errorf("count resources: %w", err)
		}
	}
	if q.Limit <= 0 {
		return page, nil
	}
	var rows []resourceRow
	if err := r.from(ctx).Raw("select resources.* from resources where "+where+" order by "+order+" limit ? offset ?", append(args, q.Limit, max(q.Offset, 0))...).Scan(&rows).Error; err != nil {
		return ResourcePage{}, fmt.Errorf("find resources: %w", err)
	}
	page.Resources = make([]Resource, len(rows))
	for i, row := range rows {
		page.Resources[i] = row.resource()
	}
	return page, nil
}

func resourceTable(engine db.Engine) tableColumns {
	return tableColumns{"resources", "resources.id", resourceColumn, engine}
}

func resourceColumn(c Column) (column, bool) {
	switch c {
	case ColID:
		return column{sql: "resources.id"}, true
	case ColExternalID:
		return column{sql: "resources.external_id"}, true
	case ColCreated:
		return column{sql: "resources.created_at", kind: moments}, true
	case ColModified:
		return column{sql: "resources.updated_at", kind: moments}, true
	}
	return column{}, false
}
