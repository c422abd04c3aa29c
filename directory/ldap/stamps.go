package ldap

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// overlap is how far back is asked beyond the newest time seen: times have whole seconds, and a write may become visible after a later one.
const overlap = 2 * time.Minute

// stamped is a server that offers no more than the time of modification of each entry. The clock is the server's: the newest time
// that was seen. It does not tell deletions, so inventories find them.
type stamped struct {
	c     *conn
	until time.Time       // the newest time of modification that was seen: the cookie
	told  map[string]told // what was told of the time that is asked for again and again
	seed  maphash.Seed
}

// told is what was told of an entry.
type told struct {
	at   time.Time
	hash uint64
}

const modifyTimestamp = "modifytimestamp" // RFC 4512 section 3.4.4

func newStamped(c *conn) *stamped {
	return &stamped{c: c, told: map[string]told{}, seed: maphash.MakeSeed()}
}

func (s *stamped) cookie() string { return s.until.Format(time.RFC3339Nano) }

func (s *stamped) resume(_ context.Context, cookie string) (err error) {
	if s.until, err = time.Parse(time.RFC3339Nano, cookie); err != nil {
		return fmt.Errorf("%w: it holds no time", ErrCursorLost)
	}
	return nil
}

// begin looks for the newest time by asking further and further back. Where this machine's clock is wrong that only takes longer.
func (s *stamped) begin(ctx context.Context) (string, error) {
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 31 * 24 * time.Hour, 400 * 24 * time.Hour, 0} {
		filter := s.c.anyClass()
		if back > 0 {
			filter = s.since(time.Now().Add(-back))
		}
		var newest time.Time
		err := s.c.pages(ctx, request{base: s.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: []string{modifyTimestamp}}, func(page []entry) error {
			for _, e := range page {
				if at := stamp(e); at.After(newest) {
					newest = at
				}
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		if s.until = newest; newest.IsZero() {
			continue
		}
		if p, err := s.c.search(ctx, request{base: s.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: s.since(newest), attrs: []string{"1.1"}, pageSize: 1}); err != nil || len(p.entries) == 0 {
			return "", fmt.Errorf("%w: it does not find entries by modifyTimestamp", ErrNoStream)
		}
		return s.cookie(), nil
	}
	return "", fmt.Errorf("%w: it shows no modifyTimestamp, or the account may not read it", ErrNoStream)
}

func (s *stamped) since(at time.Time) string {
	return "(&" + s.c.anyClass() + "(modifyTimestamp>=" + at.UTC().Format("20060102150405Z") + "))"
}

// stamp reads the time of modification of an entry; the zero time where there is none.
func stamp(e entry) time.Time {
	return generalizedTime(strings.Join(e.attrs[modifyTimestamp], " "))
}

func (s *stamped) step(ctx context.Context, tell func([]Change, string) error) error {
	newest := s.until
	var units []string
	err := s.c.pages(ctx, request{base: s.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: s.since(s.until.Add(-overlap)), attrs: append(s.c.allAttributes(), modifyTimestamp)}, func(page []entry) error {
		for _, e := range page {
			if at := stamp(e); at.After(newest) {
				newest = at
			}
		}
		fresh := s.fresh(page)
		for _, o := range fresh {
			if o.Class == ClassUnit {
				units = append(units, o.DN)
			}
		}
		return tell(upserts(fresh), s.cookie()) // pages are in no order: the time holds at the end
	})
	if err != nil {
		return err
	}
	for _, dn := range units { // below a unit that got another name everything has another name, and no other time
		err := s.c.pages(ctx, request{base: dn, scope: goldap.ScopeWholeSubtree, filter: s.c.anyClass(), attrs: append(s.c.allAttributes(), modifyTimestamp)}, func(page []entry) error {
			return tell(upserts(s.fresh(page)), s.cookie())
		})
		if err != nil && !errors.Is(err, errGone) { // else it has another name again, which will be told
			return err
		}
	}
	s.until = newest
	maps.DeleteFunc(s.told, func(_ string, t told) bool { return t.at.Before(newest.Add(-2 * overlap)) })
	return tell(nil, s.cookie())
}

// fresh answers of a page what was not told like this before.
func (s *stamped) fresh(page []entry) []Object {
	var out []Object
	for _, e := range page {
		at := stamp(e)
		o := s.c.object(key(e, s.c.idAttribute()), e)
		if o.Key == "" || o.Class == "" {
			continue
		}
		hash := s.hash(o)
		if before, ok := s.told[o.Key]; ok && before.hash == hash {
			continue
		}
		s.told[o.Key] = told{at, hash}
		out = append(out, o)
	}
	return out
}

func (s *stamped) hash(o Object) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	write := func(text string) {
		fmt.Fprintf(&h, "%d:", len(text))
		h.WriteString(text)
	}
	write(o.DN)
	for _, name := range slices.Sorted(maps.Keys(o.Attrs)) {
		write(name)
		for _, v := range o.Attrs[name] {
			write(v)
		}
	}
	return h.Sum64()
}

// blind implements asked: an entry that is gone has no time.
func (s *stamped) blind(context.Context) (bool, error) { return true, nil }

// wake implements asked: there are no signs.
func (s *stamped) wake(context.Context, chan<- struct{}) error { return nil }
