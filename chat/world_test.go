package chat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	general = id.Channel("chn_general")
	benched = "chn_bench" // what the names of the channels of BenchmarkPost begin with
)

// house is a Chat behind a real server, on a real database, with channels and names in memory.
type house struct {
	t     testing.TB
	db    *db.DB
	feed  *feed.Feed
	gate  *chattest.Gate
	chat  *Chat
	url   string
	ahead atomic.Int64 // how far the database's revision is ahead of the gate's
}

func (h *house) Channel(_ context.Context, channel id.Channel) (ChannelInfo, error) {
	switch {
	case channel == general, channel == "chn_vendors", channel == "chn_quiet", strings.HasPrefix(string(channel), benched):
		return ChannelInfo{ID: channel, Key: string(channel[4:]), Kind: "project", Name: map[string]string{"en": "Name", "zh": "名"},
			Group: GroupInfo{ID: "grp_a", Key: "apollo", Name: map[string]string{"en": "Apollo"}}}, nil
	}
	return ChannelInfo{}, ErrNotFound
}

func (h *house) Of(ctx context.Context, person id.Person) ([]ChannelInfo, error) {
	var out []ChannelInfo
	for _, channel := range []id.Channel{general, "chn_vendors", "chn_quiet"} { // more than the gate allows: it decides
		info, err := h.Channel(ctx, channel)
		if err != nil {
			return nil, err
		}
		info.Role = "participant"
		out = append(out, info)
	}
	return out, nil
}

func (h *house) Names(_ context.Context, people []id.Person) (map[id.Person]Profile, error) {
	out := map[id.Person]Profile{}
	for _, person := range people {
		out[person] = Profile{Name: "Name of " + string(person)}
	}
	return out, nil
}

func newHouse(t testing.TB, d *db.DB, edit func(*Config)) *house {
	t.Helper()
	ctx := context.Background()
	for _, migrate := range []func(context.Context, *db.DB) error{feed.Migrate, Migrate} {
		if err := migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	h := &house{t: t, db: d, feed: feed.New(d, newNode(), log), gate: &chattest.Gate{}}
	c := Config{DB: d, Feed: h.feed, Gate: h.gate, Channels: h, People: h, Log: log, Frozen: h.gate.Frozen, Visible: h.gate.Channels,
		Revision: func(*db.Tx) (int64, error) { return h.gate.Revision() + h.ahead.Load(), nil }}
	if edit != nil {
		edit(&c)
	}
	h.chat = New(c)
	if err := h.chat.Start(ctx); err != nil {
		t.Fatal(err)
	}
	api := &API{Chat: h.chat}
	routes := []httpapi.Route{
		httpapi.Op("GET", "/api/v1/channels", httpapi.People, "List my channels", api.ListChannels),
		httpapi.Op("GET", "/api/v1/channels/{id}", httpapi.People, "Read a channel", api.Channel),
		httpapi.Op("GET", "/api/v1/channels/{id}/messages", httpapi.People, "Read messages", api.History),
		httpapi.Op("POST", "/api/v1/channels/{id}/messages", httpapi.People, "Write a message", api.Post),
		httpapi.Op("POST", "/api/v1/channels/{id}/read", httpapi.People, "Move my read cursor", api.Read),
		httpapi.Op("GET", "/api/v1/messages/{id}", httpapi.People, "Read a message", api.Message),
		httpapi.Op("POST", "/api/v1/stream/tickets", httpapi.People, "Get a one-use stream ticket", api.Ticket),
		httpapi.Plain("GET", "/api/v1/stream", httpapi.Public, "Open the stream (WebSocket)", api.Stream()),
		httpapi.Plain("GET", "/api/v1/events", httpapi.Public, "Open the stream (server-sent events)", api.Events()),
	}
	server := &httpapi.Server{Log: log, Errors: Cases(), Authenticate: func(r *http.Request) (httpapi.Caller, error) {
		return httpapi.Caller{Person: id.Person(r.Header.Get("X-Person")), Token: id.Token(r.Header.Get("Authorization"))}, nil
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: h.chat.Hub().Exits().Handler(server.Handler(routes)), ConnContext: delivery.ConnContext}
	go web.Serve(listener)
	h.url = "http://" + listener.Addr().String()
	t.Cleanup(func() {
		h.chat.Close()
		web.Close()
	})
	return h
}

func newNode() string { return string(id.New[id.Run]()) }

// call makes a request as person and answers status and decoded body.
func (h *house) call(person, method, path string, body any) (int, map[string]any) {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, h.url+path, r)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("X-Person", person)
	req.Header.Set("Authorization", "tok")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil && err != io.EOF {
		h.t.Fatal(err)
	}
	return res.StatusCode, out
}

func (h *house) post(person id.Person, channel id.Channel, text string) Message {
	h.t.Helper()
	m, fresh, err := h.chat.Post(context.Background(), person, Draft{Channel: channel, Text: text})
	if err != nil || !fresh {
		h.t.Fatal(err, fresh)
	}
	return m
}

func (h *house) count(query string, args ...any) (n int64) {
	h.t.Helper()
	if err := h.db.Read(context.Background()).Raw(query, args...).Scan(&n).Error; err != nil {
		h.t.Fatal(err)
	}
	return n
}

func texts(body map[string]any) (out []string) {
	items, _ := body["items"].([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, fmt.Sprint(cmp.Or(m["text"], m["id"])))
	}
	return out
}
