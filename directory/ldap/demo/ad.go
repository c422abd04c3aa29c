package demo

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// This file makes the directory look like others, for tests of what the real ones here do not do: Samba pages and cuts values, but
// not as Active Directory does.

// Look is which server a Directory looks like.
type Look int

// The looks.
const (
	LookDemo  Look = iota
	LookAD         // Active Directory: DirSync, change notification, objectGUID, numbers of updates
	LookPlain      // a server that offers paging and modifyTimestamp, and nothing to follow it by
)

const (
	oidDirSync     = "1.2.840.113556.1.4.841"
	oidNotify      = "1.2.840.113556.1.4.528"
	oidShowDeleted = "1.2.840.113556.1.4.417"
	oidExtendedDN  = "1.2.840.113556.1.4.529"
	oidAD          = "1.2.840.113556.1.4.800"
)

// knownControls lists what a server of this look understands.
func (l Look) knownControls() []string {
	switch l {
	case LookAD:
		return []string{oidPaging, oidDirSync, oidNotify, oidShowDeleted, oidExtendedDN}
	case LookPlain:
		return []string{oidPaging}
	}
	return []string{oidPaging, oidSync, oidManageDsaIT}
}

// root answers what the rootDSE says.
func (d *Directory) root() []attribute {
	out := []attribute{
		{"objectClass", []string{"top"}}, {"namingContexts", []string{d.suffix}}, {"supportedLDAPVersion", []string{"3"}},
		{"supportedControl", d.Look.knownControls()}, {"supportedExtension", []string{oidWhoAmI, oidCancel}},
	}
	switch d.Look {
	case LookAD:
		d.mu.Lock()
		defer d.mu.Unlock()
		return append(out, attribute{"supportedCapabilities", []string{oidAD}}, attribute{"highestCommittedUSN", []string{strconv.Itoa(d.writes)}},
			attribute{"dsServiceName", []string{"CN=NTDS Settings,CN=DC1," + d.suffix}})
	case LookPlain:
		return append(out, attribute{"vendorName", []string{"Plain directory"}})
	}
	return append(out, attribute{"contextCSN", []string{d.ContextCSN()}}, attribute{"vendorName", []string{"Rollcall demo directory"}})
}

// identity lists what only Active Directory shows of an entry.
func (r *record) identity() []attribute {
	rdn, _, _ := cutDN(r.DN)
	_, name, _ := strings.Cut(rdn, "=")
	return []attribute{{"objectGUID", []string{r.guid()}}, {"uSNChanged", []string{strconv.Itoa(r.usn)}}, {"distinguishedName", []string{r.DN}}, {"name", []string{unescape(name)}}}
}

// groupsOf names the groups that name an entry as a member.
func (d *Directory) groupsOf(r *record) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, g := range d.entries {
		if slices.ContainsFunc(g.Values("member"), func(dn string) bool { return dn == r.DN }) {
			out = append(out, g.DN)
		}
	}
	return out
}

