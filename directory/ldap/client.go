package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Client reads a directory over the network. It may be used from several goroutines. Readings have a connection
// of their own; Position and Lookup share one.
type Client struct {
	p *prepared

	mu      sync.Mutex
	control *conn
	known   []string // see know

	seed      maphash.Seed
	following sync.Mutex // held while changes are told
	newest    newest
	unsynced  atomic.Bool  // the server announces content synchronization and refused it
	at        atomic.Int32 // the server that was last found well, in p.servers
	wary      *refusals    // of the login; nil: whoever uses the client takes care of pauses
}

// NewClient checks c and answers a Client, which connects when it is first used.
func NewClient(c Config) (*Client, error) {
	p, err := c.prepare()
	if err != nil {
		return nil, err
	}
	return &Client{p: p, seed: maphash.MakeSeed()}, nil
}

// Close closes the standing connection. The Client may be used again.
func (cl *Client) Close() error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.control != nil {
		cl.control.close()
		cl.control = nil
	}
	return nil
}

// dial connects and logs in.
func (cl *Client) dial(ctx context.Context) (*conn, error) {
	if cl.wary != nil {
		if err := cl.wary.standing(time.Now()); err != nil {
			return nil, err
		}
	}
	c, err := cl.reach(ctx, dial)
	if cl.wary != nil {
		cl.wary.note(time.Now(), err)
	}
	if err == nil && cl.unsynced.Load() && c.root.follow == bySync {
		c.root.follow = byStamp
	}
	return c, err
}

// reach connects to the server that was last found well, or to the next of the list that can be reached.
func (cl *Client) reach(ctx context.Context, connect func(context.Context, *prepared, *server) (*conn, error)) (*conn, error) {
	var errs []error
	first, n := int(cl.at.Load()), len(cl.p.servers)
	for i := range n {
		at := (first + i) % n
		c, err := connect(ctx, cl.p, cl.p.servers[at])
		if err == nil {
			cl.at.Store(int32(at))
			return c, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || !away(err) {
			return nil, err
		}
	}
	return nil, errors.Join(errs...)
}

// next makes another server of the list the one that is asked first.
func (cl *Client) next() {
	cl.at.Store((cl.at.Load() + 1) % int32(len(cl.p.servers)))
}

// away tells whether another server may do better: a wrong password is wrong everywhere, and a wrong certificate is to be seen.
func away(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrClosed)
}

// shared runs fn on the standing connection, and once more on a fresh one where the server had closed it meanwhile.
func (cl *Client) shared(ctx context.Context, fn func(*conn) error) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.control != nil && cl.control.at != cl.p.servers[cl.at.Load()] { // another server answers what is followed
		cl.control.close()
	}
	stood := cl.control != nil && !cl.control.dead
	for {
		if cl.control == nil || cl.control.dead {
			c, err := cl.dial(ctx)
			if err != nil {
				cl.control = nil
				return err
			}
			cl.control = c
		}
		err := fn(cl.control)
		if err == nil || !stood || !cl.control.dead || ctx.Err() != nil || errors.Is(err, ErrTimeout) {
			return err
		}
		stood = false
	}
}

// rootDSE is what a server says about itself (RFC 4512 section 5.1).
type rootDSE struct {
	quirks
	contexts    []string
	paging      bool
	contentSync bool
}

func (c *conn) readRoot(ctx context.Context) error {
	p, err := c.search(ctx, request{scope: goldap.ScopeBaseObject, filter: "(objectClass=*)",
		attrs: []string{"namingContexts", "vendorName", "supportedControl", "supportedCapabilities", "objectClass"}})
	if err != nil {
		return err
	}
	if len(p.entries) != 1 {
		return fmt.Errorf("%w: it has no rootDSE", ErrServer)
	}
	a := p.entries[0].attrs
	c.root = rootDSE{quirks: quirksOf(a), contexts: a["namingcontexts"],
		paging:      slices.Contains(a["supportedcontrol"], goldap.ControlTypePaging),
		contentSync: slices.Contains(a["supportedcontrol"], goldap.ControlTypeSyncRequest)}
	if c.root.follow == bySync && c.idAttribute() != c.root.id { // it would name what is gone by another id
		c.root.follow = byStamp
	}
	return nil
}

// idAttribute is the one attribute whose value is the identity of every entry of this directory.
func (c *conn) idAttribute() string {
	if c.p.IDAttribute != "" {
		return strings.ToLower(c.p.IDAttribute)
	}
	return c.root.id
}

// classes lists the object classes of a class, and the one that excludes from it.
func (c *conn) classes(class Class) (list []string, without string) {
	list = map[Class][]string{ClassPerson: c.p.PersonClasses, ClassUnit: c.p.UnitClasses, ClassGroup: c.p.GroupClasses}[class]
	switch {
	case len(list) > 0:
	case class == ClassPerson:
		list, without = c.root.people, c.root.notPeople
	default:
		list = c.root.groups
	}
	return list, without
}

