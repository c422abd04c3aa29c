package provisioning

import (
	"context"

	"github.com/rollcall-im/rollcall/directory"
)

// Enact puts a plan's policy into force and stops there, as a process that ends in between.
func (r *Reactor) Enact(ctx context.Context, p *Plan) error {
	files, _, err := loadPlan(r.db.Read(ctx), p.ID)
	if err != nil {
		return err
	}
	policy, err := parse(files)
	if err != nil {
		return err
	}
	_, err = r.enact(ctx, directory.Cause{}, p, policy, files)
	return err
}

// Tables lists one row of every table.
func Tables() []any { return tables() }
