package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// A guest is a person of the directory whom somebody let into single channels (package guests). Rules and own joining give such a person nothing.

// ErrNoGuests says that a channel is not open to people from outside.
var ErrNoGuests = errors.New("this channel is not open to guests")

// GuestRules answers what the policy that tx sees says about guests.
func (r *Reactor) GuestRules(tx *db.Tx) (policies.Guests, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil || c.policy == nil {
		return policies.Guests{}, err
	}
	return c.policy.Guests, nil
}

// Sponsors tells whether the policy lets the candidate answer for guests.
func (m Candidate) Sponsors() bool {
	if m.catalog.policy == nil {
		return false
	}
	may, err := m.catalog.policy.Sponsors(m.subject)
	return may && err == nil
}

// OpenToGuests answers the channels of a group that these keys name, by the policy that tx sees. ErrNotFound for a group or a channel that there is not, ErrNoGuests for a channel
// that gives the role vendor nothing or that a separation keeps from it.
func (r *Reactor) OpenToGuests(tx *db.Tx, group id.Group, keys []string) ([]Channel, error) {
	c, err := r.catalogIn(tx.DB)
	if err != nil {
		return nil, err
	}
	if !c.live(group) || c.policy == nil {
		return nil, fmt.Errorf("group %s: %w", group, ErrNotFound)
	}
	var out []Channel
	for _, key := range keys {
		at := slices.IndexFunc(c.channels[group], func(o Channel) bool { return o.Key == key })
		if at < 0 || !c.channels[group][at].ArchivedAt.IsZero() {
			return nil, fmt.Errorf("channel %q: %w", key, ErrNotFound)
		}
		channel := c.channels[group][at]
		if err := r.openToGuests(c, channel); err != nil {
			return nil, err
		}
		out = append(out, channel)
	}
	return out, nil
}

// openToGuests is ErrNoGuests for a channel that gives the role vendor nothing or that a separation keeps from it.
func (r *Reactor) openToGuests(c *catalog, channel Channel) error {
	if relationOf(channel.Access[policies.Vendor]) == "" {
		return fmt.Errorf("channel %q gives the role vendor nothing: %w", channel.Key, ErrNoGuests)
	}
	wanted := c.place(channel.Group, Reason{Kind: KindGuest, Role: policies.Vendor, Ref: channel.Key})
	if kept := c.policy.Separate(policies.Subject{Guest: true, Now: r.clock()}, nil, []policies.Wanted{wanted}).Withheld; len(kept) > 0 {
		return fmt.Errorf("separation %q keeps it from the role vendor: channel %q: %w", kept[0].Separation, channel.Key, ErrNoGuests)
	}
	return nil
}

// Door is a project group with its channels that guests may be let into: at least one.
type Door struct {
	Group
	Channels []Channel
}

// Doors answers every project group of the policy in force that has a channel for guests, in the order of the policy.
func (r *Reactor) Doors(ctx context.Context) ([]Door, error) {
	c, err := r.current(ctx)
	if err != nil || c.policy == nil {
		return nil, err
	}
	var out []Door
	for _, g := range c.policy.Groups {
		d := Door{Group: c.groups[c.byKey[g.Key]]}
		for _, channel := range c.channels[d.ID] {
			if channel.ArchivedAt.IsZero() && r.openToGuests(c, channel) == nil {
				d.Channels = append(d.Channels, channel)
			}
		}
		if len(d.Channels) > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}
