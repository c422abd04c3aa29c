package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

// wireGuests ties guests to the directory that knows them and to who has to agree.
func (a *app) wireGuests() {
	a.guests = &guests.Engine{DB: a.db, Directory: a.people, Reactor: a.access, Asks: a.asks, Log: a.log,
		PublicURL: strings.TrimSuffix(a.cfg.PublicURL, "/"), Sessions: a.door, Mail: a.mailer(), Texts: a.texter(), Key: a.cfg.key, Seen: a.door.LastSeen,
		Untaken: func(ctx context.Context, before time.Time) ([]string, error) {
			return a.heirs.Untaken(ctx, guests.KindGuest, before)
		}}
	a.guests.Sees = func(p id.Person, c id.Channel) (bool, time.Time) { return a.index.Allow(p, c, delivery.View) }
	a.guests.Messages = func(ctx context.Context, c id.Channel, from time.Time, each func(guests.Message) error) error {
		return a.chat.Read(ctx, c, from, func(m chat.Message) error {
			return each(guests.Message{ID: m.ID, Seq: m.Seq, At: m.At, Author: m.Author.ID, Name: m.Author.Name, Kind: m.Kind, Language: m.Language, Text: m.Text, Erased: m.Erased})
		})
	}
	a.heirs.Kinds[guests.KindGuest] = guests.Sponsored{Engine: a.guests}
	a.asks.Kinds[policies.ApproveGuest] = guests.Asking{Engine: a.guests}
	a.access.Outside = a.guests.Explain
}

type company struct {
	ID          string            `json:"id"`
	Key         string            `json:"key"`
	Names       map[string]string `json:"names"`
	Domains     []string          `json:"domains"`
	EndsAt      time.Time         `json:"ends_at,omitzero"`
	SuspendedAt time.Time         `json:"suspended_at,omitzero"`
	Shortened   int               `json:"shortened,omitempty"`
}

func (c company) row(w io.Writer) {
	state := "open"
	switch {
	case !c.SuspendedAt.IsZero():
		state = "suspended since " + c.SuspendedAt.Format(time.RFC3339)
	case !c.EndsAt.IsZero():
		state = "until " + c.EndsAt.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Key, named(c.Names), strings.Join(c.Domains, ","), state)
	if c.Shortened > 0 {
		fmt.Fprintf(w, "%d guests have less time now\n", c.Shortened)
	}
}

// named is what something is called on a terminal.
func named(names map[string]string) string {
	if names["en"] != "" {
		return names["en"]
	}
	return names["zh"]
}

type guest struct {
	ID          string    `json:"id"`
	Company     string    `json:"company"`
	Name        string    `json:"name"`
	Email       string    `json:"email"`
	Person      string    `json:"person,omitempty"`
	SponsorName string    `json:"sponsor_name,omitempty"`
	State       string    `json:"state"`
	Until       time.Time `json:"until,omitzero"`
	DaysLeft    int       `json:"days_left"`
	Note        string    `json:"note,omitempty"`
}

func (g guest) row(w io.Writer) {
	until := ""
	if !g.Until.IsZero() {
		until = "until " + g.Until.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\tby %s\n", g.ID, g.Company, g.Name, g.Email, g.State, until, g.SponsorName)
	if g.Note != "" {
		fmt.Fprintln(w, g.Note)
	}
}

type many struct {
	Guests int `json:"guests"`
}

func (m many) row(w io.Writer) { fmt.Fprintf(w, "%d guests\n", m.Guests) }

func companyCommand() *cobra.Command {
	command := &cobra.Command{Use: "company", Short: "Companies whose people may be let in as guests"}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Every company", Args: cobra.NoArgs}, func(w io.Writer, l listOf[company]) {
		for _, c := range l.Items {
			c.row(w)
		}
	}, func(c *cobra.Command, api *client, _ []string) (listOf[company], error) {
		var l listOf[company]
		return l, api.do(c.Context(), "GET", "/api/v1/companies", nil, &l)
	}), companyWrite("add KEY", "Add one", "POST"), companyWrite("set KEY", "Change one; what no flag says stays", "PATCH"), companyProvider())
	for _, verb := range []struct{ name, short string }{{"suspend", "Keep all guests of a company out, at once"}, {"resume", "Let them in again as they were"}} {
		one := &cobra.Command{Use: verb.name + " KEY", Short: verb.short, Args: cobra.ExactArgs(1)}
		reason := one.Flags().String("reason", "", "why, for the audit log")
		command.AddCommand(remote(one, func(w io.Writer, m many) { m.row(w) }, func(c *cobra.Command, api *client, args []string) (many, error) {
			var m many
			return m, api.do(c.Context(), "POST", "/api/v1/companies/"+url.PathEscape(args[0])+"/"+verb.name, map[string]any{"reason": *reason}, &m)
		}))
	}
	return command
}

