package ldap

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// This file follows Active Directory. What changed is learned by DirSync ([MS-ADTS] section 3.1.1.3.4.1.3), or, without the right
// for it, by the numbers of updates of one domain controller; then what changed is read again, so that no delta is ever merged.
// Only members that joined or left a group are taken from the delta: one member of a large group is one message.

const (
	oidDirSync     = "1.2.840.113556.1.4.841"
	oidNotify      = "1.2.840.113556.1.4.528"
	oidShowDeleted = "1.2.840.113556.1.4.417"
	oidExtendedDN  = "1.2.840.113556.1.4.529" // names come with the objectGUID before them

	// incrementalValues is LDAP_DIRSYNC_INCREMENTAL_VALUES, 0x80000000, as the 32 bits with a sign that Windows reads.
	incrementalValues = math.MinInt32
	dirSyncBytes      = 1 << 20 // of one answer
)

// The ways in which a domain is followed.
const (
	byDirSync = "dirsync"
	byUSN     = "usn"
)

// domainCookie is how far a domain was followed.
type domainCookie struct {
	Way    string `json:"way"`
	Cookie []byte `json:"cookie,omitempty"` // of DirSync; every domain controller takes it
	USN    int64  `json:"usn,omitempty"`    // told up to here, by
	Server string `json:"server,omitempty"` // this domain controller
}

// domain is Active Directory, asked.
type domain struct {
	cl   *Client
	c    *conn
	root string // the naming context that holds the base: DirSync takes no other base
	base string // folded
	at   domainCookie

	looked, hidden bool // whether deletions are shown: found out once, because a large domain is searched for it
}

func newDomain(cl *Client, c *conn) (*domain, error) {
	d := &domain{cl: cl, c: c, base: fold(c.p.Base)}
	for _, suffix := range c.root.contexts {
		if under, err := parsedWithin(suffix, c.p.base); err == nil && under && len(suffix) > len(d.root) {
			d.root = suffix
		}
	}
	if d.root == "" || c.idAttribute() != "objectguid" {
		return nil, fmt.Errorf("%w: it tells objectGUID alone of what is gone, below its naming contexts %q", ErrNoStream, c.root.contexts)
	}
	return d, nil
}

func (d *domain) cookie() string {
	raw, err := json.Marshal(d.at)
	if err != nil {
		return ""
	}
	return string(raw)
}

func (d *domain) resume(_ context.Context, cookie string) error {
	var at domainCookie
	if err := json.Unmarshal([]byte(cookie), &at); err != nil || at.Way != byDirSync && at.Way != byUSN {
		return fmt.Errorf("%w: it is not of a domain", ErrCursorLost)
	}
	d.at = at
	return nil
}

func (d *domain) begin(ctx context.Context) (string, error) {
	cookie, err := d.fresh(ctx)
	if err == nil {
		d.at.Way, d.at.Cookie = byDirSync, cookie
		return d.cookie(), nil
	}
	if !refused(err) {
		return "", explain("DirSync at "+d.root, err, d.c.p.Password)
	}
	d.at.Way = byUSN
	d.at.USN, d.at.Server, err = d.numbers(ctx)
	return d.cookie(), err
}

// refused tells whether err is an answer of the server, and not a passing one.
func refused(err error) bool {
	var answer *goldap.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.ResultCode {
	case goldap.LDAPResultBusy, goldap.LDAPResultUnavailable, goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded:
		return false
	}
	return true
}

// fresh answers the cookie of now: the filter lets through one entry, so that nothing but the cookie comes back.
func (d *domain) fresh(ctx context.Context) (cookie []byte, err error) {
	for range maxPages {
		p, err := d.delta(ctx, cookie, "(objectClass=domainDNS)", []string{"objectGUID"})
		if err != nil {
			return nil, err
		}
		if cookie = p.cookie; !p.more {
			return cookie, nil
		}
	}
	return nil, errMalformed
}

// delta is one answer to DirSync.
type delta struct {
	entries []entry
	cookie  []byte
	more    bool
}

func (d *domain) delta(ctx context.Context, cookie []byte, filter string, attrs []string) (delta, error) {
	value := ber.NewSequence("")
	for _, n := range []int64{incrementalValues, dirSyncBytes} {
		value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, ""))
	}
	value.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, string(cookie)))
	p, err := d.c.ask(ctx, request{base: d.root, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: attrs, controls: []*ber.Packet{critical(oidDirSync, value), critical(oidExtendedDN, nil)}})
	if err != nil {
		return delta{}, err
	}
	raw, found, err := findControl(p.controls, oidDirSync)
	if err == nil && !found {
		err = fmt.Errorf("%w: an answer without the DirSync control", errMalformed)
	}
	if err != nil {
		return delta{}, err
	}
	for i := range p.entries {
		p.entries[i].dn, _ = extendedDN(p.entries[i].dn)
	}
	return parseDelta(p.entries, raw)
}

func parseDelta(entries []entry, raw []byte) (delta, error) {
	out := delta{entries: entries}
	inner, _, err := want(raw, tagSequence)
	if err != nil {
		return out, err
	}
	flags, inner, err := want(inner, 0x02)
	if err != nil {
		return out, err
	}
	more, err := number(flags)
	if err != nil {
		return out, err
	}
	if _, inner, err = want(inner, 0x02); err != nil {
		return out, err
	}
	cookie, _, err := want(inner, tagOctets)
	out.cookie, out.more = slices.Clone(cookie), more != 0
	return out, err
}

