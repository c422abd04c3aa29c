package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// replica is what a stream makes of a directory, kept as simply as can be.
type replica struct {
	mu      sync.Mutex
	objects map[string]ldap.Object
	members map[string]map[string]bool // group → keys
	names   map[string]string          // DN in lower case → key
	named   map[string]bool            // since the stream was last caught up with
	cursor  ldap.Cursor
	ops     map[ldap.Op]int
	at      time.Time
	over    error // why Watch ended
}

func newReplica() *replica {
	return &replica{objects: map[string]ldap.Object{}, members: map[string]map[string]bool{}, names: map[string]string{}, named: map[string]bool{}, ops: map[ldap.Op]int{}}
}

func (m *replica) apply(changes []ldap.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = time.Now()
	for _, c := range changes {
		m.ops[c.Op]++
		if c.Cursor != "" {
			m.cursor = c.Cursor
		}
		switch c.Op {
		case ldap.OpUpsert:
			m.put(c.Object)
		case ldap.OpDelete:
			for _, k := range c.Keys {
				m.drop(k)
			}
		case ldap.OpPresent:
			for _, k := range c.Keys {
				m.named[k] = true
			}
		case ldap.OpMembers:
			if in := m.members[c.Object.Key]; in != nil {
				for _, k := range c.Remove {
					delete(in, k)
				}
				for _, k := range c.Add {
					in[k] = true
				}
			}
		case ldap.OpRefreshed:
			for k := range maps.Clone(m.objects) {
				if c.Whole && !m.named[k] {
					m.drop(k)
				}
			}
			clear(m.named)
		}
	}
	return nil
}

// watches follows from a cursor until it is ended, or the stream is: settles says so then.
func (m *replica) watches(t testing.TB, cl *ldap.Client, from ldap.Cursor) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := cl.Watch(ctx, from, m.apply)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.over = fmt.Errorf("Watch: %w", err)
	}()
	return func() {
		cancel()
		<-done
		if !errors.Is(m.over, context.Canceled) {
			t.Error(m.over)
		}
	}
}

func (m *replica) ended() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over
}

func (m *replica) put(o ldap.Object) {
	if old, ok := m.objects[o.Key]; ok && m.names[strings.ToLower(old.DN)] == o.Key {
		delete(m.names, strings.ToLower(old.DN))
	}
	m.objects[o.Key], m.names[strings.ToLower(o.DN)], m.named[o.Key] = o, o.Key, true
	for _, in := range m.members { // that waited for who has this name
		if name := "=" + strings.ToLower(o.DN); in[name] {
			delete(in, name)
			in[o.Key] = true
		}
	}
	if o.Class == ldap.ClassGroup {
		in := map[string]bool{}
		for _, dn := range o.Attrs["member"] {
			in[m.ref(dn)] = true
		}
		m.members[o.Key] = in
	}
}

// ref answers the key of the entry of this name, or the name where nobody has it.
func (m *replica) ref(dn string) string {
	if k, ok := m.names[strings.ToLower(dn)]; ok {
		return k
	}
	return "=" + strings.ToLower(dn)
}

func (m *replica) drop(key string) {
	if o, ok := m.objects[key]; ok && m.names[strings.ToLower(o.DN)] == key {
		delete(m.names, strings.ToLower(o.DN))
	}
	delete(m.objects, key)
	delete(m.members, key)
	for _, in := range m.members {
		delete(in, key)
	}
}

// text writes the replica down, so that two can be compared.
func (m *replica) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for k, o := range m.objects {
		attrs := maps.Clone(o.Attrs)
		delete(attrs, "member")
		delete(attrs, "manager") // of the other side of a reference nothing is told when this side gets another name
		for name := range attrs {
			attrs[name] = slices.Sorted(slices.Values(attrs[name]))
		}
		var in []string
		for member := range m.members[k] {
			if _, ok := m.objects[member]; ok {
				in = append(in, member)
			}
		}
		slices.Sort(in)
		lines = append(lines, fmt.Sprintf("%s %s %s %v %q %v", o.Class, k, strings.ToLower(o.DN), len(attrs), attrs, in))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// dump reads everything anew.
func dump(t testing.TB, cl *ldap.Client) string {
	t.Helper()
	m := newReplica()
	objects, proof, err := snapshot(t.Context(), cl)
	if err != nil || !proof.Complete() {
		t.Fatal(proof, err)
	}
	for _, o := range objects {
		m.put(o)
	}
	return m.text()
}

// differing answers the first lines that only one of two texts has.
func differing(a, b string) string {
	in := map[string]int{}
	for _, line := range strings.Split(a, "\n") {
		in[line]++
	}
	for _, line := range strings.Split(b, "\n") {
		in[line]--
	}
	var out []string
	for line, n := range in {
		if n != 0 {
			out = append(out, fmt.Sprintf("%+d %s", n, line))
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return fmt.Sprintf("%d lines differ\n%s", len(out), strings.Join(out[:min(len(out), 6)], "\n"))
}

// settles waits until the replica is what a reading finds.
func (m *replica) settles(t testing.TB, what string, cl *ldap.Client) {
	t.Helper()
	var want string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if want = dump(t, cl); m.text() == want {
			return
		}
		if err := m.ended(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	t.Fatalf("%s: the replica (+) is not what a reading finds (-): %s\n%v", what, differing(m.text(), want), m.ops)
}
