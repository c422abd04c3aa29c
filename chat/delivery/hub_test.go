package delivery

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/id"
)

func people(n int) []id.Person {
	out := make([]id.Person, n)
	for i := range out {
		out[i] = id.Person(fmt.Sprintf("per_%04d", i))
	}
	return out
}

// A thousand readers get every message in order; one who reads nothing costs the others nothing.
func TestThousandReceivers(t *testing.T) {
	w := newWorld(t, nil)
	all := people(1000)
	w.gate.Let(main, chattest.Grant{}, all...)
	peers := make([]*peer, len(all))
	for i, person := range all[:999] {
		peers[i] = w.join(person)
	}
	sleeper, err := stream(w.url, all[999], 2048)
	if err != nil {
		t.Fatal(err)
	}
	defer sleeper.conn.Close()
	sleeper.send(`{"op":"resume"}`)
	eventually(t, func() bool { return w.hub.Stats().Connections == 1000 }, func() string { return "all are there" })
	const messages = 400
	began := time.Now()
	for i := range messages {
		w.post(main, fmt.Sprintf("number %d. %s", i, strings.Repeat("x", 100)))
	}
	<-w.hub.room(main).delivered(messages)
	t.Logf("%d deliveries in %v", messages*1000, time.Since(began))
	for i, p := range peers[:999] {
		p.wait(t, fmt.Sprintf("number %d.", messages-1))
		text, at := p.text(), 0
		for n := range messages {
			next := strings.Index(text[at:], fmt.Sprintf(`"text":"number %d.`, n))
			if next < 0 {
				t.Fatalf("reader %d misses message %d or has it out of order", i, n)
			}
			at += next
		}
	}
}

// The queue is bounded; a reader who lets it overflow is told to resume once it reads again.
func TestOverflow(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.QueueBytes = 32 << 10 })
	w.gate.Let(main, chattest.Grant{}, "per_a")
	p, err := stream(w.url, "per_a", 2048)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	p.send(`{"op":"resume"}`)
	eventually(t, func() bool { return len(w.hub.of("per_a")) == 1 && w.hub.of("per_a")[0].lives() }, func() string { return "live" })
	for w.hub.Stats().Overflows == 0 {
		e := w.post(main, strings.Repeat("x", 300))
		<-w.hub.room(main).delivered(e.Seq)
	}
	go p.read()
	<-p.done
	text := p.text()
	_, frames, _ := strings.Cut(text, "\r\n\r\n")
	r := strings.NewReader(frames)
	last := int64(0)
	for {
		f, err := readFrame(r)
		if err != nil {
			t.Fatalf("the frames do not end with a close frame: %v", err)
		}
		if f.Header.OpCode == ws.OpClose {
			if code, _ := ws.ParseCloseFrameData(f.Payload); code != CodeResume {
				t.Fatalf("closed with %d", code)
			}
			return
		}
		var in struct {
			Op  string
			Seq int64
		}
		if err := json.Unmarshal(f.Payload, &in); err != nil {
			t.Fatal(err)
		}
		if in.Op == "event" {
			if in.Seq != last+1 {
				t.Fatalf("seq %d after %d", in.Seq, last)
			}
			last = in.Seq
		}
	}
}

func (c *conn) lives() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	return c.state == live
}

// Whoever is slow and never comes back is let go.
func TestOverflowOfTheDead(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.QueueBytes = 32 << 10 })
	w.gate.Let(main, chattest.Grant{}, "per_a")
	p, err := stream(w.url, "per_a", 2048)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	p.send(`{"op":"resume"}`)
	eventually(t, func() bool { return len(w.hub.of("per_a")) == 1 && w.hub.of("per_a")[0].lives() }, func() string { return "live" })
	for w.hub.Stats().Overflows == 0 {
		e := w.post(main, strings.Repeat("x", 300))
		<-w.hub.room(main).delivered(e.Seq)
	}
	eventually(t, func() bool { return w.hub.Stats().Connections == 0 }, func() string { return "still here" })
}

