package ldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestReloaded loads a server anew without its ids while it is followed: nothing of it is written, at no time.
//
// holds: R2, R3
func TestReloaded(t *testing.T) {
	for name, log := range map[string]string{"session log": ldaptest.SessionLog, "no session log": ""} {
		t.Run(name, func(t *testing.T) {
			company := ldaptest.Company{People: 700, Units: 12, Groups: 3, Members: 10}
			s := ldaptest.Start(t, company.LDIF())
			s.Stop()
			s.Rewrite(t, ldaptest.SessionLog, log)
			s.Resume(t)
			w := newWorld(t, dbtest.SQLite(t))
			sy := w.syncer(slapdConfig(s))
			runs(t, sy, time.Hour)
			wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
			head := w.head()
			s.Stop()
			s.Reload(t, company.LDIF())
			s.Resume(t)
			wait(t, "disbelief", func() bool { return sy.Status().LastCode == "implausible" })
			if text := sy.Status().LastError; !strings.Contains(text, "people it shows is among the") {
				t.Errorf("status: %q", text)
			}
			wait(t, "a reading that is not believed", func() bool { return sy.Status().Last.Kind == "full" && sy.Status().Failures > 4 })
			if people := w.everybody(); len(people) != 700 || len(w.absent()) != 0 {
				t.Errorf("%d people, %d absent", len(people), len(w.absent()))
			}
			if now := w.head(); now != head {
				t.Errorf("%d changes were written", now-head)
			}
		})
	}
}

// TestForeignServer has a server of the same base and other ids as the second of the list: nothing of it is taken, and the first is followed
// as soon as it is there again.
//
// holds: R17
func TestForeignServer(t *testing.T) {
	company := ldaptest.Company{People: 60, Units: 12, Groups: 3, Members: 10}
	first, foreign := ldaptest.Start(t, company.LDIF()), ldaptest.Start(t, company.LDIF())
	c := slapdConfig(first)
	c.URL, c.CAFile, c.Timeout = first.URLS+" "+foreign.URLS, ldaptest.Trust(t, first, foreign), 2*time.Second
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	runs(t, sy, time.Hour)
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })
	head := w.head()
	first.Kill()
	wait(t, "disbelief", func() bool { return sy.Status().LastCode == "implausible" })
	wait(t, "more of it", func() bool { return sy.Status().Failures > 2 })
	if now := w.head(); now != head || len(w.everybody()) != 60 {
		t.Errorf("%d changes were written, %d people", now-head, len(w.everybody()))
	}
	first.Resume(t)
	first.Modify(t, "dn: "+u1+"\nchangetype: modify\nreplace: title\ntitle: Back\n")
	wait(t, "the first again", func() bool { return w.person("u000001").Title == "Back" && sy.Status().LastError == "" })
	if len(w.everybody()) != 60 || len(w.absent()) != 0 {
		t.Errorf("%d people, %d absent", len(w.everybody()), len(w.absent()))
	}
}

// TestLoginOfAbsent deletes a person and adds another with the same login: who is there has it.
//
// holds: J14
func TestLoginOfAbsent(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, engine *db.DB) {
		d, c := double(t, 12)
		w := newWorld(t, engine)
		sy := w.syncer(c)
		w.sync(sy)
		before := w.people()["u003"]
		dn := "uid=u003,ou=sales,ou=people," + base
		if err := errors.Join(d.Delete(dn), d.Add(demo.Entry{DN: dn, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"u003"}, "cn": {"Another"}, "sn": {"Another"}}})); err != nil {
			t.Fatal(err)
		}
		rep := w.sync(sy)
		now := w.people()["u003"]
		old, err := w.store.RecordByKey(t.Context(), w.source.ID, before.Key)
		if err != nil {
			t.Fatal(err)
		}
		if now.Key == before.Key || now.Person == before.Person || w.person("u003").UserName != "u003" {
			t.Errorf("the new one: %+v; %+v", now, rep.Findings)
		}
		if old.UserName != "" || old.AbsentSince.IsZero() || old.Person != before.Person {
			t.Errorf("the old one: %+v", old)
		}
		if slices.ContainsFunc(rep.Findings, func(f ldap.Finding) bool { return f.Code == "login_taken" }) {
			t.Errorf("findings: %+v", rep.Findings)
		}
		if again := w.sync(sy); again.Written() != 0 {
			t.Errorf("again: %+v", again)
		}
	})
}

func (w *world) everybody() map[string]bool {
	w.t.Helper()
	keys, err := w.store.RecordKeys(w.t.Context(), w.source.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]bool{}
	for _, k := range keys {
		out[k.Key] = true
	}
	return out
}
