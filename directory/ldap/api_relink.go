package ldap

import (
	"context"
	"errors"
	"net/http"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// RelinkView is who has another id in the directory now.
type RelinkView struct {
	Read     int            `json:"read" doc:"people in the directory"`
	Known    int            `json:"known" doc:"people known of this source"`
	Same     int            `json:"same" doc:"of those, found under their own id"`
	Linked   int            `json:"linked" doc:"found under another id: they would be linked anew"`
	By       map[string]int `json:"by" doc:"how they were recognised: employee_number, user_name, dn"`
	Pairs    []Pair         `json:"pairs" nullable:"false" doc:"the first 200 of them"`
	Unsure   []Unsure       `json:"unsure" nullable:"false" doc:"the first 200 entries that may be somebody: they come as new people, and those they may be are missed"`
	Ambig    int            `json:"ambiguous" doc:"how many those are"`
	New      int            `json:"new" doc:"entries that nobody is recognised in"`
	Missing  int            `json:"missing" doc:"people who are not found by any name"`
	Units    int            `json:"units" doc:"units that have another id"`
	Groups   int            `json:"groups" doc:"groups that have another id"`
	Complete bool           `json:"complete" doc:"the reading is proved complete; else nothing can be linked"`
	Why      []string       `json:"why" nullable:"false" doc:"why it is not"`
	Hash     string         `json:"hash" doc:"names this preview when it is applied"`
}

// pairsShown is how many pairs are shown.
const pairsShown = 200

func (r *relinking) view() RelinkView {
	v := RelinkView{Read: r.read, Known: r.known, Same: r.same, Linked: len(r.pairs), By: map[string]int{}, Pairs: []Pair{}, Unsure: []Unsure{}, Ambig: len(r.unsure),
		New: r.fresh - len(r.pairs) - len(r.unsure), Missing: r.known - r.same - len(r.pairs), Units: len(r.units), Groups: len(r.groups),
		Complete: r.complete, Why: append([]string{}, r.missing...), Hash: r.hash()}
	for _, p := range r.pairs {
		v.By[p.By]++
	}
	v.Pairs = append(v.Pairs, r.pairs[:min(len(r.pairs), pairsShown)]...)
	v.Unsure = append(v.Unsure, r.unsure[:min(len(r.unsure), pairsShown)]...)
	return v
}

// RelinkOutput is a RelinkView.
type RelinkOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         RelinkView
}

// PreviewRelink answers POST /api/v1/sources/{id}/relink/preview: it reads everybody once and writes nothing.
func (a *API) PreviewRelink(ctx context.Context, in *SourceInPath) (*RelinkOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.lookAnew(ctx)
	if err != nil {
		return nil, problem(err, s.config().Password)
	}
	a.at(in.ID, func(d *desk) { d.relink = r })
	return &RelinkOutput{CacheControl: "no-store", Body: r.view()}, nil
}

// RelinkInput is a preview that is to be applied.
type RelinkInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		Hash string `json:"hash" doc:"of its preview"`
	}
}

// Relink answers POST /api/v1/sources/{id}/relink: everybody who was recognised keeps their record under the new id, with all that hangs on it. It
// answers before the reading that follows.
func (a *API) Relink(ctx context.Context, in *RelinkInput) (*RelinkOutput, error) {
	s, err := a.syncer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var r *relinking
	a.at(in.ID, func(d *desk) {
		if d.relink != nil && d.relink.hash() == in.Body.Hash {
			r = d.relink
		}
	})
	if r == nil && in.Body.Hash != "" { // previewed on another node: what is found now has to be the same
		if r, err = s.lookAnew(ctx); err != nil {
			return nil, problem(err, s.config().Password)
		}
		if r.hash() != in.Body.Hash {
			r = nil
		}
	}
	switch {
	case r == nil:
		return nil, httpapi.NewProblem(http.StatusConflict, "preview_needed", "this was not previewed, or it is no longer so: look first at who would be linked")
	case !r.complete:
		return nil, httpapi.NewProblem(http.StatusConflict, "incomplete", "the directory was not read to its end: who is known by another id may be there")
	case len(r.pairs)+len(r.units)+len(r.groups) == 0:
		return nil, httpapi.NewProblem(http.StatusConflict, "nothing", "nobody has another id")
	}
	switch err := s.relink(ctx, directory.CauseFrom(ctx, ""), r); {
	case errors.Is(err, errMoved):
		return nil, httpapi.NewProblem(http.StatusConflict, "drift", "somebody was written meanwhile: look again")
	case errors.Is(err, errElsewhere):
		return nil, httpapi.NewProblem(http.StatusConflict, "elsewhere", "another node follows this source and does not let go of it: try again")
	case err != nil:
		return nil, err
	}
	a.at(in.ID, func(d *desk) { d.relink = nil })
	return &RelinkOutput{CacheControl: "no-store", Body: r.view()}, nil
}
