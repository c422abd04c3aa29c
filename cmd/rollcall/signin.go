package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

// SignIn bounds sign-in with a directory's password, for LDAP sources with sign_in.
type SignIn struct {
	Failures        int           `koanf:"failures"`         // in a row, of one account, until nothing more of it is sent to the directory
	Quiet           time.Duration `koanf:"quiet"`            // without a failure, until they are forgotten
	AddressFailures int           `koanf:"address_failures"` // of one address within quiet
	TrustedProxies  []string      `koanf:"trusted_proxies"`  // networks whose word is believed of where a request comes from
	ProxyHeader     string        `koanf:"proxy_header"`     // by which header they say it: headerXForwardedFor or headerForwarded
}

const (
	headerXForwardedFor = "x-forwarded-for"
	headerForwarded     = "forwarded" // RFC 7239
)

// proxies reads the networks; validate refused what is none.
func (s SignIn) proxies() ([]netip.Prefix, error) { return networksOf(s.TrustedProxies) }

func networksOf(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if at, errAddr := netip.ParseAddr(text); errAddr == nil {
			network, err = at.Prefix(at.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network, as 10.0.0.0/8", text)
		}
		out = append(out, network.Masked())
	}
	return out, nil
}

func (s SignIn) check(bad func(key, format string, args ...any)) {
	if s.Failures < 1 || s.Failures > 1000 {
		bad("sign_in.failures", "wants a number from 1 to 1000, below the directory's own limit")
	}
	if s.AddressFailures < 1 || s.AddressFailures > 1_000_000 {
		bad("sign_in.address_failures", "wants a number from 1")
	}
	if s.Quiet < time.Second || s.Quiet > 24*time.Hour {
		bad("sign_in.quiet", "wants a duration from 1s to 24h, not %s", s.Quiet)
	}
	if _, err := s.proxies(); err != nil {
		bad("sign_in.trusted_proxies", "%v", err)
	}
	if s.ProxyHeader != headerXForwardedFor && s.ProxyHeader != headerForwarded {
		bad("sign_in.proxy_header", "%q is not one of %s, %s", s.ProxyHeader, headerXForwardedFor, headerForwarded)
	}
}

// passwords shows the LDAP sources with sign_in to sessions.
type passwords struct {
	people  *directory.Store
	sources map[id.Source]*ldap.Passwords // filled by wireLDAP, before anything is served
}

// wirePasswords answers nil where no source has sign_in.
func (a *app) wirePasswords() session.Passwords {
	for _, l := range a.cfg.LDAP {
		if l.SignIn {
			a.pass = &passwords{people: a.people, sources: map[id.Source]*ldap.Passwords{}}
			return a.pass
		}
	}
	return nil
}

func (a *app) addPasswords(l LDAP, source id.Source) error {
	if !l.SignIn {
		return nil
	}
	p, err := ldap.NewPasswords(l.Config)
	if err != nil {
		return err
	}
	a.pass.sources[source] = p
	a.closers = append(a.closers, p.Close)
	return nil
}

// Account implements session.Passwords: the login name must be of one account of all sources.
func (p *passwords) Account(ctx context.Context, login string) (session.Account, error) {
	var found []session.Account
	var failed error
	for source, one := range p.sources {
		account, err := one.Account(ctx, login)
		switch {
		case err == nil:
			found = append(found, session.Account{Source: source, Key: account.Key, Place: account.DN})
		case !errors.Is(err, ldap.ErrNoAccount):
			failed = err
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && failed != nil:
		return session.Account{}, failed
	}
	return session.Account{}, session.ErrNoAccount
}

// Prove implements session.Passwords. Nobody is proved at any one of the sources.
func (p *passwords) Prove(ctx context.Context, a session.Account, password string) error {
	for source, one := range p.sources {
		if a.Source != "" && source != a.Source {
			continue
		}
		err := one.Prove(ctx, ldap.Account{Key: a.Key, DN: a.Place}, ldap.Secret(password))
		for _, row := range []struct{ theirs, ours error }{{ldap.ErrWrongPassword, session.ErrPassword}, {ldap.ErrExpired, session.ErrExpired},
			{ldap.ErrMustChange, session.ErrMustChange}, {ldap.ErrDisabled, session.ErrDisabled}} {
			if errors.Is(err, row.theirs) {
				return row.ours
			}
		}
		return err
	}
	return session.ErrPassword
}

// Accounts implements session.Passwords.
func (p *passwords) Accounts(ctx context.Context, person id.Person) ([]session.Account, error) {
	records, err := p.people.Records(ctx, person)
	var out []session.Account
	for _, r := range records {
		if p.sources[r.Source] != nil {
			out = append(out, session.Account{Source: r.Source, Key: r.Key})
		}
	}
	return out, err
}

// Person implements session.Passwords: by source and immutable id, never by a name or an address. An account that its own directory disabled signs
// nobody in, whatever say that source has about employment, unless a human being set its word aside.
func (p *passwords) Person(ctx context.Context, a session.Account) (id.Person, error) {
	record, err := p.people.RecordByKey(ctx, a.Source, a.Key)
	if errors.Is(err, directory.ErrNotFound) || err == nil && (record.Person == "" || !record.DeletedAt.IsZero()) { // not read yet, in a dry run, or taken away
		return "", session.ErrNoPerson
	}
	now := time.Now()
	if err == nil && (!record.Active || !record.EndAt.IsZero() && !record.EndAt.After(now)) && !record.SetAsideUntil.After(now) {
		err = session.ErrDisabled
	}
	return record.Person, err
}

// forgiven says whether wrong passwords were counted.
type forgiven struct {
	Cleared int `json:"cleared"`
}

// unlockCommand lets somebody sign in who, or for whom somebody, guessed too often.
func unlockCommand() *cobra.Command {
	return remote(&cobra.Command{Use: "unlock PERSON", Short: "Forget the wrong passwords that were given for a person (id or user name): they may sign in with theirs at once", Args: cobra.ExactArgs(1)},
		func(w io.Writer, f forgiven) {
			if f.Cleared == 0 {
				fmt.Fprintln(w, "no wrong password was counted")
				return
			}
			fmt.Fprintln(w, "forgotten: the person may sign in with their password at once")
		}, func(c *cobra.Command, api *client, args []string) (forgiven, error) {
			var f forgiven
			person, err := personNamed(c.Context(), api, args[0])
			if err != nil {
				return f, err
			}
			return f, api.do(c.Context(), "POST", "/api/v1/people/"+url.PathEscape(person)+"/unlock", map[string]any{}, &f)
		})
}
