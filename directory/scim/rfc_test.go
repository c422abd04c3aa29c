package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// sentence is one statement of RFC 7643 or 7644 and a request that shows it. In what is sent and wanted, USER and GROUP
// are the ids of a user and a group; behind the method may stand a header.
type sentence struct {
	section, method, target, body string
	status                        int
	want                          string // scimType of an error, else a part of the answer or of a header "Name: value"; "!" before it: not a part
}

func sentences() []sentence {
	user := func(more string) string { return `{"schemas":["` + userURN + `"],` + more + `}` }
	return []sentence{
		// Queries: RFC 7644 section 3.4.2.
		{"3.4.2", "GET", "/Users?count=0", "", 200, `"Resources":[]`},
		{"3.4.2", "GET", "/Users?count=0", "", 200, `"totalResults":2`},
		{"3.4.2", "GET", "/Users?filter=userName eq \"nobody\"", "", 200, `"totalResults":0`},
		{"3.4.2.4", "GET", "/Users?count=-5", "", 200, `"itemsPerPage":0`},
		{"3.4.2.4", "GET", "/Users?startIndex=0&count=1", "", 200, `"startIndex":1`},
		{"3.4.2.4", "GET", "/Users?startIndex=-9", "", 200, `"startIndex":1`},
		{"3.4.2.4", "GET", "/Users?startIndex=99", "", 200, `"itemsPerPage":0`},
		{"3.4.2.4", "GET", "/Users?startIndex=99", "", 200, `"totalResults":2`},
		{"3.4.2.4", "GET", "/Users?startIndex=abc", "", 400, "invalidValue"},
		{"3.4.2.4", "GET", "/Users?count=abc", "", 400, "invalidValue"},
		{"3.4.2.4", "GET", "/Users?count=1.5", "", 400, "invalidValue"},
		{"3.4.2.4", "GET", "/Users?count=99999999999999999999", "", 400, "invalidValue"},
		{"3.4.2.4", "GET", "/Users?count=1000", "", 200, `"itemsPerPage":2`},
		{"3.4.2.4", "GET", "/?startIndex=abc", "", 400, "invalidValue"},
		{"3.4.2.3", "GET", "/Users?sortBy=userName&sortOrder=DESCENDING&attributes=userName", "", 200, `"userName":"bjensen"`},
		{"3.4.2.3", "GET", "/Users?sortBy=userName&sortOrder=sideways", "", 400, "invalidValue"},
		{"3.4.2.3", "GET", "/Users?sortOrder=descending", "", 200, ""},
		{"3.4.2.3", "GET", "/Users?sortBy=emails", "", 200, ""},
		{"3.4.2.3", "GET", "/Users?sortBy=roles", "", 200, ""},
		{"3.4.2.3", "GET", "/Users?sortBy=addresses.locality", "", 200, ""},
		{"3.4.2.3", "GET", "/Users?sortBy=nothing", "", 400, "invalidValue"},
		{"3.4.2.3", "GET", "/Users?sortBy=password", "", 400, "invalidValue"},
		{"3.4.2.2 names ignore case", "GET", `/Users?filter=USERNAME EQ "BJENSEN"`, "", 200, `"totalResults":1`},
		{"3.4.2.2 full URN", "GET", `/Users?filter=` + userURN + `:userName sw "b"`, "", 200, `"totalResults":1`},
		{"3.4.2.2 full URN in any case", "GET", `/Users?filter=` + strings.ToUpper(userURN) + `:name.familyName co "ense"`, "", 200, `"totalResults":1`},
		{"3.4.2.2 and before or", "GET", `/Users?filter=userName eq "other" or userName eq "bjensen" and active eq false`, "", 200, `"totalResults":1`},
		{"3.4.2.2 not first", "GET", `/Users?filter=not (active eq true) or userName pr`, "", 200, `"totalResults":2`},
		{"3.4.2.2 grouping", "GET", `/Users?filter=(userName eq "other" or userName eq "bjensen") and not (userName eq "other")`, "", 200, `"totalResults":1`},
		{"3.4.2.2 ne and what is missing", "GET", `/Users?filter=title ne "Boss"`, "", 200, `"totalResults":2`},
		{"3.4.2.2 pr of a complex", "GET", `/Users?filter=name pr`, "", 200, `"totalResults":1`},
		{"3.4.2.2 pr of several", "GET", `/Users?filter=emails pr`, "", 200, `"totalResults":1`},
		{"3.4.2.2 order of booleans", "GET", `/Users?filter=active gt true`, "", 400, "invalidFilter"},
		{"3.4.2.2 order of binaries", "GET", `/Users?filter=x509Certificates.value ge "a"`, "", 400, "invalidFilter"},
		{"3.4.2.2 order of times", "GET", `/Users?filter=meta.lastModified gt "2011-05-13T04:42:34Z"`, "", 200, `"totalResults":2`},
		{"3.4.2.2 value filter", "GET", `/Users?filter=emails[type eq "work" and value co "@example.com"]`, "", 200, `"totalResults":1`},
		{"3.4.2.2 value filters together", "GET", `/Users?filter=emails[type eq "work"] or ims[type eq "xmpp" and value co "@foo.com"]`, "", 200, `"totalResults":1`},
		{"3.4.2.2 an operator there is not", "GET", `/Users?filter=userName re "b.*"`, "", 400, "invalidFilter"},
		{"3.4.2.2 an attribute there is not", "GET", `/Users?filter=favourite eq "x"`, "", 400, "invalidFilter"},
		{"3.4.2.2 the password", "GET", `/Users?filter=password sw "a"`, "", 400, "invalidFilter"},
		{"3.4.2.1 the root", "GET", `/?filter=meta.resourceType eq "Group"`, "", 200, `"totalResults":1`},
		{"3.4.3", "POST", "/Users/.search", `{"schemas":["` + searchURN + `"],"filter":"userName eq \"bjensen\"","attributes":["userName"],"startIndex":1,"count":10}`, 200, `"totalResults":1`},
		{"3.4.3", "POST", "/.search", `{"schemas":["` + searchURN + `"],"filter":"displayName sw \"Tour\"","count":1}`, 200, `"totalResults":1`},
		{"3.4.3", "POST", "/Users/.search", `{"schemas":["` + searchURN + `"],"count":"x"}`, 400, "invalidSyntax"},
		{"3.4.3", "POST", "/Users/.search", `{"filter":"x"}`, 400, "invalidSyntax"},
		// What is answered: sections 3.4.2.5, 3.9, 3.14.
		{"3.9", "GET", "/Users/USER?attributes=userName", "", 200, `!"emails"`},
		{"3.9", "GET", "/Users/USER?attributes=userName", "", 200, `"id":"USER"`},
		{"3.9", "GET", "/Users/USER?attributes=" + userURN + ":name.familyName", "", 200, `"name":{"familyName":"Jensen"}`},
		{"3.9", "GET", "/Users/USER?attributes=EMAILS.VALUE", "", 200, `"emails":[{"value":"b@example.com"}]`},
		{"3.9", "GET", "/Users/USER?excludedAttributes=emails,name.familyName", "", 200, `!"emails"`},
		{"3.9", "GET", "/Users/USER?excludedAttributes=id,schemas,meta", "", 200, `"id":"USER"`},
		{"3.9 both", "GET", "/Users/USER?attributes=userName&excludedAttributes=userName", "", 200, `"userName":"bjensen"`},
		{"3.9 on a write", "PATCH", "/Users/USER?attributes=title", patch(`{"op":"add","path":"title","value":"t"}`), 200, `!"userName"`},
		{"3.9 a name nothing has", "GET", "/Users/USER?attributes=nothing", "", 200, `!"userName"`},
		{"3.14", "GET", "/Users/USER", "", 200, `Etag: W/"`},
		{"3.14", "GET", "/Users/USER", "", 200, `"version":"W/\"`},
		// HTTP: sections 3.1, 3.8, 3.12 and RFC 9110.
		{"3.8", "GET", "/Users/USER", "", 200, "Content-Type: application/scim+json"},
		{"9110 9.3.2", "HEAD", "/Users/USER", "", 200, `Etag: W/"`},
		{"9110 9.3.2", "HEAD", "/Users/nobody", "", 404, ""},
		{"9110 9.3.2", "HEAD", "/Users", "", 200, ""},
		{"9110 9.3.2", "HEAD", "/ServiceProviderConfig", "", 200, ""},
		{"9110 9.3.7", "OPTIONS", "/Users", "", 204, "Allow: GET, HEAD, POST, OPTIONS"},
		{"9110 9.3.7", "OPTIONS", "/Users/USER", "", 204, "Allow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS"},
		{"9110 15.5.6", "DELETE", "/Users", "", 405, "Allow: GET, HEAD, POST, OPTIONS"},
		{"9110 15.5.6", "POST", "/Users/USER", "{}", 405, ""},
		{"3.12", "GET", "/nothing", "", 404, `"status":"404"`},
		{"3.12", "GET", "/Users/nobody", "", 404, `"urn:ietf:params:scim:api:messages:2.0:Error"`},
		{"3.11", "GET", "/Me", "", 501, ""},
		// JSON: section 3.8, RFC 8259 sections 4 and 8.2, RFC 7643 section 2.1.
		{"8259 8.2 half a character", "POST", "/Users", user(`"userName":"\ud83d"`), 400, "invalidSyntax"},
		{"8259 8.2 the other half", "PATCH", "/Users/USER", patch(`{"op":"add","path":"title","value":"a\udc00b"}`), 400, "invalidSyntax"},
		{"8259 8.2 halves the wrong way round", "POST", "/Users", user(`"userName":"x","title":"\udc00\ud83d"`), 400, "invalidSyntax"},
		{"8259 8.2 a whole one", "PATCH", "/Users/USER", patch(`{"op":"add","path":"title","value":"\ud83d\ude00 \\ud83d"}`), 200, `😀 \\ud83d`},
		{"8259 4 a name twice", "POST", "/Users", user(`"userName":"x1","userName":"x2"`), 400, "invalidSyntax"},
		{"8259 4 a name twice inside", "POST", "/Users", user(`"userName":"x1","name":{"givenName":"a","givenName":"b"}`), 400, "invalidSyntax"},
		{"2.1 a name twice but for case", "POST", "/Users", user(`"userName":"x1","USERNAME":"x2"`), 400, "invalidSyntax"},
		{"3.3 no schemas", "POST", "/Users", `{"userName":"x"}`, 400, "invalidSyntax"},
		{"3.3 another schema", "POST", "/Users", `{"schemas":["` + groupURN + `"],"userName":"x"}`, 400, "invalidSyntax"},
		// Creating: section 3.3.
		{"3.3 uniqueness", "POST", "/Users", user(`"userName":"BJensen"`), 409, "uniqueness"},
		{"3.3 read-only is ignored", "POST", "/Users", user(`"userName":"ro","id":"mine","meta":{"created":"2000-01-01T00:00:00Z"}`), 201, `!"id":"mine"`},
		{"3.3 required", "POST", "/Users", user(`"title":"x"`), 400, "invalidValue"},
		{"3.3 types", "POST", "/Users", user(`"userName":7`), 400, "invalidValue"},
		{"3.3 location", "POST", "/Users", user(`"userName":"loc"`), 201, "Location: https://rollcall.example/scim/v2/Users/lnk_"},
		{"7643 2.4 two primaries", "POST", "/Users", user(`"userName":"pp","emails":[{"value":"a","primary":true},{"value":"b","primary":true}]`), 400, "invalidValue"},
		{"7643 2.5 null is not there", "POST", "/Users", user(`"userName":"nul","title":null,"emails":[]`), 201, `!"title"`},
		// Replacing: section 3.5.1.
		{"3.5.1", "PUT", "/Users/USER", user(`"userName":"bjensen","emails":[{"value":"b@example.com","type":"work","primary":true}],"name":{"familyName":"Jensen"}`), 200, `!"title"`},
		{"3.5.1 read-only is ignored", "PUT", "/Users/USER", user(`"userName":"bjensen","id":"other","name":{"familyName":"Jensen"},"emails":[{"value":"b@example.com","type":"work","primary":true}]`), 200, `"id":"USER"`},
		{"3.5.1 not there", "PUT", "/Users/nobody", user(`"userName":"x"`), 404, ""},
		{"3.5.1 required", "PUT", "/Users/USER", user(`"title":"x"`), 400, "invalidValue"},
		{"3.5.1 taken", "PUT", "/Users/USER", user(`"userName":"other"`), 409, "uniqueness"},
		// Changing: section 3.5.2.
		{"3.5.2 schemas", "PATCH", "/Users/USER", `{"Operations":[{"op":"add","path":"title","value":"x"}]}`, 400, "invalidSyntax"},
		{"3.5.2 no operation", "PATCH", "/Users/USER", patch(``), 400, "invalidValue"},
		{"3.5.2 an op there is not", "PATCH", "/Users/USER", patch(`{"op":"move","path":"title","value":"x"}`), 400, "invalidSyntax"},
		{"3.5.2 all or nothing", "PATCH", "/Users/USER", patch(`{"op":"add","path":"nickName","value":"Babs"},{"op":"remove","path":"userName"}`), 400, "mutability"},
		{"3.5.2 all or nothing", "GET", "/Users/USER", "", 200, `!"nickName"`},
		{"3.5.2.1 add to a complex keeps the rest", "PATCH", "/Users/USER", patch(`{"op":"add","path":"name","value":{"givenName":"Babs"}}`), 200, `"name":{"familyName":"Jensen","givenName":"Babs"}`},
		{"3.5.2.1 add without a path", "PATCH", "/Users/USER", patch(`{"op":"add","value":{"emails":[{"value":"c@example.com","type":"home"}],"nickName":"Babs"}}`), 200, `{"type":"home","value":"c@example.com"}`},
		{"3.5.2.1 the same value once more", "PATCH", "/Users/USER", patch(`{"op":"add","path":"emails","value":[{"value":"c@example.com","type":"home"}]}`), 200, `!"c@example.com"},{"type":"home","value":"c@`},
		{"3.5.2 one primary", "PATCH", "/Users/USER", patch(`{"op":"add","path":"emails","value":[{"value":"d@example.com","primary":true}]}`), 200, `{"primary":false,"type":"work","value":"b@example.com"}`},
		{"3.5.2 one primary by a filter", "PATCH", "/Users/USER", patch(`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`), 200, `{"primary":false,"value":"d@example.com"}`},
		{"3.5.2.3 replace of a complex keeps the rest", "PATCH", "/Users/USER", patch(`{"op":"replace","path":"name","value":{"givenName":"Barbara"}}`), 200, `"name":{"familyName":"Jensen","givenName":"Barbara"}`},
		{"3.5.2.3 replace without a path", "PATCH", "/Users/USER", patch(`{"op":"replace","value":{"nickName":"B"}}`), 200, `"nickName":"B"`},
		{"3.5.2.3 all that match", "PATCH", "/Users/USER", patch(`{"op":"replace","path":"emails[value ew \"example.com\" and type pr].display","value":"x"}`), 200, `{"display":"x","primary":false,"type":"work"`},
		{"3.5.2.3 none matches", "PATCH", "/Users/USER", patch(`{"op":"replace","path":"emails[type eq \"none\"].value","value":"x"}`), 400, "noTarget"},
		{"3.5.2.2 by a filter of three", "PATCH", "/Users/USER", patch(`{"op":"remove","path":"emails[value eq \"d@example.com\" and not (type pr) and primary eq false]"}`), 200, `!d@example.com`},
		{"3.5.2.2 of a sub-attribute", "PATCH", "/Users/USER", patch(`{"op":"remove","path":"emails[type eq \"home\"].display"}`), 200, `{"primary":true,"type":"home","value":"c@example.com"}`},
		{"3.5.2.2 without a path", "PATCH", "/Users/USER", patch(`{"op":"remove"}`), 400, "noTarget"},
		{"3.5.2.2 required", "PATCH", "/Users/USER", patch(`{"op":"remove","path":"userName"}`), 400, "mutability"},
		{"3.5.2.2 read-only", "PATCH", "/Users/USER", patch(`{"op":"remove","path":"meta.created"}`), 400, "mutability"},
		{"3.5.2.2 what is not there", "PATCH", "/Users/USER", patch(`{"op":"remove","path":"profileUrl"}`), 200, ""},
		{"3.5.2 a path there is not", "PATCH", "/Users/USER", patch(`{"op":"add","path":"favourite","value":"x"}`), 400, "invalidPath"},
		{"3.5.2 a path that is none", "PATCH", "/Users/USER", patch(`{"op":"add","path":"a b","value":"x"}`), 400, "invalidPath"},
		{"3.5.2 a wrong type", "PATCH", "/Users/USER", patch(`{"op":"replace","path":"emails","value":[{"value":7}]}`), 400, "invalidValue"},
		{"3.5.2 the answer of a group", "PATCH", "/Groups/GROUP", patch(`{"op":"add","path":"members","value":[{"value":"USER"}]}`), 204, ""},
		{"3.5.2 the answer with attributes", "PATCH", "/Groups/GROUP?attributes=displayName", patch(`{"op":"add","path":"members","value":[{"value":"USER"}]}`), 200, `"displayName":"Tour Guides"`},
		// Discovery: section 4, RFC 7643 sections 5 to 7.
		{"4", "GET", "/Schemas/" + strings.ToLower(userURN), "", 200, `"id":"` + userURN + `"`},
		{"4", "GET", "/ResourceTypes/User", "", 200, `"name":"User"`},
		{"4", "GET", "/Schemas?filter=id pr", "", 403, `"status":"403"`},
		{"4", "GET", "/ResourceTypes?filter=name pr", "", 403, `"status":"403"`},
		{"4", "GET", "/ServiceProviderConfig?filter=patch pr", "", 403, `"status":"403"`},
		{"4", "GET", "/Schemas?count=1&startIndex=3", "", 200, `"startIndex":1`},
		{"4", "POST", "/Schemas", "{}", 405, ""},
		{"4", "GET", "/Schemas/urn:nothing", "", 404, ""},
		{"7643 5", "GET", "/ServiceProviderConfig", "", 200, `"changePassword":{"supported":false}`},
		{"7643 5", "GET", "/ServiceProviderConfig", "", 200, `"filter":{"maxResults":200,"supported":true}`},
		{"7643 5", "GET", "/ServiceProviderConfig", "", 200, `"bulk":{"maxOperations":1000,"maxPayloadSize":1048576,"supported":true}`},
		{"7643 5", "GET", "/ServiceProviderConfig", "", 200, `"type":"oauthbearertoken"`},
		{"7643 6", "GET", "/ResourceTypes", "", 200, `"endpoint":"/Users"`},
		// Bulk: section 3.7.
		{"3.7", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"POST","path":"/Users","bulkId":"q","data":` + user(`"userName":"bulk"`) + `}]}`, 200, `"status":"201"`},
		{"3.7", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"DELETE","path":"/Users/nobody"}]}`, 200, `"status":"404"`},
		{"3.7", "GET", "/Bulk", "", 405, "Allow: POST, OPTIONS"},
		{"3.7.3", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"failOnErrors":1,"Operations":[{"method":"DELETE","path":"/Users/a"},{"method":"DELETE","path":"/Users/b"}]}`, 200, `!/Users/b`},
		{"3.7.1 a circle is resolved", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"POST","path":"/Groups","bulkId":"a","data":{"schemas":["` + groupURN + `"],"displayName":"a","members":[{"type":"Group","value":"bulkId:b"}]}},` +
			`{"method":"POST","path":"/Groups","bulkId":"b","data":{"schemas":["` + groupURN + `"],"displayName":"b","members":[{"type":"Group","value":"bulkId:a"}]}}]}`, 200, `!"status":"4`},
		{"3.7.2 a bulkId there is not", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"POST","path":"/Groups","bulkId":"c","data":{"schemas":["` + groupURN + `"],"displayName":"c","members":[{"value":"bulkId:zz"}]}}]}`, 200, `"status":"409"`},
		{"3.7 a POST without bulkId", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"POST","path":"/Users","data":` + user(`"userName":"nob"`) + `}]}`, 200, `"status":"400"`},
		{"3.7.4", "POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[` + strings.TrimSuffix(strings.Repeat(`{"method":"DELETE","path":"/Users/x"},`, maxOperations+1), ",") + `]}`, 413, `"status":"413"`},
		// Versions: section 3.14, RFC 9110 section 13.1.
		{"9110 13.1.2", "GET If-None-Match: *", "/Users/USER", "", 304, ""},
		{"9110 13.1.2", `GET If-None-Match: W/"0"`, "/Users/USER", "", 200, ""},
		{"9110 13.1.2", "HEAD If-None-Match: *", "/Users/USER", "", 304, ""},
		{"9110 13.1.1", "PATCH If-Match: *", "/Users/USER", patch(`{"op":"add","path":"title","value":"v"}`), 200, ""},
		{"9110 13.1.1", `PUT If-Match: W/"0"`, "/Users/USER", user(`"userName":"bjensen"`), 412, ""},
		{"9110 13.1.1", "PUT If-Match: *", "/Users/nobody", user(`"userName":"bjensen"`), 404, ""},
		{"9110 13.1.1", `DELETE If-Match: W/"0"`, "/Users/USER", "", 412, ""},
		{"9110 12.5.1 no reason to refuse", "GET Accept: text/html", "/Users/USER", "", 200, "Content-Type: application/scim+json"},
		{"3.8", "POST Content-Type: text/plain", "/Users", user(`"userName":"txt"`), 415, ""},
		// Deleting: section 3.6.
		{"3.6", "DELETE", "/Users/USER", "", 204, ""},
		{"3.6", "GET", "/Users/USER", "", 404, ""},
		{"3.6", "DELETE", "/Users/USER", "", 404, ""},
		{"3.6 the name is free", "POST", "/Users", user(`"userName":"bjensen"`), 201, ""},
	}
}

