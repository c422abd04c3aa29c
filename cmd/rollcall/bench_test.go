package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

var races = flag.Int("races", 400, "how many offboardings BenchmarkRaces makes")

const benchPolicy = `apiVersion: rollcall/v1
groups:
  - key: lab
    name: {en: Lab, zh: 实验室}
    channels:
      - {key: bench, name: {en: Bench, zh: 工作台}}
    rules:
      - {key: rnd, role: participant, when: person.department == "R&D"}
  - key: other
    name: {en: Other, zh: 其他}
    channels:
      - {key: room, name: {en: Room, zh: 房间}}
    rules:
      - {key: all, role: participant, when: person.user_name != ""}
`

// bench is a whole server in this process, spoken to over loopback.
type bench struct {
	tb      testing.TB
	app     *app
	url     string
	scim    string
	channel string
}

func newBench(tb testing.TB, engine db.Engine) *bench {
	tb.Helper()
	return newLoggedBench(tb, engine, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
}

// newLoggedBench starts a server that logs to log, with these LDAP sources.
func newLoggedBench(tb testing.TB, engine db.Engine, log *slog.Logger, sources ...LDAP) *bench {
	tb.Helper()
	return newBenchOf(tb, engine, log, func(cfg *Config) { cfg.LDAP = sources })
}

// newBenchOf starts a server whose configuration change has changed.
func newBenchOf(tb testing.TB, engine db.Engine, log *slog.Logger, change func(*Config)) *bench {
	tb.Helper()
	cfg := defaults()
	change(&cfg)
	cfg.Database, cfg.BootstrapToken = dbtest.DSN(tb, engine), "bench-bootstrap-token"
	cfg.OpenFGA.Database = "sqlite:" + filepath.Join(tb.TempDir(), "openfga.db")
	cfg.Dev.Impersonation, cfg.SCIM.Rate = true, 1_000_000
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	cfg.PublicURL = "http://" + listener.Addr().String()
	cfg.Cluster.reached(listener.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	a, err := newApp(ctx, cfg, log)
	if err != nil {
		tb.Fatal(err)
	}
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.run(ctx, listener, func(*app) { close(ready) }) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
		a.close()
	})
	<-ready
	b := &bench{tb: tb, app: a, url: cfg.PublicURL}
	cause := directory.Cause{Actor: "system"}
	source, err := a.people.CreateSource(ctx, cause, directory.Source{Name: "hr", Kind: directory.KindSCIM})
	if err != nil {
		tb.Fatal(err)
	}
	if b.scim, _, err = a.people.IssueSourceToken(ctx, cause, source.ID, "bench", time.Time{}); err != nil {
		tb.Fatal(err)
	}
	if _, err := a.access.SetPolicy(ctx, cause, []provisioning.File{{Name: "p.yaml", Source: benchPolicy}}); err != nil {
		tb.Fatal(err)
	}
	groups, err := a.access.Groups(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	for _, g := range groups {
		if g.Key == "lab" {
			b.channel = string(g.Channels[0].ID)
		}
	}
	return b
}

func (b *bench) call(method, path, token, body string) map[string]any {
	b.tb.Helper()
	request, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	if answer.StatusCode >= 300 {
		b.tb.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	out := map[string]any{}
	if len(text) > 0 && json.Unmarshal(text, &out) != nil {
		b.tb.Fatalf("%s %s: %s", method, path, text)
	}
	return out
}

// hire makes a person over SCIM and answers the SCIM id.
func (b *bench) hire(n int) string {
	return b.call("POST", "/scim/v2/Users", b.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"u%d","externalId":"E%d","active":true,"displayName":"Person %d","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`, n, n, n))["id"].(string)
}

func (b *bench) setActive(link string, active bool) {
	b.call("PATCH", "/scim/v2/Users/"+link, b.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":%v}}]}`, active))
}

// person answers the person of a user name and a token of theirs.
func (b *bench) person(name string) (who, token string) {
	items := b.call("GET", "/api/v1/people?q="+name, b.app.cfg.BootstrapToken, "")["items"].([]any)
	for _, item := range items {
		if item := item.(map[string]any); item["user_name"] == name {
			who = item["id"].(string)
		}
	}
	return who, b.token(who)
}

func (b *bench) token(person string) string {
	return b.call("POST", "/api/v1/people/"+person+"/tokens", b.app.cfg.BootstrapToken, `{"name":"bench"}`)["token"].(string)
}

func quantiles(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"-p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"-p99-ms")
}

// A new hire over SCIM until they are in the channel's audience, and a dismissal until the call returns: the
// whole server over loopback, one call at a time.
func BenchmarkJoinerLeaver(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			s := newBench(b, engine)
			const people = 300
			var hires, leaves []time.Duration
			for b.Loop() {
				for n := range people {
					begin := time.Now()
					link := s.hire(len(hires))
					members := 0
					for range s.app.index.Audience(id.Channel(s.channel)) {
						members++
					}
					if members != len(hires)-len(leaves)+1 {
						b.Fatalf("hire %d: %d in the audience", n, members)
					}
					hires = append(hires, time.Since(begin))
					begin = time.Now()
					s.setActive(link, false)
					leaves = append(leaves, time.Since(begin))
				}
			}
			quantiles(b, "hire", hires)
			quantiles(b, "dismiss", leaves)
		})
	}
}

// Offboardings in races with messages that flow: how many messages that were written after the call had
// returned reached the person. Four readers race with each call: two that listen, one that reconnects, and one with
// history requests under way. The reader whose queue is full is raced in chat/delivery.
func BenchmarkRaces(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			s := newBench(b, engine)
			s.hire(-1)
			_, poster := s.person("u-1")
			link := s.hire(0)
			leaver, _ := s.person("u0")
			for b.Loop() {
				late, frames := s.race(*races/4, link, leaver, poster)
				b.ReportMetric(float64(late), "late-deliveries")
				b.ReportMetric(float64(frames), "frames-before")
				b.ReportMetric(float64(*races/4*4), "races")
				if late > 0 {
					b.Errorf("%d messages reached the person after the call had returned", late)
				}
			}
		})
	}
}

