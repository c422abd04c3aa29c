package directory

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// SourceCounts is how much a source has told so far.
type SourceCounts struct {
	Records int `json:"records" doc:"people, without those it deleted"`
	Active  int `json:"active" doc:"of them enabled"`
	Staged  int `json:"staged" doc:"of them, how many nothing follows from yet: the source is in its dry run, or on its way out of it"`
	Groups  int `json:"groups"`
	Units   int `json:"units"`
	// Pending references name somebody or something that the source has not sent yet.
	PendingMembers  int `json:"pending_members" doc:"group members nobody of that id is known for yet"`
	PendingManagers int `json:"pending_managers"`
	PendingUnits    int `json:"pending_units"`
}

// SourceCounts counts what a source has told.
func (r Reader) SourceCounts(ctx context.Context, source id.Source) (SourceCounts, error) {
	var c SourceCounts
	for _, one := range []struct {
		into  *int
		query string
	}{
		{&c.Records, "select live_records from sources where id = ?"},
		{&c.Active, "select count(*) from records r where r.source_id = ? and r.deleted_at is null and r.active"},
		{&c.Staged, "select count(*) from records r where r.source_id = ? and r.deleted_at is null and r.person_id is null"},
		{&c.Groups, "select count(*) from directory_groups g where g.source_id = ?"},
		{&c.Units, "select count(*) from units u where u.source_id = ?"},
		{&c.PendingMembers, `select count(*) from group_members m where m.source_id = ?
			and not exists (select 1 from records r where r.source_id = m.source_id and r.record_key = m.value and r.deleted_at is null)
			and not exists (select 1 from directory_groups g where g.source_id = m.source_id and g.group_key = m.value)`},
		{&c.PendingManagers, `select count(*) from records r where r.source_id = ? and r.deleted_at is null and r.manager_key <> ''
			and not exists (select 1 from records m where m.source_id = r.source_id and m.record_key = r.manager_key and m.deleted_at is null)`},
		{&c.PendingUnits, `select count(*) from records r where r.source_id = ? and r.deleted_at is null and r.unit_key <> ''
			and not exists (select 1 from units u where u.source_id = r.source_id and u.unit_key = r.unit_key)`},
	} {
		if err := r.from(ctx).Raw(one.query, source).Scan(one.into).Error; err != nil {
			return SourceCounts{}, fmt.Errorf("count what a source told: %w", err)
		}
	}
	return c, nil
}

// SourceInPath names a source.
type SourceInPath struct {
	ID id.Source `path:"id"`
}

// SourceDetail is one source with how much it has told.
type SourceDetail struct {
	Body struct {
		SourceView
		SCIM   string       `json:"scim_url,omitempty" doc:"the base address to give a SCIM client"`
		Counts SourceCounts `json:"counts"`
	}
}

// GetSource answers GET /api/v1/sources/{id}.
func (a *API) GetSource(ctx context.Context, in *SourceInPath) (*SourceDetail, error) {
	s, err := a.Store.SourceByID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &SourceDetail{}
	if out.Body.SourceView, err = a.sourceView(ctx, s); err != nil {
		return nil, err
	}
	health, err := a.health(ctx, []Source{s})
	if err != nil {
		return nil, err
	}
	out.Body.Health = health[s.ID]
	if s.Kind == KindSCIM {
		out.Body.SCIM = strings.TrimRight(a.PublicURL, "/") + "/scim/v2"
	}
	out.Body.Counts, err = a.Store.SourceCounts(ctx, s.ID)
	return out, err
}
