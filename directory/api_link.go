package directory

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// MembershipChange is what a decision does to one membership.
type MembershipChange struct {
	Person   id.Person `json:"person"`
	Group    string    `json:"group" doc:"key of the project group"`
	Op       string    `json:"op" enum:"add,begin,remove,role,reasons"`
	Role     string    `json:"role" doc:"after; of a removal the last one"`
	FromRole string    `json:"from_role,omitempty"`
	Cause    string    `json:"cause"`
	Reasons  []string  `json:"reasons" nullable:"false"`
	At       time.Time `json:"at,omitzero" doc:"of what is planned: when"`
}

// FieldChange is what a decision does to one attribute of who stays.
type FieldChange struct {
	Name   string `json:"name"`
	Before any    `json:"before"`
	Now    any    `json:"now"`
}

// LinkInput says who of a work item stays.
type LinkInput struct {
	ID   id.WorkItem `path:"id"`
	Body struct {
		Keep   id.Person `json:"keep" minLength:"1" doc:"one of the two: the records of the other become theirs"`
		DryRun bool      `json:"dry_run,omitempty" doc:"say what would change, and change nothing"`
		Reason string    `json:"reason,omitempty" maxLength:"2000"`
	}
}

// JoinOutput is what a decision changes, or would change.
type JoinOutput struct {
	Body struct {
		DryRun       bool               `json:"dry_run"`
		Kept         PersonRef          `json:"kept"`
		Other        PersonRef          `json:"other" doc:"who is nobody after a link; whose a record is after a split"`
		Records      []RecordView       `json:"records" nullable:"false" doc:"those that change hands"`
		Fields       []FieldChange      `json:"fields" nullable:"false" doc:"attributes of who stays"`
		Freezes      []FreezeView       `json:"freezes" nullable:"false" doc:"those that stand on who stays, after"`
		OtherFreezes []FreezeView       `json:"other_freezes" nullable:"false" doc:"of a split: those that stand on whose the record is, after"`
		Memberships  []MembershipChange `json:"memberships" nullable:"false"`
	}
}