func (s *bench) race(rounds int, link, leaver, poster string) (late, frames int64) {
	var written atomic.Int64 // the number of the newest message whose writing has begun
	ctx, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() {
		for ctx.Err() == nil {
			n := written.Add(1)
			s.call("POST", "/api/v1/channels/"+s.channel+"/messages", poster, fmt.Sprintf(`{"client_id":"%d","kind":"text","text":"n=%d;%s"}`, n, n, strings.Repeat("x", 200)))
			time.Sleep(2 * time.Millisecond)
		}
	})
	var lateCount, frameCount atomic.Int64
	for range rounds {
		token := s.token(leaver)
		var limit atomic.Int64 // messages above it were begun after the return
		limit.Store(1 << 60)
		over := make(chan struct{})
		var readers sync.WaitGroup
		see := func(text string) {
			frameCount.Add(1)
			for rest := text; ; {
				_, after, found := strings.Cut(rest, "n=")
				if !found {
					return
				}
				var n int64
				if _, err := fmt.Sscanf(after, "%d;", &n); err == nil && n > limit.Load() {
					lateCount.Add(1)
				}
				rest = after
			}
		}
		readers.Go(func() { s.reader(token, false, false, over, see) })
		readers.Go(func() { s.reader(token, true, false, over, see) })
		readers.Go(func() { s.reader(token, false, true, over, see) })
		readers.Go(func() { s.asker(token, over, see) })
		time.Sleep(time.Duration(5+rand.IntN(15)) * time.Millisecond)
		s.setActive(link, false)
		limit.Store(written.Load())
		time.Sleep(8 * time.Millisecond)
		close(over)
		readers.Wait()
		s.setActive(link, true)
	}
	stop()
	background.Wait()
	return lateCount.Load(), frameCount.Load()
}

// reader listens until it is cut. A slow one looks at what it heard later; one that comes again connects as soon as it is cut.
func (s *bench) reader(token string, slow, again bool, over chan struct{}, see func(string)) {
	for {
		e, err := hear(context.Background(), s.url, token)
		if err == nil {
			done := make(chan struct{})
			go func() { <-over; time.Sleep(20 * time.Millisecond); e.conn.Close(); close(done) }()
			if slow {
				time.Sleep(10 * time.Millisecond)
			}
			select {
			case <-e.done:
			case <-done:
			}
			e.mu.Lock()
			for _, text := range e.heard {
				see(text)
			}
			e.mu.Unlock()
		}
		select {
		case <-over:
			return
		default:
			if !again {
				return
			}
		}
	}
}

// asker reads the history again and again.
func (s *bench) asker(token string, over chan struct{}, see func(string)) {
	for {
		select {
		case <-over:
			return
		default:
		}
		request, err := http.NewRequest("GET", s.url+"/api/v1/channels/"+s.channel+"/messages?limit=50", nil)
		if err != nil {
			s.tb.Error(err)
			return
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusOK {
			see(string(text))
		}
	}
}
