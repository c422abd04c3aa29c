package ldap

import (
	"encoding/json"
	"testing"
)

// Forge alters the cookie in a cursor.
func Forge(t testing.TB, c Cursor, alter func(string) string) Cursor {
	t.Helper()
	var p place
	if err := json.Unmarshal([]byte(c), &p); err != nil {
		t.Fatal(err)
	}
	p.Cookie = []byte(alter(string(p.Cookie)))
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return Cursor(out)
}
