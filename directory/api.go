package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package for administrators: people, units and groups as the directory has them, freezes, sources.
type API struct {
	Store *Store
	// PublicURL is where SCIM clients reach the server.
	PublicURL string
	// Configured names the sources that the configuration file configures.
	Configured []string
	// Foresee answers, on the state that tx sees, what becomes of the memberships of these people; nil where nobody can say.
	Foresee func(tx *db.Tx, people []id.Person) ([]MembershipChange, error)
	// Admins answers who has the administrator role: they are never linked in bulk.
	Admins func(ctx context.Context) ([]id.Person, error)
	// Naming answers the rules that name one of these units; nil where nobody can say.
	Naming func(ctx context.Context, units []string) ([]NamingRule, error)
	// PlanUnits plans a DeclareSuccessions or a WithdrawSuccessions on behalf of the caller, and answers the plan and its hash; nil where nobody can.
	PlanUnits func(ctx context.Context, change Change, reason string) (id.Plan, string, error)
	// Scoped counts the roles of administrators that are for one of these units.
	Scoped func(ctx context.Context, units []id.Unit) (int, error)
	// Health fills in how these sources stand, beside their last run; nil where nobody can say.
	Health func(ctx context.Context, sources []Source, of map[id.Source]*SourceHealth) error
}

// CauseFrom names who makes the request of ctx as the cause of a change.
func CauseFrom(ctx context.Context, reason string) Cause {
	caller := httpapi.CallerFrom(ctx)
	return Cause{Actor: caller.Actor(), Behind: caller.Behind(), Token: caller.Token, Request: httpapi.RequestFrom(ctx), Reason: reason}
}

// UnitRef names a unit in an answer.
type UnitRef struct {
	ID    id.Unit           `json:"id"`
	Name  string            `json:"name"`
	Names map[string]string `json:"names,omitempty"`
}

// PersonRef names a person in an answer.
type PersonRef struct {
	ID          id.Person `json:"id"`
	DisplayName string    `json:"display_name"`
}

// SourceRef names a source in an answer.
type SourceRef struct {
	ID   id.Source  `json:"id"`
	Name string     `json:"name"`
	Kind SourceKind `json:"kind"`
}

// PersonView is a person in an answer.
type PersonView struct {
	ID             id.Person         `json:"id"`
	DisplayName    string            `json:"display_name"`
	GivenName      string            `json:"given_name,omitempty"`
	FamilyName     string            `json:"family_name,omitempty"`
	UserName       string            `json:"user_name"`
	Email          string            `json:"email"`
	Title          string            `json:"title"`
	Department     string            `json:"department"`
	Division       string            `json:"division,omitempty"`
	Organization   string            `json:"organization,omitempty"`
	Company        string            `json:"company,omitempty"`
	CostCenter     string            `json:"cost_center,omitempty"`
	EmployeeNumber string            `json:"employee_number,omitempty"`
	EmployeeType   string            `json:"employee_type,omitempty"`
	Locale         string            `json:"locale,omitempty"`
	TimeZone       string            `json:"time_zone,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Unit           *UnitRef          `json:"unit"`
	Manager        *PersonRef        `json:"manager"`
	Status         Status            `json:"status" doc:"by what the sources say; frozen stands beside it: somebody terminated at once is active and frozen until a source says that they left"`
	Frozen         bool              `json:"frozen"`
	Absent         bool              `json:"absent" doc:"no source shows them any more; that freezes nobody by itself, so status stays; since when stands with each record"`
	Groups         []string          `json:"groups" nullable:"false"`
	EndsAt         time.Time         `json:"ends_at,omitzero"`
	MergedInto     id.Person         `json:"merged_into,omitempty" doc:"who this is, as a human being said; such a person has no record"`
	RehiredAt      time.Time         `json:"rehired_at,omitzero" doc:"what was given by hand before is over"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
}

// FreezeView is a freeze in an answer.
type FreezeView struct {
	ID        id.Freeze   `json:"id"`
	Slot      string      `json:"slot"`
	Cause     FreezeCause `json:"cause"`
	Source    *SourceRef  `json:"source"`
	From      time.Time   `json:"from,omitzero"`
	Until     time.Time   `json:"until,omitzero"`
	Open      bool        `json:"open" doc:"it denies now"`
	Veto      bool        `json:"veto"`
	CreatedAt time.Time   `json:"created_at"`
	LiftedAt  time.Time   `json:"lifted_at,omitzero"`
	Actor     string      `json:"actor,omitempty" doc:"who set it in the console, or undid it"`
	Reason    string      `json:"reason,omitempty" doc:"as they gave it"`
	Contested *Contested  `json:"contested,omitempty" doc:"of a veto: a source says active all the same"`
	Undone    bool        `json:"undone" doc:"a source disabled or deleted the person; that is set aside until from"`
}

