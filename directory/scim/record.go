package scim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-im/rollcall/directory"
)

// maxKeyBytes bounds what is looked up by: PostgreSQL refuses index entries of more than a third of a page.
const maxKeyBytes = 768

// text reads the string at a path of member names; empty where there is none.
func text(r resource, names ...string) string {
	var v any = r
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	s, _ := v.(string)
	return s
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// parseRaw reads back what assert stored.
func parseRaw(raw json.RawMessage) (resource, error) {
	if len(raw) == 0 {
		return resource{}, nil
	}
	return decodeAnswer(raw)
}

// assert makes record say what the resource says; zone is where dates are days for who has no time zone. The
// resource itself is kept whole in Raw, apart from the password, which is kept nowhere.
func (k *kind) assert(record *directory.Record, r resource, zone *time.Location) error {
	delete(r, "password")
	delete(r, "schemas")
	if enterprise, ok := r[enterpriseURN].(map[string]any); ok {
		if manager, ok := enterprise["manager"].(map[string]any); ok {
			delete(manager, "$ref") // who that is, is answered anew each time
		}
	}
	if active, ok := r["active"].(bool); ok {
		record.Active = active
	}
	r["active"] = record.Active
	dropUnassigned(r)
	dropRepeated(r)
	if err := checkUser(r); err != nil {
		return err
	}
	record.UserName = text(r, "userName")
	record.ExternalID = text(r, "externalId")
	record.ManagerKey = text(r, enterpriseURN, "manager", "value")
	record.Attributes = attributes(r)
	if err := assertDates(record, r, zone); err != nil {
		return err
	}
	raw, err := k.writeRaw(r)
	if err != nil {
		return err
	}
	record.Raw = raw
	return nil
}

// dropUnassigned removes what RFC 7643 section 2.5 calls unassigned, so that it is neither kept nor answered.
func dropUnassigned(r resource) {
	for name, v := range r {
		if isEmpty(v) {
			delete(r, name)
		}
	}
}

// dropRepeated keeps of the values of a list that have one type and one value the first, with what the others add
// to it (RFC 7643 section 2.4: a combination is not returned more than once).
func dropRepeated(r resource) {
	for name := range r {
		list, _ := r[name].([]any)
		seen := make(map[[2]string]resource, len(list))
		kept := slices.DeleteFunc(list, func(e any) bool {
			element, _ := e.(map[string]any)
			key := [2]string{directory.Fold(text(element, "type")), text(element, "value")}
			first, repeated := seen[key]
			switch {
			case key[1] == "":
				return false
			case !repeated:
				seen[key] = element
				return false
			}
			for sub, v := range element {
				if _, given := first[sub]; !given || sub == "primary" && v == true {
					first[sub] = v
				}
			}
			return true
		})
		if len(kept) < len(list) {
			r[name] = kept
		}
	}
}

// checkUser holds what the schemas cannot say.
func checkUser(r resource) error {
	if strings.TrimSpace(text(r, "userName")) == "" {
		return invalidValue("userName is required.")
	}
	for _, name := range []string{"userName", "externalId"} {
		if len(text(r, name)) > maxKeyBytes {
			return invalidValue("%s is longer than %d bytes.", name, maxKeyBytes)
		}
	}
	if len(text(r, enterpriseURN, "manager", "value")) > maxKeyBytes {
		return invalidValue("manager is longer than %d bytes.", maxKeyBytes)
	}
	for name, v := range r {
		list, _ := v.([]any)
		for _, e := range list {
			element, _ := e.(map[string]any)
			if (name == "emails" || name == "phoneNumbers") && len(text(element, "value")) > maxKeyBytes {
				return invalidValue("A value of %s is longer than %d bytes.", name, maxKeyBytes)
			}
		}
	}
	return nil
}

// primary counts the elements that call themselves primary.
func primary(list []any) (n int) {
	for _, e := range list {
		if element, ok := e.(map[string]any); ok && element["primary"] == true {
			n++
		}
	}
	return n
}

func attributes(r resource) directory.Attributes {
	given, family := text(r, "name", "givenName"), text(r, "name", "familyName")
	a := directory.Attributes{
		DisplayName:    first(text(r, "displayName"), text(r, "name", "formatted"), fullName(given, family)),
		GivenName:      given,
		FamilyName:     family,
		Title:          text(r, "title"),
		Department:     text(r, enterpriseURN, "department"),
		Division:       text(r, enterpriseURN, "division"),
		Organization:   text(r, enterpriseURN, "organization"),
		EmployeeNumber: text(r, enterpriseURN, "employeeNumber"),
		CostCenter:     first(text(r, enterpriseURN, "costCenter"), text(r, EmploymentURN, "costCenter")),
		Company:        text(r, EmploymentURN, "company"),
		EmployeeType:   first(text(r, "userType"), text(r, EmploymentURN, "employmentType")),
		Locale:         first(text(r, "preferredLanguage"), text(r, "locale")),
		TimeZone:       text(r, "timezone"),
	}
	for _, e := range elements(r, "emails") {
		a.Emails = append(a.Emails, directory.Email{Value: text(e, "value"), Type: text(e, "type"), Display: text(e, "display"), Primary: e["primary"] == true})
	}
	for _, e := range elements(r, "phoneNumbers") {
		a.Phones = append(a.Phones, directory.Phone{Value: text(e, "value"), Type: text(e, "type"), Primary: e["primary"] == true})
	}
	return a
}

func elements(r resource, name string) []resource {
	list, _ := r[name].([]any)
	var out []resource
	for _, e := range list {
		if element, ok := e.(map[string]any); ok {
			out = append(out, element)
		}
	}
	return out
}

// fullName joins the parts of a name as its script does: 张 and 伟 are 张伟.
func fullName(given, family string) string {
	if given == "" || family == "" {
		return given + family
	}
	for _, r := range given + family {
		if unicode.Is(unicode.Han, r) || unicode.Is(unicode.Hangul, r) {
			return family + given
		}
	}
	return given + " " + family
}
