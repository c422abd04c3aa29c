package provisioning

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// PastView is by what somebody could see a channel at an instant.
type PastView struct {
	Access      policies.Access `json:"access"`
	Until       time.Time       `json:"until,omitzero" doc:"when it was to end by itself"`
	Revision    int64           `json:"revision" doc:"of the relations: by which it was written"`
	AsOf        int64           `json:"as_of" doc:"of the relations: the last one up to the instant"`
	HistoryFrom time.Time       `json:"history_from,omitzero" doc:"from when on the history could be read; absent: all of it"`
}

func (a *API) pastPage(ctx context.Context, in *AudienceInput) (*httpapi.Page[AudienceItem], error) {
	var after id.Person
	if _, err := httpapi.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	list, err := a.Reactor.AudienceAt(ctx, in.ID, in.At, after, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]AudienceItem, len(list.Entries))
	full, now := directory.SightOf(ctx).Full(), a.Reactor.clock()
	for i, e := range list.Entries {
		if e.Reasons = orEmpty(e.Reasons); !full {
			e.Reasons = untold(e.Reasons, now)
			if e.Until.After(now) {
				e.Until = closes(e.Reasons)
			}
		}
		items[i] = AudienceItem{Person: PersonRef{e.Person, e.Name}, Role: e.Role, Since: e.Since, Reasons: reasonViews(e.Reasons),
			Past: &PastView{Access: e.Access, Until: e.Until, Revision: e.Revision, AsOf: list.Revision, HistoryFrom: e.HistoryFrom}}
		after = e.Person
	}
	next := ""
	if list.More {
		next = httpapi.Cursor(after)
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// explainAt answers what the relations decided at an instant, and why.
func (a *API) explainAt(ctx context.Context, in *ExplainInput) (*ExplainOutput, error) {
	e, err := a.Reactor.explainAt(ctx, directory.SightOf(ctx), in.Person, in.Channel, in.At)
	if err != nil {
		return nil, err
	}
	out := &ExplainOutput{}
	b := &out.Body
	b.Allowed, b.Index, b.Action, b.Role, b.Since, b.Path, b.Missing = e.Allowed, e.Allowed, "view", e.Role, e.Since, orEmpty(e.Path), orEmpty(e.Missing)
	return out, nil
}