// Contested says which sources contradict a veto.
type Contested struct {
	Source  SourceRef   `json:"source" doc:"the first that did"`
	Sources []SourceRef `json:"sources" nullable:"false" doc:"all that say active now, by priority"`
	Since   time.Time   `json:"since"`
}

// RecordView is a record in an answer, without its raw form.
type RecordView struct {
	Link        id.Link   `json:"link"`
	Source      SourceRef `json:"source"`
	Key         string    `json:"key"`
	ExternalID  string    `json:"external_id"`
	UserName    string    `json:"user_name"`
	DisplayName string    `json:"display_name"`
	Active      bool      `json:"active"`
	StartAt     time.Time `json:"start_at,omitzero"`
	EndAt       time.Time `json:"end_at,omitzero"`
	LeaveFrom   time.Time `json:"leave_from,omitzero"`
	LeaveUntil  time.Time `json:"leave_until,omitzero"`
	DiscloseAt  time.Time `json:"disclose_at,omitzero" doc:"from when on its source lets what is to come be told"`
	Planned     []Planned `json:"planned,omitempty" doc:"what the source says will hold from an instant on"`
	Version     int64     `json:"version"`
	UpdatedAt   time.Time `json:"updated_at"`
	AbsentSince time.Time `json:"absent_since,omitzero" doc:"since when a complete reading of the source does not show them"`
	DeletedAt   time.Time `json:"deleted_at,omitzero"`
}

// AffiliationView is an employment in an answer.
type AffiliationView struct {
	ID         id.Affiliation `json:"id"`
	Links      []id.Link      `json:"links"`
	Unit       *UnitRef       `json:"unit"`
	Kind       string         `json:"kind"`
	Department string         `json:"department"`
	StartAt    time.Time      `json:"start_at,omitzero"`
	EndAt      time.Time      `json:"end_at,omitzero"`
	Active     bool           `json:"active"`
}

// PersonInPath names the person of a route.
type PersonInPath struct {
	ID id.Person `path:"id"`
}

// ListPeopleInput chooses people.
type ListPeopleInput struct {
	Text      string            `query:"q" maxLength:"200" doc:"words in names, userName, e-mail, title, department, employee number"`
	Status    Status            `query:"status" enum:"pending,active,leave,notice,terminated,anonymised"`
	Frozen    string            `query:"frozen" enum:"true,false"`
	Contested string            `query:"contested" enum:"true" doc:"those of whom a source says active although a veto stands"`
	Unit      id.Unit           `query:"unit" doc:"this unit and all below"`
	Group     id.DirectoryGroup `query:"group" doc:"members of this directory group, nested ones too"`
	httpapi.Paging
}

// ListPeople answers GET /api/v1/people.
func (a *API) ListPeople(ctx context.Context, in *ListPeopleInput) (*httpapi.Page[PersonView], error) {
	q := Query{Text: in.Text, Status: in.Status, Unit: in.Unit, Group: in.Group, Limit: in.Limit, Cursor: in.Cursor}
	q.Contested = in.Contested == "true"
	if scope := httpapi.ScopeFrom(ctx); !scope.All {
		q.Within = append([]id.Unit{}, scope.Units...)
	}
	if in.Frozen != "" {
		frozen := in.Frozen == "true"
		q.Frozen = &frozen
	}
	page, err := a.Store.For(ctx).People(ctx, q)
	if err != nil {
		return nil, err
	}
	views, err := a.views(ctx, page.People)
	if err != nil {
		return nil, err
	}
	return httpapi.NewPage(ctx, views, page.Next), nil
}

func (a *API) views(ctx context.Context, people []Person) ([]PersonView, error) {
	units, managers, err := a.refs(ctx, people, nil)
	if err != nil {
		return nil, err
	}
	out := make([]PersonView, len(people))
	for i, p := range people {
		out[i] = PersonView{ID: p.ID, DisplayName: p.DisplayName, GivenName: p.GivenName, FamilyName: p.FamilyName, UserName: p.UserName, Email: p.Email,
			Title: p.Title, Department: p.Department, Division: p.Division, Organization: p.Organization, Company: p.Company, CostCenter: p.CostCenter,
			EmployeeNumber: p.EmployeeNumber, EmployeeType: p.EmployeeType, Locale: p.Locale, TimeZone: p.TimeZone, Labels: p.Labels,
			Unit: units[p.Unit], Manager: managers[p.Manager], Status: p.Status, Frozen: p.Frozen, Absent: p.Absent,
			Groups: notNil(p.Groups), EndsAt: p.EndsAt, MergedInto: p.MergedInto, RehiredAt: p.RehiredAt, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt}
	}
	return out, nil
}

