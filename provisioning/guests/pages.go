package guests

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What the pages of the console ask besides lists of companies and guests.

// waitingMost bounds how many invitations that wait are shown.
const waitingMost = 200

// Count is how many guests of a company are let in at a time, whatever keeps them out for a while, and how many of those end soon.
type Count struct {
	Company  string `json:"company" doc:"key"`
	Guests   int    `json:"guests"`
	Within7  int    `json:"within_7" doc:"their time ends within seven days"`
	Within30 int    `json:"within_30"`
}

// Counts answers how many guests each company has that has one, in the order of their keys, and how many invitations wait.
func (e *Engine) Counts(ctx context.Context) (counts []Count, waiting int, err error) {
	now, q := e.clock(), e.DB.Read(ctx)
	day := func(n int) db.Instant { return db.At(now.Add(time.Duration(n) * 24 * time.Hour)) }
	if err := q.Raw(`select c.key as company, count(*) as guests, sum(case when u.until_at <= ? then 1 else 0 end) as within7, sum(case when u.until_at <= ? then 1 else 0 end) as within30
		from guests g join guest_companies c on c.id = g.company join (select guest, max(until_at) as until_at from guest_places where until_at > ? group by guest) u on u.guest = g.id
		where g.ended_at is null group by c.key order by c.key`, day(7), day(30), db.At(now)).Scan(&counts).Error; err != nil {
		return nil, 0, fmt.Errorf("count guests: %w", err)
	}
	if err := q.Raw("select count(*) from guest_invitations where state = ?", Waiting).Scan(&waiting).Error; err != nil {
		return nil, 0, fmt.Errorf("count invitations: %w", err)
	}
	return counts, waiting, nil
}

// SummaryOutput answers how many guests there are.
type SummaryOutput struct {
	Body struct {
		ClosedAt  time.Time `json:"closed_at,omitzero" doc:"since when everybody from outside is kept out"`
		Waiting   int       `json:"waiting" doc:"invitations that others have to agree to"`
		Companies []Count   `json:"companies" nullable:"false" doc:"those that have a guest, in the order of their keys"`
	}
}

// Summary answers GET /api/v1/guests/summary.
func (a *API) Summary(ctx context.Context, _ *struct{}) (*SummaryOutput, error) {
	out := &SummaryOutput{}
	var err error
	if out.Body.Companies, out.Body.Waiting, err = a.Engine.Counts(ctx); err != nil {
		return nil, err
	}
	if out.Body.Companies == nil {
		out.Body.Companies = []Count{}
	}
	out.Body.ClosedAt, err = a.Engine.Closed(ctx)
	return out, err
}

