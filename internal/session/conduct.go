package session

import (
	"net/netip"
	"time"
)

// Conduct is what may be changed while people are signed in.
type Conduct struct {
	Tries Tries
	// Proxies are the networks whose word is taken for where a request comes from.
	Proxies []netip.Prefix
	// Forwarded says that they speak by the header Forwarded (RFC 7239), else by X-Forwarded-For. The other is not looked at.
	Forwarded bool
	// AdminNetworks are the networks from which administrators may work; empty: from everywhere.
	AdminNetworks []netip.Prefix
	// AdminIdle is how long a session of an administrator lives without a request; 0: as any other.
	AdminIdle time.Duration
	// StepUpRequired wants a second factor for dangerous acts of everybody; else of who enrolled one.
	StepUpRequired bool
}

// conduct answers what holds now. Who asks twice may get two answers.
func (d *Door) conduct() *Conduct { return d.holds.Load() }

// Change makes c hold from the next request on, for sessions that there are, too. Where it cannot hold nothing changes.
func (d *Door) Change(c Conduct) error {
	if err := c.Tries.check(); err != nil {
		return err
	}
	d.holds.Store(&c)
	return nil
}
