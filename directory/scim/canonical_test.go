package scim

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	scimerrors "github.com/elimity-com/scim/errors"
)

const enterprisePrefix = enterpriseURN + ":"

// canonicalLines writes canonical operations one a line: op path value.
func canonicalLines(operations []operation) string {
	var b strings.Builder
	for _, o := range operations {
		b.WriteString(o.Op + " " + o.Path)
		if o.Value != nil {
			v, _ := json.Marshal(o.Value)
			b.WriteString(" " + string(v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func canonicaliseText(k *kind, body string) (canonicalised, error) {
	object, err := decode([]byte(`{"Operations":` + body + `}`))
	if err != nil {
		return canonicalised{}, err
	}
	_, operations, err := patchBody(object)
	if err != nil {
		return canonicalised{}, err
	}
	return k.canonicalise(operations)
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ name, kind, in, want string }{
		{"Entra without its flag", "User", `[{"op":"Replace","path":"active","value":"False"}]`, "replace active false\n"},
		{"Entra with aadOptscim062020", "User", `[{"op":"replace","value":{"active":false,"name.givenName":"伟","` + enterprisePrefix + `department":"R&D"}}]`,
			"replace active false\nreplace name.givenName \"伟\"\nreplace " + enterprisePrefix + "department \"R\\u0026D\"\n"},
		{"Okta", "User", `[{"op":"replace","value":{"active":false}}]`, "replace active false\n"},
		{"OneLogin object", "User", `[{"op":"replace","value":{"name":{"givenName":"A","familyName":null},"title":""}}]`,
			"remove name.familyName\nreplace name.givenName \"A\"\nremove title\n"},
		{"name as a text", "User", `[{"op":"add","path":"name","value":"张伟"}]`, "add name.formatted \"张伟\"\n"},
		{"manager as object", "User", `[{"op":"Add","path":"` + enterprisePrefix + `manager","value":{"value":"lnk_1"}}]`, "add " + enterprisePrefix + `manager {"value":"lnk_1"}` + "\n"},
		{"manager as text", "User", `[{"op":"replace","path":"` + enterprisePrefix + `manager","value":"lnk_1"}]`, "replace " + enterprisePrefix + `manager {"value":"lnk_1"}` + "\n"},
		{"manager as list with $ref", "User", `[{"op":"Add","path":"` + enterprisePrefix + `manager","value":[{"$ref":"../Users/lnk_1","value":"lnk_1"}]}]`,
			"add " + enterprisePrefix + `manager {"$ref":"../Users/lnk_1","value":"lnk_1"}` + "\n"},
		{"manager by $ref alone", "User", `[{"op":"Add","path":"manager","value":{"$ref":"https://x/scim/v2/Users/lnk_1"}}]`,
			"add " + enterprisePrefix + `manager {"$ref":"https://x/scim/v2/Users/lnk_1","value":"lnk_1"}` + "\n"},
		{"manager.value", "User", `[{"op":"replace","path":"` + enterprisePrefix + `manager.value","value":"lnk_1"}]`, "replace " + enterprisePrefix + `manager {"value":"lnk_1"}` + "\n"},
		{"manager removed by an empty value", "User", `[{"op":"Replace","path":"` + enterprisePrefix + `manager","value":{"value":""}}]`, "remove " + enterprisePrefix + "manager\n"},
		{"manager removed", "User", `[{"op":"Remove","path":"` + enterprisePrefix + `manager"}]`, "remove " + enterprisePrefix + "manager\n"},
		{"bare extension URN as path", "User", `[{"op":"replace","path":"` + enterpriseURN + `","value":{"department":"A","manager":"lnk_1","custom":"x"}}]`,
			"replace " + enterprisePrefix + "department \"A\"\nreplace " + enterprisePrefix + "manager {\"value\":\"lnk_1\"}\n"},
		{"extension in an object", "User", `[{"op":"add","value":{"` + enterpriseURN + `":{"costCenter":"7"}}}]`, "add " + enterprisePrefix + "costCenter \"7\"\n"},
		{"broken enterprise URN", "User", `[{"op":"add","value":{"urn: ietf:params:scim:schemas:extension:enterprise:2.0User:division":"D"}}]`, "add " + enterprisePrefix + "division \"D\"\n"},
		{"value path as a key", "User", `[{"op":"replace","value":{"emails[type eq \"work\"].value":"a@b"}}]`, "replace emails[type eq \"work\"].value \"a@b\"\n"},
		{"single object for a list", "User", `[{"op":"add","path":"emails","value":{"value":"a@b","primary":"True"}}]`, `add emails [{"primary":true,"value":"a@b"}]` + "\n"},
		{"roles primary as text", "User", `[{"op":"add","path":"roles[primary eq \"True\"].value","value":"x"}]`, "add roles[primary eq true].value \"x\"\n"},
		{"letter case", "User", `[{"OP":"ADD","Path":"EMAILS[TYPE eq \"work\"].VALUE","Value":"a@b"}]`, "add emails[type eq \"work\"].value \"a@b\"\n"},
		{"core URN", "User", `[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:displayName","value":"x"}]`, "replace displayName \"x\"\n"},
		{"null removes", "User", `[{"op":"replace","path":"title","value":null}]`, "remove title\n"},
		{"unknown extension is kept apart", "User", `[{"op":"add","path":"urn:x:custom:badge","value":"7"},{"op":"add","value":{"bogus":1}}]`, ""},
		{"id, schemas and meta in an object", "User", `[{"op":"replace","value":{"id":"x","schemas":[],"meta":{},"groups":[],"title":"t"}}]`, "replace title \"t\"\n"},
		{"active null says nothing", "User", `[{"op":"replace","path":"active","value":null},{"op":"remove","path":"active"}]`, ""},
		{"Entra removes members", "Group", `[{"op":"Remove","path":"members","value":[{"value":"a"},{"value":"b\"c"}]}]`, "remove members[value eq \"a\"]\nremove members[value eq \"b\\\"c\"]\n"},
		{"members by filter", "Group", `[{"op":"remove","path":"members[value eq \"a\"]"}]`, "remove members[value eq \"a\"]\n"},
		{"nothing to remove is not everything", "Group", `[{"op":"remove","path":"members","value":[]}]`, ""},
		{"null is not everything", "Group", `[{"op":"Remove","path":"members","value":null}]`, ""},
		{"all members", "Group", `[{"op":"remove","path":"members"},{"op":"replace","path":"members","value":[]}]`, "remove members\nremove members\n"},
		{"Okta without a path", "Group", `[{"op":"replace","value":{"id":"g","displayName":"n","members":[{"value":"a","display":"A"}]}}]`,
			"replace displayName \"n\"\nreplace members [{\"display\":\"A\",\"value\":\"a\"}]\n"},
		{"members as texts", "Group", `[{"op":"add","path":"members","value":["a","b",{"value":""}]}]`, `add members [{"value":"a"},{"value":"b"}]` + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := kindNamed(tc.kind)
			c, err := canonicaliseText(k, tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := canonicalLines(c.known); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			twice(t, k, c.known)
		})
	}
}

// twice holds that canonicalising a second time changes nothing.
func twice(t *testing.T, k *kind, operations []operation) {
	t.Helper()
	text, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if operations == nil {
		return
	}
	again, err := canonicaliseText(k, string(text))
	if err != nil {
		t.Fatalf("canonical operations are refused: %s: %v", text, err)
	}
	if canonicalLines(again.known) != canonicalLines(operations) || len(again.foreign) > 0 {
		t.Fatalf("canonical twice differs:\n%s---\n%s", canonicalLines(operations), canonicalLines(again.known))
	}
}

type sink struct {
	header http.Header
	status int
	body   strings.Builder
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return s.body.Write(b) }

// holds: attack scim-03
// holds: attack scim-04
func TestCanonicalRefused(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want scimerrors.ScimType
	}{
		{`[{"op":"replace","path":"active","value":"banana"}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"replace","value":{"active":"banana"}}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"replace","path":"emails[type eq \"work\"","value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"remove","path":"emails[type eq \"x\"].../../"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"remove","path":"emails[type eq \"x\"]value"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"replace","path":"bogus","value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"replace","path":"name.bogus","value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"replace","path":"title[value eq \"x\"]","value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"replace","path":"emails[bogus eq 1].value","value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"replace","path":7,"value":"x"}]`, scimerrors.ScimTypeInvalidPath},
		{`[{"op":"remove"}]`, scimerrors.ScimTypeNoTarget},
		{`[{"op":"remove","path":"userName"}]`, scimerrors.ScimTypeMutability},
		{`[{"op":"replace","path":"userName","value":""}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"replace","path":"id","value":"x"}]`, scimerrors.ScimTypeMutability},
		{`[{"op":"add","path":"groups","value":[{"value":"x"}]}]`, scimerrors.ScimTypeMutability},
		{`[{"op":"add","path":"meta.created","value":"x"}]`, scimerrors.ScimTypeMutability},
		{`[{"op":"add","path":"` + enterprisePrefix + `manager.displayName","value":"x"}]`, scimerrors.ScimTypeMutability},
		{`[{"op":"add","path":"title"}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"add","value":"x"}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"add","path":"title","value":["a","b"]}]`, scimerrors.ScimTypeInvalidValue},
		{`[{"op":"move","path":"title","value":"a"}]`, scimerrors.ScimTypeInvalidSyntax},
		{`[7]`, scimerrors.ScimTypeInvalidSyntax},
		{`{}`, scimerrors.ScimTypeInvalidSyntax},
		{`[` + strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 1000) + `{"op":"add","path":"title","value":"x"}]`, scimerrors.ScimTypeTooMany},
	} {
		_, err := canonicaliseText(userKind(), tc.in)
		var known scimerrors.ScimError
		if !errors.As(err, &known) || known.ScimType != tc.want {
			t.Errorf("%.80s: want %s, got %v", tc.in, tc.want, err)
		}
	}
}

func TestNormalise(t *testing.T) {
	for _, tc := range []struct{ name, kind, in, known, unknown string }{
		{"Entra POST with nulls and a broken enterprise URN", "User",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"externalId":"e","userName":"u","active":"True",
			"displayName":null,"emails":[{"primary":"True","type":"work","value":"a@b"},{"type":"other","value":null}],"meta":{"resourceType":"User"},"name":{"formatted":"F","givenName":null},"roles":[],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0User":{"department":"D","manager":null}}`,
			`{"active":true,"emails":[{"primary":true,"type":"work","value":"a@b"}],"externalId":"e","name":{"formatted":"F"},"roles":[],"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"},"userName":"u"}`, `{}`},
		{"Entra group with its extra schema", "Group",
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"e","displayName":"G","members":[],"meta":{}}`,
			`{"displayName":"G","externalId":"e","members":[],"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]}`, `{}`},
		{"OneLogin legacy core", "User", `{"schemas":["urn:scim:schemas:core:1.0"],"userName":"u"}`, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u"}`, `{}`},
		{"flat keys", "User", `{"USERNAME":"u","name.givenName":"G","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager":"m","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter":"c"}`,
			`{"name":{"givenName":"G"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"costCenter":"c","manager":{"value":"m"}},"userName":"u"}`, `{}`},
		{"unknown is kept apart", "User", `{"userName":"u","badge":7,"urn:x:y":{"a":null,"b":[1]},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"custom":"x"}}`,
			`{"userName":"u"}`, `{"badge":7,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:custom":"x","urn:x:y":{"a":null,"b":[1]}}`},
		{"lists of one and texts", "User", `{"userName":["u"],"emails":"a@b","phoneNumbers":{"value":"1"},"title":[]}`, `{"emails":[{"value":"a@b"}],"phoneNumbers":[{"value":"1"}],"userName":"u"}`, `{}`},
		{"read-only is dropped", "User", `{"id":"x","meta":{},"groups":[{"value":"g"}],"userName":"u"}`, `{"userName":"u"}`, `{}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			object, err := decode([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			n, err := kindNamed(tc.kind).normalise(object)
			if err != nil {
				t.Fatal(err)
			}
			known, _ := json.Marshal(n.known)
			unknown, _ := json.Marshal(n.unknown)
			if string(known) != tc.known || string(unknown) != tc.unknown {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", known, unknown, tc.known, tc.unknown)
			}
		})
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{`{"userName":"u","active":"True"}`, `{"schemas":"x","emails":[null,{"value":""},"a"]}`, `{"urn:a":{"b":null},"name":[{}]}`, `{"manager":{"$ref":"/"}}`, `{"members":{"value":["a"]}}`, `{"serialNumber":"s","price":1.50,"bought":"2026-01-02T03:04:05.5+08:00","key":"aGk","interfaces":[{"type":"x","seen":"2026-01-01T00:00:00"}],"tags":["a",""],"vendor":{"name":null,"contract":"k"}}`, `{"a.b":1,"NAME":{"Formatted":1}}`} {
		f.Add(seed)
	}
	kinds := fuzzKinds(f)
	f.Fuzz(func(t *testing.T, in string) {
		object, err := decode([]byte(in))
		if err != nil {
			mustRefuse(t, err)
			return
		}
		for _, k := range kinds {
			n, err := k.normalise(object)
			if err != nil {
				mustRefuse(t, err)
				continue
			}
			again, err := k.normalise(clone(n.known).(map[string]any))
			if err != nil {
				t.Fatalf("normal form refused: %v", err)
			}
			if !reflect.DeepEqual(again.known, n.known) || len(again.unknown) > 0 {
				t.Fatalf("normal twice differs:\n%v\n%v", n.known, again.known)
			}
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`[{"op":"Replace","path":"active","value":"False"}]`, `[{"op":"add","value":{"emails[type eq \"work\"].value":"x","name":{"givenName":null}}}]`,
		`[{"op":"remove","path":"members","value":[{"value":"a\"\u0001"}]}]`, `[{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":{"manager":[{"value":""}]}}]`,
		`[{"op":"replace","path":"emails[type eq 'x' and not (primary eq true)]","value":{"value":"b"}}]`, `[{"op":"add","path":"x509Certificates","value":"aGk="}]`,
		`[{"op":"replace","path":"tags[value eq \"a\" or value co \"b\"]","value":"c"},{"op":"remove","path":"interfaces[seen gt \"2026-01-01T00:00:00Z\" and primary eq true and type pr].psk"}]`,
		`[{"op":"remove","path":"tags","value":["a","b"]},{"op":"add","value":{"vendor":{"name":"n","contact":""},"cores":9007199254740993,"serialNumber":"x"}}]`} {
		f.Add(seed)
	}
	kinds := fuzzKinds(f)
	f.Fuzz(func(t *testing.T, in string) {
		for _, k := range kinds {
			c, err := canonicaliseText(k, in)
			if err != nil {
				mustRefuse(t, err)
				continue
			}
			twice(t, k, c.known)
		}
	})
}
