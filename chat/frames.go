package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// inbox takes what clients ask for over the stream.
type inbox struct{ chat *Chat }

func (i inbox) Send(ctx context.Context, who httpapi.Caller, in delivery.Send) (delivery.Sent, error) {
	m, _, err := i.chat.Post(ctx, who.Person, Draft{Channel: in.Channel, ClientID: in.ClientID, Kind: in.Kind, Text: in.Text, Language: in.Language})
	return delivery.Sent{Message: m.ID, Seq: m.Seq}, err
}

func (i inbox) Read(ctx context.Context, who httpapi.Caller, channel id.Channel, seq int64) error {
	_, err := i.chat.MarkRead(ctx, who.Person, channel, seq)
	return err
}

func (i inbox) Problem(err error) (code, detail string) {
	for _, known := range Cases() {
		if errors.Is(err, known.Err) {
			return known.Code, strings.TrimPrefix(err.Error(), "post: ")
		}
	}
	if !errors.Is(err, context.Canceled) {
		i.chat.c.Log.Error("request over a stream failed", "error", err)
	}
	return "internal", "the server could not complete the request"
}

// source is the log as the hub reads it.
type source struct{ chat *Chat }

func (s source) Heads(ctx context.Context) (map[id.Channel]int64, error) {
	return s.chat.store.heads(ctx)
}

func (s source) After(ctx context.Context, channel id.Channel, after int64, limit int) ([]delivery.Event, int64, error) {
	entries, head, err := s.chat.store.entries(ctx, channel, after, limit)
	if err != nil {
		return nil, 0, err
	}
	events, err := s.chat.encode(ctx, channel, entries)
	return events, head, err
}

func (s source) PersonAfter(ctx context.Context, person id.Person, after int64, limit int) ([]delivery.PersonEvent, int64, error) {
	rows, head, err := s.chat.store.personEntries(ctx, person, after, limit)
	if err != nil {
		return nil, 0, err
	}
	out := make([]delivery.PersonEvent, len(rows))
	for i, row := range rows {
		if out[i], err = personEvent(row); err != nil {
			return nil, 0, err
		}
	}
	return out, head, nil
}

// frame is an event as clients get it.
type frame struct {
	Op        string      `json:"op"`
	Channel   id.Channel  `json:"channel,omitempty"`
	Seq       int64       `json:"seq,omitempty"`
	PersonSeq int64       `json:"person_seq,omitempty"`
	Type      string      `json:"type"`
	At        time.Time   `json:"at"`
	Message   *Message    `json:"message,omitempty"`
	Person    *Author     `json:"person,omitempty"`
	Read      *readCursor `json:"read,omitempty"`
}

// bytes is the frame as JSON. Markup is not escaped once more: a frame is never part of a page.
func (f frame) bytes() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(f); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

type readCursor struct {
	Seq int64 `json:"seq"`
}

// encode makes frames of entries, with today's names.
func (c *Chat) encode(ctx context.Context, channel id.Channel, entries []entry) ([]delivery.Event, error) {
	frames := make([]frame, len(entries))
	var messages []*Message
	for i, e := range entries {
		frames[i] = frame{Op: "event", Channel: channel, Seq: e.seq, Type: e.kind, At: e.at, Message: e.message}
		if e.message != nil {
			messages = append(messages, e.message)
			continue
		}
		member := Message{Author: Author{ID: id.Person(e.subject)}}
		messages = append(messages, &member)
		frames[i].Person = &member.Author
	}
	if err := c.name(ctx, messages); err != nil {
		return nil, err
	}
	out := make([]delivery.Event, len(entries))
	for i, e := range entries {
		data, err := frames[i].bytes()
		if err != nil {
			return nil, err
		}
		out[i] = delivery.Event{Channel: channel, Seq: e.seq, Rev: e.rev, At: e.at, Data: data}
	}
	return out, nil
}

// personEvent makes the frames of one entry of a person's log.
func personEvent(row personEventRow) (delivery.PersonEvent, error) {
	f := frame{Op: "event", PersonSeq: row.Seq, Type: row.Type, At: row.At.Time, Channel: row.Channel}
	if row.Type == readMoved {
		f.Read = &readCursor{Seq: row.Value}
	}
	data, err := f.bytes()
	if err != nil {
		return delivery.PersonEvent{}, err
	}
	hidden, err := (frame{Op: "event", PersonSeq: row.Seq, Type: "hidden", At: row.At.Time}).bytes()
	if err != nil {
		return delivery.PersonEvent{}, err
	}
	e := delivery.PersonEvent{Seq: row.Seq, Channel: row.Channel, Data: data, Hidden: hidden}
	if row.Type == channelLeft { // names only what the person was told before
		e.Channel = ""
	}
	return e, nil
}
