package scim

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// statements hears every statement that is sent to the database.
type statements struct {
	mu   sync.Mutex
	sent []string
}

func hearStatements(t *testing.T, d *db.DB) *statements {
	t.Helper()
	s := &statements{}
	note := func(q *gorm.DB) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, q.Statement.SQL.String())
	}
	register := func(handle *gorm.DB) {
		c := handle.Callback()
		for _, err := range []error{c.Query().After("gorm:query").Register("hear", note), c.Row().After("gorm:row").Register("hear", note),
			c.Raw().After("gorm:raw").Register("hear", note), c.Create().After("gorm:create").Register("hear", note)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	register(d.Read(context.Background()))
	if d.Engine == db.SQLite { // there writing has a handle of its own
		if err := d.Tx(context.Background(), func(tx *db.Tx) error { register(tx.DB); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// during answers what is sent while fn runs.
func (s *statements) during(fn func()) []string {
	s.mu.Lock()
	s.sent = nil
	s.mu.Unlock()
	fn()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func about(sent []string, table string) (n int) {
	for _, statement := range sent {
		if strings.Contains(statement, table) {
			n++
		}
	}
	return n
}

// Who does not ask for the members of a group causes no reading of them, and a change of one member is as many statements and as
// many bytes in a large group as in a small one.
func TestMembersAreReadWhereAskedFor(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		heard := hearStatements(t, d)
		groups := map[int]string{}
		for _, size := range []int{3, 1500} {
			members := make([]string, size)
			for i := range members {
				members[i] = fmt.Sprintf(`{"value":"lnk_%d"}`, i)
			}
			groups[size] = s.group(fmt.Sprintf(`"displayName":"g%d","members":[%s]`, size, strings.Join(members, ","))).id()
		}
		large := "/Groups/" + groups[1500]
		if sent := heard.during(func() { s.want(200, s.do("GET", large, "")) }); about(sent, "group_members") == 0 {
			t.Fatal("the members are not read where they are asked for: this test sees nothing")
		}
		for _, path := range []string{large + "?excludedAttributes=members", large + "?attributes=displayName", "/Groups?excludedAttributes=members",
			`/Groups?excludedAttributes=members&filter=displayName eq "g1500"`, `/Groups?attributes=id&sortBy=displayName`} {
			if sent := heard.during(func() { s.want(200, s.do("GET", path, "")) }); about(sent, "group_members") > 0 || len(sent) == 0 {
				t.Errorf("%s reads the members:\n%s", path, strings.Join(sent, "\n"))
			}
		}
		link := s.user(`"userName":"u"`).id()
		for _, op := range []string{`{"op":"add","path":"members","value":[{"value":"` + link + `"}]}`, `{"op":"remove","path":"members[value eq \"` + link + `\"]"}`} {
			counts := map[int]int{}
			for size, group := range groups {
				sent := heard.during(func() {
					if r := s.do("PATCH", "/Groups/"+group, patch(op)); r.status != 204 || len(r.raw) > 0 {
						t.Errorf("%d, %q", r.status, r.raw)
					}
				})
				counts[size] = len(sent) - about(sent, "audit_hashes") // of those as many as the tree of the log has to say
			}
			if counts[3] != counts[1500] || counts[3] == 0 {
				t.Errorf("%s is %d statements in a small group, %d in a large one", op, counts[3], counts[1500])
			}
		}
	})
}
