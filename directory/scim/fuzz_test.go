package scim

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	scimerrors "github.com/elimity-com/scim/errors"

	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// plain writes a rewritten filter out again, its texts and value filters in their places.
func (r rewritten) plain() string {
	out := regexp.MustCompile(`\[x eq "\d+"\]|"\d+"`).ReplaceAllStringFunc(r.text, func(s string) string {
		var i int
		if rest, ok := strings.CutPrefix(s, "[x eq "); ok {
			_, _ = fmt.Sscanf(rest, `"%d"]`, &i)
			return "[" + r.inner[i].plain() + "]"
		}
		_, _ = fmt.Sscanf(s, `"%d"`, &i)
		return literal(r.values[i])
	})
	return out
}

// FuzzRewrite holds that rewriting what was rewritten changes nothing.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{`userName  EQ 'x y'`, `emails[type eq work].value eq x@y`, `not (a pr) AND (b eq TRUE or c ne null)`, `a[b eq "0" and not (c pr)] or d gt 10`, `a eq "\u5f20\\\"" `, "a[b pr] .c eq 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := rewrite(in)
		if err != nil {
			mustRefuse(t, err)
			return
		}
		if len(r.plain()) > maxFilterBytes {
			return
		}
		again, err := rewrite(r.plain())
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", in, r.plain(), err)
		}
		if !reflect.DeepEqual(again, r) {
			t.Fatalf("%q became %q, then %q", in, r.plain(), again.plain())
		}
	})
}

// FuzzPath holds that a path has one canonical form.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{`emails[type eq "work"].value`, `EMAILS[Type EQ 'a b' and primary eq True]`, `name.familyName`, enterpriseURN, enterpriseURN + `:manager.value`, `members[value eq "x\"]"]`, `urn:x:y:z`, `addresses[not (type eq "x")]`, `a[`} {
		f.Add(seed)
	}
	kinds := []*kind{userKind(), groupKind()}
	f.Fuzz(func(t *testing.T, in string) {
		for _, k := range kinds {
			p, err := k.parsePath(in)
			if err != nil {
				mustRefuse(t, err)
				continue
			}
			if p.foreign != "" || len(p.String()) > maxFilterBytes {
				continue
			}
			again, err := k.parsePath(p.String())
			if err != nil || again.String() != p.String() {
				t.Fatalf("%q is %q, then %q, %v", in, p, again, err)
			}
		}
	})
}

// FuzzApply holds that a change without a value filter, made twice, is made once.
func FuzzApply(f *testing.F) {
	body := `{"userName":"u","title":"t","emails":[{"value":"a@b","type":"work","primary":true},{"value":"c@d","type":"home"}],"` + enterpriseURN + `":{"department":"d","manager":{"value":"m"}}}`
	for _, seed := range []string{`[{"op":"add","path":"emails","value":[{"value":"e@f","primary":true}]}]`, `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}]`,
		`[{"op":"remove","path":"emails[type eq \"home\"]"},{"op":"replace","value":{"name":{"givenName":"G"}}}]`, `[{"op":"add","path":"` + enterpriseURN + `","value":{"manager":{"value":""}}}]`,
		`[{"op":"add","path":"emails","value":[{"value":"x","primary":true},{"value":"y","primary":true}]}]`, `[{"op":"replace","path":"emails.primary","value":"True"}]`, `[{"op":"add","path":"roles","value":["a","b"]},{"op":"remove","path":"roles[value eq \"a\"]"}]`} {
		f.Add(body, seed)
	}
	user := userKind()
	f.Fuzz(func(t *testing.T, body, operations string) {
		object, err := decode([]byte(body))
		if err != nil {
			return
		}
		normal, err := user.normalise(object)
		if err != nil {
			return
		}
		c, err := canonicaliseText(user, operations)
		if err != nil || len(c.known) == 0 {
			return
		}
		once := clone(normal.known).(map[string]any)
		if err := user.apply(once, c.known); err != nil {
			mustRefuse(t, err)
			return
		}
		for _, o := range c.known {
			if strings.Contains(o.Path, "[") || len(c.known) > 1 {
				return
			}
		}
		if primaries(once) > 1 {
			return // refused next
		}
		twice := clone(once).(map[string]any)
		if err := user.apply(twice, c.known); err != nil || !reflect.DeepEqual(once, twice) {
			t.Fatalf("%s on %s\nonce  %v\ntwice %v, %v", operations, body, once, twice, err)
		}
	})
}

