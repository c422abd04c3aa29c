package drill

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	patience   = 10 * time.Second     // with one node, for one thing
	pace       = 5 * time.Millisecond // between two messages
	warm       = 20                   // messages that reach each stream of the leaver before they are taken out
	afterwards = 100                  // messages written after it
	look       = 5 * time.Millisecond
)

// post is where one watches a node from.
type post struct {
	node    Node
	leaver  map[Way]*ear
	witness *ear
	open    []Way // that let the leaver in after the return
	fault   error
}

// play holds the drill d. What concerns one node stands in its finding; an error is one of the drill as a whole.
func (e *Engine) play(ctx context.Context, d *Drill, c Cast) error {
	nodes, err := e.Nodes(ctx)
	if err != nil {
		return err
	}
	if err := e.Stage.Open(ctx, c); err != nil {
		return err
	}
	leaver, err := e.Stage.Token(ctx, c.Leaver)
	if err != nil {
		return err
	}
	witness, err := e.Stage.Token(ctx, c.Witness)
	if err != nil {
		return err
	}
	transport := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4} // between nodes: past any proxy
	if e.Roots != nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.Roots()}
	}
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	posts := make([]*post, len(nodes))
	for i, n := range nodes {
		posts[i] = &post{node: n, witness: newEar(client, n, witness, c.Channel),
			leaver: map[Way]*ear{WebSocket: newEar(client, n, leaver, c.Channel), Events: newEar(client, n, leaver, c.Channel)}}
	}
	each(posts, func(p *post) { p.fault = p.listen(ctx) })
	defer each(posts, (*post).leave)

	w := &writer{stage: e.Stage, author: c.Witness, channel: c.Channel}
	flow, stop := context.WithCancel(ctx)
	defer stop()
	flowing := make(chan error, 1)
	go func() { flowing <- w.run(ctx, flow.Done()) }()
	each(posts, func(p *post) { p.warmed(ctx) })
	began := time.Now()
	if err = e.Stage.Take(ctx, c.Leaver); err == nil {
		d.Took = time.Since(began)
		w.returned.Store(true)
		err = w.wait(ctx)
	}
	stop()
	if err = errors.Join(err, <-flowing); err != nil {
		return err
	}
	d.Before, d.After = int(w.before.Load()), int(w.after.Load())
	each(posts, func(p *post) { p.watch(ctx, d.After) })
	for _, p := range posts {
		d.Nodes = append(d.Nodes, p.finding(began))
	}
	return nil
}

func each(posts []*post, do func(*post)) {
	var all sync.WaitGroup
	for _, p := range posts {
		all.Go(func() { do(p) })
	}
	all.Wait()
}

// listen opens every stream.
func (p *post) listen(ctx context.Context) error {
	if p.node.URL == "" {
		return errors.New("its address is not known: set cluster.address there")
	}
	for way, ear := range p.leaver {
		if err := ear.begin(ctx, way); err != nil {
			return err
		}
	}
	return p.witness.begin(ctx, WebSocket)
}

func (p *post) leave() {
	for _, e := range []*ear{p.leaver[WebSocket], p.leaver[Events], p.witness} {
		if e.stop != nil {
			e.stop()
			<-e.over
		}
	}
}

// warmed waits until messages flow to the leaver by every way.
func (p *post) warmed(ctx context.Context) {
	if p.fault != nil {
		return
	}
	for way, ear := range p.leaver {
		if !until(ctx, func() bool { n, _, _ := ear.counts(); return n >= warm }) {
			p.fault = fmt.Errorf("%s: messages do not arrive", way)
			return
		}
	}
}

// watch waits for what still comes: all of after at whoever stays, and the end of the leaver's streams. Then it tries the doors.
func (p *post) watch(ctx context.Context, after int) {
	if p.fault != nil {
		return
	}
	if !until(ctx, func() bool { _, n, _ := p.witness.counts(); return n >= after }) {
		p.fault = errors.New("who stays did not get every message")
	}
	for way, ear := range p.leaver {
		if !until(ctx, func() bool { _, _, ended := ear.counts(); return !ended.IsZero() }) {
			p.open = append(p.open, way)
		}
	}
	open, err := p.leaver[WebSocket].tries(ctx)
	if p.open = append(p.open, open...); err != nil && p.fault == nil {
		p.fault = err
	}
}

// finding sums up.
func (p *post) finding(began time.Time) Finding {
	slices.Sort(p.open)
	f := Finding{Node: p.node.Name, URL: p.node.URL, Open: slices.Compact(append([]Way{}, p.open...))}
	if p.fault != nil {
		f.Fault = p.fault.Error()
	}
	for _, ear := range p.leaver {
		heard, late, ended := ear.counts()
		f.Heard, f.Late = f.Heard+heard, f.Late+late
		if !ended.IsZero() {
			f.CutMS = max(f.CutMS, ended.Sub(began).Milliseconds())
		}
	}
	_, f.Witness, _ = p.witness.counts()
	return f
}

func until(ctx context.Context, done func() bool) bool {
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		time.Sleep(look)
	}
	return true
}

// writer writes messages one after the other, without an end.
type writer struct {
	stage    Stage
	author   id.Person
	channel  id.Channel
	returned atomic.Bool // the leaver is out: what is begun from now on is after it
	before   atomic.Int64
	after    atomic.Int64
}

// run writes until stop; what it has begun it ends.
func (w *writer) run(ctx context.Context, stop <-chan struct{}) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		text, count := textBefore, &w.before
		if w.returned.Load() {
			text, count = textAfter, &w.after
		}
		if err := w.stage.Post(ctx, w.author, w.channel, strconv.Itoa(n), text); err != nil {
			return fmt.Errorf("write a message: %w", err)
		}
		count.Add(1)
	}
}

// wait returns once enough was written after the return.
func (w *writer) wait(ctx context.Context) error {
	if !until(ctx, func() bool { return w.after.Load() >= afterwards }) {
		return errors.New("messages cannot be written")
	}
	return nil
}
