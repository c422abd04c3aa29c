package ldap

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// asked is a server that tells what changed only when it is asked.
type asked interface {
	// begin makes a cookie of now, so that a reading that follows misses nothing; resume takes one up.
	begin(ctx context.Context) (cookie string, err error)
	resume(ctx context.Context, cookie string) error
	// step tells what changed since the cookie, page by page, each with the cookie to go on from.
	step(ctx context.Context, tell func(changes []Change, cookie string) error) error
	// blind tells whether deletions are not among what it tells.
	blind(ctx context.Context) (bool, error)
	// wake asks for a sign at each write to the server, on a connection of its own, until ctx ends. It answers nil where there is none.
	wake(ctx context.Context, sign chan<- struct{}) error
}

// polling follows an asked server.
type polling struct {
	cl   *Client
	c    *conn
	way  asked
	emit func([]Change) error

	at      Cursor
	saved   Cursor    // the last one that was emitted
	savedAt time.Time // when
	mark    string    // the freshness mark of before the last step
	counted time.Time // the last inventory
	listed  uint64    // what it found
}

// saveEvery bounds how much is asked for again where nothing that was told carried the cursor.
const saveEvery = time.Minute

// poll implements follow for servers that have to be asked.
func (cl *Client) poll(ctx context.Context, c *conn, way asked, from Cursor, persist bool, emit func([]Change) error) (Cursor, error) {
	p := &polling{cl: cl, c: c, way: way, emit: emit, at: from}
	err := p.catchUp(ctx)
	if err == nil && !persist {
		return p.at, nil
	}
	if err == nil {
		err = p.persist(ctx)
	}
	if ctx.Err() != nil { // whatever it was in the middle of
		err = context.Cause(ctx)
	}
	return p.saved, err
}

// catchUp brings the other side up to now: from nothing by a whole reading, else by what changed.
func (p *polling) catchUp(ctx context.Context) (err error) {
	if p.mark, err = p.c.position(ctx); err != nil {
		return err
	}
	if p.at == "" {
		proof, err := p.cl.read(ctx, false, nil, func(objects []Object) error { return p.emit(upserts(objects)) })
		if err != nil {
			return err
		}
		if p.at = proof.Cursor; p.at == "" {
			return fmt.Errorf("%w: %s shows no mark to go on from", ErrNoStream, p.c.root.vendor)
		}
		if err := p.resume(ctx); err != nil {
			return err
		}
		p.counted = time.Now()
		return p.refreshed(proof.Complete(), proof.Kind)
	}
	if err := p.resume(ctx); err != nil {
		return err
	}
	if err := p.step(ctx); err != nil {
		return err
	}
	blind, err := p.way.blind(ctx)
	if err != nil {
		return err
	}
	if blind {
		return p.count(ctx)
	}
	return p.refreshed(false, "")
}

func (p *polling) resume(ctx context.Context) error {
	cookie, err := p.c.cookie(p.at)
	if err != nil {
		return err
	}
	return p.way.resume(ctx, cookie)
}

func (p *polling) step(ctx context.Context) error {
	return p.way.step(ctx, func(changes []Change, cookie string) error {
		p.at = p.c.cursor(cookie)
		if len(changes) == 0 {
			return nil
		}
		now := time.Now()
		for i := range changes {
			changes[i].At = now
		}
		changes[len(changes)-1].Cursor = p.at
		p.saved, p.savedAt = p.at, now
		return p.emit(changes)
	})
}

func (p *polling) refreshed(whole bool, proof string) error {
	now := time.Now()
	p.saved, p.savedAt = p.at, now
	if !whole {
		proof = ""
	}
	return p.emit([]Change{{Op: OpRefreshed, Whole: whole, Proof: proof, Cursor: p.at, At: now}})
}

