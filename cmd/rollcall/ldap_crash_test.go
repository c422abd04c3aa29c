package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// SIGKILL of the whole server at any instant of a first reading, of a comparison and of following, while the directory
// changes, and of the directory's server, too: in the end the store holds what the directory does, the audit log grew by whole records and
// the index and OpenFGA hold the same.
//
// holds: R19
func TestKilledWhileItReads(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			s := ldaptest.Start(t, ldaptest.Company{People: 200, Units: 14, Groups: 8, Members: 20}.LDIF())
			c := configuredCrash(t, dbtest.DSN(t, engine), fmt.Sprintf("ldap:\n  - {name: corp, url: %q, ca_file: %q, base: %q, bind_dn: %q, password: %q, every: 1s}\n",
				s.URLS, s.CAFile, ldaptest.Base, ldaptest.ReaderDN, ldaptest.ReaderPW))
			u := newUnrest(t, s)
			rounds := min(*kills, 12)
			if testing.Short() {
				rounds = min(*kills, 5)
			}
			for round := range rounds {
				if round%2 == 0 {
					c.start()
				} else {
					c.serve()
				}
				u.until(time.Now().Add(time.Duration(rand.Int64N(2_000)) * time.Millisecond))
				if round%3 == 2 {
					s.Kill()
					s.Resume(t)
					u.conn = s.Admin(t)
					u.until(time.Now().Add(time.Duration(100+rand.Int64N(1_000)) * time.Millisecond)) // where its newest entry was deleted before, it stands behind until a change
				}
				c.stop(os.Kill)
				if round > 0 { // the first may die before there are tables
					c.verifyAudit()
				}
			}
			c.settled(u)
			c.verifyAudit()
			t.Logf("%d kills, %d changes, audit log of %d records", rounds, u.made, c.report.Size)
		})
	}
}

// settled runs the server once more, until what it knows is what the directory holds.
func (c *crash) settled(u *unrest) {
	c.t.Helper()
	cfg, err := loadConfig(c.config, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	err = serve(ctx, cfg, slog.New(slog.DiscardHandler), func(a *app) {
		defer cancel()
		want := u.dump()
		var differ []string
		for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			got, err := picture(ctx, a)
			if err != nil {
				c.t.Error(err)
				return
			}
			if differ = difference(got, want); len(differ) == 0 {
				break
			}
			if time.Now().After(deadline) {
				c.t.Errorf("%d differences, with %+v:\n%s", len(differ), a.ldap["corp"].Status(), strings.Join(differ[:min(len(differ), 10)], "\n"))
				return
			}
		}
		c.sameEverywhere(ctx, a)
	})
	if err != nil && ctx.Err() == nil {
		c.t.Error(err)
	}
}

// picture answers what the store knows of the directory, by the keys of its entries.
func picture(ctx context.Context, a *app) (map[string]string, error) {
	source := a.ldap["corp"].Source.ID
	page, err := a.people.FindRecords(ctx, directory.RecordQuery{Source: source, Limit: 10_000})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range page.Records {
		if r.AbsentSince.IsZero() {
			out[r.Key] = fmt.Sprintf("person %s %q in %s, active %v", r.UserName, r.Title, r.UnitKey, r.Active)
		}
	}
	groups, err := a.people.FindGroups(ctx, directory.GroupQuery{Source: source, Limit: 1000})
	if err != nil {
		return nil, err
	}
	for _, g := range groups.Groups {
		members, err := a.people.Members(ctx, g.ID, directory.MemberQuery{Limit: 1000})
		if err != nil {
			return nil, err
		}
		var keys []string
		for _, m := range members.Members {
			keys = append(keys, m.Value)
		}
		slices.Sort(keys)
		out[g.Key] = fmt.Sprintf("group %s of %v", g.DisplayName, keys)
	}
	return out, nil
}

func difference(got, want map[string]string) (out []string) {
	for k, w := range want {
		if got[k] != w {
			out = append(out, fmt.Sprintf("%s: %s, in the directory %s", k, got[k], w))
		}
	}
	for k, g := range got {
		if want[k] == "" {
			out = append(out, fmt.Sprintf("%s: %s, not in the directory", k, g))
		}
	}
	return out
}

// unrest changes a directory at random.
type unrest struct {
	t      *testing.T
	conn   *goldap.Conn
	people []string // DNs
	units  []string
	groups []string
	made   int
	gone   int
}

