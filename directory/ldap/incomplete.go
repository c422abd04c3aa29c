package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// incomplete lets nothing of a reading without proof in, but for explicit disables: those are no inference, and a
// server that fails on each last page must not keep leavers in.
func (s *Syncer) incomplete(ctx context.Context, c *fullPass, cause error) error {
	rep := c.p.rep
	for _, why := range rep.Proof.Missing {
		rep.find(Error, "incomplete", "%s", why)
	}
	if cause = errors.Join(cause, s.disables(ctx, c, nil)); cause != nil {
		return fmt.Errorf("%w: nobody was marked absent: %w", ErrIncomplete, cause)
	}
	return fmt.Errorf("%w: nobody was marked absent: %s", ErrIncomplete, rep.Proof.Missing[0])
}

// disables freezes whom a reading that is not taken shows disabled, under the id that they are known by or, of pairs, under another one.
func (s *Syncer) disables(ctx context.Context, c *fullPass, pairs []Pair) error {
	var disabled []string
	for _, shown := range c.p.shown {
		if shown.class != ClassPerson {
			continue
		}
		entry := c.p.spool.get(ClassPerson, shown.at)
		if active, end := status(entry); !active || !end.IsZero() && !end.After(s.now()) {
			disabled = append(disabled, entry.Key)
		}
	}
	for _, p := range pairs {
		if !p.active {
			disabled = append(disabled, p.Was)
		}
	}
	links := map[string]id.Link{}
	if len(disabled) > 0 && ctx.Err() == nil {
		if err := s.Store.EachRecordKey(ctx, s.Source.ID, func(k directory.RecordKey) {
			if k.DeletedAt.IsZero() {
				links[k.Key] = k.Link
			}
		}); err != nil {
			return err
		}
	}
	disabled = slices.DeleteFunc(disabled, func(key string) bool { return links[key] == "" })
	for part := range slices.Chunk(disabled, batch) {
		if ctx.Err() != nil {
			return nil
		}
		if err := s.disable(ctx, c.p, part, links); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syncer) disable(ctx context.Context, p *pass, keys []string, links map[string]id.Link) error {
	changes := make([]directory.Change, len(keys), len(keys)+1)
	var rows []*object
	for i, key := range keys {
		changes[i] = directory.EditRecord{Source: s.Source.ID, Link: links[key], Edit: func(r *directory.Record) error {
			r.Active = false
			return nil
		}}
		if o := p.sp.objects[key]; o != nil {
			o.hash = digest{} // the record is not what the entry says
			rows = append(rows, o)
		}
	}
	done, err := s.Store.Apply(ctx, s.cause(p.rep, "disabled in the directory"), append(changes, s.alongside(rows, nil, nil))...)
	if err != nil {
		return err
	}
	for _, o := range done.Outcomes[:len(keys)] {
		if o != directory.Unchanged {
			p.rep.Disabled++
		}
	}
	return nil
}