// filter asks for object classes only: servers do not report an entry that leaves any other filter.
func (c *conn) filter(class Class) string {
	list, without := c.classes(class)
	var b strings.Builder
	for _, name := range list {
		b.WriteString("(objectClass=" + goldap.EscapeFilter(name) + ")")
	}
	out := b.String()
	if len(list) > 1 {
		out = "(|" + out + ")"
	}
	if without == "" {
		return out
	}
	return "(&" + out + "(!(objectClass=" + without + ")))"
}

// key makes the identity of an entry into text; empty where the entry shows none.
func key(e entry, idAttribute string) string {
	v := e.attrs[idAttribute]
	switch {
	case len(v) != 1 || v[0] == "":
		return ""
	case idAttribute == "objectguid":
		return guid(v[0])
	}
	return strings.ToLower(v[0])
}

// keyFilter asks for one identity.
func keyFilter(idAttribute, key string) string {
	if idAttribute == "objectguid" {
		b, err := hex.DecodeString(strings.ReplaceAll(key, "-", ""))
		if err != nil || len(b) != 16 {
			return ""
		}
		slices.Reverse(b[0:4])
		slices.Reverse(b[4:6])
		slices.Reverse(b[6:8])
		key = string(b)
	}
	return "(" + idAttribute + "=" + goldap.EscapeFilter(key) + ")"
}

// keyFilters asks for these identities, for so many at a time as a server likes.
func keyFilters(idAttribute string, keys []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for chunk := range slices.Chunk(keys, lookupChunk) {
			var b strings.Builder
			for _, k := range chunk {
				b.WriteString(keyFilter(idAttribute, k))
			}
			if b.Len() > 0 && !yield(anyOf(b.String())) {
				return
			}
		}
	}
}

// anyOf makes one filter of several in a row.
func anyOf(filters string) string { return "(|" + filters + ")" }

// called asks for the people whose attributes of one of these fields hold name; empty where no attribute is read for them. Whatever name holds, it
// is only ever compared.
func (c *conn) called(name string, fields ...string) string {
	var b strings.Builder
	for _, field := range fields {
		for _, attr := range c.p.fields[field] {
			b.WriteString("(" + attr + "=" + goldap.EscapeFilter(name) + ")")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "(&" + c.filter(ClassPerson) + anyOf(b.String()) + ")"
}

const lookupChunk = 100

// Lookup implements Reader.
func (cl *Client) Lookup(ctx context.Context, class Class, keys []string) ([]Object, error) {
	var out []Object
	err := cl.shared(ctx, func(c *conn) error {
		out = nil
		for filter := range keyFilters(c.idAttribute(), keys) {
			found, err := c.objects(ctx, class, "(&"+filter+c.filter(class)+")")
			if err != nil {
				return err
			}
			out = append(out, found...)
		}
		return nil
	})
	return out, err
}

// objects runs one search that answers few entries.
func (c *conn) objects(ctx context.Context, class Class, filter string) ([]Object, error) {
	id := c.idAttribute()
	p, err := c.search(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: c.p.attributes(class, id)})
	if err == nil {
		err = c.ranged(ctx, p.entries)
	}
	if err != nil {
		return nil, err
	}
	var out []Object
	for _, e := range p.entries {
		if k := key(e, id); k != "" {
			out = append(out, Object{Class: class, Key: k, DN: e.dn, Attrs: e.attrs})
		}
	}
	return out, nil
}

// Position implements Reader: contextCSN of the suffix, highestCommittedUSN or lastChangeNumber.
func (cl *Client) Position(ctx context.Context) (string, error) {
	var mark string
	err := cl.shared(ctx, func(c *conn) (err error) {
		mark, err = c.position(ctx)
		return err
	})
	return mark, err
}

func (c *conn) position(ctx context.Context) (string, error) {
	at := []string{""}
	for _, suffix := range c.root.contexts {
		if under, err := parsedWithin(suffix, c.p.base); err == nil && under {
			at = []string{suffix, ""}
		}
	}
	for _, dn := range at {
		p, err := c.search(ctx, request{base: dn, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)",
			attrs: append(slices.Clone(c.root.marks), c.root.markOf...)})
		if err != nil {
			if dn != "" && !c.dead {
				continue // the suffix may be hidden from the account
			}
			return "", err
		}
		for _, e := range p.entries {
			if marks := e.all(c.root.marks); len(marks) > 0 {
				slices.Sort(marks)
				c.markAt = dn
				return strings.Join(append(marks, e.all(c.root.markOf)...), " "), nil
			}
		}
	}
	return "", nil
}

// all answers the values of these attributes.
func (e entry) all(names []string) (out []string) {
	for _, name := range names {
		out = append(out, e.attrs[strings.ToLower(name)]...)
	}
	return out
}

// parsedWithin tells whether base is suffix or beneath it.
func parsedWithin(suffix string, base *goldap.DN) (bool, error) {
	s, err := goldap.ParseDN(suffix)
	if err != nil || len(s.RDNs) == 0 {
		return false, err
	}
	return s.EqualFold(base) || s.AncestorOfFold(base), nil
}