// branches asks for what others stand below: when such an entry moves, it alone is told.
func (d *domain) branches() string {
	return "(|" + d.c.filter(ClassUnit) + "(objectClass=organizationalUnit)(objectClass=container))"
}

func (d *domain) filter() string { return "(|" + d.c.anyClass() + d.branches() + ")" }

func (d *domain) step(ctx context.Context, tell func([]Change, string) error) error {
	if d.at.Way == byUSN {
		return d.stepUSN(ctx, tell)
	}
	for range maxPages {
		p, err := d.delta(ctx, d.at.Cookie, d.filter(), append(d.c.allAttributes(), "name" /* told of a move, too */, "isdeleted"))
		if err != nil {
			return d.lost(ctx, err)
		}
		changes, err := d.changes(ctx, p.entries)
		if err != nil {
			return err
		}
		d.at.Cookie = p.cookie
		if err := tell(changes, d.cookie()); err != nil {
			return err
		}
		if !p.more {
			return nil
		}
	}
	return fmt.Errorf("%w: DirSync has no end", ErrServer)
}

// lost finds out whether it is the cookie that the server did not like.
func (d *domain) lost(ctx context.Context, err error) error {
	if refused(err) {
		if _, now := d.fresh(ctx); now == nil || refused(now) {
			return fmt.Errorf("%w: %v", ErrCursorLost, explain("DirSync at "+d.root, err, d.c.p.Password))
		}
	}
	return explain("DirSync at "+d.root, err, d.c.p.Password)
}

// numbers answers how far the domain controller has come, and which one it is.
func (d *domain) numbers(ctx context.Context) (usn int64, server string, err error) {
	p, err := d.c.search(ctx, request{scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"highestCommittedUSN", "dsServiceName"}})
	if err != nil {
		return 0, "", err
	}
	if len(p.entries) == 1 {
		usn, err = strconv.ParseInt(strings.Join(p.entries[0].attrs["highestcommittedusn"], ""), 10, 64)
		server = strings.Join(p.entries[0].attrs["dsservicename"], "")
	}
	if err != nil || usn <= 0 || server == "" {
		return 0, "", fmt.Errorf("%w: it does not show highestCommittedUSN and dsServiceName", ErrNoStream)
	}
	// a domain controller that was restored from a backup counts anew, under another invocationId
	if p, err := d.c.search(ctx, request{base: server, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"invocationId"}}); err == nil && len(p.entries) == 1 {
		server += " " + hex.EncodeToString([]byte(strings.Join(p.entries[0].attrs["invocationid"], "")))
	} else if d.c.dead {
		return 0, "", err
	}
	return usn, server, nil
}

func (d *domain) stepUSN(ctx context.Context, tell func([]Change, string) error) error {
	now, server, err := d.numbers(ctx)
	switch {
	case err != nil:
		return err
	case server != d.at.Server:
		return fmt.Errorf("%w: it is of another domain controller, or of before it was restored", ErrCursorLost)
	case now < d.at.USN:
		return fmt.Errorf("%w: it stands at update %d, and %d was told", ErrBehind, now, d.at.USN)
	case now == d.at.USN:
		return nil
	}
	r := request{base: d.root, scope: goldap.ScopeWholeSubtree, filter: fmt.Sprintf("(&(uSNChanged>=%d)(uSNChanged<=%d)%s)", d.at.USN+1, now, d.filter()),
		attrs: []string{"objectGUID", "isDeleted", "name"}, controls: []*ber.Packet{critical(oidShowDeleted, nil)}}
	err = d.c.pages(ctx, r, func(entries []entry) error {
		changes, err := d.changes(ctx, entries)
		if err != nil || len(changes) == 0 {
			return err
		}
		return tell(changes, d.cookie()) // pages are in no order: the number holds at the end
	})
	if err != nil {
		return err
	}
	d.at.USN = now
	return tell(nil, d.cookie())
}

// blind implements asked. CN=Deleted Objects is itself a deleted object: who is not shown it, is shown none.
func (d *domain) blind(ctx context.Context) (bool, error) {
	if d.at.Way == byUSN {
		return true, nil
	}
	if d.looked {
		return d.hidden, nil
	}
	p, err := d.delta(ctx, nil, "(isDeleted=TRUE)", []string{"objectGUID", "isDeleted"})
	if err != nil {
		return true, explain("DirSync at "+d.root, err, d.c.p.Password)
	}
	d.looked, d.hidden = true, len(p.entries) == 0 && !p.more
	return d.hidden, nil
}

// untilFar is longer than any connection stands.
const untilFar = 10 * 365 * 24 * time.Hour

// wake implements asked by the change notification of [MS-ADTS] section 3.1.1.3.4.1.9.
func (d *domain) wake(ctx context.Context, sign chan<- struct{}) error {
	c, err := d.cl.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	op, controls, err := request{base: d.root, scope: goldap.ScopeWholeSubtree, filter: "(objectClass=*)", attrs: []string{"1.1"}, controls: []*ber.Packet{critical(oidNotify, nil)}}.encode()
	if err != nil {
		return err
	}
	c.raw.idle = untilFar
	err = c.guard(ctx, untilFar, func() error {
		if err := c.send(op, controls...); err != nil {
			return err
		}
		for {
			m, err := c.receive()
			switch {
			case err != nil:
				return err
			case m.tag == tagDone:
				return parseResult(m.op)
			}
			select {
			case sign <- struct{}{}:
			default: // there is one waiting already
			}
		}
	})
	var answer *goldap.Error
	if errors.As(err, &answer) {
		return nil // refused: its mark is asked for instead
	}
	return explain("change notification of "+d.root, err, c.p.Password)
}
