package chat

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ungated are the frames that tell nothing of what is in a channel: what stands in one is said to whoever asks.
var ungated = map[string]string{
	"hello": "of the stream", "pong": "of the stream", "resumed": "of the stream", "error": "what the client said itself", "reset.person": "a number of their own log",
	"channel.gone": "that there is no such channel for them", "event.channel.left": "that they left it", "event.hidden": "that there is something, and not what",
}

// bare are the members that such a frame may have.
var bare = []string{"op", "type", "at", "channel", "person_seq", "connection", "code", "detail", "for", "client_id"}

// provoked is a leaver's stream, and how to have frames about a channel said to it.
type provoked struct {
	t      *testing.T
	h      *house
	leaver string
	n      int // of what was provoked, so that each is something new
	s      *clientStream
	opened int                                  // streams of server-sent events, whose frames come together
	resume func(personSeq string, cursor int64) // asks for everything of the person's log, and for the channel after cursor
}

func (p *provoked) move(person string, joined bool) {
	p.t.Helper()
	if err := p.h.db.Tx(p.t.Context(), func(tx *db.Tx) error {
		return p.h.chat.RecordMemberships(tx, []Move{{Channel: general, Person: id.Person(person), Joined: joined}})
	}); err != nil {
		p.t.Fatal(err)
	}
}

// gated are the other frames, each with what has it said about the channel.
var gated = map[string]func(p *provoked){
	"event.message.created": func(p *provoked) {
		p.h.post("per_a", general, fmt.Sprintf("for %s: %d", p.leaver, p.n))
		p.resume("", 0)
	},
	"event.member.joined": func(p *provoked) { p.move(fmt.Sprint(p.leaver, "-", p.n), true) },
	"event.member.left": func(p *provoked) {
		p.move(fmt.Sprint(p.leaver, "-", p.n), true)
		p.move(fmt.Sprint(p.leaver, "-", p.n), false)
	},
	"event.typing": func(p *provoked) { p.h.chat.Hub().Typing(general, "per_a") },
	"event.read.moved": func(p *provoked) {
		m := p.h.post("per_a", general, fmt.Sprintf("read by %s: %d", p.leaver, p.n))
		_, _ = p.h.chat.MarkRead(p.t.Context(), id.Person(p.leaver), general, m.Seq) // refused once they have left
		p.resume("0", 0)
	},
	"event.channel.joined": func(p *provoked) {
		if p.n == 0 {
			p.move(p.leaver, true)
		}
		p.resume("0", 0)
	},
	"sent": func(p *provoked) {
		p.s.send(p.t, fmt.Sprintf(`{"op":"send","channel":%q,"client_id":"%s-%d","text":"x"}`, general, p.leaver, p.n))
	},
	"reset.channel": func(p *provoked) { p.resume("", 1<<40) },
}

// Every frame that the stream can say, by the document that a test holds to the code, tells of a channel only to who may view it at that moment: each is
// had said to somebody, then they lose the channel and keep another, and then each is to be said again. A new frame wants a line here.
//
// holds: known every-event
func TestEveryEventPassesTheGate(t *testing.T) {
	doc := readDocument(t)
	for _, name := range doc.way("stream", "send") {
		switch _, known := gated[name]; {
		case known == (ungated[name] != ""):
			t.Errorf("%s wants a line in one of gated and ungated", name)
		case !known:
			for _, example := range doc.Components.Messages[name].Examples {
				var members map[string]any
				if err := json.Unmarshal(example.Payload, &members); err != nil {
					t.Fatal(err)
				}
				for member := range members {
					if !slices.Contains(bare, member) && !(name == "reset.person" && member == "seq") {
						t.Errorf("%s tells %q, and passes no gate", name, member)
					}
				}
			}
		}
	}
	h := newHouse(t, dbtest.SQLite(t), nil)
	h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
	h.gate.Let("chn_quiet", chattest.Grant{Post: true}, "per_a")
	for transport, listed := range map[string][]string{"stream": doc.way("stream", "send"), "events": doc.way("events", "send")} {
		for name, provoke := range gated {
			if !slices.Contains(listed, name) {
				continue
			}
			t.Run(transport+"/"+name, func(t *testing.T) {
				p := &provoked{t: t, h: h, leaver: "per_" + transport + strings.ReplaceAll(name, ".", "_")}
				h.gate.Let(general, chattest.Grant{Post: true}, id.Person(p.leaver))
				h.gate.Let("chn_quiet", chattest.Grant{}, id.Person(p.leaver))
				if transport == "stream" {
					p.s = openStream(t, h, p.leaver, `{"op":"resume"}`)
					p.resume = func(personSeq string, cursor int64) {
						own := ""
						if personSeq != "" {
							own = `"person_seq":` + personSeq + `,`
						}
						p.s.send(t, fmt.Sprintf(`{"op":"resume",%s"channels":{%q:%d}}`, own, general, cursor))
					}
				} else {
					p.s = &clientStream{frames: make(chan clientFrame, 10_000)}
					openEvents(t, h, p, "")
					p.resume = func(personSeq string, cursor int64) {
						openEvents(t, h, p, fmt.Sprintf("?person_seq=%s&cursor=%s:%d", personSeq, general, cursor))
					}
				}
				p.s.event(t, "resumed")
				frame := func(f clientFrame) string { return doc.name(t, listed, f.raw, map[string]bool{}) }
				provoke(p)
				for { // it is said, and about the channel
					f := p.s.next(t)
					if f.Op == "closed" {
						t.Fatal("closed")
					}
					if frame(f) == name && strings.Contains(string(f.raw), string(general)) {
						break
					}
				}
				before := p.opened
				h.gate.Remove(general, id.Person(p.leaver))
				for range 2 {
					p.n++
					provoke(p)
				}
				mark := "the mark for " + p.leaver
				h.post("per_a", "chn_quiet", mark)
				gone := map[int]bool{}
				for marks := 0; marks < max(p.opened, 1); {
					f := p.s.next(t)
					said, about := frame(f), strings.Contains(string(f.raw), string(general))
					switch {
					case f.Op == "closed":
						t.Fatal("closed")
					case strings.Contains(string(f.raw), mark):
						marks++
					case about && said == "channel.gone":
						gone[f.stream] = true
					case about && gated[said] != nil && (gone[f.stream] || f.stream > before):
						t.Errorf("after they left the channel: %s", f.raw)
					}
				}
				for stream := min(before, 1); stream <= before; stream++ {
					if !gone[stream] {
						t.Errorf("stream %d was not told that the channel is gone", stream)
					}
				}
			})
		}
	}
}

// openEvents reads server-sent events into p's frames.
func openEvents(t *testing.T, h *house, p *provoked, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", h.url+"/api/v1/events"+strings.Replace(query, "person_seq=&", "", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Person", p.leaver)
	r.Header.Set("Authorization", "tok")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(err, answer)
	}
	p.opened++
	number, ready := p.opened, make(chan struct{})
	go func() {
		defer answer.Body.Close()
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				f := clientFrame{raw: []byte(data), stream: number}
				if json.Unmarshal(f.raw, &f) == nil {
					p.s.frames <- f
				}
				if f.Op == "resumed" {
					close(ready)
				}
			}
		}
	}()
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("the events do not begin")
	}
}
