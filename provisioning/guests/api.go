package guests

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package.
type API struct {
	Engine *Engine
	// Names answers what ids are called, by language; "" stands for every language.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
	// Enter makes the answer of a request conditional: each piece goes out only while ground says so, and while who is not frozen.
	Enter func(ctx context.Context, who httpapi.Caller, ground func() bool) (context.Context, error)
}

// CompanyView is one company in an answer.
type CompanyView struct {
	ID          id.Company        `json:"id"`
	Key         string            `json:"key"`
	Names       map[string]string `json:"names" doc:"by language, en and zh"`
	Domains     []string          `json:"domains" nullable:"false" doc:"of e-mail addresses, exactly, as A-labels"`
	Owner       id.Person         `json:"owner"`
	OwnerName   string            `json:"owner_name"`
	Documents   []string          `json:"documents" nullable:"false"`
	Most        int               `json:"most" doc:"guests at a time; 0: what the policy says"`
	EndsAt      time.Time         `json:"ends_at,omitzero" doc:"of the contract; absent: no end is known"`
	SuspendedAt time.Time         `json:"suspended_at,omitzero"`
	CreatedAt   time.Time         `json:"created_at"`
	Shortened   int               `json:"shortened,omitempty" doc:"guests who have less time by this change"`
}

func (a *API) companyView(ctx context.Context, c Company) (CompanyView, error) {
	names, err := a.Engine.Directory.Names(ctx, []id.Person{c.Owner})
	return CompanyView{c.ID, c.Key, c.Names, filled(c.Domains), c.Owner, names[c.Owner], filled(c.Documents), c.Most, c.EndsAt, c.SuspendedAt, c.CreatedAt, 0}, err
}

func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// CompanyOutput answers one company.
type CompanyOutput struct{ Body CompanyView }

// CompaniesOutput answers companies.
type CompaniesOutput struct {
	Body struct {
		Items    []CompanyView `json:"items" nullable:"false"`
		ClosedAt time.Time     `json:"closed_at,omitzero" doc:"since when everybody from outside is kept out"`
	}
}

// Companies answers GET /api/v1/companies, in the order of their keys.
func (a *API) Companies(ctx context.Context, _ *struct{}) (*CompaniesOutput, error) {
	list, err := a.Engine.Companies(ctx)
	if err != nil {
		return nil, err
	}
	out := &CompaniesOutput{}
	out.Body.Items = make([]CompanyView, len(list))
	owners := make([]id.Person, len(list))
	for i, c := range list {
		owners[i] = c.Owner
	}
	names, err := a.Engine.Directory.Names(ctx, owners)
	if err != nil {
		return nil, err
	}
	for i, c := range list {
		out.Body.Items[i] = CompanyView{c.ID, c.Key, c.Names, filled(c.Domains), c.Owner, names[c.Owner], filled(c.Documents), c.Most, c.EndsAt, c.SuspendedAt, c.CreatedAt, 0}
	}
	out.Body.ClosedAt, err = a.Engine.Closed(ctx)
	return out, err
}

// AddCompanyInput is a new company.
type AddCompanyInput struct {
	Body struct {
		Key       string            `json:"key" minLength:"1" maxLength:"40"`
		Names     map[string]string `json:"names" doc:"by language, en and zh"`
		Domains   []string          `json:"domains" minItems:"1" maxItems:"50"`
		Owner     id.Person         `json:"owner"`
		Documents []string          `json:"documents,omitempty" maxItems:"50"`
		Most      int               `json:"most,omitempty" minimum:"0" maximum:"1000000"`
		EndsAt    time.Time         `json:"ends_at,omitzero" required:"false"`
	}
}

// AddCompany answers POST /api/v1/companies.
func (a *API) AddCompany(ctx context.Context, in *AddCompanyInput) (*CompanyOutput, error) {
	b := in.Body
	c, err := a.Engine.AddCompany(ctx, directory.CauseFrom(ctx, ""), Company{Key: b.Key, Names: b.Names, Domains: b.Domains, Owner: b.Owner, Documents: b.Documents, Most: b.Most,
		EndsAt: b.EndsAt.UTC().Truncate(time.Microsecond)})
	if err != nil {
		return nil, err
	}
	view, err := a.companyView(ctx, c)
	return &CompanyOutput{view}, err
}

