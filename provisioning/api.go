package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// Decider answers from the relations in force; *authz.Index is one.
type Decider interface {
	Allow(person id.Person, channel id.Channel, action string) (ok bool, historyFrom time.Time)
}

// API is the HTTP side of this package; its routes are for administrators, some for the owners of project groups too.
type API struct {
	Reactor   *Reactor
	Directory *directory.Store
	Index     Decider
	// Check asks OpenFGA; nil, or an error of it, shows as null in an explanation.
	Check func(ctx context.Context, person id.Person, channel id.Channel, action string) (bool, error)
	// Agree decides the request that waits for a plan to be approved, where one does that is the approver's to decide; else false.
	Agree func(ctx context.Context, cause directory.Cause, approver id.Person, plan id.Plan) (bool, error)
}

// GroupRef names a group in an answer.
type GroupRef struct {
	ID   id.Group          `json:"id"`
	Key  string            `json:"key"`
	Name map[string]string `json:"name"`
}

// ChannelRef names a channel in an answer.
type ChannelRef struct {
	ID      id.Channel                        `json:"id"`
	Key     string                            `json:"key"`
	Name    map[string]string                 `json:"name"`
	Labels  []string                          `json:"labels,omitempty"`
	Access  map[policies.Role]policies.Access `json:"access,omitempty" doc:"what each role may do"`
	History policies.History                  `json:"history,omitempty"`
}

// PersonRef names a person in an answer.
type PersonRef struct {
	ID          id.Person `json:"id"`
	DisplayName string    `json:"display_name"`
}

// ReasonView is a reason in an answer.
type ReasonView struct {
	ID            id.Reason     `json:"id"`
	Kind          Kind          `json:"kind"`
	Ref           string        `json:"ref"`
	Role          policies.Role `json:"role"`
	PolicyVersion int64         `json:"policy_version,omitempty"`
	Since         time.Time     `json:"since"`
	From          time.Time     `json:"from,omitzero"`
	Until         time.Time     `json:"until,omitzero"`
	Text          Text          `json:"text"`
}

func groupRefOf(g Group) GroupRef { return GroupRef{g.ID, g.Key, g.Names} }

func channelRefs(list []Channel) []ChannelRef {
	out := make([]ChannelRef, len(list))
	for i, c := range list {
		out[i] = ChannelRef{c.ID, c.Key, c.Names, c.Labels, c.Access, c.History}
	}
	return out
}

func reasonViews(list []Reason) []ReasonView {
	out := make([]ReasonView, len(list))
	for i, r := range list {
		out[i] = ReasonView{ID: r.ID, Kind: r.Kind, Ref: r.Ref, Role: r.Role, PolicyVersion: r.Version, Since: r.CreatedAt, From: r.From, Until: r.Until, Text: reasonText(r, "")}
	}
	return out
}

// PersonInput names a person in the path.
type PersonInput struct {
	ID id.Person `path:"id"`
	httpapi.Paging
}

// cut answers the page of a short list that is read as a whole, and the cursor of the next.
func cut[T any](list []T, paging httpapi.Paging) (page []T, next string, err error) {
	first := 0
	if _, err := httpapi.DecodeCursor(paging.Cursor, &first); err != nil {
		return nil, "", err
	}
	list = list[max(0, min(first, len(list))):]
	if len(list) <= paging.Limit {
		return list, "", nil
	}
	return list[:paging.Limit], httpapi.Cursor(first + paging.Limit), nil
}

// MembershipItem is one membership of a person.
type MembershipItem struct {
	ID        id.Membership `json:"id"`
	Group     GroupRef      `json:"group"`
	Role      policies.Role `json:"role"`
	Since     time.Time     `json:"since"`
	Begins    time.Time     `json:"begins,omitzero" doc:"of a planned one: when it is in force"`
	Ends      time.Time     `json:"ends,omitzero" doc:"when its last reason ends, where that is known"`
	Suspended bool          `json:"suspended" doc:"a freeze is open: the place is kept and gives nothing"`
	Held      bool          `json:"held" doc:"a removal waits for somebody's decision"`
	HeldBy    *HeldBy       `json:"held_by,omitempty" doc:"of a held one: which hold keeps it, and from what"`
	Reasons   []ReasonView  `json:"reasons"`
	Channels  []ChannelRef  `json:"channels"`
}

// HeldBy says which hold keeps a membership.
type HeldBy struct {
	Hold  id.Hold   `json:"hold"`
	Cause Cause     `json:"cause" doc:"what asks for the removal"`
	Since time.Time `json:"since"`
}

