package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// rebornFrom is how many people have to come under other ids, and of what part of those who are known, until it is no chance: a part of the tree was
// loaded anew.
const (
	rebornFrom    = plausibleFrom
	rebornPercent = 1
)

// called answers what records that the directory does not show are called.
func (s *Syncer) called(ctx context.Context, sp *space, keys []string) ([]identity, error) {
	records, err := s.Store.Namesakes(ctx, s.Source.ID, keys)
	if err != nil {
		return nil, err
	}
	out := make([]identity, len(records))
	for i, r := range records {
		out[i] = identity{key: r.Key, number: r.EmployeeNumber, login: r.UserName, name: r.DisplayName, person: r.Person}
		if o := sp.objects[r.Key]; o != nil {
			out[i].dn = o.dn
		}
	}
	return out, nil
}

// identity answers what an entry is called, and whether it may be used now.
func (p *prepared) identity(source directory.Source, o Object, now time.Time) identity {
	r := p.record(source.ID, o)
	return identity{key: o.Key, number: r.EmployeeNumber, login: r.UserName, dn: o.DN, name: r.DisplayName, active: r.Active && (r.EndAt.IsZero() || r.EndAt.After(now))}
}

// reborn finds people among entries that nobody knows who are known under another id that is not shown. It answers ErrReborn where that is more
// than chance: as new people they would come beside those they are, who would be missed.
func (s *Syncer) reborn(ctx context.Context, p *prepared, sp *space, fresh []Object, there func(directory.RecordKey) bool) ([]Pair, error) {
	if len(fresh) < rebornFrom {
		return nil, nil
	}
	var missed []string
	live := 0
	if err := s.Store.EachRecordKey(ctx, s.Source.ID, func(k directory.RecordKey) {
		if !k.DeletedAt.IsZero() {
			return
		}
		if live++; !there(k) {
			missed = append(missed, k.Key)
		}
	}); err != nil {
		return nil, err
	}
	most := max(rebornFrom, live*rebornPercent/100)
	if len(missed) < most || len(fresh) < most {
		return nil, nil
	}
	old, err := s.called(ctx, sp, missed)
	if err != nil {
		return nil, err
	}
	shown := make([]identity, len(fresh))
	for i, o := range fresh {
		shown[i] = p.identity(s.Source, o, s.now())
	}
	pairs, _ := pair(old, shown)
	if len(pairs) < most {
		return nil, nil
	}
	return pairs, fmt.Errorf("%w: %d people who are known have another id there: a part of it was loaded anew, or restored without its ids. Nothing of it is taken until they are linked anew: rollcall source relink %s",
		ErrReborn, len(pairs), s.Source.Name)
}

// reborn is that of a whole reading.
func (c *fullPass) reborn(ctx context.Context) ([]Pair, error) {
	missed := 0
	for _, o := range c.p.sp.objects {
		if o.known == c.mark && o.mark != c.mark {
			missed++
		}
	}
	for _, k := range c.strange {
		if !c.met(k.Key) {
			missed++
		}
	}
	if missed < rebornFrom {
		return nil, nil
	}
	var fresh []Object
	for _, shown := range c.p.shown {
		if shown.class != ClassPerson {
			continue
		}
		if o := c.p.spool.get(ClassPerson, shown.at); c.fresh[o.Key] {
			fresh = append(fresh, o)
		}
	}
	return c.s.reborn(ctx, c.p.p, c.p.sp, fresh, func(k directory.RecordKey) bool { return c.met(k.Key) })
}

// reborn tells whether changes of a stream show people who are known under another id: then everything is to be read, and looked at as a whole.
func (t *news) reborn(ctx context.Context, s *Syncer, p *prepared, gone []*object) (bool, error) {
	var fresh []Object
	for _, o := range t.shown {
		if o.Key != "" && o.Class == ClassPerson && t.sp.objects[o.Key] == nil {
			fresh = append(fresh, o)
		}
	}
	lost := map[string]bool{}
	for _, o := range gone {
		lost[o.key] = true
	}
	for _, o := range fresh { // whose name another has now is gone, told or not: where the server tells it by another id than ours, it is not
		if n := t.sp.names[fold(o.DN)]; n != nil && n.owner != nil {
			if _, shown := t.at[n.owner.key]; !shown {
				lost[n.owner.key] = true
			}
		}
	}
	_, err := s.reborn(ctx, p, t.sp, fresh, func(k directory.RecordKey) bool { return k.AbsentSince.IsZero() && !lost[k.Key] })
	if errors.Is(err, ErrReborn) {
		return true, nil
	}
	return false, err
}
