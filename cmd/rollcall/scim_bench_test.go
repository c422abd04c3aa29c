package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

var (
	benchPeople  = flag.Int("people", 2000, "how many people BenchmarkSCIM and BenchmarkBeside import over SCIM")
	benchClients = flag.Int("clients", 16, "how many clients write at the same time")
	besidePeople = flag.Int("beside", 0, "how many people BenchmarkBeside imports; 0: as many as -people")
)

// BenchmarkSCIM is the real binary with a real database, spoken to over SCIM: people are imported one POST each by
// several clients, with audit, feed, memberships and the request log on; then they are changed, filtered, paged
// and sorted, one of the groups holding all of them. The table at the end is docs/performance.md's.
func BenchmarkSCIM(b *testing.B) {
	var columns []*column
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			for b.Loop() {
				p := serveRollcall(b, engine)
				c := &column{name: string(engine)}
				p.scale(c, *benchPeople)
				p.stop()
				columns = append(columns, c)
			}
		})
	}
	printTable(fmt.Sprintf("SCIM, %d people, %d clients", *benchPeople, *benchClients), columns)
}

// BenchmarkBeside is the same calls to rollcall on SQLite and to the npm package scimmy-routers (testdata/scimmy) with
// people in its memory, in one run.
func BenchmarkBeside(b *testing.B) {
	n := *besidePeople
	if n == 0 {
		n = *benchPeople
	}
	var columns []*column
	for b.Loop() {
		for _, p := range []*provider{serveRollcall(b, db.SQLite), serveScimmy(b)} {
			c := &column{name: p.name}
			p.compare(c, n)
			p.stop()
			columns = append(columns, c)
		}
	}
	ratio := &column{name: "ratio"}
	for i, line := range columns[0].lines {
		ours, theirs := line.value, columns[1].lines[i].value
		if strings.HasSuffix(line.what, "/s") {
			ours, theirs = theirs, ours
		}
		ratio.put(line.what, theirs/ours)
		b.ReportMetric(theirs/ours, strings.ReplaceAll(strings.ReplaceAll(line.what, " ", "-"), ",", "")+"-ratio")
	}
	printTable(fmt.Sprintf("beside scimmy-routers, %d people, %d clients", n, *benchClients), append(columns, ratio))
}

// scale measures what is promised of a directory of n people.
func (p *provider) scale(c *column, n int) {
	links := p.imported(c, n)
	c.put("memory at most while importing, MB", p.peak())
	p.churn(c, links)
	everybody := p.groups(c, links)
	p.read(c, "filter userName", 300, func(i int) string { return p.filter(`userName eq "U%d"`, i*31%n) })
	p.read(c, "filter externalId", 300, func(i int) string { return p.filter(`externalId eq "E%d"`, i*31%n) })
	p.read(c, "filter emails.value", 300, func(i int) string { return p.filter(`emails.value eq "u%d@example.com"`, i*31%n) })
	p.read(c, "filter emails[type eq work].value", 300, func(i int) string {
		return p.filter(`emails[type eq "work"].value eq "u%d@example.com"`, i*31%n)
	})
	p.read(c, "filter displayName", 300, func(i int) string { return p.filter(`displayName eq "Person %d"`, i*31%n) })
	p.read(c, "filter id and members (group)", 100, func(i int) string {
		return "/Groups?attributes=id&filter=" + url.QueryEscape(fmt.Sprintf(`id eq "%s" and members eq "%s"`, everybody, links[i*31%n]))
	})
	p.read(c, "filter meta.lastModified gt now", 100, func(int) string {
		return "/Users?filter=" + url.QueryEscape(`meta.lastModified gt "`+time.Now().UTC().Format(time.RFC3339)+`"`)
	})
	p.read(c, fmt.Sprintf("page of 100 at %d", n-99), 100, func(int) string { return fmt.Sprintf("/Users?count=100&startIndex=%d", n-99) })
	p.read(c, fmt.Sprintf("page of 100 at %d", n/2), 50, func(int) string { return fmt.Sprintf("/Users?count=100&startIndex=%d", n/2) })
	for _, by := range []string{"userName", "displayName", "emails", "meta.lastModified"} {
		p.read(c, "first page of 100 by "+by, 50, func(int) string { return "/Users?count=100&sortBy=" + by })
	}
	p.read(c, fmt.Sprintf("page of 100 at %d by userName", n-99), 30, func(int) string {
		return fmt.Sprintf("/Users?count=100&sortBy=userName&startIndex=%d", n-99)
	})
	p.read(c, "filter nickName, not indexed", 10, func(i int) string { return p.filter(`nickName eq "N%d"`, i) })
	p.read(c, "big group without members", 100, func(int) string { return "/Groups/" + everybody + "?excludedAttributes=members" })
}

// compare measures what both providers do.
func (p *provider) compare(c *column, n int) {
	links := p.imported(c, n)
	c.put("memory at most while importing, MB", p.peak())
	const changed = 2000
	off := p.many(min(n, changed), func(i int) { p.must(http.MethodPatch, "/Users/"+links[i], activeBody(false)) })
	c.put("PATCH active, /s", off)
	times := max(3, min(100, 500_000/n))
	p.read(c, "filter userName", times, func(i int) string { return p.filter(`userName eq "u%d"`, i*31%n) })
	p.read(c, fmt.Sprintf("page of 100 at %d", n-99), times, func(int) string { return fmt.Sprintf("/Users?count=100&startIndex=%d", n-99) })
}

