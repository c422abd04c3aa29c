package directory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ErrPlanDrift is that what a declaration of units would do is not what its preview said.
var ErrPlanDrift = errors.New("what it would do is not what the preview said: look at it again")

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

// SuccessionPlan is what a declaration would do.
type SuccessionPlan struct {
	Source      string             `json:"source"`
	Effective   time.Time          `json:"effective_at"`
	Items       []SuccessionItem   `json:"items" nullable:"false"`
	Rules       []NamingRule       `json:"rules" nullable:"false" doc:"that name one of the old units"`
	People      int                `json:"people" doc:"who are in a new unit already and whose places it would change"`
	Memberships []MembershipChange `json:"memberships" nullable:"false" doc:"what would change for them, as of now; at most 500"`
	Counts      map[string]int     `json:"counts" doc:"all of it, by project group and what happens"`
	Scopes      int                `json:"scopes" doc:"roles of administrators for one of the old units, which are for the new ones too"`
	Hash        string             `json:"hash"`
}

// SuccessionPlanOutput answers a preview.
type SuccessionPlanOutput struct{ Body SuccessionPlan }

// PlanSuccessions answers POST /api/v1/units/successions/plan: nothing is written.
func (a *API) PlanSuccessions(ctx context.Context, in *struct{ Body SuccessionBody }) (*SuccessionPlanOutput, error) {
	_, plan, err := a.planSuccessions(ctx, in.Body)
	return &SuccessionPlanOutput{plan}, err
}

// DeclareSuccessionsInput declares what a preview showed.
type DeclareSuccessionsInput struct {
	Body struct {
		SuccessionBody
		Hash   string `json:"hash" doc:"of the preview"`
		Reason string `json:"reason,omitempty" maxLength:"2000"`
	}
}

// DeclareSuccessions answers POST /api/v1/units/successions; 409 where it would do anything else than the preview said.
func (a *API) DeclareSuccessions(ctx context.Context, in *DeclareSuccessionsInput) (*SuccessionPlanOutput, error) {
	change, plan, err := a.planSuccessions(ctx, in.Body.SuccessionBody)
	if err != nil {
		return nil, err
	}
	if plan.Hash != in.Body.Hash {
		return nil, ErrPlanDrift
	}
	if _, err := a.Store.Apply(ctx, CauseFrom(ctx, in.Body.Reason), change); err != nil {
		return nil, named(err, in.Body.Name)
	}
	return &SuccessionPlanOutput{plan}, nil
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

// WithdrawSuccessions answers DELETE /api/v1/units/successions/{id}.
func (a *API) WithdrawSuccessions(ctx context.Context, in *struct {
	ID id.Succession `path:"id"`
}) (*struct{}, error) {
	list, err := a.Store.Successions(ctx, "")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(s Succession) bool { return s.ID == in.ID })
	if at < 0 {
		return nil, fmt.Errorf("succession %s: %w", in.ID, ErrNotFound)
	}
	_, err = a.Store.Apply(ctx, CauseFrom(ctx, ""), WithdrawSuccessions{Source: list[at].Source, ID: in.ID})
	return nil, err
}

func named(err error, file string) error {
	var wrong *SuccessionError
	if errors.As(err, &wrong) && wrong.File == "" {
		wrong.File = file
		return wrong
	}
	return err
}

// planSuccessions works out what a file would do, as if it came into force now.
func (a *API) planSuccessions(ctx context.Context, body SuccessionBody) (change DeclareSuccessions, plan SuccessionPlan, err error) {
	body.Name = cmp.Or(body.Name, "units.yaml")
	file, err := ReadSuccessions(body.Name, body.Text)
	if err != nil {
		return change, plan, err
	}
	if file.At.IsZero() {
		file.At = body.Effective
	}
	if file.Source = cmp.Or(file.Source, body.Source); file.Source == "" || file.At.IsZero() {
		return change, plan, fmt.Errorf("%w: say of which source, and from when on (source, effective)", ErrInvalid)
	}
	source, err := a.Store.SourceByName(ctx, file.Source)
	if err != nil {
		return change, plan, err
	}
	change = DeclareSuccessions{Source: source.ID, At: file.At, List: file.List}
	plan = SuccessionPlan{Source: source.Name, Effective: file.At.UTC(), Items: []SuccessionItem{}, Rules: []NamingRule{}, Memberships: []MembershipChange{}, Counts: map[string]int{}}
	if err := a.foreseeSuccessions(ctx, change, &plan); err != nil {
		return change, plan, named(err, body.Name)
	}
	if err := a.follow(ctx, change, &plan); err != nil {
		return change, plan, err
	}
	text, err := json.Marshal(plan)
	sum := sha256.Sum256(text)
	plan.Hash = hex.EncodeToString(sum[:])
	plan.Memberships = plan.Memberships[:min(len(plan.Memberships), 500)]
	return change, plan, err
}

// follow finds what names the old units: rules, and roles of administrators.
func (a *API) follow(ctx context.Context, change DeclareSuccessions, plan *SuccessionPlan) error {
	var old []string
	var units []id.Unit
	known, err := a.Store.UnitsOf(ctx, change.Source)
	if err != nil {
		return err
	}
	for _, s := range change.List {
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

// foreseeSuccessions makes the change as of now, looks, and takes it back.
func (a *API) foreseeSuccessions(ctx context.Context, change DeclareSuccessions, plan *SuccessionPlan) error {
	change.At = time.Time{}
	look := func(tx *db.Tx) error {
		r := a.Store.In(tx)
		var people []id.Person
		for _, s := range change.List {
			item := SuccessionItem{Kind: s.Kind, Old: s.Old, New: s.New}
			was, err := r.inUnit(tx, change.Source, s.Old)
			if err != nil {
				return err
			}
			already, err := r.inUnit(tx, change.Source, s.New)
			if err != nil {
				return err
			}
			var units []unitRow
			if err := tx.Where("source_id = ? and unit_key in ?", change.Source, []string{s.Old, s.New}).Find(&units).Error; err != nil {
				return fmt.Errorf("read units: %w", err)
			}
			for _, u := range units {
				if u.UnitKey == s.Old {
					item.OldName, item.OldNames = u.Name, u.Names.V
				}
				item.NewKnown = item.NewKnown || u.UnitKey == s.New
			}
			item.People, item.Already = len(was), len(already)
			plan.Items, people = append(plan.Items, item), append(people, already...)
		}
		if a.Foresee == nil || len(people) == 0 {
			return nil
		}
		slices.Sort(people)
		changes, err := a.Foresee(tx, slices.Compact(people))
		if err != nil {
			return err
		}
		changed := map[id.Person]bool{}
		for _, c := range SightOf(ctx).changes(changes) {
			changed[c.Person] = true
			plan.Memberships = append(plan.Memberships, c)
			plan.Counts[c.Group+" "+c.Op]++
		}
		plan.People = len(changed)
		return nil
	}
	_, err := a.Store.Try(ctx, CauseFrom(ctx, ""), look, change)
	return err
}

// inUnit answers who is in a unit or below it.
func (r Reader) inUnit(tx *db.Tx, source id.Source, key string) (out []id.Person, err error) {
	err = tx.Raw(`with recursive below (unit_key) as (
			select unit_key from units where source_id = ? and unit_key = ?
			union select u.unit_key from below b join units u on u.source_id = ? and u.parent_key = b.unit_key)
		select distinct person_id from records where source_id = ? and deleted_at is null and person_id is not null and unit_key in (select unit_key from below) order by person_id`,
		source, key, source, source).Scan(&out).Error
	if err != nil {
		err = fmt.Errorf("read people: %w", err)
	}
	return out, err
}
