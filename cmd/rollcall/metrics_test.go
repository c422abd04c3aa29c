package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"github.com/rollcall-im/rollcall/internal/audit/outlet"
	"github.com/rollcall-im/rollcall/internal/db"
)

// families answers the names of a server's own figures.
func families(t *testing.T, b *bench) map[string]bool {
	t.Helper()
	found, err := b.app.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range found {
		if strings.HasPrefix(f.GetName(), "rollcall_") {
			out[f.GetName()] = true
		}
	}
	return out
}

// What the dashboard, the alerts and the manual name is there, and nothing of ours is missing from the dashboard and the manual.
func TestFigures(t *testing.T) {
	p := newTelling(t, db.SQLite)
	p.admin("POST", "/receivers", `{"name":"desk","audience":"desk","method":"poll"}`)
	b := p.bench
	b.setActive(b.hire(1), false)
	b.call("GET", "/api/v1/people", b.app.cfg.BootstrapToken, "")
	b.app.cfg.Audit.Outlets = []outlet.Config{{Name: "disk", URL: "file:///nowhere"}}
	there := families(t, b)
	figures := regexp.MustCompile(`\brollcall_[a-z_]+\b`)
	for _, of := range []string{"rollcall_lease_seconds", "rollcall_nodes", "rollcall_bus_connected"} { // of several nodes only
		there[of] = true
	}
	for _, path := range []string{"../../deploy/monitoring/grafana-dashboard.json", "../../deploy/monitoring/alerts.yaml", "../../docs/monitoring.md", "../../docs/monitoring.zh-CN.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, name := range figures.FindAllString(string(text), -1) {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
			if named[name] = true; !there[name] {
				t.Errorf("%s names %s, which there is not", path, name)
			}
		}
		for name := range there {
			if !named[name] && !strings.HasSuffix(path, "alerts.yaml") {
				t.Errorf("%s does not name %s", path, name)
			}
		}
	}
	var board struct {
		Panels []struct{ Title string }
	}
	text, err := os.ReadFile("../../deploy/monitoring/grafana-dashboard.json")
	if err != nil || json.Unmarshal(text, &board) != nil || len(board.Panels) < 10 {
		t.Errorf("the dashboard: %v, %d panels", err, len(board.Panels))
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err = os.ReadFile("../../deploy/monitoring/alerts.yaml")
	if err != nil || yaml.Unmarshal(text, &rules) != nil || len(rules.Groups) != 1 || slices.ContainsFunc(rules.Groups[0].Rules, func(r struct{ Alert, Expr string }) bool { return r.Alert == "" || r.Expr == "" }) {
		t.Errorf("the alerts: %v", err)
	}
}

// A follower that is behind and a source that is silent show.
func TestLagShows(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.hire(1)
	value := func(name, label string) float64 {
		t.Helper()
		found, err := b.app.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			for _, m := range f.GetMetric() {
				if f.GetName() == name && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == label }) {
					return m.GetGauge().GetValue()
				}
			}
		}
		t.Fatalf("no %s of %s", name, label)
		return 0
	}
	for began := time.Now(); value("rollcall_follower_lag_events", "reconcile") > 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("a follower is never level")
		}
	}
	if got := value("rollcall_follower_lag_seconds", "reconcile"); got != 0 {
		t.Errorf("level, and %v seconds late", got)
	}
	if err := b.app.db.Tx(t.Context(), func(tx *db.Tx) error {
		return tx.Exec("insert into feed_cursors (name, seq, holder, lease_until) values ('stuck', 0, '', 0)").Error
	}); err != nil {
		t.Fatal(err)
	}
	if value("rollcall_follower_lag_events", "stuck") < 1 || value("rollcall_follower_lag_seconds", "stuck") <= 0 {
		t.Error("a follower that stands still does not show")
	}
	if value("rollcall_source_ok", "hr") != 1 {
		t.Error("a source that has just spoken is not well")
	}
	if age := value("rollcall_source_verified_age_seconds", "hr"); age < 0 || age > 600 {
		t.Errorf("a source that has just spoken is %v s old", age)
	}
}
