package directory

import (
	"context"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/id"
)

// UnitByID answers a unit, of whatever source; ErrNotFound where there is none.
func (r Reader) UnitByID(ctx context.Context, unit id.Unit) (Unit, error) {
	var rows []unitRow
	if err := r.from(ctx).Where("id = ?", unit).Limit(1).Find(&rows).Error; err != nil {
		return Unit{}, fmt.Errorf("read unit: %w", err)
	}
	if len(rows) == 0 {
		return Unit{}, fmt.Errorf("%w: unit %s", ErrNotFound, unit)
	}
	return rows[0].unit(), nil
}

// GroupName answers what a directory group is called, of whatever source; "" where there is none.
func (r Reader) GroupName(ctx context.Context, group id.DirectoryGroup) (name string, err error) {
	if err := r.from(ctx).Raw("select display_name from directory_groups where id = ?", group).Scan(&name).Error; err != nil {
		return "", fmt.Errorf("read directory group: %w", err)
	}
	return name, nil
}
