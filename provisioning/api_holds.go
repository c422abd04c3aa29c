package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// HoldsInput chooses holds.
type HoldsInput struct {
	State string `query:"state" enum:"open,released,rejected,vanished" doc:"absent: all"`
	httpapi.Paging
}

// HoldItem is a hold in an answer.
type HoldItem struct {
	ID         id.Hold      `json:"id"`
	Cause      Cause        `json:"cause"`
	Source     id.Source    `json:"source,omitempty"`
	SourceName string       `json:"source_name,omitempty"`
	About      *HoldAbout   `json:"about,omitempty" doc:"what the reason names"`
	State      string       `json:"state"`
	Reason     string       `json:"reason" doc:"the limit that is exceeded, and how many are held, and for what, where that is something else by now"`
	Breach     Breach       `json:"breach"`
	Count      int          `json:"count" doc:"people"`
	People     []PersonRef  `json:"people" nullable:"false" doc:"the first 500"`
	CreatedAt  time.Time    `json:"created_at"`
	DecidedAt  time.Time    `json:"decided_at,omitzero"`
	DecidedBy  string       `json:"decided_by,omitempty"`
	Removals   []HeldEntry  `json:"removals" nullable:"false" doc:"the first 500"`
	Causes     []HeldCause  `json:"causes" nullable:"false" doc:"everything that asks for what is held, the most people first"`
	Effects    []HeldEffect `json:"effects" nullable:"false" doc:"everything that is held, by cause and group"`
	Burst      *BurstView   `json:"burst,omitempty" doc:"of the cause burst: whom a source froze"`
	ByOthers   bool         `json:"needs_approval,omitempty" doc:"the policy wants somebody else to agree before it is released: ask for that by POST /api/v1/me/requests, kind release"`
}

// HeldCause counts whom a hold is about, by what asks for it. Of somebody whom something else concerns by now than at first both are counted.
type HeldCause struct {
	Cause  Cause `json:"cause"`
	People int   `json:"people"`
}

// HeldEffect counts what a hold keeps of one group, by cause.
type HeldEffect struct {
	Cause  Cause    `json:"cause"`
	Group  GroupRef `json:"group"`
	People int      `json:"people"`
}

// HeldEntry is one membership that a hold keeps.
type HeldEntry struct {
	Membership id.Membership `json:"membership"`
	Person     PersonRef     `json:"person"`
	Group      GroupRef      `json:"group"`
	Cause      Cause         `json:"cause" doc:"it was held for"`
	Now        Cause         `json:"now,omitempty" doc:"that asks for it now, where that is another one"`
	Since      time.Time     `json:"since"`
}

