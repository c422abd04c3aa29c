package demo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

const (
	scopeBase = 0
	scopeOne  = 1
	scopeSub  = 2
)

// query is a search request (RFC 4511 section 4.5.1).
type query struct {
	base      string
	scope     int64
	sizeLimit int64
	typesOnly bool
	filter    *ber.Packet
	wanted    []string
}

func readQuery(op *ber.Packet) *query {
	return &query{
		base: text(child(op, 0)), scope: number(child(op, 1)), sizeLimit: number(child(op, 3)),
		typesOnly: number(child(op, 5)) != 0, filter: child(op, 6), wanted: texts(child(op, 7)),
	}
}

// page is what is left of a paged search (RFC 2696).
type page struct {
	rest []*record
	sent int
	no   int
}

var errCut = errors.New("the fault wants this connection closed")

func (c *conn) search(ctx context.Context, id int64, op *ber.Packet, ctl map[string]control) error {
	q := readQuery(op)
	if q.scope == scopeBase && q.base == "" {
		return c.rootDSE(id, q)
	}
	if c.bound == "" {
		return c.result(id, opDone, insufficient, "bind first")
	}
	f := c.d.faultsFor(q)
	switch {
	case f.Referral != "":
		return c.result(id, opDone, referral, "", group(ber.ClassContext, 3, octets(f.Referral)))
	case f.Code != 0:
		return c.result(id, opDone, f.Code, "as the fault wants it")
	}
	if s, ok := ctl[oidSync]; ok {
		return c.startSync(ctx, id, q, s)
	}
	if s, ok := ctl[oidDirSync]; ok {
		_, extended := ctl[oidExtendedDN]
		return c.dirSync(id, q, f, s, extended)
	}
	if _, ok := ctl[oidNotify]; ok {
		return c.startNotify(ctx, id, f)
	}
	paging, paged := ctl[oidPaging]
	if paged = paged && !f.NoPaging; !paged {
		found, err := c.d.find(q)
		if err != nil {
			return c.result(id, opDone, noSuchObject, err.Error())
		}
		if f.MaxPage > 0 && len(found) > f.MaxPage {
			f.SizeLimit = f.MaxPage
		}
		return c.answer(ctx, id, q, f, page{rest: found, no: 1}, len(found), nil)
	}
	cookie, size := text(child(paging.value, 1)), int(number(child(paging.value, 0)))
	if f.RefusePage > 0 && size > f.RefusePage {
		return c.result(id, opDone, unwilling, "the page is too large")
	}
	at, ok := c.pages[cookie]
	delete(c.pages, cookie)
	if cookie == "" {
		found, err := c.d.find(q)
		if err != nil {
			return c.result(id, opDone, noSuchObject, err.Error())
		}
		at, ok = page{rest: found}, true
	}
	if !ok {
		return c.result(id, opDone, unwilling, "paging cookie is not known")
	}
	if size <= 0 { // RFC 2696 section 3: size 0 with a cookie abandons the search
		return c.send(id, resultOf(opDone, success, ""), pagingControl(0, ""))
	}
	if f.MaxPage > 0 {
		size = min(size, f.MaxPage)
	}
	at.no++
	return c.answer(ctx, id, q, f, at, size, func(left page) *ber.Packet {
		if len(left.rest) == 0 {
			return pagingControl(0, "")
		}
		c.pageNo++
		next := "page-" + strconv.Itoa(c.pageNo)
		c.pages[next] = left
		return pagingControl(len(left.rest), next)
	})
}

func pagingControl(estimate int, cookie string) *ber.Packet {
	return controlOf(oidPaging, sequence(integer(int64(estimate)), octets(cookie)))
}

// answer sends up to size entries and the end of the search, with whatever is broken about it.
func (c *conn) answer(ctx context.Context, id int64, q *query, f Faults, at page, size int, next func(page) *ber.Packet) error {
	if f.Empty {
		at.rest = nil
	}
	if f.Partial > 0 && next != nil {
		at.rest = at.rest[:min(len(at.rest), max(f.Partial-at.sent, 0))]
	}
	size = min(size, len(at.rest))
	for i, r := range at.rest[:size] {
		switch {
		case f.DropAfter > 0 && at.sent >= f.DropAfter, f.ClosePage == at.no && i >= size/2:
			return errCut
		case f.SilentAfter > 0 && at.sent >= f.SilentAfter:
			<-ctx.Done()
			return ctx.Err()
		case f.SizeLimit > 0 && at.sent >= f.SizeLimit, q.sizeLimit > 0 && int64(at.sent) >= q.sizeLimit:
			return c.result(id, opDone, sizeLimitExceeded, "size limit exceeded")
		}
		if err := c.send(id, c.d.present(r, q, f)); err != nil {
			return err
		}
		at.sent++
	}
	if f.Reference != "" {
		if err := c.send(id, group(ber.ClassApplication, opReference, octets(f.Reference))); err != nil {
			return err
		}
	}
	if next == nil {
		return c.result(id, opDone, success, "")
	}
	at.rest = at.rest[size:]
	return c.send(id, resultOf(opDone, success, ""), next(at))
}

// find answers the entries that match, in the order of their adding.
func (d *Directory) find(q *query) ([]*record, error) {
	all, err := d.scope(q)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r *record) bool { return !d.matches(r, q) }), nil
}

