package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// maxRanges bounds how often one attribute is asked for again: 10,000 ranges of 1,500 values.
const maxRanges = 10_000

// reading is one Snapshot under way.
type reading struct {
	c       *conn
	emit    func([]Object) error
	attrs   func(Class) []string
	proof   Proof
	newest  *newest
	id      string
	is      same // may be nil
	look    glance
	seen    map[string]bool // keys, over all classes
	noID    int
	badID   string // what is wrong with the id of the first entry that has one, but not one
	twice   int
	outside int // references to elsewhere
}

// Snapshot implements Reader. Units are read before people and, where the server's mark moved meanwhile, once more at
// the end: a person whose unit was renamed during the reading then finds it under either name.
func (cl *Client) Snapshot(ctx context.Context, emit func([]Object) error) (Proof, error) {
	return cl.read(ctx, false, nil, emit)
}

// read reads everything but the people who are the same, or of everything only the id, from the first server that is not behind.
func (cl *Client) read(ctx context.Context, idsOnly bool, is same, emit func([]Object) error) (proof Proof, err error) {
	for range cl.p.servers {
		if proof, err = cl.readOne(ctx, idsOnly, is, emit); !errors.Is(err, ErrBehind) {
			break
		}
		cl.next()
	}
	return proof, err
}

func (cl *Client) readOne(ctx context.Context, idsOnly bool, is same, emit func([]Object) error) (Proof, error) {
	c, err := cl.dial(ctx)
	if err != nil {
		return Proof{Missing: []string{"the directory could not be opened"}}, err
	}
	defer c.close()
	r := &reading{c: c, emit: emit, newest: &cl.newest, id: c.idAttribute(), is: is, seen: map[string]bool{}, proof: Proof{Counts: map[Class]int{}}}
	r.attrs = func(class Class) []string {
		if idsOnly {
			return []string{r.id}
		}
		return c.p.attributes(class, r.id)
	}
	if !idsOnly {
		r.proof.Cursor, err = cl.beginning(ctx, c)
	}
	if err == nil {
		err = r.run(ctx, !idsOnly)
	}
	if err != nil {
		r.missing("the reading ended early")
	}
	return r.proof, err
}

func (r *reading) run(ctx context.Context, unitsTwice bool) (err error) {
	if r.proof.Position, err = r.c.position(ctx); err != nil {
		return err
	}
	if r.newest.unseen(r.c, r.proof.Position) {
		return fmt.Errorf("%w: %s stands at %s", ErrBehind, r.c.at.address, r.proof.Position)
	}
	if r.proof.Cursor == "" {
		r.proof.Cursor = r.c.cursor(r.c.root.cookieOf(r.proof.Position))
	}
	for _, class := range allClasses {
		if err := r.class(ctx, class, false); err != nil {
			return fmt.Errorf("read %s: %w", class, err)
		}
	}
	after, err := r.c.position(ctx)
	if err != nil {
		return err
	}
	if r.proof.Moved = after != r.proof.Position || after == ""; r.proof.Moved && unitsTwice {
		if err := r.class(ctx, ClassUnit, true); err != nil {
			return fmt.Errorf("read %s again: %w", ClassUnit, err)
		}
	}
	if r.c.p.Sentinel != "" {
		p, err := r.c.search(ctx, request{base: r.c.p.Sentinel, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"1.1"}})
		if r.c.dead {
			return err
		}
		if err != nil || len(p.entries) != 1 {
			r.missing("the sentinel entry is not there")
		}
	}
	r.proof.Kind = "page_end"
	switch {
	case r.badID != "":
		r.missing(fmt.Sprintf("%d entries have no id that can be used: %s. Every entry must have one %s; mend the entry", r.noID, r.badID, r.id))
	case r.noID > 0:
		r.missing(fmt.Sprintf("%d entries show no %s: the account may not read it, or id_attribute is wrong", r.noID, r.id))
	}
	if r.twice > 0 {
		r.missing(fmt.Sprintf("%d entries have the %s of another entry", r.twice, r.id))
	}
	if r.outside > 0 && !r.c.p.IgnoreReferences && !r.c.root.strayReferences {
		r.missing(fmt.Sprintf("the server pointed %d times to another server for a part of the tree, which is not followed", r.outside))
	}
	return nil
}

