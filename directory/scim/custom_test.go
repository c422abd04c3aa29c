package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

const probeURN = "urn:example:params:scim:schemas:core:1.0:"

// probe is one attribute of a resource type that has every kind of them.
type probe struct {
	name, kind, mutability, returned, uniqueness string
	multi                                        bool
	a, b                                         string // two values, as JSON
	field                                        string // what filters and sortBy name
	literalA, literalB                           string
}

// probes is every type with one value and with several, by every mutability that goes with every returned, and some unique.
func probes() map[string][]probe {
	out := map[string][]probe{}
	for kind, values := range map[string][2]string{"string": {`"Alpha"`, `"beta"`}, "boolean": {`false`, `true`}, "integer": {`5`, `9007199254740993`}, "decimal": {`1.50`, `2.25`},
		"dateTime": {`"2026-01-02T03:04:05.5+08:00"`, `"2027-01-02T03:04:05Z"`}, "binary": {`"aGk="`, `"eW8="`}, "reference": {`"https://x.example/a"`, `"https://x.example/b"`}, "complex": {`{"n":1,"value":"a"}`, `{"n":2,"value":"b"}`}} {
		for _, multi := range []bool{false, true} {
			base := probe{kind: kind, multi: multi, uniqueness: "none", literalA: values[0], literalB: values[1]}
			base.a, base.b = values[0], values[1]
			if kind == "complex" {
				base.literalA, base.literalB = `"a"`, `"b"`
			}
			if multi {
				base.a, base.b = "["+base.a+"]", "["+base.b+"]"
			}
			name := fmt.Sprintf("%s%v", strings.ToUpper(kind[:1])+kind[1:], map[bool]string{true: "List"}[multi])
			add := func(p probe) {
				p.name = p.mutability + strings.ToUpper(p.returned[:1]) + p.returned[1:] + strings.ToUpper(p.uniqueness[:1]) + p.uniqueness[1:]
				p.field = p.name
				if kind == "complex" {
					p.field += ".value"
				}
				out[name] = append(out[name], p)
			}
			for _, p := range []struct{ mutability, returned string }{{"readWrite", "always"}, {"readWrite", "default"}, {"readWrite", "request"}, {"readWrite", "never"}, {"immutable", "always"}, {"immutable", "default"},
				{"immutable", "request"}, {"immutable", "never"}, {"readOnly", "always"}, {"readOnly", "default"}, {"readOnly", "request"}, {"readOnly", "never"}, {"writeOnly", "never"}} {
				base.mutability, base.returned = p.mutability, p.returned
				add(base)
			}
			if kind != "complex" && kind != "boolean" {
				base.mutability, base.returned, base.uniqueness = "readWrite", "default", "server"
				add(base)
				base.mutability, base.returned, base.uniqueness = "immutable", "always", "global"
				add(base)
			}
		}
	}
	return out
}

// probeDefinitions describes the types as a configuration would.
func probeDefinitions(t testing.TB, types map[string][]probe) Definitions {
	t.Helper()
	var objects []any
	for name, list := range types {
		var attributes []any
		for _, p := range list {
			a := resource{"name": p.name, "type": p.kind, "multiValued": p.multi, "mutability": p.mutability, "returned": p.returned, "uniqueness": p.uniqueness, "caseExact": p.kind == "reference"}
			if p.kind == "complex" {
				a["subAttributes"] = []any{resource{"name": "value", "type": "string"}, resource{"name": "n", "type": "integer"}}
			}
			attributes = append(attributes, a)
		}
		objects = append(objects, resource{"schemas": []string{schemaURN}, "id": probeURN + name, "name": name, "attributes": attributes},
			resource{"schemas": []string{resourceTypeURN}, "name": name, "endpoint": "/" + name + "s", "schema": probeURN + name})
	}
	body, err := json.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDefinitions("probes", body)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A resource type from configuration does, attribute by attribute, what its schema says.
func TestEveryKindOfAttribute(t *testing.T) {
	types := probes()
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d, func(o *Options) { o.Definitions = probeDefinitions(t, types) })
		for name, list := range types {
			for _, p := range list {
				t.Run(name+"/"+p.name, func(t *testing.T) { s.t = t; s.probe(name, p) })
			}
		}
		s.t = t
	})
}

func (s *service) make(typ, body string) reply {
	s.t.Helper()
	return s.do(http.MethodPost, "/"+typ+"s", `{"schemas":["`+probeURN+typ+`"],`+body+`}`)
}

// holdsJSON tells whether an answer has a member, as it was sent.
func holdsJSON(r reply, name, value string) bool {
	return strings.Contains(r.raw, `"`+name+`":`+value)
}

