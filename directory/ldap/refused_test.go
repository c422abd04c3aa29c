package ldap_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestRefusedLogin holds that a login that is refused is not tried again before a minute is over, because directories lock accounts; an administrator
// who asks is answered at once, and a login that is taken then goes on with.
func TestRefusedLogin(t *testing.T) {
	server, c := double(t, 6)
	w := newWorld(t, dbtest.SQLite(t))
	sy := w.syncer(c)
	server.SetFaults(demo.Faults{EchoSecret: true})
	runs(t, sy, time.Hour)
	wait(t, "refused", func() bool { return sy.Status().Failures == 1 })
	if st := sy.Status(); st.LastCode != "login" || st.Refused != 1 || time.Until(st.RetryAt) < 50*time.Second {
		t.Errorf("%+v", st)
	}
	time.Sleep(3 * time.Second)
	if st := sy.Status(); st.Failures != 1 {
		t.Fatalf("tried again %d times within seconds", st.Failures-1)
	}
	if _, err := sy.Sync(t.Context()); !errors.Is(err, ldap.ErrLogin) {
		t.Fatalf("asked: %v", err)
	}
	if st := sy.Status(); st.Failures != 2 || time.Until(st.RetryAt) < 110*time.Second {
		t.Errorf("%+v", st)
	}
	server.SetFaults(demo.Faults{})
	w.sync(sy)
	if st := sy.Status(); st.Refused != 0 || !st.RetryAt.IsZero() || st.LastError != "" {
		t.Errorf("%+v", st)
	}
	wait(t, "followed", func() bool { return sy.Status().Mode == "live" })

	server.SetFaults(demo.Faults{StreamDrop: 1, EchoSecret: true}) // while it is followed
	if err := server.Modify(dnOf(1), demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Chief"}}); err != nil {
		t.Fatal(err)
	}
	wait(t, "refused again", func() bool { return sy.Status().Refused == 1 })
	before := sy.Status().Failures
	time.Sleep(3 * time.Second)
	if n := sy.Status().Failures - before; n != 0 {
		t.Errorf("tried again %d times within seconds", n)
	}
}

// TestDisabledUnderOtherIDs holds that who is disabled in a directory all of whose ids are other ones is disabled, although nothing else of it is taken.
//
// holds: R20
func TestDisabledUnderOtherIDs(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		_, c := double(t, 30)
		server, other := double(t, 30)
		w := newWorld(t, d)
		w.sync(w.syncer(c))
		lock := demo.Mod{Kind: demo.ModReplace, Name: "pwdAccountLockedTime", Values: []string{"000001010000Z"}}
		if err := server.Modify(dnOf(4), lock, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Gone"}}); err != nil {
			t.Fatal(err)
		}
		if err := server.Modify(dnOf(5), lock, demo.Mod{Kind: demo.ModReplace, Name: "employeeNumber", Values: []string{"999"}}); err != nil { // may be somebody else
			t.Fatal(err)
		}
		if err := server.Modify(dnOf(6), demo.Mod{Kind: demo.ModReplace, Name: "shadowExpire", Values: []string{"19000"}}); err != nil { // in 2022
			t.Fatal(err)
		}
		rep, err := w.syncer(other).Sync(t.Context())
		if !errors.Is(err, ldap.ErrImplausible) {
			t.Fatalf("taken: %v", err)
		}
		if w.people()["u006"].Active {
			t.Error("whose account has ended is not disabled")
		}
		if r := w.people()["u004"]; r.Active || r.Title == "Gone" || rep.Disabled != 2 {
			t.Errorf("u004: %+v, %d disabled", r.Attributes, rep.Disabled)
		}
		if r := w.people()["u005"]; !r.Active {
			t.Error("who is not recognised without doubt is disabled")
		}
		if n := len(w.absent()); n != 0 || len(w.people()) != 30 {
			t.Errorf("%d absent of %d", n, len(w.people()))
		}
	})
}
