package scim

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// With one connection to the database every shape of call comes to its end: none waits, inside a transaction, for a
// second one. With many connections as many such calls at once would wait for each other.
func TestOneConnectionIsEnough(t *testing.T) {
	d := dbtest.Open(t, dbtest.DSN(t, db.Postgres))
	w := connect(start(t, d))
	w.server.Client().Timeout = 10 * time.Second
	pool, err := d.Pool()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	boss := w.user(`"userName":"boss","externalId":"E-boss"`).id()
	link := w.user(`"userName":"u","externalId":"E-u","manager":"boss"`).id()
	group := w.group(`"displayName":"g","members":[{"value":"E-u"},{"value":"later"}]`).id()
	manager := func(word string) string {
		return patch(`{"op":"add","path":"` + enterpriseURN + `:manager","value":"` + word + `"}`)
	}
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", "/Users/" + link, manager("E-boss")},
		{"PATCH", "/Users/" + link, manager("BOSS")},
		{"PATCH", "/Users/" + link, manager("later")},
		{"PATCH", "/Users/" + link, patch(`{"op":"replace","path":"title","value":"t"}`)},
		{"PUT", "/Users/" + link, `{"schemas":["` + userURN + `"],"userName":"u","manager":{"value":"boss"}}`},
		{"POST", "/Users", `{"schemas":["` + userURN + `"],"userName":"later","externalId":"later","manager":"` + boss + `"}`},
		{"PATCH", "/Groups/" + group, patch(`{"op":"add","path":"members","value":[{"value":"E-boss"},{"value":"` + group + `"}]}`)},
		{"PATCH", "/Groups/" + group, patch(`{"op":"remove","path":"members","value":[{"value":"E-boss"}]}`)},
		{"PUT", "/Groups/" + group, `{"schemas":["` + groupURN + `"],"displayName":"g","members":[{"value":"E-u"}]}`},
		{"GET", "/Users?filter=userName%20eq%20%22u%22", ""},
		{"GET", "/?count=5", ""},
		{"POST", "/Bulk", bulkBody(0, bulkUser("a", `"userName":"a","manager":"bulkId:b"`), bulkUser("b", `"userName":"b","manager":"bulkId:a"`))},
		{"PATCH", "/Users/" + link, patch(`{"op":"replace","path":"active","value":false}`)},
		{"DELETE", "/Users/" + boss, ""},
		{"DELETE", "/Groups/" + group, ""},
		{"DELETE", "/Groups/" + group, ""},
	} {
		if got := w.call(c.method, c.path, c.body); got.status == 0 {
			t.Errorf("%s %s %s stands still", c.method, c.path, c.body)
		}
	}
}