// The sentences are shown one after the other on one server.
func TestSentencesOfTheRFCs(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		user := s.user(`"userName":"bjensen","name":{"familyName":"Jensen"},"emails":[{"value":"b@example.com","type":"work","primary":true}]`).id()
		s.user(`"userName":"other"`)
		group := s.group(`"displayName":"Tour Guides"`).id()
		ids := strings.NewReplacer("/USER", "/"+user, `"USER"`, `"`+user+`"`, "/GROUP", "/"+group)
		for _, c := range sentences() {
			method, header, _ := strings.Cut(c.method, " ")
			r := s.do(method, ids.Replace(c.target), ids.Replace(c.body), append([]string{}, header)[:min(len(header), 1)]...)
			want, without := strings.CutPrefix(ids.Replace(c.want), "!")
			told := r.raw
			for name := range r.header {
				told += "\n" + name + ": " + r.header.Get(name)
			}
			kind := text(r.body, "scimType")
			ok := strings.Contains(told, want) != without || want == ""
			if kind != "" {
				ok = kind == want
			}
			if r.status != c.status || !ok {
				t.Errorf("section %s: %s %s %s\nwant %d %s\ngot  %d %s", c.section, c.method, c.target, c.body, c.status, c.want, r.status, fmt.Sprintf("%.700s", told))
			}
			if method == "HEAD" && r.raw != "" {
				t.Errorf("section %s: HEAD is answered a body", c.section)
			}
		}
	})
}
