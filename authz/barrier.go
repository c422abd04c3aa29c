package authz

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Barrier makes a revision be in force on every node of a deployment, or on none that answers.
//
// Each node has a row, and a lease that it renews. A renewal writes how long the row lives, then reads the newest revision, applies
// everything up to it, and only then lets the lease hold: until TTL after the moment before it asked. So a node that has not applied a
// revision by TTL after its commit has no lease any more, and denies everything: who waits for a revision needs to know nothing of a node
// that is silent. Instants of two machines are never compared, only durations.
type Barrier struct {
	BarrierConfig
	store *Store
	index *Index
	run   string // this process, of all that ever had the node's name

	mu      sync.Mutex
	applied map[string]int64 // by "node run", as told over the bus
	acked   signal

	// early breaks the barrier on purpose: it waits for nobody. A test turns red.
	early bool
}

// BarrierConfig says which node this is. Everything but Version and Address is needed.
type BarrierConfig struct {
	Node    string // its name, unique among those that run and the same after a restart
	Version string
	Address string // where the other nodes reach it, http://host:port; empty: nobody watches it
	Bus     bus.Bus
	TTL     time.Duration // how long a node may answer without hearing from the database; at least MinTTL
	Log     *slog.Logger
	// Over is called when the lease was over, before it holds again: it cuts whoever may have missed something.
	Over func()
	// ClockLimit is how far this node's clock may be from PostgreSQL's; 0: as far as it likes.
	ClockLimit time.Duration
}

// MinTTL is the shortest lease: below it a slow commit would stop a node that is well.
const MinTTL = 200 * time.Millisecond

// ErrNodeTaken says that another process runs under the node's name.
var ErrNodeTaken = errors.New("another process runs under this node's name")

const (
	subjectRevision bus.Subject = "authz.revision/1" // there is a newer one
	subjectApplied  bus.Subject = "authz.applied/1"  // "node run revision"

	askEvery = 25 * time.Millisecond

	// dbNow is PostgreSQL's clock in microseconds: of rows that only it compares.
	dbNow = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
)

// NewBarrier ties index to the other nodes on PostgreSQL: from now on it denies everything unless a lease holds.
func NewBarrier(s *Store, x *Index, c BarrierConfig) (*Barrier, error) {
	if s.db.Engine != db.Postgres {
		return nil, errors.New("several nodes need PostgreSQL")
	}
	if c.TTL < MinTTL {
		return nil, fmt.Errorf("a lease of %s is shorter than %s", c.TTL, MinTTL)
	}
	x.lease = newLease()
	return &Barrier{BarrierConfig: c, store: s, index: x, run: rand.Text(), applied: map[string]int64{}}, nil
}

// Join registers this node, so that from now on revisions wait for it, and listens to the bus. Call it before the index is loaded. It
// waits for the lease of a process of the same name that was killed; ErrNodeTaken where that goes on to live.
func (b *Barrier) Join(ctx context.Context) error {
	for began := time.Now(); ; {
		patience := 4 * b.TTL
		if nodes, err := b.Nodes(ctx); err == nil {
			patience = max(patience, 4*longest(nodes))
		}
		mine, err := b.register(ctx)
		if err != nil {
			return fmt.Errorf("join as node %s: %w", b.Node, err)
		}
		if mine {
			break
		}
		if time.Since(began) > patience {
			return fmt.Errorf("node %s: %w", b.Node, ErrNodeTaken)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(b.TTL / 4):
		}
	}
	if _, err := b.Bus.Subscribe(subjectRevision, func([]byte) { b.store.Wake() }); err != nil {
		return err
	}
	_, err := b.Bus.Subscribe(subjectApplied, b.told)
	b.store.Notify = func(int64) { b.say(subjectRevision, nil) }
	return err
}

