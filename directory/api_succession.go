package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// NamingRule is a rule that names a unit which is to become another.
type NamingRule struct {
	Group string `json:"group" doc:"key of the project group"`
	Rule  string `json:"rule"`
	When  string `json:"when"`
	Edit  bool   `json:"edit" doc:"it compares the key of a unit with another: that does not follow, so it wants to be edited"`
}

// SuccessionBody is a file that declares what becomes of units.
type SuccessionBody struct {
	Name      string    `json:"name,omitempty" maxLength:"200" doc:"of the file; .csv is read as CSV, anything else as YAML"`
	Text      string    `json:"text" maxLength:"1000000"`
	Source    string    `json:"source,omitempty" maxLength:"40" doc:"name of the source, where the file names none"`
	Effective time.Time `json:"effective,omitzero" required:"false" doc:"from when on, where the file does not say"`
	Reason    string    `json:"reason,omitempty" maxLength:"1000" doc:"why; for the audit log"`
}

// SuccessionItem is one unit that was and one that is.
type SuccessionItem struct {
	Kind     SuccessionKind    `json:"kind" enum:"renumber,split,merge"`
	Old      string            `json:"old"`
	OldName  string            `json:"old_name"`
	OldNames map[string]string `json:"old_names,omitempty" doc:"by language"`
	New      string            `json:"new"`
	NewKnown bool              `json:"new_known" doc:"the source has the new unit already"`
	People   int               `json:"people" doc:"in the old unit and below it"`
	Already  int               `json:"already" doc:"in the new unit and below it"`
}

// SuccessionPlan is what is planned of units. What that does to whom is in the plan, which is looked at, approved and applied as any other.
type SuccessionPlan struct {
	Source    string           `json:"source"`
	Effective time.Time        `json:"effective_at"`
	Withdraw  bool             `json:"withdraw" doc:"it takes a declaration back"`
	Items     []SuccessionItem `json:"items" nullable:"false"`
	Rules     []NamingRule     `json:"rules" nullable:"false" doc:"that name one of the old units"`
	Scopes    int              `json:"scopes" doc:"roles of administrators for one of the old units, which are for the new ones too"`
	Plan      id.Plan          `json:"plan" doc:"GET /api/v1/plans/{id} says whom it concerns; POST …/apply applies it"`
	Hash      string           `json:"hash" doc:"of the plan"`
}

// SuccessionPlanOutput answers a preview.
type SuccessionPlanOutput struct{ Body SuccessionPlan }

// PlanSuccessions answers POST /api/v1/units/successions/plan: a plan is made, and nothing else.
func (a *API) PlanSuccessions(ctx context.Context, in *struct{ Body SuccessionBody }) (*SuccessionPlanOutput, error) {
	body := in.Body
	body.Name = cmp.Or(body.Name, "units.yaml")
	file, err := ReadSuccessions(body.Name, body.Text)
	if err != nil {
		return nil, err
	}
	if file.At.IsZero() {
		file.At = body.Effective
	}
	if file.Source = cmp.Or(file.Source, body.Source); file.Source == "" || file.At.IsZero() {
		return nil, fmt.Errorf("%w: say of which source, and from when on (source, effective)", ErrInvalid)
	}
	source, err := a.Store.SourceByName(ctx, file.Source)
	if err != nil {
		return nil, err
	}
	plan := SuccessionPlan{Source: source.Name, Effective: file.At.UTC()}
	plan, err = a.planUnits(ctx, DeclareSuccessions{Source: source.ID, At: file.At, List: file.List}, source.ID, file.List, plan, body.Reason)
	return &SuccessionPlanOutput{plan}, named(err, body.Name)
}