// CompanyInput names a company in the path, by id or key.
type CompanyInput struct {
	ID string `path:"id" maxLength:"64"`
}

// Company answers GET /api/v1/companies/{id}.
func (a *API) Company(ctx context.Context, in *CompanyInput) (*CompanyOutput, error) {
	c, err := a.Engine.Company(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	view, err := a.companyView(ctx, c)
	return &CompanyOutput{view}, err
}

// ChangeCompanyInput says how a company is to be; what is absent stays.
type ChangeCompanyInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Names     map[string]string `json:"names,omitempty" doc:"those that are said"`
		Domains   *[]string         `json:"domains,omitempty" doc:"all of them"`
		Owner     id.Person         `json:"owner,omitempty"`
		Documents *[]string         `json:"documents,omitempty" doc:"all of them"`
		Most      *int              `json:"most,omitempty" minimum:"0" maximum:"1000000"`
		EndsAt    *time.Time        `json:"ends_at,omitempty"`
		Endless   bool              `json:"endless,omitempty" doc:"the contract has no known end any more"`
		Reason    string            `json:"reason,omitempty" maxLength:"500"`
	}
}

// ChangeCompany answers PATCH /api/v1/companies/{id}. What it shortens is in force when it answers.
func (a *API) ChangeCompany(ctx context.Context, in *ChangeCompanyInput) (*CompanyOutput, error) {
	b := in.Body
	c, shortened, err := a.Engine.ChangeCompany(ctx, directory.CauseFrom(ctx, b.Reason), in.ID, func(c *Company) {
		names := map[string]string{}
		for _, from := range []map[string]string{c.Names, b.Names} {
			for language, name := range from {
				names[language] = name
			}
		}
		c.Names = names
		if b.Domains != nil {
			c.Domains = *b.Domains
		}
		if b.Owner != "" {
			c.Owner = b.Owner
		}
		if b.Documents != nil {
			c.Documents = *b.Documents
		}
		if b.Most != nil {
			c.Most = *b.Most
		}
		if b.EndsAt != nil {
			c.EndsAt = b.EndsAt.UTC().Truncate(time.Microsecond)
		}
		if b.Endless {
			c.EndsAt = time.Time{}
		}
	})
	if err != nil {
		return nil, err
	}
	view, err := a.companyView(ctx, c)
	view.Shortened = shortened
	return &CompanyOutput{view}, err
}

// ManyOutput answers of how many guests something is.
type ManyOutput struct {
	Body struct {
		Guests int `json:"guests"`
	}
}

// CompanyReasonInput names a company, and why.
type CompanyReasonInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body *ReasonBody
}

// ReasonBody says why, for the audit log.
type ReasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

func (b *ReasonBody) why() string {
	if b == nil {
		return ""
	}
	return b.Reason
}

func manyOf(n int, err error) (*ManyOutput, error) {
	out := &ManyOutput{}
	out.Body.Guests = n
	return out, err
}

// SuspendCompany answers POST /api/v1/companies/{id}/suspend when none of its guests has access any more.
func (a *API) SuspendCompany(ctx context.Context, in *CompanyReasonInput) (*ManyOutput, error) {
	return manyOf(a.Engine.Suspend(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID, false))
}

// ResumeCompany answers POST /api/v1/companies/{id}/resume.
func (a *API) ResumeCompany(ctx context.Context, in *CompanyReasonInput) (*ManyOutput, error) {
	return manyOf(a.Engine.Suspend(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID, true))
}

// ReasonInput says why.
type ReasonInput struct {
	Body *ReasonBody
}

// Close answers POST /api/v1/guests/close when nobody from outside has access any more.
func (a *API) Close(ctx context.Context, in *ReasonInput) (*ManyOutput, error) {
	return manyOf(a.Engine.Close(ctx, directory.CauseFrom(ctx, in.Body.why()), false))
}

// Open answers POST /api/v1/guests/open.
func (a *API) Open(ctx context.Context, in *ReasonInput) (*ManyOutput, error) {
	return manyOf(a.Engine.Close(ctx, directory.CauseFrom(ctx, in.Body.why()), true))
}

