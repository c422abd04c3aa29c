package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// client is one WebSocket library, driven as its documentation says.
type client interface {
	read() ([]byte, error)
	write(string) error
	close() error
}

type gorillaClient struct{ *gorilla.Conn }

func (c gorillaClient) read() ([]byte, error) { _, b, err := c.ReadMessage(); return b, err }
func (c gorillaClient) write(s string) error  { return c.WriteMessage(gorilla.TextMessage, []byte(s)) }
func (c gorillaClient) close() error {
	err := c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	for err == nil {
		_, _, err = c.ReadMessage()
	}
	c.Conn.Close()
	if !gorilla.IsCloseError(err, 1000) {
		return err
	}
	return nil
}

type coderClient struct{ *websocket.Conn }

func (c coderClient) read() ([]byte, error) {
	_, b, err := c.Read(context.Background())
	return b, err
}
func (c coderClient) write(s string) error {
	return c.Write(context.Background(), websocket.MessageText, []byte(s))
}
func (c coderClient) close() error { return c.Close(websocket.StatusNormalClosure, "") }

type gwsClient struct {
	gws.BuiltinEventHandler
	conn   *gws.Conn
	got    chan []byte
	closed chan error
}

func (c *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	c.got <- append([]byte(nil), m.Bytes()...)
	m.Close()
}
func (c *gwsClient) OnPing(conn *gws.Conn, payload []byte) { conn.WritePong(payload) }
func (c *gwsClient) OnClose(_ *gws.Conn, err error) {
	c.closed <- err
	close(c.got)
}
func (c *gwsClient) read() ([]byte, error) {
	b, ok := <-c.got
	if !ok {
		return nil, fmt.Errorf("closed: %w", <-c.closed)
	}
	return b, nil
}
func (c *gwsClient) write(s string) error { return c.conn.WriteString(s) }
func (c *gwsClient) close() error {
	c.conn.WriteClose(1000, nil)
	select {
	case <-c.closed:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("no close")
	}
}

func libraries(w *world, person id.Person) map[string]func() (client, error) {
	url, header := "ws://"+w.url+"/stream", http.Header{"X-Person": {string(person)}, "X-Token": {"tok"}}
	return map[string]func() (client, error){
		"gorilla": func() (client, error) {
			d := *gorilla.DefaultDialer
			d.EnableCompression = true
			conn, _, err := d.Dial(url, header)
			return gorillaClient{conn}, err
		},
		"coder": func() (client, error) {
			conn, _, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{HTTPHeader: header, CompressionMode: websocket.CompressionContextTakeover})
			if err == nil {
				conn.SetReadLimit(1 << 20)
			}
			return coderClient{conn}, err
		},
		"gws": func() (client, error) {
			c := &gwsClient{got: make(chan []byte, 10_000), closed: make(chan error, 1)}
			conn, _, err := gws.NewClient(c, &gws.ClientOption{Addr: url, RequestHeader: header, PermessageDeflate: gws.PermessageDeflate{Enabled: true}})
			if err != nil {
				return nil, err
			}
			c.conn = conn
			go conn.ReadLoop()
			return c, nil
		},
	}
}

// follower keeps the rules of the sync protocol and counts what breaks them.
type follower struct {
	last       int64
	texts      []string
	gaps, dups int
}

func (f *follower) take(data []byte) (op string, err error) {
	var in struct {
		Op   string
		Seq  int64
		Text string
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return "", err
	}
	switch {
	case in.Op == "reset":
		f.last = in.Seq
	case in.Op == "event" && in.Seq <= f.last:
		f.dups++
	case in.Op == "event" && in.Seq > f.last+1:
		f.gaps++
	case in.Op == "event":
		f.last = in.Seq
		f.texts = append(f.texts, in.Text)
	}
	return in.Op, nil
}

