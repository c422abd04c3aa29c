package ldap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// contentSync is one search that persists (RFC 4533), on a connection of its own.
//
// It refreshes first: either by naming what changed and what is gone (a delete phase), or by naming everything that
// is there, what is unchanged by its id alone (a present phase). Then it tells each change as it happens. A cursor goes
// out only where a refresh is done: one from the middle of it would leave out the rest.
type contentSync struct {
	c       *conn
	emit    func([]Change) error
	newest  *newest
	dialled func(context.Context) (*conn, error) // another connection to the same server
	side    *conn                                // from dialled; nil until it is needed

	asked  string // the cookie of the request
	cookie string // the newest
	done   string // of the refresh
	mark   string // of the server, from before the request

	caughtUp   bool
	everything string          // why each entry that is there was named; empty where it was not
	fresh      map[string]bool // the keys of entries that were told by the refresh
	references int
	batch      []Change
	unsaved    bool   // cookie moved on without a change that carries it
	quiet      bool   // nothing was told since the last sign of life
	aged       string // a cookie that came at agedAt
	agedAt     time.Time
	beat       pulse
}

// maxTogether bounds how many changes are emitted together.
const maxTogether = 500

// contentSync follows by RFC 4533. Without persist it ends where it has caught up: a search that does not persist would
// tell the same, but 389 ends it with a wrong flag.
func (cl *Client) contentSync(ctx context.Context, c *conn, from Cursor, persist bool, emit func([]Change) error) (Cursor, error) {
	s := &contentSync{c: c, emit: emit, newest: &cl.newest, fresh: map[string]bool{}, dialled: func(ctx context.Context) (*conn, error) { return dial(ctx, cl.p, c.at) }}
	defer func() {
		if s.side != nil {
			s.side.close()
		}
	}()
	var err error
	if s.asked, err = c.cookie(from); err != nil {
		return "", err
	}
	s.cookie = s.asked
	if s.mark, err = c.position(ctx); err != nil {
		return "", err
	}
	if c.root.behind(s.mark, s.asked) {
		switch held, err := c.holds(ctx, s.asked); {
		case err != nil:
			return "", err
		case !held:
			return "", fmt.Errorf("%w: %s stands at %s", ErrBehind, c.at.address, s.mark)
		}
		s.asked = c.root.cookieOf(s.mark)
	}
	if forgotten, err := c.forgotten(ctx, s.asked); err != nil || forgotten {
		return "", cmp.Or(err, fmt.Errorf("%w: %s has forgotten the changes since", ErrCursorLost, c.at.address))
	}
	defer context.AfterFunc(ctx, func() { c.raw.Conn.Close() })()
	err = s.run(ctx, persist)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", err
	}
	return c.cursor(s.cookie), nil
}

