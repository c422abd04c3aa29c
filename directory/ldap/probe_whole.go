package ldap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

const (
	countFor = 10 * time.Second // entries are counted, at most
	skewFrom = time.Minute      // of two clocks, from then on it is said
)

// count counts the entries of each class by their ids, page by page: a limit of the account shows only behind the first page, and so does an id that two entries have.
func (c *conn) count(ctx context.Context, caps *Capabilities, find func(Severity, string, string, ...any)) error {
	caps.Counts, caps.Part = map[Class]int{}, map[Class]bool{}
	seen, twice, until := map[string]bool{}, 0, time.Now().Add(countFor)
	for _, class := range allClasses {
		r := request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: c.filter(class), attrs: []string{caps.IDAttribute}, pageSize: caps.PageSize}
		for n := 0; ; {
			p, err := c.ask(ctx, r)
			n += len(p.entries)
			caps.Counts[class] = n
			for _, e := range p.entries {
				if k := key(e, caps.IDAttribute); k != "" {
					if seen[k] {
						twice++
					}
					seen[k] = true
				}
			}
			if limit := limitOf(err); limit != nil {
				caps.Part[class] = true
				what := fmt.Sprintf("limit of %d entries", n)
				if limit.ResultCode != goldap.LDAPResultSizeLimitExceeded {
					what = strings.ToLower(goldap.LDAPResultCodeMap[limit.ResultCode])
				}
				if n == 0 {
					find(Error, "limited", "the server gives no page of %d entries (%s), nor a smaller one: %s. Lower page_size, or lift the size and time limits of the account", c.p.PageSize, class, what)
					break
				}
				find(Error, "limited", "at least %d entries (%s), no more are shown: the server's %s ends the list. Lift the size and time limits of the account, or nobody would ever be found absent", n, class, what)
				break
			}
			if err != nil {
				return explain("count "+string(class), err, c.p.Password)
			}
			if !p.paged || p.cookie == "" {
				break
			}
			if r.cookie = p.cookie; time.Now().After(until) {
				caps.Part[class] = true
				find(Info, "counted_part", "%d entries (%s) and more: they were counted for %v only", n, class, countFor)
				break
			}
		}
	}
	if twice > 0 {
		find(Error, "id_twice", "%d entries have the %s of another entry: it does not identify people, so no reading would be believed", twice, caps.IDAttribute)
	}
	return nil
}

// fit is how large the pages are that a server gives.
type fit struct {
	size int    // that of the configuration, or the largest that the server gives
	code uint16 // its answer to a larger one
	cut  int    // entries that came with it
}

// fit finds out how large a page of people may be.
func (c *conn) fit(ctx context.Context) (fit, error) {
	out := fit{size: c.p.PageSize}
	ask := func(size int) (n int, refused *goldap.Error, err error) {
		p, err := c.ask(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: c.filter(ClassPerson), attrs: []string{c.idAttribute()}, pageSize: size})
		if refused = limitOf(err); refused == nil && errors.As(err, &refused) && refused.ResultCode != goldap.LDAPResultUnwillingToPerform {
			refused = nil
		}
		if refused != nil {
			err = nil
		}
		return len(p.entries), refused, explain("search "+c.p.Base, err, c.p.Password)
	}
	n, refused, err := ask(out.size)
	if refused == nil {
		return out, err
	}
	out.code, out.cut = refused.ResultCode, n
	given, least := 0, out.size // given is, and least is not
	for least-given > 1 {
		size := (given + least) / 2
		_, refused, err := ask(size)
		switch {
		case err != nil:
			return out, err
		case refused == nil:
			given = size
		default:
			least = size
		}
	}
	if given > 0 {
		out.size = given
	}
	return out, nil
}

// limitOf answers the limit of the server that ended a list, where an error is one.
func limitOf(err error) *goldap.Error {
	var answer *goldap.Error
	if errors.As(err, &answer) {
		switch answer.ResultCode {
		case goldap.LDAPResultSizeLimitExceeded, goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded:
			return answer
		}
	}
	return nil
}

// judgeClock holds the clock of the server beside the one here, as far as it shows: a domain controller tells it, of others the newest write cannot lie ahead.
func (c *conn) judgeClock(ctx context.Context, position string, now time.Time, find func(Severity, string, string, ...any)) error {
	var off time.Duration
	if c.root.follow == byDomain {
		p, err := c.search(ctx, request{scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"currentTime"}})
		if err != nil {
			return err
		}
		if len(p.entries) == 1 {
			if at := generalizedTime(strings.Join(p.entries[0].attrs["currenttime"], "")); !at.IsZero() {
				off = at.Sub(now)
			}
		}
	} else if seen, ok := parseCSNs(position, " "); ok {
		for _, csn := range seen {
			stamp, _, _ := strings.Cut(csn, "#")
			if at := generalizedTime(stamp); !at.IsZero() {
				off = max(off, at.Sub(now))
			}
		}
	}
	if off.Abs() >= skewFrom {
		find(Warning, "clock_skew", "the clock of the server and the one here differ by %v: ends of accounts come to hold by the clock here", off.Round(time.Second))
	}
	return nil
}

// judgeSync finds out whether a server that announces content synchronization does it: OpenLDAP announces it without the overlay syncprov, too.
func (c *conn) judgeSync(ctx context.Context, find func(Severity, string, string, ...any)) error {
	if c.root.follow != bySync {
		return nil
	}
	r := request{base: c.p.Base, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"1.1"}, controls: []*ber.Packet{syncRequest(refreshOnly, "")}}
	_, err := c.ask(ctx, r)
	var answer *goldap.Error
	if errors.As(err, &answer) {
		find(Warning, "no_syncprov", "the server announces content synchronization and refuses it (%s), so changes are asked for by time: on OpenLDAP load the overlay syncprov, and let the account use it",
			scrub(answer.Error(), c.p.Password))
		return nil
	}
	return explain("content synchronization", err, c.p.Password)
}
