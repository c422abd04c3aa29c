package scim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// holds: attack scim-07
func TestOnlyALiveTokenInTheHeader(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		ctx := context.Background()
		check := func(name string, r reply, challenge string) {
			t.Helper()
			s.wantError(401, "", r)
			if got := r.header.Get("WWW-Authenticate"); got != challenge {
				t.Errorf("%s: WWW-Authenticate %q", name, got)
			}
		}
		none, invalid := `Bearer realm="scim"`, `Bearer realm="scim", error="invalid_token"`
		for _, path := range []string{"/Users", "/ServiceProviderConfig", "/nothing", "/Users/lnk_x"} {
			check("no token", s.as("", "GET", path, ""), none)
		}
		check("query token", s.as("", "GET", "/Users?access_token="+s.secret+"&token="+s.secret, ""), none)
		check("basic", s.as("", "GET", "/Users", "", "Authorization: Basic "+s.secret), none)
		check("not a token", s.as("x", "GET", "/Users", ""), invalid)
		check("a wrong token", s.as(s.secret[:len(s.secret)-1]+"_", "GET", "/Users", ""), invalid)
		s.want(200, s.as("", "GET", "/Users", "", "Authorization: bearer  "+s.secret))

		rotated, second, err := s.store.IssueSourceToken(ctx, directory.Cause{}, s.source.ID, "second", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		s.want(200, s.as(rotated, "GET", "/Users", ""))
		if err := s.store.RevokeSourceToken(ctx, directory.Cause{}, s.source.ID, s.token); err != nil {
			t.Fatal(err)
		}
		check("a revoked token", s.do("GET", "/Users", ""), invalid)
		s.want(200, s.as(rotated, "GET", "/Users", ""))
		if err := s.store.RevokeSourceToken(ctx, directory.Cause{}, s.source.ID, second.ID); err != nil {
			t.Fatal(err)
		}
		expiring, _, err := s.store.IssueSourceToken(ctx, directory.Cause{}, s.source.ID, "third", time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		s.want(200, s.as(expiring, "GET", "/Users", ""))
		s.store.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		check("an expired token", s.as(expiring, "GET", "/Users", ""), invalid)
		if strings.Contains(s.log.String(), s.secret) || strings.Contains(s.log.String(), rotated) {
			t.Error("a token stands in the log")
		}
	})
}