func (s *contentSync) run(ctx context.Context, persist bool) error {
	stream, err := s.c.begin(s.request(refreshAndPersist))
	if err != nil {
		return s.explain(err)
	}
	s.beat = newPulse(s.c)
	for persist || !s.caughtUp {
		if len(s.batch) >= maxTogether || len(s.batch) > 0 && !s.c.whole() {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
		m, err := s.beat.next()
		switch {
		case err != nil:
			return s.explain(err)
		case m.id == stream:
			err = s.take(m)
		case m.tag != 0:
			err = s.answered(m)
		}
		if err != nil {
			return err
		}
	}
	return s.flush(ctx)
}

func (s *contentSync) request(mode int) request {
	return request{base: s.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: s.c.anyClass(), attrs: s.c.allAttributes(), controls: []*ber.Packet{syncRequest(mode, s.asked)}}
}

func (s *contentSync) explain(err error) error {
	return explain("follow "+s.c.p.Base, err, s.c.p.Password)
}

// answered is a sign of life: the server answered on this very connection.
func (s *contentSync) answered(m message) error {
	var told csns
	if s.caughtUp && s.c.root.markIsCookie {
		told, _ = cookieCSNs(s.cookie)
	}
	alive, err := s.beat.answer(m, told)
	if err != nil {
		return s.explain(err)
	}
	if !alive || len(s.batch) > 0 {
		return nil
	}
	if s.unsaved && s.caughtUp {
		if cookie := s.settled(time.Now()); cookie != "" {
			return s.told([]Change{{Op: OpPresent, Cursor: s.c.cursor(cookie), At: time.Now()}})
		}
	}
	return s.told(nil)
}

// take reads one message of the search.
func (s *contentSync) take(m message) error {
	switch m.tag {
	case tagEntry:
		return s.entry(m)
	case tagReference:
		s.references++
	case tagIntermediate:
		info, found, err := parseSyncInfo(m.op)
		if err != nil {
			return s.explain(err)
		}
		if found {
			s.info(info)
		}
	case tagDone:
		return s.ended(m)
	default:
		return s.explain(fmt.Errorf("%w: operation %#x", errMalformed, m.tag))
	}
	return nil
}

func (s *contentSync) entry(m message) error {
	e, err := parseEntry(m.op, s.c.seen)
	if err != nil {
		return s.explain(err)
	}
	state, found, err := parseSyncState(m.controls)
	if err != nil {
		return s.explain(err)
	}
	if !found {
		return fmt.Errorf("%w: %s takes no notice of the sync request", ErrNoStream, s.c.at.address)
	}
	change := Change{At: time.Now()}
	k := s.c.root.syncKey(state.id)
	switch state.state {
	case stateDelete:
		change.Op, change.Keys = OpDelete, []string{k}
	case statePresent:
		change.Op, change.Keys = OpPresent, []string{k}
	default:
		if own := key(e, s.c.root.id); own != "" && own != k {
			return s.explain(fmt.Errorf("%w: an entry has the id %s and the %s %s", ErrServer, k, s.c.root.id, own))
		}
		change.Op, change.Object = OpUpsert, s.c.object(k, e)
		if !s.caughtUp {
			s.fresh[k] = true
		}
		if s.c.root.bareResume && !s.caughtUp && s.asked != "" {
			change.Object.Class = "" // to be read again
		}
	}
	if s.caughtUp && state.cookie != nil {
		s.cookie, s.quiet, s.unsaved = s.c.root.merged(s.cookie, *state.cookie), false, s.c.root.aheadCookies
		if !s.unsaved {
			change.Cursor = s.c.cursor(s.cookie)
		}
	}
	s.batch = append(s.batch, change)
	return nil
}

// info reads what the server says between the entries.
func (s *contentSync) info(info syncInfo) {
	now := time.Now()
	switch info.kind {
	case infoIDs:
		keys := make([]string, len(info.ids))
		for i, id := range info.ids {
			keys[i] = s.c.root.syncKey(id)
		}
		change := Change{Op: OpPresent, Keys: keys, At: now}
		if info.deletes {
			change.Op = OpDelete
		}
		if len(keys) > 0 {
			s.batch = append(s.batch, change)
		}
	case infoPresent:
		if !s.caughtUp && !s.c.root.deletesOnly {
			s.everything = "present phase"
		}
	}
	switch {
	case s.caughtUp && info.cookie != nil && *info.cookie != "":
		s.cookie, s.unsaved = s.c.root.merged(s.cookie, *info.cookie), true
	case !s.caughtUp && info.done && (info.kind == infoDelete || info.kind == infoPresent):
		s.refreshed(info.cookie, now)
	}
}

// refreshed ends the refresh. OpenLDAP gives no cookie where nothing changed, and an empty one where it could not read ours
// and told everything again.
func (s *contentSync) refreshed(cookie *string, now time.Time) {
	s.caughtUp = true
	switch {
	case cookie != nil && *cookie != "":
		s.cookie = s.c.root.merged(s.cookie, *cookie)
	case cookie != nil || s.asked == "":
		s.cookie = s.c.root.cookieOf(s.mark)
	}
	switch {
	case s.asked == "":
		s.everything = "from the beginning"
	case cookie != nil && *cookie == "":
		s.everything = "everything again"
	}
	s.done = s.cookie
	s.batch = append(s.batch, Change{Op: OpRefreshed, Cursor: s.c.cursor(s.cookie), At: now, Whole: s.everything != "", Proof: s.everything})
}

// ended tells why a search that persists is over.
func (s *contentSync) ended(m message) error {
	err := parseResult(m.op)
	var answer *goldap.Error
	switch {
	case err == nil && s.caughtUp:
		return s.explain(fmt.Errorf("%w: it ended a search that persists", ErrClosed))
	case err == nil:
		return fmt.Errorf("%w: %s ends a search that should persist", ErrNoStream, s.c.at.address)
	case !errors.As(err, &answer):
		return s.explain(err)
	}
	text := scrub(answer.Error(), s.c.p.Password)
	switch code := answer.ResultCode; {
	case code == goldap.LDAPResultSyncRefreshRequired:
		return fmt.Errorf("%w: %s", ErrCursorLost, text)
	case code == goldap.LDAPResultUnwillingToPerform && !s.caughtUp && s.asked != "":
		return fmt.Errorf("%w: %s", ErrBehind, text)
	case code == goldap.LDAPResultUnavailableCriticalExtension:
		return fmt.Errorf("%w: %s", ErrNoStream, text)
	}
	return s.explain(err)
}

// flush gives on what has come together.
func (s *contentSync) flush(ctx context.Context) error {
	batch := s.batch
	s.batch = nil
	if at := slices.IndexFunc(batch, func(c Change) bool { return c.Op == OpRefreshed }); at >= 0 {
		before, last := batch[:at], batch[at]
		if s.c.root.gap {
			if err := s.pass(ctx, before); err != nil {
				return err
			}
			if err := s.fill(ctx); err != nil {
				return err
			}
			before, last.Cursor = nil, s.c.cursor(s.done)
		}
		if !last.Whole && (s.c.root.changeOf != "" || s.c.root.omits) {
			if err := s.pass(ctx, before); err != nil {
				return err
			}
			var err error
			if before, last.Whole, err = s.list(ctx); err != nil {
				return err
			}
			last.Proof = "listing"
		}
		if last.Whole {
			var err error
			if last.Whole, err = s.sound(ctx); err != nil {
				return err
			}
		}
		if !last.Whole {
			last.Proof = ""
		}
		s.fresh = nil
		batch = slices.Concat(before, []Change{last}, batch[at+1:])
	}
	if s.caughtUp {
		s.newest.note(s.c, s.cookie)
	}
	return s.pass(ctx, batch)
}

// pass emits changes, as far as there are any.
func (s *contentSync) pass(ctx context.Context, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	changes, err := s.complete(ctx, changes)
	if err != nil {
		return err
	}
	return s.told(changes)
}

func (s *contentSync) told(changes []Change) error {
	err := s.emit(changes)
	s.beat.resumed()
	return err
}
