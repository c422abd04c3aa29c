package drill

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package.
type API struct{ Engine *Engine }

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrRunning, Status: http.StatusConflict, Code: "drill_running"},
	}
}

// View is one drill in an answer.
type View struct {
	ID        id.Drill  `json:"id"`
	Actor     string    `json:"actor"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero" doc:"absent: under way"`
	Verdict   Verdict   `json:"verdict,omitempty" enum:"passed,failed,incomplete" doc:"absent: under way"`
	TookMS    float64   `json:"took_ms" doc:"from before the leaver's freeze was written until it was in force on every node"`
	Before    int       `json:"before" doc:"messages written before that, or meanwhile"`
	After     int       `json:"after" doc:"messages whose writing began after it had returned"`
	Nodes     []Finding `json:"nodes" nullable:"false"`
	Fault     string    `json:"fault,omitempty" doc:"why it could not be held"`
}

func viewOf(d Drill) View {
	nodes := d.Nodes
	if nodes == nil {
		nodes = []Finding{}
	}
	return View{d.ID, d.Actor, d.StartedAt, d.EndedAt, d.Verdict, float64(d.Took.Microseconds()) / 1000, d.Before, d.After, nodes, d.Fault}
}

// Output answers one drill.
type Output struct{ Body View }

// Hold answers POST /api/v1/drills: it holds one, which takes some seconds.
func (a *API) Hold(ctx context.Context, _ *struct{}) (*Output, error) {
	d, err := a.Engine.Hold(ctx, httpapi.CallerFrom(ctx).Actor())
	if err != nil {
		return nil, err
	}
	return &Output{viewOf(d)}, nil
}

// ListInput bounds the list.
type ListInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// ListOutput answers drills.
type ListOutput struct {
	Body struct {
		Items []View `json:"items" nullable:"false"`
	}
}

// List answers GET /api/v1/drills: the newest first.
func (a *API) List(ctx context.Context, in *ListInput) (*ListOutput, error) {
	found, err := a.Engine.List(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &ListOutput{}
	out.Body.Items = make([]View, len(found))
	for i, d := range found {
		out.Body.Items[i] = viewOf(d)
	}
	return out, nil
}

// ShowInput names one.
type ShowInput struct {
	ID id.Drill `path:"id"`
}

// Show answers GET /api/v1/drills/{id}.
func (a *API) Show(ctx context.Context, in *ShowInput) (*Output, error) {
	d, err := a.Engine.Drill(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &Output{viewOf(d)}, nil
}