func (s *service) probe(typ string, p probe) {
	readable, stored := p.returned != "never", p.mutability != "readOnly"
	made := s.want(201, s.make(typ, `"externalId":"x","`+p.name+`":`+p.a))
	path := "/" + typ + "s/" + made.id()
	defer func() { s.want(204, s.do("DELETE", path, "")); s.wantError(404, "", s.do("GET", path, "")) }()
	check := func(what string, r reply, want bool, value string) {
		s.t.Helper()
		if s.want(200, r); holdsJSON(r, p.name, value) != want || !want && strings.Contains(r.raw, p.name) {
			s.t.Errorf("%s: want %v %s in %s", what, want, value, r.raw)
		}
	}
	if holdsJSON(made, p.name, p.a) != (readable && stored) {
		s.t.Errorf("made %s", made.raw)
	}
	check("GET", s.do("GET", path, ""), stored && (p.returned == "always" || p.returned == "default"), p.a)
	check("GET attributes", s.do("GET", path+"?attributes="+p.name, ""), stored && readable, p.a)
	check("GET attributes by URN", s.do("GET", path+"?attributes="+strings.ToUpper(probeURN+typ)+":"+p.name, ""), stored && readable, p.a)
	check("GET other attributes", s.do("GET", path+"?attributes=externalId", ""), stored && p.returned == "always", p.a)
	check("GET excluded", s.do("GET", path+"?excludedAttributes="+p.name, ""), stored && p.returned == "always", p.a)
	s.probeQueries(typ, p, readable, stored)
	s.probeUnique(typ, p)

	replace := patch(`{"op":"replace","path":"` + p.name + `","value":` + p.b + `}`)
	add := patch(`{"op":"add","value":{"` + p.name + `":` + p.a + `}}`)
	remove := patch(`{"op":"remove","path":"` + p.name + `"}`)
	schemas := `{"schemas":["` + probeURN + typ + `"],"externalId":"y"`
	value := p.a
	switch p.mutability {
	case "readOnly":
		s.wantError(400, "mutability", s.do("PATCH", path, replace))
		s.wantError(400, "mutability", s.do("PATCH", path, remove))
		check("PUT", s.do("PUT", path, schemas+`,"`+p.name+`":`+p.b+`}`), false, p.b)
		return
	case "immutable":
		s.wantError(400, "mutability", s.do("PATCH", path, replace))
		s.wantError(400, "mutability", s.do("PATCH", path, remove))
		s.wantError(400, "mutability", s.do("PUT", path, schemas+`,"`+p.name+`":`+p.b+`}`))
		check("PATCH with what it is", s.do("PATCH", path, add), readable, p.a)
		check("PUT with what it is", s.do("PUT", path, schemas+`,"`+p.name+`":`+p.a+`}`), readable, p.a)
		check("PUT without", s.do("PUT", path, schemas+`}`), readable && p.returned != "request", p.a)
	default:
		value = p.b
		check("PATCH", s.do("PATCH", path, replace), readable, p.b)
		check("PUT without", s.do("PUT", path, schemas+`}`), false, p.b)
		if kept := p.returned == "never"; kept != strings.Contains(s.raw(made.id()), p.name) {
			s.t.Errorf("kept %s", s.raw(made.id()))
		}
		check("PUT", s.do("PUT", path, schemas+`,"`+p.name+`":`+p.b+`}`), readable, p.b)
		if p.multi {
			check("PATCH add", s.do("PATCH", path, add), readable, "["+strings.Trim(p.b, "[]")+","+strings.Trim(p.a, "[]")+"]")
			check("PATCH remove one", s.do("PATCH", path, patch(`{"op":"remove","path":"`+strings.ReplaceAll(p.name+`[value eq `+p.literalA+`]`, `"`, `\"`)+`"}`)), readable, p.b)
			check("PATCH remove by value", s.do("PATCH", path, patch(`{"op":"add","path":"`+p.name+`","value":`+p.a+`},{"op":"remove","path":"`+p.name+`","value":`+p.a+`}`)), readable, p.b)
		}
	}
	check("GET after", s.do("GET", path+"?attributes="+p.name, ""), readable, value)
	if value == p.b {
		s.want(200, s.do("PATCH", path, remove))
	}
}

