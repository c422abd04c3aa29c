package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

var kills = flag.Int("kills", 20, "how often TestKilledAnywhere kills the server, per database")

// crash is a real server that is killed again and again under clients that push.
type crash struct {
	t       testing.TB
	dir     string
	binary  string // what is started
	config  string
	url     string
	server  *exec.Cmd
	log     bytes.Buffer
	source  string
	secret  string
	channel string
	report  audit.Report // of the last verification
	answers atomic.Int64 // acknowledged writes
	clients []*pusher
}

const crashToken = "crash-bootstrap-token-0123456789"

// SIGKILL between any two steps: what was acknowledged is there, what was not is there whole or not at all, the same call
// made again completes it, nobody who was offboarded is let in, the audit log grows by whole records, and in the end index
// and OpenFGA hold the same.
//
// holds: J37
func TestKilledAnywhere(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			c := newCrash(t, dbtest.DSN(t, engine))
			for i := range 4 {
				c.clients = append(c.clients, newPusher(c, i))
			}
			rounds := *kills
			if testing.Short() {
				rounds = min(rounds, 5)
			}
			for round := range rounds {
				c.pushUntilKilled()
				c.verifyAudit()
				c.serve()
				for _, p := range c.clients {
					p.check(round)
				}
				if t.Failed() {
					t.Fatalf("after kill %d of %d, with %d writes acknowledged; server log:\n%s", round+1, rounds, c.answers.Load(), c.log.String())
				}
			}
			c.stop(os.Interrupt)
			c.compare()
			t.Logf("%d kills, %d writes acknowledged, audit log of %d records", rounds, c.answers.Load(), c.report.Size)
		})
	}
}

func newCrash(t *testing.T, dsn string) *crash {
	c := configuredCrash(t, dsn, "")
	c.serve()
	c.furnish()
	return c
}

// furnish makes a source, a policy and a channel.
func (c *crash) furnish() {
	c.t.Helper()
	c.source = c.must("POST", "/api/v1/sources", crashToken, `{"name":"hr","kind":"scim"}`)["id"].(string)
	c.secret = c.must("POST", "/api/v1/sources/"+c.source+"/tokens", crashToken, `{"name":"crash"}`)["secret"].(string)
	policy := filepath.Join(c.dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(benchPolicy), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.command("apply", policy)
	groups := c.must("GET", "/api/v1/groups", crashToken, "")["items"].([]any)
	for _, g := range groups {
		if g := g.(map[string]any); g["key"] == "lab" {
			c.channel = g["channels"].([]any)[0].(map[string]any)["id"].(string)
		}
	}
}

// configuredCrash is a server that has not been started, with more lines in its configuration.
func configuredCrash(t testing.TB, dsn, more string) *crash {
	dir := t.TempDir()
	c := &crash{t: t, dir: dir, binary: "rollcall", config: filepath.Join(dir, "rollcall.yaml")}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort())
	c.url = "http://" + listen
	text := fmt.Sprintf("listen: %s\ndatabase: %q\nbootstrap_token: %s\ndev: {impersonation: true}\nscim: {rate: 100000}\nlog: {level: warn}\n%s", listen, dsn, crashToken, more)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stop(os.Kill) })
	return c
}

// command runs the binary and answers what it prints.
func (c *crash) command(args ...string) []byte {
	c.t.Helper()
	run := exec.Command("rollcall", args...)
	run.Env = append(os.Environ(), "ROLLCALL_URL="+c.url, "ROLLCALL_TOKEN="+crashToken)
	var problems bytes.Buffer
	run.Stderr = &problems
	out, err := run.Output()
	if err != nil {
		c.t.Fatalf("rollcall %v: %v\n%s%s", args, err, out, problems.String())
	}
	return out
}

// serve starts the server. From the first moment that it answers, whoever was offboarded must be refused.
func (c *crash) serve() {
	c.t.Helper()
	c.start()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for _, p := range c.clients {
			p.offboardedAreRefused()
		}
		if status, _, err := c.call("GET", "/readyz", "", ""); err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			c.stop(os.Kill)
			c.t.Fatalf("server is not ready:\n%s", c.log.String())
		}
	}
}