// scope answers what lies under base; the filter is evaluated without the lock.
func (d *Directory) scope(q *query) ([]*record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	base := d.named(q.base)
	if _, ok := d.entries[base]; !ok {
		return nil, ErrNoSuchEntry
	}
	var found []*record
	for key, r := range d.entries {
		if inScope(key, base, q.scope) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
	return found, nil
}

// named folds the name of a base; Active Directory takes <GUID=…> as well. mu is held.
func (d *Directory) named(base string) string {
	if id, ok := strings.CutPrefix(base, "<GUID="); ok && d.Look == LookAD {
		for key, r := range d.entries {
			if r.uuid == strings.TrimSuffix(id, ">") {
				return key
			}
		}
	}
	return fold(base)
}

// inScope tells whether an entry lies under base; both are folded.
func inScope(folded, base string, scope int64) bool {
	switch scope {
	case scopeBase:
		return folded == base
	case scopeOne:
		_, parent, _ := cutDN(folded)
		return folded != base && parent == base
	}
	return within(folded, base)
}

func cutDN(dn string) (rdn, parent string, ok bool) {
	parts := splitDN(dn)
	if len(parts) == 0 {
		return "", "", false
	}
	return parts[0], strings.Join(parts[1:], ","), true
}

func (d *Directory) matches(r *record, q *query) bool {
	return match(q.filter, func(name string) []string {
		if strings.EqualFold(name, "userPassword") {
			return nil
		}
		if v := r.Values(name); v != nil {
			return v
		}
		for _, a := range d.operational(r) {
			if strings.EqualFold(a.name, name) {
				return a.values
			}
		}
		return nil
	}, 0) == yes
}

type attribute struct {
	name   string
	values []string
}

func (d *Directory) operational(r *record) []attribute {
	out := []attribute{
		{"entryUUID", []string{r.uuid}}, {"entryCSN", []string{r.csn}}, {"entryDN", []string{r.DN}},
		{"createTimestamp", []string{r.created}}, {"modifyTimestamp", []string{r.csn[:14] + "Z"}},
		{"subschemaSubentry", []string{"cn=Subschema"}},
	}
	switch {
	case d.Look == LookAD:
		return r.identity()
	case d.Look == LookPlain:
		return out
	case r.DN == d.suffix:
		out = append(out, attribute{"contextCSN", []string{d.ContextCSN()}})
	}
	return out
}

// present makes a SearchResultEntry with the attributes that were asked for, never a password.
func (d *Directory) present(r *record, q *query, f Faults) *ber.Packet {
	list := sequence()
	user := make([]attribute, 0, len(r.Attributes))
	for name, values := range r.Attributes {
		user = append(user, attribute{name, values})
	}
	slices.SortFunc(user, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	shown := append(user, d.operational(r)...)
	if _, ok := q.wants("memberOf", true); ok && d.Look == LookAD {
		shown = append(shown, attribute{"memberOf", d.groupsOf(r)})
	}
	for i, a := range shown {
		from, ok := q.wants(a.name, i >= len(user))
		if !ok || strings.EqualFold(a.name, "userPassword") || a.name == "entryUUID" && f.NoIDs {
			continue
		}
		if a.name == "entryUUID" && f.SameIDs {
			a.values = []string{"00000000-0000-4000-8000-000000000000"}
		}
		if f.MaxValues > 0 && len(a.values) > f.MaxValues { // [MS-ADTS] 3.1.1.3.1.3.3: range retrieval
			from = min(from, len(a.values)-1)
			to := min(from+f.MaxValues, len(a.values))
			last := strconv.Itoa(to - 1)
			if to == len(a.values) {
				last = "*"
			}
			a.name, a.values = a.name+";range="+strconv.Itoa(from)+"-"+last, a.values[from:to]
		}
		set := group(ber.ClassUniversal, ber.TagSet)
		for _, v := range a.values {
			if !q.typesOnly {
				set.AppendChild(octets(v))
			}
		}
		list.AppendChild(sequence(octets(a.name), set))
	}
	return group(ber.ClassApplication, opEntry, octets(r.DN), list)
}

// wants tells whether an attribute was asked for, and from which value on (RFC 4511 section 4.5.1.8).
func (q *query) wants(name string, operational bool) (from int, ok bool) {
	if len(q.wanted) == 0 {
		return 0, !operational
	}
	for _, w := range q.wanted {
		w, span, _ := strings.Cut(w, ";range=")
		switch {
		case w == "*" && !operational, w == "+" && operational:
			return 0, true
		case strings.EqualFold(w, name):
			first, _, _ := strings.Cut(span, "-")
			from, _ = strconv.Atoi(first)
			return max(from, 0), true
		}
	}
	return 0, false
}

func (c *conn) rootDSE(id int64, q *query) error {
	r := &record{Entry: Entry{Attributes: map[string][]string{"objectClass": {"top"}}}, csn: c.d.ContextCSN()}
	list := sequence()
	for _, a := range c.d.root() {
		if _, ok := q.wants(a.name, a.name != "objectClass"); !ok {
			continue
		}
		set := group(ber.ClassUniversal, ber.TagSet)
		for _, v := range a.values {
			set.AppendChild(octets(v))
		}
		list.AppendChild(sequence(octets(a.name), set))
	}
	if match(q.filter, func(name string) []string { return r.Values(name) }, 0) == yes {
		if err := c.send(id, group(ber.ClassApplication, opEntry, octets(""), list)); err != nil {
			return err
		}
	}
	return c.result(id, opDone, success, "")
}
