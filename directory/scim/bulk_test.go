package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

func bulkBody(failOnErrors int, operations ...string) string {
	return fmt.Sprintf(`{"schemas":["%s"],"failOnErrors":%d,"Operations":[%s]}`, bulkURN, failOnErrors, strings.Join(operations, ","))
}

func bulkUser(bulkID, body string) string {
	return `{"method":"POST","bulkId":"` + bulkID + `","path":"/Users","data":{"schemas":["` + userURN + `"],` + body + `}}`
}

func bulkGroup(bulkID, body string) string {
	return `{"method":"POST","bulkId":"` + bulkID + `","path":"/Groups","data":{"schemas":["` + groupURN + `"],` + body + `}}`
}

// bulk sends a bulk request and answers its results, and their statuses in a row.
func (s *service) bulk(body string) (results []resource, statuses string) {
	s.t.Helper()
	r := s.want(200, s.do("POST", "/Bulk", body))
	if !strings.Contains(r.raw, bulkResponseURN) {
		s.t.Fatalf("no bulk response: %s", r.raw)
	}
	results = elements(r.body, "Operations")
	var out []string
	for _, result := range results {
		out = append(out, text(result, "status"))
	}
	return results, strings.Join(out, " ")
}

func lastSegment(location string) string { return location[strings.LastIndexByte(location, '/')+1:] }

func TestBulkDoesEachOperationAsItsOwnRequest(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		old := s.user(`"userName":"old","title":"t"`).id()
		gone := s.user(`"userName":"gone"`).id()
		results, statuses := s.bulk(bulkBody(0,
			bulkUser("a", `"userName":"张伟","active":true`),
			bulkUser("twice", `"userName":"OLD"`),
			`{"method":"patch","path":"/Users/`+old+`","version":"W/\"1\"","data":`+patch(`{"op":"replace","path":"title","value":"neu"}`)+`}`,
			`{"method":"PATCH","path":"/Users/`+old+`","version":"W/\"1\"","data":`+patch(`{"op":"replace","path":"title","value":"late"}`)+`}`,
			`{"method":"PUT","path":"Users/`+old+`","data":{"schemas":["`+userURN+`"],"userName":"old","nickName":"n"}}`,
			`{"method":"DELETE","path":"/Users/`+gone+`"}`,
			`{"method":"DELETE","path":"/Users/`+gone+`"}`,
			`{"method":"GET","path":"/Users/`+old+`"}`,
			`{"method":"POST","path":"/Users","data":{}}`,
			`{"method":"POST","bulkId":"b","path":"/Bulk","data":{}}`,
			`{"method":"POST","bulkId":"c","path":"/Users/.search","data":{"schemas":["`+searchURN+`"]}}`,
			`{"method":"DELETE","path":"/Schemas/`+userURN+`"}`,
			`{"method":"DELETE","path":"https://example.com/Users/x"}`,
			`{"method":"PUT","path":"/Users/`+old+`"}`,
			`"what"`))
		if want := "201 409 200 412 200 204 404 400 400 404 404 404 400 400 400"; statuses != want {
			t.Fatalf("statuses %s\nwant     %s", statuses, want)
		}
		if a := results[0]; text(a, "bulkId") != "a" || !strings.HasPrefix(text(a, "location"), "https://rollcall.example/scim/v2/Users/lnk_") || text(a, "version") != `W/"1"` || a["response"] != nil {
			t.Errorf("created %v", a)
		}
		if e := results[1]; text(e, "response", "scimType") != "uniqueness" || text(e, "response", "status") != "409" || e["location"] != nil {
			t.Errorf("conflict %v", e)
		}
		if p := results[2]; text(p, "version") != `W/"2"` || text(p, "location") != "https://rollcall.example/scim/v2/Users/"+old {
			t.Errorf("patched %v", p)
		}
		if p := results[3]; text(p, "location") == "" || p["response"] == nil {
			t.Errorf("precondition %v", p)
		}
		got := s.want(200, s.do("GET", "/Users/"+old, ""))
		if text(got.body, "nickName") != "n" || got.body["title"] != nil {
			t.Errorf("the user is %s", got.raw)
		}
		s.want(404, s.do("GET", "/Users/"+gone, ""))
	})
}

