package ldap

import (
	"context"

	goldap "github.com/go-ldap/ldap/v3"
)

// Below reads the entry dn and everything beneath it, as Snapshot reads the whole base.
func (cl *Client) Below(ctx context.Context, dn string, emit func([]Object) error) (Proof, error) {
	base, err := goldap.ParseDN(dn)
	if err != nil {
		return Proof{Missing: []string{"it has no name"}}, err
	}
	part := *cl.p
	part.Base, part.base, part.Sentinel = dn, base, ""
	sub := &Client{p: &part}
	sub.at.Store(cl.at.Load())
	return sub.Snapshot(ctx, emit)
}

// Vendor answers the kind of the server that was last asked; empty before the first answer.
func (cl *Client) Vendor() string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.control == nil {
		return ""
	}
	return cl.control.root.vendor
}
