package delivery

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	spaceTime = 30 * time.Second // how long a resume waits for a slow client to take what was sent
	pullLimit = 200
)

// tell writes one frame that is bound to no channel. The gate is held.
func (c *conn) tell(frame any) {
	data, err := json.Marshal(frame)
	if err != nil {
		c.hub.o.Slog.Error("frame cannot be encoded", "error", err)
		return
	}
	if c.state < closingDown {
		c.put(nil, 0, c.frame("", data))
	}
}

func (c *conn) frame(name string, data []byte) []byte {
	as := c.wire
	if as == deflated { // worth its work only where many take the same
		as = plain
	}
	return as.append(nil, name, data)
}

// reply is tell in a section of its own.
func (c *conn) reply(frame any) {
	c.gate.Lock()
	defer c.leave()
	c.tell(frame)
}

// await waits until the queue has space, so that a long answer does not overflow it. It answers an error where
// the connection ends first.
func (c *conn) await(ctx context.Context, size int) error {
	patience := time.NewTimer(spaceTime)
	defer patience.Stop()
	for {
		c.gate.Lock()
		if c.state >= closingDown {
			c.gate.Unlock()
			return ErrGone
		}
		if len(c.queue) == 0 || c.queued+size <= c.hub.o.QueueBytes/2 {
			c.gate.Unlock()
			return nil
		}
		if c.space == nil {
			c.space = make(chan struct{})
		}
		space := c.space
		c.gate.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			return &closing{CodeResume, "resume"}
		}
	}
}

// answer writes a frame about a channel in a section that asks the Gate; false: not allowed.
func (c *conn) answer(ctx context.Context, r *room, name string, at time.Time, data []byte) (bool, error) {
	buf, micros := c.frame(name, data), int64(0)
	if !at.IsZero() {
		micros = at.UnixMicro()
	}
	if err := c.await(ctx, len(buf)); err != nil {
		return false, err
	}
	c.gate.Lock()
	defer c.leave()
	if c.state >= closingDown {
		return false, ErrGone
	}
	if !c.allowed(r, micros) {
		if !c.hub.fresh() { // then nobody is allowed anything, and nothing is gone
			return false, &closing{CodeResume, "resume"}
		}
		return false, nil
	}
	c.known.set(r.index)
	c.put(r, micros, buf)
	return true, nil
}

// resume makes the connection live and sends what it missed: subscribe first, then read.
func (c *conn) resume(ctx context.Context, personSeq *int64, channels map[id.Channel]int64) error {
	visible := []id.Channel(nil)
	if c.hub.o.Visible != nil {
		visible = c.hub.o.Visible(c.who.Person)
	}
	rooms := make([]*room, len(visible))
	for i, channel := range visible {
		rooms[i] = c.hub.room(channel)
	}
	c.gate.Lock()
	if c.state >= closingDown {
		c.gate.Unlock()
		return ErrGone
	}
	if c.resuming == nil {
		c.resuming = make(map[id.Channel]int64, len(channels))
	}
	for channel := range channels {
		c.resuming[channel] = 0
	}
	for _, r := range rooms {
		if c.allowed(r, 0) {
			c.known.set(r.index)
		}
	}
	first := c.state == opening
	c.state = live
	c.gate.Unlock()

	if first || personSeq != nil {
		if err := c.resumePerson(ctx, personSeq); err != nil {
			return err
		}
	}
	for _, channel := range slices.Sorted(maps.Keys(channels)) {
		if err := c.catchUp(ctx, channel, channels[channel]); err != nil {
			return err
		}
	}
	c.gate.Lock()
	defer c.leave()
	if len(c.resuming) == 0 {
		c.resuming = nil
	}
	c.tell(map[string]any{"op": "resumed", "person_seq": c.personSeq})
	return nil
}

// catchUp sends the events of one channel after cursor until it has met the fan-out, then leaves the rest to it.
func (c *conn) catchUp(ctx context.Context, channel id.Channel, cursor int64) error {
	gone := func() error {
		c.gate.Lock()
		defer c.leave()
		delete(c.resuming, channel)
		c.tell(map[string]any{"op": "channel.gone", "channel": channel})
		return nil
	}
	ok, from := c.hub.o.Gate.Allow(c.who.Person, channel, View)
	if !ok {
		return gone()
	}
	r := c.hub.room(channel)
	reset := func(seq int64) (bool, error) {
		data, err := json.Marshal(map[string]any{"op": "reset", "channel": channel, "seq": seq})
		if err != nil {
			return false, err
		}
		return c.answer(ctx, r, "", time.Time{}, data)
	}
	for {
		events, head, err := c.hub.o.Log.After(ctx, channel, cursor, c.hub.o.ResumeEvents)
		if err != nil {
			return err
		}
		ok := true
		switch hidden := hiddenUpTo(events, from); {
		case cursor > head || head-cursor > int64(c.hub.o.ResumeEvents):
			cursor = head
			ok, err = reset(cursor)
		case hidden > cursor:
			cursor = hidden
			ok, err = reset(cursor)
		default:
			for _, e := range events {
				if err = c.hub.Await(ctx, e.Rev); err != nil {
					break
				}
				if ok, err = c.answer(ctx, r, string(channel)+":"+strconv.FormatInt(e.Seq, 10), e.At, e.Data); !ok || err != nil {
					break
				}
				cursor = e.Seq
			}
		}
		switch {
		case err != nil:
			return err
		case !ok:
			return gone()
		case cursor < head:
			continue
		}
		if c.meet(r, cursor) {
			return nil
		}
	}
}

