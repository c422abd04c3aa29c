// Package chat owns messages, the log of each channel and of each person, read cursors and stream tickets.
//
// It guarantees that a channel's seq has no gap and is assigned in the message's transaction, that a message
// is written once per client_id, that it carries the authorization revision at its commit, and that whatever
// it answers or sends about a channel passed the Gate at the moment of the write. What is rendered was made
// safe when it was written.
//
// It never decides who belongs to a channel: Gate, Channels and People are given to it by cmd. It keeps no
// copy of names and logs no message body.
package chat

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Gate answers who may do what now; *authz.Index satisfies it.
type Gate = delivery.Gate

// Channels tells what channels there are. Permission is the Gate's alone.
type Channels interface {
	// Channel answers one channel; ErrNotFound where there is none.
	Channel(ctx context.Context, channel id.Channel) (ChannelInfo, error)
	// Of answers the channels in which person has a place.
	Of(ctx context.Context, person id.Person) ([]ChannelInfo, error)
}

// People tells how authors are called today.
type People interface {
	Names(ctx context.Context, people []id.Person) (map[id.Person]Profile, error)
}

// ChannelInfo is a channel as its owner describes it.
type ChannelInfo struct {
	ID     id.Channel
	Key    string
	Kind   string // project, direct, adhoc
	Name   map[string]string
	Group  GroupInfo // zero for what belongs to no project group
	Labels []string
	Role   string    // of the person asked for; empty in answers of Channels.Channel
	Until  time.Time // when that person's place ends by itself, where they are to know; zero elsewhere
}

// GroupInfo is a channel's project group.
type GroupInfo struct {
	ID   id.Group          `json:"id"`
	Key  string            `json:"key"`
	Name map[string]string `json:"name"`
}

// Profile is what readers see of an author.
type Profile struct{ Name string }

// The errors of this package.
var (
	ErrNotFound = errors.New(delivery.NotFound)
	ErrDenied   = errors.New("you may read this channel, not write in it")
	ErrEmpty    = errors.New("a message needs text")
	ErrTooLong  = errors.New("a message may hold 40,000 characters")
	ErrInvalid  = errors.New("invalid message")
	ErrReused   = errors.New("this client_id stands for another message of yours")
	ErrTicket   = errors.New("the ticket is not valid")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: delivery.ErrGone, Status: http.StatusNotFound, Code: "not_found"},
		{Err: ErrDenied, Status: http.StatusForbidden, Code: "denied"},
		{Err: ErrEmpty, Status: http.StatusBadRequest, Code: "empty_message"},
		{Err: ErrTooLong, Status: http.StatusBadRequest, Code: "message_too_long"},
		{Err: ErrInvalid, Status: http.StatusBadRequest, Code: "invalid_message"},
		{Err: ErrReused, Status: http.StatusConflict, Code: "client_id_reused"},
		{Err: ErrTicket, Status: http.StatusUnauthorized, Code: "bad_ticket"},
	}
}
