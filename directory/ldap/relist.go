package ldap

import (
	"context"
	"strings"
	"time"
)

// list names everything that is there after a refresh that told only what changed, and answers what the refresh left out: entries
// whose newest change the cookie does not know. OpenLDAP that was killed remembers an older mark than it had and a session log that
// begins too late. It then resumes without what was written, or without what was deleted, between the two.
func (s *contentSync) list(ctx context.Context) (left []Change, whole bool, err error) {
	if err := s.aside(ctx); err != nil {
		return nil, false, err
	}
	known, _ := cookieCSNs(s.asked)
	r := &reading{c: s.side, id: s.c.root.id, newest: &newest{}, seen: map[string]bool{}, proof: Proof{Counts: map[Class]int{}}}
	r.attrs = func(Class) []string {
		if s.c.root.changeOf == "" {
			return []string{r.id}
		}
		return []string{r.id, s.c.root.changeOf}
	}
	r.emit = func(objects []Object) error {
		keys := make([]string, len(objects))
		for i, o := range objects {
			keys[i] = o.Key
			newest, _ := parseCSNs(strings.Join(o.Attrs[s.c.root.changeOf], " "), " ")
			if known.older(newest) && !s.fresh[o.Key] {
				left = append(left, Change{Op: OpUpsert, Object: Object{Key: o.Key}, At: time.Now()})
			}
		}
		return s.told([]Change{{Op: OpPresent, Keys: keys, At: time.Now()}})
	}
	if err := r.run(ctx, false); err != nil {
		return nil, false, err
	}
	return left, r.proof.Complete(), nil
}
