package bus_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-im/rollcall/internal/bus"
)

func natsServer(t *testing.T, address string) (url string, stop func()) {
	t.Helper()
	url, stop, err := bus.Embedded(address)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(stop)
	t.Cleanup(stop)
	return url, stop
}

func connect(t *testing.T, url, deployment, node string) *bus.NATS {
	t.Helper()
	b, err := bus.Connect(bus.Options{URL: url, Deployment: deployment, Node: node, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func got(t *testing.T, ch chan string, want string) {
	t.Helper()
	select {
	case text := <-ch:
		if text != want {
			t.Fatalf("got %q, want %q", text, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing came, want %q", want)
	}
}

// Every bus keeps the order of one sender, tells all subscribers of a subject, the sender's own included, and nobody after stop.
func TestBus(t *testing.T) {
	for name, pair := range map[string]func(t *testing.T) (one, other bus.Bus){
		"in process": func(*testing.T) (bus.Bus, bus.Bus) { b := bus.NewInProcess(); return b, b },
		"nats": func(t *testing.T) (bus.Bus, bus.Bus) {
			url, _ := natsServer(t, "127.0.0.1:0")
			return connect(t, url, "test", "a"), connect(t, url, "test", "b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, other := pair(t)
			mine, theirs, elsewhere := make(chan string, 2000), make(chan string, 2000), make(chan string, 10)
			listen := func(b bus.Bus, subject bus.Subject, ch chan string) func() {
				stop, err := b.Subscribe(subject, func(data []byte) { ch <- string(data) })
				if err != nil {
					t.Fatal(err)
				}
				return stop
			}
			listen(one, "a.b", mine)
			stop := listen(other, "a.b", theirs)
			listen(other, "a.c", elsewhere)
			for began := time.Now(); len(theirs) == 0; time.Sleep(time.Millisecond) { // until the subscription has come to the server
				one.Publish("a.b", []byte("first"))
				if time.Since(began) > 20*time.Second {
					t.Fatal("nothing comes")
				}
			}
			for i := range 500 {
				if err := one.Publish("a.b", fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			for _, ch := range []chan string{mine, theirs} {
				text := "first"
				for text == "first" {
					text = <-ch
				}
				for i := range 500 {
					if i > 0 {
						text = <-ch
					}
					if text != fmt.Sprint(i) {
						t.Fatalf("got %q, want %d", text, i)
					}
				}
			}
			if len(elsewhere) > 0 {
				t.Errorf("another subject was told %q", <-elsewhere)
			}
			stop()
			one.Publish("a.b", []byte("after"))
			got(t, mine, "after")
			one.Publish("a.c", []byte("last"))
			got(t, elsewhere, "last")
			if len(theirs) > 0 {
				t.Errorf("after stop came %q", <-theirs)
			}
		})
	}
}

// A bus whose server is away neither fails nor waits; when it is back it tells so, and the subscriptions stand. Deployments do not hear each other.
func TestServerComesBack(t *testing.T) {
	url, stop := natsServer(t, "127.0.0.1:0")
	one, stranger := connect(t, url, "one", "a"), connect(t, url, "two", "a")
	heard, strange, back := make(chan string, 2000), make(chan string, 10), make(chan string, 10)
	for b, ch := range map[*bus.NATS]chan string{one: heard, stranger: strange} {
		if _, err := b.Subscribe("x", func(data []byte) { ch <- string(data) }); err != nil {
			t.Fatal(err)
		}
	}
	one.Returned(func() { back <- "back" })
	one.Publish("x", []byte("1"))
	got(t, heard, "1")
	stop()
	for one.Connected() {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := one.Publish("x", []byte("lost")); err != nil || time.Since(began) > 10*time.Second {
		t.Fatalf("publishing without a server: %v after %s", err, time.Since(began))
	}
	natsServer(t, strings.TrimPrefix(url, "nats://"))
	got(t, back, "back")
	one.Publish("x", []byte("2"))
	got(t, heard, "2")
	if len(strange) > 0 {
		t.Errorf("another deployment heard %q", <-strange)
	}
}

// While nodes of two versions are on one bus, a notice that is written in another format is not misread: it comes as something that was said, in the
// order of the others. What nodes say that know of no formats is of the first; and they read the first as ever.
func TestFormats(t *testing.T) {
	url, _ := natsServer(t, "127.0.0.1:0")
	older, newer := connect(t, url, "test", "a"), connect(t, url, "test", "b")
	heard := func(b *bus.NATS, subject bus.Subject) chan string {
		ch := make(chan string, 10)
		if _, err := b.Subscribe(subject, func(data []byte) { ch <- fmt.Sprintf("%q", data) }); err != nil {
			t.Fatal(err)
		}
		return ch
	}
	one, two := heard(older, "x/1"), heard(newer, "x/2")
	raw, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	ancient := make(chan string, 10)
	if _, err := raw.Subscribe("rollcall.test.x", func(m *nats.Msg) { ancient <- fmt.Sprintf("%q", m.Data) }); err != nil {
		t.Fatal(err)
	}
	for i, b := range []*bus.NATS{older, newer} { // its subscription is there once it hears itself on a later one
		self, ready := bus.Subject(fmt.Sprint("self", i)), make(chan string, 1)
		if _, err := b.Subscribe(self, func([]byte) { ready <- "" }); err != nil {
			t.Fatal(err)
		}
		if err := b.Publish(self, nil); err != nil {
			t.Fatal(err)
		}
		got(t, ready, "")
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	say := func(publish func() error, first, second, third string) {
		t.Helper()
		if err := publish(); err != nil {
			t.Fatal(err)
		}
		got(t, one, first)
		got(t, two, second)
		got(t, ancient, third)
	}
	say(func() error { return older.Publish("x/1", []byte("of the first")) }, `"of the first"`, `""`, `"of the first"`)
	say(func() error { return newer.Publish("x/2", []byte("of the second")) }, `""`, `"of the second"`, `"of the second"`)
	say(func() error { return raw.Publish("rollcall.test.x", []byte("of no format")) }, `"of no format"`, `""`, `"of no format"`)
	say(func() error { return older.Publish("x", []byte("again")) }, `"again"`, `""`, `"again"`)
}
