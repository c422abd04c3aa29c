package scim

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// walk reads all pages by cursor and answers the ids in their order; between pages it calls meanwhile.
func (s *service) walk(path string, meanwhile func(page int)) []string {
	s.t.Helper()
	var out []string
	next := ""
	for page := 1; ; page++ {
		r := s.want(200, s.do("GET", path+"&cursor="+url.QueryEscape(next), ""))
		if _, there := r.body["startIndex"]; there {
			s.t.Fatalf("an answer by cursor has a startIndex: %s", r.raw)
		}
		for _, e := range elements(r.body, "Resources") {
			out = append(out, text(e, "id"))
		}
		if next = text(r.body, "nextCursor"); next == "" {
			return out
		}
		if page > 50 {
			s.t.Fatal("the pages do not end")
		}
		if meanwhile != nil {
			meanwhile(page)
		}
	}
}

func (s *service) byIndex(path string) []string {
	s.t.Helper()
	var out []string
	for _, e := range elements(s.want(200, s.do("GET", path+"&count=200", "")).body, "Resources") {
		out = append(out, text(e, "id"))
	}
	return out
}

// Pages by cursor, put together, are the list by index, whatever it is sorted by.
func TestCursorPages(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		for i := range 11 {
			s.user(fmt.Sprintf(`"userName":"u%d","active":%v,"title":"%s","nickName":"n%d","name":{"familyName":"%s"},"emails":[{"value":"z%d@x"},{"value":"%d@x","primary":%v}],"%s":{"department":"d%d","manager":{"value":"m%d"}}`,
				i, i%3 == 0, strings.Repeat("t", i%4), i%5, []string{"Ä", "ä", "王"}[i%3], i, 9-i%4, i%2 == 0, enterpriseURN, i%2, i%3))
			s.group(fmt.Sprintf(`"displayName":"g%d","externalId":"%d"`, i, i%20))
		}
		s.user(`"userName":"bare"`)
		s.group(`"displayName":"bare"`)
		last := func(path string) string { ids := s.byIndex(path); return ids[len(ids)-1] }
		if bare := s.byIndex(`/Users?filter=userName eq "bare"`)[0]; last("/Users?sortBy=emails") != bare || last("/Users?sortBy=nickName") != bare || s.byIndex("/Users?sortBy=nickName&sortOrder=descending")[0] != bare {
			t.Error("who has no value is not last") // RFC 7644 section 3.4.2.3
		}
		sorts := []string{"", "id", "userName", "externalId", "displayName", "name.familyName", "title", "active", "nickName", "emails", "emails.value", "meta.created", "meta.lastModified",
			"phoneNumbers", "locale", "manager", "manager.value", enterpriseURN + ":department", "timezone", "userType", EmploymentURN + ":startDate"}
		for _, by := range sorts {
			for _, order := range []string{"ascending", "descending"} {
				path := "/Users?attributes=id&sortOrder=" + order
				if by != "" {
					path += "&sortBy=" + by
				}
				want := s.byIndex(path)
				if got := s.walk(path+"&count=4", nil); len(want) != 12 || !slices.Equal(got, want) {
					t.Errorf("%s %s: by cursor\n%v\nby index\n%v", by, order, got, want)
				}
			}
		}
		for _, by := range []string{"id", "externalId", "displayName", "meta.created"} {
			path := "/Groups?attributes=id&sortOrder=descending&sortBy=" + by
			if got, want := s.walk(path+"&count=3", nil), s.byIndex(path); len(want) != 12 || !slices.Equal(got, want) {
				t.Errorf("groups by %s: %v, want %v", by, got, want)
			}
		}
		if got := s.walk("/Users?filter=active eq true&count=2", nil); len(got) != 5 {
			t.Errorf("filtered %v", got)
		}
		for _, by := range []string{"groups", "members", "emails.type", "addresses", "password", "name", "x"} {
			s.wantError(400, "invalidValue", s.do("GET", "/Users?sortBy="+by, ""))
		}
	})
}

// What is created, changed and deleted between two pages neither moves nor doubles the others.
func TestCursorsSurviveChanges(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var links []string
		for i := range 8 {
			links = append(links, s.user(fmt.Sprintf(`"userName":"u%d"`, i)).id())
		}
		got := s.walk("/Users?sortBy=userName&count=3", func(page int) {
			if page > 1 {
				return
			}
			s.want(204, s.do("DELETE", "/Users/"+links[0], "")) // before
			s.want(204, s.do("DELETE", "/Users/"+links[2], "")) // the one the cursor names
			s.user(`"userName":"a"`)                            // before
			links = append(links, s.user(`"userName":"u9"`).id())
		})
		if !slices.Equal(got, links) {
			t.Errorf("walked %v\nwant %v", got, links)
		}
	})
}