// ListHolds answers the newest 200 holds, newest first.
func (a *API) ListHolds(ctx context.Context, in *HoldsInput) (*httpapi.Page[HoldItem], error) {
	list, err := a.Reactor.Holds(ctx, in.State)
	if err != nil {
		return nil, err
	}
	list, next, err := cut(list, in.Paging)
	if err != nil {
		return nil, err
	}
	items := []HoldItem{}
	for _, h := range list {
		if h, err = a.seen(ctx, h); err != nil {
			return nil, err
		}
		if h.announced {
			continue
		}
		item, err := a.holdItem(ctx, h)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return httpapi.NewPage(ctx, items, next), nil
}

// seen answers a hold as the caller may know it.
func (a *API) seen(ctx context.Context, h Hold) (Hold, error) {
	if directory.SightOf(ctx).Full() {
		return h, nil
	}
	return a.Reactor.present(ctx, h)
}

func (a *API) holdItem(ctx context.Context, h Hold) (HoldItem, error) {
	out := HoldItem{ID: h.ID, Cause: h.Breach.Cause, Source: h.Breach.Source, State: h.State, Reason: h.Breach.String(), Breach: h.Breach, CreatedAt: h.CreatedAt,
		DecidedAt: h.ClosedAt, DecidedBy: h.ClosedBy, People: []PersonRef{}, Removals: []HeldEntry{}, Causes: []HeldCause{}, Effects: []HeldEffect{}}
	people := h.people()
	out.Count = len(people)
	people = people[:min(len(people), chunkMost)]
	names, err := a.names(ctx, people)
	if err != nil {
		return out, err
	}
	for _, p := range people {
		out.People = append(out.People, PersonRef{p, names[p]})
	}
	if out.Burst, err = a.burst(ctx, h, out.Count); err != nil {
		return out, err
	}
	c, err := a.Reactor.current(ctx)
	if err != nil {
		return out, err
	}
	_, out.ByOthers = policyOf(c).Decides("", policies.ApproveRelease)
	if err := a.name(ctx, c, &out); err != nil {
		return out, err
	}
	out.Causes, out.Effects = h.causes(), h.effects(c)
	out.Reason += byNow(h.Breach, out.Count, out.Causes)
	for _, r := range h.Removals[:min(len(h.Removals), chunkMost)] { // in order of the people: nobody beyond the first 500
		if _, known := names[r.Person]; !known {
			continue // of a burst with more people than are shown
		}
		out.Removals = append(out.Removals, HeldEntry{Membership: r.Membership, Person: PersonRef{r.Person, names[r.Person]}, Group: groupRefOf(c.groups[r.Group]), Cause: r.Cause, Now: r.Now, Since: r.Since})
	}
	return out, nil
}

// byNow says of whom a hold is by now; empty where the breach says it.
func byNow(b Breach, people int, causes []HeldCause) string {
	text := ""
	if b.Group == "" && people > b.People {
		verb := "are"
		if people == 1 {
			verb = "is"
		}
		text = fmt.Sprintf("; %s %s held by now", countPeople(people), verb)
	}
	if b.Cause == CauseBurst || len(causes) == 0 || len(causes) == 1 && causes[0].Cause == b.Cause {
		return text
	}
	parts := make([]string, len(causes))
	for i, c := range causes {
		parts[i] = fmt.Sprintf("%s of %d", c.Cause, c.People)
	}
	return cmp.Or(text, "; held") + " for " + strings.Join(parts, ", ")
}

// causes counts people by what asks for what is held, the most first.
func (h Hold) causes() []HeldCause {
	people := map[Cause]map[id.Person]bool{}
	for _, r := range h.Removals {
		for _, cause := range []Cause{r.Cause, cmp.Or(r.Now, r.Cause)} {
			if people[cause] == nil {
				people[cause] = map[id.Person]bool{}
			}
			people[cause][r.Person] = true
		}
	}
	out := make([]HeldCause, 0, len(people))
	for cause, of := range people {
		out = append(out, HeldCause{cause, len(of)})
	}
	slices.SortFunc(out, func(a, b HeldCause) int {
		return cmp.Or(cmp.Compare(b.People, a.People), cmp.Compare(a.Cause, b.Cause))
	})
	return out
}

// effects counts what is held, by cause and group, the most first.
func (h Hold) effects(c *catalog) []HeldEffect {
	type key struct {
		cause Cause
		group id.Group
	}
	count := map[key]int{}
	for _, r := range h.Removals {
		count[key{cmp.Or(r.Now, r.Cause), r.Group}]++
	}
	out := make([]HeldEffect, 0, len(count))
	for k, n := range count {
		out = append(out, HeldEffect{Cause: k.cause, Group: groupRefOf(c.groups[k.group]), People: n})
	}
	slices.SortFunc(out, func(a, b HeldEffect) int {
		return cmp.Or(cmp.Compare(b.People, a.People), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Group.Key, b.Group.Key))
	})
	return out
}

// HoldInput names a hold.
type HoldInput struct {
	ID id.Hold `path:"id"`
}

// HoldOutput is one hold.
type HoldOutput struct{ Body HoldItem }

// GetHold answers one hold.
func (a *API) GetHold(ctx context.Context, in *HoldInput) (*HoldOutput, error) {
	h, err := a.Reactor.Hold(ctx, in.ID)
	if err == nil {
		h, err = a.seen(ctx, h)
	}
	if err == nil && h.announced {
		err = fmt.Errorf("hold %s: %w", in.ID, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	item, err := a.holdItem(ctx, h)
	return &HoldOutput{Body: item}, err
}

// ReleaseHold lets the removals of a hold through and answers when that is in force.
func (a *API) ReleaseHold(ctx context.Context, in *HoldInput) (*ApplyOutput, error) {
	result, err := a.Reactor.Release(ctx, directory.CauseFrom(ctx, ""), in.ID)
	if err != nil {
		return nil, err
	}
	return &ApplyOutput{Body: resultView(result)}, nil
}

// RejectHold keeps the memberships of a hold for 14 days.
func (a *API) RejectHold(ctx context.Context, in *HoldInput) (*ApplyOutput, error) {
	result, err := a.Reactor.Reject(ctx, directory.CauseFrom(ctx, ""), in.ID)
	if err != nil {
		return nil, err
	}
	return &ApplyOutput{Body: resultView(result)}, nil
}