// PlaceView is one channel that a guest was let into.
type PlaceView struct {
	Group   id.Group  `json:"group"`
	Channel string    `json:"channel" doc:"key in the group"`
	Until   time.Time `json:"until"`
}

// GuestView is one guest in an answer.
type GuestView struct {
	ID          id.Guest    `json:"id"`
	Company     string      `json:"company" doc:"key"`
	Name        string      `json:"name"`
	Email       string      `json:"email"`
	Person      id.Person   `json:"person,omitempty" doc:"in the directory; absent while nobody was let in"`
	Sponsor     id.Person   `json:"sponsor"`
	SponsorName string      `json:"sponsor_name"`
	State       string      `json:"state" enum:"waiting,running,suspended,over" doc:"waiting: others have to agree; suspended: by itself, with the company or with all"`
	Until       time.Time   `json:"until,omitzero"`
	DaysLeft    int         `json:"days_left" doc:"begun days count; 0: it is over"`
	CreatedAt   time.Time   `json:"created_at"`
	Places      []PlaceView `json:"places" nullable:"false"`

	SuspendedFor Suspension `json:"suspended_for,omitempty" enum:"idle,unsponsored" doc:"where one alone is suspended, and not by an administrator: not seen for 30 days; nobody took them over"`

	BoundBy Bound  `json:"bound_by,omitempty" enum:"asked,policy,contract,approval" doc:"in the answer to an invitation: what set the end"`
	Waiting bool   `json:"waiting,omitempty" doc:"in the answer to an invitation: others have to agree first"`
	Note    string `json:"note,omitempty" doc:"in the answer to an invitation: why the term is shorter than asked, or that it waits"`
}