func newUnrest(t *testing.T, s *ldaptest.Server) *unrest {
	u := &unrest{t: t, conn: s.Admin(t)}
	for _, e := range u.all() {
		switch classes := e.GetAttributeValues("objectClass"); {
		case slices.Contains(classes, "inetOrgPerson"):
			u.people = append(u.people, e.DN)
		case slices.Contains(classes, "groupOfNames"):
			u.groups = append(u.groups, e.DN)
		case strings.HasPrefix(e.DN, "ou=dept"):
			u.units = append(u.units, e.DN)
		}
	}
	return u
}

func (u *unrest) all() []*goldap.Entry {
	u.t.Helper()
	found, err := u.conn.Search(goldap.NewSearchRequest(ldaptest.Base, goldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", []string{"*", "+"}, nil))
	if err != nil {
		u.t.Fatal(err)
	}
	return found.Entries
}

// until makes changes until at.
func (u *unrest) until(at time.Time) {
	u.t.Helper()
	for ; time.Now().Before(at); time.Sleep(time.Millisecond) {
		if err := u.change(); err != nil && !goldap.IsErrorAnyOf(err, goldap.LDAPResultAttributeOrValueExists, goldap.LDAPResultNoSuchAttribute, goldap.LDAPResultObjectClassViolation) {
			u.t.Fatal(err)
		}
		u.made++
	}
}

func (u *unrest) change() error {
	i := rand.IntN(len(u.people))
	person := u.people[i]
	first, _, _ := strings.Cut(person, ",")
	m := goldap.NewModifyRequest(person, nil)
	switch rand.IntN(8) {
	case 0, 1:
		m.Replace("title", []string{fmt.Sprint("title ", rand.IntN(1000))})
	case 2:
		m.Replace("pwdAccountLockedTime", [][]string{{"000001010000Z"}, nil}[rand.IntN(2)])
	case 3:
		to := u.units[rand.IntN(len(u.units))]
		u.people[i] = first + "," + to
		return u.conn.ModifyDN(goldap.NewModifyDNRequest(person, first, true, to))
	case 4:
		u.people[i] = strings.Replace(person, first, fmt.Sprint("uid=r", u.made), 1)
		return u.conn.ModifyDN(goldap.NewModifyDNRequest(person, fmt.Sprint("uid=r", u.made), true, ""))
	case 5:
		if u.gone++; u.gone > 50 {
			return nil
		}
		u.people = slices.Delete(u.people, i, i+1)
		return u.conn.Del(goldap.NewDelRequest(person, nil))
	case 6:
		dn := fmt.Sprintf("uid=n%d,%s", u.made, u.units[rand.IntN(len(u.units))])
		a := goldap.NewAddRequest(dn, nil)
		for name, value := range map[string]string{"objectClass": "inetOrgPerson", "cn": "New", "sn": "New", "title": "New"} {
			a.Attribute(name, []string{value})
		}
		u.people = append(u.people, dn)
		return u.conn.Add(a)
	case 7:
		m = goldap.NewModifyRequest(u.groups[rand.IntN(len(u.groups))], nil)
		if rand.IntN(2) == 0 {
			m.Add("member", []string{person})
		} else {
			m.Delete("member", []string{person})
		}
	}
	return u.conn.Modify(m)
}

// dump answers what the directory holds, as picture says it.
func (u *unrest) dump() map[string]string {
	u.t.Helper()
	keys, out, all := map[string]string{}, map[string]string{}, u.all()
	for _, e := range all {
		keys[strings.ToLower(e.DN)] = e.GetAttributeValue("entryUUID")
	}
	for _, e := range all {
		key := e.GetAttributeValue("entryUUID")
		switch classes := e.GetAttributeValues("objectClass"); {
		case slices.Contains(classes, "inetOrgPerson"):
			_, parent, _ := strings.Cut(e.DN, ",")
			out[key] = fmt.Sprintf("person %s %q in %s, active %v", e.GetAttributeValue("uid"), e.GetAttributeValue("title"), keys[strings.ToLower(parent)], e.GetAttributeValue("pwdAccountLockedTime") == "")
		case slices.Contains(classes, "groupOfNames"):
			var members []string
			for _, dn := range e.GetAttributeValues("member") {
				if key := keys[strings.ToLower(dn)]; key != "" { // who is gone may stand there: the server died before it mended that
					members = append(members, key)
				}
			}
			slices.Sort(members)
			out[key] = fmt.Sprintf("group %s of %v", e.GetAttributeValue("cn"), members)
		}
	}
	return out
}
