package ldap

import (
	"context"
	"errors"
	"fmt"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
)

// sampleMost is how many of the people who are known a server is asked for, before it is believed.
const sampleMost = 50

// sample answers some people of the space; nil where too few are known to judge a server by.
func (sp *space) sample() []string {
	var keys []string
	for _, o := range sp.objects {
		if o.class == ClassPerson {
			keys = append(keys, o.key)
		}
		if len(keys) == sampleMost {
			break
		}
	}
	if len(keys) < plausibleFrom {
		return nil
	}
	return keys
}

// know makes the client follow only a server that has one of these people at least; nil: any.
func (cl *Client) know(people []string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.known = people
}

// followed connects to a server that is to be followed. One that was loaded anew without its ids, or is another directory with the same names,
// is refused here: what it tells are new people, and the known ones would be missed only at the end of its telling.
func (cl *Client) followed(ctx context.Context) (*conn, error) {
	c, err := cl.dial(ctx)
	if err != nil {
		return nil, err
	}
	cl.mu.Lock()
	known := cl.known
	cl.mu.Unlock()
	if err := c.recognize(ctx, known); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) recognize(ctx context.Context, known []string) error {
	if len(known) == 0 {
		return nil
	}
	found := 0
	for filter := range keyFilters(c.idAttribute(), known) {
		p, err := c.search(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: []string{"1.1"}})
		if err != nil {
			return err
		}
		found += len(p.entries)
	}
	if found == 0 {
		return fmt.Errorf("%w: none of the people it shows is among the %d that are known and were asked for at %s: is it another directory, or is id_attribute changed?", ErrImplausible, len(known), c.at.address)
	}
	return nil
}

// turn goes on to the next server of the list where one is not believed, or tells what cannot be written beside what is known.
func (s *Syncer) turn(err error) {
	if !errors.Is(err, ErrImplausible) && !errors.Is(err, directory.ErrExists) {
		return
	}
	if reader, err := s.reader(); err == nil {
		if list, ok := reader.(interface{ next() }); ok {
			list.next()
		}
	}
}
