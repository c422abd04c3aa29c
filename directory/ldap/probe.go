package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Probe implements Reader.
func (cl *Client) Probe(ctx context.Context) (caps Capabilities, findings []Finding, err error) {
	find := func(severity Severity, code, format string, args ...any) {
		findings = append(findings, Finding{Severity: severity, Code: code, Text: fmt.Sprintf(format, args...)})
	}
	defer func() {
		if err != nil { // where nothing can be read the mark is the least
			findings = slices.DeleteFunc(findings, func(f Finding) bool { return f.Code == "no_position" })
			find(Error, codeOf(err), "%v", err)
		}
	}()
	c, err := cl.dial(ctx)
	if err != nil {
		return caps, nil, err
	}
	defer c.close()
	cl.judgeOthers(ctx, c, find)
	caps = Capabilities{Vendor: c.root.vendor, IDAttribute: c.idAttribute(), TLS: "none", Paging: c.root.paging, ContentSync: c.root.contentSync, Sample: map[Class]int{}}
	if t, ok := c.wire.(*tls.Conn); ok {
		caps.TLS = tls.VersionName(t.ConnectionState().Version)
	} else {
		find(Warning, "plain", "the connection is not encrypted; that is for trying out on one machine")
	}
	if !c.root.paging {
		find(Error, "no_paging", "the server does not announce paging: no reading can be proved complete, so nobody would ever be found absent")
	}
	began := time.Now()
	if caps.Position, err = c.position(ctx); err != nil {
		return caps, findings, err
	}
	if caps.Latency = time.Since(began); caps.Position == "" {
		find(Warning, "no_position", "the account reads no freshness mark (contextCSN, highestCommittedUSN, lastChangeNumber): changes are seen at the interval of full syncs only")
	}
	pages, err := c.fit(ctx)
	if err != nil {
		return caps, findings, err
	}
	caps.PageSize = pages.size
	for _, class := range allClasses {
		req := request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: c.filter(class), attrs: c.p.attributes(class, caps.IDAttribute), pageSize: pages.size}
		page, err := c.ask(ctx, req)
		if limitOf(err) == nil && err != nil { // else what the limit lets through is looked at; the count says where it ends
			return caps, findings, explain("search "+c.p.Base, err, c.p.Password)
		}
		page.limited = limitOf(err) != nil
		caps.Sample[class] = len(page.entries)
		c.judge(class, page, find)
	}
	if err := c.judgeSentinel(ctx, find); err != nil {
		return caps, findings, err
	}
	if err := c.judgeLockout(ctx, find); err != nil {
		return caps, findings, err
	}
	if err := c.judgeClock(ctx, caps.Position, time.Now(), find); err != nil {
		return caps, findings, err
	}
	if err := c.judgeSync(ctx, find); err != nil {
		return caps, findings, err
	}
	if err := c.count(ctx, &caps, find); err != nil {
		return caps, findings, err
	}
	if size := pages.size; size < c.p.PageSize && (pages.cut == 0 || !caps.Part[ClassPerson]) { // else smaller pages end at the same limit
		find(Error, "page_size", "the server does not give pages of %d entries (%s): set page_size to %d, the most that it gives", c.p.PageSize, strings.ToLower(goldap.LDAPResultCodeMap[pages.code]), size)
	}
	return caps, findings, cl.judgeFollowing(ctx, c, find)
}

// judgeOthers looks whether the other servers of the list could be asked, too.
func (cl *Client) judgeOthers(ctx context.Context, c *conn, find func(Severity, string, string, ...any)) {
	for _, at := range cl.p.servers {
		if at == c.at || ctx.Err() != nil {
			continue
		}
		other, err := dial(ctx, cl.p, at)
		if err != nil {
			find(Warning, "server_failed", "%s of the list cannot be asked, %s can: %v", at.address, c.at.address, err)
			continue
		}
		other.close()
	}
}

