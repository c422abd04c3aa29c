package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
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
	// Impersonation lets administrators make tokens of people: demo and tests only.
	Impersonation bool
}

// MeOutput answers who calls.
type MeOutput struct {
	Body struct {
		Person  *Profile   `json:"person" doc:"null for an administrator's token that belongs to no person"`
		Admin   bool       `json:"admin"`
		Session id.Session `json:"session,omitempty"`
		Token   id.Token   `json:"token,omitempty"`
	}
}

// Me answers who calls: a person, an administrator's token, or both.
func (a *API) Me(ctx context.Context, _ *struct{}) (*MeOutput, error) {
	caller := httpapi.CallerFrom(ctx)
	if !caller.Known() {
		return nil, httpapi.ErrUnauthenticated
	}
	out := &MeOutput{}
	out.Body.Admin, out.Body.Session, out.Body.Token = caller.Admin, caller.Session, caller.Token
	if caller.Person != "" {
		profile, err := a.Profile(ctx, caller.Person)
		if err != nil {
			return nil, err
		}
		out.Body.Person = &profile
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

// AdminBody is one holder of the administrator role.
type AdminBody struct {
	Person    id.Person `json:"person"`
	GrantedBy string    `json:"granted_by"`
	GrantedAt time.Time `json:"granted_at"`
}

// ListAdmins lists who has the administrator role.
func (a *API) ListAdmins(ctx context.Context, _ *struct{}) (*httpapi.Page[AdminBody], error) {
	admins, err := a.Door.Admins(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]AdminBody, len(admins))
	for i, v := range admins {
		items[i] = AdminBody{Person: v.Person, GrantedBy: v.GrantedBy, GrantedAt: v.GrantedAt.UTC()}
	}
	return httpapi.NewPage(ctx, items, ""), nil
}

// GrantAdmin gives a person the administrator role.
func (a *API) GrantAdmin(ctx context.Context, in *PersonInput) (*struct{}, error) {
	if _, err := a.Profile(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, a.grantable(a.Door.GrantAdmin(ctx, httpapi.CallerFrom(ctx), in.ID))
}

// RevokeAdmin takes the administrator role from a person; the last one keeps it.
func (a *API) RevokeAdmin(ctx context.Context, in *PersonInput) (*struct{}, error) {
	return nil, a.Door.RevokeAdmin(ctx, httpapi.CallerFrom(ctx), in.ID)
}

// grantable answers 409 where it is not the caller but the subject of the request that is frozen.
func (a *API) grantable(err error) error {
	if errors.Is(err, ErrFrozen) {
		return httpapi.NewProblem(http.StatusConflict, "person_frozen", "this person has no access now")
	}
	return err
}