type companyIDP struct {
	Issuer   string            `json:"issuer"`
	ClientID string            `json:"client_id"`
	Claims   map[string]string `json:"claims,omitempty"`
	Callback string            `json:"callback"`
	SignIn   string            `json:"sign_in"`
}

func (p companyIDP) row(w io.Writer) {
	if p.Issuer == "" {
		fmt.Fprintln(w, "no identity provider")
		return
	}
	fmt.Fprintf(w, "%s\t%s\nregister there the redirect URI %s\nits guests sign in at %s\n", p.Issuer, p.ClientID, p.Callback, p.SignIn)
}

func companyProvider() *cobra.Command {
	one := &cobra.Command{Use: "provider KEY", Short: "The identity provider by which the guests of a company sign in: show, set or remove it", Args: cobra.ExactArgs(1)}
	f := one.Flags()
	issuer, known := f.String("issuer", "", "its issuer, https://…"), f.String("client-id", "", "as whom Rollcall is known there")
	secret := f.String("secret-file", "", "a file with the client secret; without it the one that is kept")
	claims := f.StringToString("claim", nil, "a claim that an ID token has to have, such as tid=…: which tenant, where one issuer has many")
	remove := f.Bool("remove", false, "its guests sign in there no more")
	return remote(one, func(w io.Writer, p companyIDP) { p.row(w) }, func(c *cobra.Command, api *client, args []string) (out companyIDP, err error) {
		path := "/api/v1/companies/" + url.PathEscape(args[0]) + "/provider"
		switch {
		case *remove:
			return out, api.do(c.Context(), "DELETE", path, nil, nil)
		case *issuer == "":
			return out, api.do(c.Context(), "GET", path, nil, &out)
		}
		body := map[string]any{"issuer": *issuer, "client_id": *known, "claims": *claims}
		if *secret != "" {
			text, err := os.ReadFile(*secret)
			if err != nil {
				return out, err
			}
			body["client_secret"] = strings.TrimSpace(string(text))
		}
		return out, api.do(c.Context(), "PUT", path, body, &out)
	})
}

func companyWrite(use, short, method string) *cobra.Command {
	one := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	f := one.Flags()
	en, zh := f.String("name", "", "the name in English"), f.String("name-zh", "", "the name in Chinese")
	domains := f.StringSlice("domain", nil, "domains of its e-mail addresses, exactly; a sub-domain is one more")
	owner := f.String("owner", "", "who answers for it, by user name, e-mail address, employee number or id")
	ends := f.String("ends", "", "end of the contract: a day, or an instant as 2027-06-30T22:00:00Z; none takes it back")
	most := f.Int("most", 0, "how many guests at a time; 0: as many as the policy says")
	documents := f.StringSlice("document", nil, "references: a contract's number, an address")
	return remote(one, func(w io.Writer, c company) { c.row(w) }, func(c *cobra.Command, api *client, args []string) (out company, err error) {
		body := map[string]any{}
		path := "/api/v1/companies"
		if method == "POST" {
			body["key"] = args[0]
		} else {
			path += "/" + url.PathEscape(args[0])
		}
		names := map[string]string{}
		for language, name := range map[string]string{"en": *en, "zh": *zh} {
			if name != "" {
				names[language] = name
			}
		}
		for flag, value := range map[string]any{"name": names, "name-zh": names, "domain": *domains, "most": *most, "document": *documents} {
			if f.Changed(flag) {
				body[map[string]string{"name": "names", "name-zh": "names", "domain": "domains", "most": "most", "document": "documents"}[flag]] = value
			}
		}
		if *owner != "" {
			if body["owner"], err = personNamed(c.Context(), api, *owner); err != nil {
				return out, err
			}
		}
		switch {
		case *ends == "none":
			body["endless"] = true
		case *ends != "":
			if body["ends_at"], err = untilOf(*ends); err != nil {
				return out, err
			}
		}
		return out, api.do(c.Context(), method, path, body, &out)
	})
}