// holds: attack scim-06
func TestAnotherSourcesResourcesAreNotThere(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d, func(o *Options) { o.Missing = AuditMissing(d, nil) })
		user := s.user(`"userName":"u"`).id()
		group := s.group(`"displayName":"g","members":[{"value":"` + user + `"}]`).id()
		other, secret, _ := s.newSource("okta")
		for _, path := range []string{"/Users/" + user, "/Groups/" + group} {
			for method, body := range map[string]string{"GET": "", "DELETE": "",
				"PUT":   `{"schemas":["` + userURN + `","` + groupURN + `"],"userName":"x","displayName":"x"}`,
				"PATCH": patch(`{"op":"replace","path":"displayName","value":"x"}`)} {
				s.wantError(404, "", s.as(secret, method, path, body))
			}
		}
		var lines []struct{ Actor, Subject, Leaf string }
		if err := d.Read(context.Background()).Raw("select actor, subject, leaf from audit_records where action = 'scim.missing' order by seq").Scan(&lines).Error; err != nil {
			t.Fatal(err)
		}
		if len(lines) != 8 || lines[0].Subject != user || !strings.HasPrefix(lines[0].Actor, "tok_") || !strings.Contains(lines[0].Leaf, string(other.ID)) {
			t.Errorf("audit lines %v", lines)
		}
		for _, path := range []string{"/Users", "/Groups", "/Users?filter=id eq \"" + user + "\"", "/Groups?filter=members eq \"" + user + "\""} {
			if n := s.want(200, s.as(secret, "GET", path, "")).body["totalResults"]; fmt.Sprint(n) != "0" {
				t.Errorf("%s finds %v", path, n)
			}
		}
		// A foreign id in one's own group is a pending reference and shows nothing.
		mine := s.want(201, s.as(secret, "POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"mine","members":[{"value":"`+user+`"}]}`))
		if m := elements(mine.body, "members"); len(m) != 1 || len(m[0]) != 1 {
			t.Errorf("members %v", m)
		}
		if got := s.record(user); got.DisplayName != "" || !s.members(group)[user] {
			t.Errorf("the other source changed %+v", got)
		}
		s.want(201, s.as(secret, "POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"u"}`)) // names are unique per source
	})
}

func TestRate(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, dbtest.SQLite(t), func(o *Options) { o.Rate, o.Burst, o.Now = 2, 3, func() time.Time { return clock } })
	_, secret, _ := s.newSource("okta")
	for range 3 {
		s.want(200, s.do("GET", "/Users", ""))
	}
	r := s.do("GET", "/Users", "")
	s.wantError(429, "", r)
	if after, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || after != 1 {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	s.want(200, s.as(secret, "GET", "/Users", "")) // one source does not starve another
	clock = clock.Add(500 * time.Millisecond)
	s.want(200, s.do("GET", "/Users", ""))
	s.wantError(429, "", s.do("GET", "/Users", ""))
}

func TestDefaultRateIsTwiceTheContract(t *testing.T) {
	s := start(t, dbtest.SQLite(t), func(o *Options) { o.Rate = 0 })
	if s.h.limit != defaultRate || s.h.burst != 2*defaultRate || defaultRate < 25 {
		t.Errorf("limit %v, burst %d", s.h.limit, s.h.burst)
	}
}

func TestBodies(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	big := `{"schemas":["` + userURN + `"],"userName":"` + strings.Repeat("x", maxBody) + `"}`
	s.wantError(413, "", s.do("POST", "/Users", big))
	r := httptest.NewRequest("POST", Root+"/Users", struct{ *strings.Reader }{strings.NewReader(big)}) // of unknown length
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+s.secret)
	s.wantError(413, "", s.send(r))
	for _, kind := range []string{"application/json", "application/scim+json; charset=UTF-8", "application/json;charset=utf-8"} {
		s.want(201, s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"`+kind+`"}`, "Content-Type: "+kind))
	}
	for _, header := range []string{"Content-Type: text/xml", "Content-Type: application/json; charset=gb18030", "Content-Type: ;", "Content-Encoding: gzip"} {
		s.wantError(415, "", s.do("POST", "/Users", `{}`, header))
	}
	for _, body := range []string{"", "[]", "null", "7", "{", `{"a":1}{"b":2}`, strings.Repeat("[", 100000)} {
		s.wantError(400, "invalidSyntax", s.do("POST", "/Users", body))
		s.wantError(400, "invalidSyntax", s.do("PATCH", "/Users/x", body))
	}
	deep := `{"schemas":["` + userURN + `"],"userName":"deep","x":` + strings.Repeat(`{"a":[`, 60) + strings.Repeat(`]}`, 60) + `}`
	s.wantError(400, "invalidValue", s.do("POST", "/Users", deep))
	s.wantError(400, "invalidValue", s.do("PATCH", "/Users/x", patch(`{"op":"add","value":`+deep+`}`)))
	s.user(`"userName":"deep","x":` + strings.Repeat(`{"a":[`, 40) + strings.Repeat(`]}`, 40))
	s.total("/Users", `nickName eq "x"`)
	long := strings.Repeat("长", 300)
	s.wantError(400, "invalidValue", s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"`+long+`"}`))
	s.wantError(400, "invalidValue", s.do("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"`+long+`"}`))
	s.wantError(400, "invalidValue", s.do("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"g","members":["`+long+`"]}`))
}

func TestPaths(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	link := s.user(`"userName":"u"`).id()
	for _, path := range []string{"/Users/" + link, "/users/" + link + "/", "//USERS//" + link, "/Users", "/USERS/", "/Users?", "/Users?&&x=y;z&%zz=1", "/schemas/", "/serviceproviderconfig", "/resourcetypes/User"} {
		s.want(200, s.do("GET", path, ""))
	}
	r := httptest.NewRequest("GET", "/Scim/V2/Users/"+link, nil)
	r.Header.Set("Authorization", "Bearer "+s.secret)
	s.want(200, s.send(r))
	for _, path := range []string{"/Users/" + strings.ToUpper(link), "/Users/%2e%2e", "/Users/" + link + "/x", "/User", "/Users/%00", "/Users/a%2fb", "/ServiceProviderConfig/x", "/Schemas/nothing"} {
		s.wantError(404, "", s.do("GET", path, ""))
	}
	for path, allow := range map[string]string{"/Users": "GET, HEAD, POST, OPTIONS", "/Users/" + link: "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", "/Schemas": "GET, HEAD, OPTIONS"} {
		r := s.do("TRACE", path, "")
		s.wantError(405, "", r)
		if got := r.header.Get("Allow"); got != allow {
			t.Errorf("%s allows %q", path, got)
		}
	}
	for _, bad := range []string{"filter=%zz", "sortOrder=up"} {
		if r := s.do("GET", "/Users?"+bad, ""); r.status != 400 {
			t.Errorf("%s: %d", bad, r.status)
		}
	}
}

// A filter that is not well formed is refused, never left out: that would answer everybody.
//
// holds: attack scim-04
func TestFiltersThroughTheHandler(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		s.user(`"userName":"u;v","externalId":"100%_x","title":"a\\b"`)
		for filter, want := range map[string]string{`userName eq "u;v"`: "1", `externalId co "%_"`: "1", `externalId co "%x"`: "0", `title eq "a\\b"`: "1", `userName sw "U;"`: "1",
			`userName eq "' or 1=1 --"`: "0", `externalId gt "1" and externalId lt "2"`: "1", `not (title pr)`: "0", `active ne false`: "1", `emails ne "x"`: s.total("/Users", `not (emails eq "x")`),
			`manager pr`: "0", `groups pr`: "0", `meta.resourceType eq "User"`: "1", `schemas eq "` + userURN + `"`: "1", `phoneNumbers[type eq "work"].value pr`: "0",
			strings.TrimSuffix(strings.Repeat(`userName eq "u;v" or `, 200), ` or `): "1"} {
			if got := s.total("/Users", filter); got != want {
				t.Errorf("%.60s finds %s, want %s", filter, got, want)
			}
		}
		raw := httptest.NewRequest("GET", Root+"/Users?filter=userName%20eq%20%22u;v%22&attributes=id", nil) // the semicolon stands bare
		raw.Header.Set("Authorization", "Bearer "+s.secret)
		if r := s.want(200, s.send(raw)); fmt.Sprint(r.body["totalResults"]) != "1" {
			t.Errorf("found %v", r.body["totalResults"])
		}
		for _, filter := range []string{`emails[type eq "work"`, `members[value eq "x"].../../`, strings.Repeat("(", 10000) + `a pr` + strings.Repeat(")", 10000), `userName eq "x"; drop table records`} {
			s.wantError(400, "invalidFilter", s.do("GET", "/Users?filter="+strings.ReplaceAll(filter, " ", "%20"), ""))
		}
	})
}

// Fifty changes of the members of one group at once lose nothing; of many that name one version one is done; of
// many creations of one name one is done.
//
// holds: attack scim-05
func TestAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		var links []string
		for i := range 50 {
			links = append(links, s.user(fmt.Sprintf(`"userName":"u%d"`, i)).id())
		}
		var initial []string
		for _, link := range links[:25] {
			initial = append(initial, `{"value":"`+link+`"}`)
		}
		group := s.group(`"displayName":"g","members":[` + strings.Join(initial, ",") + `]`).id()
		rand.Shuffle(25, func(i, j int) { links[i], links[j] = links[j], links[i] })
		parallel(50, func(i int) reply {
			if i < 25 {
				return s.do("PATCH", "/Groups/"+group, patch(`{"op":"remove","path":"members[value eq \"`+links[i]+`\"]"}`))
			}
			return s.do("PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":[{"value":"`+links[i]+`"}]}`))
		}, func(r reply) { s.want(204, r) })
		got := s.members(group)
		for i, link := range links {
			if got[link] != (i >= 25) {
				t.Errorf("member %d: %v", i, got[link])
			}
		}

		statuses := map[int]int{}
		parallel(10, func(i int) reply {
			return s.do("PATCH", "/Users/"+links[0], patch(fmt.Sprintf(`{"op":"replace","path":"title","value":"t%d"}`, i)), `If-Match: W/"1"`)
		}, func(r reply) { statuses[r.status]++ })
		if statuses[200] != 1 || statuses[412] != 9 {
			t.Errorf("racing If-Match: %v", statuses)
		}

		statuses = map[int]int{}
		parallel(10, func(i int) reply {
			return s.do("POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"%s"}`, userURN, []string{"Straße", "STRASSE", "strasse"}[i%3]))
		}, func(r reply) { statuses[r.status]++ })
		if statuses[201] != 1 || statuses[409] != 9 {
			t.Errorf("racing POST: %v", statuses)
		}
	})
}

