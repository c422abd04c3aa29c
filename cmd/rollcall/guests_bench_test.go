package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

var (
	benchGuests = flag.Int("guests", 10_000, "how many guests BenchmarkGuests lets in, of one company for every 33")
	benchEnding = flag.Int("ending", 1000, "how many of them end at one instant, each with an open stream")
)

// Guests in number: how long the call takes that suspends a company, until none of its guests has an exit; how long a page of a list takes; and by when the streams of those are closed whose time ends at one instant.
func BenchmarkGuests(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			for b.Loop() {
				guestsInNumber(b, engine)
			}
		})
	}
}

func guestsInNumber(tb *testing.B, engine db.Engine) {
	b, ctx, cause := newBench(tb, engine), tb.Context(), directory.Cause{Actor: "system"}
	engineOf := b.app.guests
	b.hireIn(0, "sh/R&D", "Lead")
	who, _ := b.person("u0")
	group := b.openToVendors()
	companies := max(1, *benchGuests/33)
	for n := range companies {
		if _, err := engineOf.AddCompany(ctx, cause, guests.Company{Key: fmt.Sprintf("c%d", n), Names: map[string]string{"en": "Company"}, Domains: []string{fmt.Sprintf("c%d.example", n)}, Owner: id.Person(who)}); err != nil {
			tb.Fatal(err)
		}
	}
	began := time.Now()
	const part = 500
	for from := 0; from < *benchGuests; from += part {
		file := "email,name,company,group,channels,until,reason\n"
		for n := from; n < min(from+part, *benchGuests); n++ {
			file += fmt.Sprintf("g%d@c%d.example,Guest %d,c%d,%s,shared,%s,bench\n", n, n%companies, n, n%companies, group, time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339))
		}
		shown, err := engineOf.Import(ctx, cause, guests.Shown{}, file, id.Person(who))
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := engineOf.Import(ctx, cause, guests.Shown{At: shown.At, Basis: shown.Basis}, file, id.Person(who)); err != nil {
			tb.Fatal(err)
		}
	}
	letting := time.Since(began)

	admin := b.app.cfg.BootstrapToken
	var suspends, pages []time.Duration
	for n := range min(100, companies) {
		at := time.Now()
		got := b.call("POST", fmt.Sprintf("/api/v1/companies/c%d/suspend", n), admin, `{"reason":"bench"}`)
		suspends = append(suspends, time.Since(at))
		if got["guests"].(float64) < 1 {
			tb.Fatal(got)
		}
		b.call("POST", fmt.Sprintf("/api/v1/companies/c%d/resume", n), admin, `{"reason":"bench"}`)
	}
	cursor := ""
	for n := range 100 {
		for _, query := range []string{"?limit=100" + cursor, fmt.Sprintf("?limit=100&company=c%d", n%companies), "?limit=100&within_days=90", "/summary", "/waiting"} {
			at := time.Now()
			got := b.call("GET", "/api/v1/guests"+query, admin, "")
			pages = append(pages, time.Since(at))
			if next, _ := got["next"].(string); next != "" && strings.HasPrefix(query, "?limit=100&cursor") || n == 0 && next != "" {
				cursor = "&cursor=" + next
			}
		}
	}
	tb.ReportMetric(letting.Seconds(), "letting-in-s")
	quantiles(tb, "suspend", suspends)
	quantiles(tb, "page", pages)

	// The first of them end at one instant.
	list, _, err := engineOf.Guests(ctx, guests.Query{Limit: *benchEnding})
	if err != nil {
		tb.Fatal(err)
	}
	end := time.Now().Add(time.Duration(len(list))*250*time.Millisecond + 20*time.Second).Truncate(time.Second)
	for _, g := range list {
		if _, _, err := engineOf.Renew(ctx, cause, g.ID, guests.Wish{Until: end, Reason: "bench", Sponsor: id.Person(who), Any: true}); err != nil {
			tb.Fatal(err)
		}
	}
	if time.Until(end) < 5*time.Second {
		tb.Fatalf("the guests end in %s: this machine is too busy", time.Until(end))
	}
	var mu sync.Mutex
	var last time.Time
	var all sync.WaitGroup
	early := 0
	for _, g := range list {
		token := b.token(string(g.Person))
		request, err := http.NewRequestWithContext(context.Background(), "GET", b.url+"/api/v1/events", nil)
		if err != nil {
			tb.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			tb.Fatal(err, answer)
		}
		all.Go(func() {
			defer answer.Body.Close()
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			}
			now := time.Now()
			mu.Lock()
			defer mu.Unlock()
			if now.Before(end) {
				early++
			}
			if now.After(last) {
				last = now
			}
		})
	}
	if time.Until(end) < time.Second {
		tb.Fatalf("the streams were open %s before the end: this machine is too busy", time.Until(end))
	}
	all.Wait()
	if early > 0 {
		tb.Fatalf("%d streams ended early", early)
	}
	tb.ReportMetric(float64(last.Sub(end).Microseconds())/1000, "last-cut-ms")
}

// openToVendors opens a channel to guests, without a limit, and answers the key of its group.
func (b *bench) openToVendors() string {
	b.tb.Helper()
	const policy = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels: [{key: shared, name: {en: Shared, zh: 共享}, access: {vendor: post}}]
    rules: [{key: lead, role: owner, when: person.title == "Lead"}]
`
	b.setPolicy(policy)
	return "apollo"
}

// setPolicy puts a policy in force; whoever works at the same time makes it try again.
func (b *bench) setPolicy(text string) {
	b.tb.Helper()
	for try := 0; ; try++ {
		_, err := b.app.access.SetPolicy(b.tb.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: text}})
		if err == nil {
			return
		}
		if try == 20 {
			b.tb.Fatal(err)
		}
	}
}
