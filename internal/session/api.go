package session

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// Profile is what a person sees of themselves.
type Profile struct {
	ID          id.Person `json:"id"`
	DisplayName string    `json:"display_name"`
	UserName    string    `json:"user_name,omitempty"`
	Email       string    `json:"email,omitempty"`
	Title       string    `json:"title,omitempty"`
	Department  string    `json:"department,omitempty"`
	Locale      string    `json:"locale,omitempty"`
	TimeZone    string    `json:"time_zone,omitempty"`
}

// API is the HTTP side of the door.
type API struct {
	Door *Door
	// Profile reads a person from the directory; ErrNoPerson where there is none.
	Profile func(context.Context, id.Person) (Profile, error)
	// Unit answers the name of a unit; ErrNoUnit where there is none.
	Unit func(context.Context, id.Unit) (string, error)
	// Owned answers the project groups that a person owns.
	Owned func(context.Context, id.Person) ([]id.Group, error)
	// Impersonation lets administrators make tokens of people: demo and tests only.
	Impersonation bool
}

// MeOutput answers who calls.
type MeOutput struct {
	Body struct {
		Person *Profile   `json:"person" doc:"null for an administrator's token that belongs to no person"`
		Admin  bool       `json:"admin" doc:"holds a role of administrators"`
		Roles  []RoleBody `json:"roles" nullable:"false"`
		// Permissions is what the roles hold, whether for everything or for a part.
		Permissions []roles.Permission `json:"permissions" nullable:"false"`
		Owns        []id.Group         `json:"owns" nullable:"false" doc:"project groups that the person owns"`
		Session     id.Session         `json:"session,omitempty"`
		Token       id.Token           `json:"token,omitempty"`
	}
}

// RoleBody is one role, and for which unit.
type RoleBody struct {
	Role roles.Role `json:"role"`
	Unit id.Unit    `json:"unit,omitempty" doc:"with all below it; absent: the whole organisation"`
}

// Me answers who calls: a person, an administrator's token, or both.
func (a *API) Me(ctx context.Context, _ *struct{}) (*MeOutput, error) {
	caller := httpapi.CallerFrom(ctx)
	if !caller.Known() {
		return nil, httpapi.ErrUnauthenticated
	}
	out := &MeOutput{}
	b := &out.Body
	b.Admin, b.Session, b.Token, b.Roles, b.Owns = caller.Admin(), caller.Session, caller.Token, []RoleBody{}, []id.Group{}
	b.Permissions = append([]roles.Permission{}, caller.Grants.Permissions()...)
	for _, g := range caller.Grants {
		b.Roles = append(b.Roles, RoleBody{g.Role, g.Unit})
	}
	if caller.Person != "" {
		profile, err := a.Profile(ctx, caller.Person)
		if err != nil {
			return nil, err
		}
		b.Person = &profile
		if a.Owned != nil {
			owned, err := a.Owned(ctx, caller.Person)
			if err != nil {
				return nil, err
			}
			b.Owns = append(b.Owns, owned...)
		}
	}
	return out, nil
}

// SessionBody is one session.
type SessionBody struct {
	ID         id.Session `json:"id"`
	Current    bool       `json:"current" doc:"the one this request came with"`
	UserAgent  string     `json:"user_agent,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	LastSeenAt time.Time  `json:"last_seen_at" doc:"to five minutes"`
	ExpiresAt  time.Time  `json:"expires_at"`
}

// SessionInput names one session of the caller's own.
type SessionInput struct {
	ID id.Session `path:"id"`
}

// PersonInput names a person.
type PersonInput struct {
	ID id.Person `path:"id"`
}

func (a *API) sessions(ctx context.Context, person id.Person) (*httpapi.Page[SessionBody], error) {
	sessions, err := a.Door.Sessions(ctx, person)
	if err != nil {
		return nil, err
	}
	current := httpapi.CallerFrom(ctx).Session
	items := make([]SessionBody, len(sessions))
	for i, s := range sessions {
		items[i] = SessionBody{ID: s.ID, Current: s.ID == current, UserAgent: s.UserAgent, CreatedAt: s.CreatedAt.UTC(), LastSeenAt: s.LastSeenAt.UTC(), ExpiresAt: s.ExpiresAt.UTC()}
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// ListSessions lists the caller's own live sessions.
func (a *API) ListSessions(ctx context.Context, _ *struct{}) (*httpapi.Page[SessionBody], error) {
	return a.sessions(ctx, httpapi.CallerFrom(ctx).Person)
}

// EndSession ends one of the caller's own sessions.
func (a *API) EndSession(ctx context.Context, in *SessionInput) (*struct{}, error) {
	caller := httpapi.CallerFrom(ctx)
	return nil, a.Door.EndSession(ctx, caller, caller.Person, in.ID)
}

// ListPersonSessions lists a person's live sessions, for administrators.
func (a *API) ListPersonSessions(ctx context.Context, in *PersonInput) (*httpapi.Page[SessionBody], error) {
	return a.sessions(ctx, in.ID)
}

// EndPersonSessions ends every session and token of a person, for administrators.
func (a *API) EndPersonSessions(ctx context.Context, in *PersonInput) (*struct{}, error) {
	return nil, a.Door.EndPerson(ctx, in.ID, httpapi.CallerFrom(ctx).Actor(), "ended by an administrator")
}

// IdentityBody is one subject of an identity provider.
type IdentityBody struct {
	Issuer    string    `json:"issuer"`
	Subject   string    `json:"subject"`
	CreatedAt time.Time `json:"created_at"`
}

// ListIdentities lists the subjects a person signs in as, for administrators.
func (a *API) ListIdentities(ctx context.Context, in *PersonInput) (*httpapi.Page[IdentityBody], error) {
	identities, err := a.Door.Identities(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	items := make([]IdentityBody, len(identities))
	for i, v := range identities {
		items[i] = IdentityBody{Issuer: v.Issuer, Subject: v.Subject, CreatedAt: v.CreatedAt.UTC()}
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// Unlink forgets the subjects of a person and ends the person's sessions, for administrators.
func (a *API) Unlink(ctx context.Context, in *PersonInput) (*struct{}, error) {
	return nil, a.Door.Unlink(ctx, httpapi.CallerFrom(ctx), in.ID)
}