// A message is not delivered before the authorization it was written under is in force here.
func TestNewEnemy(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{}, "per_a", "per_b")
	a, b := w.join("per_a"), w.join("per_b")
	e := w.log.write(main, w.gate.Revision()+1, "written after the removal")
	w.hub.Publish(e)
	late := w.join("per_b") // a resume must wait as well
	late.send(`{"op":"resume","channels":{"chn_main":0}}`)
	time.Sleep(50 * time.Millisecond)
	if strings.Contains(a.text()+b.text()+late.text(), "after the removal") {
		t.Fatal("delivered under an older authorization")
	}
	w.gate.Remove(main, "per_a")
	b.wait(t, "after the removal")
	late.wait(t, "after the removal")
	eventually(t, func() bool { // told or reset; never the message
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.ended || strings.Contains(string(a.got), "channel.gone")
	}, func() string { return "neither told nor reset" })
	if strings.Contains(a.text(), "after the removal") {
		t.Fatal("delivered to who was removed before it was written")
	}
}

// Losing one channel leaves the others: it is told, and nothing of the lost one follows, of any kind.
func TestLosingOneChannel(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{Post: true}, "per_a", "per_b")
	w.gate.Let("chn_other", chattest.Grant{}, "per_a")
	w.gate.Let("chn_never", chattest.Grant{}, "per_b")
	a, b := w.join("per_a"), w.join("per_b")
	time.Sleep(60 * time.Millisecond) // the handshake is acknowledged: nothing is unsent
	w.gate.Remove(main, "per_a")
	w.gate.Remove("chn_never", "per_a")
	a.wait(t, `"channel.gone"`)
	w.post(main, marker)
	b.send(`{"op":"typing","channel":"chn_main"}`)
	b.wait(t, `"typing"`)
	w.log.writePerson("per_a", main)
	w.hub.NudgePerson("per_a")
	w.post("chn_other", "something else")
	a.wait(t, "something else")
	a.wait(t, `"hidden"`)
	if text := a.text(); strings.Contains(text, marker) || strings.Contains(text, "typing") || strings.Contains(text, "chn_never") || strings.Contains(text, "read.moved") {
		t.Fatalf("got %q", text)
	}
	a.send(`{"op":"resume","channels":{"chn_main":0,"chn_nowhere":0}}`)
	a.wait(t, `"channel":"chn_nowhere"`)
	if strings.Contains(a.text(), marker) {
		t.Fatal("a resume brought it back")
	}
	w.gate.Let(main, chattest.Grant{}, "per_a")
	w.post(main, "welcome back")
	a.wait(t, "welcome back")
}

// A grant that ends by the clock ends with the socket open and nobody calling.
//
// holds: known guest-expiry
func TestExpiryWithoutACall(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{Until: time.Now().Add(150 * time.Millisecond)}, "per_a")
	w.gate.Let(main, chattest.Grant{}, "per_b")
	a, b := w.join("per_a"), w.join("per_b")
	w.post(main, "before the end")
	a.wait(t, "before the end")
	time.Sleep(160 * time.Millisecond)
	w.post(main, "after the end")
	b.wait(t, "after the end")
	if strings.Contains(a.text(), "after the end") {
		t.Fatal("delivered after the end")
	}
}

// History that opens at joining hides what was before it, in a resume and in a batch.
func TestHistoryFrom(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		w.post(main, fmt.Sprintf("old %d", i))
	}
	time.Sleep(2 * time.Millisecond)
	w.gate.Let(main, chattest.Grant{From: time.Now()}, "per_a")
	w.post(main, "new")
	a := w.join("per_a")
	a.send(`{"op":"resume","channels":{"chn_main":2}}`)
	a.wait(t, `"new"`)
	if text := a.text(); strings.Contains(text, `"old`) || !strings.Contains(text, `"op":"reset","seq":5`) {
		t.Fatalf("got %q", text)
	}
}

