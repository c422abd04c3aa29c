package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

type halves struct{ First, Second string }

func sealIt(t *testing.T, g *rig, by string) halves {
	t.Helper()
	var h halves
	a := g.browser().do("POST", "/api/v1/emergency/seal", "", "Authorization", by)
	if a.status != 200 || json.Unmarshal([]byte(a.body), &h) != nil || h.First == "" || h.First == h.Second {
		t.Fatalf("seal: %d %s", a.status, a.body)
	}
	return h
}

func (b *browser) half(text string) reply {
	b.g.t.Helper()
	return b.do("POST", "/auth/emergency", fmt.Sprintf(`{"half":%q}`, text), "Content-Type", "application/json")
}

func TestEmergency(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		var told []id.Person
		g := newRig(t, d, func(o *session.Options) {
			o.StepUpRequired = true
			o.Alarm = func(_ *db.Tx, people []id.Person, _ id.Session, _ time.Time) error { told = people; return nil }
		})
		for _, p := range []id.Person{"per_ann", "per_bob"} {
			if err := g.door.GrantAdmin(context.Background(), chief(), p, roles.Grant{Role: roles.Owner}); err != nil {
				t.Fatal(err)
			}
		}
		first, second := g.browser(), g.browser()
		if a := first.half("rce_0"); a.status != 403 || a.code != "emergency_refused" {
			t.Errorf("nothing is sealed: %d %s", a.status, a.body)
		}
		h := sealIt(t, g, admin)
		var kept string
		if err := d.Read(context.Background()).Raw("select first_hash || second_hash from session_emergency").Scan(&kept).Error; err != nil || strings.Contains(kept, h.First) || strings.Contains(kept, h.Second) {
			t.Errorf("kept as %q, %v", kept, err)
		}
		g.idp.srv.Close() // from here on nobody signs in otherwise
		if a := first.half(h.First); a.status != 202 || first.me() != 401 {
			t.Errorf("one half: %d %s", a.status, a.body)
		}
		if a := first.half(h.First); a.status != 202 || first.me() != 401 {
			t.Errorf("the same half: %d %s", a.status, a.body)
		}
		g.later(11 * time.Minute)
		if a := second.half(h.Second); a.status != 202 || second.me() != 401 {
			t.Errorf("the other half, too late: %d %s", a.status, a.body)
		}
		if a := second.half("rce_wrong"); a.status != 403 {
			t.Errorf("a wrong half: %d", a.status)
		}
		// Both halves at once, many times over: one session.
		var wait sync.WaitGroup
		var mu sync.Mutex
		var in []*browser
		for i := range 8 {
			wait.Go(func() {
				b := g.browser()
				if a := b.half([]string{h.First, h.Second}[i%2]); a.status == 200 {
					mu.Lock()
					in = append(in, b)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		if len(in) != 1 || g.sessions() != 1 || len(told) != 2 {
			t.Fatalf("%d came in, %d sessions, told %v", len(in), g.sessions(), told)
		}
		boss := in[0]
		if a := boss.do("GET", "/api/v1/me", ""); !strings.Contains(a.body, `"role":"owner"`) || !strings.Contains(a.body, `"person":null`) {
			t.Errorf("who that is: %d %s", a.status, a.body)
		}
		if a := boss.do("DELETE", "/api/v1/admins/per_bob", ""); a.status != 204 {
			t.Errorf("a dangerous act: %d %s", a.status, a.body)
		}
		if a := boss.do("POST", "/api/v1/tokens", `{"name":"back door"}`); a.status != 400 {
			t.Errorf("a token that outlives it: %d %s", a.status, a.body)
		}
		if a := boss.do("GET", "/api/v1/me/tokens", ""); a.status != 403 || a.code != "person_required" {
			t.Errorf("as a person: %d %s", a.status, a.body)
		}
		for _, half := range []string{h.First, h.Second} {
			if a := g.browser().half(half); a.status != 403 {
				t.Errorf("used again: %d %s", a.status, a.body)
			}
		}
		if a := g.browser().do("GET", "/api/v1/emergency", "", "Authorization", admin); !strings.Contains(a.body, `"sealed":false`) {
			t.Errorf("state: %s", a.body)
		}
		g.later(61 * time.Minute)
		if boss.me() != 401 {
			t.Error("after an hour")
		}
		again := sealIt(t, g, admin)
		if a := g.browser().half(h.First); a.status != 403 {
			t.Errorf("a half of the old seal: %d", a.status)
		}
		if a := g.browser().half(again.First); a.status != 202 {
			t.Errorf("a half of the new seal: %d", a.status)
		}
		for action, want := range map[string]int{"emergency.sealed": 2, "emergency.opened": 1} {
			if got := len(g.audited(action)); got != want {
				t.Errorf("%s: %d audit records, want %d", action, got, want)
			}
		}
		if log := g.log.String(); strings.Contains(log, h.First) || strings.Contains(log, h.Second) {
			t.Error("a half is in the log")
		}
	})
}

func TestEmergencyPage(t *testing.T) {
	g := newRig(t, dbtest.SQLite(t), func(o *session.Options) { o.Tries.Address = 3 })
	h := sealIt(t, g, admin)
	b := g.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	form := func(half string) reply {
		return b.do("POST", "/auth/emergency", "half="+half, "Content-Type", "application/x-www-form-urlencoded")
	}
	if a := b.do("GET", "/auth/emergency", ""); a.status != 200 || !strings.Contains(a.body, `name="half"`) || strings.Contains(a.body, "<script") {
		t.Errorf("page: %d %s", a.status, a.body)
	}
	if a := form(h.Second); a.status != 202 || !strings.Contains(a.body, "10 minutes") || strings.Contains(a.body, h.Second) {
		t.Errorf("one half: %d %s", a.status, a.body)
	}
	if a := b.do("POST", "/auth/emergency", "half="+h.First, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); a.status != 403 || a.code != "cross_origin" {
		t.Errorf("a page of another origin: %d %s", a.status, a.body)
	}
	if a := form(h.First); a.status != 303 || a.header.Get("Location") != "/admin" || b.me() != 200 {
		t.Errorf("both: %d %s", a.status, a.body)
	}
	for range 3 {
		form("rce_wrong")
	}
	if a := form("rce_wrong"); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("guessing on: %d", a.status)
	}
}

// Who seals sees both halves: nobody seals what opens more than they have.
func TestEmergencyIsSealedByOwners(t *testing.T) {
	for name, separation := range map[string]bool{"owners": false, "separation": true} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, dbtest.SQLite(t), func(o *session.Options) { o.Separation = separation })
			for role, want := range map[roles.Role]bool{roles.Owner: !separation, roles.Security: separation, roles.System: false} {
				by := httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Grants{{Role: role}}, Stepped: true}
				if separation && role == roles.Owner {
					by.Grants = nil // what a session of theirs holds then
				}
				first, second, err := g.door.Seal(t.Context(), by)
				if want && (err != nil || first == "" || second == "") || !want && (!errors.Is(err, session.ErrStronger) || first+second != "") {
					t.Errorf("%s: %v", role, err)
				}
			}
			if e, err := g.door.Emergency(t.Context()); err != nil || e.SealedAt.IsZero() || len(g.audited("emergency.sealed")) != 1 {
				t.Errorf("sealed: %+v, %v", e, err)
			}
		})
	}
}

// Under the separation of powers nobody is an owner, two people together neither.
func TestEmergencyUnderSeparation(t *testing.T) {
	d := dbtest.SQLite(t)
	h := sealIt(t, newRig(t, d, nil), admin)
	g := newRig(t, d, func(o *session.Options) { o.Separation = true })
	g.browser().half(h.First)
	b := g.browser()
	if a := b.half(h.Second); a.status != 200 {
		t.Fatalf("open: %d %s", a.status, a.body)
	}
	if a := b.do("GET", "/api/v1/me", ""); !strings.Contains(a.body, `"roles":[{"role":"security"}]`) {
		t.Errorf("who that is: %s", a.body)
	}
}