func (c *crash) start() {
	c.t.Helper()
	c.log.Reset()
	c.server = exec.Command(c.binary, "serve", "--config", c.config)
	c.server.Stderr = &c.log
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crash) stop(signal os.Signal) {
	if c.server != nil {
		_ = c.server.Process.Signal(signal)
		_ = c.server.Wait()
		c.server = nil
	}
}

// pushUntilKilled lets the clients push and kills the server at a moment that is drawn: so many acknowledgements and so
// much time later.
func (c *crash) pushUntilKilled() {
	c.t.Helper()
	target := c.answers.Load() + 5 + rand.Int64N(40)
	var pushing sync.WaitGroup
	for _, p := range c.clients {
		pushing.Go(p.push)
	}
	for deadline := time.Now().Add(60 * time.Second); c.answers.Load() < target && !c.t.Failed(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			c.t.Errorf("%d writes are missing", target-c.answers.Load())
			break
		}
	}
	time.Sleep(time.Duration(rand.Int64N(15_000)) * time.Microsecond)
	c.stop(os.Kill)
	pushing.Wait()
}

// verifyAudit has the binary re-hash the log as the crash left it: the records of the last time stand unchanged.
func (c *crash) verifyAudit() {
	c.t.Helper()
	args := []string{"audit", "verify", "--config", c.config, "--output", "json"}
	if c.report.Size > 0 {
		args = append(args, "--size", fmt.Sprint(c.report.Size), "--root", c.report.Root)
	}
	var now audit.Report
	if err := json.Unmarshal(c.command(args...), &now); err != nil {
		c.t.Fatal(err)
	}
	if now.Size < c.report.Size {
		c.t.Errorf("the audit log shrank from %d to %d records", c.report.Size, now.Size)
	}
	c.report = now
}

// compare opens what is left once more and holds the index against OpenFGA and both against what the clients know.
func (c *crash) compare() {
	c.t.Helper()
	cfg, err := loadConfig(c.config, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err = serve(ctx, cfg, slog.New(slog.DiscardHandler), func(a *app) {
		defer cancel()
		c.sameEverywhere(ctx, a)
		audience := map[id.Person]bool{}
		for person := range a.index.Audience(id.Channel(c.channel)) {
			audience[person] = true
		}
		want := 0
		for _, p := range c.clients {
			for _, u := range p.users {
				record, err := a.people.Record(ctx, id.Source(c.source), id.Link(u.link))
				if u.gone != (err != nil) {
					c.t.Errorf("%s: gone %v, %v", u.name, u.gone, err)
				}
				if !u.gone && audience[record.Person] != u.active {
					c.t.Errorf("%s: active %v, in the audience %v", u.name, u.active, audience[record.Person])
				}
				if !u.gone && u.active {
					want++
				}
			}
		}
		if len(audience) != want {
			c.t.Errorf("%d in the audience, %d people are active", len(audience), want)
		}
	})
	if err != nil && ctx.Err() == nil {
		c.t.Error(err)
	}
}

// sameEverywhere holds the index against OpenFGA.
func (c *crash) sameEverywhere(ctx context.Context, a *app) {
	c.t.Helper()
	for level := false; !level; time.Sleep(5 * time.Millisecond) {
		var err error
		if level, err = a.engine.CaughtUp(ctx); err != nil {
			c.t.Error(err)
			return
		}
	}
	if found, err := a.engine.Compare(ctx, a.index, 300); err != nil || len(found.Different) > 0 {
		c.t.Errorf("index and OpenFGA: %+v, %v", found, err)
	}
	if found, err := a.engine.Sweep(ctx); err != nil || len(found.Foreign)+len(found.Missing) > 0 {
		c.t.Errorf("tuples that differ: %+v, %v", found, err)
	}
}

// call makes one request; err says that no whole answer came.
func (c *crash) call(method, path, token, body string) (int, map[string]any, error) {
	return c.callCtx(context.Background(), method, path, token, body)
}

func (c *crash) callCtx(ctx context.Context, method, path, token, body string) (int, map[string]any, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil, err
	}
	out := map[string]any{}
	_ = json.Unmarshal(text, &out)
	return answer.StatusCode, out, nil
}

func (c *crash) must(method, path, token, body string) map[string]any {
	c.t.Helper()
	status, out, err := c.call(method, path, token, body)
	if err != nil || status >= 300 {
		c.t.Fatalf("%s %s: %d %v, %v\n%s", method, path, status, out, err, c.log.String())
	}
	return out
}
