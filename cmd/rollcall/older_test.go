package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// olderVersion is a commit whose nodes serve beside this one's: the version before. Once there are releases it is the last one.
const olderVersion = "8638fed5d3b7d70e9eb86bbe0c8bea0861e6ac9c"

// older builds the binary of the version before. A clone without history, or sources that were unpacked, have none.
func older(t *testing.T) string {
	t.Helper()
	run := func(dir, name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if shallow, err := exec.Command("git", "rev-parse", "--is-shallow-repository").Output(); err != nil || strings.TrimSpace(string(shallow)) == "true" {
		t.Skip("skipped: the history with the version before is not here")
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "older.tar")
	run("../..", "git", "archive", "-o", archive, olderVersion)
	run(dir, "tar", "-xf", archive)
	run(dir, "go", "build", "-o", "older", "./cmd/rollcall")
	return filepath.Join(dir, "older")
}

// An upgrade node by node, and back again: nodes of the version before and of this one serve the same people from one PostgreSQL and over one bus. At each
// step somebody is offboarded on a node of either version while messages flow through all; nothing written after the call has returned reaches them, on
// whichever version, and whoever stays gets every message once and in order.
func TestUpgradeAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL, and builds the version before")
	}
	before := older(t)
	c := newTrioOf(t, before, dbtest.DSN(t, db.Postgres), 2*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, writer := c.hire(c.nodes[0], "writer")
	_, reader := c.hire(c.nodes[1], "reader")
	var staying []*hearer
	for _, n := range c.nodes {
		staying = append(staying, c.listen(ctx, n, reader, true))
	}
	rounds := 0
	round := func(what string, trouble string) {
		t.Helper()
		t.Run(what, func(t *testing.T) { c.offboard(ctx, t, rounds, trouble, writer) })
		rounds++
		if t.Failed() {
			t.FailNow()
		}
	}
	become := func(node int, binary string) {
		t.Helper()
		n := c.nodes[node]
		n.stop(os.Interrupt)
		n.binary = binary
		n.start()
		c.awaitReady(n)
	}
	round("the version before alone", "")
	become(0, "rollcall")
	round("revoked on the version before, one of three is new", "")
	round("revoked on the new one, without a bus", "no bus")
	become(1, "rollcall")
	round("two of three are new, the old one is frozen", "frozen node")
	become(2, "rollcall")
	round("all are new", "")
	become(0, before)
	round("the new one revokes, one has gone back", "")
	become(2, before)
	round("two have gone back, one of them revokes, the other is killed", "killed node")
	become(1, before)
	round("all have gone back", "")
	for i := range c.nodes {
		become(i, "rollcall")
	}
	round("all are new again", "")
	last := c.post(0, writer, "the end")
	for i, e := range staying {
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			e.mu.Lock()
			at, faults := e.last, e.faults
			e.mu.Unlock()
			if len(faults) > 0 {
				t.Fatalf("whoever stays on node %d: %v", i, faults)
			}
			if at >= last {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("whoever stays on node %d has %d of %d", i, at, last)
			}
		}
		if n := e.heard("after"); n != rounds*30 {
			t.Errorf("whoever stays on node %d got %d of %d messages", i, n, rounds*30)
		}
	}
	for i, n := range c.nodes {
		if strings.Contains(n.log.String(), "panic") {
			t.Errorf("node %d:\n%s", i, n.log.String())
		}
	}
	c.nodes[0].command("audit", "verify", "--config", c.nodes[0].config)
}