// Link answers POST /api/v1/work-items/{id}/link. What it takes away is in force when it answers; repeating it is no change.
func (a *API) Link(ctx context.Context, in *LinkInput) (*JoinOutput, error) {
	item, err := a.Store.WorkItem(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Keep != item.Newer && in.Body.Keep != item.Older {
		return nil, fmt.Errorf("%w: keep is one of the two people of the work item", ErrInvalid)
	}
	gone := item.Other(in.Body.Keep)
	records, err := a.Store.Records(ctx, gone)
	if err != nil {
		return nil, err
	}
	moved := make([]id.Link, len(records))
	for i, r := range records {
		moved[i] = r.Link
	}
	return a.decide(ctx, in.Body.Keep, gone, moved, in.Body.DryRun, in.Body.Reason, MergePeople{Keep: in.Body.Keep, Gone: gone})
}

// spareAdmins refuses to let anybody say who an administrator is but those who make administrators: whoever is linked to one signs in as them.
func (a *API) spareAdmins(ctx context.Context, people ...id.Person) error {
	if httpapi.CallerFrom(ctx).Grants.Holds(roles.AdminsWrite) {
		return nil
	}
	admins, err := a.admins(ctx)
	if err != nil {
		return err
	}
	for _, p := range people {
		if admins[p] {
			return httpapi.NewProblem(http.StatusForbidden, "administrator", "this person is an administrator: only who makes administrators may do that")
		}
	}
	return nil
}

// decide makes one decision, or shows what it would do.
func (a *API) decide(ctx context.Context, keep, other id.Person, moved []id.Link, dry bool, reason string, change Change) (*JoinOutput, error) {
	if err := a.spareAdmins(ctx, keep, other); err != nil {
		return nil, err
	}
	before, err := a.Store.For(ctx).Person(ctx, keep)
	if err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	out := &JoinOutput{}
	b := &out.Body
	b.DryRun, b.Fields, b.Records, b.Freezes, b.OtherFreezes, b.Memberships = dry, []FieldChange{}, []RecordView{}, []FreezeView{}, []FreezeView{}, []MembershipChange{}
	look := func(tx *db.Tx) error {
		r := a.Store.In(tx).For(ctx)
		after, err := r.Person(ctx, keep)
		if err != nil {
			return err
		}
		for _, f := range DiffPerson(before, after) {
			b.Fields = append(b.Fields, FieldChange(f))
		}
		if b.Freezes, err = a.standingViews(ctx, r, sources, keep); err != nil {
			return err
		}
		people := []id.Person{keep}
		for _, link := range moved {
			var rows []recordRow
			if err := tx.Where("link = ?", link).Find(&rows).Error; err != nil {
				return fmt.Errorf("read records: %w", err)
			}
			for _, row := range rows {
				rec := row.record()
				b.Records = append(b.Records, recordView(rec, sources))
				if people = append(people, rec.Person); other == "" {
					if b.OtherFreezes, err = a.standingViews(ctx, r, sources, rec.Person); err != nil {
						return err
					}
				}
			}
		}
		if other != "" {
			people = append(people, other)
		}
		if a.Foresee != nil {
			b.Memberships, err = a.Foresee(tx, people)
			b.Memberships = notNil(SightOf(ctx).changes(b.Memberships))
		}
		return err
	}
	cause := CauseFrom(ctx, reason)
	applied, err := a.Store.Try(ctx, cause, look, change)
	if err != nil {
		return nil, err
	}
	if !dry {
		if applied, err = a.Store.Apply(ctx, cause, change); err != nil {
			return nil, err
		}
	}
	if rec := applied.Records[0]; other == "" {
		other = rec.Person
	}
	names, err := a.Store.ownNames(ctx, []id.Person{keep, other})
	b.Kept, b.Other = PersonRef{keep, names[keep]}, PersonRef{other, names[other]}
	return out, err
}

func (a *API) standingViews(ctx context.Context, r Reader, sources map[id.Source]Source, person id.Person) ([]FreezeView, error) {
	freezes, err := r.standing(ctx, []id.Person{person})
	out := []FreezeView{}
	for _, f := range freezes {
		out = append(out, freezeView(f, sources, a.Store.clock()))
	}
	return out, err
}

// SeparateInput says that the two of a work item are two.
type SeparateInput struct {
	ID   id.WorkItem `path:"id"`
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"2000"`
	}
}

// SeparateOutput is the closed work item.
type SeparateOutput struct{ Body WorkItemView }

// Separate answers POST /api/v1/work-items/{id}/separate: the pair is never asked about again.
func (a *API) Separate(ctx context.Context, in *SeparateInput) (*SeparateOutput, error) {
	if _, err := a.Store.Apply(ctx, CauseFrom(ctx, in.Body.Reason), SeparatePeople{Item: in.ID}); err != nil {
		return nil, err
	}
	item, err := a.Store.WorkItem(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	views, err := a.itemViews(ctx, []WorkItem{item})
	if err != nil {
		return nil, err
	}
	return &SeparateOutput{Body: views[0]}, nil
}

// SplitInput names a record of a person.
type SplitInput struct {
	ID   id.Person `path:"id"`
	Link id.Link   `path:"link"`
	Body struct {
		DryRun bool   `json:"dry_run,omitempty" doc:"say what would change, and change nothing"`
		Reason string `json:"reason,omitempty" maxLength:"2000"`
	}
}

// Split answers POST /api/v1/people/{id}/records/{link}/split: the record goes back to whom it was linked from, or to a person of its own.
func (a *API) Split(ctx context.Context, in *SplitInput) (*JoinOutput, error) {
	return a.decide(ctx, in.ID, "", []id.Link{in.Link}, in.Body.DryRun, in.Body.Reason, SplitRecord{Person: in.ID, Link: in.Link})
}
