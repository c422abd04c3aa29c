package ldap_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// mirror is what one who follows a directory knows of it: the smallest engine there can be.
type mirror struct {
	mu      sync.Mutex
	objects map[string]ldap.Object
	named   map[string]bool // since the call began
	cursor  ldap.Cursor
	err     error         // of the last Watch
	alive   int           // signs of life
	ops     []ldap.Change // everything, in order
	changed chan struct{} // gets a token with each emit
}

func newMirror() *mirror {
	return &mirror{objects: map[string]ldap.Object{}, named: map[string]bool{}, changed: make(chan struct{}, 1)}
}

func (m *mirror) emit(changes []ldap.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(changes) == 0 {
		m.alive++
	}
	for _, c := range changes {
		m.apply(c)
	}
	m.wake()
	return nil
}

func (m *mirror) wake() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

func (m *mirror) apply(c ldap.Change) {
	m.ops = append(m.ops, c)
	switch c.Op {
	case ldap.OpUpsert:
		old, known := m.objects[c.Object.Key]
		m.objects[c.Object.Key], m.named[c.Object.Key] = c.Object, true
		if known && old.Class == ldap.ClassUnit && old.DN != c.Object.DN { // nobody tells the new names of what is beneath
			for k, o := range m.objects {
				if rest, beneath := strings.CutSuffix(o.DN, ","+old.DN); beneath {
					o.DN = rest + "," + c.Object.DN
					m.objects[k] = o
				}
			}
		}
	case ldap.OpDelete:
		for _, k := range c.Keys {
			delete(m.objects, k)
		}
	case ldap.OpPresent:
		for _, k := range c.Keys {
			m.named[k] = true
		}
	case ldap.OpRefreshed:
		if c.Whole {
			maps.DeleteFunc(m.objects, func(k string, _ ldap.Object) bool { return !m.named[k] })
		}
	}
	if c.Cursor != "" {
		m.cursor = c.Cursor
	}
}

// begin forgets what was named, for the next call.
func (m *mirror) begin() ldap.Cursor {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.named, m.ops, m.alive, m.err = map[string]bool{}, nil, 0, nil
	return m.cursor
}

// until waits until cond holds, and fails after a while.
func (m *mirror) until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		m.mu.Lock()
		ok := cond()
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-m.changed:
		case <-late:
			m.mu.Lock()
			defer m.mu.Unlock()
			t.Fatalf("%s: not seen; %v; the last operations were %s", what, m.err, m.text())
		}
	}
}

func (m *mirror) text() string {
	var b strings.Builder
	for _, c := range m.ops[max(0, len(m.ops)-12):] {
		fmt.Fprintf(&b, "\n%s %s %v whole=%v", c.Op, c.Object.DN, c.Keys, c.Whole)
	}
	return b.String()
}

// count tells how often op came since begin, and whether any was Whole. The lock must not be held.
func (m *mirror) count(op ldap.Op) (n int, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.ops {
		if c.Op == op {
			n += max(1, len(c.Keys))
			whole = whole || c.Whole
		}
	}
	return n, whole
}

// proof answers how the last refresh was known to have named everything.
func (m *mirror) proof() (out string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.ops {
		if c.Op == ldap.OpRefreshed {
			out = c.Proof
		}
	}
	return out
}

func (m *mirror) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.objects)
}

// people names them, but for the one of the tests.
func (m *mirror) people() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]bool{}
	for _, o := range m.objects {
		if o.Class == ldap.ClassPerson && strings.Contains(o.DN, "uid=u0") && !strings.HasPrefix(o.DN, "uid=u000001,") {
			out[o.DN] = true
		}
	}
	return out
}

// byDN answers one object; until holds the lock, so it takes none.
func (m *mirror) byDN(dn string) (ldap.Object, bool) {
	for _, o := range m.objects {
		if strings.EqualFold(o.DN, dn) {
			return o, true
		}
	}
	return ldap.Object{}, false
}

// watch follows in the background until the test ends or stop is called, which answers the error.
func (m *mirror) watch(t testing.TB, cl *ldap.Client) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	from := m.begin()
	go func() {
		err := cl.Watch(ctx, from, m.emit)
		m.mu.Lock()
		m.err = err
		m.mu.Unlock()
		m.wake()
		done <- err
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			return fmt.Errorf("Watch did not end")
		}
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// catchUp watches until the server was caught up with, and goes on.
func (m *mirror) catchUp(t testing.TB, cl *ldap.Client) (stop func() error) {
	t.Helper()
	stop = m.watch(t, cl)
	m.until(t, "refresh", m.refreshed)
	return stop
}

// refreshed says that the server was caught up with; until holds the lock.
func (m *mirror) refreshed() bool {
	return slices.ContainsFunc(m.ops, func(c ldap.Change) bool { return c.Op == ldap.OpRefreshed })
}

// load fills the mirror by a Snapshot.
func (m *mirror) load(t testing.TB, cl *ldap.Client) {
	t.Helper()
	objects, proof, err := snapshot(t.Context(), cl)
	if err != nil || !proof.Complete() {
		t.Fatalf("%+v %v", proof, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range objects {
		m.objects[o.Key] = o
	}
	m.cursor = proof.Cursor
}

// differs says in what the mirror differs from the directory itself; "" where it does not.
func (m *mirror) differs(t testing.TB, cl *ldap.Client) string {
	t.Helper()
	objects, proof, err := snapshot(t.Context(), cl)
	if err != nil || !proof.Complete() {
		t.Fatalf("%+v %v", proof, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	truth := map[string]bool{}
	for _, o := range objects {
		truth[o.Key] = true
		if mine, ok := m.objects[o.Key]; !ok {
			out = append(out, "missing "+o.DN)
		} else if d := differ(mine, o); d != "" {
			out = append(out, o.DN+": "+d)
		}
	}
	for k, o := range m.objects {
		if !truth[k] {
			out = append(out, "left over "+o.DN)
		}
	}
	slices.Sort(out)
	return strings.Join(out[:min(len(out), 10)], "\n")
}

func differ(mine, theirs ldap.Object) string {
	if mine.Class != theirs.Class || !strings.EqualFold(mine.DN, theirs.DN) {
		return fmt.Sprintf("%s %s, mirrored %s %s", theirs.Class, theirs.DN, mine.Class, mine.DN)
	}
	for _, name := range slices.Sorted(maps.Keys(theirs.Attrs)) {
		a, b := slices.Sorted(slices.Values(mine.Attrs[name])), slices.Sorted(slices.Values(theirs.Attrs[name]))
		if !slices.Equal(a, b) {
			return fmt.Sprintf("%s %q, mirrored %q", name, b, a)
		}
	}
	for name := range mine.Attrs {
		if _, ok := theirs.Attrs[name]; !ok {
			return "mirrored " + name
		}
	}
	return ""
}
