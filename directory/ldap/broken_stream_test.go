package ldap_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// TestBrokenStreams follows content syncs that fail: by code, in the middle of it, by falling silent, and by ending well with a part.
//
// holds: R1, R3
func TestBrokenStreams(t *testing.T) {
	d, c := double(t, 30)
	c.Timeout = 300 * time.Millisecond
	sound := newMirror()
	sound.load(t, client(t, c))
	n := 0
	change := func() {
		t.Helper()
		n++
		if err := d.Modify("uid=u002,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{fmt.Sprint("Title ", n)}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		f    demo.Faults
		want error
	}{
		{"refresh required", demo.Faults{Code: demo.CodeRefreshRequired}, ldap.ErrCursorLost},
		{"behind", demo.Faults{Code: demo.CodeBehind}, ldap.ErrBehind},
		{"busy", demo.Faults{Code: demo.CodeBusy}, ldap.ErrServer},
		{"limit", demo.Faults{Code: demo.CodeAdminLimit}, ldap.ErrServer},
		{"dropped", demo.Faults{StreamDrop: 1}, ldap.ErrClosed},
		{"silent", demo.Faults{Silent: true}, ldap.ErrTimeout},
	} {
		d.SetFaults(demo.Faults{})
		m := newMirror()
		m.load(t, client(t, c))
		d.SetFaults(row.f)
		stop := m.watch(t, client(t, c))
		done := func() bool { return m.err != nil }
		if row.f.StreamDrop > 0 {
			m.until(t, row.name, func() bool { return len(m.ops) > 0 })
			change()
		}
		m.until(t, row.name, done)
		if err := stop(); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
		if m.size() != sound.size() {
			t.Errorf("%s: %d objects of %d", row.name, m.size(), sound.size())
		}
	}
	// it answers, but tells no more of what is written
	d.SetFaults(demo.Faults{})
	m := newMirror()
	m.load(t, client(t, c))
	stop := m.catchUp(t, client(t, c))
	d.SetFaults(demo.Faults{StreamHush: 1})
	change()
	m.until(t, "the first change", func() bool { return len(m.ops) > 1 })
	change()
	m.until(t, "the silence about the second", func() bool { return m.err != nil })
	if err := stop(); !errors.Is(err, ldap.ErrTimeout) {
		t.Errorf("hushed: %v", err)
	}
}

// TestLyingRefresh resumes from a server that claims to have named everybody, and named a few only. Nobody is noted as absent who
// is found by id.
//
// holds: R1
func TestLyingRefresh(t *testing.T) {
	for name, f := range map[string]demo.Faults{"only what changed": {LieDeletes: true}, "a part of everything": {Partial: 5}} {
		t.Run(name, func(t *testing.T) {
			d, c := double(t, 40)
			w := newWorld(t, dbtest.SQLite(t))
			first := w.syncer(c)
			w.sync(first)
			first.Close()
			d.SetFaults(f)
			if err := d.Modify("uid=u002,ou=研发,ou=people,"+base, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"Boss"}}); err != nil {
				t.Fatal(err)
			}
			s := w.syncer(c)
			stop := runs(t, s, time.Hour)
			w.until("an outcome", func() bool { st := s.Status(); return st.Mode == "live" || st.LastError != "" })
			stop()
			if gone := w.absent(); len(gone) != 0 || len(w.people()) != 40 {
				t.Errorf("absent: %v", gone)
			}
		})
	}
}
