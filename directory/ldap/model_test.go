package ldap_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// vandal changes a directory at random. Names are never used twice.
type vandal struct {
	t                     testing.TB
	rand                  *rand.Rand
	conn                  *goldap.Conn
	people, units, groups []string
	was                   map[string][]string // by DN in lower case: the ids of whom it was the name of, ever
	names                 int
}

// drawn answers the seed of a test that changes servers at random: RAPID_SEED, as for the property tests, or another one each time.
func drawn(t testing.TB) uint64 {
	seed, err := strconv.ParseUint(os.Getenv("RAPID_SEED"), 10, 64)
	if err != nil || seed == 0 {
		return uint64(time.Now().UnixNano())
	}
	return seed
}

// newVandal looks at what is there.
func newVandal(t testing.TB, s *ldaptest.Server, seed uint64) *vandal {
	t.Helper()
	v := &vandal{t: t, rand: rand.New(rand.NewPCG(seed, 0)), conn: s.Admin(t)}
	found, err := v.conn.Search(goldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(objectClass=*)", []string{"objectClass"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found.Entries {
		classes := e.GetEqualFoldAttributeValues("objectClass")
		switch {
		case slices.Contains(classes, "inetOrgPerson"):
			v.people = append(v.people, e.DN)
		case slices.Contains(classes, "groupOfNames"):
			v.groups = append(v.groups, e.DN)
		case strings.Contains(e.DN, "ou=dept"):
			v.units = append(v.units, e.DN)
		}
	}
	return v
}

func (v *vandal) pick(list []string) string { return list[v.rand.IntN(len(list))] }

func (v *vandal) name() string {
	v.names++
	return fmt.Sprintf("x%d%s", v.names, []string{"", " 研发", ", comma", "+plus", `"quoted"`}[v.rand.IntN(5)])
}

func (v *vandal) can(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vandal) replace(dn, attribute string, values ...string) {
	m := goldap.NewModifyRequest(dn, nil)
	m.Replace(attribute, values)
	v.can(v.conn.Modify(m))
}

// crash ends the server in the middle of whatever it does, and starts it again.
func (v *vandal) crash(s *ldaptest.Server) {
	s.Kill()
	s.Resume(v.t)
	v.conn = s.Admin(v.t)
}

// followed catches up as mirror.catchUp does. A slapd that is killed after the newest entry was deleted finds its position again
// among the entries that are left: it stands behind what it told before, is refused, and is ahead again with the next change.
func (v *vandal) followed(m *mirror, cl *ldap.Client) (stop func() error) {
	v.t.Helper()
	for range 2 {
		behind := false
		stop = m.watch(v.t, cl)
		m.until(v.t, "refresh", func() bool {
			behind = errors.Is(m.err, ldap.ErrBehind)
			return behind || m.refreshed()
		})
		if !behind {
			return stop
		}
		_ = stop()
		v.replace(v.pick(v.people), "title", "after the crash")
	}
	v.t.Fatal("behind after a change, too")
	return nil
}

// change makes one change.
func (v *vandal) change() {
	person := v.pick(v.people)
	switch v.rand.IntN(12) {
	case 0, 1, 2:
		v.replace(person, "title", fmt.Sprintf("title %d", v.rand.IntN(1000)))
	case 3:
		v.replace(person, "departmentNumber") // cleared
	case 4:
		dn := "cn=" + goldap.EscapeDN(v.name()) + "," + v.pick(v.units)
		a := goldap.NewAddRequest(dn, nil)
		a.Attribute("objectClass", []string{"inetOrgPerson"})
		a.Attribute("cn", []string{"新 " + fmt.Sprint(v.names)})
		a.Attribute("sn", []string{"新"})
		a.Attribute("manager", []string{person})
		v.can(v.conn.Add(a))
		v.people = append(v.people, dn)
	case 5:
		if len(v.people) < 10 {
			return
		}
		v.can(v.conn.Del(goldap.NewDelRequest(person, nil)))
		v.people = slices.DeleteFunc(v.people, func(dn string) bool { return dn == person })
	case 6:
		v.move(person, "cn="+goldap.EscapeDN(v.name()), "")
	case 7:
		first, _ := cutRDN(person)
		v.move(person, first, v.pick(v.units))
	case 8:
		v.move(v.pick(v.units), "ou="+goldap.EscapeDN(v.name()), "")
	case 9:
		unit, to := v.pick(v.units), v.pick(v.units)
		if to == unit || strings.HasSuffix(to, ","+unit) {
			return
		}
		v.move(unit, "ou="+goldap.EscapeDN(v.name()), to)
	case 10:
		m := goldap.NewModifyRequest(v.pick(v.groups), nil)
		m.Add("member", []string{person})
		if err := v.conn.Modify(m); err != nil && !goldap.IsErrorWithCode(err, goldap.LDAPResultAttributeOrValueExists) {
			v.t.Fatal(err)
		}
	case 11:
		a := goldap.NewAddRequest("cn=hidden"+fmt.Sprint(v.rand.Uint64())+","+base, nil) // not in the filter
		a.Attribute("objectClass", []string{"device"})
		v.can(v.conn.Add(a))
	}
}

