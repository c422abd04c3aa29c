package delivery

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/id"
)

var races = flag.Int("races", 0, "how many revocation races to run; 0: as many as fit into a few seconds")

// kinds are the readers that a revocation must beat.
const (
	quiet        = iota // takes everything at once
	slow                // takes nothing; its queue is full
	requests            // has answers under way over HTTP
	slowRequest         // has an answer under way that it does not take
	reconnecting        // opens streams and resumes all the time
	kinds
)

var kindNames = []string{"quiet reader", "slow reader with a full queue", "requests under way", "slow reader of an answer", "reconnecting reader"}

// outcome counts races and those that were lost: a byte of a message reached the reader after the revocation
// had returned.
type outcome struct {
	run, lost [kinds]atomic.Int64
	late      atomic.Int64 // writes of messages that began after the revocation had returned
	first     atomic.Pointer[string]
	gone      sync.Map // of those whose revocation has returned
}

// trace is told of each write of the server, at the moment before it.
func (o *outcome) trace(person id.Person, buf []byte) {
	if _, gone := o.gone.Load(person); gone && strings.Contains(string(buf), marker) {
		o.late.Add(1)
	}
}

// racer is one person whose access ends while a reader of some kind is at work.
type racer struct {
	w      *world
	kind   int
	person id.Person
	stop   chan struct{}
	wait   sync.WaitGroup

	mu    sync.Mutex
	peers []*peer
}

func (r *racer) add(p *peer, err error) *peer {
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers = append(r.peers, p)
	return p
}

// start begins to read in the way of the kind, and returns when that is under way.
func (r *racer) start() {
	w := r.w
	switch r.kind {
	case quiet:
		if p := r.add(stream(w.url, r.person, 0)); p != nil {
			p.send(resumeMain(w))
			go p.read()
			p.wait(w.t, marker)
		}
	case slow:
		if p := r.add(stream(w.url, r.person, 2048)); p != nil {
			p.send(resumeMain(w))
			eventually(w.t, func() bool {
				for _, c := range w.hub.of(r.person) {
					c.gate.Lock()
					n := c.queued
					c.gate.Unlock()
					return n > 0
				}
				return false
			}, func() string { return "the queue does not fill" })
		}
	case requests:
		r.ask("", 0)
	case slowRequest:
		r.ask(strings.Repeat("x", 50), 2048)
	case reconnecting:
		for range 2 {
			r.wait.Go(r.reconnect)
		}
	}
}

// ask has answers under way on two connections.
func (r *racer) ask(big string, receive int) {
	for range 2 {
		p := r.add(connect(r.w.url, receive))
		if p == nil {
			continue
		}
		if r.kind == requests {
			go p.read()
		}
		r.wait.Go(func() {
			for {
				if _, err := fmt.Fprintf(p.conn, "GET /history?channel=chn_main&big=%s HTTP/1.1\r\nHost: x\r\nX-Person: %s\r\n\r\n", big, r.person); err != nil {
					return
				}
				if r.kind == slowRequest {
					<-r.stop
					return
				}
				select {
				case <-r.stop:
					return
				case <-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond):
				}
			}
		})
	}
}

func (r *racer) reconnect() {
	for {
		select {
		case <-r.stop:
			return
		default:
		}
		if p := r.add(stream(r.w.url, r.person, 0)); p != nil {
			p.send(resumeMain(r.w))
			go p.read()
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			if rand.IntN(2) == 0 {
				p.conn.Close()
			}
		}
	}
}

// reached waits until what was on the wire has arrived, and answers how much each connection has then. A
// guard that lets more through never comes to rest.
func (r *racer) reached() (reached []int) {
	for last, still, rounds := -1, 0, 0; still < 3 && rounds < 20; rounds++ {
		time.Sleep(2 * time.Millisecond)
		reached = reached[:0]
		sum := 0
		r.mu.Lock()
		for _, p := range r.peers {
			reached = append(reached, p.reached())
			sum += reached[len(reached)-1]
		}
		r.mu.Unlock()
		if r.kind == reconnecting || sum == last {
			still++
		} else {
			still = 0
		}
		last = sum
	}
	return reached
}

