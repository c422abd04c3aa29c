package ldap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

const (
	underWayMost = 5 * time.Second       // of a write that was under way while a search that persists began
	underWayEach = 50 * time.Millisecond // between two looks after it
	agedFrom     = time.Minute           // of a cookie that is ahead, where the stream is never quiet
)

// changeNumber is the number of a change of 389's changelog that ends a cookie. It sometimes gives one that is none.
func changeNumber(cookie string) (int64, bool) {
	n, err := strconv.ParseInt(cookie[strings.LastIndexByte(cookie, '#')+1:], 10, 64)
	return n, err == nil
}

// fill tells what 389 leaves out where it is written to while a search that persists begins. It takes the cookie first and listens later, and hears of
// a write before that is committed: what is written between the two is neither in the refresh nor heard. So another connection asks, without persisting,
// what came after the cookie of the refresh, until that covers all numbers that were given to writes when the refresh was over.
func (s *contentSync) fill(ctx context.Context) error {
	if err := s.aside(ctx); err != nil {
		return err
	}
	mark, err := s.side.position(ctx)
	if err != nil {
		return err
	}
	last, known := changeNumber(mark)
	for began := time.Now(); ; {
		if n, ok := changeNumber(s.done); known && ok && n >= last {
			return nil
		}
		if err := sleep(ctx, underWayEach); err != nil {
			return err
		}
		once := &contentSync{c: s.side, asked: s.done, cookie: s.done, fresh: map[string]bool{}}
		if err := once.refresh(ctx); err != nil {
			return err
		}
		if err := s.pass(ctx, once.batch); err != nil {
			return err
		}
		s.done = once.cookie
		s.cookie = s.c.root.merged(s.cookie, s.done)
		if !known || time.Since(began) >= underWayMost { // a write that was given up keeps its number until the next
			return nil
		}
	}
}

// refresh asks what changed since the cookie of the request, and ends there. What it tells stands in the batch.
func (s *contentSync) refresh(ctx context.Context) error {
	op, controls, err := s.request(refreshOnly).encode()
	if err != nil {
		return err
	}
	return s.explain(s.c.guard(ctx, s.c.p.PageTimeout, func() error {
		if err := s.c.send(op, controls...); err != nil {
			return err
		}
		for {
			m, err := s.c.receive()
			if err != nil {
				return err
			}
			if m.tag != tagDone {
				if err := s.take(m); err != nil {
					return err
				}
				continue
			}
			if parseResult(m.op) != nil {
				return s.ended(m)
			}
			cookie, err := parseSyncDone(m.controls)
			if err != nil {
				return err
			}
			s.cookie = s.c.root.merged(s.cookie, cookie)
			return nil
		}
	}))
}

// parseSyncDone reads the cookie of the control at the end of a refresh that does not persist (RFC 4533 section 2.4).
func parseSyncDone(controls []byte) (string, error) {
	value, found, err := findControl(controls, goldap.ControlTypeSyncDone)
	if err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("%w: a refresh ended without its control", errMalformed)
	}
	b, _, err := want(value, tagSequence)
	if err != nil {
		return "", err
	}
	cookie, _, err := optional(b)
	if err == nil && cookie == nil {
		err = errors.New("a refresh ended without a cookie")
	}
	if err != nil {
		return "", err
	}
	return *cookie, nil
}

// settled answers the cookie that may be stored now, empty where none may. 389 gives with a change the number of the newest change of that entry,
// although it may have others to tell from before that one. It has told them where it said nothing between two answers on this connection.
func (s *contentSync) settled(now time.Time) string {
	quiet := s.quiet
	s.quiet = true
	switch {
	case !s.c.root.aheadCookies || quiet:
		s.aged, s.unsaved = "", false
		return s.cookie
	case s.aged == "":
		s.aged, s.agedAt = s.cookie, now
	case now.Sub(s.agedAt) >= agedFrom:
		old := s.aged
		s.aged, s.agedAt = s.cookie, now
		return old
	}
	return ""
}