func (a *API) views(ctx context.Context, list []Guest) ([]GuestView, error) {
	of, err := a.Engine.companiesOf(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := a.Engine.Closed(ctx)
	if err != nil {
		return nil, err
	}
	sponsors := make([]id.Person, len(list))
	for i, g := range list {
		sponsors[i] = g.Sponsor
	}
	names, err := a.Engine.Directory.Names(ctx, sponsors)
	if err != nil {
		return nil, err
	}
	now := a.Engine.clock()
	out := make([]GuestView, len(list))
	for i, g := range list {
		v := GuestView{ID: g.ID, Company: of[g.Company].Key, Name: g.Name, Email: g.Email, Person: g.Person, Sponsor: g.Sponsor, SponsorName: names[g.Sponsor], State: "over", CreatedAt: g.CreatedAt,
			Until: g.Until(), Places: []PlaceView{}}
		if !g.EndedAt.IsZero() && g.EndedAt.Before(v.Until) {
			v.Until = g.EndedAt
		}
		switch {
		case g.version == 0:
			v.State = "waiting"
		case g.Runs(now) && (!closed.IsZero() || !g.SuspendedAt.IsZero() || !of[g.Company].SuspendedAt.IsZero()):
			v.State, v.SuspendedFor = "suspended", g.SuspendedFor
		case g.Runs(now):
			v.State = "running"
		}
		if left := v.Until.Sub(now); left > 0 {
			v.DaysLeft = int((left + 24*time.Hour - 1) / (24 * time.Hour))
		}
		for _, p := range g.Places {
			v.Places = append(v.Places, PlaceView{p.Group, p.Channel, p.Until})
		}
		out[i] = v
	}
	return out, nil
}

// ListInput chooses guests.
type ListInput struct {
	Company    string `query:"company" maxLength:"64" doc:"by id or key; absent: of all"`
	WithinDays int    `query:"within_days" minimum:"0" maximum:"3650" doc:"only those whose time ends within so many days"`
	httpapi.Paging
}

// List answers GET /api/v1/guests.
func (a *API) List(ctx context.Context, in *ListInput) (*httpapi.Page[GuestView], error) {
	q := Query{Within: time.Duration(in.WithinDays) * 24 * time.Hour}
	if in.Company != "" {
		c, err := a.Engine.Company(ctx, in.Company)
		if err != nil {
			return nil, err
		}
		q.Company = c.ID
	}
	return a.page(ctx, q, in.Paging)
}

func (a *API) page(ctx context.Context, q Query, p httpapi.Paging) (*httpapi.Page[GuestView], error) {
	q.After, q.Limit = id.Guest(p.Cursor), p.Limit
	list, more, err := a.Engine.Guests(ctx, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if more {
		next = string(list[len(list)-1].ID)
	}
	items, err := a.views(ctx, list)
	return httpapi.NewPage(ctx, items, next), err
}

// MineInput asks for the caller's own guests.
type MineInput struct{ httpapi.Paging }

// Mine answers GET /api/v1/me/guests: those whom the caller answers for, as their sponsor or as who answers for their company.
func (a *API) Mine(ctx context.Context, in *MineInput) (*httpapi.Page[GuestView], error) {
	return a.page(ctx, Query{Sponsor: httpapi.CallerFrom(ctx).Person}, in.Paging)
}

// InvitationView is what was asked about a guest.
type InvitationView struct {
	ID         id.Invitation `json:"id"`
	Group      id.Group      `json:"group"`
	Channels   []string      `json:"channels" nullable:"false"`
	Sponsor    id.Person     `json:"sponsor"`
	AskedBy    string        `json:"asked_by"`
	Reason     string        `json:"reason"`
	AskedUntil time.Time     `json:"asked_until"`
	Until      time.Time     `json:"until"`
	BoundBy    Bound         `json:"bound_by" enum:"asked,policy,contract,approval"`
	State      string        `json:"state" enum:"waiting,granted,withdrawn"`
	AskedAt    time.Time     `json:"asked_at"`
	DecidedAt  time.Time     `json:"decided_at,omitzero"`
}

// ShowOutput answers one guest, with what was asked and what ids are called.
type ShowOutput struct {
	Body struct {
		GuestView
		Invitations []InvitationView             `json:"invitations" nullable:"false" doc:"the newest first"`
		Links       []LinkView                   `json:"links" nullable:"false" doc:"by which they came in or can, the newest first"`
		Names       map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

// GuestInput names a guest in the path.
type GuestInput struct {
	ID id.Guest `path:"id"`
}

// Show answers GET /api/v1/guests/{id}.
func (a *API) Show(ctx context.Context, in *GuestInput) (*ShowOutput, error) {
	g, err := a.Engine.Guest(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	views, err := a.views(ctx, []Guest{g})
	if err != nil {
		return nil, err
	}
	list, err := a.Engine.Invitations(ctx, g.ID)
	if err != nil {
		return nil, err
	}
	links, err := a.Engine.Links(ctx, g.ID)
	if err != nil {
		return nil, err
	}
	out := &ShowOutput{}
	out.Body.GuestView, out.Body.Invitations, out.Body.Links = views[0], make([]InvitationView, len(list)), make([]LinkView, len(links))
	ids := []string{string(g.Sponsor)}
	for i, l := range links {
		out.Body.Links[i] = LinkView{l.ID, l.Way, l.MadeBy, l.MadeAt, l.Until, l.SentAt, l.Failed, l.UsedAt, l.EndedAt}
		ids = append(ids, l.MadeBy)
	}
	for i, v := range list {
		out.Body.Invitations[i] = InvitationView{v.ID, v.Group, filled(v.Channels), v.Sponsor, v.AskedBy, v.Reason, v.AskedUntil, v.Until, v.BoundBy, v.State, v.AskedAt, v.DecidedAt}
		ids = append(ids, string(v.Group), string(v.Sponsor), v.AskedBy)
	}
	out.Body.Names, err = a.Names(ctx, ids)
	return out, err
}

// InviteBody is who is to be let in.
type InviteBody struct {
	Company  string    `json:"company" minLength:"1" maxLength:"64" doc:"by id or key"`
	Email    string    `json:"email" minLength:"3" maxLength:"320" doc:"or, of somebody who has none and for administrators only, a number with its country: +8613800138000"`
	Name     string    `json:"name" minLength:"1" maxLength:"200"`
	Group    id.Group  `json:"group"`
	Channels []string  `json:"channels" minItems:"1" maxItems:"50" doc:"keys in the group"`
	Until    time.Time `json:"until" doc:"no longer than the policy and the contract allow"`
	Reason   string    `json:"reason" minLength:"1" maxLength:"500"`
}

func (b InviteBody) wish() Wish {
	return Wish{Company: b.Company, Email: b.Email, Name: b.Name, Group: b.Group, Channels: b.Channels, Until: b.Until.UTC().Truncate(time.Microsecond), Reason: b.Reason}
}

// InviteInput is who is to be let in, and who answers for them.
type InviteInput struct {
	Body struct {
		InviteBody
		Sponsor id.Person `json:"sponsor" doc:"who works here and answers for the guest"`
	}
}

// GuestOutput answers one guest.
type GuestOutput struct{ Body GuestView }

// Invite answers POST /api/v1/guests.
func (a *API) Invite(ctx context.Context, in *InviteInput) (*GuestOutput, error) {
	w := in.Body.wish()
	w.Sponsor, w.Any = in.Body.Sponsor, true
	return a.invite(ctx, w)
}

// InviteMineInput is whom the caller wants to let in.
type InviteMineInput struct{ Body InviteBody }

// InviteMine answers POST /api/v1/me/guests: the caller answers for the guest, and owns the project group.
func (a *API) InviteMine(ctx context.Context, in *InviteMineInput) (*GuestOutput, error) {
	w := in.Body.wish()
	w.Sponsor = httpapi.CallerFrom(ctx).Person
	return a.invite(ctx, w)
}

func (a *API) invite(ctx context.Context, w Wish) (*GuestOutput, error) {
	inv, g, err := a.Engine.Invite(ctx, directory.CauseFrom(ctx, w.Reason), w)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, g, []Invitation{inv})
}

// answer answers a guest after something was asked about them.
func (a *API) answer(ctx context.Context, g Guest, list []Invitation) (*GuestOutput, error) {
	views, err := a.views(ctx, []Guest{g})
	if err != nil {
		return nil, err
	}
	v := views[0]
	for _, inv := range list {
		v.BoundBy, v.Waiting = inv.BoundBy, v.Waiting || inv.State == Waiting
		switch {
		case inv.State == Waiting:
			v.Note = "it waits until those agree whom the policy names"
		case inv.BoundBy == BoundPolicy:
			v.Note = "until " + inv.Until.Format(time.RFC3339) + " and not " + inv.AskedUntil.Format(time.RFC3339) + ": guests.most_days of the policy allows no more"
		case inv.BoundBy == BoundContract:
			v.Note = "until " + inv.Until.Format(time.RFC3339) + " and not " + inv.AskedUntil.Format(time.RFC3339) + ": the contract of the company ends then"
		}
	}
	return &GuestOutput{v}, nil
}

// RenewInput says until when a guest is to stay.
type RenewInput struct {
	ID   id.Guest `path:"id"`
	Body struct {
		Until   time.Time `json:"until"`
		Reason  string    `json:"reason" minLength:"1" maxLength:"500"`
		Sponsor id.Person `json:"sponsor,omitempty" doc:"who answers for the guest from now on; absent: who does; only for administrators"`
	}
}

// Renew answers POST /api/v1/guests/{id}/renew.
func (a *API) Renew(ctx context.Context, in *RenewInput) (*GuestOutput, error) {
	g, err := a.Engine.Guest(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Sponsor == "" {
		in.Body.Sponsor = g.Sponsor
	}
	return a.renew(ctx, in)
}

// RenewMine answers POST /api/v1/me/guests/{id}/renew: for who answers for the guest.
func (a *API) RenewMine(ctx context.Context, in *RenewInput) (*GuestOutput, error) {
	in.Body.Sponsor = httpapi.CallerFrom(ctx).Person
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.renew(ctx, in)
}

func (a *API) renew(ctx context.Context, in *RenewInput) (*GuestOutput, error) {
	list, g, err := a.Engine.Renew(ctx, directory.CauseFrom(ctx, in.Body.Reason), in.ID, Wish{Until: in.Body.Until.UTC().Truncate(time.Microsecond), Reason: in.Body.Reason, Sponsor: in.Body.Sponsor, Any: true})
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, g, list)
}

// own is ErrNotFound for a guest whom the caller does not answer for: who that is, nobody else learns.
func (a *API) own(ctx context.Context, guest id.Guest) error {
	me := httpapi.CallerFrom(ctx).Person
	none := fmt.Errorf("guest %s: %w", guest, ErrNotFound)
	g, err := a.Engine.Guest(ctx, guest)
	if err != nil {
		return err
	}
	if g.Sponsor == me || g.keeper == me {
		return nil
	}
	c, err := a.Engine.Company(ctx, string(g.Company))
	if err == nil && c.Owner != me {
		err = none
	}
	return err
}

// GuestReasonInput names a guest, and why.
type GuestReasonInput struct {
	ID   id.Guest `path:"id"`
	Body *ReasonBody
}

func (a *API) after(ctx context.Context, guest id.Guest, err error) (*GuestOutput, error) {
	if err != nil {
		return nil, err
	}
	g, err := a.Engine.Guest(ctx, guest)
	if err != nil {
		return nil, err
	}
	return a.answer(ctx, g, nil)
}

// End answers POST /api/v1/guests/{id}/end when the guest has no access any more.
func (a *API) End(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	return a.after(ctx, in.ID, a.Engine.End(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID))
}

// EndMine answers POST /api/v1/me/guests/{id}/end: for who answers for the guest.
func (a *API) EndMine(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.End(ctx, in)
}

// Suspend answers POST /api/v1/guests/{id}/suspend when the guest has no access any more.
func (a *API) Suspend(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	return a.after(ctx, in.ID, a.Engine.SuspendGuest(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID, false))
}

// Resume answers POST /api/v1/guests/{id}/resume.
func (a *API) Resume(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	return a.after(ctx, in.ID, a.Engine.SuspendGuest(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID, true))
}

// ArchiveInput names a closing.
type ArchiveInput struct {
	ID id.Closing `path:"id"`
}

// Archive answers GET /api/v1/me/closings/{id}/archive: a zip file, to one of those who owned the project group. enter guards the answer: each piece of it goes out only while the archive stands and the caller is not frozen.
func (a *API) Archive(ctx context.Context, in *ArchiveInput) (*huma.StreamResponse, error) {
	who := httpapi.CallerFrom(ctx)
	archive, err := a.Engine.Archive(ctx, directory.CauseFrom(ctx, ""), who.Person, in.ID)
	if err != nil {
		return nil, err
	}
	guarded, err := a.Enter(ctx, who, archive.Stands)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", "application/zip")
		h.SetHeader("Content-Disposition", `attachment; filename="`+archive.Name()+`"`)
		h.SetHeader("Cache-Control", "no-store")
		if err := archive.Write(guarded, h.BodyWriter()); err != nil {
			a.Engine.Log.ErrorContext(ctx, "archive was not written to its end", "error", err)
			panic(http.ErrAbortHandler) // the caller must not take a part for the whole
		}
	}}, nil
}

// WakeMine answers POST /api/v1/me/guests/{id}/resume: for who answers for a guest who was not seen for long.
func (a *API) WakeMine(ctx context.Context, in *GuestReasonInput) (*GuestOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.after(ctx, in.ID, a.Engine.Wake(ctx, directory.CauseFrom(ctx, in.Body.why()), in.ID))
}

// StayOutput is until when the caller, a guest, is let in.
type StayOutput struct {
	Body struct {
		Company string    `json:"company" doc:"key of the one that they work for"`
		Until   time.Time `json:"until"`
		Ask     string    `json:"ask" doc:"the name of who answers for them"`
	}
}

// Stay answers GET /api/v1/me/stay: for guests.
func (a *API) Stay(ctx context.Context, _ *struct{}) (*StayOutput, error) {
	g, who, err := a.Engine.Stay(ctx, httpapi.CallerFrom(ctx).Person)
	if err != nil {
		return nil, err
	}
	c, err := a.Engine.Company(ctx, string(g.Company))
	out := &StayOutput{}
	out.Body.Company, out.Body.Until, out.Body.Ask = c.Key, g.Until(), who.DisplayName
	return out, err
}

// AskToStay answers POST /api/v1/me/stay: who answers for the caller, a guest, is told that they ask to stay longer.
func (a *API) AskToStay(ctx context.Context, in *struct{}) (*StayOutput, error) {
	if err := a.Engine.AskToStay(ctx, httpapi.CallerFrom(ctx).Person); err != nil {
		return nil, err
	}
	return a.Stay(ctx, in)
}
