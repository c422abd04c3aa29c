package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

var ldapChanges = flag.Int("changes", 200, "how many changes of each kind BenchmarkDirectoryChange makes")

const directoryPolicy = `apiVersion: rollcall/v1
guard: # the same people come and go all the time
  move: {people: 100000, percent: 100}
  attribute: {people: 100000, percent: 100}
  cleanup: {people: 100000, percent: 100}
  group: {people: 100000, percent: 100}
  unit: {people: 100000, percent: 100}
groups:
  - key: everybody
    name: {en: Everybody, zh: 所有人}
    channels: [{key: room, name: {en: Room, zh: 房间}}]
    rules: [{key: all, role: participant, when: person.user_name != ""}]
  - key: crew
    name: {en: Crew, zh: 班组}
    channels: [{key: room, name: {en: Deck, zh: 甲板}}]
    rules: [{key: crew, role: participant, when: '"corp/%s" in person.groups'}]
  - key: pilots
    name: {en: Pilots, zh: 飞行员}
    channels: [{key: room, name: {en: Cockpit, zh: 驾驶舱}}]
    rules: [{key: pilots, role: participant, when: person.title == "Pilot"}]
`

// directoryKinds are the servers that tell what changes.
var directoryKinds = []string{"openldap", "389", "samba"}

// written is a directory server that a benchmark writes to.
type written struct {
	tb            testing.TB
	conn          *goldap.Conn
	source        LDAP
	login         string // the attribute
	group, crew   string // DN and name of a group
	lock, release func(*goldap.ModifyRequest)
	end           func(m *goldap.ModifyRequest, at time.Time) // of the account; nil: the server has none
	member        string                                      // the class of groups
	stop          func()
}

func writtenServer(tb testing.TB, kind string, people int) written {
	tb.Helper()
	if kind == "samba" {
		s := ldaptest.StartAD(tb)
		return written{tb: tb, conn: s.Admin(tb), login: "sAMAccountName", group: ldaptest.ADGroup(3), crew: "g03",
			source:  LDAP{Name: "corp", Config: ldap.Config{URL: s.URL, CAFile: s.CAFile, BindDN: ldaptest.ADSync, Password: ldaptest.ADPW, Base: ldaptest.ADBase}},
			lock:    func(m *goldap.ModifyRequest) { m.Replace("userAccountControl", []string{"546"}) },
			release: func(m *goldap.ModifyRequest) { m.Replace("userAccountControl", []string{"544"}) }, member: "group", stop: s.Stop,
			end: func(m *goldap.ModifyRequest, at time.Time) {
				const epoch = 11644473600 // seconds from 1601 to 1970
				m.Replace("accountExpires", []string{fmt.Sprint((at.Unix() + epoch) * 10_000_000)})
			}}
	}
	company := ldaptest.Company{People: people, Units: 20, Groups: 20, Members: 50}.LDIF()
	start, lock, value := func() *ldaptest.Server { return ldaptest.Start(tb, company) }, "pwdAccountLockedTime", "000001010000Z"
	if kind == "389" {
		start, lock, value = func() *ldaptest.Server { return ldaptest.Start389(tb, company) }, "nsAccountLock", "true"
	}
	s := start()
	w := written{tb: tb, conn: s.Admin(tb), login: "uid", group: "cn=g00003,ou=groups," + ldaptest.Base, crew: "g00003",
		source:  LDAP{Name: "corp", Config: ldap.Config{URL: s.URLS, CAFile: s.CAFile, BindDN: ldaptest.ReaderDN, Password: ldaptest.ReaderPW, Base: ldaptest.Base}},
		lock:    func(m *goldap.ModifyRequest) { m.Add(lock, []string{value}) },
		release: func(m *goldap.ModifyRequest) { m.Delete(lock, nil) }, member: "groupOfNames", stop: s.Stop}
	if kind == "openldap" {
		w.end = func(m *goldap.ModifyRequest, at time.Time) {
			m.Replace("pwdEndTime", []string{at.UTC().Format("20060102150405Z")})
		}
	}
	return w
}

// outside answers people who are not in the crew, by login and DN.
func (w written) outside() (out [][2]string) {
	w.tb.Helper()
	group, err := w.conn.Search(goldap.NewSearchRequest(w.group, goldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"member"}, nil))
	if err != nil {
		w.tb.Fatal(err)
	}
	all, err := w.conn.SearchWithPaging(goldap.NewSearchRequest(w.source.Base, goldap.ScopeWholeSubtree, 0, 0, 0, false, "("+w.login+"=u*)", []string{w.login}, nil), 500)
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, e := range all.Entries {
		if !slices.Contains(group.Entries[0].GetAttributeValues("member"), e.DN) {
			out = append(out, [2]string{e.GetEqualFoldAttributeValue(w.login), e.DN})
		}
	}
	return out
}

