package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

func eachEngine(b *testing.B, fn func(*testing.B, *service)) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) { fn(b, start(b, dbtest.Open(b, dbtest.DSN(b, engine)))) })
	}
}

func BenchmarkCreateUser(b *testing.B) {
	eachEngine(b, func(b *testing.B, s *service) {
		i := 0
		for b.Loop() {
			i++
			s.user(fmt.Sprintf(`"userName":"u%d","externalId":"e%d","emails":[{"value":"u%d@example.cn","type":"work"}],"%s":{"department":"R&D"}`, i, i, i, enterpriseURN))
		}
	})
}

func BenchmarkDeactivate(b *testing.B) {
	eachEngine(b, func(b *testing.B, s *service) {
		link, on := s.user(`"userName":"u"`).id(), true
		for b.Loop() {
			on = !on
			s.want(200, s.do("PATCH", "/Users/"+link, patch(fmt.Sprintf(`{"op":"replace","value":{"active":%v}}`, on))))
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	eachEngine(b, func(b *testing.B, s *service) {
		for i := range 500 {
			s.user(fmt.Sprintf(`"userName":"u%d","emails":[{"value":"u%d@example.cn","type":"work"}]`, i, i))
		}
		for b.Loop() {
			s.want(200, s.do("GET", `/Users?filter=emails[type eq "work"].value eq "u77@example.cn"`, ""))
		}
	})
}

// BenchmarkOneMember changes one member of a large group.
func BenchmarkOneMember(b *testing.B) {
	eachEngine(b, func(b *testing.B, s *service) {
		var members []string
		for i := range 10000 {
			members = append(members, fmt.Sprintf(`{"value":"lnk_%d"}`, i))
		}
		group, on := s.group(`"displayName":"g","members":[`+strings.Join(members, ",")+`]`).id(), false
		for b.Loop() {
			on = !on
			op := `{"op":"remove","path":"members[value eq \"lnk_77\"]"}`
			if on {
				op = `{"op":"add","path":"members","value":[{"value":"lnk_77"}]}`
			}
			s.want(204, s.do("PATCH", "/Groups/"+group, patch(op)))
		}
	})
}
