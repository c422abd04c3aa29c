package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// The demo as others start it: the ready file has the keys of the contract, each address answers, and what is written to its directory
// is heard.
//
// holds: R23
func TestDemoReadyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ready.json")
	var out, logs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run([]string{"demo", "--listen", "127.0.0.1:0", "--people", "40", "--no-browser", "--ready-file", file}, strings.NewReader(""), &out, &logs)
	}()
	var ready map[string]string
	for deadline := time.Now().Add(60 * time.Second); ready == nil; time.Sleep(50 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &ready) == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s", logs.String())
		}
	}
	for _, key := range []string{"url", "admin_token", "scim_url", "scim_token", "ldap_url", "ldap_bind_dn", "ldap_password", "idp_url"} {
		if ready[key] == "" {
			t.Errorf("%s is missing", key)
		}
	}
	s := &bench{tb: t, url: ready["url"]}
	if n := len(s.call("GET", "/api/v1/people?limit=200", ready["admin_token"], "")["items"].([]any)); n != 43 { // and three guests
		t.Errorf("%d people", n)
	}
	if n := len(s.call("GET", "/api/v1/units", ready["admin_token"], "")["items"].([]any)); n != 12 {
		t.Errorf("%d units", n)
	}
	if total := s.call("GET", "/scim/v2/Users?count=1", ready["scim_token"], "")["totalResults"].(float64); total == 0 {
		t.Error("no SCIM users")
	}
	s.promote(ready)
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit %d: %s", code, logs.String())
		}
	case <-time.After(20 * time.Second):
		t.Error("the demo does not end")
	}
	if strings.Contains(logs.String(), ready["ldap_password"]) || strings.Contains(logs.String(), ready["admin_token"]) {
		t.Error("a secret reached the log")
	}
}

// promote gives somebody of the demo's directory the title of a director by LDAP, and waits until the channels are theirs.
func (b *bench) promote(ready map[string]string) {
	b.tb.Helper()
	conn, err := goldap.DialURL(ready["ldap_url"])
	if err != nil {
		b.tb.Fatal(err)
	}
	defer conn.Close()
	conn.SetTimeout(20 * time.Second)
	if err := conn.Bind(ready["ldap_bind_dn"], ready["ldap_password"]); err != nil {
		b.tb.Fatal(err)
	}
	found, err := conn.Search(goldap.NewSearchRequest(ldapSuffix, goldap.ScopeWholeSubtree, 0, 0, 0, false, "(&(uid=*)(!(title=Director*)))", []string{"uid"}, nil))
	if err != nil || len(found.Entries) == 0 {
		b.tb.Fatal(found, err)
	}
	items := b.call("GET", "/api/v1/people?q="+found.Entries[0].GetAttributeValue("uid"), ready["admin_token"], "")["items"].([]any)
	person := items[0].(map[string]any)["id"].(string)
	owns := func() bool {
		for _, m := range b.call("GET", "/api/v1/people/"+person+"/memberships", ready["admin_token"], "")["items"].([]any) {
			if m.(map[string]any)["role"] == "owner" {
				return true
			}
		}
		return false
	}
	if owns() {
		b.tb.Error("owner before")
	}
	m := goldap.NewModifyRequest(found.Entries[0].DN, nil)
	m.Replace("title", []string{"Director of the Plant"})
	if err := conn.Modify(m); err != nil {
		b.tb.Fatal(err)
	}
	within(b.tb, "owner by title", owns)
}

// Several nodes in one process: each answers, each knows of the others, and somebody who is dismissed is out on each.
func TestDemoNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	told := false
	err := runDemo(ctx, demoFlags{listen: "127.0.0.1:0", people: 40, nodes: 3, postgres: dbtest.DSN(t, db.Postgres)}, io.Discard, io.Discard, func(d *demoServer) error {
		defer cancel()
		told = true
		urls := append(strings.Split(d.ready.NodeURLs, ","), d.ready.URL)
		if len(urls) != 3 {
			t.Errorf("nodes: %v", urls)
		}
		first := &bench{tb: t, url: d.ready.URL}
		person, err := d.find(ctx, d.company[9].Number)
		if err != nil {
			return err
		}
		token := first.call("POST", "/api/v1/people/"+string(person)+"/tokens", d.ready.AdminToken, `{"name":"test"}`)["token"].(string)
		for _, url := range urls {
			b := &bench{tb: t, url: url}
			if code := b.status(token); code != http.StatusOK {
				t.Errorf("%s answers %d", url, code)
			}
		}
		first.call("POST", "/api/v1/people/"+string(person)+"/freeze", d.ready.AdminToken, `{"reason":"test"}`)
		for _, url := range urls {
			b := &bench{tb: t, url: url}
			if code := b.status(token); code != http.StatusUnauthorized {
				t.Errorf("%s answers %d after the freeze", url, code)
			}
		}
		return nil
	})
	if err != nil || !told {
		t.Errorf("%v", err)
	}
	if err := (demoFlags{nodes: 3}).checkNodes(); err == nil {
		t.Error("three nodes on a file")
	}
}

// A demo takes an empty database, or its own, and no other.
func TestDemoDatabase(t *testing.T) {
	dsn := dbtest.DSN(t, db.Postgres)
	for range 2 {
		if err := (demoFlags{postgres: dsn}).ownDatabase(t.Context()); err != nil {
			t.Error(err)
		}
	}
	other := dbtest.DSN(t, db.Postgres)
	if err := migrate(t.Context(), dbtest.Open(t, other)); err != nil {
		t.Fatal(err)
	}
	if err := (demoFlags{postgres: other}).ownDatabase(t.Context()); err == nil {
		t.Error("a deployment's database is taken for a demo")
	}
}