// imported makes n people.
func (p *provider) imported(c *column, n int) []string {
	links := make([]string, n)
	rate := p.many(n, func(i int) { links[i] = text(p.must(http.MethodPost, "/Users", userBody(i)), "id") })
	c.put("POST, /s", rate)
	return links
}

// churn changes people as sources do on a working day: titles, activity, and new people in between.
func (p *provider) churn(c *column, links []string) {
	n := min(len(links), 3000)
	c.put("PATCH title, /s", p.many(n, func(i int) {
		p.must(http.MethodPatch, "/Users/"+links[i], patchOf(fmt.Sprintf(`{"op":"replace","path":"title","value":"T%d"}`, i)))
	}))
	c.put("PATCH active=false, /s", p.many(n, func(i int) { p.must(http.MethodPatch, "/Users/"+links[i], activeBody(false)) }))
	c.put("PATCH active=true, /s", p.many(n, func(i int) { p.must(http.MethodPatch, "/Users/"+links[i], activeBody(true)) }))
	var next atomic.Int64
	c.put("POST and PATCH mixed, /s", p.many(n, func(i int) {
		if i%2 == 0 {
			p.must(http.MethodPost, "/Users", userBody(len(links)+int(next.Add(1))))
			return
		}
		p.must(http.MethodPatch, "/Users/"+links[i], patchOf(fmt.Sprintf(`{"op":"replace","path":"name.givenName","value":"G%d"}`, i)))
	}))
}

// groups makes one group for each 50 people, of 50 members each, and one of everybody, and changes single members of that one.
func (p *provider) groups(c *column, links []string) (everybody string) {
	member := func(links []string) string {
		list := make([]string, len(links))
		for i, link := range links {
			list[i] = `{"value":"` + link + `"}`
		}
		return strings.Join(list, ",")
	}
	const schema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	c.put("POST group of 50, /s", p.many(len(links)/50, func(i int) {
		p.must(http.MethodPost, "/Groups", fmt.Sprintf(`{%s,"displayName":"Group %d","members":[%s]}`, schema, i, member(links[50*i:50*i+50])))
	}))
	everybody = text(p.must(http.MethodPost, "/Groups", `{`+schema+`,"displayName":"Everybody"}`), "id")
	begin := time.Now()
	for from := 0; from < len(links); from += 1000 {
		p.must(http.MethodPatch, "/Groups/"+everybody, patchOf(`{"op":"add","path":"members","value":[`+member(links[from:min(from+1000, len(links))])+`]}`))
	}
	c.put("everybody into one group, s", time.Since(begin).Seconds())
	p.timed(c, "one member out of everybody and in again", 100, func(i int) {
		op := `{"op":"remove","path":"members[value eq \"` + links[i/2] + `\"]"}`
		if i%2 == 1 {
			op = `{"op":"add","path":"members","value":[` + member(links[i/2:i/2+1]) + `]}`
		}
		if answer := p.must(http.MethodPatch, "/Groups/"+everybody, patchOf(op)); len(answer) > 0 {
			p.tb.Errorf("one member is answered with %d attributes", len(answer))
		}
	})
	return everybody
}

func (p *provider) filter(format string, args ...any) string {
	return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(format, args...))
}

func activeBody(active bool) string {
	return patchOf(fmt.Sprintf(`{"op":"replace","path":"active","value":%v}`, active))
}

func patchOf(operation string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operation + `]}`
}

func userBody(n int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"u%d","externalId":"E%d","active":true,"displayName":"Person %d","name":{"givenName":"P%d","familyName":"Family%d"},"title":"Engineer",
		"emails":[{"value":"u%d@example.com","type":"work","primary":true}],"phoneNumbers":[{"value":"+86 10 %08d","type":"work"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D%d","employeeNumber":"N%d"}}`, n, n, n, n, n%5000, n, n, n%100, n)
}

// serveRollcall starts the real binary on an empty database, with a policy that gives everybody a place.
func serveRollcall(b *testing.B, engine db.Engine) *provider {
	b.Helper()
	const admin = "bench-bootstrap-token-0123456789"
	dir, port := b.TempDir(), freePort()
	config, policy := filepath.Join(dir, "rollcall.yaml"), filepath.Join(dir, "policy.yaml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write(config, fmt.Sprintf("listen: 127.0.0.1:%d\ndatabase: %q\nbootstrap_token: %s\nscim: {rate: 1000000}\nopenfga: {database: %q}\nlog: {level: error}\n",
		port, dbtest.DSN(b, engine), admin, "sqlite:"+filepath.Join(dir, "openfga.db")))
	write(policy, strings.ReplaceAll(benchPolicy, `"R&D"`, `"D7"`)) // one in a hundred has a second place
	p := &provider{tb: b, name: "rollcall, " + string(engine), process: exec.Command("rollcall", "serve", "--config", config)}
	p.process.Stderr = os.Stderr
	if err := p.process.Start(); err != nil {
		b.Fatal(err)
	}
	p.base = fmt.Sprintf("http://127.0.0.1:%d", port)
	p.ready("/readyz")
	apply := exec.Command("rollcall", "apply", policy)
	apply.Env = append(os.Environ(), "ROLLCALL_URL="+p.base, "ROLLCALL_TOKEN="+admin)
	if out, err := apply.CombinedOutput(); err != nil {
		b.Fatalf("apply: %v\n%s", err, out)
	}
	p.token = admin
	source := text(p.must(http.MethodPost, "/api/v1/sources", `{"name":"bench","kind":"scim"}`), "id")
	p.token = text(p.must(http.MethodPost, "/api/v1/sources/"+source+"/tokens", `{"name":"bench"}`), "secret")
	p.base += "/scim/v2"
	return p
}