// refs answers names of the units and managers that an answer mentions.
func (a *API) refs(ctx context.Context, people []Person, more []id.Unit) (map[id.Unit]*UnitRef, map[id.Person]*PersonRef, error) {
	unitIDs, managerIDs := map[id.Unit]bool{}, map[id.Person]bool{}
	for _, p := range people {
		unitIDs[p.Unit], managerIDs[p.Manager] = true, true
	}
	for _, u := range more {
		unitIDs[u] = true
	}
	delete(unitIDs, "")
	delete(managerIDs, "")
	units, err := a.Store.unitRefs(ctx, sorted(unitIDs))
	if err != nil {
		return nil, nil, err
	}
	names, err := a.Store.Names(ctx, sorted(managerIDs))
	if err != nil {
		return nil, nil, err
	}
	managers := map[id.Person]*PersonRef{}
	for p, name := range names {
		managers[p] = &PersonRef{p, name}
	}
	return units, managers, nil
}

// PersonOutput is one person with everything the sources say.
type PersonOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		PersonView
		Phones       []Phone           `json:"phones" nullable:"false" doc:"of the record whose word about telephones counts"`
		AbsentSince  time.Time         `json:"absent_since,omitzero" doc:"of somebody absent: since when no source shows them"`
		Ahead        []AheadView       `json:"ahead" nullable:"false" doc:"what will change by itself, at each instant that is known"`
		Affiliations []AffiliationView `json:"affiliations" nullable:"false"`
		Freezes      []FreezeView      `json:"freezes" nullable:"false"`
		Records      []RecordView      `json:"records" nullable:"false"`
		// Origins says why an attribute is what it is: whose word counts.
		Origins map[string]OriginView `json:"origins" doc:"per attribute that somebody asserts, and for employment, whose word counts"`
	}
}

// OriginView names the record whose word about an attribute counts.
type OriginView struct {
	Link      id.Link   `json:"link"`
	Source    SourceRef `json:"source"`
	Authority bool      `json:"authority" doc:"the source has authority over the attribute; else it fills in"`
}

// missedSince answers since when no source shows somebody of whom these are the records.
func missedSince(records []Record) (at time.Time) {
	for _, r := range records {
		if r.DeletedAt.IsZero() && r.AbsentSince.After(at) {
			at = r.AbsentSince
		}
	}
	return at
}

