package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// UnitView is a unit in an answer.
type UnitView struct {
	ID     id.Unit           `json:"id"`
	Source id.Source         `json:"source"`
	Key    string            `json:"key"`
	Name   string            `json:"name"`
	Names  map[string]string `json:"names,omitempty"`
	Parent id.Unit           `json:"parent,omitempty"`
}

// ListUnits answers GET /api/v1/units: the whole forest, or what the caller's role is for, parents before children.
func (a *API) ListUnits(ctx context.Context, _ *struct{}) (*httpapi.Page[UnitView], error) {
	units, err := a.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	if scope := httpapi.ScopeFrom(ctx); !scope.All {
		follow, err := a.Store.Successions(ctx, "")
		if err != nil {
			return nil, err
		}
		units = within(units, heirs(scope.Units, units, follow))
	}
	views := make([]UnitView, len(units))
	for i, u := range units {
		views[i] = UnitView{ID: u.ID, Source: u.Source, Key: u.Key, Name: u.Name, Names: u.Names, Parent: u.Parent}
	}
	return httpapi.NewPage(ctx, views, ""), nil
}

// SourceView is a source in an answer.
type SourceView struct {
	ID        id.Source     `json:"id"`
	Name      string        `json:"name"`
	Kind      SourceKind    `json:"kind"`
	Priority  int           `json:"priority"`
	Correlate []string      `json:"correlate" nullable:"false"`
	Authority []string      `json:"authority" nullable:"false" doc:"what its word counts for before that of sources without that authority"`
	Advisory  bool          `json:"advisory" doc:"no authority over employment: enables and freezes nobody whom another source knows"`
	CreatedAt time.Time     `json:"created_at"`
	SyncedAt  time.Time     `json:"synced_at,omitzero"`
	Mode      Mode          `json:"mode" enum:"live,dry_run,going_live,discarding" doc:"while it is dry_run nothing follows from what the source says"`
	Tokens    []TokenView   `json:"tokens" nullable:"false"`
	Health    *SourceHealth `json:"health,omitempty"`
}

