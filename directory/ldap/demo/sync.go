package demo

import (
	"context"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// The modes and entry states of RFC 4533 sections 2.2 and 2.3.
const (
	refreshOnly       = 1
	refreshAndPersist = 3

	stateAdd    = 1
	stateModify = 2
	stateDelete = 3
)

// idSet is how many ids one message of the present phase carries.
const idSet = 256

type happening struct {
	before, after *record
	csn           string
	usn           int
}

// watcher is the queue between the writers and one persist search. A reader that falls too far behind is
// told to refresh (e-syncRefreshRequired) rather than kept at any cost of memory.
type watcher struct {
	queue chan happening
	lost  chan struct{}
}

func (w *watcher) offer(before, after *record, csn string) {
	select {
	case w.queue <- happening{before: before, after: after, csn: csn}:
	default:
		select {
		case <-w.lost:
		default:
			close(w.lost)
		}
	}
}

// startSync begins a content synchronization beside the other requests of the connection.
func (c *conn) startSync(ctx context.Context, id int64, q *query, ctl control) error {
	mode, cookie := number(child(ctl.value, 0)), text(child(ctl.value, 1))
	if mode != refreshOnly && mode != refreshAndPersist {
		return c.result(id, opDone, protocolError, "sync mode is not known")
	}
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	c.running[id] = cancel
	c.mu.Unlock()
	c.syncs.Go(func() {
		defer func() {
			c.mu.Lock()
			delete(c.running, id)
			c.mu.Unlock()
			cancel()
		}()
		if err := c.sync(ctx, id, q, cookie, mode == refreshAndPersist); err != nil {
			c.raw.Close()
		}
	})
	return nil
}

func (c *conn) sync(ctx context.Context, id int64, q *query, cookie string, persist bool) error {
	w := &watcher{queue: make(chan happening, 4096), lost: make(chan struct{})}
	c.d.mu.Lock() // what is read and what is heard from then on must meet without a gap
	csn := formatCSN(c.d.lastCSN)
	if persist {
		c.d.watchers[w] = struct{}{}
		defer c.d.forget(w)
	}
	c.d.mu.Unlock()
	since := csnOf(cookie)
	if since > csn {
		return c.result(id, opDone, unwilling, "consumer state is newer than provider!")
	}
	found, err := c.d.find(q)
	if err != nil {
		return c.result(id, opDone, noSuchObject, err.Error())
	}
	f := c.d.faultsFor(q)
	if f.Partial > 0 {
		found = found[:min(len(found), f.Partial)]
	}
	known, err := c.refresh(id, q, found, since, f.LieDeletes)
	if err != nil {
		return err
	}
	if !persist { // refreshDeletes FALSE: what was not mentioned is gone
		return c.send(id, resultOf(opDone, success, ""), controlOf(oidSyncDone, sequence(octets(cookieOf(csn)))))
	}
	if err := c.info(id, group(ber.ClassContext, 2, octets(cookieOf(csn)))); err != nil { // refreshPresent, refreshDone TRUE
		return err
	}
	for n := 0; ; n++ {
		switch f := c.d.faultsFor(q); {
		case f.StreamDrop > 0 && n >= f.StreamDrop:
			return errCut
		case f.StreamHush > 0 && n >= f.StreamHush:
			<-ctx.Done()
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return c.result(id, opDone, canceled, "") // after an Abandon the client ignores it
		case <-w.lost:
			return c.result(id, opDone, refreshRequired, "too many changes, refresh")
		case h := <-w.queue:
			if err := c.tell(id, q, known, h); err != nil {
				return err
			}
		}
	}
}

func (d *Directory) forget(w *watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.watchers, w)
}

// refresh sends what changed after since, and of everything else only the ids: the present phase of RFC 4533
// section 3.3.1. It answers the ids of the content.
func (c *conn) refresh(id int64, q *query, found []*record, since string, changedOnly bool) (map[string]bool, error) {
	known := map[string]bool{}
	var ids []*ber.Packet
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		set := group(ber.ClassUniversal, ber.TagSet, ids...)
		ids = nil
		return c.info(id, group(ber.ClassContext, 3, boolean(false), set))
	}
	for _, r := range found {
		known[r.uuid] = true
		if r.csn <= since && changedOnly {
			continue
		}
		if r.csn <= since {
			raw, err := parseUUID(r.uuid)
			if err != nil {
				return nil, err
			}
			if ids = append(ids, octets(string(raw))); len(ids) == idSet {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := c.state(id, c.d.present(r, q, Faults{}), r.uuid, stateAdd, ""); err != nil {
			return nil, err
		}
	}
	return known, flush()
}

// tell sends one live change, as the content of this search sees it.
func (c *conn) tell(id int64, q *query, known map[string]bool, h happening) error {
	if h.after != nil && inScope(fold(h.after.DN), fold(q.base), q.scope) && c.d.matches(h.after, q) {
		state := stateAdd
		if known[h.after.uuid] {
			state = stateModify
		}
		known[h.after.uuid] = true
		return c.state(id, c.d.present(h.after, q, Faults{}), h.after.uuid, state, h.csn)
	}
	if h.before == nil || !known[h.before.uuid] {
		return nil
	}
	delete(known, h.before.uuid)
	gone := group(ber.ClassApplication, opEntry, octets(h.before.DN), sequence())
	return c.state(id, gone, h.before.uuid, stateDelete, h.csn)
}

func (c *conn) state(id int64, entry *ber.Packet, uuid string, state int, csn string) error {
	raw, err := parseUUID(uuid)
	if err != nil {
		return err
	}
	value := sequence(enumerated(state), octets(string(raw)))
	if csn != "" {
		value.AppendChild(octets(cookieOf(csn)))
	}
	return c.send(id, entry, controlOf(oidSyncState, value))
}

func (c *conn) info(id int64, value *ber.Packet) error {
	return c.send(id, group(ber.ClassApplication, opIntermediate, context1(0, oidSyncInfo), context1(1, string(value.Bytes()))))
}

func cookieOf(csn string) string { return "rid=000,csn=" + csn }

// csnOf reads a cookie; what cannot be read begins anew.
func csnOf(cookie string) string {
	_, csn, ok := strings.Cut(cookie, "csn=")
	if !ok || len(csn) < 22 {
		return ""
	}
	if _, err := time.Parse("20060102150405.000000Z", csn[:22]); err != nil {
		return ""
	}
	return csn
}