func parallel(n int, do func(int) reply, got func(reply)) {
	replies := make([]reply, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { replies[i] = do(i) })
	}
	wg.Wait()
	for _, r := range replies {
		got(r)
	}
}

// A change that asks for what is there already keeps the version and writes nothing.
//
// holds: attack scim-09
func TestNothingNewIsNothingWritten(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	link := s.user(`"userName":"u","title":"t","emails":[{"value":"a@b","type":"work"}]`).id()
	group := s.group(`"displayName":"g","members":["` + link + `"]`).id()
	var before, after int
	count := func(into *int) {
		if err := s.db.Read(context.Background()).Raw("select size from audit_tree").Scan(into).Error; err != nil {
			t.Fatal(err)
		}
	}
	count(&before)
	for range 2 {
		for _, body := range []string{patch(`{"op":"replace","path":"title","value":"t"}`), patch(`{"op":"add","path":"emails","value":[{"value":"a@b","type":"work"}]}`),
			patch(`{"op":"remove","path":"nickName"},{"op":"remove","path":"emails[type eq \"home\"]"}`), patch(`{"op":"replace","value":{"id":"x","schemas":[]}}`)} {
			if r := s.want(200, s.do("PATCH", "/Users/"+link, body)); r.header.Get("Etag") != `W/"1"` {
				t.Errorf("%s: %s", body, r.header.Get("Etag"))
			}
		}
		s.want(204, s.do("PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":["`+link+`"]},{"op":"remove","path":"members[value eq \"nobody\"]"}`)))
	}
	if count(&after); after != before {
		t.Errorf("%d audit records for nothing", after-before)
	}
	s.want(412, s.do("PATCH", "/Users/"+link, patch(`{"op":"replace","value":{"id":"x"}}`), `If-Match: W/"9"`))
	s.want(304, s.do("GET", "/Users/"+link, "", `If-None-Match: "0", W/"1"`))
	s.want(200, s.do("GET", "/Users/"+link, "", `If-None-Match: "0"`))
}

// Another handler over the same database answers the same: no state is in the process.
func TestAfterARestart(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		dsn := dbtest.DSN(t, engine)
		s := start(t, dbtest.Open(t, dsn))
		link := s.user(`"userName":"u","active":false,"` + enterpriseURN + `":{"department":"研发"}`).id()
		before := s.do("GET", "/Users/"+link, "")
		if err := s.db.Close(); err != nil {
			t.Fatal(err)
		}
		again := dbtest.Open(t, dsn)
		store := directory.New(again, nil, s.h.log)
		store.Access = s.access
		h, err := New(Options{Store: store, PublicURL: "https://rollcall.example"})
		if err != nil {
			t.Fatal(err)
		}
		s.h = h
		if after := s.do("GET", "/Users/"+link, ""); after.raw != before.raw || after.status != 200 {
			t.Errorf("%s: before\n%s\nafter\n%s", engine, before.raw, after.raw)
		}
	}
}

// Names that grow or shrink in lower case, or are no UTF-8 text, are names like others.
func TestNamesOfOtherLength(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	for _, name := range []string{"İİİextension:enterprise:2.0User", "\u212a:extension:enterprise:2.0User:department"} {
		r := s.user(`"userName":"` + name + `","` + name + `":{"department":"x"}`)
		s.want(200, s.do("PATCH", "/Users/"+r.id(), patch(`{"op":"add","value":{"`+name+`":"y"}}`)))
		s.want(200, s.do("PATCH", "/Users/"+r.id(), patch(`{"op":"add","path":"`+name+`","value":"y"}`)))
	}
	for _, query := range []string{"attributes=%84extension:enterprise:2.0User", "filter=%C4%B0%C4%B0extension:enterprise:2.0User%20pr", "sortBy=%84:extension:enterprise:2.0User"} {
		if r := s.do("GET", "/Users?"+query, ""); r.status != 200 && r.status != 400 {
			t.Errorf("%s: %d", query, r.status)
		}
	}
}

func TestNewWantsAStore(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Fatal("made a handler without a store")
	}
}

// What the outside must not see of an error stays in the log.
func TestUnknownErrorsAreInternal(t *testing.T) {
	s := start(t, dbtest.SQLite(t))
	err := s.h.outside(httptest.NewRequest("GET", "/", nil), "x", errors.New("disk on fire"))
	if strings.Contains(err.Error(), "fire") || !strings.Contains(s.log.String(), "disk on fire") {
		t.Errorf("outside %v, log %s", err, s.log)
	}
	w := httptest.NewRecorder()
	writeError(w, err)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
