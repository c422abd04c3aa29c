package scim

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

const (
	badgeURN = "urn:example:params:scim:schemas:extension:badge:1.0:User"
	teamURN  = "urn:example:params:scim:schemas:extension:team:1.0:Group"
)

func startWithDefinitions(t testing.TB, d *db.DB) *service {
	t.Helper()
	definitions, err := LoadDefinitions(os.DirFS("testdata/definitions"))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, d, func(o *Options) { o.Definitions = definitions })
}

// An extension from configuration is validated, kept, answered, projected, patched and filtered like those built in.
func TestConfiguredExtensions(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := startWithDefinitions(t, d)
		s.want(200, s.do("GET", "/Schemas/"+badgeURN, ""))
		if r := s.do("GET", "/ResourceTypes/Group", ""); !strings.Contains(r.raw, `{"required":true,"schema":"`+teamURN+`"}`) {
			t.Errorf("resource type %s", r.raw)
		}
		badge := `"` + badgeURN + `":{"number":"K-7","floor":7,"height":1.5,"remote":"True","issued":"2026-01-02T03:04:05Z","pin":"1234","notes":"secret","tags":["red","Blue"],"floors":[1,2],"desk":{"building":"A","seat":12},"keys":[{"value":"k1","type":"door","level":3}]}`
		made := s.user(`"userName":"u",` + badge)
		got, _ := made.body[badgeURN].(map[string]any)
		if got["number"] != "K-7" || got["pin"] != nil || got["notes"] != "secret" || got["remote"] != true || !strings.Contains(made.raw, `"schemas":["`+userURN+`","`+badgeURN+`"]`) {
			t.Fatalf("made %s", made.raw)
		}
		s.user(`"userName":"v"`)
		path := "/Users/" + made.id()
		if r := s.do("GET", path, ""); strings.Contains(r.raw, "secret") { // on request only, or where it was just written
			t.Errorf("read %s", r.raw)
		}
		if r := s.do("GET", path+"?attributes="+badgeURN+":notes", ""); text(r.body, badgeURN, "notes") != "secret" || text(r.body, badgeURN, "number") != "K-7" || r.body["userName"] != nil {
			t.Errorf("asked for notes: %s", r.raw)
		}
		if r := s.do("GET", path+"?attributes="+badgeURN+":pin", ""); strings.Contains(r.raw, "1234") {
			t.Errorf("asked for pin: %s", r.raw)
		}
		if r := s.do("GET", path+"?excludedAttributes="+badgeURN+":number,"+badgeURN+":floor", ""); text(r.body, badgeURN, "number") != "K-7" || strings.Contains(r.raw, `"floor":`) {
			t.Errorf("excluded: %s", r.raw)
		}
		if r := s.do("GET", path+"?excludedAttributes="+badgeURN, ""); text(r.body, badgeURN, "number") != "K-7" || strings.Contains(r.raw, "tags") {
			t.Errorf("excluded the extension: %s", r.raw)
		}
		for filter, want := range map[string]string{
			`number eq "K-7"`: "1", `number eq "k-7"`: "0", `floor eq 7`: "1", `floor gt 6.5`: "1", `floor lt 7`: "0", `height ge 1.5`: "1", `remote eq true`: "1", `remote eq false`: "1",
			`tags eq "blue"`: "1", `tags eq "green"`: "0", `floors eq 2`: "1", `floors eq 3`: "0", `desk.seat eq 12`: "1", `desk.building eq "a"`: "1", `keys[type eq "door" and level ge 3]`: "1",
			`keys[type eq "safe"]`: "0", `keys.value eq "k1"`: "1", `issued pr`: "1", `issued gt "2026-01-01T00:00:00Z"`: "1", `issued eq "2026-01-02T11:04:05.000+08:00"`: "1", `issued lt "2026-01-02T03:04:05"`: "0", `tags pr`: "1", `schemas eq "` + badgeURN + `"`: "1"} {
			if at := strings.IndexAny(filter, ".[ "); !strings.HasPrefix(filter, "schemas") {
				if n := s.total("/Users", badgeURN+":"+filter[:at]+filter[at:]); n != want {
					t.Errorf("%s finds %s, want %s", filter, n, want)
				}
			}
			if n := s.total("/Users", filter); n != want {
				t.Errorf("%s finds %s, want %s", filter, n, want)
			}
		}
		for _, filter := range []string{`pin eq "1234"`, `pin sw "1"`, `pin pr`, `floor eq "x"`, `floor co 1`, `desk eq "A"`} {
			s.wantError(400, "invalidFilter", s.do("GET", "/Users?filter="+badgeURN+":"+filter, ""))
		}
		for _, change := range []string{`{"op":"add","path":"` + badgeURN + `:tags","value":["green","red"]}`, `{"op":"replace","path":"` + badgeURN + `:floor","value":8}`,
			`{"op":"replace","value":{"` + badgeURN + `":{"remote":false,"number":"K-7"}}}`, `{"op":"replace","path":"` + badgeURN + `:desk.seat","value":13}`,
			`{"op":"replace","path":"` + badgeURN + `:keys[type eq \"door\"].level","value":4}`, `{"op":"add","path":"` + badgeURN + `:floors","value":[2,3]}`, `{"op":"remove","path":"` + badgeURN + `:issued"}`} {
			s.want(200, s.do("PATCH", path, patch(change)))
		}
		after := s.do("GET", path, "")
		if want := `"` + badgeURN + `":{"desk":{"building":"A","seat":13},"floor":8,"floors":[1,2,3],"height":1.5,"keys":[{"level":4,"type":"door","value":"k1"}],"number":"K-7","remote":false,"tags":["red","Blue","green"]}`; !strings.Contains(after.raw, want) {
			t.Errorf("patched\n%s\nwant\n%s", after.raw, want)
		}
		if tag := after.header.Get("Etag"); tag != `W/"8"` {
			t.Errorf("version %s after seven changes", tag)
		}
		for _, change := range []string{`{"op":"replace","path":"` + badgeURN + `:number","value":"K-8"}`, `{"op":"add","path":"` + badgeURN + `:number","value":"K-8"}`, `{"op":"remove","path":"` + badgeURN + `:number"}`} {
			s.wantError(400, "mutability", s.do("PATCH", path, patch(change)))
		}
		s.wantError(400, "mutability", s.do("PUT", path, `{"schemas":["`+userURN+`"],"userName":"u","`+badgeURN+`":{"number":"K-8"}}`))
		for _, body := range []string{`{"floor":"seven","number":"1"}`, `{"floor":1.5,"number":"1"}`, `{"issued":"yesterday","number":"1"}`, `{"remote":"perhaps","number":"1"}`, `{"floor":7}`, `{"tags":[7],"number":"1"}`} {
			if r := s.do("POST", "/Users", `{"schemas":["`+userURN+`","`+badgeURN+`"],"userName":"w","`+badgeURN+`":`+body+`}`); r.status != 400 {
				t.Errorf("%s: %d %s", body, r.status, r.raw)
			}
		}
		if r := s.do("PATCH", path, patch(`{"op":"replace","path":"`+badgeURN+`:floor","value":"x"}`)); r.status != 400 {
			t.Errorf("text for a number: %d %s", r.status, r.raw)
		}

		s.wantError(400, "invalidValue", s.do("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"g"}`))
		group := s.group(`"displayName":"g","` + teamURN + `":{"purpose":"研发"}`)
		if s.total("/Groups", teamURN+`:purpose eq "研发"`) != "1" || text(group.body, teamURN, "purpose") != "研发" {
			t.Errorf("group %s", group.raw)
		}
		s.wantError(400, "mutability", s.do("PATCH", "/Groups/"+group.id(), patch(`{"op":"remove","path":"`+teamURN+`:purpose"}`)))
	})
}

