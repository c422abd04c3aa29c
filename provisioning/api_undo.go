package provisioning

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// BurstView is what a hold of the cause burst lists, in an answer.
type BurstView struct {
	Of      int           `json:"of,omitempty" doc:"people who had a place when it opened"`
	Limit   int           `json:"limit" doc:"more than these within 24 hours are a burst"`
	Frozen  int           `json:"frozen" doc:"people whom it keeps out now"`
	FirstAt time.Time     `json:"first_at"`
	LastAt  time.Time     `json:"last_at"`
	Freezes []FrozenEntry `json:"freezes" nullable:"false" doc:"the first 500, oldest first"`
}

// FrozenEntry is one freeze of a burst.
type FrozenEntry struct {
	Freeze  id.Freeze             `json:"freeze"`
	Person  PersonRef             `json:"person"`
	Cause   directory.FreezeCause `json:"cause" enum:"disabled,deleted"`
	At      time.Time             `json:"at"`
	Outcome string                `json:"outcome" doc:"restored, confirmed, lifted; empty: it stands and waits"`
	EndedAt time.Time             `json:"ended_at,omitzero"`
}

// people answers whom a hold is about, each once: of an open burst those who wait, of a closed one all.
func (h Hold) people() []id.Person {
	var out []id.Person
	for _, r := range h.Removals {
		out = append(out, r.Person)
	}
	if h.Breach.Cause == CauseBurst {
		out = nil
		for _, f := range h.Freezes {
			if h.State != HoldOpen || f.Outcome == FreezeStands {
				out = append(out, f.Person)
			}
		}
	}
	return distinct(out)
}

// burst fills in what a burst has beside a hold.
func (a *API) burst(ctx context.Context, h Hold, waiting int) (*BurstView, error) {
	if h.Breach.Cause != CauseBurst || len(h.Freezes) == 0 {
		return nil, nil
	}
	v := &BurstView{Of: h.Breach.Of, Limit: h.Breach.Limit, FirstAt: h.Freezes[0].At, LastAt: h.Freezes[len(h.Freezes)-1].At, Freezes: []FrozenEntry{}}
	if h.State == HoldOpen {
		v.Frozen = waiting
	}
	shown := h.Freezes[:min(len(h.Freezes), chunkMost)]
	var people []id.Person
	for _, f := range shown {
		people = append(people, f.Person)
	}
	names, err := a.names(ctx, people)
	if err != nil {
		return nil, err
	}
	for _, f := range shown {
		v.Freezes = append(v.Freezes, FrozenEntry{Freeze: f.Freeze, Person: PersonRef{f.Person, names[f.Person]}, Cause: f.Cause, At: f.At, Outcome: f.Outcome, EndedAt: f.EndedAt})
	}
	return v, nil
}

// RestoreHoldInput names a hold and, of a burst, whom to restore.
type RestoreHoldInput struct {
	ID   id.Hold `path:"id"`
	Body struct {
		People []id.Person `json:"people,omitempty" maxItems:"10000" doc:"of a burst: only these; absent: everybody"`
		Reason string      `json:"reason,omitempty" maxLength:"2000" doc:"for the audit log and the person's page"`
	}
}

// RestoreOutput is what an undo did.
type RestoreOutput struct {
	Body struct {
		Restored    []PersonRef `json:"restored" nullable:"false" doc:"who has their access back"`
		Frozen      []PersonRef `json:"frozen" nullable:"false" doc:"restored, but another freeze keeps them out"`
		Skipped     []PersonRef `json:"skipped" nullable:"false" doc:"whose freeze did not stand any more"`
		Memberships int         `json:"memberships" doc:"ended memberships that are back"`
		Until       time.Time   `json:"until" doc:"then what the source says applies again"`
		Revision    int64       `json:"revision"`
		Channels    int         `json:"channels,omitempty" doc:"of a plan: from how many people its policy took channels, or a role, by what it says of channels and groups"`
		BackTo      int64       `json:"back_to,omitempty" doc:"the version of the policy that gives those back"`
		Plan        id.Plan     `json:"plan,omitempty" doc:"the plan that goes back to it; none where another version is in force by now"`
		Applied     bool        `json:"applied,omitempty" doc:"that plan is in force; otherwise it takes something too, or somebody has to agree, and it waits to be applied"`
		// NotUndone is what the run took and the undo did not give back.
		NotUndone []NotUndoneEntry `json:"not_undone,omitempty" doc:"what the run took and people do not have back: the first 500"`
		Missing   int              `json:"not_undone_count,omitempty" doc:"how many of those there are"`
	}
}

