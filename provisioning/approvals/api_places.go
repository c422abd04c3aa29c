package approvals

import (
	"context"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// PlaceView is a project group as the caller sees it who may do something about it.
type PlaceView struct {
	ID          id.Group          `json:"id"`
	Key         string            `json:"key"`
	Names       map[string]string `json:"names"`
	Description map[string]string `json:"description,omitempty"`
	Role        policies.Role     `json:"role,omitempty" doc:"that joining or asking gives"`
	Has         policies.Role     `json:"has,omitempty" doc:"my role there; absent: none"`
	May         []string          `json:"may" nullable:"false" enum:"join,ask,leave,elevate"`
	Apart       bool              `json:"apart,omitempty" doc:"a separation of the policy forbids joining and asking"`
}

// PlacesOutput is what the caller may do about project groups.
type PlacesOutput struct {
	Body struct {
		Items []PlaceView `json:"items" nullable:"false"`
	}
}

// Places answers GET /api/v1/me/groups: what I may join, ask for, leave.
func (a *API) Places(ctx context.Context, _ *struct{}) (*PlacesOutput, error) {
	list, err := a.Groups.Of(ctx, httpapi.CallerFrom(ctx).Person)
	if err != nil {
		return nil, err
	}
	out := &PlacesOutput{}
	out.Body.Items = []PlaceView{}
	for _, p := range list {
		v := PlaceView{ID: p.Group.ID, Key: p.Group.Key, Names: p.Group.Names, Description: p.Description, Role: p.Role, Has: p.Has, Apart: p.Apart, May: []string{}}
		stronger := p.Role.Strength() > p.Has.Strength() && !p.Apart
		for _, m := range []struct {
			word string
			may  bool
		}{{"join", p.Join && stronger}, {"ask", p.Ask && !p.Join && stronger}, {"leave", p.Own}, {"elevate", p.Elevation}} {
			if m.may {
				v.May = append(v.May, m.word)
			}
		}
		if len(v.May) > 0 || v.Apart { // else there is nothing to do about it
			out.Body.Items = append(out.Body.Items, v)
		}
	}
	return out, nil
}

// PlaceInput names a project group in the path.
type PlaceInput struct {
	ID id.Group `path:"id"`
}

// Join answers POST /api/v1/me/groups/{id}/join.
func (a *API) Join(ctx context.Context, in *PlaceInput) (*struct{}, error) {
	return nil, a.Groups.Join(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Person, in.ID)
}

// Leave answers POST /api/v1/me/groups/{id}/leave.
func (a *API) Leave(ctx context.Context, in *PlaceInput) (*struct{}, error) {
	return nil, a.Groups.Leave(ctx, directory.CauseFrom(ctx, ""), httpapi.CallerFrom(ctx).Person, in.ID)
}
