package ldap

import (
	"context"
	"strconv"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// judgeLockout tells, where people sign in here, after how many wrong passwords the domain locks an account: fewer must come from here.
func (c *conn) judgeLockout(ctx context.Context, find func(Severity, string, string, ...any)) error {
	if !c.p.SignIn || c.root.follow != byDomain {
		return nil
	}
	for _, suffix := range c.root.contexts {
		if under, err := parsedWithin(suffix, c.p.base); err != nil || !under {
			continue
		}
		page, err := c.search(ctx, request{base: suffix, scope: goldap.ScopeBaseObject, filter: "(objectClass=*)", attrs: []string{"lockoutThreshold", "lockOutObservationWindow"}})
		if err != nil && c.dead {
			return err
		}
		for _, e := range page.entries {
			o := Object{Attrs: e.attrs}
			threshold, err := strconv.Atoi(o.value("lockoutthreshold"))
			if err != nil || threshold == 0 { // 0: nobody is ever locked out
				continue
			}
			ticks, _ := strconv.ParseInt(o.value("lockoutobservationwindow"), 10, 64) // 100 ns, negative
			find(Info, "lockout", "the domain locks an account after %d wrong passwords, and forgets them after %v: keep sign_in.failures below the one, and sign_in.quiet at the other or above",
				threshold, time.Duration(-ticks)*100)
		}
	}
	return nil
}