// WaitingView is an invitation that waits for others to agree.
type WaitingView struct {
	InvitationView
	Guest   id.Guest `json:"guest"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Company string   `json:"company" doc:"key"`
}

// WaitingOutput answers the invitations that wait, the oldest first.
type WaitingOutput struct {
	Body struct {
		Items []WaitingView                `json:"items" nullable:"false"`
		Names map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

// Waiting answers GET /api/v1/guests/waiting: at most 200 invitations.
func (a *API) Waiting(ctx context.Context, _ *struct{}) (*WaitingOutput, error) {
	list, err := invitations(a.Engine.DB.Read(ctx), "state = ? order by asked_at, id limit ?", Waiting, waitingMost)
	if err != nil {
		return nil, err
	}
	guests := make([]id.Guest, len(list))
	for i, v := range list {
		guests[i] = v.Guest
	}
	of, err := a.Engine.companiesOf(ctx)
	if err != nil {
		return nil, err
	}
	known, err := load(a.Engine.DB.Read(ctx), "g.id in ?", db.Pad(guests))
	if err != nil {
		return nil, err
	}
	out := &WaitingOutput{}
	out.Body.Items = make([]WaitingView, len(list))
	var ids []string
	for i, v := range list {
		company := ""
		if at := slices.IndexFunc(known, func(g Guest) bool { return g.ID == v.Guest }); at >= 0 {
			company = of[known[at].Company].Key
		}
		out.Body.Items[i] = WaitingView{viewOf(v), v.Guest, v.Name, v.Email, company}
		ids = append(ids, string(v.Group), string(v.Sponsor), v.AskedBy)
	}
	out.Body.Names, err = a.Names(ctx, ids)
	return out, err
}

func viewOf(v Invitation) InvitationView {
	return InvitationView{v.ID, v.Group, filled(v.Channels), v.Sponsor, v.AskedBy, v.Reason, v.AskedUntil, v.Until, v.BoundBy, v.State, v.AskedAt, v.DecidedAt}
}

// DoorView is a project group with its channels that guests may be let into.
type DoorView struct {
	Group    id.Group          `json:"group"`
	Key      string            `json:"key"`
	Names    map[string]string `json:"names" doc:"by language"`
	Channels []DoorChannel     `json:"channels" nullable:"false"`
}

// DoorChannel is a channel that guests may be let into.
type DoorChannel struct {
	ID    id.Channel        `json:"id"`
	Key   string            `json:"key"`
	Names map[string]string `json:"names" doc:"by language"`
}

// CompanyName is a company as who lets guests in chooses it.
type CompanyName struct {
	Key     string            `json:"key"`
	Names   map[string]string `json:"names" doc:"by language"`
	Domains []string          `json:"domains" nullable:"false"`
	EndsAt  time.Time         `json:"ends_at,omitzero" doc:"of the contract"`
}

// DoorsOutput answers what somebody may let guests into, whose people, and for how long at a time.
type DoorsOutput struct {
	Body struct {
		Groups    []DoorView    `json:"groups" nullable:"false"`
		Companies []CompanyName `json:"companies" nullable:"false" doc:"those that are not suspended and whose contract is not over"`
		MostDays  int           `json:"most_days" doc:"how long at a time"`
	}
}

// Doors answers GET /api/v1/guests/doors: of every project group.
func (a *API) Doors(ctx context.Context, _ *struct{}) (*DoorsOutput, error) {
	return a.doors(ctx, func(id.Group) bool { return true })
}

// MyDoors answers GET /api/v1/me/guests/doors: of the project groups that the caller owns; nothing at all for whom the policy does not let answer for guests.
func (a *API) MyDoors(ctx context.Context, _ *struct{}) (*DoorsOutput, error) {
	me := httpapi.CallerFrom(ctx).Person
	owned, err := a.Engine.Reactor.OwnedGroups(ctx, me)
	if err != nil {
		return nil, err
	}
	if len(owned) > 0 {
		candidate, err := a.Engine.Reactor.Candidate(&db.Tx{DB: a.Engine.DB.Read(ctx)}, me)
		if err != nil {
			return nil, err
		}
		if !candidate.Sponsors() {
			owned = nil
		}
	}
	return a.doors(ctx, func(g id.Group) bool { return slices.Contains(owned, g) })
}

func (a *API) doors(ctx context.Context, which func(id.Group) bool) (*DoorsOutput, error) {
	out := &DoorsOutput{}
	out.Body.Groups, out.Body.Companies = []DoorView{}, []CompanyName{}
	all, err := a.Engine.Reactor.Doors(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if !which(d.ID) {
			continue
		}
		v := DoorView{Group: d.ID, Key: d.Key, Names: d.Names, Channels: make([]DoorChannel, len(d.Channels))}
		for i, c := range d.Channels {
			v.Channels[i] = DoorChannel{c.ID, c.Key, c.Names}
		}
		out.Body.Groups = append(out.Body.Groups, v)
	}
	if len(out.Body.Groups) == 0 { // who may not learns nothing of companies
		return out, nil
	}
	rules, err := a.Engine.Reactor.GuestRules(&db.Tx{DB: a.Engine.DB.Read(ctx)})
	if err != nil {
		return nil, err
	}
	out.Body.MostDays = rules.Days()
	list, err := a.Engine.Companies(ctx)
	for _, c := range list {
		if c.SuspendedAt.IsZero() && (c.EndsAt.IsZero() || c.EndsAt.After(a.Engine.clock())) {
			out.Body.Companies = append(out.Body.Companies, CompanyName{c.Key, c.Names, filled(c.Domains), c.EndsAt})
		}
	}
	return out, err
}

// ShowMine answers GET /api/v1/me/guests/{id}: for who answers for the guest.
func (a *API) ShowMine(ctx context.Context, in *GuestInput) (*ShowOutput, error) {
	if err := a.own(ctx, in.ID); err != nil {
		return nil, err
	}
	return a.Show(ctx, in)
}

// ProjectInput names a project group in the path.
type ProjectInput struct {
	ID id.Group `path:"id"`
	httpapi.Paging
}

// InProject answers GET /api/v1/me/groups/{id}/guests: who from outside is in a project group of the caller, whoever answers for them. Of their places those of this group are shown, and of their time
// what they have here.
func (a *API) InProject(ctx context.Context, in *ProjectInput) (*httpapi.Page[GuestView], error) {
	if err := a.owns(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := a.Engine.in(ctx, in.ID, id.Guest(in.Cursor), in.Limit+1)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(list) > in.Limit {
		list = list[:in.Limit]
		next = string(list[in.Limit-1].ID)
	}
	items, err := a.views(ctx, list)
	return httpapi.NewPage(ctx, items, next), err
}

// owns is ErrNotFound for a project group that the caller does not own.
func (a *API) owns(ctx context.Context, group id.Group) error {
	owned, err := a.Engine.Reactor.OwnedGroups(ctx, httpapi.CallerFrom(ctx).Person)
	if err == nil && !slices.Contains(owned, group) {
		err = fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	return err
}

// in answers the guests who are let into a project group, with the places that they have there and no others, in the order of their ids.
func (e *Engine) in(ctx context.Context, group id.Group, after id.Guest, limit int) ([]Guest, error) {
	list, err := load(e.DB.Read(ctx), `g.id > ? and g.ended_at is null and exists (select 1 from guest_places p where p.guest = g.id and p.group_id = ? and p.until_at > ?) order by g.id limit ?`,
		after, group, db.At(e.clock()), limit)
	for i := range list {
		list[i].Places = slices.DeleteFunc(list[i].Places, func(p Place) bool { return p.Group != group })
	}
	return list, err
}