// primaries is the largest number of primary values that an attribute has.
func primaries(r resource) int {
	most := 0
	for name := range r {
		n := 0
		for _, e := range elements(r, name) {
			if e["primary"] == true {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// FuzzFront holds the reading of headers and queries: whatever else stands there, what was asked is what is read.
func FuzzFront(f *testing.F) {
	f.Add("/Users/x/", `userName eq "a&b=c;d+e%41"`, "x=1&%zz&;", `"1", W/"x", *`, int64(7))
	f.Add("/scim/v2//GROUPS/.Search", "", "filter=", "", int64(0))
	kinds := []*kind{userKind(), groupKind()}
	h := &Handler{kinds: kinds}
	f.Fuzz(func(t *testing.T, path, filter, more, tags string, version int64) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: path}, Header: http.Header{}}
		if at, err := h.route(r); err != nil {
			mustAnswer(t, err)
		} else if len(at.methods()) == 0 {
			t.Fatalf("%q has no methods", path)
		}
		q, err := parseQuery("FILTER=" + url.QueryEscape(filter) + "&" + more)
		if err != nil {
			mustRefuse(t, err)
		} else if want := strings.TrimSpace(filter); want != "" && q.filter != want {
			t.Fatalf("the filter %q is read as %q", want, q.filter)
		}
		read, anyone := entityTags([]string{tags, entityTag(version)})
		if !anyone && !slices.Contains(read, version) {
			t.Fatalf("%q and %s are read as %v", tags, entityTag(version), read)
		}
		if any := slices.ContainsFunc(strings.Split(tags, ","), func(s string) bool { return strings.TrimSpace(s) == "*" }); any != anyone {
			t.Fatalf("%q: any %v", tags, anyone)
		}
		r.Header.Set("Authorization", more)
		if secret := httpapi.Bearer(r); strings.ContainsAny(secret, "\r\n") && !strings.ContainsAny(more, "\r\n") {
			t.Fatalf("%q", secret)
		}
	})
}

// mustAnswer holds an error to being the answer that there is no such endpoint.
func mustAnswer(t *testing.T, err error) {
	t.Helper()
	var known scimerrors.ScimError
	if !errors.As(err, &known) || known.Status != http.StatusNotFound && known.Status != http.StatusNotImplemented {
		t.Fatalf("not an answer: %v", err)
	}
}

// FuzzInstant holds dates to their days: what ends on a day ends where the next one begins.
func FuzzInstant(f *testing.F) {
	for _, seed := range []string{"2026-03-29", "2026-10-25T02:30:00", "2026-01-01T00:00:00+14:00", "9998-12-31", "1900-01-01", "2024-02-30", "0000-00-00"} {
		f.Add(seed, "Europe/Berlin")
		f.Add(seed, "Pacific/Apia")
	}
	f.Fuzz(func(t *testing.T, in, name string) {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			zone = time.UTC
		}
		start, err := instant(in, zone, false)
		end, other := instant(in, zone, true)
		if err != nil || other != nil || in == "" {
			return
		}
		if start.Location() != time.UTC || start.Year() < 1900 || start.Year() > 9998 {
			t.Fatalf("%q is %v", in, start)
		}
		if day, err := time.Parse(time.DateOnly, in); err == nil {
			next, err := instant(day.AddDate(0, 0, 1).Format(time.DateOnly), zone, false)
			if err == nil && !next.Equal(end) || !end.After(start) && in != "2011-12-30" && in != "1995-01-01" && in != "1994-12-31" {
				t.Fatalf("%q in %s is %v until %v, the next day begins at %v", in, zone, start, end, next)
			}
		} else if !start.Equal(end) {
			t.Fatalf("%q begins at %v and ends at %v", in, start, end)
		}
		again, err := instant(start.Format(time.RFC3339Nano), zone, false)
		if err != nil || !again.Equal(start) {
			t.Fatalf("%q is %v, then %v, %v", in, start, again, err)
		}
	})
}