func (b *Barrier) register(ctx context.Context) (mine bool, err error) {
	err = b.store.lane().Tx(ctx, func(tx *db.Tx) error {
		done := tx.Exec(`insert into authz_nodes (node, run, version, address, revision, joined_at, expires_at, ttl) values (?, ?, ?, ?, 0, `+dbNow+`, `+dbNow+` + ?, ?)
			on conflict (node) do update set run = excluded.run, version = excluded.version, address = excluded.address, revision = 0, joined_at = excluded.joined_at, expires_at = excluded.expires_at, ttl = excluded.ttl
			where authz_nodes.run = excluded.run or authz_nodes.expires_at + authz_nodes.ttl < `+dbNow, b.Node, b.run, b.Version, b.Address, b.TTL.Microseconds(), b.TTL.Microseconds())
		mine = done.RowsAffected == 1
		return done.Error
	})
	return mine, err
}

// Leave takes the node out, so that nobody waits for it. It answers nothing from then on.
func (b *Barrier) Leave() error {
	b.index.lease.until.Store(0)
	ctx, cancel := context.WithTimeout(context.Background(), b.TTL)
	defer cancel()
	return b.store.lane().Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("delete from authz_nodes where node = ? and run = ?", b.Node, b.run).Error
	})
}

// Renew renews the lease once.
func (b *Barrier) Renew(ctx context.Context) error {
	from := time.Now()
	ctx, cancel := context.WithTimeout(ctx, b.TTL)
	defer cancel()
	var theirs int64
	asked := b.index.at()
	if err := b.store.lane().Tx(ctx, func(tx *db.Tx) error {
		return tx.Raw("update authz_nodes set revision = ?, expires_at = "+dbNow+" + ? where node = ? and run = ? returning "+dbNow,
			b.index.Revision(), b.TTL.Microseconds(), b.Node, b.run).Scan(&theirs).Error
	}); err != nil {
		return err
	}
	if theirs == 0 {
		return fmt.Errorf("node %s: %w", b.Node, ErrNodeTaken)
	}
	if b.index.judgeClock(asked, theirs, b.index.at(), b.ClockLimit) {
		b.Log.Log(ctx, b.index.clockLevel(), "this node's clock", "trusted", b.index.ClockTrusted(), "ahead", b.index.Skew(), "limit", b.ClockLimit)
		b.Over()
	}
	head, err := b.store.head(ctx) // after that commit: who commits a later revision sees the row
	if err != nil {
		return err
	}
	if err := b.index.Settled(ctx, head); err != nil {
		return err
	}
	b.index.lease.renew(from, b.TTL-b.margin(), b.Over)
	b.tell()
	return nil
}

// margin lies between the end of a lease here and the end that others wait for: clocks do not run alike, and between a check and its
// write there is a moment.
func (b *Barrier) margin() time.Duration { return b.TTL / 20 }

// Run renews the lease, tells the others what is in force here, and forgets nodes that ended long ago, until ctx ends. It returns
// ErrNodeTaken where this node's name is another's.
func (b *Barrier) Run(ctx context.Context) error {
	done := make(chan struct{})
	defer func() { <-done }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(done)
		for {
			moved := b.index.moved.wait()
			b.tell()
			select {
			case <-ctx.Done():
				return
			case <-moved:
			}
		}
	}()
	for failing, n := false, 0; ; n++ {
		pause := b.TTL / 4
		err := b.Renew(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrNodeTaken):
			return err
		case err != nil:
			if pause = b.TTL / 20; !failing {
				b.Log.Error("the lease of this node cannot be renewed: when it ends the node answers nothing until it can", "left", b.index.lease.left(), "error", err)
			}
		case failing:
			b.Log.Info("the lease of this node is renewed again")
		}
		if failing = err != nil; !failing && n%1000 == 0 {
			b.forget(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// forget deletes the rows of nodes that ended a day ago.
func (b *Barrier) forget(ctx context.Context) {
	if err := b.store.lane().Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("delete from authz_nodes where expires_at < "+dbNow+" - ?", (24 * time.Hour).Microseconds()).Error
	}); err != nil && ctx.Err() == nil {
		b.Log.Warn("nodes that ended are not forgotten", "error", err)
	}
}