func (s *service) probeQueries(typ string, p probe, readable, stored bool) {
	one, all := "0", "/"+typ+"s"
	if stored {
		one = "1"
	}
	if !readable {
		s.wantError(400, "invalidFilter", s.do("GET", all+"?filter="+url.QueryEscape(p.field+" pr"), ""))
		s.wantError(400, "invalidValue", s.do("GET", all+"?sortBy="+p.name, ""))
		return
	}
	for filter, want := range map[string]string{p.field + " eq " + p.literalA: one, probeURN + typ + ":" + p.field + " eq " + p.literalA: one, p.field + " pr": one, p.name + " pr": one,
		"not (" + p.field + " eq " + p.literalA + ")": map[string]string{"0": "1", "1": "0"}[one], p.field + " eq " + p.literalB: "0"} {
		if p.kind == "boolean" && !p.multi && !stored && strings.Contains(filter, "eq "+p.literalA) { // not there is false
			continue
		}
		if n := s.total(all, filter); n != want {
			s.t.Errorf("%s finds %s, want %s", filter, n, want)
		}
	}
	if p.multi && stored {
		if n := s.total(all, p.name+"[value eq "+p.literalA+"]"); n != "1" {
			s.t.Errorf("value filter finds %s", n)
		}
	}
	ordered := p.kind != "boolean" && p.kind != "binary"
	if r := s.do("GET", all+"?filter="+url.QueryEscape(p.field+" lt "+p.literalB), ""); ordered {
		if s.want(200, r); fmt.Sprint(r.body["totalResults"]) != one && stored {
			s.t.Errorf("lt finds %s", r.raw)
		}
	} else {
		s.wantError(400, "invalidFilter", r)
	}
	if p.kind == "binary" {
		s.wantError(400, "invalidValue", s.do("GET", all+"?sortBy="+p.name, ""))
		return
	}
	s.probeOrder(typ, p, stored && p.mutability == "readWrite" && p.uniqueness == "none")
}

// probeOrder sorts three resources, one without a value, and reads them by cursor in the same order.
func (s *service) probeOrder(typ string, p probe, full bool) {
	all := "/" + typ + "s"
	s.want(200, s.do("GET", all+"?sortBy="+p.name, ""))
	if !full {
		return
	}
	b, none := s.want(201, s.make(typ, `"externalId":"b","`+p.name+`":`+p.b)), s.want(201, s.make(typ, `"externalId":"none"`))
	defer func() {
		s.want(204, s.do("DELETE", all+"/"+b.id(), ""))
		s.want(204, s.do("DELETE", all+"/"+none.id(), ""))
	}()
	want := map[string]string{"ascending": "x b none", "descending": "none b x"}
	if p.kind == "boolean" {
		want = map[string]string{"ascending": "x none b", "descending": "b none x"}
	}
	for order, names := range want {
		query := all + "?attributes=externalId&sortBy=" + p.name + "&sortOrder=" + order
		if got := externalIDs(s.want(200, s.do("GET", query, ""))); got != names {
			s.t.Errorf("%s: %s, want %s", order, got, names)
		}
		var walked []string
		for cursor, n := "", 0; n < 4; n++ {
			r := s.want(200, s.do("GET", query+"&count=1&cursor="+cursor, ""))
			walked = append(walked, externalIDs(r))
			if cursor = text(r.body, "nextCursor"); cursor == "" {
				break
			}
		}
		if got := strings.Join(walked, " "); got != names {
			s.t.Errorf("%s by cursor: %s, want %s", order, got, names)
		}
	}
}

func externalIDs(r reply) string {
	var out []string
	for _, e := range elements(r.body, "Resources") {
		out = append(out, text(e, "externalId"))
	}
	return strings.Join(out, " ")
}

func (s *service) probeUnique(typ string, p probe) {
	if p.uniqueness == "none" {
		return
	}
	same := strings.ToUpper(p.a)
	if p.kind != "string" {
		same = p.a
	}
	s.wantError(409, "uniqueness", s.make(typ, `"`+p.name+`":`+same))
	_, other, _ := s.newSource(strings.ToLower(typ + "-" + p.mutability))
	s.want(201, s.as(other, "POST", "/"+typ+"s", `{"schemas":["`+probeURN+typ+`"],"`+p.name+`":`+p.a+`}`))
	second := s.want(201, s.make(typ, `"`+p.name+`":`+p.b))
	path := "/" + typ + "s/" + second.id()
	if p.mutability == "readWrite" {
		s.wantError(409, "uniqueness", s.do("PATCH", path, patch(`{"op":"replace","path":"`+p.name+`","value":`+p.a+`}`)))
		s.wantError(409, "uniqueness", s.do("PUT", path, `{"schemas":["`+probeURN+typ+`"],"`+p.name+`":`+p.a+`}`))
	}
	s.wantError(404, "", s.as(other, "GET", path, ""))
	s.want(204, s.do("DELETE", path, ""))
}

// raw is what the database holds of a resource.
func (s *service) raw(resource string) string {
	s.t.Helper()
	var raw string
	if err := s.db.Read(s.t.Context()).Raw("select raw from resources where id = ?", resource).Scan(&raw).Error; err != nil {
		s.t.Fatal(err)
	}
	return raw
}