func TestDefinitionsRefuse(t *testing.T) {
	attribute := func(more string) string {
		return `{"id":"urn:x:1","attributes":[{"name":"a","type":"string"` + more + `}]}`
	}
	for name, body := range map[string]string{
		"not JSON": `{`, "of another kind": `{"schemas":["urn:x"]}`, "no URN": `{"id":"x","attributes":[{"name":"a","type":"string"}]}`, "a URN with a quote": `{"id":"urn:x'y","attributes":[{"name":"a","type":"string"}]}`,
		"no attributes": `{"id":"urn:x:1","attributes":[]}`, "a type there is not": `{"id":"urn:x:1","attributes":[{"name":"a","type":"text"}]}`, "a name that is none": `{"id":"urn:x:1","attributes":[{"name":"a b","type":"string"}]}`,
		"unique": `[` + attribute(`,"uniqueness":"server"`) + `,{"schemas":["` + resourceTypeURN + `"],"name":"User","schemaExtensions":[{"schema":"urn:x:1"}]}]`, "unique boolean": `{"id":"urn:x:1","attributes":[{"name":"a","type":"boolean","uniqueness":"server"}]}`, "write-only and returned": attribute(`,"mutability":"writeOnly","returned":"always"`),
		"twice": `{"id":"urn:x:1","attributes":[{"name":"a","type":"string"},{"name":"A","type":"string"}]}`, "complex of nothing": `{"id":"urn:x:1","attributes":[{"name":"a","type":"complex"}]}`,
		"extends nothing": attribute(""), "extends a device": `[` + attribute("") + `,{"schemas":["` + resourceTypeURN + `"],"name":"Device","endpoint":"/Devices","schema":"urn:x:0","schemaExtensions":[{"schema":"urn:x:1"}]}]`,
		"not defined":    `{"schemas":["` + resourceTypeURN + `"],"name":"User","schemaExtensions":[{"schema":"urn:x:2"}]}`,
		"attached twice": `[` + attribute("") + `,{"schemas":["` + resourceTypeURN + `"],"name":"User","schemaExtensions":[{"schema":"urn:x:1"},{"schema":"urn:x:1"}]}]`,
		"defined twice":  `[` + attribute("") + `,` + attribute("") + `,{"schemas":["` + resourceTypeURN + `"],"name":"User","schemaExtensions":[{"schema":"urn:x:1"}]}]`,
	} {
		d, err := ParseDefinitions("x.json", []byte(body))
		if err == nil {
			_, err = d.kinds()
		}
		if !errors.Is(err, ErrDefinition) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDefinitions(f *testing.F) {
	for _, file := range []string{"badge.json", "types.json"} {
		body, err := os.ReadFile("testdata/definitions/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, err := ParseDefinitions("x", body); err == nil {
			_, _ = d.kinds()
		}
	})
}
