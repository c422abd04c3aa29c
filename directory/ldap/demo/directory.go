// Package demo is a small LDAP server inside the binary: the directory of the demo company, and the double
// with which the tests show the client what a broken directory looks like (Faults).
// It owns its entries, in memory only. It guarantees the LDAPv3 operations bind, search, compare, add, modify,
// delete and modifyDN, paging (RFC 2696), content sync (RFC 4533) and "who am I", with entryUUID and a
// contextCSN that moves with each write. It checks no schema, and it never listens by itself: the caller
// brings a listener, which belongs on loopback.
package demo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// What an operation may answer. The server maps them to result codes.
var (
	ErrNoSuchEntry = errors.New("no such entry")
	ErrExists      = errors.New("entry exists already")
	ErrNotLeaf     = errors.New("entry has children")
	ErrBadName     = errors.New("not a distinguished name")
	ErrNoSuchValue = errors.New("no such attribute or value")
	ErrValueExists = errors.New("attribute value exists already")
	ErrOperational = errors.New("no user modification allowed")
)

// Entry is one object. Attribute names keep the case they were given in; they are compared without case.
type Entry struct {
	DN         string
	Attributes map[string][]string
}

// Values answers the values of an attribute, whatever the case of its name.
func (e Entry) Values(name string) []string {
	for key, values := range e.Attributes {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}

// Change is what OnChange and content sync see: Before has no DN for an added entry, After none for a deleted.
type Change struct{ Before, After Entry }

// record is an entry at one moment. It is never altered once it is in the tree, so that a search may read it without the lock.
type record struct {
	Entry
	uuid, csn, created string
	seq                int // order of adding; a page never changes its place
	usn                int // the write that made it
}

// Directory is the tree. Its methods may be called from any goroutine.
type Directory struct {
	// OnChange, where set before use, is called after each write, in order, under the directory's lock.
	OnChange func(Change)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Look is which server it looks like; to be set before use.
	Look Look

	suffix, bindDN, password string

	mu       sync.Mutex
	entries  map[string]*record // by folded DN
	order    int
	lastCSN  time.Time
	watchers map[*watcher]struct{}
	faults   Faults
	writes   int         // how many there were: the number of the newest update
	log      []happening // all writes, where the look is Active Directory's
}

// New makes a directory with the one entry suffix. bindDN with password may read and write all.
func New(suffix, bindDN, password string) *Directory {
	d := &Directory{suffix: suffix, bindDN: bindDN, password: password, entries: map[string]*record{}, watchers: map[*watcher]struct{}{}}
	attrs := map[string][]string{"objectClass": {"top", "domain"}}
	if rdn := splitDN(suffix); len(rdn) > 0 {
		name, value, _ := strings.Cut(rdn[0], "=")
		attrs[name] = []string{unescape(value)}
	}
	d.put(nil, &record{Entry: Entry{DN: suffix, Attributes: attrs}, uuid: newUUID()})
	return d
}

// Suffix is the name of the topmost entry.
func (d *Directory) Suffix() string { return d.suffix }

// BindDN is the name with which everything may be read and written.
func (d *Directory) BindDN() string { return d.bindDN }

// ContextCSN names the newest state; it moves with each write.
func (d *Directory) ContextCSN() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return formatCSN(d.lastCSN)
}

// Len counts the entries.
func (d *Directory) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries)
}

// Get answers a copy of one entry, or ErrNoSuchEntry.
func (d *Directory) Get(dn string) (Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.entries[fold(dn)]
	if !ok {
		return Entry{}, fmt.Errorf("%s: %w", dn, ErrNoSuchEntry)
	}
	return r.clone().Entry, nil
}

// Add puts entries in, parents first. An attribute entryUUID is kept as the entry's immutable id, so that a
// seeded directory looks the same after each start; without one a fresh id is made.
func (d *Directory) Add(entries ...Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range entries {
		rdns := splitDN(e.DN)
		if !valid(e.DN) {
			return fmt.Errorf("add %q: %w", e.DN, ErrBadName)
		}
		if _, ok := d.entries[fold(e.DN)]; ok {
			return fmt.Errorf("add %s: %w", e.DN, ErrExists)
		}
		if _, ok := d.entries[fold(strings.Join(rdns[1:], ","))]; !ok {
			return fmt.Errorf("add %s: parent: %w", e.DN, ErrNoSuchEntry)
		}
		r := (&record{Entry: e, uuid: newUUID()}).clone()
		for key, values := range r.Attributes {
			if strings.EqualFold(key, "entryUUID") && len(values) == 1 {
				if _, err := parseUUID(values[0]); err != nil {
					return fmt.Errorf("add %s: %w", e.DN, err)
				}
				r.uuid = strings.ToLower(values[0])
				delete(r.Attributes, key)
			}
		}
		name, value, _ := strings.Cut(rdns[0], "=")
		addValue(r.Attributes, name, unescape(value))
		d.put(nil, r)
	}
	return nil
}

// ModKind tells what a Mod does.
type ModKind int

// The kinds, by their numbers in RFC 4511 section 4.6.
const (
	ModAdd     ModKind = 0
	ModDelete  ModKind = 1
	ModReplace ModKind = 2
)

// Mod is one change of one attribute.
type Mod struct {
	Kind   ModKind
	Name   string
	Values []string
}

// Modify alters one entry: all mods or none.
func (d *Directory) Modify(dn string, mods ...Mod) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, ok := d.entries[fold(dn)]
	if !ok {
		return fmt.Errorf("modify %s: %w", dn, ErrNoSuchEntry)
	}
	r := old.clone()
	for _, m := range mods {
		if operational(m.Name) {
			return fmt.Errorf("modify %s: %s: %w", dn, m.Name, ErrOperational)
		}
		if err := m.apply(r.Attributes); err != nil {
			return fmt.Errorf("modify %s: %s: %w", dn, m.Name, err)
		}
	}
	d.put(old, r)
	return nil
}

