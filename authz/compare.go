package authz

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Comparison is what Compare found.
type Comparison struct {
	Checked   int
	Different []Difference
}

// Difference is a question that Index and OpenFGA answered differently.
type Difference struct {
	Person         id.Person
	Channel        id.Channel
	Action         string
	Index, OpenFGA bool
}

// Divergences counts the differences between OpenFGA and ours that were found since the start: decisions by
// Compare, tuples by Sweep.
func (e *Engine) Divergences() int64 { return e.divergences.Load() }

const (
	compareEvery  = time.Minute
	compareSample = 50
	sweepEvery    = 24 * time.Hour
)

// Watch compares a sample of x's decisions with OpenFGA every minute, sweeps once a day and after each
// difference, until ctx ends. Differences are logged as errors and counted.
func (e *Engine) Watch(ctx context.Context, x *Index) error {
	swept := e.now()
	for {
		timer := time.NewTimer(compareEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		c, err := e.Compare(ctx, x, compareSample)
		if err != nil && !errors.Is(err, ErrBehind) && ctx.Err() == nil {
			e.log.Error("authz decisions cannot be compared", "error", err)
		}
		if len(c.Different) == 0 && e.now().Sub(swept) < sweepEvery {
			continue
		}
		if _, err := e.Sweep(ctx); err != nil && !errors.Is(err, ErrNotLeader) && ctx.Err() == nil {
			e.log.Error("openfga cannot be swept", "error", err)
			continue
		}
		swept = e.now()
	}
}

// question is one decision to compare.
type question struct {
	person  uint32
	channel *channel
	action  int
}

// Compare asks x and OpenFGA sample decisions, half of them of people in the channel, and answers where they
// differ. What x allows and OpenFGA denies is from then on denied by x too, until a later Compare finds both
// agree: a difference denies. It is ErrBehind where OpenFGA has not applied every change yet.
func (e *Engine) Compare(ctx context.Context, x *Index, sample int) (Comparison, error) {
	var c Comparison
	if err := x.CatchUp(ctx, 0); err != nil {
		return c, fmt.Errorf("compare with openfga: %w", err)
	}
	doubted := map[doubt]struct{}{}
	questions := x.sample(sample)
	if old := x.doubted.Load(); old != nil {
		for d := range *old {
			questions = append(questions, question{d.person, d.channel, view}, question{d.person, d.channel, post}, question{d.person, d.channel, manage})
		}
	}
	for _, q := range questions {
		d, asked, err := e.ask(ctx, x, q)
		if err != nil {
			return c, fmt.Errorf("compare with openfga: %w", err)
		}
		if !asked {
			continue
		}
		if c.Checked++; d.Index == d.OpenFGA {
			continue
		}
		e.divergences.Add(1)
		e.log.Error("openfga and the index differ, it is denied", "person", d.Person, "channel", d.Channel, "action", d.Action, "index", d.Index, "openfga", d.OpenFGA)
		c.Different = append(c.Different, d)
		if d.Index {
			doubted[doubt{q.person, q.channel}] = struct{}{}
		}
	}
	return c, x.doubt(ctx, doubted)
}

// ask asks both. asked is false where the answer changed meanwhile. Revisions are compared before and after, so
// that neither side is blamed for being behind.
func (e *Engine) ask(ctx context.Context, x *Index, q question) (d Difference, asked bool, err error) {
	d = Difference{Person: (*x.named.Load())[q.person], Channel: q.channel.id, Action: []string{View, Post, Manage}[q.action]}
	for range 3 {
		rev := x.Revision()
		if err := e.awaitCaughtUp(ctx); err != nil {
			return d, false, err
		}
		before, _ := x.undoubted(q.channel, q.person, q.action)
		if d.OpenFGA, err = e.Check(ctx, d.Person, d.Channel, d.Action); err != nil {
			return d, false, err
		}
		d.Index, _ = x.undoubted(q.channel, q.person, q.action)
		if d.Index == d.OpenFGA {
			return d, true, nil
		}
		head, err := e.store.head(ctx)
		if err != nil {
			return d, false, err
		}
		if before == d.Index && head == rev && x.Revision() == rev {
			return d, true, nil
		}
		if err := x.CatchUp(ctx, 0); err != nil {
			return d, false, err
		}
	}
	return d, false, nil
}

// sample chooses up to n questions.
func (x *Index) sample(n int) []question {
	var channels []*channel
	x.channels.each(func(_ string, c *channel) { channels = append(channels, c) })
	people := len(*x.named.Load())
	if len(channels) == 0 || people == 0 {
		return nil
	}
	questions := make([]question, n)
	for i := range questions {
		q := question{person: rand.Uint32N(uint32(people)), channel: channels[rand.IntN(len(channels))], action: rand.IntN(actionCount)}
		if s := q.channel.current.Load(); i%2 == 0 && s != nil && s.base[view] != nil && !s.base[view].members.IsEmpty() {
			members := s.base[view].members
			q.person, _ = members.Select(rand.Uint32N(uint32(members.GetCardinality())))
		}
		questions[i] = q
	}
	return questions
}

// doubt replaces the decisions that are denied because OpenFGA denies them, and tells the callbacks who is new.
func (x *Index) doubt(ctx context.Context, doubted map[doubt]struct{}) error {
	if len(doubted) == 0 && x.doubted.Load() == nil {
		return nil
	}
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.release()
	var old map[doubt]struct{}
	if before := x.doubted.Load(); before != nil {
		old = *before
	}
	if len(doubted) == 0 {
		x.doubted.Store(nil)
		return nil
	}
	x.doubted.Store(&doubted)
	people, channels := map[id.Person]struct{}{}, map[id.Channel]struct{}{}
	for d := range doubted {
		if _, known := old[d]; !known {
			people[(*x.named.Load())[d.person]] = struct{}{}
			channels[d.channel.id] = struct{}{}
		}
	}
	if len(people) > 0 {
		for _, fn := range x.attached.list() {
			fn(x.rev.Load(), slices.Collect(maps.Keys(people)), slices.Collect(maps.Keys(channels)))
		}
	}
	return nil
}
