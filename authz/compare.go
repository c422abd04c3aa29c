package authz

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Comparison is what Compare found.
type Comparison struct {
	Checked   int
	Unasked   int // decisions that OpenFGA was not asked about: it did not answer, or what stands kept changing
	Different []Difference
}

// Difference is a question that Index and OpenFGA answered differently.
type Difference struct {
	Person         id.Person
	Channel        id.Channel
	Action         string
	Class          string // why the decision that was compared came out as it did
	Index, OpenFGA bool
}

// Figures are what was compared since the start, by the class of the decision: "allowed", one for each way of refusing ("outside", "window",
// "frozen", "paused", "unknown", "doubted", "clock", "lease"), and "sample" for questions that nobody had asked.
type Figures struct {
	Compared, Unasked, Different map[string]int64
	Foreign, Missing             int64 // tuples that were in OpenFGA and not ours, and the other way round
	Models                       int64 // authorization models that others wrote to our store
}

// Figures answers what was compared.
func (e *Engine) Figures() Figures {
	f := Figures{map[string]int64{}, map[string]int64{}, map[string]int64{}, e.foreign.Load(), e.missing.Load(), e.models.Load()}
	for k, name := range classNames {
		f.Compared[name], f.Unasked[name], f.Different[name] = e.compared[k].Load(), e.unasked[k].Load(), e.different[k].Load()
	}
	return f
}

const (
	compareEvery  = 3 * time.Second
	sampleEvery   = 20 // comparisons
	compareSample = 50
	compareWithin = 10 * time.Second // and a tenth of a second for each question
	sweepEvery    = 24 * time.Hour
	mendEvery     = time.Minute
	mendedAtOnce  = 20
	mostStrangers = 1000
)

// stranger is a question about a person or a channel that the index does not know, and OpenFGA does.
type stranger struct {
	person  id.Person
	channel id.Channel
	action  string
}

// Watch compares decisions that x made with OpenFGA and looks for what others wrote there every 3 s, compares a sample of all decisions every
// minute, and has OpenFGA swept once a day and after a difference that is OpenFGA's, until ctx ends.
func (e *Engine) Watch(ctx context.Context, x *Index) error {
	swept := make(chan struct{})
	go func() { // beside the others: it reads every tuple
		defer close(swept)
		e.often(ctx, "openfga cannot be swept", e.sweepDue)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		e.often(ctx, "openfga's changes cannot be read", func(ctx context.Context) error {
			_, err := e.Foreign(ctx)
			if err == nil {
				_, err = e.ForeignModels(ctx)
			}
			return err
		})
	}()
	n := 0
	e.often(ctx, "authz decisions cannot be compared", func(ctx context.Context) error {
		sample := 0
		if n++; n%sampleEvery == 0 {
			sample = compareSample
		}
		_, err := e.Compare(ctx, x, sample)
		return err
	})
	<-swept
	<-read
	return ctx.Err()
}

