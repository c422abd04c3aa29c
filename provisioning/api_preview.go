package provisioning

import (
	"context"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// PreviewInput names a source and a page of what it would do.
type PreviewInput struct {
	ID   id.Source `path:"id"`
	Kind string    `query:"kind" enum:"new,joined,changed,frozen,lifted,gained,lost,double,conflict,pending,failed" doc:"only records of this kind"`
	httpapi.Paging
}

// StageView counts what a source holds in its dry run.
type StageView struct {
	Records        int `json:"records"`
	Groups         int `json:"groups"`
	Units          int `json:"units"`
	Members        int `json:"members" doc:"of its groups"`
	MembersPending int `json:"members_pending" doc:"of those, how many name nobody who is known"`
}

// PreviewItem is a line with names.
type PreviewItem struct {
	PreviewLine
	Joins   *PersonRef   `json:"joins,omitempty" doc:"the person whom it joins"`
	Doubles []DoubleView `json:"doubles" nullable:"false"`
}

// DoubleView is somebody who may be the same human being.
type DoubleView struct {
	Person PersonRef `json:"person"`
	By     string    `json:"by" enum:"email,user_name"`
}

// PreviewView is what would happen if a source went live now.
type PreviewView struct {
	Source        directory.SourceRef `json:"source"`
	Correlate     []string            `json:"correlate" nullable:"false"`
	Stage         StageView           `json:"stage"`
	PolicyVersion int64               `json:"policy_version"`
	Hash          string              `json:"hash,omitempty" doc:"names what was looked at, for going live; on the first page only"`
	Summary       *PreviewSummary     `json:"summary,omitempty" doc:"on the first page only"`
	Verdict       *VerdictView        `json:"verdict,omitempty" doc:"what the guard would hold; on the first page only"`
	Items         []PreviewItem       `json:"items" nullable:"false"`
	Next          string              `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
}

// PreviewOutput is a preview.
type PreviewOutput struct {
	Link string `header:"Link"`
	Body PreviewView
}

// PreviewSource answers GET /api/v1/sources/{id}/preview: what would happen if a source in its dry run went live now. Nothing is written.
func (a *API) PreviewSource(ctx context.Context, in *PreviewInput) (*PreviewOutput, error) {
	q := PreviewQuery{Kind: in.Kind, Limit: in.Limit, AtOnce: !directory.SightOf(ctx).Full()}
	if _, err := httpapi.DecodeCursor(in.Cursor, &q.After); err != nil {
		return nil, err
	}
	p, err := a.Reactor.Preview(ctx, in.ID, q)
	if err != nil {
		return nil, err
	}
	s := p.Stage.Source
	v := PreviewView{Source: directory.SourceRef{ID: s.ID, Name: s.Name, Kind: s.Kind}, Correlate: orEmpty(s.Correlate), PolicyVersion: p.Policy, Hash: p.Hash,
		Stage: StageView{p.Stage.Records, p.Stage.Groups, p.Stage.Units, p.Stage.Members, p.Stage.MembersPending}, Items: []PreviewItem{}}
	if in.Cursor == "" {
		verdict := verdictView(p.Summary.Verdict)
		v.Summary, v.Verdict = &p.Summary, &verdict
	}
	if p.Next != "" {
		v.Next = httpapi.Cursor(p.Next)
	}
	var people []id.Person
	for _, line := range p.Lines {
		if line.By != "" {
			people = append(people, line.Person)
		}
		for _, d := range line.Doubles {
			people = append(people, d.Person)
		}
	}
	names, err := a.names(ctx, distinct(people))
	if err != nil {
		return nil, err
	}
	for _, line := range p.Lines {
		item := PreviewItem{PreviewLine: line, Doubles: []DoubleView{}}
		if line.By != "" {
			item.Joins = &PersonRef{line.Person, names[line.Person]}
		}
		for _, d := range line.Doubles {
			item.Doubles = append(item.Doubles, DoubleView{PersonRef{d.Person, names[d.Person]}, d.By})
		}
		v.Items = append(v.Items, item)
	}
	return &PreviewOutput{Link: httpapi.NextLink(ctx, v.Next), Body: v}, nil
}

// LiveInput names a source and what was looked at.
type LiveInput struct {
	ID   id.Source `path:"id"`
	Body struct {
		Hash string `json:"hash" minLength:"1" doc:"of the preview that was looked at"`
	}
}

// LiveOutput says that a source is live.
type LiveOutput struct {
	Body struct {
		Source  id.Source      `json:"source"`
		Mode    directory.Mode `json:"mode" enum:"live"`
		Verdict VerdictView    `json:"verdict" doc:"what the guard holds of it"`
	}
}

// GoLive answers POST /api/v1/sources/{id}/live, when everything that follows is in force. There is no way back.
func (a *API) GoLive(ctx context.Context, in *LiveInput) (*LiveOutput, error) {
	if err := a.Reactor.GoLive(ctx, directory.CauseFrom(ctx, ""), in.ID, in.Body.Hash); err != nil {
		return nil, err
	}
	row, err := a.Reactor.goLive(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &LiveOutput{}
	out.Body.Source, out.Body.Mode, out.Body.Verdict = in.ID, directory.ModeLive, verdictView(row.Verdict.V)
	return out, nil
}