// race runs one revocation against one reader of a kind. all: everything is taken away, else one channel.
func race(w *world, kind int, all bool, out *outcome) {
	r := &racer{w: w, kind: kind, person: id.New[id.Person](), stop: make(chan struct{})}
	w.gate.Let(main, chattest.Grant{Post: true}, r.person)
	defer w.gate.Remove(main, r.person)
	r.start()
	time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	if all {
		w.gate.Freeze(r.person)
	} else {
		w.gate.Remove(main, r.person)
	}
	// The revocation has returned. From here on no write of a message begins (trace sees that at the server), and
	// once what was on the wire has arrived, nothing more arrives.
	out.gone.Store(r.person, true)
	reached := r.reached()
	time.Sleep(time.Duration(1+rand.IntN(3)) * time.Millisecond) // those who reconnect go on trying
	close(r.stop)
	r.wait.Wait()
	if kind == slow || kind == slowRequest { // now it takes what there is
		for _, p := range r.peers {
			go p.read()
		}
	}
	patience := make(chan struct{})
	time.AfterFunc(15*time.Millisecond, func() { close(patience) })
	out.run[kind].Add(1)
	lost := false
	for i, p := range r.peers {
		select {
		case <-p.done:
		case <-patience:
		}
		p.conn.Close()
		<-p.done
		from := 0
		if i < len(reached) {
			from = min(reached[i], len(p.got))
		}
		late := p.got[from:]
		if at := strings.Index(string(late), marker); at >= 0 {
			lost = true
			text := fmt.Sprintf("%s (all=%v): %d bytes after the revocation, %.300q", kindNames[kind], all, len(late), late[max(0, at-120):])
			out.first.CompareAndSwap(nil, &text)
		}
	}
	if lost {
		out.lost[kind].Add(1)
	}
}

// runRaces runs races of the given kinds, eight at a time, while somebody writes without a pause.
func runRaces(w *world, total int, limit time.Duration, which ...int) *outcome {
	out := &outcome{}
	w.hub.trace = out.trace
	w.gate.Let(main, chattest.Grant{}, "per_writer")
	for range 5 {
		w.post(main, marker+strings.Repeat("a", 200))
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			e := w.post(main, fmt.Sprintf("%s %d %s", marker, i, strings.Repeat("a", 200)))
			<-w.hub.room(main).delivered(e.Seq)
			time.Sleep(200 * time.Microsecond)
		}
	})
	var next atomic.Int64
	var wait sync.WaitGroup
	end := time.Now().Add(limit)
	for range 8 {
		wait.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if total > 0 && n >= total || total == 0 && time.Now().After(end) {
					return
				}
				race(w, which[n%len(which)], n/len(which)%2 == 0, out)
			}
		})
	}
	wait.Wait()
	close(stop)
	writer.Wait()
	return out
}

// After the revocation's call has returned, no byte of a message moves, whatever the reader was doing.
//
// holds: CVE-2026-9162
// holds: CVE-2022-24751
// holds: known queue-flush
// holds: known replay
// holds: attack revocation-04
func TestRevocationRaces(t *testing.T) {
	w := newWorld(t, nil)
	out := runRaces(w, *races, 8*time.Second, quiet, slow, requests, slowRequest, reconnecting)
	for kind := range kinds {
		t.Logf("%-30s %6d races, %d lost", kindNames[kind], out.run[kind].Load(), out.lost[kind].Load())
		if out.run[kind].Load() < 5 {
			t.Errorf("%s: too few races to say anything", kindNames[kind])
		}
		if n := out.lost[kind].Load(); n > 0 {
			t.Errorf("%s: %d of %d races lost", kindNames[kind], n, out.run[kind].Load())
		}
	}
	if n := out.late.Load(); n > 0 {
		t.Errorf("%d writes began after the revocation had returned", n)
	}
	if first := out.first.Load(); first != nil {
		t.Errorf("first: %s", *first)
	}
}

// Each guard that is taken away makes the races red: the test above can see what it looks for.
func TestRacesSeeEachBrokenGuard(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault
		kind  int
	}{
		"writes do not ask":        {faultUnchecked, quiet},
		"connections are not cut":  {faultNoCut, slow},
		"closed in the usual way":  {faultNoReset, slow},
		"answers are not guarded":  {faultOpenExit, requests},
		"nobody is told to resume": {faultNoCut | faultUnchecked, quiet},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, c.fault)
			out := runRaces(w, 60, 0, c.kind)
			if out.lost[c.kind].Load()+out.late.Load() == 0 {
				t.Errorf("not seen in %d races", out.run[c.kind].Load())
			}
			t.Logf("%d of %d races lost, %d late writes", out.lost[c.kind].Load(), out.run[c.kind].Load(), out.late.Load())
		})
	}
}

// resumeMain is a resume from a few events back.
func resumeMain(w *world) string {
	_, head, _ := w.log.After(w.t.Context(), main, 0, 1)
	return fmt.Sprintf(`{"op":"resume","channels":{"chn_main":%d}}`, max(0, head-20))
}