// References go forwards, backwards, in paths, in value filters and round in circles (RFC 7644 section 3.7.1, 3.7.2).
func TestBulkReferences(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		results, statuses := s.bulk(bulkBody(1,
			bulkGroup("g", `"displayName":"研发","members":[{"type":"User","value":"bulkId:u"},{"value":"bulkId:v"}]`),
			bulkUser("u", `"userName":"u","`+enterpriseURN+`":{"manager":{"value":"bulkId:v"}}`),
			bulkUser("v", `"userName":"v"`),
			`{"method":"PATCH","path":"/Groups/bulkId:g","data":`+patch(`{"op":"remove","path":"members[value eq \"bulkId:v\"]"}`)+`}`))
		if statuses != "201 201 201 204" || text(results[0], "bulkId") != "g" {
			t.Fatalf("statuses %s", statuses)
		}
		g, u, v := lastSegment(text(results[0], "location")), lastSegment(text(results[1], "location")), lastSegment(text(results[2], "location"))
		if m := s.members(g); len(m) != 1 || !m[u] {
			t.Errorf("members %v", m)
		}
		if s.record(u).ManagerKey != v {
			t.Errorf("manager %q, want %q", s.record(u).ManagerKey, v)
		}

		results, statuses = s.bulk(bulkBody(0,
			bulkGroup("one", `"displayName":"one","members":[{"value":"bulkId:two"},{"value":"`+u+`"}]`),
			bulkGroup("two", `"displayName":"two","members":[{"value":"bulkId:one","$ref":"/Groups/bulkId:one"}]`),
			bulkUser("me", `"userName":"self","`+enterpriseURN+`":{"department":"研发","manager":"bulkId:me"}`)))
		if statuses != "201 201 201" {
			t.Fatalf("statuses %s: %v", statuses, results)
		}
		one, two, me := lastSegment(text(results[0], "location")), lastSegment(text(results[1], "location")), lastSegment(text(results[2], "location"))
		if !s.members(one)[two] || !s.members(one)[u] || !s.members(two)[one] {
			t.Errorf("one %v, two %v", s.members(one), s.members(two))
		}
		if r := s.record(me); r.ManagerKey != me || r.Department != "研发" {
			t.Errorf("self %+v", r)
		}
		if tag := s.do("GET", "/Groups/"+one, "").header.Get("Etag"); text(results[0], "version") != tag {
			t.Errorf("version %v, want %s", results[0]["version"], tag)
		}

		_, statuses = s.bulk(bulkBody(0,
			bulkGroup("x", `"displayName":"x","members":[{"value":"bulkId:bad"}]`),
			bulkUser("bad", `"userName":"u"`),
			`{"method":"DELETE","path":"/Users/bulkId:bad"}`,
			`{"method":"DELETE","path":"/Users/bulkId:nobody"}`))
		if statuses != "409 409 409 409" || s.total("/Groups", `displayName eq "x"`) != "0" {
			t.Errorf("statuses %s", statuses)
		}
	})
}

func TestBulkStopsAtFailOnErrors(t *testing.T) {
	for limit, want := range map[int]string{0: "201 409 201 409 201", 1: "201 409", 2: "201 409 201 409", 3: "201 409 201 409 201"} {
		s := start(t, dbtest.SQLite(t))
		_, statuses := s.bulk(bulkBody(limit, bulkUser("a", `"userName":"a"`), bulkUser("b", `"userName":"a"`), bulkUser("c", `"userName":"c"`),
			bulkUser("d", `"userName":"c"`), bulkUser("e", `"userName":"e"`)))
		if statuses != want {
			t.Errorf("failOnErrors %d: %s, want %s", limit, statuses, want)
		}
	}
}

