package delivery

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Options set a hub. Gate, Log and Inbox are required; zero numbers mean the defaults.
type Options struct {
	Gate  Gate
	Log   Log
	Inbox Inbox
	Slog  *slog.Logger

	// Frozen tells that a person has no access at all now; nil: judged by the channels that are left.
	Frozen func(id.Person) bool
	// Fresh tells whether the Gate's word counts now: of several nodes one that has lost touch may say nothing to anybody. nil: it always does.
	Fresh func() bool
	// Visible lists what a person may view, so that a quiet channel's loss is told too; nil: only channels the
	// connection named or received from.
	Visible func(id.Person) []id.Channel
	// Alive tells whether the proof behind a caller still stands; asked after a connection is registered, so
	// that one which registers while its session ends does not slip through. nil: not asked.
	Alive func(ctx context.Context, who httpapi.Caller) error
	// Ticket redeems a one-use ticket; nil: none are taken.
	Ticket func(ctx context.Context, secret string) (httpapi.Caller, error)
	// Origins are the exact web origins besides the request's own host from which a browser may connect.
	Origins []string

	QueueBytes   int           // what may wait per connection; above it the connection is closed with CodeResume
	SocketBytes  int           // SO_SNDBUF
	MessageBytes int           // the largest message a client may send
	ResumeEvents int           // above it a channel is answered with reset
	PerPerson    int           // open connections of one person
	FrameRate    rate.Limit    // frames per second a client may send
	FrameBurst   int           // and at once
	PingEvery    time.Duration // keep-alive; a client silent for three of them is cut
	MessageTime  time.Duration // from the first byte of a client's message to its last
}

// Close codes of our own (RFC 6455 section 7.4.2).
const (
	CodeResume = 4001 // the queue overflowed: connect again and resume
	CodeBusy   = 4002 // too many connections of this person
)

func (o Options) withDefaults() Options {
	fill := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	fill(&o.QueueBytes, 1<<20)   // of buffers that connections share
	fill(&o.SocketBytes, 16<<10) // the kernel doubles it
	fill(&o.MessageBytes, 512<<10)
	fill(&o.ResumeEvents, 500)
	fill(&o.PerPerson, 32)
	fill(&o.FrameBurst, 200)
	if o.FrameRate == 0 {
		o.FrameRate = 50
	}
	if o.PingEvery == 0 {
		o.PingEvery = 25 * time.Second
	}
	if o.MessageTime == 0 {
		o.MessageTime = 10 * time.Second
	}
	if o.Slog == nil {
		o.Slog = slog.New(slog.DiscardHandler)
	}
	return o
}
