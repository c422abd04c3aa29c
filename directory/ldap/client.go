package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	goldap "github.com/go-ldap/ldap/v3"
)

// Client reads a directory over the network. It may be used from several goroutines. Readings have a connection
// of their own; Position and Lookup share one.
type Client struct {
	p *prepared

	mu      sync.Mutex
	control *conn
}

// NewClient checks c and answers a Client, which connects when it is first used.
func NewClient(c Config) (*Client, error) {
	p, err := c.prepare()
	if err != nil {
		return nil, err
	}
	return &Client{p: p}, nil
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

// shared runs fn on the standing connection, and once more on a fresh one where the server had closed it meanwhile.
func (cl *Client) shared(ctx context.Context, fn func(*conn) error) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	stood := cl.control != nil && !cl.control.dead
	for {
		if cl.control == nil || cl.control.dead {
			c, err := dial(ctx, cl.p)
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
	vendor      string
	contexts    []string
	paging      bool
	contentSync bool
}

// The vendors that are told apart.
const (
	vendorOpenLDAP = "openldap"
	vendorAD       = "ad"
	vendor389      = "389"
	vendorOther    = "other"
)

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
	vendor := strings.ToLower(strings.Join(a["vendorname"], " "))
	c.root = rootDSE{vendor: vendorOther, contexts: a["namingcontexts"],
		paging:      slices.Contains(a["supportedcontrol"], goldap.ControlTypePaging),
		contentSync: slices.Contains(a["supportedcontrol"], goldap.ControlTypeSyncRequest)}
	switch {
	case slices.Contains(a["supportedcapabilities"], "1.2.840.113556.1.4.800"): // [MS-ADTS] LDAP_CAP_ACTIVE_DIRECTORY_OID
		c.root.vendor = vendorAD
	case strings.Contains(vendor, "389") || strings.Contains(vendor, "red hat"):
		c.root.vendor = vendor389
	case slices.ContainsFunc(a["objectclass"], func(s string) bool { return strings.EqualFold(s, "OpenLDAProotDSE") }):
		c.root.vendor = vendorOpenLDAP
	}
	return nil
}

// idAttribute is the one attribute whose value is the identity of every entry of this directory.
func (c *conn) idAttribute() string {
	if c.p.IDAttribute != "" {
		return strings.ToLower(c.p.IDAttribute)
	}
	switch c.root.vendor {
	case vendorAD:
		return "objectguid"
	case vendor389: // imported entries have no entryUUID there, later ones may have both
		return "nsuniqueid"
	}
	return "entryuuid"
}

// filter asks for object classes only: servers do not report an entry that leaves any other filter.
func (c *conn) filter(class Class) string {
	list := map[Class][]string{ClassPerson: c.p.PersonClasses, ClassUnit: c.p.UnitClasses, ClassGroup: c.p.GroupClasses}[class]
	without := ""
	if len(list) == 0 {
		switch ad := c.root.vendor == vendorAD; {
		case class == ClassPerson && ad:
			list, without = []string{"user"}, "(!(objectClass=computer))" // a computer is a user there, too
		case class == ClassPerson:
			list = []string{"inetOrgPerson"}
		case ad:
			list = []string{"group"}
		default:
			list = []string{"groupOfNames", "groupOfUniqueNames", "groupOfMembers", "posixGroup"}
		}
	}
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
	return "(&" + out + without + ")"
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

// guid writes an objectGUID as Microsoft does: the first three groups are little-endian.
func guid(raw string) string {
	if len(raw) != 16 {
		return ""
	}
	b := []byte(raw)
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
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

const lookupChunk = 100

// Lookup implements Reader.
func (cl *Client) Lookup(ctx context.Context, class Class, keys []string) ([]Object, error) {
	var out []Object
	err := cl.shared(ctx, func(c *conn) error {
		out = nil
		for chunk := range slices.Chunk(keys, lookupChunk) {
			var b strings.Builder
			for _, k := range chunk {
				b.WriteString(keyFilter(c.idAttribute(), k))
			}
			if b.Len() == 0 {
				continue
			}
			found, err := c.objects(ctx, class, "(&"+c.filter(class)+"(|"+b.String()+"))")
			if err != nil {
				return err
			}
			out = append(out, found...)
		}
		return nil
	})
	return out, err
}

// Find reads the people whose login or e-mail address is exactly name: for the test of a connection. Whatever name
// holds, it is only ever compared.
func (cl *Client) Find(ctx context.Context, name string) ([]Object, error) {
	var out []Object
	err := cl.shared(ctx, func(c *conn) (err error) {
		var b strings.Builder
		for _, field := range []string{"user_name", "email"} {
			for _, attr := range c.p.fields[field] {
				b.WriteString("(" + attr + "=" + goldap.EscapeFilter(name) + ")")
			}
		}
		if b.Len() == 0 {
			return nil
		}
		out, err = c.objects(ctx, ClassPerson, "(&"+c.filter(ClassPerson)+"(|"+b.String()+"))")
		return err
	})
	return out, err
}

// objects runs one search that answers few entries.
func (c *conn) objects(ctx context.Context, class Class, filter string) ([]Object, error) {
	id := c.idAttribute()
	p, err := c.search(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: c.p.attributes(class, id)})
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
			attrs: []string{"contextCSN", "highestCommittedUSN", "lastChangeNumber", "dsServiceName"}})
		if err != nil {
			if dn != "" && !c.dead {
				continue // the suffix may be hidden from the account
			}
			return "", err
		}
		for _, e := range p.entries {
			marks := slices.Concat(e.attrs["contextcsn"], e.attrs["highestcommittedusn"], e.attrs["lastchangenumber"])
			if len(marks) > 0 {
				slices.Sort(marks)
				return strings.Join(append(marks, e.attrs["dsservicename"]...), " "), nil
			}
		}
	}
	return "", nil
}

// parsedWithin tells whether base is suffix or beneath it.
func parsedWithin(suffix string, base *goldap.DN) (bool, error) {
	s, err := goldap.ParseDN(suffix)
	if err != nil || len(s.RDNs) == 0 {
		return false, err
	}
	return s.EqualFold(base) || s.AncestorOfFold(base), nil
}