// meet hands the channel to the fan-out where that has offered nothing beyond cursor meanwhile.
func (c *conn) meet(r *room, cursor int64) bool {
	c.gate.Lock()
	defer c.leave()
	if c.resuming[r.channel] > cursor {
		return false
	}
	delete(c.resuming, r.channel)
	c.known.set(r.index)
	r.mu.Lock()
	passed := r.done >= cursor
	r.mu.Unlock()
	if !passed { // the fan-out will still come with events that were sent here
		if c.after == nil {
			c.after = map[id.Channel]int64{}
		}
		c.after[r.channel] = cursor
	}
	return true
}

// hiddenUpTo answers the seq of the last event that a history opening at from hides; 0: none.
func hiddenUpTo(events []Event, from time.Time) (seq int64) {
	for _, e := range events {
		if from.IsZero() || !e.At.Before(from) {
			break
		}
		seq = e.Seq
	}
	return seq
}

// resumePerson sends the person's own log after seq; nil: from now on.
func (c *conn) resumePerson(ctx context.Context, seq *int64) error {
	cursor := int64(0)
	if seq != nil {
		cursor = *seq
	}
	_, head, err := c.hub.o.Log.PersonAfter(ctx, c.who.Person, cursor, 1)
	if err != nil {
		return err
	}
	if seq == nil {
		cursor = head
	} else if cursor > head || head-cursor > int64(c.hub.o.ResumeEvents) {
		cursor = head
		c.reply(map[string]any{"op": "reset", "person_seq": head})
	}
	c.gate.Lock()
	c.personSeq = cursor
	c.gate.Unlock()
	return c.pullPerson(ctx)
}

// pull has the person's log read in a goroutine, once more where one is reading.
func (c *conn) pull() {
	c.gate.Lock()
	defer c.leave()
	if c.state != live {
		return
	}
	if c.pulling {
		c.pullAgain = true
		return
	}
	c.pulling = c.hub.spawn(func() {
		ctx, cancel := context.WithTimeout(context.Background(), spaceTime)
		defer cancel()
		if err := c.pullPerson(ctx); err != nil {
			c.fail(err)
		}
	})
}

// pullPerson sends the person's log from where this connection stands to its end.
func (c *conn) pullPerson(ctx context.Context) error {
	for {
		c.gate.Lock()
		c.pulling, c.pullAgain = true, false
		cursor := c.personSeq
		c.gate.Unlock()
		events, _, err := c.hub.o.Log.PersonAfter(ctx, c.who.Person, cursor, pullLimit)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := c.await(ctx, len(e.Data)); err != nil {
				return err
			}
			c.personal(e)
		}
		c.gate.Lock()
		if len(events) == pullLimit || c.pullAgain {
			c.gate.Unlock()
			continue
		}
		c.pulling = false
		c.gate.Unlock()
		return nil
	}
}

// personal writes one event of the person's log; about a channel that may not be viewed only that it was.
func (c *conn) personal(e PersonEvent) {
	var r *room
	if e.Channel != "" {
		if ok, _ := c.hub.o.Gate.Allow(c.who.Person, e.Channel, View); ok {
			r = c.hub.room(e.Channel)
		}
	}
	c.gate.Lock()
	defer c.leave()
	if c.state >= closingDown || e.Seq != c.personSeq+1 { // another reader of the log was faster, or a resume went back
		c.pullAgain = c.pullAgain || e.Seq > c.personSeq
		return
	}
	if !c.hub.fresh() {
		c.kill()
		return
	}
	data := e.Data
	switch {
	case e.Channel == "":
		r = nil
	case r != nil && c.allowed(r, 0):
		c.known.set(r.index)
	default:
		r, data = nil, e.Hidden
	}
	c.put(r, 0, c.frame("", data))
	c.personSeq = e.Seq
}
