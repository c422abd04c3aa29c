package scim

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Every write says of which source, with which token and in which request it came, what was before and what is after, and what
// nobody understood; what names a person can be erased.
func TestWritesAreAudited(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d, func(o *Options) { o.Missing = AuditMissing(d, nil) })
		line := func(action string) audit.Record {
			t.Helper()
			list, err := audit.List(context.Background(), d, audit.Filter{Action: action, Limit: 1})
			if err != nil || len(list) != 1 {
				t.Fatalf("%s: %v, %v", action, list, err)
			}
			r := list[0]
			if r.Public["by_source"] != string(s.source.ID) || r.Public["token"] != string(s.token) || r.RequestID == "" || r.Actor != string(s.token) {
				t.Errorf("%s: %+v", action, r)
			}
			return r
		}
		holds := func(v any, texts ...string) {
			t.Helper()
			body, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range texts {
				if want, absent := strings.CutPrefix(text, "!"); strings.Contains(string(body), want) == absent {
					t.Errorf("%s: %s", text, body)
				}
			}
		}
		zhang := s.user(`"userName":"zhang.wei","title":"Engineer","nickName":"小张","favouriteTea":"龙井"`).id()
		r := line("record.created")
		holds(r.Public, "user_name", "!zhang.wei", "favouriteTea", "!龙井")
		holds(r.Personal, `"title":["","Engineer"]`)

		s.want(200, s.do("PATCH", "/Users/"+zhang, patch(`{"op":"replace","path":"nickName","value":"老张"},{"op":"replace","path":"title","value":"Director"},{"op":"add","path":"urn:acme:tea:2.0:User:kinds","value":"龙井"}`)))
		r = line("record.changed")
		holds(r.Public, `"title"`, `"raw.nickName"`, "!raw.title", "!老张", "!Director", `"urn:acme:tea:2.0:User:kinds"`, "!龙井")
		holds(r.Personal, `"title":["Engineer","Director"]`, `"raw.nickName":["小张","老张"]`)

		s.want(200, s.do("PATCH", "/Users/"+zhang, patch(`{"op":"replace","value":{"active":false}}`)))
		holds(line("record.changed").Public, `"active":[true,false]`)
		line("person.frozen")

		group := s.group(`"displayName":"Tea","members":[{"value":"` + zhang + `"},{"value":"li.na@corp.example"}]`).id()
		r = line("group.created")
		holds(r.Public, zhang, `"added_count":2`, "!li.na")
		holds(r.Personal, "li.na@corp.example", "!"+zhang)
		s.want(204, s.do("PATCH", "/Groups/"+group, patch(`{"op":"remove","path":"members"}`)))
		holds(line("group.changed").Personal, "li.na@corp.example")
		s.want(204, s.do("DELETE", "/Groups/"+group, ""))
		line("group.deleted")
		s.want(204, s.do("DELETE", "/Users/"+zhang, ""))
		line("record.deleted")
		s.want(404, s.do("GET", "/Users/lnk_"+strings.Repeat("0", 26), ""))
		line("scim.missing")
	})
}
