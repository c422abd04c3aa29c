package ldap_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// picture is everything a source says in the store, for comparing: who is absent is left out.
func (w *world) picture() map[string]string {
	w.t.Helper()
	out, names, absent := map[string]string{}, map[string]string{}, map[string]bool{}
	page, err := w.store.FindRecords(w.t.Context(), directory.RecordQuery{Source: w.source.ID, Limit: 100_000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range page.Records {
		if absent[r.Key] = !r.AbsentSince.IsZero(); !absent[r.Key] {
			out[r.Key] = fmt.Sprint(r.UserName, r.Active, r.Title, r.UnitKey, "<", r.ManagerKey, "> ", string(r.Raw))
		}
	}
	units, err := w.store.UnitsOf(w.t.Context(), w.source.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range units {
		out[u.Key] = fmt.Sprint(u.Name, " in ", u.ParentKey)
	}
	groups, err := w.store.FindGroups(w.t.Context(), directory.GroupQuery{Source: w.source.ID, Limit: 100_000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range groups.Groups {
		names[g.Key] = g.DisplayName
		members, err := w.store.Members(w.t.Context(), g.ID, directory.MemberQuery{Limit: 100_000})
		if err != nil {
			w.t.Fatal(err)
		}
		var values []string
		for _, m := range members.Members {
			if !absent[m.Value] {
				values = append(values, m.Value)
			}
		}
		slices.Sort(values)
		out[g.Key] = fmt.Sprint(g.DisplayName, string(g.Raw), values)
	}
	return out
}

func differences(got, want map[string]string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			out = append(out, fmt.Sprintf("%s: %q, want %q", k, got[k], want[k]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			out = append(out, fmt.Sprintf("%s: %q, want nothing", k, got[k]))
		}
	}
	return out
}

// TestFollowedEqualsRead makes changes by chance while a source is followed, ends the process and breaks transactions in between,
// and holds what it has then beside what a first reading gives.
//
// holds: R6, R19
func TestFollowedEqualsRead(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			g := newGrove(random)
			g.refint = seed%2 == 0
			for range 40 {
				g.step()
			}
			w := newWorld(t, dbtest.SQLite(t))
			breakable(t, w.db)
			for phase := range 5 {
				sy := w.syncer(someConfig)
				sy.Reader = g
				stop := runs(t, sy, time.Hour)
				for range 60 {
					g.step()
					switch random.IntN(12) {
					case 0:
						broken(t, w.db, true)
					case 1, 2:
						broken(t, w.db, false)
					case 3:
						time.Sleep(time.Millisecond)
					}
				}
				broken(t, w.db, false)
				if phase != 2 { // else it is ended in the middle of something
					inStep(t, w, g, sy)
				}
				stop()
				for range random.IntN(20) { // while nobody looks
					g.step()
				}
			}
		})
	}
}

// breakable lets broken make every write of the connector space fail.
func breakable(t *testing.T, d *db.DB) {
	t.Helper()
	if err := d.Tx(t.Context(), func(tx *db.Tx) error {
		return errors.Join(tx.Exec("create table breaks (n integer not null)").Error,
			tx.Exec("create trigger breaking before insert on ldap_objects when exists (select 1 from breaks) begin select raise(abort, 'killed'); end").Error)
	}); err != nil {
		t.Fatal(err)
	}
}

func broken(t *testing.T, d *db.DB, yes bool) {
	t.Helper()
	sql := "delete from breaks"
	if yes {
		sql = "insert into breaks (n) values (1)"
	}
	if err := d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec(sql).Error }); err != nil {
		t.Fatal(err)
	}
}

// inStep waits until the store is what a first reading gives, and has besides only members whom a group names as they were called before.
func inStep(t *testing.T, w *world, g *grove, sy *ldap.Syncer) {
	t.Helper()
	fresh := newWorld(t, dbtest.SQLite(t))
	one := fresh.syncer(someConfig)
	one.Reader = g
	fresh.sync(one)
	want := fresh.picture()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got := w.picture()
		for k := range want {
			if stay := g.stay(k); len(stay) > 0 {
				got[k] = without(got[k], want[k], stay)
			}
		}
		diff := differences(got, want)
		if len(diff) == 0 {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d differences after 30 s; %+v\n%s", len(diff), sy.Status(), strings.Join(diff[:min(len(diff), 12)], "\n"))
		}
	}
}

var bossOf = regexp.MustCompile(`<([^<>]*)> `)

// without answers a group as picture says it, less those of stay whom want has not, or a person, less such a manager.
func without(got, want string, stay map[string]bool) string {
	if boss := bossOf.FindStringSubmatch(got); boss != nil && stay[boss[1]] && strings.Contains(want, "<> ") {
		return strings.Replace(got, boss[0], "<> ", 1)
	}
	i, j := strings.LastIndexByte(got, '['), strings.LastIndexByte(want, '[')
	if i < 0 || j < 0 {
		return got
	}
	wanted := strings.Fields(strings.Trim(want[j:], "[]"))
	members := slices.DeleteFunc(strings.Fields(strings.Trim(got[i:], "[]")), func(k string) bool { return stay[k] && !slices.Contains(wanted, k) })
	return got[:i] + fmt.Sprint(members)
}
