package chat

import (
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

type messageRow struct {
	ID       id.Message
	Channel  id.Channel
	Seq      int64
	Author   id.Person
	ClientID string
	Kind     string
	Body     string
	Language string
	HTML     string `gorm:"column:html"`
	Rev      int64
	At       db.Instant
}

func (messageRow) TableName() string { return "chat_messages" }

func (r messageRow) message() Message {
	return Message{ID: r.ID, Channel: r.Channel, Seq: r.Seq, Kind: r.Kind, Text: r.Body, Language: r.Language, HTML: r.HTML,
		Author: Author{ID: r.Author}, ClientID: r.ClientID, At: r.At.Time, Erased: r.Body == "", rev: r.Rev}
}

type channelRow struct {
	Channel  id.Channel
	Seq      int64
	Messages int64
	At       db.Instant
}

func (channelRow) TableName() string { return "chat_channels" }

type eventRow struct {
	Channel id.Channel
	Seq     int64
	Type    string
	Subject string
	Ordinal int64
	Rev     int64
	At      db.Instant
}

func (eventRow) TableName() string { return "chat_events" }

type readRow struct {
	Person  id.Person
	Channel id.Channel
	Seq     int64
	At      db.Instant
}

func (readRow) TableName() string { return "chat_reads" }

type personRow struct {
	Person id.Person
	Seq    int64
}

func (personRow) TableName() string { return "chat_people" }

type personEventRow struct {
	Person  id.Person
	Seq     int64
	Type    string
	Channel id.Channel
	Value   int64
	At      db.Instant
}

func (personEventRow) TableName() string { return "chat_person_events" }

type ticketRow struct {
	Hash      string
	Person    id.Person
	Session   id.Session
	Token     id.Token
	ExpiresAt db.Instant
}

func (ticketRow) TableName() string { return "chat_tickets" }