// TokenView is a source token in an answer; its secret is nowhere.
type TokenView struct {
	ID         id.Token  `json:"id"`
	Name       string    `json:"name"`
	Scope      Scope     `json:"scope"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

func tokenView(t SourceToken) TokenView {
	return TokenView{t.ID, t.Name, t.Scope, t.CreatedAt, t.ExpiresAt, t.LastUsedAt, t.RevokedAt}
}

func (a *API) sourceView(ctx context.Context, s Source) (SourceView, error) {
	tokens, err := a.Store.SourceTokens(ctx, s.ID)
	if err != nil {
		return SourceView{}, err
	}
	view := SourceView{ID: s.ID, Name: s.Name, Kind: s.Kind, Priority: s.Priority, Correlate: notNil(s.Correlate), Authority: authorityView(s), Advisory: s.Advisory(),
		CreatedAt: s.CreatedAt, SyncedAt: s.SyncedAt, Mode: s.Mode, Tokens: []TokenView{}}
	for _, t := range tokens {
		view.Tokens = append(view.Tokens, tokenView(t))
	}
	return view, nil
}

// ListSources answers GET /api/v1/sources.
func (a *API) ListSources(ctx context.Context, _ *struct{}) (*httpapi.Page[SourceView], error) {
	sources, err := a.Store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	health, err := a.health(ctx, sources)
	if err != nil {
		return nil, err
	}
	views := make([]SourceView, len(sources))
	for i, s := range sources {
		if views[i], err = a.sourceView(ctx, s); err != nil {
			return nil, err
		}
		views[i].Health = health[s.ID]
	}
	return httpapi.NewPage(ctx, views, ""), nil
}

// CreateSourceInput describes a new source.
type CreateSourceInput struct {
	Body struct {
		Name      string     `json:"name" pattern:"^[a-z0-9][a-z0-9-]{0,39}$"`
		Kind      SourceKind `json:"kind" enum:"scim,ldap,hrfeed,console"`
		Priority  int        `json:"priority,omitempty" doc:"the lower wins, per attribute"`
		Correlate []string   `json:"correlate,omitempty" enum:"employee_number,external_id" doc:"fields by which a new record joins a person another source knows"`
		Authority *[]string  `json:"authority,omitempty" doc:"groups of attributes (employment, org, job, manager, name, login, contact, region, labels), attributes, label.<name>; absent: everything"`
		Advisory  bool       `json:"advisory,omitempty" doc:"short for the authority over everything but employment"`
		DryRun    bool       `json:"dry_run,omitempty" doc:"store and answer everything, and let nothing follow until the source is taken live"`
	}
}

// lowPriority is that of a source whose priority nobody said.
const lowPriority = 100

// SourceOutput is one source.
type SourceOutput struct{ Body SourceView }

// CreateSource answers POST /api/v1/sources.
func (a *API) CreateSource(ctx context.Context, in *CreateSourceInput) (*SourceOutput, error) {
	b := in.Body
	if b.Priority == 0 { // whoever says nothing comes after those who did
		b.Priority = lowPriority
	}
	var authority []string
	switch {
	case b.Authority != nil:
		authority = append([]string{}, *b.Authority...)
	case b.Advisory:
		authority = Advising()
	}
	mode := ModeLive
	if b.DryRun || b.Kind == KindHRFeed { // a personnel file is looked at before the first one has effect
		mode = ModeDryRun
	}
	s, err := a.Store.CreateSource(ctx, CauseFrom(ctx, ""), Source{Name: b.Name, Kind: b.Kind, Priority: b.Priority, Correlate: b.Correlate, Authority: authority, Mode: mode})
	if err != nil {
		return nil, err
	}
	view, err := a.sourceView(ctx, s)
	return &SourceOutput{Body: view}, err
}

// IssueTokenInput describes a new source token.
type IssueTokenInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		Name      string    `json:"name,omitempty" maxLength:"100"`
		Scope     Scope     `json:"scope,omitempty" enum:"read,write" doc:"what it may do; write where nothing is said"`
		ExpiresAt time.Time `json:"expires_at,omitzero" required:"false"`
	}
}

// IssueTokenOutput holds the secret, the only time it is shown.
type IssueTokenOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		TokenView
		Secret string `json:"secret" doc:"shown once"`
	}
}

// IssueToken answers POST /api/v1/sources/{id}/tokens. Over SCIM a token of either scope reads what the source said itself, so who may not
// see what is to come makes none: ErrAhead.
func (a *API) IssueToken(ctx context.Context, in *IssueTokenInput) (*IssueTokenOutput, error) {
	source, err := a.Store.SourceByID(ctx, in.ID)
	if err == nil && source.Kind == KindGuests {
		err = ErrBuiltIn
	}
	if err != nil {
		return nil, err
	}
	if source.SpeaksSCIM() && Masks(ctx) {
		return nil, ErrAhead
	}
	secret, token, err := a.Store.IssueToken(ctx, CauseFrom(ctx, ""), in.ID, NewToken{Name: in.Body.Name, Scope: in.Body.Scope, ExpiresAt: in.Body.ExpiresAt})
	if err != nil {
		return nil, err
	}
	out := &IssueTokenOutput{CacheControl: "no-store"}
	out.Body.TokenView, out.Body.Secret = tokenView(token), secret
	return out, nil
}

// TokenInPath names a token of a source.
type TokenInPath struct {
	ID    id.Source `path:"id"`
	Token id.Token  `path:"token"`
}

// RevokeToken answers DELETE /api/v1/sources/{id}/tokens/{token}.
func (a *API) RevokeToken(ctx context.Context, in *TokenInPath) (*struct{}, error) {
	return nil, a.Store.RevokeSourceToken(ctx, CauseFrom(ctx, ""), in.ID, in.Token)
}

// DirectoryGroupView is a group of a source in an answer.
type DirectoryGroupView struct {
	ID          id.DirectoryGroup `json:"id"`
	Source      SourceRef         `json:"source"`
	Key         string            `json:"key"`
	ExternalID  string            `json:"external_id"`
	DisplayName string            `json:"display_name"`
	Members     int               `json:"members" doc:"direct ones, unknown ones too"`
	UpdatedAt   time.Time         `json:"updated_at"`
}

// ListDirectoryGroupsInput chooses groups.
type ListDirectoryGroupsInput struct {
	Text   string    `query:"q" maxLength:"200" doc:"in the name"`
	Source id.Source `query:"source"`
	httpapi.Paging
}

// ListDirectoryGroups answers GET /api/v1/directory-groups, in order of creation.
func (a *API) ListDirectoryGroups(ctx context.Context, in *ListDirectoryGroupsInput) (*httpapi.Page[DirectoryGroupView], error) {
	q := GroupQuery{Source: in.Source, Limit: in.Limit + 1, NoTotal: true, NoRaw: true}
	if in.Text != "" {
		q.Where = Compare{Column: ColDisplayName, Op: Co, Value: in.Text}
	}
	if _, err := httpapi.DecodeCursor(in.Cursor, &q.After); err != nil {
		return nil, err
	}
	if err := storable("cursor", string(q.After)); err != nil {
		return nil, err
	}
	page, err := a.Store.FindGroups(ctx, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(page.Groups) > in.Limit {
		page.Groups = page.Groups[:in.Limit]
		next = httpapi.Cursor(page.Groups[in.Limit-1].ID)
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]id.DirectoryGroup, len(page.Groups))
	for i, g := range page.Groups {
		ids[i] = g.ID
	}
	counts, err := a.Store.MemberCounts(ctx, ids)
	if err != nil {
		return nil, err
	}
	views := make([]DirectoryGroupView, len(page.Groups))
	for i, g := range page.Groups {
		views[i] = DirectoryGroupView{ID: g.ID, Source: sourceRef(sources[g.Source]), Key: g.Key, ExternalID: g.ExternalID, DisplayName: g.DisplayName,
			Members: counts[g.ID], UpdatedAt: g.UpdatedAt}
	}
	return httpapi.NewPage(ctx, views, next), nil
}

// MemberView is a member of a directory group in an answer.
type MemberView struct {
	Value   string            `json:"value"`
	Display string            `json:"display"`
	Person  id.Person         `json:"person,omitempty"`
	Group   id.DirectoryGroup `json:"group,omitempty" doc:"a nested group"`
	Pending bool              `json:"pending" doc:"nobody of this value is known yet"`
}

// ListMembersInput names a group.
type ListMembersInput struct {
	ID id.DirectoryGroup `path:"id"`
	httpapi.Paging
}

// ListMembers answers GET /api/v1/directory-groups/{id}/members.
func (a *API) ListMembers(ctx context.Context, in *ListMembersInput) (*httpapi.Page[MemberView], error) {
	found, err := a.Store.FindGroups(ctx, GroupQuery{Where: Compare{Column: ColID, Op: Eq, Value: string(in.ID)}, Limit: 1, NoRaw: true, Staged: true})
	if err != nil {
		return nil, err
	}
	if len(found.Groups) == 0 {
		return nil, fmt.Errorf("group %s: %w", in.ID, ErrNotFound)
	}
	q := MemberQuery{Limit: in.Limit + 1}
	if _, err := httpapi.DecodeCursor(in.Cursor, &q.After); err != nil {
		return nil, err
	}
	page, err := a.Store.Members(ctx, in.ID, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(page.Members) > in.Limit {
		page.Members = page.Members[:in.Limit]
		next = httpapi.Cursor(page.Members[in.Limit-1].Value)
	}
	views := make([]MemberView, len(page.Members))
	for i, m := range page.Members {
		views[i] = MemberView{Value: m.Value, Display: m.Display, Person: m.Person, Group: m.Group, Pending: m.Link == "" && m.Group == ""}
	}
	return httpapi.NewPage(ctx, views, next), nil
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