// untilOf reads an instant, or a day: then its last moment in UTC is meant.
func untilOf(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		err = fmt.Errorf("%q is neither a day, as 2027-06-30, nor an instant, as 2027-06-30T22:00:00Z", text)
	}
	return at, err
}

func guestCommand() *cobra.Command {
	command := &cobra.Command{Use: "guest", Short: "People from outside: let them in, until when, and end it"}
	list := &cobra.Command{Use: "list", Short: "Guests", Args: cobra.NoArgs}
	of := list.Flags().String("company", "", "of one company, by key or id")
	within := list.Flags().Int("days", 0, "only those whose time ends within so many days")
	command.AddCommand(remote(list, func(w io.Writer, l listOf[guest]) {
		for _, g := range l.Items {
			g.row(w)
		}
		if l.Next != "" {
			fmt.Fprintln(w, "and more")
		}
	}, func(c *cobra.Command, api *client, _ []string) (listOf[guest], error) {
		var l listOf[guest]
		q := url.Values{"limit": {"200"}}
		if *of != "" {
			q.Set("company", *of)
		}
		if *within > 0 {
			q.Set("within_days", fmt.Sprint(*within))
		}
		return l, api.do(c.Context(), "GET", "/api/v1/guests?"+q.Encode(), nil, &l)
	}), guestInvite(), guestRenew(), guestLink(), guestMail(), guestConfirm(), guestImport(), termsCommand())
	for _, verb := range []struct{ name, short string }{{"end", "End everything a guest has, at once"}, {"suspend", "Keep a guest out, at once"}, {"resume", "Let a guest in again as they were"}} {
		one := &cobra.Command{Use: verb.name + " GUEST", Short: verb.short, Args: cobra.ExactArgs(1)}
		reason := one.Flags().String("reason", "", "why, for the audit log")
		command.AddCommand(remote(one, func(w io.Writer, g guest) { g.row(w) }, func(c *cobra.Command, api *client, args []string) (guest, error) {
			var g guest
			return g, api.do(c.Context(), "POST", "/api/v1/guests/"+url.PathEscape(args[0])+"/"+verb.name, map[string]any{"reason": *reason}, &g)
		}))
	}
	for _, verb := range []struct{ name, short string }{{"close", "Keep everybody from outside out, at once"}, {"open", "Let them in again as they were"}} {
		one := &cobra.Command{Use: verb.name + "-all", Short: verb.short, Args: cobra.NoArgs}
		reason := one.Flags().String("reason", "", "why, for the audit log")
		command.AddCommand(remote(one, func(w io.Writer, m many) { m.row(w) }, func(c *cobra.Command, api *client, _ []string) (many, error) {
			var m many
			return m, api.do(c.Context(), "POST", "/api/v1/guests/"+verb.name, map[string]any{"reason": *reason}, &m)
		}))
	}
	return command
}

type madeLink struct {
	URL   string    `json:"url"`
	Until time.Time `json:"until"`
}

func (l madeLink) row(w io.Writer) {
	fmt.Fprintf(w, "%s\nholds once, until %s; the guest reads out a code, which `rollcall guest confirm` takes\n", l.URL, l.Until.Format(time.RFC3339))
}