// often does something every 3 s until ctx ends, and logs when it begins to fail.
func (e *Engine) often(ctx context.Context, trouble string, do func(context.Context) error) {
	for said := false; ; {
		timer := time.NewTimer(compareEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := do(ctx)
		failing := err != nil && !errors.Is(err, ErrBehind) && !errors.Is(err, ErrNotLeader) && ctx.Err() == nil
		if failing && !said {
			e.log.Error(trouble, "error", err)
		}
		said = failing
	}
}

// Compare asks OpenFGA what x decided lately, what it doubts, and sample questions more, half of them of people in the channel, and answers where
// the two differ: nobody of those may do anything there until a later Compare finds both agree. Each difference is told to the audit log, and
// what stands in the database says who is wrong: x is loaded again, or OpenFGA swept. Where OpenFGA cannot be asked the error says so, and
// what was doubted stays so; it is ErrBehind where OpenFGA has not applied every change yet.
func (e *Engine) Compare(ctx context.Context, x *Index, sample int) (Comparison, error) {
	questions := append(x.witness.take(), x.sample(sample)...)
	old := map[doubt]struct{}{}
	if doubted := x.doubted.Load(); doubted != nil {
		old = *doubted
	}
	for d := range old {
		for action := range actionCount {
			questions = append(questions, question{(*x.named.Load())[d.person], d.channel.id, action, doubted})
		}
	}
	c, asked, err := e.askAll(ctx, x, questions)
	doubts, fresh := map[doubt]struct{}{}, []Difference{}
	for d := range old {
		if asked[d] < int(actionCount) {
			doubts[d] = struct{}{} // nobody has said that it is as it should be
		}
	}
	for _, d := range c.Different {
		pair, known := x.pair(d.Person, d.Channel)
		if known {
			doubts[pair] = struct{}{}
		}
		_, before := old[pair]
		if _, told := e.told[stranger{d.Person, d.Channel, d.Action}]; !before && !told && !slices.ContainsFunc(fresh, func(f Difference) bool { return f.Person == d.Person && f.Channel == d.Channel }) {
			fresh = append(fresh, d)
		}
		if !known && len(e.told) < mostStrangers {
			e.told[stranger{d.Person, d.Channel, d.Action}] = struct{}{}
		}
	}
	return c, errors.Join(err, x.doubt(ctx, doubts), e.mend(ctx, x, c.Different, fresh))
}

// askAll asks both, and answers where they differ and of each pair how many questions were answered. It ends at the first that OpenFGA does
// not answer, and when it takes too long.
func (e *Engine) askAll(ctx context.Context, x *Index, questions []question) (c Comparison, asked map[doubt]int, err error) {
	asked = map[doubt]int{}
	if len(questions) == 0 {
		return c, asked, nil
	}
	ctx, cancel := context.WithTimeout(ctx, compareWithin+time.Duration(len(questions))*time.Second/10)
	defer cancel()
	err = x.CatchUp(ctx, 0)
	for _, q := range questions {
		var d Difference
		answered := false
		if err == nil {
			d, answered, err = e.ask(ctx, x, q)
		}
		if !answered {
			e.unasked[q.class].Add(1)
			c.Unasked++
			continue
		}
		e.compared[q.class].Add(1)
		c.Checked++
		if pair, known := x.pair(q.person, q.channel); known && q.class == doubted {
			asked[pair]++
		}
		if d.Index != d.OpenFGA {
			c.Different = append(c.Different, d)
		} else {
			delete(e.told, stranger{d.Person, d.Channel, d.Action})
		}
	}
	if err != nil {
		err = fmt.Errorf("compare with openfga: %w", err)
	}
	return c, asked, err
}

// ask asks both. answered is false where the answer changed meanwhile. Revisions are compared before and after, so
// that neither side is blamed for being behind.
func (e *Engine) ask(ctx context.Context, x *Index, q question) (d Difference, answered bool, err error) {
	d = Difference{Person: q.person, Channel: q.channel, Action: []string{View, Post, Manage}[q.action], Class: q.class.String()}
	for range 3 {
		rev := x.Revision()
		if err := e.awaitCaughtUp(ctx); err != nil {
			return d, false, err
		}
		before := x.undoubted(q)
		if d.OpenFGA, err = e.Check(ctx, d.Person, d.Channel, d.Action); err != nil {
			return d, false, err
		}
		d.Index = x.undoubted(q)
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

// mend finds out who is wrong where the two differ, and has it put right; fresh, which were not known before, are told.
func (e *Engine) mend(ctx context.Context, x *Index, differ, fresh []Difference) error {
	if len(fresh) == 0 && (len(differ) == 0 || e.now().Sub(e.mended) < mendEvery) {
		return nil
	}
	var trouble error
	var records []audit.Record
	index, openfga := false, false
	for i, d := range slices.Concat(fresh, differ) { // what is known is looked at again from time to time: it may be that nothing came of it
		if i >= max(mendedAtOnce, len(fresh)) {
			break
		}
		wrong := "unknown"
		truth, err := e.store.truth(ctx, x.Now, d)
		if trouble = errors.Join(trouble, err); err == nil {
			if wrong = "openfga"; truth != d.Index {
				wrong = "index"
			}
		}
		index, openfga = index || wrong == "index", openfga || wrong != "index"
		if i < len(fresh) {
			e.different[slices.Index(classNames[:], d.Class)].Add(1)
			e.log.Error("openfga and the index differ, it is denied", "person", d.Person, "channel", d.Channel, "action", d.Action, "class", d.Class, "index", d.Index, "openfga", d.OpenFGA, "wrong", wrong)
			records = append(records, audit.Record{Actor: "system", Action: "authz.diverged", Subject: string(d.Person), Public: map[string]any{
				"channel": d.Channel, "permission": d.Action, "class": d.Class, "index": d.Index, "openfga": d.OpenFGA, "wrong": wrong}})
		}
	}
	trouble = errors.Join(trouble, e.record(ctx, records...))
	if openfga {
		trouble = errors.Join(trouble, e.sweepNow(ctx))
	}
	if index && e.now().Sub(e.rebuilt) >= mendEvery { // while it loads no revision comes into force: not again and again
		e.rebuilt = e.now()
		trouble = errors.Join(trouble, x.Load(ctx))
	}
	e.mended = e.now()
	return trouble
}

// truth answers by what stands in the database alone: who looked at the channel's tuples and the person's knows all that the model asks for.
func (s *Store) truth(ctx context.Context, now func() time.Time, d Difference) (bool, error) {
	x := NewIndex(s)
	x.Now = now
	if err := x.fill(ctx, func(put func(Tuple)) (rev int64, err error) {
		return s.read(ctx, put, "where user_ref = ? or object = ? or object like 'org:%'", typeUser+":"+string(d.Person), typeChannel+":"+string(d.Channel))
	}); err != nil {
		return false, err
	}
	ok, _ := x.Allow(d.Person, d.Channel, d.Action)
	return ok, nil
}

// record writes to the audit log; what cannot be written is written with the next.
func (e *Engine) record(ctx context.Context, records ...audit.Record) error {
	e.recording.Lock()
	defer e.recording.Unlock()
	if e.unwritten = append(e.unwritten, records...); len(e.unwritten) == 0 {
		return nil
	}
	err := e.store.db.Tx(ctx, func(tx *db.Tx) error { return audit.Append(tx, e.unwritten...) })
	if err == nil {
		e.unwritten = nil
	}
	return err
}

// sample chooses up to n questions.
func (x *Index) sample(n int) []question {
	var channels []*channel
	x.channels.each(func(_ string, c *channel) { channels = append(channels, c) })
	names := *x.named.Load()
	if len(channels) == 0 || len(names) == 0 || n == 0 {
		return nil
	}
	questions := make([]question, n)
	for i := range questions {
		c := channels[rand.IntN(len(channels))]
		person := rand.Uint32N(uint32(len(names)))
		if s := c.current.Load(); i%2 == 0 && s != nil && s.base[view] != nil && !s.base[view].members.IsEmpty() {
			members := s.base[view].members
			person, _ = members.Select(rand.Uint32N(uint32(members.GetCardinality())))
		}
		questions[i] = question{names[person], c.id, rand.IntN(actionCount), chosen}
	}
	return questions
}

// undoubted answers by the tuples alone.
func (x *Index) undoubted(q question) bool {
	pair, known := x.pair(q.person, q.channel)
	if !known {
		return false
	}
	verdict, _ := x.judge(pair.channel, pair.person, q.action)
	return verdict == allowed
}

// pair answers the numbers by which a person and a channel are known here.
func (x *Index) pair(person id.Person, channel id.Channel) (doubt, bool) {
	n, known := x.people.get(string(person))
	c, exists := x.channels.get(string(channel))
	return doubt{n, c}, known && exists
}

// Doubted answers of how many people in how many channels OpenFGA says otherwise, who are denied everything there because of it.
func (x *Index) Doubted() int {
	if doubted := x.doubted.Load(); doubted != nil {
		return len(*doubted)
	}
	return 0
}

// doubt replaces the decisions that are denied because OpenFGA differs, and tells the callbacks who is new.
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