func cutRDN(dn string) (first, parent string) {
	for i := 1; i < len(dn); i++ {
		if dn[i] == ',' && dn[i-1] != '\\' {
			return dn[:i], dn[i+1:]
		}
	}
	return dn, ""
}

// identified answers what is at dn and below, by name, with the ids of the server.
func (v *vandal) identified(dn, filter string) (out []*goldap.Entry) {
	found, err := v.conn.Search(goldap.NewSearchRequest(dn, 2, 0, 0, 0, false, filter, []string{"entryUUID", "nsUniqueId", "member", "manager"}, nil))
	v.can(err)
	return found.Entries
}

func idOf(e *goldap.Entry) string {
	return cmp.Or(e.GetEqualFoldAttributeValue("nsUniqueId"), e.GetEqualFoldAttributeValue("entryUUID"))
}

// note keeps who is called so and below, before that changes.
func (v *vandal) note(dn string) {
	if v.was == nil {
		v.was = map[string][]string{}
	}
	for _, e := range v.identified(dn, "(objectClass=*)") {
		name := strings.ToLower(e.DN)
		v.was[name] = append(v.was[name], idOf(e))
	}
}

// stay answers, by the id of a group, who may still be in it because it names them as they were called before, and nobody is called so now; by that of a person, who
// may still be their manager.
func (v *vandal) stay() map[string]map[string]bool {
	called, out := map[string]bool{}, map[string]map[string]bool{}
	for _, e := range v.identified(base, "(objectClass=*)") {
		called[strings.ToLower(e.DN)] = true
	}
	for _, g := range v.identified(base, "(|(objectClass=groupOfNames)(objectClass=inetOrgPerson))") {
		may := map[string]bool{}
		for _, m := range append(g.GetEqualFoldAttributeValues("member"), g.GetEqualFoldAttributeValues("manager")...) {
			for _, id := range v.was[strings.ToLower(m)] {
				may[id] = may[id] || !called[strings.ToLower(m)]
			}
		}
		if len(may) > 0 {
			out[idOf(g)] = may
		}
	}
	return out
}

func (v *vandal) move(dn, rdn, to string) {
	v.note(dn)
	v.can(v.conn.ModifyDN(goldap.NewModifyDNRequest(dn, rdn, true, to)))
	if to == "" {
		_, to = cutRDN(dn)
	}
	now := rdn + "," + to
	for _, list := range [][]string{v.people, v.units} {
		for i, have := range list {
			if have == dn {
				list[i] = now
			} else if rest, beneath := strings.CutSuffix(have, ","+dn); beneath {
				list[i] = rest + "," + now
			}
		}
	}
}

// TestModel changes real servers at random, while somebody listens and while nobody does, and compares what was heard with
// what is there.
//
// holds: R3, R4, R19
func TestModel(t *testing.T) {
	company := func() ldaptest.Company { return ldaptest.Company{People: 80, Units: 14, Groups: 4, Members: 10} }
	for name, start := range map[string]func(testing.TB) *ldaptest.Server{
		"openldap":                     func(t testing.TB) *ldaptest.Server { return unmended(t, company(), ldaptest.SessionLog) },
		"openldap without session log": func(t testing.TB) *ldaptest.Server { return unmended(t, company(), "") },
		"389":                          func(t testing.TB) *ldaptest.Server { return ldaptest.Start389(t, company().LDIF()) },
	} {
		t.Run(name, func(t *testing.T) {
			seed := drawn(t)
			t.Logf("seed %d", seed)
			s := start(t)
			v := newVandal(t, s, seed)
			cl := client(t, slapdConfig(s))
			m := newMirror()
			m.load(t, cl)
			rounds := 12
			if testing.Short() {
				rounds = 4
			}
			for round := range rounds {
				for range v.rand.IntN(15) {
					v.change()
					if v.rand.IntN(12) == 0 {
						v.crash(s)
					}
				}
				stop := v.followed(m, cl)
				m.same(t, cl, v, fmt.Sprintf("round %d, offline", round))
				for range v.rand.IntN(40) {
					v.change()
				}
				m.same(t, cl, v, fmt.Sprintf("round %d, live", round))
				if err := stop(); !errors.Is(err, t.Context().Err()) && !strings.Contains(err.Error(), "canceled") {
					t.Fatalf("round %d: ended with %v", round, err)
				}
				if v.rand.IntN(4) == 0 {
					v.crash(s)
				}
			}
		})
	}
}

// unmended is a slapd that leaves references as they are.
func unmended(t testing.TB, c ldaptest.Company, log string) *ldaptest.Server {
	s := ldaptest.Start(t, c.LDIF())
	s.Stop()
	s.Rewrite(t, ldaptest.Refint, "")
	s.Rewrite(t, ldaptest.SessionLog, log)
	s.Resume(t)
	return s
}

// same waits until a last change was heard, and compares.
func (m *mirror) same(t testing.TB, cl *ldap.Client, v *vandal, when string) {
	t.Helper()
	last, title := v.pick(v.people), fmt.Sprintf("mark %d", v.rand.Uint64())
	v.replace(last, "title", title)
	m.until(t, when, func() bool {
		for _, o := range m.objects {
			if slices.Contains(o.Attrs["title"], title) {
				return true
			}
		}
		return false
	})
	if d := m.differs(t, cl); d != "" {
		t.Fatalf("%s:\n%s", when, d)
	}
}
