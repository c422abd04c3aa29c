package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Three nodes on one database that was restored start closed, each of them, also one that is killed and starts again; what the restorer says to one
// counts on all; they open together, and whoever was offboarded after the backup reaches nothing on any of them, at any time.
func TestRestoredNodesOpenTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	c := newTrio(t)
	link, left := c.hire(c.nodes[0], "leaver")
	_, stays := c.hire(c.nodes[1], "stayer")
	dir := t.TempDir()
	saved, tail := filepath.Join(dir, "all.rollcall"), filepath.Join(dir, "tail.jsonl")
	c.nodes[0].command("backup", saved, "--config", c.nodes[0].config)
	c.nodes[1].must("PATCH", "/scim/v2/Users/"+link, c.nodes[1].secret, patchBody(`{"op":"replace","path":"active","value":false}`))
	c.nodes[2].command("audit", "export", tail, "--config", c.nodes[2].config)
	for _, n := range c.nodes {
		n.stop(os.Interrupt)
	}
	secret, channel := c.nodes[0].secret, c.nodes[0].channel
	restored := dbtest.DSN(t, db.Postgres)
	for i := range c.nodes {
		c.nodes[i] = configuredCrash(t, restored, fmt.Sprintf("cluster: {bus: \"nats://127.0.0.1:%d\", node: n%d, lease: 2s, deployment: restored}\n", c.port, i))
		c.nodes[i].secret, c.nodes[i].channel = secret, channel
	}
	c.nodes[0].command("restore", saved, "--config", c.nodes[0].config)
	for _, n := range c.nodes {
		n.start()
	}
	messages := "/api/v1/channels/" + channel + "/messages"
	answers := func(n *crash, token string) int {
		t.Helper()
		status, _, err := n.call("GET", messages, token, "")
		if err != nil {
			t.Fatalf("%v\n%s", err, n.log.String())
		}
		return status
	}
	closed := func(when string) {
		t.Helper()
		for i, n := range c.nodes {
			c.awaitReady(n)
			for who, token := range map[string]string{"the leaver": left, "the stayer": stays} {
				if got := answers(n, token); got != http.StatusServiceUnavailable {
					t.Errorf("%s, node %d answers %s with %d", when, i, who, got)
				}
			}
		}
	}
	closed("at the start")
	if status, _, err := c.nodes[2].call("PATCH", "/scim/v2/Users/"+link, secret, patchBody(`{"op":"replace","path":"active","value":true}`)); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a source gets in before the revocations were replayed: %d, %v", status, err)
	}
	c.nodes[1].command("restore", "replay", tail)
	closed("after the replay")
	c.nodes[2].stop(os.Kill)
	c.nodes[2].start()
	closed("after a kill")
	c.nodes[0].command("restore", "vouch", "hr", "--reason", "provisioning was started anew")
	closed("with somebody's word, but not the source's") // whom it froze is not frozen
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		status, _, err := c.nodes[2].call("PATCH", "/scim/v2/Users/"+link, secret, patchBody(`{"op":"replace","path":"active","value":false}`))
		if err == nil && status < 300 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("sources are not let in: %d, %v", status, err)
		}
	}
	var opened [3]time.Time
	for deadline, open := time.Now().Add(time.Minute), 0; open < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 3 nodes are open: %s", open, c.nodes[0].command("restore", "status"))
		}
		for i, n := range c.nodes {
			if got := answers(n, left); got != http.StatusServiceUnavailable && got != http.StatusUnauthorized {
				t.Fatalf("node %d answers the leaver with %d", i, got)
			}
			if opened[i].IsZero() && answers(n, stays) == http.StatusOK {
				opened[i] = time.Now()
				open++
			}
		}
	}
	for i, n := range c.nodes {
		if apart := opened[i].Sub(opened[0]).Abs(); apart > 10*restoredEvery { // each looks twice a second; this machine may be slow
			t.Errorf("node %d opens %s apart from the first", i, apart)
		}
		if got := answers(n, left); got != http.StatusUnauthorized {
			t.Errorf("node %d answers the leaver with %d", i, got)
		}
	}
	if list := c.nodes[1].must("GET", "/api/v1/audit?action=restore.opened", crashToken, "")["items"].([]any); len(list) != 1 {
		t.Errorf("it was opened %d times", len(list))
	}
}