// guid is the id as Active Directory stores it: the first three groups are little-endian.
func (r *record) guid() string {
	b, err := parseUUID(r.uuid)
	if err != nil {
		return ""
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return string(b)
}

// told is what DirSync tells of one object: its state at the cookie, nil where it was not there, and its last.
type told struct {
	before, after *record
	usn           int
}

// since answers what changed after the update usn, in order, and the newest update.
func (d *Directory) since(usn int) ([]told, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []told
	if usn == 0 {
		for _, r := range d.entries {
			out = append(out, told{after: r, usn: r.usn})
		}
	}
	byID := map[string]int{}
	for _, h := range d.log {
		if usn == 0 || h.usn <= usn {
			continue
		}
		r := cmp.Or(h.after, h.before)
		at, ok := byID[r.uuid]
		if !ok {
			at = len(out)
			byID[r.uuid] = at
			out = append(out, told{before: h.before})
		}
		out[at].after, out[at].usn = h.after, h.usn
		if h.after == nil && out[at].before == nil {
			out[at].before = h.before // it came and went
		}
	}
	slices.SortFunc(out, func(a, b told) int { return cmp.Compare(a.usn, b.usn) })
	return out, d.writes
}

// dirSync answers [MS-ADTS] section 3.1.1.3.4.1.3, with incremental values.
func (c *conn) dirSync(id int64, q *query, f Faults, ctl control, extended bool) error {
	cookie := text(child(ctl.value, 2))
	number, ok := strings.CutPrefix(cookie, "MSDS")
	usn, err := strconv.Atoi(cmp.Or(number, "0"))
	switch {
	case f.NoDirSync:
		return c.result(id, opDone, insufficient, "no right to replicate changes")
	case fold(q.base) != fold(c.d.suffix):
		return c.result(id, opDone, insufficient, "the base is no naming context")
	case cookie != "" && !ok || err != nil:
		return c.result(id, opDone, criticalMissing, "the cookie is not known")
	}
	all, newest := c.d.since(usn)
	sent, more := 0, 0
	for _, t := range all {
		r := cmp.Or(t.after, t.before)
		if !c.d.matches(r, q) || t.after == nil && f.HideDeleted {
			continue
		}
		if f.DirSyncPage > 0 && sent == f.DirSyncPage {
			more = 1
			break
		}
		if f.DropAfter > 0 && sent >= f.DropAfter {
			return errCut
		}
		if err := c.send(id, c.delta(t, q, extended)); err != nil {
			return err
		}
		sent++
		cookie = "MSDS" + strconv.Itoa(t.usn)
	}
	if usn == 0 && !f.HideDeleted && c.d.matches(deletedObjects(), q) {
		if err := c.send(id, group(ber.ClassApplication, opEntry, octets("CN=Deleted Objects,"+c.d.suffix), sequence(attributeOf("objectGUID", deletedObjects().guid()), attributeOf("isDeleted", "TRUE")))); err != nil {
			return err
		}
	}
	if more == 0 {
		cookie = "MSDS" + strconv.Itoa(newest)
	}
	return c.send(id, resultOf(opDone, success, ""), controlOf(oidDirSync, sequence(integer(int64(more)), integer(0), octets(cookie))))
}

// deletedObjects stands for the container of what is deleted, which is itself a deleted object.
func deletedObjects() *record {
	return &record{Entry: Entry{DN: "CN=Deleted Objects", Attributes: map[string][]string{"objectClass": {"container"}, "isDeleted": {"TRUE"}}}, csn: "00000000000000", uuid: deletedID}
}

const deletedID = "18e2ea80-684f-11d2-b9aa-00c04f79f805"

func attributeOf(name string, values ...string) *ber.Packet {
	set := group(ber.ClassUniversal, ber.TagSet)
	for _, v := range values {
		set.AppendChild(octets(v))
	}
	return sequence(octets(name), set)
}

// delta makes the entry of DirSync: what changed and was asked for, always with objectGUID and instanceType.
func (c *conn) delta(t told, q *query, extended bool) *ber.Packet {
	r := cmp.Or(t.after, t.before)
	list := sequence(attributeOf("objectGUID", r.guid()), attributeOf("instanceType", "4"))
	named := func(dn, guid string) *ber.Packet {
		if extended {
			dn = "<GUID=" + hex.EncodeToString([]byte(guid)) + ">;" + dn
		}
		return octets(dn)
	}
	if t.after == nil {
		rdn, _, _ := cutDN(r.DN)
		list.AppendChild(attributeOf("isDeleted", "TRUE"))
		return group(ber.ClassApplication, opEntry, named(rdn+"\\0ADEL:"+r.uuid+",CN=Deleted Objects,"+c.d.suffix, r.guid()), list)
	}
	old := map[string][]string{}
	if t.before != nil {
		old = t.before.Attributes
	}
	if t.before == nil || t.before.DN != r.DN {
		for _, a := range r.identity() {
			if a.name == "name" {
				list.AppendChild(attributeOf(a.name, a.values...))
			}
		}
	}
	names := map[string]bool{}
	maps.Copy(names, keys(old))
	maps.Copy(names, keys(r.Attributes))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, wanted := q.wants(name, false); !wanted || slices.Equal(old[name], r.Attributes[name]) {
			continue
		}
		if !strings.EqualFold(name, "member") {
			list.AppendChild(attributeOf(name, r.Attributes[name]...))
			continue
		}
		for span, values := range map[string][]string{"member;range=1-1": without(r.Attributes[name], old[name]), "member;range=0-0": without(old[name], r.Attributes[name])} {
			set := group(ber.ClassUniversal, ber.TagSet)
			for _, dn := range values {
				set.AppendChild(named(dn, c.d.guidOf(dn)))
			}
			if len(values) > 0 {
				list.AppendChild(sequence(octets(span), set))
			}
		}
	}
	return group(ber.ClassApplication, opEntry, named(r.DN, r.guid()), list)
}

func keys(attrs map[string][]string) map[string]bool {
	out := map[string]bool{}
	for name := range attrs {
		out[name] = true
	}
	return out
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(others, v) })
}

func (d *Directory) guidOf(dn string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.entries[fold(dn)]; ok {
		return r.guid()
	}
	return ""
}

// startNotify sends an entry at each write below the base ([MS-ADTS] section 3.1.1.3.4.1.9), beside the other requests.
func (c *conn) startNotify(ctx context.Context, id int64, f Faults) error {
	if f.NoNotify {
		return c.result(id, opDone, unwilling, "no change notification")
	}
	w := &watcher{queue: make(chan happening, 4096), lost: make(chan struct{})}
	c.d.mu.Lock()
	c.d.watchers[w] = struct{}{}
	c.d.mu.Unlock()
	c.syncs.Go(func() {
		defer c.d.forget(w)
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.lost:
				c.raw.Close()
				return
			case h := <-w.queue:
				if c.send(id, group(ber.ClassApplication, opEntry, octets(cmp.Or(h.after, h.before).DN), sequence())) != nil {
					return
				}
			}
		}
	})
	return nil
}
