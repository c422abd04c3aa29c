package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// authorityView answers an authority as a list, that over everything too.
func authorityView(s Source) []string {
	if s.Authority == nil {
		return AuthorityGroups()
	}
	return s.Authority
}

// ConfigureInput says how a source is to be configured; what is absent stays.
type ConfigureInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		Priority  *int      `json:"priority,omitempty" minimum:"1" maximum:"10000" doc:"the lower wins, among sources of the same authority"`
		Authority *[]string `json:"authority,omitempty" doc:"groups of attributes, attributes, label.<name>; all groups together: everything"`
		Correlate *[]string `json:"correlate,omitempty" enum:"employee_number,external_id" doc:"fields by which a new record joins a person another source knows; records that are there keep their person"`
		DryRun    bool      `json:"dry_run,omitempty" doc:"say what would change, and change nothing"`
		Reason    string    `json:"reason,omitempty" maxLength:"2000"`
	}
}

// ConfigureOutput is a source with what its configuration changes, or would change.
type ConfigureOutput struct {
	Body struct {
		Source      SourceView         `json:"source"`
		DryRun      bool               `json:"dry_run"`
		People      int                `json:"people" doc:"of whom something differs"`
		Fields      map[string]int     `json:"fields" doc:"attributes, freezes and affiliations that differ, with of how many people"`
		Memberships []MembershipChange `json:"memberships" nullable:"false" doc:"the first 500; the guard may hold removals"`
		More        int                `json:"more,omitempty" doc:"changes of memberships beyond these"`
		Note        string             `json:"note,omitempty" doc:"what the change does not do"`
	}
}

// shownMost is how many changes of memberships an answer lists.
const shownMost = 500

// Configure answers PATCH /api/v1/sources/{id}: it says what differs and, where it is no dry run, does it. What it takes away is in force
// when it answers.
func (a *API) Configure(ctx context.Context, in *ConfigureInput) (*ConfigureOutput, error) {
	src, err := a.Store.SourceByID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if slices.Contains(a.Configured, src.Name) && !in.Body.DryRun {
		return nil, fmt.Errorf("source %s: %w", src.Name, ErrConfigured)
	}
	out := &ConfigureOutput{}
	b := &out.Body
	b.DryRun, b.Fields, b.Memberships = in.Body.DryRun, map[string]int{}, []MembershipChange{}
	change := ConfigureSource{Source: in.ID, Priority: in.Body.Priority, Authority: in.Body.Authority, Correlate: in.Body.Correlate}
	if in.Body.Correlate != nil && !slices.Equal(*in.Body.Correlate, src.Correlate) {
		b.Note = "new records are joined by this; records that are there keep their person, and pairs that may be one person are work items"
	}
	cause := CauseFrom(ctx, in.Body.Reason)
	look := func(tx *db.Tx, people []id.Person) error {
		if a.Foresee == nil || len(people) == 0 {
			return nil
		}
		list, err := a.Foresee(tx, people)
		list = SightOf(ctx).changes(list)
		room := min(len(list), shownMost-len(b.Memberships))
		b.Memberships, b.More = append(b.Memberships, list[:room]...), b.More+len(list)-room
		return err
	}
	if err := a.Store.TryConfigure(ctx, cause, change, look, func(applied Applied) {
		b.People += len(applied.Changed)
		for _, c := range applied.Changed {
			for _, field := range c.Fields {
				b.Fields[field]++
			}
		}
		if in.Body.Priority != nil {
			src.Priority = *in.Body.Priority
		}
		if in.Body.Authority != nil {
			src.Authority = normal(*in.Body.Authority)
		}
		if in.Body.Correlate != nil {
			src.Correlate = *in.Body.Correlate
		}
	}); err != nil {
		return nil, err
	}
	if !in.Body.DryRun {
		if src, err = a.Store.Configure(ctx, cause, change); err != nil {
			return nil, err
		}
	}
	b.Source, err = a.sourceView(ctx, src)
	return out, err
}
