package journal

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package for administrators.
type API struct {
	Journal *Journal
	Store   *directory.Store
	// Limits answers what one source may send, per second and at once.
	Limits func() (rate, burst int)
}

// RequestView is a request of a source in a list.
type RequestView struct {
	ID       id.Request `json:"id"`
	At       time.Time  `json:"at"`
	Method   string     `json:"method"`
	Path     string     `json:"path"`
	Query    string     `json:"query,omitempty" doc:"as sent, without what is secret"`
	Status   int        `json:"status"`
	Failed   bool       `json:"failed" doc:"the answer is an error, or a part of it is"`
	ScimType string     `json:"scim_type,omitempty"`
	Detail   string     `json:"detail,omitempty"`
	Millis   float64    `json:"ms"`
	Resource string     `json:"resource,omitempty" doc:"SCIM id of what it was about"`
	Token    id.Token   `json:"token,omitempty"`
	Ignored  []string   `json:"ignored,omitempty" doc:"attributes that nobody understood"`
	Client   string     `json:"client,omitempty" doc:"its User-Agent"`
}

func viewOf(e Entry) RequestView {
	return RequestView{ID: e.ID, At: e.At, Method: e.Method, Path: e.Path, Query: e.Query, Status: e.Status, Failed: e.Failed, ScimType: e.ScimType,
		Detail: e.Detail, Millis: float64(e.Took.Microseconds()) / 1000, Resource: e.Resource, Token: e.Token, Ignored: e.Ignored, Client: e.Client}
}

