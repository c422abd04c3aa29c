package scim

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A query over all resource types finds users and groups, and pages over both as over one list.
func TestRootQuery(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var all []string
		for i := range 3 {
			all = append(all, s.user(fmt.Sprintf(`"userName":"u%d","displayName":"x","nickName":"n"`, i)).id())
		}
		for i := range 2 {
			all = append(all, s.group(fmt.Sprintf(`"displayName":"x%d","members":["%s"]`, i, all[0])).id())
		}
		ask := func(query string) (ids []string, total string, raw string) {
			t.Helper()
			r := s.want(200, s.do("GET", "/?"+query, ""))
			for _, e := range elements(r.body, "Resources") {
				ids = append(ids, text(e, "id"))
			}
			return ids, fmt.Sprint(r.body["totalResults"]), r.raw
		}
		ordered := []string{all[2], all[1], all[0], all[4], all[3]} // of each type the newest first
		for start := 1; start <= 6; start++ {
			for count := 0; count <= 6; count++ {
				got, total, _ := ask(fmt.Sprintf("startIndex=%d&count=%d", start, count))
				if want := ordered[min(start-1, 5):min(start-1+count, 5)]; !slices.Equal(got, want) || total != "5" {
					t.Errorf("from %d, %d: %v of %s, want %v", start, count, got, total, want)
				}
			}
		}
		for filter, want := range map[string]string{`meta.resourceType eq "User"`: "3", `meta.resourceType eq "Group"`: "2", `displayName sw "x"`: "5", `userName eq "u1"`: "1",
			`userName eq "u1" or displayName eq "x1"`: "2", `not (userName pr)`: "2", `userName ne "u1"`: "4", `members eq "` + all[0] + `"`: "2", `members[value eq "` + all[0] + `"] or userName eq "u2"`: "3",
			`emails[type eq "work"] or externalId pr`: "0", `displayName eq "x0" and not (nickName eq "n")`: "1", `id eq "` + all[4] + `"`: "1"} {
			if _, total, raw := ask("filter=" + url.QueryEscape(filter)); total != want {
				t.Errorf("%s finds %s, want %s: %s", filter, total, want, raw)
			}
		}
		if _, _, raw := ask("attributes=userName,members"); !strings.Contains(raw, `"userName":"u0"`) || !strings.Contains(raw, `"members"`) || strings.Contains(raw, "nickName") {
			t.Errorf("projected %s", raw)
		}
		r := s.want(200, s.do("POST", "/.search", `{"schemas":["`+searchURN+`"],"filter":"userName eq \"u2\"","attributes":["userName"]}`))
		if e := elements(r.body, "Resources"); len(e) != 1 || text(e[0], "userName") != "u2" || text(e[0], "meta", "location") != "" {
			t.Errorf("searched %s", r.raw)
		}
		for _, filter := range []string{`nothing eq "x"`, `password pr`, `userName eq`, `active gt true`, `members.display eq "x"`} {
			s.wantError(400, "invalidFilter", s.do("GET", "/?filter="+url.QueryEscape(filter), ""))
		}
		for _, query := range []string{"sortBy=userName", "cursor=", "startIndex=x", "count=x"} {
			s.wantError(400, "invalidValue", s.do("GET", "/?"+query, ""))
		}
		if r := s.do("POST", "/", "{}"); r.status != 405 || r.header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("POST /: %d %s", r.status, r.header.Get("Allow"))
		}
		if r := s.do("GET", "/.search", ""); r.status != 405 || r.header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("GET /.search: %d %s", r.status, r.header.Get("Allow"))
		}
		_, other, _ := s.newSource("okta")
		if r := s.want(200, s.as(other, "GET", "/", "")); fmt.Sprint(r.body["totalResults"]) != "0" {
			t.Errorf("another source sees %s", r.raw)
		}
	})
}

// No token means a user, in any method (RFC 7644 section 3.11).
func TestMe(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		s.wantError(501, "", s.do(method, "/Me", ""))
		s.wantError(501, "", s.do(method, "/me/", ""))
	}
}

// Preconditions hold in each of their forms (RFC 7644 section 3.14).
func TestPreconditions(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		user := "/Users/" + s.user(`"userName":"u"`).id()
		group := "/Groups/" + s.group(`"displayName":"g"`).id()
		body := `{"schemas":["` + userURN + `","` + groupURN + `"],"userName":"u","displayName":"g"}`
		for _, path := range []string{user, group} {
			s.want(304, s.do("GET", path, "", "If-None-Match: *"))
			for _, tag := range []string{`W/"1"`, `"1"`, `"7", W/"1"`} {
				r := s.want(304, s.do("GET", path, "", "If-None-Match: "+tag))
				if r.header.Get("Etag") != `W/"1"` || r.raw != "" {
					t.Errorf("%s: %s %q", tag, r.header.Get("Etag"), r.raw)
				}
			}
			s.want(200, s.do("GET", path, "", `If-None-Match: W/"2", "banana"`))
			for _, tag := range []string{`W/"7"`, `"7"`, `"banana"`, `W/"7", "8"`} {
				s.wantError(412, "", s.do("PUT", path, body, "If-Match: "+tag))
				s.wantError(412, "", s.do("PATCH", path, patch(`{"op":"replace","path":"externalId","value":"e"}`), "If-Match: "+tag))
				s.wantError(412, "", s.do("DELETE", path, "", "If-Match: "+tag))
			}
			for _, tag := range []string{`*`, `W/"7", *`, `W/"1"`, `"1"`, `"7", "1"`} {
				if r := s.do("PATCH", path, patch(`{"op":"replace","value":{"id":"x"}}`), "If-Match: "+tag); r.status/100 != 2 {
					t.Errorf("%s %s: %d %s", path, tag, r.status, r.raw)
				}
			}
			s.want(200, s.do("PUT", path, body, "If-Match: *"))
			s.want(204, s.do("DELETE", path, "", "If-Match: *"))
			s.want(404, s.do("DELETE", path, "", "If-Match: *"))
		}
	})
}

