package guests

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
	"github.com/rollcall-im/rollcall/internal/session"
)

const claimsMost = 10

// ErrNoSeal says that there is nothing to seal a secret with.
var ErrNoSeal = errors.New("the secret of an identity provider is kept sealed: that wants secrets.identity in the configuration")

// Provider is the identity provider of a company.
type Provider struct {
	Company  id.Company
	Issuer   string
	ClientID string
	Secret   string            // only where it is set: it is never answered
	Claims   map[string]string // that an ID token has to have, such as tid or hd: which tenant, where one issuer has many
	MadeBy   string
	MadeAt   time.Time
}

func (p Provider) check(plain bool) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(p.Issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !plain):
		return bad("an issuer is https://host, and a path")
	case p.ClientID == "" || len(p.ClientID) > nameMost || len(p.Secret) > 1000 || len(p.Claims) > claimsMost:
		return bad("an identity provider wants a client id of at most %d bytes, a secret of at most 1000, and at most %d claims", nameMost, claimsMost)
	}
	for name, value := range p.Claims {
		if name == "" || value == "" || len(name)+len(value) > nameMost {
			return bad("a claim has a name and the text that it has to be")
		}
	}
	return nil
}

// SetProvider has the guests of a company sign in at its identity provider, besides by links; an empty secret leaves the one that is kept. An issuer without TLS is taken only where Rollcall itself has none.
// Who signed in as whom of another issuer signs in there no more. ErrInvalid, ErrNotFound, ErrNoSeal.
func (e *Engine) SetProvider(ctx context.Context, cause directory.Cause, name string, p Provider) (Provider, error) {
	if err := p.check(strings.HasPrefix(e.PublicURL, "http:")); err != nil {
		return Provider{}, err
	}
	if e.Key == nil {
		return Provider{}, ErrNoSeal
	}
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		c, err := company(tx.DB, name)
		if err != nil {
			return err
		}
		p.Company, p.MadeAt, p.MadeBy = c.ID, e.clock(), e.record(cause, "", "", nil).Actor
		row := providerRow{Company: c.ID, Issuer: p.Issuer, ClientID: p.ClientID, Claims: db.JSON[map[string]string]{V: p.Claims}, MadeBy: p.MadeBy, MadeAt: db.At(p.MadeAt)}
		if p.Secret != "" {
			row.Sealed, err = seal.Seal(p.Secret, e.Key.Recipients()...)
		} else {
			err = tx.Raw("select sealed from guest_providers where company = ? and issuer = ?", c.ID, p.Issuer).Scan(&row.Sealed).Error
		}
		if err != nil {
			return fmt.Errorf("seal the secret of a provider: %w", err)
		}
		if row.Sealed == "" {
			return fmt.Errorf("%w: a new identity provider wants a client secret", ErrInvalid)
		}
		if err := tx.Save(&row).Error; err != nil {
			return fmt.Errorf("write provider of company: %w", err)
		}
		return audit.Append(tx, e.record(cause, "company.provider", string(c.ID), map[string]any{"key": c.Key, "issuer": p.Issuer, "client_id": p.ClientID, "claims": p.Claims}))
	})
	p.Secret = ""
	return p, err
}

// DropProvider has guests of a company sign in there no more. One that has none is no change.
func (e *Engine) DropProvider(ctx context.Context, cause directory.Cause, name string) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		c, err := company(tx.DB, name)
		if err != nil {
			return err
		}
		done := tx.Exec("delete from guest_providers where company = ?", c.ID)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		return audit.Append(tx, e.record(cause, "company.provider", string(c.ID), map[string]any{"key": c.Key, "issuer": ""}))
	})
}

// AtCompany shows sessions the identity providers of companies. A company is named by its id, which nobody guesses.
type AtCompany struct{ Engine *Engine }

// Provider implements session.Companies.
func (a AtCompany) Provider(ctx context.Context, company string) (session.Provider, error) {
	row, err := a.Engine.provider(ctx, company)
	if err != nil {
		return session.Provider{}, err
	}
	if a.Engine.Key == nil {
		return session.Provider{}, ErrNoSeal
	}
	secret, err := a.Engine.Key.Open(row.Sealed)
	if err != nil {
		return session.Provider{}, fmt.Errorf("secret of the provider of company %s: %w", row.Company, err)
	}
	return session.Provider{Issuer: row.Issuer, ClientID: row.ClientID, ClientSecret: secret}, nil
}

// Guest implements session.Companies. A subject that signs in for the first time is the guest whose address the provider says it has verified, of a domain of the company; from then on issuer and subject say who it is, and the
// address nothing.
func (a AtCompany) Guest(ctx context.Context, name string, c session.Claims) (id.Person, func(*db.Tx) error, error) {
	e := a.Engine
	row, err := e.provider(ctx, name)
	if errors.Is(err, session.ErrNoProvider) || err == nil && row.Issuer != c.Issuer {
		return "", nil, session.ErrNoPerson
	}
	if err != nil {
		return "", nil, err
	}
	for claim, want := range row.Claims.V {
		if said, ok := c.All[claim].(string); !ok || said != want {
			return "", nil, fmt.Errorf("claim %s: %w", claim, session.ErrNoPerson)
		}
	}
	of, err := e.Company(ctx, name)
	if err != nil {
		return "", nil, err
	}
	list, err := load(e.DB.Read(ctx), "g.person <> '' and g.company = ? and g.id = (select guest from guest_identities where company = ? and issuer = ? and subject = ?)", of.ID, of.ID, c.Issuer, c.Subject)
	if err != nil {
		return "", nil, err
	}
	if len(list) == 0 && c.EmailVerified {
		address, errAddress := ParseAddress(c.Email)
		if errAddress != nil || !of.has(address.Domain) {
			return "", nil, session.ErrNoPerson
		}
		if list, err = load(e.DB.Read(ctx), "g.person <> '' and g.company = ? and g.email = ?", of.ID, address.Text); err != nil {
			return "", nil, err
		}
	}
	if len(list) != 1 {
		return "", nil, session.ErrNoPerson
	}
	g := list[0]
	bind := func(tx *db.Tx) error {
		if err := e.admissible(tx, g); errors.Is(err, errLink) {
			return session.ErrOtherPerson // they work here by now
		} else if err != nil {
			return session.ErrFrozen
		}
		return e.bindAt(tx, g, c)
	}
	return g.Person, bind, nil
}

// bindAt keeps that a subject is a guest. ErrOtherPerson where it is another, or the guest is another subject of that issuer.
func (e *Engine) bindAt(tx *db.Tx, g Guest, c session.Claims) error {
	if err := tx.Exec("insert into guest_identities (company, issuer, subject, guest, created_at) values (?, ?, ?, ?, ?) on conflict do nothing", g.Company, c.Issuer, c.Subject, g.ID, db.At(e.clock())).Error; err != nil {
		return fmt.Errorf("write identity of guest: %w", err)
	}
	var holder id.Guest
	if err := tx.Raw("select guest from guest_identities where company = ? and issuer = ? and subject = ?", g.Company, c.Issuer, c.Subject).Scan(&holder).Error; err != nil {
		return fmt.Errorf("read identity of guest: %w", err)
	}
	if holder != g.ID {
		return session.ErrOtherPerson
	}
	return nil
}
