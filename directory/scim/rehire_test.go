package scim

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Several POSTs of one externalId at once make one record, whatever stood before: nobody, somebody inactive, somebody deleted. A late PATCH to the
// record of before changes that record or finds nobody; it never makes a second person.
//
// holds: J14, J26
func TestRacingRehires(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		off := patch(`{"op":"replace","path":"active","value":false}`)
		for n, before := range []string{"nobody", "inactive", "deleted", "nobody", "inactive", "deleted"} {
			external := fmt.Sprintf("e%d", n)
			old, person := "", id.Person("")
			if before != "nobody" {
				old = s.user(fmt.Sprintf(`"userName":"old%d","externalId":%q`, n, external)).id()
				person = s.record(old).Person
			}
			switch before {
			case "inactive":
				s.want(200, s.do(http.MethodPatch, "/Users/"+old, off))
			case "deleted":
				s.want(204, s.do(http.MethodDelete, "/Users/"+old, ""))
			}
			var wait sync.WaitGroup
			var mu sync.Mutex
			made, codes := map[string]bool{}, map[int]int{}
			for k := range 6 {
				wait.Add(1)
				go func() {
					defer wait.Done()
					r := s.do(http.MethodPost, "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"new%d-%d","externalId":%q}`, userURN, n, k, external))
					mu.Lock()
					defer mu.Unlock()
					codes[r.status]++
					if r.status < 300 {
						made[r.id()] = true
					}
				}()
			}
			late := 404
			if old != "" {
				wait.Add(1)
				go func() {
					defer wait.Done()
					late = s.do(http.MethodPatch, "/Users/"+old, patch(`{"op":"replace","path":"title","value":"late"}`)).status
				}()
			}
			wait.Wait()
			if len(made) != 1 || codes[409] != 5 {
				t.Fatalf("%s: made %v, answers %v", before, made, codes)
			}
			for link := range made {
				if p := s.record(link).Person; person != "" && p != person {
					t.Errorf("%s: %s is %s, want %s", before, link, p, person)
				}
				if (link == old) != (before == "inactive") {
					t.Errorf("%s: %s, it was %s", before, link, old)
				}
			}
			if want := map[string]int{"nobody": 404, "inactive": 200, "deleted": 404}[before]; late != want {
				t.Errorf("%s: the late PATCH answered %d", before, late)
			}
		}
	})
}
