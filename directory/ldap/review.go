package ldap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// each shows the entries of the space, one after the other, while nothing changes them.
func (f *session) each(ctx context.Context, fn func(*object)) error {
	f.s.running.Lock()
	defer f.s.running.Unlock()
	sp, _, err := f.s.open(ctx)
	if err != nil {
		return err
	}
	for _, o := range sp.objects {
		fn(o)
	}
	return nil
}

// due answers the doubts to be looked at: all of them after some silence, else the old ones.
func (f *session) due(now time.Time) map[string]bool {
	due := map[string]bool{}
	for k, since := range f.doubts {
		if now.Sub(f.doubted) >= doubtPause && now.Sub(since) >= doubtPause || now.Sub(since) >= doubtMost {
			due[k] = true
		}
	}
	return due
}

// review looks again at what refers to entries that were renamed or went: servers change such references, or leave them to whoever gets the
// name, and tell of neither.
func (f *session) review(ctx context.Context, due map[string]bool) error {
	if len(due) > doubtsMost {
		return errDoubt
	}
	s := f.s
	again, named := map[string]bool{}, map[string]bool{} // keys of what is to be looked at itself, and of what is referred to
	for k := range due {
		if key, ok := strings.CutPrefix(k, itself); ok {
			again[key] = true
		} else if k != anybody {
			named[k] = true
		}
	}
	var units, people, groups []string
	if err := f.each(ctx, func(o *object) {
		switch {
		case again[o.key] && o.class == ClassGroup:
			groups = append(groups, o.key)
		case again[o.key] && o.class == ClassUnit:
			units = append(units, o.key)
		case again[o.key]:
			people = append(people, o.key)
		case named[o.boss], due[anybody] && o.manager != nil && o.manager.owner == nil:
			people = append(people, o.key)
		case due[anybody] && len(o.waits) > 0:
			groups = append(groups, o.key)
		}
	}); err != nil {
		return err
	}
	if due[anybody] && len(people)+len(groups) > doubtsMost {
		return errDoubt
	}
	for k := range named {
		page, err := s.Store.FindGroups(ctx, directory.GroupQuery{Source: s.Source.ID, Where: directory.Compare{Column: directory.ColMember, Op: directory.Eq, Value: k}, Limit: batch, NoTotal: true, NoRaw: true})
		if err != nil {
			return err
		}
		for _, g := range page.Groups {
			groups = append(groups, g.Key)
		}
	}
	var changes []Change
	missed := map[string]bool{}
	for class, keys := range map[Class][]string{ClassUnit: units, ClassPerson: people, ClassGroup: groups} {
		if len(keys) == 0 {
			continue
		}
		slices.Sort(keys)
		found, err := f.reader.Lookup(ctx, class, slices.Compact(keys))
		if err != nil {
			return err
		}
		for _, k := range keys {
			missed[itself+k] = true
		}
		for _, o := range found {
			delete(missed, itself+o.Key)
			changes = append(changes, Change{Op: OpUpsert, Object: o, At: s.now()})
		}
	}
	done := slices.Collect(maps.Keys(due))
	if len(changes) > 0 {
		f.again = true
		err := f.apply(ctx, changes)
		if f.again = false; err != nil {
			return err
		}
	}
	for k := range missed { // it will be told, unless who told of them knew their name before those above them did
		if f.missed[k] {
			return fmt.Errorf("%w: somebody is not there, and nobody told", errDoubt)
		}
	}
	for _, k := range done {
		delete(f.doubts, k)
		delete(f.missed, k)
	}
	for k := range missed {
		f.doubts[k], f.missed[k] = s.now(), true
	}
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		return errors.Join(endDoubts(tx, s.Source.ID, done), addDoubts(tx, s.Source.ID, slices.Sorted(maps.Keys(missed))))
	})
}

// counted is an inventory.
type counted struct {
	keys  map[string]bool
	begun time.Time
	proof Proof
	err   error
}

func count(ctx context.Context, stream Stream, now time.Time) *counted {
	c := &counted{keys: map[string]bool{}, begun: now}
	c.proof, c.err = stream.Inventory(ctx, func(_ Class, keys []string) error {
		for _, k := range keys {
			c.keys[k] = true
		}
		return nil
	})
	return c
}

// reconcile looks at who is in the space and not in the inventory, and the other way round.
func (f *session) reconcile(ctx context.Context, c *counted) error {
	s := f.s
	if c.err != nil || !c.proof.Complete() {
		s.Log.Warn("directory inventory fell short", "source", s.Source.Name, "missing", c.proof.Missing, "error", c.err)
		return ctx.Err()
	}
	var gone []string
	met := 0
	if err := f.each(ctx, func(o *object) {
		if c.keys[o.key] {
			delete(c.keys, o.key)
			met++
		} else {
			gone = append(gone, o.key)
		}
	}); err != nil {
		return err
	}
	if met == 0 && len(gone) > 0 {
		return fmt.Errorf("%w: it names none of the %d entries that are known", ErrImplausible, len(gone))
	}
	fresh := slices.Collect(maps.Keys(c.keys))
	if len(gone)+len(fresh) == 0 {
		return nil
	}
	written, absent := f.rep.Written(), f.rep.Absent
	if err := f.apply(ctx, []Change{{Op: OpDelete, Keys: gone, At: s.now()}, {Op: OpPresent, Keys: fresh, At: s.now()}}); err != nil {
		return err
	}
	if n := f.rep.Written() - written; n > 0 {
		rep := Report{Run: id.New[id.Run](), Kind: "inventory", StartedAt: c.begun, Proof: c.proof, Absent: f.rep.Absent - absent}
		rep.find(Warning, "drift", "%d entries had changed without a word of the stream", n)
		return s.remember(ctx, &rep)
	}
	return nil
}
