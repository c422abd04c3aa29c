package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/elimity-com/scim/schema"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// oracle evaluates a filter over one resource in plain Go. ok is false for what the resource alone does not say.
func oracle(e expr, r resource) (holds, ok bool) {
	switch e.op {
	case "always", "never":
		return e.op == "always", true
	case "not":
		holds, ok = oracle(e.kids[0], r)
		return !holds, ok
	case "and", "or":
		holds, ok = e.op == "and", true
		for _, kid := range e.kids {
			one, known := oracle(kid, r)
			ok = ok && known
			if one != (e.op == "and") {
				holds = one
			}
		}
		return holds, ok
	}
	if e.at.urn == "" && slices.Contains([]string{"id", "meta", "schemas", "groups", "members"}, e.at.attr.Name()) {
		return false, false
	}
	holder := r
	if e.at.urn != "" {
		holder, _ = r[e.at.urn].(map[string]any)
	}
	v := holder[e.at.attr.Name()]
	if e.op == "has" {
		list, many := v.([]any)
		if !many && v != nil {
			list = []any{v}
		}
		for _, element := range list {
			inside, _ := element.(map[string]any)
			one, known := oracle(e.kids[0], inside)
			if !known {
				return false, false
			}
			holds = holds || one
		}
		return holds, many || v == nil
	}
	if e.at.attr.MultiValued() {
		return oracleMany(e, v), true
	}
	if e.at.sub != nil {
		inside, _ := v.(map[string]any)
		v = inside[e.at.sub.Name()]
	}
	if complex, is := v.(map[string]any); is && e.op == "pr" {
		return len(complex) > 0, true
	}
	return oracleOne(e.at.leaf(), e.op, e.value, v), true
}

// oracleMany: of many values one satisfies, or, for "ne", none is equal.
func oracleMany(e expr, v any) bool {
	list, _ := v.([]any)
	op := e.op
	if op == "ne" {
		op = "eq"
	}
	found := slices.ContainsFunc(list, func(element any) bool {
		leaf := e.at.leaf()
		if inside, ok := element.(map[string]any); ok && e.at.sub != nil {
			element = inside[e.at.sub.Name()]
		} else if ok && op == "pr" {
			return true
		}
		return oracleOne(leaf, op, e.value, element)
	})
	return found != (e.op == "ne")
}

func oracleOne(a schema.CoreAttribute, op string, want, have any) bool {
	order := func(c int) bool {
		return map[string]bool{"eq": c == 0, "ne": c != 0, "gt": c > 0, "ge": c >= 0, "lt": c < 0, "le": c <= 0}[op]
	}
	if a.AttributeType() == "boolean" {
		if op == "pr" {
			return have != nil
		}
		return ((have == true) == (want == true)) == (op == "eq")
	}
	if number, ok := have.(json.Number); ok || a.AttributeType() == "integer" || a.AttributeType() == "decimal" {
		n, err := number.Float64()
		if op == "pr" || err != nil {
			return err == nil && op == "pr" || err != nil && op == "ne"
		}
		w, _ := want.(float64)
		return order(map[bool]int{true: 1}[n > w] - map[bool]int{true: 1}[n < w])
	}
	h, _ := have.(string)
	w, _ := want.(string)
	if !a.CaseExact() {
		h, w = strings.ToLower(h), strings.ToLower(w)
	}
	if h == "" && op != "eq" && op != "ne" {
		return false // what is not there has no order and holds no text
	}
	switch op {
	case "pr":
		return true
	case "co":
		return strings.Contains(h, w)
	case "sw":
		return strings.HasPrefix(h, w)
	case "ew":
		return strings.HasSuffix(h, w)
	}
	return order(strings.Compare(h, w))
}

