package delivery

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/chat/chattest"
)

// A node that has lost touch says nothing to anybody, not even that a channel is gone; who was here comes back and misses nothing.
func TestStaleNode(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{}, "per_a", "per_b")
	a, b := w.join("per_a"), w.join("per_b")
	first := w.post(main, "before")
	a.wait(t, "before")
	b.wait(t, "before")
	w.gate.Stale.Store(true)
	w.post(main, "meanwhile")
	w.log.writePerson("per_a", main)
	w.hub.NudgePerson("per_a")
	w.gate.Remove(main, "per_b")
	b.send(`{"op":"resume","channels":{"chn_main":0}}`)
	for _, path := range []string{"/stream", "/events", "/history?channel=chn_main"} {
		r, err := http.NewRequest("GET", "http://"+w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Person", "per_a")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	w.hub.EndAll()
	w.gate.Stale.Store(false)
	for name, p := range map[string]*peer{"a": a, "b": b} {
		eventually(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.ended }, func() string { return name + " is not cut" })
		if text := p.text(); strings.Contains(text, "meanwhile") || strings.Contains(text, "gone") || strings.Contains(text, "read.moved") {
			t.Errorf("%s was told %q", name, text)
		}
	}
	again := w.join("per_a")
	again.send(fmt.Sprintf(`{"op":"resume","channels":{"chn_main":%d}}`, first.Seq))
	again.wait(t, "meanwhile")
}