func TestBulkLimits(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	if config := s.do("GET", "/ServiceProviderConfig", ""); !strings.Contains(config.raw, `"bulk":{"maxOperations":1000,"maxPayloadSize":1048576,"supported":true}`) {
		t.Errorf("configuration %s", config.raw)
	}
	many := make([]string, maxOperations+1)
	for i := range many {
		many[i] = `{"method":"DELETE","path":"/Users/x"}`
	}
	s.wantError(413, "", s.do("POST", "/Bulk", bulkBody(0, many...)))
	s.wantError(413, "", s.do("POST", "/Bulk", bulkBody(0, bulkUser("a", `"userName":"`+strings.Repeat("x", maxBody)+`"`))))
	if _, statuses := s.bulk(bulkBody(0, many[:maxOperations]...)); strings.Count(statuses, "404") != maxOperations {
		t.Errorf("statuses %.40s", statuses)
	}
	for _, body := range []string{`{}`, `{"schemas":["` + bulkURN + `"]}`, bulkBody(0), bulkBody(-1, many[0]), bulkBody(0, bulkUser("a", `"userName":"1"`), bulkUser("a", `"userName":"2"`)),
		`{"schemas":["` + patchURN + `"],"Operations":[` + many[0] + `]}`, `{"schemas":["` + bulkURN + `"],"Operations":{}}`, `{"schemas":["` + bulkURN + `"],"failOnErrors":"1","Operations":[` + many[0] + `]}`} {
		s.wantError(400, "invalidSyntax", s.do("POST", "/Bulk", body))
	}
	if r := s.do("GET", "/Bulk", ""); r.status != 405 || r.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d %s", r.status, r.header.Get("Allow"))
	}
	s.wantError(404, "", s.do("POST", "/Bulk/x", "{}"))
	_, statuses := s.bulk(bulkBody(0, bulkUser("text", `"userName":7`), `{"method":"POST","bulkId":7,"path":"/Users","data":{}}`, `{"method":"POST","bulkId":"y","path":"/Users/%zz","data":{}}`))
	if statuses != "400 400 400" {
		t.Errorf("statuses %s", statuses)
	}
}

// What a bulk request costs is taken off what the source may do next; the request itself is never half done for it.
func TestBulkCounts(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, dbtest.SQLite(t), func(o *Options) { o.Rate, o.Burst, o.Now = 2, 3, func() time.Time { return clock } })
	if _, statuses := s.bulk(bulkBody(0, bulkUser("a", `"userName":"a"`), bulkUser("b", `"userName":"b"`), bulkUser("c", `"userName":"c"`))); statuses != "201 201 201" {
		t.Errorf("statuses %s", statuses)
	}
	s.wantError(429, "", s.do("GET", "/Users", ""))
	clock = clock.Add(2 * time.Second)
	s.want(200, s.do("GET", "/Users", ""))
}

func FuzzBulk(f *testing.F) {
	s := start(f, dbtest.SQLite(f))
	for _, seed := range []string{bulkBody(1, bulkUser("a", `"userName":"a"`)), bulkBody(0, bulkGroup("g", `"displayName":"g","members":["bulkId:g"]`)),
		bulkBody(0, bulkUser("a", `"manager":"bulkId:b"`), bulkUser("b", `"manager":"bulkId:a"`)), bulkBody(0, `{"method":"PATCH","path":"/Users/bulkId:","data":{"Operations":[{"path":"\"bulkId:"}]}}`),
		bulkBody(0, `{"method":"DELETE","path":"//x@y/..%2f"}`), `{"schemas":["` + bulkURN + `"],"Operations":[null]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, Root+"/Bulk", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+s.secret)
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), `"status":"500"`) {
			t.Fatalf("%q answers %d %s\n%s", body, w.Code, w.Body, s.log)
		}
	})
}
