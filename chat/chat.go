package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Config is what a Chat stands on. Everything is required but where it says otherwise.
type Config struct {
	DB       *db.DB
	Feed     *feed.Feed
	Gate     Gate
	Channels Channels
	People   People
	// Revision answers the newest authorization revision as the transaction sees it.
	Revision func(tx *db.Tx) (int64, error)
	Log      *slog.Logger

	// Bus nudges the other nodes; nil: there are none.
	Bus bus.Bus
	// Frozen, Visible and Alive make revocation exact; see delivery.Options. nil: not asked.
	Frozen  func(id.Person) bool
	Visible func(id.Person) []id.Channel
	// Fresh tells whether this node may answer; see delivery.Options. nil: it may.
	Fresh func() bool
	Alive func(ctx context.Context, who httpapi.Caller) error
	// Origins are the web origins besides the request's own host that may open streams.
	Origins []string
	// Stream overrides limits of the hub; its other fields are set here.
	Stream delivery.Options
	// Now is the clock of what is written; nil: time.Now.
	Now func() time.Time
}

// Chat is messages and their delivery on one node.
type Chat struct {
	c      Config
	store  *store
	hub    *delivery.Hub
	render *renderer
	stop   []func()
	unread chan struct{} // somebody said on the bus what nobody here can read
}

// New makes a Chat and attaches it to the Gate.
func New(c Config) *Chat {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	chat := &Chat{c: c, store: &store{db: c.DB, feed: c.Feed, revision: c.Revision, now: c.Now}, render: newRenderer(), unread: make(chan struct{}, 1)}
	o := c.Stream
	o.Gate, o.Log, o.Inbox, o.Slog = c.Gate, source{chat}, inbox{chat}, c.Log
	o.Frozen, o.Visible, o.Alive, o.Origins = c.Frozen, c.Visible, c.Alive, c.Origins
	o.Fresh = c.Fresh
	o.Ticket = chat.store.redeemTicket
	chat.hub = delivery.New(o)
	return chat
}

// nudges are "channel seq", and "person".
const nudges bus.Subject = "chat.channels/1"

// Start must return before the node serves.
func (c *Chat) Start(ctx context.Context) error {
	if c.c.Bus != nil { // before the heads are read, so that nothing falls between
		stop, err := c.c.Bus.Subscribe(nudges, c.nudged)
		if err != nil {
			return fmt.Errorf("start chat: %w", err)
		}
		c.stop = append(c.stop, stop)
	}
	return c.hub.Start(ctx)
}

// missed is how often a node among several looks for events that the bus did not tell of.
const missed = 5 * time.Second

// Follow looks for what the bus lost, every few seconds and at each of returned, until ctx ends. A node that is alone needs it not.
func (c *Chat) Follow(ctx context.Context, returned <-chan struct{}) error {
	tick := time.NewTicker(missed)
	defer tick.Stop()
	back := true
	for failing, n := false, 0; ; n++ {
		heads, err := c.store.heads(ctx)
		if err == nil {
			if c.hub.NudgeAll(heads); back || n%12 == 0 { // a look at each person's log: seldom
				c.hub.NudgePeople()
			}
		} else if !failing && ctx.Err() == nil {
			c.c.Log.Error("cannot look for events of other nodes, will retry", "error", err)
		}
		failing, back = err != nil, false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-returned:
			back = true
		case <-c.unread:
			back = true
		}
	}
}

// Close ends every stream.
func (c *Chat) Close() {
	for _, stop := range c.stop {
		stop()
	}
	c.hub.Close()
}

// Hub is the delivery of this node: its Exits, its statistics, EndPerson.
func (c *Chat) Hub() *delivery.Hub { return c.hub }

// nudged takes "channel seq" or "person" from another node. What it cannot read may be about any of them.
func (c *Chat) nudged(data []byte) {
	if len(data) == 0 {
		select {
		case c.unread <- struct{}{}:
		default:
		}
		return
	}
	subject, text, channel := strings.Cut(string(data), " ")
	if !channel {
		c.hub.NudgePerson(id.Person(subject))
		return
	}
	if seq, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.hub.Nudge(id.Channel(subject), seq)
	}
}

func (c *Chat) tell(notice string) {
	if c.c.Bus == nil {
		return
	}
	if err := c.c.Bus.Publish(nudges, []byte(notice)); err != nil {
		c.c.Log.Warn("other nodes could not be nudged", "error", err)
	}
}

func (c *Chat) view(person id.Person, channel id.Channel) (time.Time, error) {
	ok, from := c.c.Gate.Allow(person, channel, delivery.View)
	if !ok {
		return from, ErrNotFound
	}
	return from, nil
}

// behindError says that the gate has not reached the revision that a message would carry.
type behindError struct{ rev int64 }

func (e *behindError) Error() string {
	return "authorization revision " + strconv.FormatInt(e.rev, 10) + " is not in force here yet"
}