// count names everything that is there, where that is not what it was at the last count.
func (p *polling) count(ctx context.Context) error {
	var found [][]string
	var sum uint64 // of hashes: the order does not matter
	proof, err := p.cl.Inventory(ctx, func(_ Class, keys []string) error {
		found = append(found, keys)
		for _, k := range keys {
			sum += maphash.String(p.cl.seed, k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.counted = time.Now()
	if !proof.Complete() || sum == p.listed {
		return p.refreshed(false, "")
	}
	if err := p.refreshed(false, ""); err != nil { // what was told of before counts for nothing: it may have gone since
		return err
	}
	for _, keys := range found {
		if err := p.emit([]Change{{Op: OpPresent, Keys: keys, At: p.counted}}); err != nil {
			return err
		}
	}
	p.listed = sum
	return p.refreshed(true, proof.Kind)
}

// persist asks at each sign of the server, and besides each PollInterval whether its freshness mark moved: not every change is
// signed, a deletion is not.
func (p *polling) persist(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	sign, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- p.way.wake(ctx, sign) }()
	defer func() {
		cancel()
		if ended != nil {
			<-ended
		}
	}()
	pause := p.c.p.PollInterval
	var heard time.Time
	for {
		timer := time.NewTimer(pause)
		signed := false
		select {
		case <-ctx.Done():
		case <-sign:
			signed = true
		case err := <-ended:
			if ended = nil; err != nil && ctx.Err() == nil {
				return err
			}
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		began := time.Now()
		if err := p.round(ctx, signed); err != nil {
			return err
		}
		pause = max(p.c.p.PollInterval, 2*time.Since(began)) // a server that takes long is asked more rarely
		if now := time.Now(); now.Sub(heard) >= time.Second {
			if heard = now; p.saved != p.at && now.Sub(p.savedAt) > saveEvery {
				if err := p.refreshed(false, ""); err != nil {
					return err
				}
			} else if err := p.emit(nil); err != nil {
				return err
			}
		}
	}
}

// round asks once.
func (p *polling) round(ctx context.Context, signed bool) error {
	if !signed {
		mark, err := p.c.position(ctx)
		if err != nil {
			return err
		}
		if signed = mark == "" || mark != p.mark; signed {
			p.mark = mark
		}
	}
	if signed {
		if err := p.step(ctx); err != nil {
			return err
		}
	}
	if time.Since(p.counted) < p.c.p.Inventory {
		return nil
	}
	blind, err := p.way.blind(ctx)
	if err != nil || !blind {
		p.counted = time.Now()
		return err
	}
	return p.count(ctx)
}

// upserts tells of objects, those that others stand below first.
func upserts(objects []Object) []Change {
	rank := map[Class]int{ClassUnit: 0, ClassPerson: 1, ClassGroup: 2}
	slices.SortStableFunc(objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rank[a.Class], rank[b.Class]), cmp.Compare(strings.Count(a.DN, ","), strings.Count(b.DN, ",")))
	})
	out := make([]Change, len(objects))
	for i, o := range objects {
		out[i] = Change{Op: OpUpsert, Object: o}
	}
	return out
}

// pages runs a search to its end. Without the word of the server that it is the end, it is an error.
func (c *conn) pages(ctx context.Context, r request, each func([]entry) error) error {
	r.pageSize = c.p.PageSize
	for range maxPages {
		p, err := c.search(ctx, r)
		if err != nil {
			return err
		}
		if err := c.ranged(ctx, p.entries); err != nil {
			return err
		}
		if err := each(p.entries); err != nil {
			return err
		}
		if !p.paged {
			return fmt.Errorf("%w: it does not page", ErrServer)
		}
		if r.cookie = p.cookie; r.cookie == "" {
			return nil
		}
	}
	return fmt.Errorf("%w: a search has no end", ErrServer)
}

// maxPages bounds the pages of one search.
const maxPages = 1_000_000

// reread reads entries below the base again by their keys, whatever their class, with attributes besides.
func (c *conn) reread(ctx context.Context, keys []string, besides ...string) ([]entry, error) {
	var out []entry
	for filter := range keyFilters(c.idAttribute(), keys) {
		p, err := c.search(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: "(&" + c.anyClass() + filter + ")", attrs: append(c.allAttributes(), besides...)})
		if err != nil {
			return nil, err
		}
		if err := c.ranged(ctx, p.entries); err != nil {
			return nil, err
		}
		out = append(out, p.entries...)
	}
	return out, nil
}