func guestLink() *cobra.Command {
	return remote(&cobra.Command{Use: "link GUEST", Short: "Make a link to pass on, by which a guest comes in once; shown this once", Args: cobra.ExactArgs(1)}, func(w io.Writer, l madeLink) { l.row(w) },
		func(c *cobra.Command, api *client, args []string) (out madeLink, err error) {
			return out, api.do(c.Context(), "POST", "/api/v1/guests/"+url.PathEscape(args[0])+"/link", map[string]any{}, &out)
		})
}

func guestMail() *cobra.Command {
	return remote(&cobra.Command{Use: "mail GUEST", Short: "Send a guest the invitation again", Args: cobra.ExactArgs(1)}, func(w io.Writer, g guest) { g.row(w) },
		func(c *cobra.Command, api *client, args []string) (out guest, err error) {
			return out, api.do(c.Context(), "POST", "/api/v1/guests/"+url.PathEscape(args[0])+"/mail", map[string]any{}, &out)
		})
}

func guestConfirm() *cobra.Command {
	return remote(&cobra.Command{Use: "confirm GUEST CODE", Short: "Say that it is the guest who waits with this code", Args: cobra.ExactArgs(2)}, func(w io.Writer, g guest) { g.row(w) },
		func(c *cobra.Command, api *client, args []string) (out guest, err error) {
			return out, api.do(c.Context(), "POST", "/api/v1/guests/"+url.PathEscape(args[0])+"/confirm", map[string]any{"code": args[1]}, &out)
		})
}

func guestInvite() *cobra.Command {
	one := &cobra.Command{Use: "invite EMAIL", Short: "Let somebody into channels of a project group, or ask those to agree whom the policy names", Args: cobra.ExactArgs(1)}
	f := one.Flags()
	of, name := f.String("company", "", "whose people they are, by key or id"), f.String("name", "", "what they are called")
	sponsor := f.String("sponsor", "", "who works here and answers for them, by user name, e-mail address, employee number or id")
	group := f.String("group", "", "the project group, by key, name or id")
	channels := f.StringSlice("channel", nil, "the channels, by key")
	until, reason := f.String("until", "", "until when: a day, or an instant as 2027-06-30T22:00:00Z"), f.String("reason", "", "why")
	return remote(one, func(w io.Writer, g guest) { g.row(w) }, func(c *cobra.Command, api *client, args []string) (out guest, err error) {
		body := map[string]any{"email": args[0], "company": *of, "name": *name, "channels": *channels, "reason": *reason}
		if body["group"], err = groupNamed(c.Context(), api, *group); err != nil {
			return out, err
		}
		if body["sponsor"], err = personNamed(c.Context(), api, *sponsor); err != nil {
			return out, err
		}
		if body["until"], err = untilOf(*until); err != nil {
			return out, err
		}
		return out, api.do(c.Context(), "POST", "/api/v1/guests", body, &out)
	})
}

func guestRenew() *cobra.Command {
	one := &cobra.Command{Use: "renew GUEST", Short: "Have a guest stay until an instant, or ask those to agree whom the policy names", Args: cobra.ExactArgs(1)}
	until, reason := one.Flags().String("until", "", "until when: a day, or an instant as 2027-06-30T22:00:00Z"), one.Flags().String("reason", "", "why")
	return remote(one, func(w io.Writer, g guest) { g.row(w) }, func(c *cobra.Command, api *client, args []string) (out guest, err error) {
		at, err := untilOf(*until)
		if err != nil {
			return out, err
		}
		return out, api.do(c.Context(), "POST", "/api/v1/guests/"+url.PathEscape(args[0])+"/renew", map[string]any{"until": at, "reason": *reason}, &out)
	})
}

// atCompanies shows sessions the identity providers of companies; guests are wired after sessions.
type atCompanies struct{ app *app }

// Provider implements session.Companies.
func (c atCompanies) Provider(ctx context.Context, company string) (session.Provider, error) {
	return guests.AtCompany{Engine: c.app.guests}.Provider(ctx, company)
}

// Guest implements session.Companies.
func (c atCompanies) Guest(ctx context.Context, company string, claims session.Claims) (id.Person, func(*db.Tx) error, error) {
	return guests.AtCompany{Engine: c.app.guests}.Guest(ctx, company, claims)
}
