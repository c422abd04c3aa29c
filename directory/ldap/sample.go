package ldap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
)

// Fields are the attributes of a person that a mapping may name, in the order in which people look for them.
func Fields() []string {
	return []string{"display_name", "user_name", "email", "employee_number", "employee_type", "title", "department", "division", "organization", "company",
		"cost_center", "given_name", "family_name", "phone", "mobile", "locale", "time_zone", "external_id"}
}

// secretName tells whether an attribute may hold a password, a key or the like; a number in place of a name may stand for any. Such an
// attribute is shown nowhere and mapped to nothing.
func secretName(name string) bool {
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return true
	}
	name, _, _ = strings.Cut(strings.ToLower(name), ";")
	if strings.HasSuffix(name, "time") || strings.HasSuffix(name, "date") || strings.HasSuffix(name, "expires") || slices.Contains(statusAttributes, name) {
		return false // pwdChangedTime, pwdLastSet's kin: when, not what
	}
	for _, part := range []string{"password", "passwd", "passcode", "passphrase", "pwd", "secret", "privatekey", "krbprincipalkey", "krbextradata", "pkcs12", "nthash", "lmhash", "token", "otp", "credential", "authvalue"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

const (
	shownValues = 20  // of one attribute
	shownRunes  = 200 // of one value
)

// Shown is an attribute of an entry as it is shown to people.
type Shown struct {
	Name   string   `json:"name"`
	Values []string `json:"values" nullable:"false" doc:"cut to 200 letters, 20 of them at most"`
	More   int      `json:"more,omitempty" doc:"values that are not shown"`
	Hidden bool     `json:"hidden,omitempty" doc:"it may hold a secret: its values are shown nowhere"`
	Binary bool     `json:"binary,omitempty" doc:"its values are no text"`
}

// shown writes the attributes of an entry, in order of name.
func shown(o Object) []Shown {
	out := make([]Shown, 0, len(o.Attrs))
	for name, values := range o.Attrs {
		s := Shown{Name: name, Values: []string{}, Hidden: secretName(name)}
		for i, v := range values {
			switch {
			case s.Hidden:
			case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }):
				s.Binary = true
			case i >= shownValues:
				s.More++
			default:
				s.Values = append(s.Values, cutRunes(v, shownRunes))
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Shown) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func cutRunes(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// Made is what a mapping makes of one entry.
type Made struct {
	Field string `json:"field" doc:"an attribute of a person, or label.NAME"`
	Value string `json:"value"`
	From  string `json:"from,omitempty" doc:"the LDAP attribute it was read from"`
}

// made answers what becomes of an entry: each field that has a value, in the order of Fields, then the labels.
func (p *prepared) made(o Object) []Made {
	out := []Made{}
	put := func(field string, names []string) {
		for _, name := range names {
			if v := o.value(name); v != "" {
				out = append(out, Made{Field: field, Value: v, From: name})
				return
			}
		}
	}
	for _, field := range Fields() {
		put(field, p.fields[field])
	}
	for _, label := range slices.Sorted(maps.Keys(p.labels)) {
		put("label."+label, []string{p.labels[label]})
	}
	return out
}

// asserted is the same of a record, as field → value: what a comparison of mappings looks at.
func asserted(r directory.Record) map[string]string {
	out := map[string]string{"external_id": r.ExternalID, "user_name": r.UserName, "display_name": r.DisplayName, "given_name": r.GivenName,
		"family_name": r.FamilyName, "title": r.Title, "department": r.Department, "division": r.Division, "organization": r.Organization, "company": r.Company,
		"employee_number": r.EmployeeNumber, "employee_type": r.EmployeeType, "cost_center": r.CostCenter, "locale": r.Locale, "time_zone": r.TimeZone}
	mails := make([]string, len(r.Emails))
	for i, e := range r.Emails {
		mails[i] = e.Value
	}
	out["email"] = strings.Join(mails, ", ")
	for _, p := range r.Phones {
		out[map[bool]string{true: "mobile", false: "phone"}[p.Type == "mobile"]] = p.Value
	}
	for label, v := range r.Labels {
		out["label."+label] = v
	}
	return out
}

// Sample is one entry beside what is made of it.
type Sample struct {
	DN         string    `json:"dn"`
	Key        string    `json:"key" doc:"the immutable id, by which the person is known for ever"`
	Attributes []Shown   `json:"attributes" nullable:"false"`
	Made       []Made    `json:"made" nullable:"false" doc:"by the mapping in force"`
	Proposed   []Made    `json:"proposed,omitempty" doc:"by the mapping that was asked about"`
	Active     bool      `json:"active" doc:"the directory says the account may be used"`
	EndAt      time.Time `json:"end_at,omitzero" doc:"the directory says from when on it may not"`
}

// Sample reads people with every attribute the account may see: the one whose login or e-mail address is name, or else the first n.
func (cl *Client) Sample(ctx context.Context, name string, n int) ([]Object, error) {
	var out []Object
	err := cl.shared(ctx, func(c *conn) error {
		filter := c.filter(ClassPerson)
		if name != "" {
			if filter = c.called(name, "user_name", "email"); filter == "" {
				return fmt.Errorf("%w: mapping.user_name: no attribute holds a login, so that nobody can be found by one", ErrConfig)
			}
		}
		id := c.idAttribute()
		p, err := c.search(ctx, request{base: c.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: append([]string{"*"}, c.p.attributes(ClassPerson, id)...), pageSize: n})
		if err != nil {
			return err
		}
		out = nil
		for _, e := range p.entries[:min(n, len(p.entries))] {
			if k := key(e, id); k != "" {
				out = append(out, Object{Class: ClassPerson, Key: k, DN: e.dn, Attrs: e.attrs})
			}
		}
		return nil
	})
	return out, err
}
