package ldap_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// shelf is a directory in memory: what the pages show, and what is there when asked by id.
type shelf struct {
	mu       sync.Mutex
	shown    []ldap.Object
	there    []ldap.Object
	position string
	err      error
	reads    []time.Time
}

func (s *shelf) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *shelf) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads)
}

func (s *shelf) Probe(context.Context) (ldap.Capabilities, []ldap.Finding, error) {
	return ldap.Capabilities{}, nil, nil
}

func (s *shelf) Snapshot(_ context.Context, emit func([]ldap.Object) error) (ldap.Proof, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, time.Now())
	if s.err != nil {
		return ldap.Proof{Missing: []string{"broken"}}, s.err
	}
	if len(s.shown) > 0 {
		if err := emit(s.shown); err != nil {
			return ldap.Proof{}, err
		}
	}
	return ldap.Proof{Kind: "page_end", Counts: map[ldap.Class]int{ldap.ClassPerson: len(s.shown)}, Position: s.position}, nil
}

func (s *shelf) Lookup(_ context.Context, _ ldap.Class, keys []string) (found []ldap.Object, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.there {
		if slices.Contains(keys, o.Key) {
			found = append(found, o)
		}
	}
	return found, s.err
}

func (s *shelf) Position(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position, s.err
}

func human(login string) ldap.Object {
	return ldap.Object{Class: ldap.ClassPerson, Key: "key-" + login, DN: "uid=" + login + "," + base, Attrs: map[string][]string{"uid": {login}, "cn": {login}}}
}

var someConfig = ldap.Config{URL: "ldaps://nowhere.example", BindDN: "cn=x", Password: canary, Base: base}

// TestAbsenceIsConfirmed holds that somebody whom the pages missed, and the server knows, is not absent.
//
// holds: R1
func TestAbsenceIsConfirmed(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	all := []ldap.Object{human("a"), human("b"), human("c"), human("d")}
	from := &shelf{shown: all, there: all, position: "1"}
	sy := w.syncer(someConfig)
	sy.Reader = from
	w.sync(sy)
	from.set(func() { from.shown, from.there = all[:2], all[:3] })
	rep := w.sync(sy)
	if rep.Absent != 1 || !slices.Equal(w.absent(), []string{"d"}) {
		t.Errorf("absent: %v, %+v", w.absent(), rep)
	}
	head := w.head()
	if rep := w.sync(sy); rep.Written() != 0 || w.head() != head {
		t.Errorf("marked twice: %+v", rep)
	}
	from.set(func() { from.shown, from.there = all, all })
	if w.sync(sy); len(w.absent()) != 0 {
		t.Errorf("who came back is absent still: %v", w.absent())
	}
	from.set(func() { from.shown = all[:1] })
	sy = w.syncer(someConfig)
	sy.Reader = &failingLookup{from, errors.New("connection lost")}
	if _, err := sy.Sync(t.Context()); !errors.Is(err, ldap.ErrIncomplete) || len(w.absent()) != 0 {
		t.Errorf("unconfirmed: %v, absent %v", err, w.absent())
	}
}

type failingLookup struct {
	*shelf
	err error
}

func (f *failingLookup) Lookup(context.Context, ldap.Class, []string) ([]ldap.Object, error) {
	return nil, f.err
}

// TestRunTiming watches the loop against a directory in memory: at once at the beginning, on a moved mark within the
// poll interval, at the interval without one, and with growing pauses while the directory fails.
func TestRunTiming(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t))
	from := &shelf{shown: []ldap.Object{human("a")}, there: []ldap.Object{human("a")}, position: "1"}
	c := someConfig
	c.PollInterval = 10 * time.Millisecond
	sy := w.syncer(c)
	sy.Reader = from
	wait := func(n int) {
		t.Helper()
		for began := time.Now(); len(from.times()) < n; time.Sleep(time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%d readings, want %d", len(from.times()), n)
			}
		}
	}
	run := func(every time.Duration, fn func()) {
		t.Helper()
		stop := runs(t, sy, every)
		fn()
		stop()
	}
	run(time.Hour, func() { // only the mark
		wait(1)
		from.set(func() { from.position = "2" })
		wait(2)
		time.Sleep(100 * time.Millisecond)
		if n := len(from.times()); n != 2 {
			t.Errorf("%d readings without a change", n-2)
		}
		from.set(func() { from.position, from.err = "3", errors.New("out of order") })
		time.Sleep(1200 * time.Millisecond)
		if st := sy.Status(); st.Failures == 0 || st.Failures > 4 || st.LastError == "" {
			t.Errorf("%d failures in 1.2 s: no pause, or no try", st.Failures)
		}
		from.set(func() { from.err = nil })
		wait(3)
	})
	n := len(from.times())
	from.set(func() { from.position = "" }) // no mark: only the interval
	run(50*time.Millisecond, func() { wait(n + 3) })
}

// TestRunOutlivesTheServer kills slapd in the middle, changes it while nobody looks, and starts it again.
func TestRunOutlivesTheServer(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 30, Units: 3, Groups: 2, Members: 5}.LDIF())
	w := newWorld(t, dbtest.SQLite(t))
	c := slapdConfig(s)
	c.PollInterval = 20 * time.Millisecond
	sy := w.syncer(c)
	runs(t, sy, time.Hour)
	until := func(what string, fn func() bool) {
		t.Helper()
		for began := time.Now(); !fn(); time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%s: not within 30 s; %+v", what, sy.Status())
			}
		}
	}
	until("first sync", func() bool { return !sy.Status().LastSuccess.IsZero() })
	s.Kill()
	until("the loss is seen", func() bool { return sy.Status().LastError != "" })
	lost := sy.Status().VerifiedAt
	s.Resume(t)
	s.Modify(t, "dn: uid=u000000,ou=dept000,ou=people,"+base+"\nchangetype: modify\nreplace: title\ntitle: Back\n")
	until("the change is seen", func() bool { return w.person("u000000").Title == "Back" })
	if st := sy.Status(); len(w.absent()) != 0 {
		t.Errorf("absent: %v, %+v", w.absent(), st)
	}
	until("verified again", func() bool { return sy.Status().VerifiedAt.After(lost) && sy.Status().LastError == "" })
}