// WithdrawInput names a declaration.
type WithdrawInput struct {
	ID   id.Succession `path:"id"`
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"1000" doc:"why; for the audit log"`
	}
}

// PlanWithdrawal answers POST /api/v1/units/successions/{id}/withdraw: a plan that takes a declaration back is made, and nothing else.
func (a *API) PlanWithdrawal(ctx context.Context, in *WithdrawInput) (*SuccessionPlanOutput, error) {
	list, err := a.Store.Successions(ctx, "")
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s Succession) bool { return s.ID != in.ID })
	if len(list) == 0 {
		return nil, fmt.Errorf("succession %s: %w", in.ID, ErrNotFound)
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	source := list[0].Source
	plan := SuccessionPlan{Source: sources[source].Name, Effective: list[0].At.UTC(), Withdraw: true}
	plan, err = a.planUnits(ctx, WithdrawSuccessions{Source: source, ID: in.ID}, source, list, plan, in.Body.Reason)
	return &SuccessionPlanOutput{plan}, err
}

// SuccessionView is one declared succession.
type SuccessionView struct {
	ID        id.Succession     `json:"id" doc:"of the declaration"`
	Source    string            `json:"source"`
	Kind      SuccessionKind    `json:"kind"`
	Old       string            `json:"old"`
	OldName   string            `json:"old_name"`
	OldNames  map[string]string `json:"old_names,omitempty" doc:"by language"`
	New       string            `json:"new"`
	At        time.Time         `json:"effective_at"`
	InForce   bool              `json:"in_force"`
	CreatedAt time.Time         `json:"created_at"`
	Actor     string            `json:"actor"`
}

// ListSuccessions answers GET /api/v1/units/successions, the latest first.
func (a *API) ListSuccessions(ctx context.Context, _ *struct{}) (*httpapi.Page[SuccessionView], error) {
	list, err := a.Store.Successions(ctx, "")
	if err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	now := a.Store.clock()
	views := make([]SuccessionView, len(list))
	for i, s := range list {
		views[i] = SuccessionView{ID: s.ID, Source: sources[s.Source].Name, Kind: s.Kind, Old: s.Old, OldName: s.OldName, OldNames: s.OldNames, New: s.New, At: s.At,
			InForce: !s.At.After(now), CreatedAt: s.CreatedAt, Actor: s.Actor}
	}
	return httpapi.NewPage(ctx, views, ""), nil
}

func named(err error, file string) error {
	var wrong *SuccessionError
	if errors.As(err, &wrong) && wrong.File == "" {
		wrong.File = file
		return wrong
	}
	return err
}

// planUnits says what a change is about, and has it planned.
func (a *API) planUnits(ctx context.Context, change Change, source id.Source, list []Succession, plan SuccessionPlan, reason string) (SuccessionPlan, error) {
	plan.Items, plan.Rules = []SuccessionItem{}, []NamingRule{}
	if a.PlanUnits == nil {
		return plan, fmt.Errorf("%w: nobody plans", ErrInvalid)
	}
	var err error
	if plan.Plan, plan.Hash, err = a.PlanUnits(ctx, change, reason); err != nil {
		return plan, err
	}
	if plan.Items, err = a.Store.successionItems(ctx, source, list); err != nil {
		return plan, err
	}
	return plan, a.follow(ctx, source, list, &plan)
}

// follow finds what names the old units: rules, and roles of administrators.
func (a *API) follow(ctx context.Context, source id.Source, list []Succession, plan *SuccessionPlan) error {
	var old []string
	var units []id.Unit
	known, err := a.Store.UnitsOf(ctx, source)
	if err != nil {
		return err
	}
	for _, s := range list {
		old = append(old, s.Old)
		for _, u := range known {
			if u.Key == s.Old {
				old, units = append(old, u.Name), append(units, u.ID)
				for _, name := range u.Names {
					old = append(old, name)
				}
			}
		}
	}
	if a.Naming != nil {
		if plan.Rules, err = a.Naming(ctx, old); err != nil {
			return err
		}
	}
	if a.Scoped != nil {
		slices.Sort(units)
		plan.Scopes, err = a.Scoped(ctx, slices.Compact(units))
	}
	return err
}

// successionItems says of each unit that was and unit that is what is known of them.
func (r Reader) successionItems(ctx context.Context, source id.Source, list []Succession) ([]SuccessionItem, error) {
	out := []SuccessionItem{}
	for _, s := range list {
		item := SuccessionItem{Kind: s.Kind, Old: s.Old, New: s.New}
		was, err := inUnit(r.from(ctx), source, s.Old)
		if err != nil {
			return nil, err
		}
		already, err := inUnit(r.from(ctx), source, s.New)
		if err != nil {
			return nil, err
		}
		var units []unitRow
		if err := r.from(ctx).Where("source_id = ? and unit_key in ?", source, []string{s.Old, s.New}).Find(&units).Error; err != nil {
			return nil, fmt.Errorf("read units: %w", err)
		}
		for _, u := range units {
			if u.UnitKey == s.Old {
				item.OldName, item.OldNames = u.Name, u.Names.V
			}
			item.NewKnown = item.NewKnown || u.UnitKey == s.New
		}
		item.People, item.Already = len(was), len(already)
		out = append(out, item)
	}
	return out, nil
}

// SucceededPeople answers whom declaring, or withdrawing, successions concerns: who is in a new unit or below it.
func (r Reader) SucceededPeople(ctx context.Context, change Change) ([]id.Person, error) {
	var source id.Source
	var keys []string
	switch c := change.(type) {
	case DeclareSuccessions:
		source = c.Source
		for _, s := range c.List {
			keys = append(keys, s.New)
		}
	case WithdrawSuccessions:
		source = c.Source
		list, err := r.Successions(ctx, source)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if s.ID == c.ID {
				keys = append(keys, s.New)
			}
		}
	}
	var out []id.Person
	for _, key := range keys {
		people, err := inUnit(r.from(ctx), source, key)
		if err != nil {
			return nil, err
		}
		out = append(out, people...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// inUnit answers who is in a unit or below it.
func inUnit(q handle, source id.Source, key string) (out []id.Person, err error) {
	err = q.Raw(`with recursive below (unit_key) as (
			select unit_key from units where source_id = ? and unit_key = ?
			union select u.unit_key from below b join units u on u.source_id = ? and u.parent_key = b.unit_key)
		select distinct person_id from records where source_id = ? and deleted_at is null and person_id is not null and unit_key in (select unit_key from below) order by person_id`,
		source, key, source, source).Scan(&out).Error
	if err != nil {
		err = fmt.Errorf("read people: %w", err)
	}
	return out, err
}