// PersonMemberships answers the memberships of a person, by the key of the group.
func (a *API) PersonMemberships(ctx context.Context, in *PersonInput) (*httpapi.Page[MembershipItem], error) {
	list, err := a.Reactor.MembershipsOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if list, err = a.Reactor.disclosedViews(ctx, directory.SightOf(ctx), list); err != nil {
		return nil, err
	}
	list, next, err := cut(list, in.Paging)
	if err != nil {
		return nil, err
	}
	items := make([]MembershipItem, len(list))
	for i, v := range list {
		items[i] = MembershipItem{ID: v.ID, Group: groupRefOf(v.Of), Role: v.Role, Since: v.Since, Begins: v.Begins, Ends: closes(v.Reasons), Suspended: v.Suspended, Held: v.Held,
			Reasons: reasonViews(v.Reasons), Channels: channelRefs(v.Channels)}
		if v.Held {
			items[i].HeldBy = &v.hold
		}
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// GroupItem is a project group with its channels.
type GroupItem struct {
	GroupRef
	Channels []ChannelRef `json:"channels"`
	Members  int          `json:"members"`
}

// ListGroups answers the groups of the policy in force, in its order.
func (a *API) ListGroups(ctx context.Context, in *httpapi.Paging) (*httpapi.Page[GroupItem], error) {
	list, err := a.Reactor.Groups(ctx)
	if err != nil {
		return nil, err
	}
	if scope := httpapi.ScopeFrom(ctx); !scope.All {
		list = slices.DeleteFunc(list, func(g GroupView) bool { return !scope.Group(g.ID) })
	}
	list, next, err := cut(list, *in)
	if err != nil {
		return nil, err
	}
	items := make([]GroupItem, len(list))
	for i, g := range list {
		items[i] = GroupItem{GroupRef: groupRefOf(g.Group), Channels: channelRefs(g.Channels), Members: g.Members}
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// AudienceItem is one person with a place in a group or a channel.
type AudienceItem struct {
	Membership id.Membership `json:"membership,omitempty"`
	Person     PersonRef     `json:"person"`
	Role       policies.Role `json:"role"`
	Since      time.Time     `json:"since"`
	Begins     time.Time     `json:"begins,omitzero" doc:"of a planned place: when it is in force"`
	Suspended  bool          `json:"suspended" doc:"a freeze is open: the place is kept and gives nothing; never so in an audience"`
	Held       bool          `json:"held"`
	Reasons    []ReasonView  `json:"reasons"`

	Past *PastView `json:"past,omitempty" doc:"with at: the evidence"`
}

// MembersInput chooses members of one group.
type MembersInput struct {
	Group id.Group `query:"group" required:"true" minLength:"1"`
	httpapi.Paging
}

// ListMemberships answers who is in a project group and why.
func (a *API) ListMemberships(ctx context.Context, in *MembersInput) (*httpapi.Page[AudienceItem], error) {
	if !httpapi.ScopeFrom(ctx).Group(in.Group) {
		return nil, fmt.Errorf("group %s: %w", in.Group, ErrNotFound)
	}
	return a.audiencePage(ctx, in.Paging, false, func(after id.Person) ([]AudienceEntry, bool, error) {
		return a.Reactor.Members(ctx, in.Group, after, in.Limit)
	})
}

// AudienceInput names a channel.
type AudienceInput struct {
	ID id.Channel `path:"id"`
	At time.Time  `query:"at" doc:"who could see it at this instant, past or to come, as the relations then decided; absent: who sees it now"`
	httpapi.Paging
}

// ChannelAudience answers who sees a channel and why, or who could see it at an instant: nobody whose place a freeze stops, or has yet to begin. These
// are among the members of the group.
func (a *API) ChannelAudience(ctx context.Context, in *AudienceInput) (*httpapi.Page[AudienceItem], error) {
	if err := a.reachChannel(ctx, in.ID); err != nil {
		return nil, err
	}
	if !in.At.IsZero() {
		if err := a.mayLookAhead(ctx, in.At, ""); err != nil {
			return nil, err
		}
		return a.pastPage(ctx, in)
	}
	return a.audiencePage(ctx, in.Paging, true, func(after id.Person) ([]AudienceEntry, bool, error) {
		return a.Reactor.Audience(ctx, in.ID, after, in.Limit)
	})
}

// audiencePage answers one page of whom read answers; sees: of those who see something by their place now.
func (a *API) audiencePage(ctx context.Context, paging httpapi.Paging, sees bool, read func(id.Person) ([]AudienceEntry, bool, error)) (*httpapi.Page[AudienceItem], error) {
	var after id.Person
	if _, err := httpapi.DecodeCursor(paging.Cursor, &after); err != nil {
		return nil, err
	}
	list, more, err := read(after)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 { // the cursor goes by what was read
		after = list[len(list)-1].Membership.Person
	}
	if sees {
		list = slices.DeleteFunc(list, func(e AudienceEntry) bool { return e.Suspended || e.Membership.Begins.After(a.Reactor.clock()) })
	}
	if list, err = a.Reactor.disclosedEntries(ctx, directory.SightOf(ctx), list); err != nil {
		return nil, err
	}
	items := make([]AudienceItem, len(list))
	for i, e := range list {
		m := e.Membership
		items[i] = AudienceItem{Membership: m.ID, Person: PersonRef{m.Person, e.Name}, Role: m.Role, Since: m.Since, Begins: m.Begins, Suspended: e.Suspended, Held: e.Held, Reasons: reasonViews(m.Reasons)}
	}
	next := ""
	if more {
		next = httpapi.Cursor(after)
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// ExplainInput asks about one person in one channel.
type ExplainInput struct {
	Person  id.Person  `query:"person" required:"true" minLength:"1"`
	Channel id.Channel `query:"channel" required:"true" minLength:"1"`
	At      time.Time  `query:"at" doc:"at this instant, past or to come; absent: now"`
}

// ExplainOutput is an explanation beside what the relations decide.
type ExplainOutput struct {
	Body struct {
		Allowed bool          `json:"allowed" doc:"rows and relations agree that the person may view the channel now"`
		Action  string        `json:"action"`
		Role    policies.Role `json:"role,omitempty"`
		Since   time.Time     `json:"since,omitzero"`
		Path    []Line        `json:"path" nullable:"false" doc:"rule, facts, reason, tuples"`
		Missing []Line        `json:"missing" nullable:"false" doc:"what stands against it"`
		Index   bool          `json:"index" doc:"what the index decides"`
		From    time.Time     `json:"history_from,omitzero" doc:"from when on the history may be read; absent: all of it"`
		OpenFGA *bool         `json:"openfga" doc:"what OpenFGA decides; null where it was not asked or is behind"`
	}
}

// Explain answers why a person sees a channel, or what is missing.
func (a *API) Explain(ctx context.Context, in *ExplainInput) (*ExplainOutput, error) {
	if err := a.reachPlace(ctx, in.Person, in.Channel); err != nil {
		return nil, err
	}
	if !in.At.IsZero() {
		if err := a.mayLookAhead(ctx, in.At, in.Person); err != nil {
			return nil, err
		}
		return a.explainAt(ctx, in)
	}
	e, err := a.Reactor.explain(ctx, directory.SightOf(ctx), in.Person, in.Channel)
	if err != nil {
		return nil, err
	}
	out := &ExplainOutput{}
	b := &out.Body
	b.Action, b.Role, b.Since, b.Path, b.Missing = "view", e.Role, e.Since, orEmpty(e.Path), orEmpty(e.Missing)
	if a.Index != nil {
		b.Index, b.From = a.Index.Allow(in.Person, in.Channel, b.Action)
	}
	b.Allowed = e.Allowed && b.Index
	if a.Check != nil {
		if ok, err := a.Check(ctx, in.Person, in.Channel, b.Action); err == nil {
			b.OpenFGA = &ok
			b.Allowed = b.Allowed && ok
		}
	}
	return out, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// names answers the display names of people, in parts of at most chunkMost.
func (a *API) names(ctx context.Context, people []id.Person) (map[id.Person]string, error) {
	out := make(map[id.Person]string, len(people))
	for part := range slices.Chunk(distinct(people), chunkMost) {
		found, err := a.Directory.PeopleByID(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			out[p.ID] = p.DisplayName
		}
	}
	return out, nil
}

// problem gives an error that has more to say than one line its own answer.
func problem(err error) error {
	var held *HeldError
	if errors.As(err, &held) {
		p := httpapi.NewProblem(http.StatusConflict, "held", "plan "+string(held.Plan)+" is held by the guard; look at it and confirm it")
		for _, b := range held.Verdict.Breaches {
			p.Problems = append(p.Problems, b.String())
		}
		return p
	}
	var syntax *policies.SyntaxError
	if errors.As(err, &syntax) {
		p := httpapi.NewProblem(http.StatusUnprocessableEntity, "policy_invalid", syntax.Error())
		p.Problems = []string{syntax.Error()}
		return p
	}
	return err
}