// NotUndoneEntry is something that an undo did not give back.
type NotUndoneEntry struct {
	Person   PersonRef     `json:"person"`
	Group    string        `json:"group" doc:"key"`
	Role     policies.Role `json:"role,omitempty" doc:"that the person does not have back; none: they miss channels alone"`
	Channels []string      `json:"channels,omitempty" doc:"keys of the channels that they do not see, or may do less in"`
	Why      WhyNot        `json:"why" enum:"left,end_date,plan_waits,group_archived,later_version,policy" doc:"the person has left; a date of the source ended the employment, and is the source's to correct; it comes with the plan that waits; the policy in force has no such group; it shows it no more; it does not let it stand"`
}

// RestoreHold undoes a hold and answers when that is in force: what a source froze or what was removed is back for 14 days.
func (a *API) RestoreHold(ctx context.Context, in *RestoreHoldInput) (*RestoreOutput, error) {
	done, err := a.Reactor.Restore(ctx, directory.CauseFrom(ctx, in.Body.Reason), in.ID, in.Body.People)
	if err != nil {
		return nil, err
	}
	return a.restored(ctx, done)
}

// UndoRunInput names what to undo.
type UndoRunInput struct {
	ID   id.Request `path:"id" maxLength:"100" doc:"a run of a source, a plan, or the request of a call, as the audit log names it"`
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"for the audit log and the person's page"`
	}
}

// UndoRun answers POST /api/v1/runs/{id}/undo: what it took of people is back for 14 days when it answers.
func (a *API) UndoRun(ctx context.Context, in *UndoRunInput) (*RestoreOutput, error) {
	done, err := a.Reactor.UndoRun(ctx, directory.CauseFrom(ctx, in.Body.Reason), in.ID)
	if err != nil {
		return nil, err
	}
	return a.restored(ctx, done)
}

// RestorePersonInput names a freeze of a source.
type RestorePersonInput struct {
	ID   id.Person `path:"id"`
	Body struct {
		Freeze id.Freeze `json:"freeze" minLength:"1"`
		Reason string    `json:"reason,omitempty" maxLength:"2000" doc:"for the audit log and the person's page"`
	}
}

// RestorePerson undoes one freeze by which a source disabled or deleted a person, for 14 days.
func (a *API) RestorePerson(ctx context.Context, in *RestorePersonInput) (*RestoreOutput, error) {
	done, err := a.Reactor.RestorePerson(ctx, directory.CauseFrom(ctx, in.Body.Reason), in.ID, in.Body.Freeze)
	if err != nil {
		return nil, err
	}
	return a.restored(ctx, done)
}

func (a *API) restored(ctx context.Context, done Restored) (*RestoreOutput, error) {
	out := &RestoreOutput{}
	b := &out.Body
	b.Memberships, b.Until, b.Revision = done.Memberships, done.Until, done.Rev
	b.Channels, b.BackTo, b.Plan, b.Applied = len(done.Channels), done.BackTo, done.Plan, done.Applied
	for _, list := range []struct {
		to   *[]PersonRef
		from []id.Person
	}{{&b.Restored, without(done.People, done.Frozen)}, {&b.Frozen, done.Frozen}, {&b.Skipped, done.Skipped}} {
		names, err := a.names(ctx, list.from)
		if err != nil {
			return nil, err
		}
		*list.to = []PersonRef{}
		for _, p := range list.from {
			*list.to = append(*list.to, PersonRef{p, names[p]})
		}
	}
	b.Missing = len(done.NotUndone)
	shown := done.NotUndone[:min(b.Missing, chunkMost)]
	var people []id.Person
	for _, miss := range shown {
		people = append(people, miss.Person)
	}
	names, err := a.names(ctx, people)
	if err != nil {
		return nil, err
	}
	for _, miss := range shown {
		b.NotUndone = append(b.NotUndone, NotUndoneEntry{PersonRef{miss.Person, names[miss.Person]}, miss.Group, miss.Role, miss.Channels, miss.Why})
	}
	return out, nil
}
