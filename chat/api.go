package chat

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// API is the HTTP face of a Chat. Its answers need Chat.Hub().Exits().Handler above them: without it they
// are refused as internal errors, so that nothing can be answered unguarded by mistake.
type API struct{ Chat *Chat }

// ChannelView is a channel as one person sees it.
type ChannelView struct {
	ID      id.Channel        `json:"id"`
	Key     string            `json:"key"`
	Kind    string            `json:"kind,omitempty"`
	Name    map[string]string `json:"name"`
	Group   *GroupInfo        `json:"group,omitempty"`
	Labels  []string          `json:"labels"`
	Role    string            `json:"role,omitempty"`
	Until   time.Time         `json:"until,omitzero" doc:"of who moved away and keeps the channel for the handover: when that ends"`
	CanPost bool              `json:"can_post"`
	Unread  int64             `json:"unread"`
	LastSeq int64             `json:"last_seq"`
	ReadSeq int64             `json:"read_seq"`
}

func viewOf(info ChannelInfo, s standing, canPost bool) ChannelView {
	v := ChannelView{ID: info.ID, Key: info.Key, Kind: info.Kind, Name: info.Name, Labels: info.Labels, Role: info.Role, Until: info.Until, CanPost: canPost,
		Unread: s.unread(), LastSeq: s.Seq, ReadSeq: s.ReadSeq}
	if info.Group.ID != "" {
		v.Group = &info.Group
	}
	if v.Labels == nil {
		v.Labels = []string{}
	}
	return v
}

