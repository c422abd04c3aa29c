package guests

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Explain says by which company and whose word somebody was let into a channel of a project group, until when, and why not longer: the lines that come before the reason itself. Nothing for who was not.
// It reads the rows that the place was made from: the relation in the model is made from the same ones (ADR 57).
func (e *Engine) Explain(tx *db.Tx, person id.Person, group id.Group, channel string) ([]provisioning.Line, error) {
	list, err := load(tx.DB, "g.person = ? order by g.id", person)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	known, err := companies(tx.DB, "1 = 1")
	if err != nil {
		return nil, err
	}
	of := byCompany(known)
	names, err := e.Directory.In(tx).Names(tx.Statement.Context, sponsorsOf(list))
	if err != nil {
		return nil, err
	}
	var out []provisioning.Line
	for _, g := range list {
		at := slices.IndexFunc(g.Places, func(p Place) bool { return p.Group == group && p.Channel == channel })
		if at < 0 {
			continue
		}
		given, err := givenBy(tx, g, g.Places[at])
		if err != nil {
			return nil, err
		}
		c := of[g.Company]
		out = append(out, provisioning.Line{Kind: "company", Ref: c.Key, Since: g.CreatedAt, Text: companyText(c)},
			provisioning.Line{Kind: "sponsor", Ref: string(given.ID), Since: given.DecidedAt, By: string(g.Sponsor), Text: sponsorText(cmp.Or(names[g.Sponsor], string(g.Sponsor)), g.Places[at].Until, given.BoundBy)})
	}
	return out, nil
}

func sponsorsOf(list []Guest) []id.Person {
	out := make([]id.Person, len(list))
	for i, g := range list {
		out[i] = g.Sponsor
	}
	return out
}

// givenBy answers the newest invitation that let a guest into a place, as it stands now: one that a contract has cut off since is bound by that.
func givenBy(tx *db.Tx, g Guest, p Place) (Invitation, error) {
	list, err := invitations(tx.DB, "guest = ? and group_id = ? and state = ? order by decided_at desc, id desc limit 200", g.ID, p.Group, Granted)
	if err != nil {
		return Invitation{}, err
	}
	at := slices.IndexFunc(list, func(i Invitation) bool { return slices.Contains(i.Channels, p.Channel) })
	if at < 0 {
		return Invitation{}, nil
	}
	if p.Until.Before(list[at].Until) {
		list[at].BoundBy = BoundContract
	}
	return list[at], nil
}

func companyText(c Company) provisioning.Text {
	t := provisioning.Text{EN: "Somebody from outside, of " + cmp.Or(c.Names["en"], c.Names["zh"]), ZH: "外部人员，来自" + cmp.Or(c.Names["zh"], c.Names["en"])}
	if !c.EndsAt.IsZero() {
		t.EN, t.ZH = t.EN+"; its contract ends at "+moment(c.EndsAt), t.ZH+"；合同至 "+moment(c.EndsAt)
	}
	return t
}

func sponsorText(sponsor string, until time.Time, bound Bound) provisioning.Text {
	why := map[Bound]provisioning.Text{
		BoundAsked:    {EN: "as was asked", ZH: "按申请"},
		BoundPolicy:   {EN: "the policy allows no more at a time", ZH: "策略单次不允许更长"},
		BoundContract: {EN: "the contract ends then", ZH: "合同届时结束"},
		BoundApproval: {EN: "nobody agreed to more", ZH: "批准的期限如此"},
	}[bound]
	t := provisioning.Text{EN: sponsor + " answers for them; let in until " + moment(until), ZH: "由" + sponsor + "担保；准入至 " + moment(until)}
	if why.EN != "" {
		t.EN, t.ZH = t.EN+": "+why.EN, t.ZH+"："+why.ZH
	}
	return t
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