// judgeSentinel looks for the entry that must be there.
func (c *conn) judgeSentinel(ctx context.Context, find func(Severity, string, string, ...any)) error {
	if c.p.Sentinel == "" {
		return nil
	}
	page, err := c.search(ctx, request{base: c.p.Sentinel, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"1.1"}})
	if c.dead {
		return err
	}
	if err != nil || len(page.entries) != 1 {
		find(Error, "no_sentinel", "the sentinel entry %s is not there, or the account may not read it: no reading would be believed", c.p.Sentinel)
	}
	return nil
}

// judge looks at the first page of a class.
func (c *conn) judge(class Class, p page, find func(Severity, string, string, ...any)) {
	var noID, noLogin, noMember int
	for _, e := range p.entries {
		o := Object{Class: class, DN: e.dn, Attrs: e.attrs}
		if key(e, c.idAttribute()) == "" {
			noID++
		}
		if o.first(c.p.fields["user_name"]) == "" {
			noLogin++
		}
		if len(e.attrs["member"])+len(e.attrs["uniquemember"])+len(e.attrs["memberuid"]) == 0 && e.attrs["member;range=0-1499"] == nil {
			noMember++
		}
	}
	if class == ClassPerson {
		c.judgeMapping(p, find)
	}
	switch n := len(p.entries); {
	case noID > 0:
		find(Error, "no_id", "%d of %d entries (%s) show no %s: the account may not read it, or id_attribute is wrong", noID, n, class, c.idAttribute())
	case n == 0 && p.limited: // the count says so
	case n == 0 && class == ClassPerson:
		find(Error, "no_people", "no person was found with %s below %s", c.filter(class), c.p.Base)
	case n == 0:
		find(Info, "no_"+string(class), "no entry was found with %s", c.filter(class))
	case class == ClassPerson && noLogin > 0:
		find(Warning, "no_login", "%d of %d people have no login: look at mapping.user_name", noLogin, n)
	case class == ClassGroup && noMember == n:
		find(Warning, "members_hidden", "no group shows a member: may the account read them?")
	}
	if p.references > 0 {
		find(Warning, "reference", "the server points to another server for a part of the tree; that part is not read")
	}
	if !p.paged && !p.limited {
		find(Error, "no_paging", "the server ignored the paging control (%s)", class)
	}
}

// judgeMapping counts who has what the configuration says attributes are read from, among the people of a page.
func (c *conn) judgeMapping(p page, find func(Severity, string, string, ...any)) {
	n := len(p.entries)
	if n == 0 {
		return
	}
	own := map[string][]string{}
	for field := range c.p.Mapping {
		own["mapping."+field] = c.p.fields[field]
	}
	for label, name := range c.p.labels {
		own["labels."+label] = []string{name}
	}
	var missing, seen []string
	for _, key := range slices.Sorted(maps.Keys(own)) {
		var counts []string
		any := false
		for _, name := range own[key] {
			have := 0
			for _, e := range p.entries {
				if (Object{DN: e.dn, Attrs: e.attrs}).value(name) != "" {
					have++
				}
			}
			any = any || have > 0
			counts = append(counts, fmt.Sprintf("%s %d of %d", name, have, n))
		}
		switch said := key + ": " + strings.Join(counts, ", "); {
		case len(counts) == 0: // said to be read from nothing
		case any:
			seen = append(seen, said)
		default:
			missing = append(missing, said)
		}
	}
	if len(missing) > 0 {
		find(Warning, "unmapped", "nobody who was looked at has what these are read from (is the name right, and may the account read it?): %s", strings.Join(missing, "; "))
	}
	if len(seen) > 0 {
		find(Info, "mapped", "who was looked at and has what these are read from: %s", strings.Join(seen, "; "))
	}
}

// codeOf names an error for machines.
func codeOf(err error) string {
	for _, row := range []struct {
		err  error
		code string
	}{{ErrConfig, "config"}, {ErrUnreachable, "unreachable"}, {ErrTimeout, "timeout"}, {ErrTLS, "tls"}, {ErrLogin, "login"}, {ErrClosed, "closed"},
		{ErrReborn, "reborn"}, {ErrImplausible, "implausible"}, {ErrIncomplete, "incomplete"}} {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	return "server"
}
