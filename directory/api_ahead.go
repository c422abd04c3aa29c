package directory

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// AheadView is what holds of a person from a known instant on.
type AheadView struct {
	At      time.Time     `json:"at"`
	Status  Status        `json:"status"`
	Frozen  bool          `json:"frozen"`
	Changes []FieldChange `json:"changes" nullable:"false" doc:"attributes that differ from what holds before; a unit and a manager by name"`
}

// aheadViews answers what will change of a person by itself. An instant at which nothing does is left out.
func (a *API) aheadViews(ctx context.Context, person id.Person) ([]AheadView, error) {
	out := []AheadView{}
	facts, err := a.Store.For(ctx).factsOf(ctx, person)
	if err != nil || len(facts) == 0 {
		return out, err
	}
	people := []Person{facts[0].Person}
	for _, f := range facts[0].Ahead {
		people = append(people, f.Person)
	}
	units, managers, err := a.refs(ctx, people, nil)
	if err != nil {
		return nil, err
	}
	named := func(value any) any {
		if unit, ok := value.(id.Unit); ok && units[unit] != nil {
			return units[unit].Name
		}
		if manager, ok := value.(id.Person); ok && managers[manager] != nil {
			return managers[manager].DisplayName
		}
		return value
	}
	last := facts[0].Person
	for _, f := range facts[0].Ahead {
		v := AheadView{At: f.At, Status: f.Person.Status, Frozen: f.Person.Frozen, Changes: []FieldChange{}}
		for _, d := range DiffPerson(last, f.Person) {
			v.Changes = append(v.Changes, FieldChange{d.Name, named(d.Before), named(d.Now)})
		}
		if len(v.Changes) > 0 || v.Status != last.Status || v.Frozen != last.Frozen {
			out = append(out, v)
		}
		last = f.Person
	}
	return out, nil
}

// factsOf answers the facts of one person, outside any transaction; none where nobody knows them.
func (r Reader) factsOf(ctx context.Context, person id.Person) ([]Fact, error) {
	var rows []personRow
	if err := r.from(ctx).Where("id = ?", person).Find(&rows).Error; err != nil {
		return nil, err
	}
	sources, err := r.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	return r.facts(ctx, rows, sources)
}

// TerminateInput ends somebody's access at once.
type TerminateInput struct {
	ID   id.Person `path:"id"`
	Body struct {
		Reason string    `json:"reason,omitempty" maxLength:"2000" doc:"shown to administrators only"`
		At     time.Time `json:"at,omitzero" required:"false" doc:"since when it holds, for the audit log; not in the future"`
		Until  time.Time `json:"until,omitzero" required:"false" doc:"until when no source lifts it; absent: until somebody does"`
	}
}

// Terminate answers POST /api/v1/people/{id}/terminate. It is in force everywhere when it answers; an end that is planned stays.
// What it opens is lifted by unfreeze.
func (a *API) Terminate(ctx context.Context, in *TerminateInput) (*FreezeOutput, error) {
	c := Terminate{Person: in.ID, At: in.Body.At, Until: in.Body.Until, Reason: in.Body.Reason}
	applied, err := a.Store.Apply(ctx, CauseFrom(ctx, ""), c)
	if err != nil {
		return nil, err
	}
	return &FreezeOutput{Body: freezeView(applied.Freezes[0], nil, a.Store.clock())}, nil
}