func (b *Barrier) tell() {
	b.say(subjectApplied, fmt.Appendf(nil, "%s %s %d", b.Node, b.run, b.index.Revision()))
}

func (b *Barrier) say(subject bus.Subject, data []byte) {
	if err := b.Bus.Publish(subject, data); err != nil {
		b.Log.Warn("other nodes could not be told", "subject", subject, "error", err)
	}
}

// told takes "node run revision". What it cannot read it takes for nothing: whoever waits asks the nodes' rows as well, every moment.
func (b *Barrier) told(data []byte) {
	text := string(data)
	at := strings.LastIndexByte(text, ' ')
	rev, err := strconv.ParseInt(text[at+1:], 10, 64)
	if at < 0 || err != nil {
		return
	}
	who := text[:at]
	b.mu.Lock()
	b.applied[who] = max(b.applied[who], rev)
	b.mu.Unlock()
	b.acked.fire()
}

// Settled returns when rev, which is committed or about to be, is in force on every node that answers: each has applied it, or its lease is
// over. That takes TTL at most once this node has applied it.
func (b *Barrier) Settled(ctx context.Context, rev int64) error {
	if err := b.index.Settled(ctx, rev); err != nil || b.early {
		return err
	}
	committed, bound, step := time.Now(), time.Time{}, trace.From(ctx)
	for {
		nodes, err := b.Nodes(ctx)
		if err == nil && bound.IsZero() { // the leases of those who may not have heard of it, which need not be as long as this node's
			bound = committed.Add(max(b.TTL, longest(nodes)))
			step.Set("rollcall.nodes", len(nodes))
		}
		for ask := time.Now().Add(askEvery); ; { // whoever the bus does not reach says it by its row
			acked := b.acked.wait()
			if err == nil && !b.waits(nodes, rev) {
				return nil
			}
			if !bound.IsZero() && !time.Now().Before(bound) {
				step.Note("a node did not answer: its lease is over")
				return nil
			}
			left := time.Until(ask)
			if !bound.IsZero() {
				left = min(left, time.Until(bound))
			}
			if left <= 0 {
				break
			}
			timer := time.NewTimer(left)
			select {
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			case <-acked:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

// waits tells whether rev is not known to be in force on one of nodes.
func (b *Barrier) waits(nodes []Node, rev int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range nodes {
		if n.Node != b.Node && n.Ago < n.TTL && max(n.Revision, b.applied[n.Node+" "+n.Run]) < rev {
			return true
		}
	}
	return false
}

// Node is one node as its row shows it.
type Node struct {
	Node, Run, Version, Address string

	Revision int64         // that was in force there when it last renewed its lease
	Joined   time.Time     // by PostgreSQL's clock
	Ago      time.Duration // since its lease ended; less than zero: it holds. It is waited for until one TTL after: PostgreSQL's clock may be set forward
	TTL      time.Duration
}

// longest is the longest of the nodes' leases.
func longest(nodes []Node) (ttl time.Duration) {
	for _, n := range nodes {
		ttl = max(ttl, n.TTL)
	}
	return ttl
}

// Nodes answers the nodes that are known, by name.
func (b *Barrier) Nodes(ctx context.Context) ([]Node, error) {
	var rows []struct {
		Node, Run, Version, Address string
		Revision, JoinedAt, Since   int64
		TTL                         int64 `gorm:"column:ttl"`
	}
	err := b.store.db.Read(ctx).Raw("select node, run, version, address, revision, joined_at, ttl, " + dbNow + " - expires_at as since from authz_nodes order by node").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	nodes := make([]Node, len(rows))
	for i, r := range rows {
		nodes[i] = Node{r.Node, r.Run, r.Version, r.Address, r.Revision, time.UnixMicro(r.JoinedAt).UTC(), time.Duration(r.Since) * time.Microsecond, time.Duration(r.TTL) * time.Microsecond}
	}
	return nodes, nil
}

// Left is how long this node may go on to answer without a renewal.
func (b *Barrier) Left() time.Duration { return b.index.lease.left() }
