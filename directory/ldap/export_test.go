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

// CursorAt is the cursor of a position, as a reading would have given it then.
func CursorAt(t testing.TB, cl *Client, position string) Cursor {
	t.Helper()
	c, err := cl.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	return c.cursor(c.root.cookieOf(position))
}

// Spooled answers what a spool gives back of people, asked for in this order.
func Spooled(people []Object, order []int) []Object {
	var s spool
	at := make([]spooled, len(people))
	for i, o := range people {
		at[i] = s.put(o)
	}
	out := make([]Object, len(people))
	for _, i := range order {
		out[i] = s.get(ClassPerson, at[i])
	}
	return out
}