// Three libraries that know nothing of ours read, write, ping and say goodbye.
func TestInterop(t *testing.T) {
	w := newWorld(t, nil)
	w.gate.Let(main, chattest.Grant{Post: true}, "per_a")
	for name, dial := range libraries(w, "per_a") {
		t.Run(name, func(t *testing.T) {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			_, head, _ := w.log.After(t.Context(), main, 0, 1)
			f := &follower{last: head}
			if err := c.write(fmt.Sprintf(`{"op":"resume","channels":{"chn_main":%d}}`, head)); err != nil {
				t.Fatal(err)
			}
			sizes := []int{1, 100, 125, 126, 127, 1000, 65535, 65536, 200_000}
			for _, n := range sizes {
				if err := c.write(fmt.Sprintf(`{"op":"send","channel":"chn_main","text":"%s"}`, strings.Repeat("王", n/3))); err != nil {
					t.Fatal(err)
				}
			}
			sent := 0
			for len(f.texts) < len(sizes) || sent < len(sizes) {
				data, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				op, err := f.take(data)
				if err != nil {
					t.Fatal(err)
				}
				if op == "sent" {
					sent++
				}
			}
			for i, n := range sizes {
				if len([]rune(f.texts[i])) != n/3 {
					t.Errorf("text %d has %d runes", i, len([]rune(f.texts[i])))
				}
			}
			if f.gaps+f.dups > 0 {
				t.Errorf("%d gaps, %d duplicates", f.gaps, f.dups)
			}
			if err := c.close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	eventually(t, func() bool { return w.hub.Stats().Connections == 0 }, func() string { return "connections are left over" })
}

// Clients that lose their connection at random and resume see each message once, in order.
func TestResumeUnderDisconnects(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PerPerson, o.ResumeEvents = 1000, 5000 })
	w.gate.Let(main, chattest.Grant{Post: true}, "per_a")
	const messages = 3000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range messages {
			e := w.post(main, fmt.Sprint(i))
			if i%50 == 0 {
				<-w.hub.room(main).delivered(e.Seq)
				time.Sleep(time.Millisecond)
			}
		}
	}()
	results := make(chan error, 6)
	for name, dial := range libraries(w, "per_a") {
		for range 2 {
			go func() { results <- named(name, resumeUntil(messages, dial)) }()
		}
	}
	for range 6 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	<-done
}

func named(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func resumeUntil(messages int64, dial func() (client, error)) error {
	f := &follower{}
	reconnects := 0
	for f.last < messages {
		c, err := dial()
		if err != nil {
			return err
		}
		if err := c.write(fmt.Sprintf(`{"op":"resume","channels":{"chn_main":%d}}`, f.last)); err != nil {
			return err
		}
		for left := 1 + rand.IntN(400); f.last < messages && left > 0; left-- {
			data, err := c.read()
			if err != nil {
				return fmt.Errorf("after %d: %w", f.last, err)
			}
			if op, err := f.take(data); err != nil || op == "reset" {
				return fmt.Errorf("after %d: %s, %w", f.last, op, err)
			}
			if f.gaps+f.dups > 0 {
				return fmt.Errorf("%d gaps, %d duplicates after %d", f.gaps, f.dups, f.last)
			}
		}
		switch c := c.(type) { // away without a goodbye
		case gorillaClient:
			c.NetConn().Close()
		case coderClient:
			c.CloseNow()
		case *gwsClient:
			c.conn.NetConn().Close()
		}
		reconnects++
	}
	for i, text := range f.texts {
		if text != fmt.Sprint(i) {
			return fmt.Errorf("place %d holds %q", i, text)
		}
	}
	if reconnects < 5 {
		return fmt.Errorf("only %d reconnects", reconnects)
	}
	return nil
}

// Too much to resume is answered with reset at the head; what follows has no gap.
func TestReset(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.ResumeEvents = 100 })
	w.gate.Let(main, chattest.Grant{}, "per_a")
	for range 101 {
		w.log.write(main, 1, "x")
	}
	w.hub.Nudge(main, 101)
	<-w.hub.room(main).delivered(101)
	a := w.join("per_a")
	a.send(`{"op":"resume","channels":{"chn_main":0}}`)
	a.wait(t, `"op":"reset","seq":101`)
	b := w.join("per_a")
	b.send(`{"op":"resume","channels":{"chn_main":1}}`)
	b.wait(t, `"seq":101,`)
	c := w.join("per_a")
	c.send(`{"op":"resume","channels":{"chn_main":5000}}`)
	c.wait(t, `"op":"reset","seq":101`)
	w.post(main, "next")
	for _, p := range []*peer{a, b, c} {
		p.wait(t, "next")
	}
	if strings.Count(a.text(), `"op":"event"`) != 1 || strings.Count(b.text(), `"op":"event"`) != 101 {
		t.Errorf("%d and %d events", strings.Count(a.text(), `"op":"event"`), strings.Count(b.text(), `"op":"event"`))
	}
}
