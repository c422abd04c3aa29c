package ldap_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// chaos writes to a domain at random.
type chaos struct {
	t   testing.TB
	c   *goldap.Conn
	rnd *rand.Rand
	n   int
	log []string
}

// pick answers the DN of an entry at random; empty where there is none.
func (x *chaos) pick(base, filter string) string {
	x.t.Helper()
	found, err := x.c.Search(goldap.NewSearchRequest(base, 2, 0, 0, 0, false, filter, []string{"1.1"}, nil))
	if err != nil {
		x.t.Fatal(err)
	}
	if len(found.Entries) == 0 {
		return ""
	}
	return found.Entries[x.rnd.IntN(len(found.Entries))].DN
}

const (
	aPerson = "(&(objectClass=user)(sAMAccountName=u*))"
	aGroup  = "(&(objectClass=group)(sAMAccountName=g*))"
	aUnit   = "(&(objectClass=organizationalUnit)(ou=dept*))"
)

// write does one thing.
func (x *chaos) write() {
	x.t.Helper()
	x.n++
	person := x.pick(ldaptest.ADRoot, aPerson)
	set := func(dn, name string, values ...string) error {
		m := goldap.NewModifyRequest(dn, nil)
		m.Replace(name, values)
		return x.c.Modify(m)
	}
	move := func(dn, rdn, parent string) error {
		if parent != "" && strings.HasSuffix(strings.ToLower(dn), ","+strings.ToLower(parent)) && strings.Count(dn, ",") == strings.Count(parent, ",")+1 {
			parent = ""
		}
		if rdn == "" {
			for at := range dn { // up to the first comma that is no part of the name
				if dn[at] == ',' && dn[at-1] != '\\' {
					rdn = dn[:at]
					break
				}
			}
		}
		return x.c.ModifyDN(goldap.NewModifyDNRequest(dn, rdn, true, parent))
	}
	var err error
	var what string
	switch kind := x.rnd.IntN(14); kind {
	case 0, 1:
		what, err = "title "+person, set(person, "title", fmt.Sprintf("Title %d", x.n))
	case 2:
		what, err = "clear "+person, set(person, "title")
	case 3:
		what, err = "disable "+person, set(person, "userAccountControl", "546")
	case 4:
		what, err = "delete "+person, x.c.Del(goldap.NewDelRequest(person, nil))
	case 5:
		dn := fmt.Sprintf("CN=New\\, \\\"%d\\\",%s", x.n, x.pick(ldaptest.ADRoot, aUnit))
		add := goldap.NewAddRequest(dn, nil)
		for name, value := range map[string]string{"objectClass": "user", "sAMAccountName": fmt.Sprintf("u%d%x", x.n, x.rnd.IntN(1<<30)), "sn": "新"} {
			add.Attribute(name, []string{value})
		}
		what, err = "add "+dn, x.c.Add(add)
	case 6, 7:
		to := x.pick(ldaptest.ADRoot, aUnit)
		what, err = "move "+person+" to "+to, move(person, "", to)
	case 8:
		what, err = "rename "+person, move(person, fmt.Sprintf("CN=Renamed %d", x.n), "")
	case 9:
		unit := x.pick(ldaptest.ADRoot, aUnit)
		what, err = "rename "+unit, move(unit, fmt.Sprintf("OU=dept-%d", x.n), "")
	case 10:
		unit := x.pick(ldaptest.ADRoot, aUnit)
		to := []string{ldaptest.ADOutside, "OU=People," + ldaptest.ADBase}[x.rnd.IntN(2)]
		what, err = "move "+unit+" to "+to, move(unit, "", to)
	default:
		group := x.pick(ldaptest.ADRoot, aGroup)
		m := goldap.NewModifyRequest(group, nil)
		if gone := x.pick(ldaptest.ADRoot, "(&"+aPerson+"(memberOf="+goldap.EscapeFilter(group)+"))"); kind == 13 && gone != "" {
			m.Delete("member", []string{gone})
			what = group + " loses " + gone
		} else {
			m.Add("member", []string{person})
			what = group + " gains " + person
		}
		if err = x.c.Modify(m); goldap.IsErrorAnyOf(err, goldap.LDAPResultAttributeOrValueExists, goldap.LDAPResultEntryAlreadyExists) {
			err = nil
		}
	}
	if x.log = append(x.log, what); err != nil {
		x.t.Fatalf("%s: %v", what, err)
	}
}

// modelAD writes at random while the replica is away and while it watches, and compares it with a reading.
//
// holds: R2, R5, R6, R7
func modelAD(t *testing.T, s *ldaptest.AD, login, password string) {
	c := adConfig(s, login, password)
	c.Inventory = 300 * time.Millisecond
	cl := client(t, c)
	seed := drawn(t)
	x := &chaos{t: t, c: s.Admin(t), rnd: rand.New(rand.NewPCG(seed, 1)), n: int(time.Now().UnixNano() % 1_000_000_000)} // the tree is kept from run to run: names are never used twice
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d\n%s", seed, strings.Join(x.log, "\n"))
		}
	})
	m := newReplica()
	at, err := cl.Changes(t.Context(), "", m.apply)
	if err != nil || at == "" || at != m.cursor {
		t.Fatal(at, err)
	}
	m.settles(t, "at first", cl)
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		x.log = nil
		for range 25 {
			x.write()
		}
		if at, err = cl.Changes(t.Context(), at, m.apply); err != nil {
			t.Fatal(err)
		}
		m.settles(t, fmt.Sprintf("offline %d", round), cl)
	}
	end := m.watches(t, cl, at)
	for round := range rounds {
		x.log = nil
		for range 15 {
			x.write()
		}
		m.settles(t, fmt.Sprintf("live %d", round), client(t, c))
	}
	end()
	if login == ldaptest.ADAdmin && m.ops[ldap.OpPresent] != 0 {
		t.Errorf("who is shown deletions needs no inventory: %v", m.ops)
	}
	if m.ops[ldap.OpMembers] == 0 || m.ops[ldap.OpDelete]+m.ops[ldap.OpPresent] == 0 {
		t.Errorf("operations: %v", m.ops)
	}
}