func (m Mod) apply(attrs map[string][]string) error {
	key := m.Name
	for k := range attrs {
		if strings.EqualFold(k, m.Name) {
			key = k
		}
	}
	switch have := attrs[key]; m.Kind {
	case ModAdd:
		for _, v := range m.Values {
			if slices.Contains(attrs[key], v) {
				return ErrValueExists
			}
			attrs[key] = append(attrs[key], v)
		}
	case ModDelete:
		if len(have) == 0 {
			return ErrNoSuchValue
		}
		for _, v := range m.Values {
			at := slices.IndexFunc(attrs[key], func(x string) bool { return same(x, v) })
			if at < 0 {
				return ErrNoSuchValue
			}
			attrs[key] = slices.Delete(attrs[key], at, at+1)
		}
		if len(m.Values) == 0 || len(attrs[key]) == 0 {
			delete(attrs, key)
		}
	case ModReplace:
		delete(attrs, key)
		if len(m.Values) > 0 {
			attrs[key] = slices.Clone(m.Values)
		}
	default:
		return fmt.Errorf("kind %d: %w", m.Kind, errors.ErrUnsupported)
	}
	return nil
}

// Delete removes one entry without children.
func (d *Directory) Delete(dn string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, ok := d.entries[fold(dn)]
	if !ok {
		return fmt.Errorf("delete %s: %w", dn, ErrNoSuchEntry)
	}
	for key := range d.entries {
		if key != fold(dn) && within(key, fold(dn)) {
			return fmt.Errorf("delete %s: %w", dn, ErrNotLeaf)
		}
	}
	d.put(old, nil)
	return nil
}

// Move renames an entry, with everything beneath it; an empty parent keeps the parent. As in other servers
// only the entry itself gets a new CSN, and no reference to it is altered.
func (d *Directory) Move(dn, newRDN string, dropOld bool, parent string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, ok := d.entries[fold(dn)]
	rdns, fresh := splitDN(dn), splitDN(newRDN)
	if !ok || len(rdns) == 0 {
		return fmt.Errorf("move %s: %w", dn, ErrNoSuchEntry)
	}
	if len(fresh) != 1 || !valid(newRDN) || parent != "" && !valid(parent) {
		return fmt.Errorf("move %s to %q: %w", dn, newRDN, ErrBadName)
	}
	if parent == "" {
		parent = strings.Join(rdns[1:], ",")
	}
	if _, ok := d.entries[fold(parent)]; !ok || within(fold(parent), fold(dn)) {
		return fmt.Errorf("move %s: new parent: %w", dn, ErrNoSuchEntry)
	}
	target := newRDN + "," + parent
	if at, ok := d.entries[fold(target)]; ok && at != old {
		return fmt.Errorf("move %s: %w", dn, ErrExists)
	}
	r := old.clone()
	r.DN = target
	if name, value, _ := strings.Cut(rdns[0], "="); dropOld {
		_ = Mod{Kind: ModDelete, Name: name, Values: []string{unescape(value)}}.apply(r.Attributes) // its absence is what is wanted
	}
	name, value, _ := strings.Cut(newRDN, "=")
	addValue(r.Attributes, name, unescape(value))
	for key, child := range maps.Clone(d.entries) { // the children's names follow, silently
		if key != fold(dn) && within(key, fold(dn)) {
			moved, parts := child.clone(), splitDN(child.DN)
			moved.DN = strings.Join(parts[:len(parts)-len(rdns)], ",") + "," + target
			delete(d.entries, key)
			d.entries[fold(moved.DN)] = moved
		}
	}
	d.put(old, r)
	return nil
}

// put replaces before by after in the tree, stamps it and tells who watches. The lock is held.
func (d *Directory) put(before, after *record) {
	now := time.Now()
	if d.Now != nil {
		now = d.Now()
	}
	now = now.UTC().Truncate(time.Microsecond)
	if !now.After(d.lastCSN) {
		now = d.lastCSN.Add(time.Microsecond)
	}
	d.lastCSN = now
	d.writes++
	var change Change
	if before != nil {
		change.Before = before.Entry
		delete(d.entries, fold(before.DN))
	}
	if after != nil {
		change.After = after.Entry
		after.csn, after.usn = formatCSN(now), d.writes
		if before == nil {
			d.order++
			after.seq, after.created = d.order, now.Format(generalized)
		}
		d.entries[fold(after.DN)] = after
	}
	if d.Look == LookAD {
		d.log = append(d.log, happening{before, after, formatCSN(now), d.writes})
	}
	for w := range d.watchers {
		w.offer(before, after, formatCSN(now))
	}
	if d.OnChange != nil {
		d.OnChange(change)
	}
}

func (r *record) clone() *record {
	c := *r
	c.Attributes = maps.Clone(r.Attributes)
	if c.Attributes == nil {
		c.Attributes = map[string][]string{}
	}
	for k, v := range c.Attributes {
		c.Attributes[k] = slices.Clone(v)
	}
	return &c
}

func addValue(attrs map[string][]string, name, value string) {
	_ = Mod{Kind: ModAdd, Name: name, Values: []string{value}}.apply(attrs) // a value that stands already is fine
}

const generalized = "20060102150405Z"

func formatCSN(t time.Time) string { return t.Format("20060102150405.000000Z") + "#000000#001#000000" }
