// Package delivery owns the last hop: every open stream (WebSocket or server-sent events), every answer
// under way that holds messages, and the moment at which a byte is handed to the kernel.
//
// It guarantees that each such write happens inside a section that asked the Gate first, and that the
// callback given to Gate.Attach returns only when every section begun under the older snapshot has ended,
// with the queues of those who lost access dropped and their sockets reset. It guarantees order without
// gap or duplicate per channel to a client that follows the sync protocol.
//
// It never decides who may see what, keeps no replay buffer (a resume reads the Log with the permission of
// now), never lets a slow reader hold up another one, and knows no table.
package delivery

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The actions a Gate is asked about.
const (
	View = "view"
	Post = "post"
)

// Gate answers from memory who may do what now. Its methods are called from many goroutines at once.
type Gate interface {
	// Allow tells whether person may do action ("view", "post") in channel at this instant and, where it may,
	// from when on its history is open (zero: all of it). It never blocks.
	Allow(person id.Person, channel id.Channel, action string) (ok bool, historyFrom time.Time)
	// Audience yields the people who may view channel now.
	Audience(channel id.Channel) iter.Seq[id.Person]
	// Attach has fn called after each new snapshot is in force and before its revision is acknowledged, with
	// the people who lost something and the channels concerned. The acknowledgement waits for fn.
	Attach(fn func(rev int64, people []id.Person, channels []id.Channel))
	// Revision is the newest revision in force here.
	Revision() int64
}

// Event is one entry of a channel's log, ready to be sent.
type Event struct {
	Channel id.Channel
	Seq     int64
	Rev     int64 // the authorization revision at its commit; delivered only where the Gate has reached it
	At      time.Time
	Data    []byte // the whole JSON frame
}

// PersonEvent is one entry of a person's own log. Hidden is sent in place of Data where the person may not
// view Channel; an empty Channel passes always.
type PersonEvent struct {
	Seq          int64
	Channel      id.Channel
	Data, Hidden []byte
}

// Log is where missed events are read from.
type Log interface {
	// Heads answers the newest seq of every channel that has events.
	Heads(ctx context.Context) (map[id.Channel]int64, error)
	// After answers up to limit events with seq > after, in order, and the newest seq of the channel. It may
	// answer fewer than there are where they grow large; more then says so.
	After(ctx context.Context, channel id.Channel, after int64, limit int) (events []Event, head int64, err error)
	// PersonAfter does the same for the log of a person.
	PersonAfter(ctx context.Context, person id.Person, after int64, limit int) (events []PersonEvent, head int64, err error)
}

// Send is a message as a client hands it in over the stream.
type Send struct {
	Channel  id.Channel
	ClientID string
	Kind     string
	Text     string
	Language string
}

// Sent says where a message handed in stands.
type Sent struct {
	Message id.Message
	Seq     int64
}

// Inbox takes what clients ask for over the stream.
type Inbox interface {
	Send(ctx context.Context, who httpapi.Caller, in Send) (Sent, error)
	Read(ctx context.Context, who httpapi.Caller, channel id.Channel, seq int64) error
	// Problem turns an error of the above into a stable code and a text for the client.
	Problem(err error) (code, detail string)
}

// Errors of this package.
var (
	ErrGone   = errors.New("access ended while the answer was being made")
	ErrClosed = errors.New("the hub is closed")
	ErrNoExit = errors.New("request does not run under an exit")
)