// ListChannelsInput asks for the caller's channels.
type ListChannelsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"200"`
	Cursor string `query:"cursor"`
}

// ListChannelsOutput holds the caller's channels in the order of their ids.
type ListChannelsOutput struct {
	Link string `header:"Link" doc:"the next page (RFC 8288), rel=next; absent on the last"`
	Body struct {
		Items []ChannelView `json:"items"`
		Next  string        `json:"next,omitempty"`
	}
}

// ListChannels answers the channels that the caller may view, with what is unread.
func (a *API) ListChannels(ctx context.Context, in *ListChannelsInput) (*ListChannelsOutput, error) {
	who := httpapi.CallerFrom(ctx)
	after, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return nil, httpapi.NewProblem(http.StatusBadRequest, "bad_cursor", "the cursor is not one of ours")
	}
	infos, err := a.Chat.c.Channels.Of(ctx, who.Person)
	if err != nil {
		return nil, err
	}
	from := map[id.Channel]time.Time{}
	infos = slices.DeleteFunc(slices.Clone(infos), func(info ChannelInfo) bool {
		ok, since := a.Chat.c.Gate.Allow(who.Person, info.ID, delivery.View)
		if ok {
			from[info.ID] = since
		}
		return !ok
	})
	slices.SortFunc(infos, func(x, y ChannelInfo) int { return strings.Compare(string(x.ID), string(y.ID)) })
	infos = slices.DeleteFunc(infos, func(info ChannelInfo) bool { return len(after) > 0 && string(info.ID) <= string(after) })
	out := &ListChannelsOutput{}
	if len(infos) > in.Limit && in.Limit > 0 {
		infos = infos[:in.Limit]
		out.Body.Next = base64.RawURLEncoding.EncodeToString([]byte(infos[len(infos)-1].ID))
		out.Link = httpapi.NextLink(ctx, out.Body.Next)
	}
	ids := make([]id.Channel, len(infos))
	for i, info := range infos {
		ids[i] = info.ID
	}
	if ctx, err = a.Chat.hub.Exits().Enter(ctx, who, ids...); err != nil {
		return nil, err
	}
	standings, err := a.Chat.store.standings(ctx, who.Person, from)
	if err != nil {
		return nil, err
	}
	out.Body.Items = make([]ChannelView, len(infos))
	for i, info := range infos {
		canPost, _ := a.Chat.c.Gate.Allow(who.Person, info.ID, delivery.Post)
		out.Body.Items[i] = viewOf(info, standings[info.ID], canPost)
	}
	return out, nil
}

// enter guards the answer to a request about one channel.
func (a *API) enter(ctx context.Context, channel id.Channel) (guarded context.Context, who httpapi.Caller, from time.Time, err error) {
	who = httpapi.CallerFrom(ctx)
	if from, err = a.Chat.view(who.Person, channel); err != nil {
		return nil, who, from, err
	}
	guarded, err = a.Chat.hub.Exits().Enter(ctx, who, channel)
	return guarded, who, from, err
}

// ChannelInput names a channel.
type ChannelInput struct {
	ID id.Channel `path:"id"`
}

// ChannelOutput holds a channel.
type ChannelOutput struct{ Body ChannelView }

// Channel answers one channel; 404 where it does not exist for the caller.
func (a *API) Channel(ctx context.Context, in *ChannelInput) (*ChannelOutput, error) {
	ctx, who, from, err := a.enter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	info, err := a.Chat.c.Channels.Channel(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	mine, err := a.Chat.c.Channels.Of(ctx, who.Person)
	if err != nil {
		return nil, err
	}
	for _, other := range mine {
		if other.ID == in.ID {
			info.Role = other.Role
		}
	}
	standings, err := a.Chat.store.standings(ctx, who.Person, map[id.Channel]time.Time{in.ID: from})
	if err != nil {
		return nil, err
	}
	canPost, _ := a.Chat.c.Gate.Allow(who.Person, in.ID, delivery.Post)
	return &ChannelOutput{Body: viewOf(info, standings[in.ID], canPost)}, nil
}

// HistoryInput asks for messages: the newest, those before a seq, or those after one.
type HistoryInput struct {
	ID id.Channel `path:"id"`
	Window
}

// Window says which part of a channel's messages.
type Window struct {
	Before int64 `query:"before" minimum:"0" doc:"only messages before this seq"`
	After  int64 `query:"after" minimum:"-1" default:"-1" doc:"only messages after this seq, the oldest first; 0: from the beginning"`
	Limit  int   `query:"limit" minimum:"1" maximum:"200" default:"50"`

	at url.URL
}

// Resolve keeps the address of the request, of which the link to the next page is made.
func (in *Window) Resolve(ctx huma.Context) []error {
	in.at = ctx.URL()
	return nil
}

// PostInput is a message.
type PostInput struct {
	ID      id.Channel `path:"id"`
	RawBody []byte
	Body    struct {
		ClientID string `json:"client_id,omitempty" doc:"made by the client; a retry with the same one writes nothing"`
		Kind     string `json:"kind,omitempty" doc:"text (markdown, the default) or code"`
		Text     string `json:"text,omitempty" doc:"1 to 40,000 characters"`
		Language string `json:"language,omitempty" doc:"of code, as chroma names it; an unknown one is plain"`
	}
}

// PostOutput holds the message: 201 where it was written, 200 where a retry found it.
type PostOutput struct {
	Status int
	Body   Message
}

// Post writes a message.
func (a *API) Post(ctx context.Context, in *PostInput) (*PostOutput, error) {
	if !utf8.Valid(in.RawBody) { // the JSON decoder would put U+FFFD in its place
		return nil, httpapi.NewProblem(http.StatusBadRequest, "invalid_message", "the body is not UTF-8")
	}
	ctx, who, _, err := a.enter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	m, fresh, err := a.Chat.Post(ctx, who.Person, Draft{Channel: in.ID, ClientID: in.Body.ClientID, Kind: in.Body.Kind, Text: in.Body.Text, Language: in.Body.Language})
	if err != nil {
		return nil, err
	}
	if fresh {
		return &PostOutput{Status: http.StatusCreated, Body: m}, nil
	}
	return &PostOutput{Status: http.StatusOK, Body: m}, nil
}

// ReadInput moves a read cursor.
type ReadInput struct {
	ID   id.Channel `path:"id"`
	Body struct {
		Seq int64 `json:"seq" minimum:"0"`
	}
}

// ReadOutput says where the cursor stands.
type ReadOutput struct {
	Body struct {
		ReadSeq int64 `json:"read_seq"`
		Unread  int64 `json:"unread"`
	}
}

// Read moves the caller's read cursor forward; it never goes back.
func (a *API) Read(ctx context.Context, in *ReadInput) (*ReadOutput, error) {
	ctx, who, from, err := a.enter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &ReadOutput{}
	if out.Body.ReadSeq, err = a.Chat.MarkRead(ctx, who.Person, in.ID, in.Body.Seq); err != nil {
		return nil, err
	}
	standings, err := a.Chat.store.standings(ctx, who.Person, map[id.Channel]time.Time{in.ID: from})
	out.Body.Unread = standings[in.ID].unread()
	return out, err
}

// MessageInput names a message.
type MessageInput struct {
	ID id.Message `path:"id"`
}

// MessageOutput holds a message.
type MessageOutput struct{ Body Message }

// Message answers one message; 404 where it does not exist for the caller.
func (a *API) Message(ctx context.Context, in *MessageInput) (*MessageOutput, error) {
	m, err := a.Chat.store.message(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	ctx, _, from, err := a.enter(ctx, m.Channel)
	if err != nil {
		return nil, err
	}
	if m.At.Before(from) {
		return nil, ErrNotFound
	}
	if err := a.settle(ctx, m.rev, []*Message{&m}); err != nil {
		return nil, err
	}
	return &MessageOutput{Body: m}, nil
}

// TicketOutput holds a one-use ticket.
type TicketOutput struct {
	Body struct {
		Ticket    string    `json:"ticket" doc:"for ?ticket= of the stream"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

// Ticket makes a one-use ticket that opens a stream as the caller, for clients that can send neither cookie nor header.
func (a *API) Ticket(ctx context.Context, _ *struct{}) (*TicketOutput, error) {
	out := &TicketOutput{}
	var err error
	out.Body.Ticket, out.Body.ExpiresAt, err = a.Chat.store.issueTicket(ctx, httpapi.CallerFrom(ctx))
	return out, err
}

// Stream is GET of the WebSocket. Its route is public: it judges cookie, bearer token, ticket and Origin itself.
func (a *API) Stream() http.Handler { return a.Chat.hub.WebSocket() }

// Events is GET of the server-sent events, under the same rules.
func (a *API) Events() http.Handler { return a.Chat.hub.Events() }
