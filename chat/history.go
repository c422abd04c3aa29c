package chat

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// link answers the link to the page that name=next opens; before and limit of the request go on to hold.
func (in *Window) link(name, next string) string {
	query := in.at.Query()
	query.Set(name, next)
	return "<" + (&url.URL{Path: in.at.Path, RawQuery: query.Encode()}).String() + `>; rel="next"`
}

// HistoryOutput holds messages in the order of their seq.
type HistoryOutput struct {
	Link string `header:"Link" doc:"the next page (RFC 8288), rel=next; absent at the end"`
	Body struct {
		Items []*Message `json:"items"`
		Next  string     `json:"next,omitempty" doc:"the before (or, where after was given, the after) of the next call; absent at the end"`
	}
}

// History answers messages of a channel with the permission of now.
func (a *API) History(ctx context.Context, in *HistoryInput) (*HistoryOutput, error) {
	ctx, _, from, err := a.enter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.history(ctx, in.ID, &in.Window, from)
}

// HistoryOn answers messages of a channel to a caller who may read it on another ground than a place there, and only while ground says so: it is
// asked before each piece of the answer. What the ground is and who else has to know is for who calls.
func (a *API) HistoryOn(ctx context.Context, channel id.Channel, in *Window, ground func() bool) (*HistoryOutput, error) {
	ctx, err := a.Chat.hub.Exits().EnterOn(ctx, httpapi.CallerFrom(ctx), ground)
	if err != nil {
		return nil, err
	}
	return a.history(ctx, channel, in, time.Time{})
}

func (a *API) history(ctx context.Context, channel id.Channel, in *Window, from time.Time) (*HistoryOutput, error) {
	limit := in.Limit
	if limit == 0 {
		limit = 50
	}
	p, err := a.Chat.store.history(ctx, channel, in.Before, in.After, limit, from)
	if err != nil {
		return nil, err
	}
	out := &HistoryOutput{}
	out.Body.Items = make([]*Message, len(p.messages))
	var rev int64
	for i := range p.messages {
		out.Body.Items[i] = &p.messages[i]
		rev = max(rev, p.messages[i].rev)
	}
	if err := a.settle(ctx, rev, out.Body.Items); err != nil {
		return nil, err
	}
	if p.more {
		name, edge := "before", p.messages[0].Seq
		if in.After >= 0 {
			name, edge = "after", p.messages[len(p.messages)-1].Seq
		}
		out.Body.Next = strconv.FormatInt(edge, 10)
		out.Link = in.link(name, out.Body.Next)
	}
	return out, nil
}

// Read reads the messages of a channel from an instant on, in the order of writing, as they are called today, and answers the first error of each. Who may have them is for who calls.
func (c *Chat) Read(ctx context.Context, channel id.Channel, from time.Time, each func(Message) error) error {
	for after, more := int64(0), true; more; {
		p, err := c.store.history(ctx, channel, 0, after, 200, from)
		if err != nil {
			return err
		}
		some := make([]*Message, len(p.messages))
		for i := range p.messages {
			some[i] = &p.messages[i]
		}
		if err := c.name(ctx, some); err != nil {
			return err
		}
		for _, m := range p.messages {
			if err := each(m); err != nil {
				return err
			}
			after = m.Seq
		}
		more = p.more
	}
	return nil
}

// settle waits until what is in force here is at least as new as the messages, and names their authors.
func (a *API) settle(ctx context.Context, rev int64, messages []*Message) error {
	if err := a.Chat.hub.Await(ctx, rev); err != nil {
		return err
	}
	return a.Chat.name(ctx, messages)
}
