package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
)

// The password of the account that reads the directory is nowhere: in no answer of any route that reads, in none of a source's,
// in nothing for debugging, in no line of the log at any level; while the directory is read, and while its server repeats the password in each refusal.
//
// holds: attack ldap-04
func TestBindSecretIsNowhere(t *testing.T) {
	const canary, base = "canary-4e1b-bind-secret", "dc=corp,dc=example"
	d := demo.New(base, "cn=admin,"+base, canary)
	if err := d.Add(demo.Entry{DN: "uid=one," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"one"}, "cn": {"One"}, "sn": {"One"}}}); err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	s := newLoggedBench(t, db.SQLite, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		LDAP{Name: "corp", Config: ldap.Config{URL: ldaptest.Serve(t, d), InsecurePlain: true, BindDN: "cn=admin," + base, Password: canary, Base: base, Timeout: time.Second}})
	syncer := s.app.ldap["corp"]
	within(t, "the directory is followed", func() bool { return syncer.Status().Mode == "live" })
	asked := 0
	ask := func(method, path string) {
		r, err := http.NewRequest(method, s.url+path, strings.NewReader(map[bool]string{true: "{}"}[method == "POST"]))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.app.cfg.BootstrapToken)
		r.Header.Set("Content-Type", "application/json")
		answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
		if err != nil {
			return // a stream
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if asked++; strings.Contains(string(text), canary) {
			t.Errorf("%s %s shows the password: %d", method, path, answer.StatusCode)
		}
	}
	all := func() {
		for _, r := range s.app.routes() {
			ofSource := strings.HasPrefix(r.Path, "/api/v1/sources/{id}/")
			path := strings.NewReplacer("{id}", string(syncer.Source.ID), "{token}", "x", "{link}", "x", "{request}", "x", "{version}", "1").Replace(r.Path)
			if (r.Method == "GET" || r.Method == "POST" && ofSource) && !strings.Contains(path, "stream") {
				ask(r.Method, path)
			}
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/vars", "/metrics", "/rollcall.yaml"} {
			ask("GET", path)
		}
	}
	all()
	d.SetFaults(demo.Faults{EchoSecret: true})
	if _, err := syncer.Sync(t.Context()); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("sync: %v", err)
	}
	all()
	if asked < 60 {
		t.Errorf("%d answers only", asked)
	}
	if strings.Contains(log.String(), canary) {
		t.Error("the log shows the password")
	}
}
