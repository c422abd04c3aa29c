package provisioning

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/policies"
)

// FormerGrantItem is a reason that was given by hand and is over.
type FormerGrantItem struct {
	Group   GroupRef      `json:"group"`
	Role    policies.Role `json:"role"`
	Kind    Kind          `json:"kind"`
	Ref     string        `json:"ref"`
	From    time.Time     `json:"from"`
	EndedAt time.Time     `json:"ended_at"`
	Present bool          `json:"present" doc:"the person is in the group again for another reason"`
}

// FormerGrants answers what was given to a person by hand and has ended; a rehire does not bring it back.
func (a *API) FormerGrants(ctx context.Context, in *PersonInput) (*httpapi.Page[FormerGrantItem], error) {
	list, err := a.Reactor.FormerGrants(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, next, err := cut(list, in.Paging)
	if err != nil {
		return nil, err
	}
	items := make([]FormerGrantItem, len(list))
	for i, g := range list {
		items[i] = FormerGrantItem{Group: groupRefOf(g.Group), Role: g.Role, Kind: g.Kind, Ref: g.Ref, From: g.From, EndedAt: g.Until, Present: g.Present}
	}
	return httpapi.NewPage(ctx, items, next), nil
}