// Post writes a message, once per author, channel and client_id: a repeated call answers the same message
// with fresh false. ErrNotFound where who may not see the channel, ErrDenied where he may only read it.
func (c *Chat) Post(ctx context.Context, who id.Person, d Draft) (m Message, fresh bool, err error) {
	if d, err = d.check(); err != nil {
		return Message{}, false, err
	}
	allowed := func(rev int64) error {
		if c.c.Gate.Revision() < rev { // a removal that is already committed must count
			return &behindError{rev}
		}
		if _, err := c.view(who, d.Channel); err != nil {
			return err
		}
		if ok, _ := c.c.Gate.Allow(who, d.Channel, delivery.Post); !ok {
			return ErrDenied
		}
		return nil
	}
	if err := allowed(0); err != nil { // before any work is done for a stranger
		return Message{}, false, err
	}
	ctx, step := trace.Start(ctx, "chat.post", "rollcall.channel", d.Channel)
	defer func() {
		step.Set("rollcall.seq", m.Seq, "rollcall.fresh", fresh)
		step.End(err)
	}()
	html, language := c.render.message(d)
	d.Language = language
	for {
		m, fresh, err = c.store.post(ctx, who, d, html, allowed)
		var behind *behindError
		if !errors.As(err, &behind) {
			break
		}
		if err := c.hub.Await(ctx, behind.rev); err != nil {
			return Message{}, false, fmt.Errorf("post: %w", err)
		}
	}
	if err != nil {
		return Message{}, false, fmt.Errorf("post: %w", err)
	}
	if fresh {
		// The author's request may end now; the message is there, and so is its event.
		c.handOver(context.WithoutCancel(ctx), m)
	}
	named := []*Message{&m}
	return m, fresh, c.name(ctx, named)
}

// handOver gives a committed message to the hub and nudges the other nodes.
func (c *Chat) handOver(ctx context.Context, m Message) {
	e := entry{seq: m.Seq, kind: messageCreated, rev: m.rev, at: m.At, message: &m}
	events, err := c.encode(ctx, m.Channel, []entry{e})
	if err != nil { // the hub reads it from the log instead
		c.c.Log.Error("message could not be handed over", "message", m.ID, "error", err)
		c.hub.Nudge(m.Channel, m.Seq)
	} else {
		c.hub.Publish(events[0])
	}
	c.tell(string(m.Channel) + " " + strconv.FormatInt(m.Seq, 10))
}

// name fills in how authors are called today.
func (c *Chat) name(ctx context.Context, messages []*Message) error {
	var authors []id.Person
	for _, m := range messages {
		if !slices.Contains(authors, m.Author.ID) {
			authors = append(authors, m.Author.ID)
		}
	}
	if len(authors) == 0 {
		return nil
	}
	names, err := c.c.People.Names(ctx, authors)
	if err != nil {
		return fmt.Errorf("name authors: %w", err)
	}
	for _, m := range messages {
		m.Author.Name = names[m.Author.ID].Name
	}
	return nil
}

// MarkRead moves who's read cursor to seq if it stands before it, and answers where it stands then.
func (c *Chat) MarkRead(ctx context.Context, who id.Person, channel id.Channel, seq int64) (int64, error) {
	if _, err := c.view(who, channel); err != nil {
		return 0, err
	}
	stands, moved, err := c.store.read(ctx, who, channel, seq)
	if err != nil {
		return 0, fmt.Errorf("move read cursor: %w", err)
	}
	if moved {
		c.hub.NudgePerson(who)
		c.tell(string(who))
	}
	return stands, nil
}

// Move is one person who joined or left a channel.
type Move struct {
	Channel id.Channel
	Person  id.Person
	Joined  bool
	Rev     int64 // the authorization revision from which it is so
}

// RecordMemberships writes, in tx, who joined and who left into the logs of channels and people, and tells their
// streams once tx is committed. It decides no access. What the log says already is skipped.
func (c *Chat) RecordMemberships(tx *db.Tx, moves []Move) error {
	for _, m := range moves {
		seq, fresh, err := c.store.membership(tx, m)
		if err != nil {
			return fmt.Errorf("record membership: %w", err)
		}
		if !fresh {
			continue
		}
		tx.AfterCommit(func() {
			c.hub.Nudge(m.Channel, seq)
			c.hub.NudgePerson(m.Person)
			c.tell(string(m.Channel) + " " + strconv.FormatInt(seq, 10))
			c.tell(string(m.Person))
		})
	}
	return nil
}

// EndSession ends the streams, answers and tickets of a session that has been ended.
func (c *Chat) EndSession(ctx context.Context, session id.Session) error {
	c.hub.EndSession(session)
	return c.store.dropTickets(ctx, "", session, "")
}

// EndToken does the same for an API token that has been revoked.
func (c *Chat) EndToken(ctx context.Context, token id.Token) error {
	c.hub.EndToken(token)
	return c.store.dropTickets(ctx, "", "", token)
}

// EndPerson ends all streams, answers and tickets of a person.
func (c *Chat) EndPerson(ctx context.Context, person id.Person) error {
	c.hub.EndPerson(person)
	return c.store.dropTickets(ctx, person, "", "")
}