// Answers of writes are projected as those of reads are (RFC 7644 section 3.9).
func TestProjectionOfWrites(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	user := s.want(201, s.do("POST", "/Users?attributes=userName", `{"schemas":["`+userURN+`"],"userName":"u","title":"t","nickName":"n"}`))
	if user.body["title"] != nil || text(user.body, "userName") != "u" || user.id() == "" || user.body["schemas"] == nil || user.header.Get("Location") == "" {
		t.Errorf("POST %s", user.raw)
	}
	path := "/Users/" + user.id()
	if r := s.want(200, s.do("PUT", path+"?excludedAttributes=title,meta,id", `{"schemas":["`+userURN+`"],"userName":"u","title":"t","nickName":"m"}`)); r.body["title"] != nil || r.body["meta"] != nil || text(r.body, "nickName") != "m" || r.id() == "" {
		t.Errorf("PUT %s", r.raw)
	}
	if r := s.want(200, s.do("PATCH", path+"?attributes=nickName,meta.version", patch(`{"op":"replace","path":"nickName","value":"k"}`))); len(r.body) != 4 || text(r.body, "nickName") != "k" || text(r.body, "meta", "version") != r.header.Get("Etag") {
		t.Errorf("PATCH %s", r.raw)
	}
	group := s.want(201, s.do("POST", "/Groups?excludedAttributes=members", `{"schemas":["`+groupURN+`"],"displayName":"g","members":["`+user.id()+`"]}`))
	if group.body["members"] != nil || text(group.body, "displayName") != "g" {
		t.Errorf("POST %s", group.raw)
	}
	if r := s.want(200, s.do("PATCH", "/Groups/"+group.id()+"?attributes=members.value", patch(`{"op":"add","path":"members","value":["x"]}`))); len(elements(r.body, "members")) != 2 || r.body["displayName"] != nil {
		t.Errorf("PATCH %s", r.raw)
	}
}

// What discovery says is what is done (RFC 7643 section 7, RFC 7644 section 4).
func TestDiscovery(t *testing.T) {
	s := startWithDefinitions(t, dbtest.SQLite(t))
	for _, endpoint := range []string{"/Schemas", "/ResourceTypes"} {
		list := s.want(200, s.do("GET", endpoint+"?startIndex=2&count=1&sortBy=id", ""))
		all := elements(list.body, "Resources")
		if fmt.Sprint(list.body["totalResults"]) != fmt.Sprint(len(all)) || len(all) < 2 {
			t.Errorf("%s is not answered whole: %s", endpoint, list.raw)
		}
		for _, e := range all {
			location := text(e, "meta", "location")
			one := s.want(200, s.do("GET", strings.TrimPrefix(location, "https://rollcall.example"+Root), ""))
			if !sameJSON(e, one.body) || one.body["schemas"] == nil || text(e, "meta", "resourceType") == "" {
				t.Errorf("%s: %s", location, one.raw)
			}
		}
		s.wantError(404, "", s.do("GET", endpoint+"/nothing", ""))
	}
	for _, path := range []string{"/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Schemas/" + userURN} {
		s.wantError(403, "", s.do("GET", path+"?filter=id pr", ""))
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			s.wantError(405, "", s.do(method, path, "{}"))
		}
	}
	characteristic := func(k *kind, path, name string) any {
		p, err := k.parsePath(path)
		if err != nil || p.foreign != "" {
			t.Fatal(path, err)
		}
		return map[string]any{"caseExact": p.leaf().CaseExact(), "uniqueness": p.leaf().Uniqueness(), "required": p.leaf().Required(), "returned": p.leaf().Returned(), "mutability": p.leaf().Mutability()}[name]
	}
	user, group := s.h.kinds[0], s.h.kinds[1]
	for _, c := range []struct {
		kind       *kind
		path, name string
		want       any
	}{
		{user, "userName", "caseExact", false}, {user, "userName", "uniqueness", "server"}, {user, "userName", "required", true},
		{user, "password", "returned", "never"}, {user, "groups", "mutability", "readOnly"}, {user, "groups.value", "caseExact", true},
		{user, enterpriseURN + ":manager.value", "caseExact", true}, {group, "displayName", "uniqueness", "server"}, {group, "displayName", "required", true},
		{group, "members.value", "caseExact", true}, {group, "members.value", "mutability", "immutable"}, {group, "members", "required", false},
	} {
		if got := characteristic(c.kind, c.path, c.name); got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.path, c.name, got, c.want)
		}
	}
	// and it is so
	link := s.user(`"userName":"Ab","password":"p@ss"`).id()
	s.wantError(409, "uniqueness", s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"aB"}`))
	s.group(`"displayName":"g","` + teamURN + `":{"purpose":"p"},"members":["` + link + `"]`)
	s.wantError(409, "uniqueness", s.do("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"G","`+teamURN+`":{"purpose":"p"}}`))
	if s.total("/Groups", `members eq "`+strings.ToUpper(link)+`"`) != "0" || strings.Contains(s.do("GET", "/Users/"+link+"?attributes=password", "").raw, "p@ss") {
		t.Error("members compare without case, or the password is answered")
	}
}