func TestPersonLog(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{}, "per_a")
	one, two := w.join("per_a"), w.join("per_a")
	for range 20 {
		one.send(`{"op":"read","channel":"chn_main","seq":1}`)
	}
	one.wait(t, `"person_seq":20,`)
	two.wait(t, `"person_seq":20,`)
	three := w.join("per_a")
	three.send(`{"op":"resume","person_seq":4}`)
	three.wait(t, `"person_seq":20,"type"`)
	for _, p := range []*peer{one, two} {
		if n := strings.Count(p.text(), `"read.moved"`); n != 20 {
			t.Errorf("%d events", n)
		}
	}
	if n := strings.Count(three.text(), `"read.moved"`); n != 16 {
		t.Errorf("%d events after a resume from 4", n)
	}
	three.send(`{"op":"resume","person_seq":99}`)
	three.wait(t, `"op":"reset","person_seq":20`)
}

func TestServerSentEvents(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PingEvery = 200 * time.Millisecond })
	w.gate.Let(main, chattest.Grant{}, "per_a")
	w.post(main, "one")
	w.post(main, "two")
	p, err := connect(w.url, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.conn.Close()
	fmt.Fprintf(p.conn, "GET /events?cursor=chn_main:1&person_seq=0 HTTP/1.1\r\nHost: %s\r\nX-Person: per_a\r\nX-Token: tok\r\n\r\n", w.url)
	go p.read()
	p.wait(t, `"resumed"`)
	for i := range 10 {
		w.post(main, fmt.Sprintf("live %d", i))
	}
	p.wait(t, "live 9")
	p.wait(t, ": ping")
	text := p.text()
	if strings.Contains(text, `"one"`) || strings.Count(text, "\"two\"") != 1 || !strings.Contains(text, "text/event-stream") || !strings.Contains(text, "id: chn_main:12\ndata: {") {
		t.Fatalf("got %s", text)
	}
	w.gate.Freeze("per_a")
	<-p.done
	reached := len(p.got)
	w.post(main, marker)
	if len(p.got) != reached {
		t.Fatal("delivered to the frozen")
	}
}

// Handing events over in any order, or only a nudge, gives every reader the order of seq.
func TestOrderOfHandingOver(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{}, "per_a")
	a := w.join("per_a")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 50 {
				e := w.log.write(main, 1, "x")
				switch (i + n) % 3 {
				case 0:
					w.hub.Nudge(main, e.Seq)
				default:
					w.hub.Publish(e)
				}
			}
		})
	}
	wait.Wait()
	a.wait(t, `"seq":400,`)
	_, frames, _ := strings.Cut(a.text(), "\r\n\r\n")
	last := int64(0)
	for r := strings.NewReader(frames); r.Len() > 0; {
		f, err := readFrame(r)
		if err != nil {
			t.Fatal(err)
		}
		var in struct {
			Op  string
			Seq int64
		}
		if json.Unmarshal(f.Payload, &in); in.Op == "event" {
			if in.Seq != last+1 {
				t.Fatalf("seq %d after %d", in.Seq, last)
			}
			last = in.Seq
		}
	}
	w.hub.Nudge(main, 1<<40) // somebody lies: no harm
	w.post(main, "goes on")
	a.wait(t, "goes on")
}

func TestCloseSaysGoodbye(t *testing.T) {
	w := newWorld(t, nil)
	conn, r := w.dial(t, "per_a")
	eventually(t, func() bool { return w.hub.Stats().Connections == 1 }, func() string { return "is there" })
	go w.hub.Close()
	if code := closeCode(t, conn, r); code != ws.StatusGoingAway {
		t.Errorf("closed with %d", code)
	}
	if _, err := net.Dial("tcp", w.url); err != nil {
		t.Log(err)
	}
}
