package scim

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// FuzzQuery asks with any filter and any order, of one type and of all: the answer is a list or a refusal.
func FuzzQuery(f *testing.F) {
	s := startWithDefinitions(f, dbtest.SQLite(f))
	s.user(`"userName":"a","roles":["x",{"value":"y","primary":true}],"` + badgeURN + `":{"number":"1","floor":3,"tags":["t"],"keys":[{"value":"k","level":1}]}`)
	for filter, by := range querySeeds() {
		f.Add(filter, by)
	}
	f.Fuzz(func(t *testing.T, filter, by string) { askAnything(t, s, filter, by) })
}

// Both engines take what the seeds of FuzzQuery ask for.
func TestQuerySeeds(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := startWithDefinitions(t, d)
		s.user(`"userName":"a","roles":["x"],"` + badgeURN + `":{"number":"1","floor":3,"tags":["t"],"keys":[{"value":"k","level":1}]}`)
		for filter, by := range querySeeds() {
			askAnything(t, s, filter, by)
		}
	})
}

func querySeeds() map[string]string {
	return map[string]string{`roles[type eq "work" and not (value co "x")].value pr`: "roles", `floor gt 1e3 or tags ne "x"`: "floor", `addresses.locality ew "'"`: "addresses.locality",
		badgeURN + `:keys[level le 2].value sw "k"`: badgeURN + ":desk.building", `schemas eq "` + badgeURN + `" and keys.level ge -1`: "schemas", `x509Certificates pr or photos.value eq "$"`: "photos",
		`meta.lastModified gt "2026-01-01T00:00:00Z"`: "meta.lastModified", `emails[display pr]`: "emails.primary", `manager.$ref pr`: "manager.$ref", `desk.seat eq 1 and desk pr`: "active"}
}

func askAnything(t *testing.T, s *service, filter, by string) {
	t.Helper()
	for _, path := range []string{"/Users?cursor=&", "/Groups?sortOrder=descending&", "/?"} {
		query := "filter=" + url.QueryEscape(filter)
		if path != "/?" {
			query += "&sortBy=" + url.QueryEscape(by)
		}
		r := httptest.NewRequest("GET", Root+path+query, nil)
		r.Header.Set("Authorization", "Bearer "+s.secret)
		w := httptest.NewRecorder()
		if s.h.ServeHTTP(w, r); w.Code != 200 && w.Code != 400 {
			t.Fatalf("%s %q %q answers %d %s\n%s", path, filter, by, w.Code, w.Body, s.log)
		}
	}
}
