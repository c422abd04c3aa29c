package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// eraser kills a server at the edges of the transactions of an erasure, under two administrators who repeat what got no answer.
type eraser struct {
	*edges
	dsn      string
	ask, act string // tokens of two administrators
}

// A server that is killed at any edge of an erasure, before a commit and right after, has erased all of somebody or nothing; called again, it ends what it
// began, and then nothing is left in any column and, on SQLite, in any byte of the files.
//
// holds: J40
func TestErasureKilledAtEveryEdge(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			e := newEraser(t, dbtest.DSN(t, engine))
			e.erase("")
			met := slices.Sorted(maps.Keys(e.met()))
			for _, must := range []string{"erasure.Engine.Ask", "directory.Store.attempt", "erasure.Engine.scrub"} {
				if !slices.ContainsFunc(met, func(name string) bool { return strings.Contains(name, must) }) {
					t.Fatalf("no edge of %s: %v", must, met)
				}
			}
			for _, name := range met {
				e.erase(name)
			}
			if e.dead < 6 {
				t.Errorf("killed at %d of %d edges: %v", e.dead, len(met), met)
			}
			t.Logf("killed at %d of %d edges", e.dead, len(met))
			e.stop(os.Interrupt)
			e.verifyAudit()
		})
	}
}

func newEraser(t *testing.T, dsn string) *eraser {
	e := &eraser{edges: &edges{seen: filepath.Join(t.TempDir(), "edges")}, dsn: dsn}
	t.Setenv(edgeEnv, e.seen)
	e.crash = configuredCrash(t, dsn, "")
	e.serve()
	e.source = e.must("POST", "/api/v1/sources", crashToken, `{"name":"hr","kind":"scim"}`)["id"].(string)
	e.secret = e.must("POST", "/api/v1/sources/"+e.source+"/tokens", crashToken, `{"name":"crash"}`)["secret"].(string)
	_, first, _ := e.hire("first", "")
	_, second, _ := e.hire("second", "")
	e.stop(os.Interrupt)
	cfg, err := loadConfig(e.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err = serve(ctx, cfg, slog.New(slog.DiscardHandler), func(a *app) {
		defer cancel()
		for who, token := range map[string]*string{first: &e.ask, second: &e.act} {
			if err := a.door.GrantAdmin(ctx, boss(), id.Person(who), roles.Grant{Role: roles.HR}); err != nil {
				t.Error(err)
			}
			var err error
			if *token, _, err = a.door.CreateToken(ctx, boss(), session.NewToken{Person: id.Person(who), Name: "test", Role: roles.HR, Dangerous: true}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil && ctx.Err() == nil || t.Failed() {
		t.Fatal(err)
	}
	e.serve()
	return e
}

// erase hires somebody, lets them go and has them erased by a server that ends at an edge, and looks at what is left.
func (e *eraser) erase(edge string) {
	e.t.Helper()
	e.round++
	word := fmt.Sprintf("victim%dq", e.round)
	link, person, _ := e.hire(word, "")
	e.do("DELETE", "/scim/v2/Users/"+link, e.secret, "")
	if len(e.left(word)) == 0 {
		e.t.Fatal("nothing to erase: nothing is proved")
	}
	if e.met(); edge != "" {
		e.t.Log(edge)
		if err := os.WriteFile(e.seen+".kill", []byte("0 "+edge), 0o600); err != nil {
			e.t.Fatal(err)
		}
	}
	path := "/api/v1/people/" + person + "/erasure"
	e.do("POST", path, e.ask, "")
	for tries := 0; ; tries++ {
		status, out, err := e.call("POST", path+"/confirm", e.act, "")
		if err == nil && (status != http.StatusOK || out["state"] != "erased") || tries > 2 {
			e.t.Fatalf("at %s: %d %v %v\n%s", edge, status, out, err, e.log.String())
		}
		if err == nil {
			break
		}
		e.revive()
		e.whole(person, word)
	}
	_ = os.Remove(e.seen + ".kill")
	if left := e.left(word); len(left) > 0 {
		e.t.Fatalf("at %s: stands still: %v", edge, left)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // a reader in the way puts it off
		left := inFiles(e.t, e.dsn, word)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("at %s: in the files still: %v", edge, left)
		}
		e.do("POST", path+"/confirm", e.act, "")
	}
}

// whole holds that somebody is erased as a whole, or not at all.
func (e *eraser) whole(person, word string) {
	e.t.Helper()
	_, p := e.do("GET", "/api/v1/people/"+person, crashToken, "")
	left := e.left(word)
	switch p["status"] {
	case "anonymised":
		if len(left) > 0 {
			e.t.Fatalf("half erased: %v", left)
		}
	case "terminated":
		if p["display_name"] != word || !slices.ContainsFunc(left, func(at string) bool { return strings.HasPrefix(at, "records.") }) {
			e.t.Fatalf("half erased: %v, %v", p, left)
		}
	default:
		e.t.Fatalf("after the server was killed: %v", p)
	}
}

// left answers where in the database a word stands.
func (e *eraser) left(word string) []string {
	e.t.Helper()
	d, err := db.OpenRead(context.Background(), e.dsn)
	if err != nil {
		e.t.Fatal(err)
	}
	defer d.Close()
	return stands(e.t, d, word)
}