func (r *reading) missing(why string) { r.proof.Missing = append(r.proof.Missing, why) }

// class reads all pages of one class.
func (r *reading) class(ctx context.Context, class Class, again bool) error {
	req := request{base: r.c.p.Base, scope: goldap.ScopeWholeSubtree, filter: r.c.filter(class), attrs: r.attrs(class), pageSize: r.c.p.PageSize}
	if class == ClassPerson && r.is != nil {
		req.skip = r.skip
	}
	var last string
	for {
		p, err := r.c.search(ctx, req)
		if err == nil {
			err = r.c.ranged(ctx, p.entries)
		}
		r.outside += p.references
		if emitErr := r.take(class, p.entries, again); emitErr != nil {
			return emitErr
		}
		switch {
		case err != nil:
			return err
		case !p.paged:
			r.missing("the server does not page, so that nothing confirms the end of the " + string(class) + " list")
			return nil
		case p.cookie == "":
			return nil
		case p.cookie == last && len(p.entries)+p.skipped == 0:
			return fmt.Errorf("%w: the server gives the same page for ever", ErrServer)
		}
		last, req.cookie = p.cookie, p.cookie
	}
}

// skip leaves a person out who is the same.
func (r *reading) skip(op []byte) bool {
	hash, ok := r.look.read(op, r.id, r.c.seen)
	if !ok || r.seen[string(r.look.key)] { // shown twice
		return false
	}
	k, ok := r.is(r.look.key, r.look.dn, hash)
	if ok {
		r.seen[k] = true
		r.proof.Counts[ClassPerson]++
	}
	return ok
}

// take counts a page and gives it on.
func (r *reading) take(class Class, entries []entry, again bool) error {
	objects := make([]Object, 0, len(entries))
	for _, e := range entries {
		k := key(e, r.id)
		if k == "" {
			if r.noID++; r.badID == "" && len(e.attrs[r.id]) > 0 {
				r.badID = unidentified(class, e, r.id)
			}
			continue
		}
		if !again {
			r.proof.Counts[class]++
			if r.seen[k] {
				r.twice++
				continue
			}
			r.seen[k] = true
		}
		objects = append(objects, Object{Class: class, Key: k, DN: e.dn, Attrs: e.attrs})
	}
	if len(objects) == 0 {
		return nil
	}
	return r.emit(objects)
}

// ranged completes attributes that the server cut into ranges ([MS-ADTS] section 3.1.1.3.1.3.3).
func (c *conn) ranged(ctx context.Context, entries []entry) error {
	for _, e := range entries {
		at := e.dn
		if k := key(e, "objectguid"); k != "" && c.root.follow == byDomain { // it may have another name by now
			at = byGUID(k)
		}
		for name, values := range e.attrs {
			base, span, ok := strings.Cut(name, ";range=")
			if !ok {
				continue
			}
			all := slices.Clone(values)
			for range maxRanges {
				_, end, _ := strings.Cut(span, "-")
				if end == "*" {
					break
				}
				next, err := strconv.Atoi(end)
				if err != nil {
					return fmt.Errorf("%w: attribute range %q", errMalformed, span)
				}
				more, err := c.search(ctx, request{base: at, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{fmt.Sprintf("%s;range=%d-*", base, next+1)}})
				if err != nil {
					return err
				}
				if span, values, ok = rangeOf(more, base); !ok {
					return fmt.Errorf("%w: the rest of %s is missing", ErrServer, base)
				}
				all = append(all, values...)
			}
			delete(e.attrs, name)
			e.attrs[base] = all
		}
	}
	return nil
}

func rangeOf(p page, base string) (span string, values []string, ok bool) {
	if len(p.entries) != 1 {
		return "", nil, false
	}
	for name, values := range p.entries[0].attrs {
		if b, span, cut := strings.Cut(name, ";range="); cut && b == base {
			return span, values, true
		}
	}
	return "", nil, false
}
