package notices

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP side of this package, for people and what is their own.
type API struct {
	Store *Store
	// Names answers what ids are called, by language; "" stands for every language. What it does not know, or has no name, it leaves
	// out. It is asked when somebody reads: a name that changed is the new one, a person who was erased has none.
	Names func(ctx context.Context, ids []string) (map[string]map[string]string, error)
}

// Item is one notice in an answer.
type Item struct {
	ID     id.Notice         `json:"id"`
	Kind   Kind              `json:"kind"`
	About  map[string]string `json:"about" doc:"ids, keys of the policy and instants"`
	At     time.Time         `json:"at"`
	ReadAt time.Time         `json:"read_at,omitzero"`
}

// InboxInput chooses notices.
type InboxInput struct {
	Unread bool `query:"unread" doc:"only what is not read yet"`
	httpapi.Paging
}

// InboxOutput is a page of notices, with what their ids are called now.
type InboxOutput struct {
	Link string `header:"Link"`
	Body struct {
		Items  []Item                       `json:"items" nullable:"false"`
		Next   string                       `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
		Unread int                          `json:"unread" doc:"how many are not read, on all pages"`
		Names  map[string]map[string]string `json:"names" doc:"what the ids are called, by language; \"\" stands for every language"`
	}
}

// List answers GET /api/v1/inbox, the newest first.
func (a *API) List(ctx context.Context, in *InboxInput) (*InboxOutput, error) {
	person := httpapi.CallerFrom(ctx).Person
	var after *place
	var at place
	paged, err := httpapi.DecodeCursor(in.Cursor, &at)
	if err != nil {
		return nil, err
	}
	if paged {
		after = &at
	}
	list, err := a.Store.list(ctx, person, in.Unread, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &InboxOutput{}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		out.Body.Next = httpapi.Cursor(place{last.At.UnixMicro(), last.ID})
	}
	if out.Body.Unread, err = a.Store.Unread(ctx, person); err != nil {
		return nil, err
	}
	var ids []string
	out.Body.Items = make([]Item, len(list))
	for i, n := range list {
		out.Body.Items[i] = Item{ID: n.ID, Kind: n.Kind, About: n.About, At: n.At, ReadAt: n.ReadAt}
		for _, value := range n.About {
			ids = append(ids, value)
		}
	}
	slices.Sort(ids)
	if out.Body.Names, err = a.Names(ctx, slices.Compact(ids)); err != nil {
		return nil, err
	}
	out.Link = httpapi.NextLink(ctx, out.Body.Next)
	return out, nil
}

// ReadInput names a notice in the path.
type ReadInput struct {
	ID id.Notice `path:"id"`
}

// Read answers POST /api/v1/inbox/{id}/read.
func (a *API) Read(ctx context.Context, in *ReadInput) (*struct{}, error) {
	return nil, a.Store.Read(ctx, httpapi.CallerFrom(ctx).Person, in.ID)
}

// ReadAllInput says up to when everything is read.
type ReadAllInput struct {
	Body struct {
		UpTo time.Time `json:"up_to" doc:"at of the newest notice that was seen"`
	}
}

// ReadAll answers POST /api/v1/inbox/read.
func (a *API) ReadAll(ctx context.Context, in *ReadAllInput) (*struct{}, error) {
	return nil, a.Store.ReadAll(ctx, httpapi.CallerFrom(ctx).Person, in.Body.UpTo)
}

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"}}
}