// GetPerson answers GET /api/v1/people/{id}.
func (a *API) GetPerson(ctx context.Context, in *PersonInPath) (*PersonOutput, error) {
	seen := a.Store.For(ctx)
	p, err := seen.Person(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	affiliations, err := seen.Affiliations(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	freezes, err := seen.Freezes(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	records, err := seen.Records(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	var more []id.Unit
	for _, f := range affiliations {
		more = append(more, f.Unit)
	}
	units, _, err := a.refs(ctx, nil, more)
	if err != nil {
		return nil, err
	}
	views, err := a.views(ctx, []Person{p})
	if err != nil {
		return nil, err
	}
	out := &PersonOutput{ETag: httpapi.ETag(p.Version)}
	out.Body.PersonView = views[0]
	if out.Body.Ahead, err = a.aheadViews(ctx, p.ID); err != nil {
		return nil, err
	}
	out.Body.Affiliations, out.Body.Freezes, out.Body.Records = []AffiliationView{}, []FreezeView{}, []RecordView{}
	for _, f := range affiliations {
		out.Body.Affiliations = append(out.Body.Affiliations, AffiliationView{ID: f.ID, Links: f.Links, Unit: units[f.Unit], Kind: f.Kind,
			Department: f.Department, StartAt: f.StartAt, EndAt: f.EndAt, Active: f.Active})
	}
	for _, f := range freezes {
		out.Body.Freezes = append(out.Body.Freezes, freezeView(f, sources, a.Store.clock()))
		if c := out.Body.Freezes[len(out.Body.Freezes)-1].Contested; c != nil && f.OpenAt(a.Store.clock()) {
			c.Sources = asserting(records, sources)
		}
	}
	said := map[id.Link]id.Source{}
	for _, r := range records {
		out.Body.Records = append(out.Body.Records, recordView(r, sources))
		said[r.Link] = r.Source
	}
	if p.Absent {
		out.Body.AbsentSince = missedSince(records)
	}
	out.Body.Phones = phonesOf(records, sources, a.Store.clock())
	out.Body.Origins = map[string]OriginView{}
	for attribute, link := range origins(records, sources, a.Store.clock()) {
		source := sources[said[link]]
		out.Body.Origins[attribute] = OriginView{Link: link, Source: sourceRef(source), Authority: source.Decides(attribute)}
	}
	return out, nil
}

func recordView(r Record, sources map[id.Source]Source) RecordView {
	return RecordView{Link: r.Link, Source: sourceRef(sources[r.Source]), Key: r.Key, ExternalID: r.ExternalID,
		UserName: r.UserName, DisplayName: r.DisplayName, Active: r.Active, StartAt: r.StartAt, EndAt: r.EndAt,
		LeaveFrom: r.LeaveFrom, LeaveUntil: r.LeaveUntil, DiscloseAt: r.DiscloseAt, Planned: r.Planned, Version: r.Version, UpdatedAt: r.UpdatedAt, AbsentSince: r.AbsentSince, DeletedAt: r.DeletedAt}
}

func sourceRef(s Source) SourceRef { return SourceRef{s.ID, s.Name, s.Kind} }

// asserting answers which sources say with authority that the person of these records works here, by priority.
func asserting(records []Record, sources map[id.Source]Source) []SourceRef {
	var by []Source
	for _, r := range records {
		if s := sources[r.Source]; r.asserts(s) && !slices.ContainsFunc(by, func(o Source) bool { return o.ID == s.ID }) {
			by = append(by, s)
		}
	}
	slices.SortFunc(by, func(a, b Source) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID)) })
	out := []SourceRef{}
	for _, s := range by {
		out = append(out, sourceRef(s))
	}
	return out
}

func freezeView(f Freeze, sources map[id.Source]Source, now time.Time) FreezeView {
	v := FreezeView{ID: f.ID, Slot: f.Slot, Cause: f.Cause, From: f.From, Until: f.Until, Open: f.OpenAt(now), Veto: f.Veto, CreatedAt: f.CreatedAt, LiftedAt: f.LiftedAt,
		Actor: f.Actor, Reason: f.Reason, Undone: f.UndoneAt(now)}
	if f.Source != "" {
		ref := sourceRef(sources[f.Source])
		v.Source = &ref
	}
	if !f.ContestedAt.IsZero() {
		v.Contested = &Contested{Source: sourceRef(sources[f.ContestedBy]), Sources: []SourceRef{}, Since: f.ContestedAt}
	}
	return v
}

// FreezeInput asks for a freeze.
type FreezeInput struct {
	ID   id.Person `path:"id"`
	Body struct {
		Reason string    `json:"reason,omitempty" maxLength:"2000" doc:"for the audit log; shown to administrators only"`
		Veto   bool      `json:"veto,omitempty" doc:"no source and no undo lifts it"`
		Until  time.Time `json:"until,omitzero" required:"false"`
	}
}

// FreezeOutput is the freeze that stands, or that was lifted.
type FreezeOutput struct{ Body FreezeView }

// Freeze answers POST /api/v1/people/{id}/freeze. It is in force everywhere when it answers.
func (a *API) Freeze(ctx context.Context, in *FreezeInput) (*FreezeOutput, error) {
	applied, err := a.Store.Apply(ctx, CauseFrom(ctx, in.Body.Reason), FreezePerson{Person: in.ID, Veto: in.Body.Veto, Until: in.Body.Until})
	if err != nil {
		return nil, err
	}
	return &FreezeOutput{Body: freezeView(applied.Freezes[0], nil, a.Store.clock())}, nil
}

// ForgetNamesInput names a person.
type ForgetNamesInput struct {
	ID id.Person `path:"id"`
}

// ForgetNames answers DELETE /api/v1/people/{id}/former-names: no search finds the person by a former name any more.
func (a *API) ForgetNames(ctx context.Context, in *ForgetNamesInput) (*struct{}, error) {
	return nil, a.Store.ForgetNames(ctx, CauseFrom(ctx, ""), in.ID)
}

// UnfreezeInput names a freeze of the console.
type UnfreezeInput struct {
	ID   id.Person `path:"id"`
	Body struct {
		Freeze id.Freeze `json:"freeze" minLength:"1"`
		Reason string    `json:"reason,omitempty" maxLength:"2000"`
	}
}

// Unfreeze answers POST /api/v1/people/{id}/unfreeze; a freeze of a source ends only when the source says so.
func (a *API) Unfreeze(ctx context.Context, in *UnfreezeInput) (*FreezeOutput, error) {
	freezes, err := a.Store.For(ctx).Freezes(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(freezes, func(f Freeze) bool { return f.ID == in.Body.Freeze }) {
		return nil, fmt.Errorf("freeze %s: %w", in.Body.Freeze, ErrNotFound)
	}
	applied, err := a.Store.Apply(ctx, CauseFrom(ctx, in.Body.Reason), LiftFreeze{Freeze: in.Body.Freeze})
	if err != nil {
		return nil, err
	}
	return &FreezeOutput{Body: freezeView(applied.Freezes[0], nil, a.Store.clock())}, nil
}
