package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// A tuple vanishes from OpenFGA's own tables. What the server answers is compared with it, is closed, told and repaired, and opens again; all by itself.
func TestDifferenceCloses(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.hire(1)
	who, token := b.person("u1")
	until := func(what string, ok func() bool) {
		t.Helper()
		for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 90*time.Second {
				t.Fatalf("not within 90 s: %s", what)
			}
		}
	}
	reads := func() bool {
		status, _ := b.ask("GET", "/api/v1/channels/"+b.channel+"/messages", token, "")
		return status == http.StatusOK
	}
	until("a place", reads)
	until("OpenFGA knows of it", func() bool {
		caughtUp, err := b.app.engine.CaughtUp(t.Context())
		return err == nil && caughtUp
	})
	until("OpenFGA was swept, which finds it too", func() bool {
		var due int64
		err := b.app.db.Read(t.Context()).Raw("select sweep_at from authz_engine").Scan(&due).Error
		return err == nil && due > 0
	})
	theirs, err := db.Open(t.Context(), b.app.cfg.OpenFGA.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if err := theirs.Tx(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("delete from tuple where object_type = 'project' and user_object_id = ?", who).Error
	}); err != nil {
		t.Fatal(err)
	}
	until("closed", func() bool { return !reads() })
	until("open again", reads)
	for _, action := range []string{"authz.diverged", "authz.missing_tuple"} {
		if _, text := b.ask("GET", "/api/v1/audit?action="+action, b.app.cfg.BootstrapToken, ""); !strings.Contains(text, who) {
			t.Errorf("%s: %s", action, text)
		}
	}
	d := &doctor{}
	_, figures := b.ask("GET", "/metrics", b.app.cfg.BootstrapToken, "")
	if d.divergence(figures); len(d.findings) != 1 || d.findings[0].State != stateBad {
		t.Errorf("the doctor finds %v", d.findings)
	}
	d = &doctor{}
	if d.divergence("rollcall_authz_compared_total{class=\"allowed\"} 0\nrollcall_authz_uncompared_total{class=\"allowed\"} 3\n"); d.findings[0].State != stateWarn {
		t.Errorf("of nothing that was compared the doctor finds %v", d.findings)
	}
}