// FuzzHandler holds the whole service provider to answering anything, over every method and with any header, with a SCIM body
// and never with 5xx.
func FuzzHandler(f *testing.F) {
	definitions, err := LoadDefinitions(os.DirFS("testdata/custom"))
	if err != nil {
		f.Fatal(err)
	}
	s := start(f, dbtest.SQLite(f), func(o *Options) { o.Definitions = definitions })
	device := s.want(201, s.do("POST", "/Devices", `{"schemas":["urn:example:params:scim:schemas:core:1.0:Device"],"serialNumber":"s","tags":["a"],"urn:example:params:scim:schemas:extension:asset:1.0:Device":{"number":"1"}}`)).id()
	user, group := s.user(`"userName":"u","emails":[{"value":"a@b","type":"work"}]`).id(), s.group(`"displayName":"g"`).id()
	f.Add(0, "/Users?filter=emails[type eq \"work\"].value eq \"a@b\"&sortBy=name.familyName&attributes=emails.value", "", "")
	f.Add(0, "/Groups?filter=members[value eq \"x\"] or displayName co \"g\"&startIndex=9999999999&count=5", "", "")
	f.Add(1, "/Users", "", `{"schemas":["`+userURN+`"],"userName":"v","x":[{"y":null}]}`)
	f.Add(2, "/Users/USER", "", `{"schemas":["`+userURN+`"],"userName":"u","emails":[{"value":"a@b"}]}`)
	f.Add(3, "/Users/USER", "", patch(`{"op":"replace","path":"emails[type eq \"work\" or primary eq true].value","value":"x"}`))
	f.Add(3, "/Users/USER", "", patch(`{"op":"remove","path":"emails.value"},{"op":"add","path":"addresses","value":[{"country":"CN"}]}`))
	f.Add(3, "/Groups/GROUP", "", patch(`{"op":"add","path":"members","value":[{"value":"GROUP"},{"value":"ext"}]}`))
	f.Add(3, "/Groups/GROUP", "", patch(`{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`))
	f.Add(2, "/Groups/GROUP", "", `{"schemas":["`+groupURN+`"],"displayName":"g","members":null}`)
	f.Add(0, "/Schemas?count=-1", "", "")
	f.Add(0, "/Devices?filter=interfaces[seen gt \"2026-01-01T00:00:00Z\"] or tags[value eq \"a\"]&sortBy=interfaces.seen&cursor=", "", "")
	f.Add(1, "/Devices", "", `{"schemas":["urn:example:params:scim:schemas:core:1.0:Device"],"serialNumber":"t","price":1.5e3,"urn:example:params:scim:schemas:extension:asset:1.0:Device":{"number":"2"}}`)
	f.Add(3, "/Devices/DEVICE", "", patch(`{"op":"replace","path":"tags[value eq \"a\"]","value":"b"},{"op":"add","path":"interfaces","value":[{"value":"1","primary":true}]}`))
	f.Add(0, "/Users/USER?attributes=emails.value&excludedAttributes=id", `If-None-Match: W/"1"`, "")
	f.Add(3, "/Users/USER?filter=x", `If-Match: "9", *`, patch(`{"op":"replace","path":"emails[type eq \"work\" or primary eq true].value","value":"x"}`))
	f.Add(4, "/Groups/nobody/", "Content-Type: text/xml", "{}")
	f.Add(1, "/Users/.search", "Content-Type: application/json; charset=x", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"a","count":-1}`)
	f.Add(2, "/Users/USER", "Content-Encoding: gzip", `{"schemas":["`+userURN+`"],"userName":"u"}`)
	f.Add(1, "/Bulk", "Authorization: Basic x", bulkBody(0, `{"method":"DELETE","path":"/Users/x"}`))
	f.Add(5, "/.search", "Expect: 100-continue", "")
	f.Add(7, "/Schemas/x?filter=y", "X: y", "\xff")
	f.Fuzz(func(t *testing.T, method int, target, header, body string) {
		replace := strings.NewReplacer("USER", user, "GROUP", group, "DEVICE", device)
		path, query, _ := strings.Cut(replace.Replace(target), "?")
		verb := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"}[uint(method)%8]
		r := httptest.NewRequest(verb, Root+"/", strings.NewReader(replace.Replace(body)))
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = Root+path, "", query
		r.Header.Set("Authorization", "Bearer "+s.secret)
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Fatalf("%s %s: %d %s\n%s", r.Method, r.URL, w.Code, w.Body, s.log)
		}
		if w.Body.Len() == 0 {
			if w.Code >= 400 && verb != http.MethodHead {
				t.Fatalf("%s %s: %d without a body", r.Method, r.URL, w.Code)
			}
			return
		}
		object, err := decodeAnswer(w.Body.Bytes())
		if err != nil || w.Header().Get("Content-Type") != "application/scim+json" {
			t.Fatalf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
		}
		if w.Code >= 400 && (text(object, "status") != fmt.Sprint(w.Code) || !strings.Contains(w.Body.String(), "urn:ietf:params:scim:api:messages:2.0:Error")) {
			t.Fatalf("%s %s: %d %s is no SCIM error", r.Method, r.URL, w.Code, w.Body)
		}
		s.log.Reset()
	})
}
