package guests

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/handover"
)

const (
	domainsMost   = 50
	documentsMost = 50
	nameMost      = 200
)

var companyKey = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// check says why a company cannot be so, and writes its domains as they are compared.
func (e *Engine) check(tx *db.Tx, c *Company) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case !companyKey.MatchString(c.Key):
		return bad("a company's key is 1 to 40 of a-z, 0-9 and -, and does not begin with -, unlike %q", c.Key)
	case c.Names["en"] == "" && c.Names["zh"] == "":
		return bad("a company has a name in en or zh")
	case len(c.Domains) == 0 || len(c.Domains) > domainsMost:
		return bad("a company has 1 to %d domains of e-mail addresses", domainsMost)
	case len(c.Documents) > documentsMost:
		return bad("a company has at most %d references to documents", documentsMost)
	case c.Most < 0 || c.Most > 1_000_000:
		return bad("a company has at most 1000000 guests")
	}
	for language, name := range c.Names {
		if language != "en" && language != "zh" || len([]rune(name)) > nameMost {
			return bad("names are in en and zh, and have at most %d characters", nameMost)
		}
	}
	for _, text := range c.Documents {
		if text == "" || len([]rune(text)) > nameMost {
			return bad("a reference to a document has 1 to %d characters", nameMost)
		}
	}
	domains := make([]string, len(c.Domains))
	for i, d := range c.Domains {
		one, err := Domain(d)
		if err != nil {
			return err
		}
		domains[i] = one
	}
	slices.Sort(domains)
	c.Domains = slices.Compact(domains)
	return e.sponsorable(tx, c.Owner)
}

// sponsorable is ErrInvalid for somebody who cannot answer for guests: they work here now and are none themselves.
func (e *Engine) sponsorable(tx *db.Tx, person id.Person) error {
	facts, err := e.Directory.In(tx).Facts(tx, []id.Person{person}, false)
	if err != nil {
		return err
	}
	if len(facts) == 0 || facts[0].Guest || !handover.Able(facts[0].Person) {
		return fmt.Errorf("%w: who answers for a guest works here now and has access", ErrInvalid)
	}
	outside, err := e.Reactor.OutsidersIn(tx, []id.Person{person})
	if err == nil && outside[person] {
		err = fmt.Errorf("%w: somebody from outside answers for no guest", ErrInvalid)
	}
	return err
}

// AddCompany adds a company; its key is unique. ErrInvalid, ErrExists.
func (e *Engine) AddCompany(ctx context.Context, cause directory.Cause, c Company) (Company, error) {
	c.ID, c.CreatedAt, c.MadeBy, c.SuspendedAt = id.New[id.Company](), e.clock(), e.record(cause, "", "", nil).Actor, time.Time{}
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := e.check(tx, &c); err != nil {
			return err
		}
		if !c.EndsAt.IsZero() && !c.EndsAt.After(e.clock()) {
			return fmt.Errorf("%w: the contract is over", ErrInvalid)
		}
		row := companyRowOf(c)
		if err := tx.Create(&row).Error; err != nil {
			if db.IsDuplicate(err) {
				return fmt.Errorf("company %q: %w", c.Key, ErrExists)
			}
			return fmt.Errorf("write company: %w", err)
		}
		return audit.Append(tx, e.record(cause, "company.added", string(c.ID), c.public()))
	})
	return c, err
}

func (c Company) public() map[string]any {
	out := map[string]any{"key": c.Key, "domains": c.Domains, "owner": string(c.Owner), "most": c.Most}
	if !c.EndsAt.IsZero() {
		out["ends_at"] = c.EndsAt.Format(time.RFC3339)
	}
	return out
}

// ChangeCompany changes what edit changes of a company; its key and who made it stay. A contract that ends earlier shortens what its guests have, and returns when that is in
// force; one that ends later lengthens nothing. It answers how many guests that shortened.
func (e *Engine) ChangeCompany(ctx context.Context, cause directory.Cause, name string, edit func(*Company)) (Company, int, error) {
	var c Company
	var shortened []id.Guest
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		if _, err := lock(tx); err != nil {
			return err
		}
		was, err := company(tx.DB, name)
		if err != nil {
			return err
		}
		c = was
		edit(&c)
		c.ID, c.Key, c.MadeBy, c.CreatedAt, c.SuspendedAt = was.ID, was.Key, was.MadeBy, was.CreatedAt, was.SuspendedAt
		if err := e.check(tx, &c); err != nil {
			return err
		}
		row := companyRowOf(c)
		if err := tx.Save(&row).Error; err != nil {
			return fmt.Errorf("write company: %w", err)
		}
		public := c.public()
		if shortened, err = e.shorten(tx, c); err != nil {
			return err
		}
		if len(shortened) > 0 {
			public["shortened"] = len(shortened)
		}
		return audit.Append(tx, e.record(cause, "company.changed", string(c.ID), public))
	})
	if err != nil {
		return Company{}, 0, err
	}
	return c, len(shortened), e.settle(ctx, cause, shortened)
}

// shorten ends what guests of a company have with its contract, and answers who had more.
func (e *Engine) shorten(tx *db.Tx, c Company) ([]id.Guest, error) {
	if c.EndsAt.IsZero() {
		return nil, nil
	}
	var list []id.Guest
	if err := tx.Raw("select distinct p.guest from guest_places p join guests g on g.id = p.guest where g.company = ? and p.until_at > ? order by p.guest", c.ID, db.At(c.EndsAt)).Scan(&list).Error; err != nil {
		return nil, fmt.Errorf("read guests: %w", err)
	}
	for some := range slices.Chunk(list, part) {
		if err := tx.Exec("update guest_places set until_at = ? where guest in ? and until_at > ?", db.At(c.EndsAt), some, db.At(c.EndsAt)).Error; err != nil {
			return nil, fmt.Errorf("shorten guests: %w", err)
		}
		if err := changed(tx, "id in ?", some); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// has tells whether a company has a domain.
func (c Company) has(domain string) bool { return slices.Contains(c.Domains, domain) }