// BenchmarkDirectoryChange measures the whole way of a change on real servers: from the answer to a modify until the index
// lets the person into the channel, or does so no more. What is in force before the answer is read counts as zero.
//
//	go test ./cmd/rollcall -run xxx -bench DirectoryChange -benchtime 1x
func BenchmarkDirectoryChange(b *testing.B) {
	for _, kind := range directoryKinds {
		for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
			b.Run(kind+"/"+string(engine), func(b *testing.B) {
				for b.Loop() {
					w := newWhole(b, writtenServer(b, kind, 2000), engine)
					took, people := map[string][]time.Duration{}, w.outside()
					for i := range *ldapChanges {
						p := people[i%len(people)]
						w.round(p[0], p[1], func(name string, d time.Duration) { took[name] = append(took[name], d) })
					}
					for name, list := range took {
						quantiles(b, name, list)
						b.ReportMetric(float64(list[len(list)-1].Microseconds())/1000, name+"-max-ms")
					}
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// whole is a server that follows a directory.
type whole struct {
	written
	s        *bench
	channels map[string]id.Channel
}

func newWhole(tb testing.TB, w written, engine db.Engine) whole {
	tb.Helper()
	s := newLoggedBench(tb, engine, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), w.source)
	within(tb, "the directory is followed", func() bool { return s.app.ldap[w.source.Name].Status().Mode == "live" })
	if _, err := s.app.access.SetPolicy(tb.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: fmt.Sprintf(directoryPolicy, w.crew)}}); err != nil {
		tb.Fatal(err)
	}
	groups, err := s.app.access.Groups(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	channels := map[string]id.Channel{}
	for _, g := range groups {
		channels[g.Key] = g.Channels[0].ID
	}
	return whole{w, s, channels}
}

// change modifies an entry, and answers how long after the answer the index let who into a channel, or did so no more.
func (w whole) change(name, dn, channel string, who id.Person, in bool, edit func(*goldap.ModifyRequest)) time.Duration {
	w.tb.Helper()
	m := goldap.NewModifyRequest(dn, nil)
	edit(m)
	if err := w.conn.Modify(m); err != nil {
		w.tb.Fatal(err)
	}
	return within(w.tb, name, func() bool {
		allowed, _ := w.s.app.index.Allow(who, w.channels[channel], "view")
		return allowed == in
	})
}

// round takes one person through every kind of change, and tells how long each took.
func (w whole) round(login, dn string, took func(name string, d time.Duration)) {
	w.tb.Helper()
	who := w.record(login).Person
	took("join", w.change("join", w.group, "crew", who, true, func(m *goldap.ModifyRequest) { m.Add("member", []string{dn}) }))
	took("leave", w.change("leave", w.group, "crew", who, false, func(m *goldap.ModifyRequest) { m.Delete("member", []string{dn}) }))
	took("title", w.change("title", dn, "pilots", who, true, func(m *goldap.ModifyRequest) { m.Replace("title", []string{"Pilot"}) }))
	took("title", w.change("title back", dn, "pilots", who, false, func(m *goldap.ModifyRequest) { m.Replace("title", []string{"Buyer"}) }))
	took("lock", w.change("lock", dn, "everybody", who, false, w.lock))
	took("release", w.change("release", dn, "everybody", who, true, w.release))
}

// heard waits until the server signs its changes: nobody is told when it begins to, and what it did not sign comes with the next sign.
func (w whole) heard(dn string) {
	w.tb.Helper()
	for i := 0; w.s.app.ldap[w.source.Name].Status().ChangedAt.IsZero(); i++ {
		if i == 100 {
			w.tb.Fatal("the server signs nothing")
		}
		m := goldap.NewModifyRequest(dn, nil)
		m.Replace("title", []string{fmt.Sprintf("Buyer %d", i)})
		if err := w.conn.Modify(m); err != nil {
			w.tb.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// A change arrives because the server tells it: nothing is asked for within the test.
//
// holds: R8
func TestDirectoryIsHeard(t *testing.T) {
	for _, kind := range directoryKinds {
		t.Run(kind, func(t *testing.T) {
			for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
				t.Run(string(engine), func(t *testing.T) {
					server := writtenServer(t, kind, 120)
					server.source.PollInterval, server.source.Every = time.Hour, time.Hour
					w := newWhole(t, server, engine)
					people := w.outside()
					w.heard(people[3][1])
					for _, p := range people[:3] {
						w.round(p[0], p[1], func(name string, d time.Duration) {
							if d > 10*time.Second {
								t.Errorf("%s took %v", name, d)
							}
						})
					}
				})
			}
		})
	}
}

// within waits until fn is true, and answers how long that took.
func within(tb testing.TB, what string, fn func() bool) time.Duration {
	tb.Helper()
	began := time.Now()
	for ; !fn(); time.Sleep(50 * time.Microsecond) {
		if time.Since(began) > time.Minute {
			tb.Fatalf("%s: not within a minute", what)
		}
	}
	return time.Since(began)
}
