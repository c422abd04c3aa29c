package policies

import "go.yaml.in/yaml/v3"

// Guests says how people from outside are let in, wherever a channel gives the role vendor something.
type Guests struct {
	MostDays int         `json:"most_days,omitempty"` // for how long at a time; 0: GuestDays
	Sponsor  string      `json:"sponsor,omitempty"`   // who may let somebody in, among the owners of the project group; empty: all of them
	Limits   GuestLimits `json:"limits,omitzero"`

	sponsor condition
}

// GuestLimits are how many guests there are at most at a time; 0: no limit.
type GuestLimits struct {
	Company      int `json:"company,omitempty"` // of one company, where that has no smaller limit of its own
	Sponsor      int `json:"sponsor,omitempty"` // that one person answers for
	Organisation int `json:"organisation,omitempty"`
}

// GuestDays is for how many days a guest is let in at a time where the policy does not say.
const GuestDays = 180

// Sponsors tells whether the policy lets s answer for guests: people from outside never. An error is that it cannot be judged, which is no.
func (p *Policy) Sponsors(s Subject) (bool, error) {
	if s.Guest || p.Guests.Sponsor == "" {
		return !s.Guest, nil
	}
	v := view{language: p.language, subject: &s}
	return v.holds(p.Guests.sponsor)
}

// Days answers for how many days a guest is let in at a time.
func (g Guests) Days() int {
	if g.MostDays > 0 {
		return g.MostDays
	}
	return GuestDays
}

func (r *reader) guests(n *yaml.Node, to *Guests) error {
	*to = Guests{}
	return r.mapping(n, fields{
		"most_days": func(n *yaml.Node) error { return r.number(n, &to.MostDays, 1, 3650) },
		"sponsor":   func(n *yaml.Node) error { return r.condition(n, &to.Sponsor, &to.sponsor) },
		"limits": func(n *yaml.Node) error {
			return r.mapping(n, fields{
				"company":      func(n *yaml.Node) error { return r.number(n, &to.Limits.Company, 1, 1_000_000) },
				"sponsor":      func(n *yaml.Node) error { return r.number(n, &to.Limits.Sponsor, 1, 1_000_000) },
				"organisation": func(n *yaml.Node) error { return r.number(n, &to.Limits.Organisation, 1, 1_000_000) },
			})
		},
	})
}