// ListRequestsInput chooses requests of a source.
type ListRequestsInput struct {
	ID     id.Source `path:"id"`
	Status string    `query:"status" enum:"failed,ok"`
	Method string    `query:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
	Text   string    `query:"q" maxLength:"200" doc:"in the address, the error, the ids, the client, and for who may see what is to come the bodies"`
	httpapi.Paging
}

// place is where a page ends.
type place struct {
	At int64      `json:"at"`
	ID id.Request `json:"id"`
}

// ListRequests answers GET /api/v1/sources/{id}/requests, newest first.
func (a *API) ListRequests(ctx context.Context, in *ListRequestsInput) (*httpapi.Page[RequestView], error) {
	if _, err := a.Store.SourceByID(ctx, in.ID); err != nil {
		return nil, err
	}
	var after place
	paged, err := httpapi.DecodeCursor(in.Cursor, &after)
	if err != nil {
		return nil, err
	}
	entries, err := a.Journal.Requests(ctx, in.ID) // a few hundred at most
	if err != nil {
		return nil, err
	}
	a.mask(ctx, entries)
	bodies := !directory.Masks(ctx) // what somebody sees masked they do not search
	views := []RequestView{}
	for _, e := range entries {
		at := e.At.UnixMicro()
		if paged && (at > after.At || at == after.At && e.ID >= after.ID) || !in.wants(e, bodies) {
			continue
		}
		if len(views) == in.Limit {
			last := views[len(views)-1]
			return httpapi.NewPage(ctx, views, httpapi.Cursor(place{last.At.UnixMicro(), last.ID})), nil
		}
		views = append(views, viewOf(e))
	}
	return httpapi.NewPage(ctx, views, ""), nil
}

// mask takes from entries the days to come that the caller may not know. A body that holds one is left out whole: that a leave or an end
// stands in it is to be known as little.
func (a *API) mask(ctx context.Context, entries []Entry) {
	if !directory.Masks(ctx) {
		return
	}
	now := a.Journal.Now()
	for i := range entries {
		e := &entries[i]
		if plain, err := url.QueryUnescape(e.Query); err == nil && directory.MaskAhead(plain, now) != plain {
			e.Query = "…"
		}
		for _, text := range []*string{&e.Path, &e.Detail} {
			*text = directory.MaskAhead(*text, now)
		}
		for _, body := range []*string{&e.Request, &e.Answer} {
			if strings.Contains(*body, `\u00`) || directory.MaskAhead(*body, now) != *body { // a letter of ASCII in disguise may be of a day
				*body = "…"
			}
		}
	}
}

func (in *ListRequestsInput) wants(e Entry, bodies bool) bool {
	if in.Status != "" && e.Failed != (in.Status == "failed") || in.Method != "" && e.Method != in.Method {
		return false
	}
	if in.Text == "" {
		return true
	}
	plain, err := url.QueryUnescape(e.Query)
	if err != nil {
		plain = e.Query
	}
	wanted := strings.ToLower(in.Text)
	texts := []string{e.Path, e.Query, plain, e.Detail, e.ScimType, e.Resource, string(e.ID), string(e.Token), e.Client}
	if bodies {
		texts = append(texts, e.Request, e.Answer)
	}
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), wanted) {
			return true
		}
	}
	return false
}

// RequestInPath names a request of a source.
type RequestInPath struct {
	ID      id.Source  `path:"id"`
	Request id.Request `path:"request"`
}

// BodyView is a body in an answer.
type BodyView struct {
	Text  string `json:"text" doc:"the first 8 KiB, values of passwords masked"`
	Bytes int64  `json:"bytes" doc:"how long it was"`
}

// RequestOutput is one request with its bodies.
type RequestOutput struct {
	Body struct {
		RequestView
		RequestBody BodyView `json:"request_body"`
		AnswerBody  BodyView `json:"answer_body"`
	}
}

// GetRequest answers GET /api/v1/sources/{id}/requests/{request}.
func (a *API) GetRequest(ctx context.Context, in *RequestInPath) (*RequestOutput, error) {
	e, err := a.Journal.Request(ctx, in.ID, in.Request)
	if err != nil {
		return nil, err
	}
	one := []Entry{e}
	a.mask(ctx, one)
	e = one[0]
	out := &RequestOutput{}
	out.Body.RequestView = viewOf(e)
	out.Body.RequestBody, out.Body.AnswerBody = BodyView{e.Request, e.RequestBytes}, BodyView{e.Answer, e.AnswerBytes}
	return out, nil
}

// SourceInPath names a source.
type SourceInPath struct {
	ID id.Source `path:"id"`
}

// IgnoredView is an attribute that nobody understands in an answer.
type IgnoredView struct {
	Attribute string    `json:"attribute"`
	Requests  int64     `json:"requests" doc:"in how many requests it stood"`
	LastAt    time.Time `json:"last_at"`
}

// TrafficOutput is what came of a source within the last 24 hours, and what is kept of it.
type TrafficOutput struct {
	Body struct {
		Requests  int64         `json:"requests"`
		Failed    int64         `json:"failed"`
		Limited   int64         `json:"limited" doc:"answered 429"`
		Strangers int64         `json:"strangers" doc:"of no source: without a token that is known"`
		Dropped   int64         `json:"dropped" doc:"not kept, of any source, since the server started"`
		Rate      int           `json:"rate" doc:"requests per second that one source may make"`
		Burst     int           `json:"burst" doc:"how many at once"`
		Bodies    bool          `json:"bodies" doc:"bodies are kept (scim.request_log.bodies)"`
		Keep      float64       `json:"keep_hours" doc:"how long a request is kept (scim.request_log.keep)"`
		Ignored   []IgnoredView `json:"ignored" nullable:"false"`
	}
}

// GetTraffic answers GET /api/v1/sources/{id}/traffic.
func (a *API) GetTraffic(ctx context.Context, in *SourceInPath) (*TrafficOutput, error) {
	if _, err := a.Store.SourceByID(ctx, in.ID); err != nil {
		return nil, err
	}
	t, err := a.Journal.Traffic(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &TrafficOutput{}
	b := &out.Body
	b.Requests, b.Failed, b.Limited, b.Strangers, b.Dropped = t.Requests, t.Failed, t.Limited, t.Strangers, t.Dropped
	b.Rate, b.Burst = a.Limits()
	b.Bodies, b.Keep = a.Journal.Bodies, a.Journal.Keep.Hours()
	b.Ignored = []IgnoredView{}
	for _, i := range t.Ignored {
		b.Ignored = append(b.Ignored, IgnoredView(i))
	}
	return out, nil
}
