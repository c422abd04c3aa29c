package provisioning

import (
	"cmp"
	"context"
	"errors"

	"github.com/rollcall-im/rollcall/directory"
)

// HoldAbout names the group, unit or directory group that a hold is about.
type HoldAbout struct {
	Kind  string            `json:"kind" enum:"group,unit,directory_group"`
	ID    string            `json:"id"`
	Name  string            `json:"name" doc:"as its source calls it; of a group its key"`
	Names map[string]string `json:"names,omitempty" doc:"by language"`
}

// about answers what a breach names; nil where it names nothing. What is gone meanwhile has its id for a name.
func (r *Reactor) about(ctx context.Context, c *catalog, b Breach) (*HoldAbout, error) {
	switch {
	case b.Group != "":
		g := c.groups[b.Group]
		return &HoldAbout{"group", string(b.Group), cmp.Or(g.Key, string(b.Group)), g.Names}, nil
	case b.Unit != "":
		u, err := r.directory.UnitByID(ctx, b.Unit)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, err
		}
		return &HoldAbout{"unit", string(b.Unit), cmp.Or(u.Name, u.Key, string(b.Unit)), u.Names}, nil
	case b.DirectoryGroup != "":
		name, err := r.directory.GroupName(ctx, b.DirectoryGroup)
		if err != nil {
			return nil, err
		}
		return &HoldAbout{"directory_group", string(b.DirectoryGroup), cmp.Or(name, string(b.DirectoryGroup)), nil}, nil
	}
	return nil, nil
}

// nameOf answers what the thing is called that a breach is about; empty where it names nothing.
func (r *Reactor) nameOf(ctx context.Context, c *catalog, b Breach) (string, error) {
	about, err := r.about(ctx, c, b)
	if err != nil || about == nil {
		return "", err
	}
	return about.Name, nil
}

// name answers everything of out that has an id alone until now.
func (a *API) name(ctx context.Context, c *catalog, out *HoldItem) (err error) {
	if out.About, err = a.Reactor.about(ctx, c, out.Breach); err != nil {
		return err
	}
	if out.About != nil {
		out.Reason = out.Breach.naming(out.About.Name)
	}
	if out.Source == "" {
		return nil
	}
	s, err := a.Directory.SourceByID(ctx, out.Source)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	out.SourceName = s.Name
	return err
}
