package scim

import (
	"context"
	"testing"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A token whose scope is read looks at everything and changes nothing.
func TestReadTokenChangesNothing(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		secret, _, err := s.store.IssueToken(context.Background(), directory.Cause{}, s.source.ID, directory.NewToken{Scope: directory.ScopeRead})
		if err != nil {
			t.Fatal(err)
		}
		zhang := s.user(`"userName":"zhang.wei"`).id()
		audits := s.audits("record.changed") + s.audits("record.deleted") + s.audits("record.created")
		for _, path := range []string{"/Users", "/Users/" + zhang, "/Groups", "/Schemas", "/ServiceProviderConfig", "/"} {
			s.want(200, s.as(secret, "GET", path, ""))
		}
		s.want(200, s.as(secret, "POST", "/Users/.search", `{"schemas":["`+searchURN+`"]}`))
		user := `{"schemas":["` + userURN + `"],"userName":"li.na"}`
		for _, write := range [][3]string{{"POST", "/Users", user}, {"PUT", "/Users/" + zhang, user}, {"DELETE", "/Users/" + zhang, ""},
			{"PATCH", "/Users/" + zhang, patch(`{"op":"replace","value":{"active":false}}`)}, {"DELETE", "/Users/lnk_none", ""},
			{"POST", "/Bulk", `{"schemas":["` + bulkURN + `"],"Operations":[{"method":"DELETE","path":"/Users/` + zhang + `"}]}`}} {
			s.wantError(403, "", s.as(secret, write[0], write[1], write[2]))
		}
		if got := s.audits("record.changed") + s.audits("record.deleted") + s.audits("record.created"); got != audits {
			t.Errorf("%d records audited, want %d", got, audits)
		}
		s.wantError(405, "", s.as(secret, "POST", "/Schemas", "{}"))
	})
}
