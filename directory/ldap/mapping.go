package ldap

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// defaultMapping fits inetOrgPerson (RFC 2798) and Active Directory. Its keys are all that Config.Mapping may name.
var defaultMapping = map[string]string{
	"external_id":     "",
	"user_name":       "uid,samaccountname",
	"display_name":    "displayname,cn",
	"given_name":      "givenname",
	"family_name":     "sn",
	"title":           "title",
	"department":      "department,departmentnumber",
	"division":        "division",
	"organization":    "o,company",
	"company":         "",
	"employee_number": "employeenumber,employeeid",
	"employee_type":   "employeetype",
	"cost_center":     "costcenter",
	"locale":          "preferredlanguage",
	"time_zone":       "",
	"email":           "mail",
	"phone":           "telephonenumber",
	"mobile":          "mobile",
}

// maxValue bounds one attribute value; what is longer is cut at a rune.
const maxValue = 1024

// values answers an attribute's values that are text, without blanks around, sorted and each once: a server may
// give them in any order. Values with language options stand in only where there is none without.
func (o Object) values(name string) []string {
	found := o.Attrs[name]
	if len(found) == 0 {
		option := ""
		for k := range o.Attrs {
			if len(k) > len(name) && k[len(name)] == ';' && strings.HasPrefix(k, name) && !strings.HasPrefix(k[len(name):], ";binary") && (option == "" || k < option) {
				option = k
			}
		}
		if option == "" {
			return nil
		}
		found = o.Attrs[option]
	}
	out := make([]string, 0, len(found))
	for _, v := range found {
		if v = strings.TrimSpace(v); v == "" || !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
			continue
		}
		if len(v) > maxValue {
			v = strings.ToValidUTF8(v[:maxValue], "")
		}
		out = append(out, v)
	}
	if len(out) < 2 {
		return out
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// value answers one value: the one in the entry's name where that is of the attribute, else the first in order.
func (o Object) value(name string) string {
	v := o.values(name)
	if len(v) > 1 {
		if first := rdnValue(o.DN, name); slices.Contains(v, first) {
			return first
		}
	}
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// first answers the value of the first of these attributes that has one.
func (o Object) first(names []string) string {
	for _, name := range names {
		if v := o.value(name); v != "" {
			return v
		}
	}
	return ""
}

// record makes what the directory asserts about a person. Unit and manager are filled in by the stage.
func (p *prepared) record(source id.Source, o Object) directory.Record {
	get := func(field string) string { return o.first(p.fields[field]) }
	active, endAt := status(o)
	r := directory.Record{
		Source: source, Key: o.Key, ExternalID: get("external_id"), UserName: get("user_name"), Active: active, EndAt: endAt,
		Attributes: directory.Attributes{
			DisplayName: get("display_name"), GivenName: get("given_name"), FamilyName: get("family_name"), Title: get("title"),
			Department: get("department"), Division: get("division"), Organization: get("organization"), Company: get("company"),
			EmployeeNumber: get("employee_number"), EmployeeType: get("employee_type"), CostCenter: get("cost_center"),
			Locale: get("locale"), TimeZone: get("time_zone"),
		},
	}
	if best := get("email"); best != "" {
		r.Emails = []directory.Email{{Value: best, Type: "work", Primary: true}}
		for _, name := range p.fields["email"] {
			for _, v := range o.values(name) {
				if v != best {
					r.Emails = append(r.Emails, directory.Email{Value: v, Type: "other"})
				}
			}
		}
	}
	for field, kind := range map[string]string{"phone": "work", "mobile": "mobile"} {
		if v := get(field); v != "" {
			r.Phones = append(r.Phones, directory.Phone{Value: v, Type: kind, Primary: kind == "work"})
		}
	}
	slices.SortFunc(r.Phones, func(a, b directory.Phone) int { return strings.Compare(b.Type, a.Type) })
	for label, name := range p.labels {
		if v := o.value(name); v != "" {
			if r.Labels == nil {
				r.Labels = map[string]string{}
			}
			r.Labels[label] = v
		}
	}
	r.Raw = rawOf(o)
	return r
}

// rawOf keeps where the entry stood, for people who look for it in the directory.
func rawOf(o Object) json.RawMessage {
	raw, err := json.Marshal(map[string]string{"dn": strings.ToValidUTF8(o.DN, "?")})
	if err != nil {
		return nil
	}
	return raw
}

// unit makes an organizational unit; names with a language option become names in that language.
func (p *prepared) unit(source id.Source, o Object) directory.Unit {
	u := directory.Unit{Source: source, Key: o.Key, Name: o.first([]string{"displayname", "ou", "cn"})}
	for name, values := range o.Attrs {
		attr, option, ok := strings.Cut(name, ";lang-")
		if ok && (attr == "ou" || attr == "displayname") && len(values) > 0 {
			if u.Names == nil {
				u.Names = map[string]string{}
			}
			u.Names[option] = values[0]
		}
	}
	if u.Name == "" {
		u.Name = o.Key
	}
	return u
}

func (p *prepared) group(source id.Source, o Object) directory.GroupRecord {
	g := directory.GroupRecord{Source: source, Key: o.Key, DisplayName: o.first([]string{"cn", "displayname"}), Raw: rawOf(o)}
	if g.DisplayName == "" {
		g.DisplayName = o.Key
	}
	return g
}