// oraclePeople are what the filters are asked of.
func oraclePeople(s *service) map[string]resource {
	out := map[string]resource{}
	for i, more := range []string{
		`"title":"Engineer","nickName":"a%_\\'","active":false,"emails":[{"value":"A@b","type":"work","primary":true},{"value":"c@d","type":"home"}]`,
		`"title":"engineer 2","roles":[{"value":"x","type":"t"},{"value":"Y","primary":true}],"name":{"givenName":"G","familyName":"F"},"displayName":"d"`,
		`"nickName":"张","phoneNumbers":[{"value":"+86 1"}],"emails":[{"value":"x@y"}],"` + enterpriseURN + `":{"department":"R&D","employeeNumber":"007","manager":{"value":"nobody"}}`,
		`"addresses":[{"type":"work","locality":"上海","primary":true},{"type":"home","locality":"B","country":"CN"}],"locale":"zh-CN","profileUrl":"https://X/u"`,
		`"` + EmploymentURN + `":{"startDate":"2026-01-02","company":"C"},"timezone":"UTC","userType":"Intern","ims":[{"value":"i","type":"xmpp"}]`,
		`"entitlements":[{"value":"e1"},{"value":"e2","display":"E"}],"preferredLanguage":"en","name":{"formatted":"only"},"displayName":"z"`,
		``,
	} {
		name := fmt.Sprintf("u%d", i)
		body := `"userName":"` + name + `"`
		if i%2 == 0 {
			body += `,"externalId":"E` + name + `"`
		}
		if more != "" {
			body += "," + more
		}
		r := s.user(body)
		out[name] = r.body
	}
	return out
}

var oracleSeeds = []string{`title eq "ENGINEER" or nickName co "%_"`, `not (emails[type eq "work" and primary eq true] or roles ne "x")`, `emails.type ne "home" and active eq true`,
	`addresses[locality eq "B" and type eq "home"] or addresses.country pr`, `userName gt "u2" and userName le "U5"`, `phoneNumbers pr or ims.value sw "I"`, `department eq "r&d"`,
	`externalId pr and not (externalId ew "4")`, `name.givenName pr or displayName lt "e"`, `emails[not (type pr)]`, `roles[primary eq false].value pr`, `startDate ge "2026-01-01" or company eq "c"`,
	`profileUrl eq "https://x/u" or locale sw "ZH"`, `entitlements[value eq "e2" and display eq "e"]`, `manager eq "nobody" or manager pr`, `title lt "f" and title ne ""`, `emails co "" or roles.display eq ""`,
	`name pr and not (name.givenName pr)`, `emails[not (primary pr)]`, `displayName pr or userType pr`, `displayName ne "ONLY" and emails.primary pr`}

// ask holds that a filter finds what the oracle finds; what cannot be asked is refused.
func (s *service) ask(t testing.TB, people map[string]resource, in string) {
	k := s.h.kinds[0]
	e, err := k.parseFilter(in)
	if err != nil {
		return
	}
	where, err := k.compile(e)
	if err != nil {
		return
	}
	page, err := s.store.FindRecords(context.Background(), directory.RecordQuery{Source: s.source.ID, Where: where, Limit: 100})
	if err != nil {
		t.Fatalf("%q: %s: %v", in, e, err)
	}
	found := map[string]bool{}
	for _, record := range page.Records {
		found[record.UserName] = true
	}
	for name, r := range people {
		if holds, ok := oracle(e, r); ok && holds != found[name] {
			t.Fatalf("%q: %s: %s is found %v, it holds %v of %v", in, e, name, found[name], holds, r)
		}
	}
}

func TestFiltersAgreeWithAnOracle(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		people := oraclePeople(s)
		for _, in := range oracleSeeds {
			s.ask(t, people, in)
		}
	})
}

// FuzzCompiled holds that the SQL of any filter runs, and finds what plain Go finds.
func FuzzCompiled(f *testing.F) {
	s := start(f, dbtest.SQLite(f))
	people := oraclePeople(s)
	for _, in := range oracleSeeds {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if strings.IndexFunc(in, func(r rune) bool { return r > 127 && (r < '一' || r > '龥') }) >= 0 {
			return // in other letters the engine's lower case is not Go's
		}
		s.ask(t, people, in)
	})
}
