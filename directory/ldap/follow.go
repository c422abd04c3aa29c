package ldap

import (
	"context"
	"errors"
	"fmt"
)

// Changes implements Stream.
func (cl *Client) Changes(ctx context.Context, from Cursor, emit func([]Change) error) (Cursor, error) {
	return cl.follow(ctx, from, false, emit)
}

// Watch implements Stream.
func (cl *Client) Watch(ctx context.Context, from Cursor, emit func([]Change) error) error {
	_, err := cl.follow(ctx, from, true, emit)
	return err
}

// follow tells the changes in the way of the server, on a connection of its own; persist goes on after the server was caught up
// with. Where one server is behind what was read here, or is not believed, the others are asked. One following at a time: 389 has crashed under
// several searches that persist.
func (cl *Client) follow(ctx context.Context, from Cursor, persist bool, emit func([]Change) error) (cursor Cursor, err error) {
	cl.following.Lock()
	defer cl.following.Unlock()
	for range cl.p.servers {
		if cursor, err = cl.followOne(ctx, from, persist, emit); !errors.Is(err, ErrBehind) && !errors.Is(err, ErrImplausible) {
			break
		}
		cl.next()
	}
	return cursor, err
}

func (cl *Client) followOne(ctx context.Context, from Cursor, persist bool, emit func([]Change) error) (Cursor, error) {
	c, err := cl.followed(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	if c.root.follow == bySync {
		cursor, err := cl.contentSync(ctx, c, from, persist, emit)
		if !errors.Is(err, ErrNoStream) {
			return cursor, err
		}
		cl.unsynced.Store(true)
		c.close()
		if c, err = cl.followed(ctx); err != nil {
			return "", err
		}
		defer c.close()
	}
	if way, err := cl.asked(c); err != nil || way != nil {
		if err != nil {
			return "", err
		}
		return cl.poll(ctx, c, way, from, persist, emit)
	}
	return "", fmt.Errorf("%w: %s has no way", ErrNoStream, c.root.vendor)
}

// asked answers how a server is followed that tells only when it is asked; nil for others.
func (cl *Client) asked(c *conn) (asked, error) {
	switch c.root.follow {
	case byDomain:
		return newDomain(cl, c)
	case byStamp:
		return newStamped(c), nil
	}
	return nil, nil
}

// beginning answers from where to follow what is read from now on; empty where that is not known.
func (cl *Client) beginning(ctx context.Context, c *conn) (Cursor, error) {
	way, err := cl.asked(c)
	if err != nil || way == nil {
		return "", nil
	}
	cookie, err := way.begin(ctx)
	if err != nil && c.dead {
		return "", err
	}
	if err != nil {
		return "", nil
	}
	return c.cursor(cookie), nil
}

// Inventory implements Stream.
func (cl *Client) Inventory(ctx context.Context, emit func(Class, []string) error) (Proof, error) {
	return cl.read(ctx, true, nil, func(objects []Object) error {
		keys := make([]string, len(objects))
		for i, o := range objects {
			keys[i] = o.Key
		}
		return emit(objects[0].Class, keys)
	})
}