func TestCursorErrors(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, dbtest.SQLite(t), func(o *Options) { o.Now = func() time.Time { return clock } })
	for i := range 3 {
		s.user(fmt.Sprintf(`"userName":"u%d"`, i))
		s.group(fmt.Sprintf(`"displayName":"g%d"`, i))
	}
	first := s.want(200, s.do("GET", "/Users?cursor&count=1", ""))
	next := text(first.body, "nextCursor")
	if n, _ := first.body["totalResults"].(json.Number); n != "3" || next == "" || fmt.Sprint(first.body["itemsPerPage"]) != "1" {
		t.Fatalf("first page %s", first.raw)
	}
	second := s.want(200, s.do("POST", "/Users/.search", `{"schemas":["`+searchURN+`"],"cursor":"`+next+`","count":2}`))
	if len(elements(second.body, "Resources")) != 2 || second.body["nextCursor"] != nil {
		t.Errorf("second page %s", second.raw)
	}
	if r := s.want(200, s.do("GET", "/Users?cursor=&count=0", "")); r.body["nextCursor"] != nil || fmt.Sprint(r.body["totalResults"]) != "3" {
		t.Errorf("count 0: %s", r.raw)
	}
	if r := s.want(200, s.do("GET", "/Users?cursor=&count=5000", "")); len(elements(r.body, "Resources")) != 3 {
		t.Errorf("count 5000: %s", r.raw)
	}
	for _, path := range []string{"/Users?cursor=x", "/Users?cursor=" + next[:len(next)-2], "/Groups?cursor=" + next, "/Users?sortBy=userName&cursor=" + next, "/Users?sortOrder=ascending&cursor=" + next,
		"/Users?filter=active eq true&cursor=" + next} {
		s.wantError(400, "invalidCursor", s.do("GET", path, ""))
	}
	_, other, _ := s.newSource("okta")
	s.wantError(400, "invalidCursor", s.as(other, "GET", "/Users?cursor="+next, ""))
	for _, count := range []string{"x", "-1", "1.5"} {
		s.wantError(400, "invalidCount", s.do("GET", "/Users?cursor=&count="+count, ""))
	}
	s.wantError(400, "invalidValue", s.do("GET", "/Users?cursor=&startIndex=2", ""))
	clock = clock.Add(cursorLife + time.Second)
	s.wantError(400, "expiredCursor", s.do("GET", "/Users?cursor="+next, ""))
}

// The configuration speaks of cursors only where it is told to.
func TestCursorsAreAdvertisedOnWish(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	if r := s.do("GET", "/ServiceProviderConfig", ""); strings.Contains(r.raw, "pagination") {
		t.Errorf("configuration %s", r.raw)
	}
	s = start(t, dbtest.SQLite(t), func(o *Options) { o.AdvertiseCursor = true })
	r := s.want(200, s.do("GET", "/ServiceProviderConfig", ""))
	if p, _ := r.body["pagination"].(map[string]any); p["cursor"] != true || p["index"] != true || p["defaultPaginationMethod"] != "index" {
		t.Errorf("configuration %s", r.raw)
	}
}

func FuzzCursor(f *testing.F) {
	s := start(f, dbtest.SQLite(f))
	s.user(`"userName":"a"`)
	s.user(`"userName":"b"`)
	for _, seed := range []string{"", "e30", text(s.do("GET", "/Users?cursor=&count=1", "").body, "nextCursor")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		r := httptest.NewRequest("GET", Root+"/Users?cursor="+url.QueryEscape(cursor), nil)
		r.Header.Set("Authorization", "Bearer "+s.secret)
		w := httptest.NewRecorder()
		if s.h.ServeHTTP(w, r); w.Code != 200 && w.Code != 400 {
			t.Fatalf("%q answers %d %s", cursor, w.Code, w.Body)
		}
	})
}

// What has no column of its own can be asked for all the same.
func TestFiltersOfRawAttributes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		s.user(`"userName":"u","nickName":"阿伟","locale":"zh-CN","profileUrl":"https://x/U","roles":[{"value":"Admin","type":"work","primary":true},{"value":"dev"}],
			"addresses":[{"type":"work","locality":"上海"},{"type":"home","locality":"苏州"}],"emails":[{"value":"a@x","display":"A","type":"work"}],
			"` + EmploymentURN + `":{"startDate":"2026-02-01","endDate":"2026-12-31","leaveFrom":"2026-05-01"},"` + enterpriseURN + `":{"department":"d"}`)
		s.user(`"userName":"v"`)
		s.group(`"displayName":"g"`)
		for filter, want := range map[string]string{
			`nickName eq "阿伟"`: "1", `locale sw "ZH"`: "1", `profileUrl eq "https://x/u"`: "0", `profileUrl eq "https://x/U"`: "1", `nickName ne "x"`: "2", `not (nickName pr)`: "1",
			`roles eq "admin"`: "1", `roles[value eq "dev" and type eq "work"]`: "0", `roles[type eq "work"].value eq "Admin"`: "1", `roles.primary eq true`: "1", `roles ne "dev"`: "1", `roles pr`: "1",
			`addresses[type eq "work" and locality eq "上海"]`: "1", `addresses[type eq "work" and locality eq "苏州"]`: "0", `addresses.locality co "州"`: "1", `addresses pr`: "1", `addresses.country pr`: "0",
			`emails[display eq "a" and type eq "work"]`: "1", `emails.display eq "b"`: "0", `name.formatted pr`: "0",
			EmploymentURN + `:startDate ge "2026-01-15"`: "1", EmploymentURN + `:startDate gt "2026-02-01"`: "0", `endDate eq "2026-12-31"`: "1", `leaveFrom pr`: "1", `leaveUntil pr`: "0",
			`schemas eq "` + enterpriseURN + `"`: "1", `schemas eq "` + EmploymentURN + `" and userName eq "u"`: "1", `schemas eq "urn:x"`: "0",
		} {
			if got := s.total("/Users", filter); got != want {
				t.Errorf("%s finds %s, want %s", filter, got, want)
			}
		}
		for _, filter := range []string{`password pr`, `groups.display eq "x"`, `manager.displayName eq "x"`, `meta.version eq "x"`, `roles.primary gt true`, `x509Certificates gt "a"`} {
			s.wantError(400, "invalidFilter", s.do("GET", "/Users?filter="+url.QueryEscape(filter), ""))
		}
		for _, filter := range []string{`members.display eq "x"`, `members.type eq "User"`} {
			s.wantError(400, "invalidFilter", s.do("GET", "/Groups?filter="+url.QueryEscape(filter), ""))
		}
	})
}
