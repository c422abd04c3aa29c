package drill

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/rollcall-im/rollcall/internal/id"
)

// The texts of the messages of a drill: what was written before the return of the offboarding, or while it returned, and what was begun after it.
const (
	textBefore = "before"
	textAfter  = "after"
)

// ear is one stream of one person to one node, over the network.
type ear struct {
	client  *http.Client
	base    string // of the node
	token   string
	channel id.Channel
	live    chan struct{} // closed when it follows
	over    chan struct{} // closed when it has ended
	stop    context.CancelFunc

	mu    sync.Mutex
	heard int
	late  int
	ended time.Time
}

const maxFrame = 1 << 20

func newEar(client *http.Client, n Node, token string, channel id.Channel) *ear {
	return &ear{client: client, base: strings.TrimRight(n.URL, "/"), token: token, channel: channel, live: make(chan struct{}), over: make(chan struct{})}
}

// begin follows in the background and returns when the node has said that it does.
func (e *ear) begin(ctx context.Context, way Way) error {
	ctx, e.stop = context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		defer close(e.over)
		var err error
		if way == WebSocket {
			err = e.webSocket(ctx)
		} else {
			err = e.events(ctx)
		}
		e.mu.Lock()
		e.ended = time.Now()
		e.mu.Unlock()
		failed <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-e.live:
		return nil
	case err := <-failed:
		return fmt.Errorf("%s: %w", way, err)
	case <-timer.C:
		e.stop()
		return fmt.Errorf("%s: nothing came for %s", way, patience)
	}
}

func (e *ear) webSocket(ctx context.Context) error {
	conn, _, err := websocket.Dial(ctx, e.base+"/api/v1/stream", &websocket.DialOptions{HTTPClient: e.client, HTTPHeader: http.Header{"Authorization": {"Bearer " + e.token}}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	resume, err := json.Marshal(map[string]any{"op": "resume", "channels": map[id.Channel]int64{e.channel: 0}})
	if err != nil {
		return err
	}
	if err := conn.Write(ctx, websocket.MessageText, resume); err != nil {
		return err
	}
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		e.take(frame)
	}
}

func (e *ear) events(ctx context.Context) error {
	res, err := e.get(ctx, "/api/v1/events?cursor="+url.QueryEscape(string(e.channel)+":0"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %d", res.StatusCode)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxFrame)
	for lines.Scan() {
		if frame, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			e.take(frame)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (e *ear) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	return e.client.Do(r)
}

func (e *ear) take(frame []byte) {
	var f struct {
		Op, Type, Channel string
		Message           struct{ Text string }
	}
	if json.Unmarshal(frame, &f) != nil {
		return
	}
	if f.Op == "resumed" {
		select {
		case <-e.live:
		default:
			close(e.live)
		}
	}
	if f.Type != "message.created" || f.Channel != string(e.channel) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard++
	if f.Message.Text == textAfter {
		e.late++
	}
}

func (e *ear) counts() (heard, late int, ended time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard, e.late, e.ended
}

// tries answers by which ways the node still lets somebody in.
func (e *ear) tries(ctx context.Context) (open []Way, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, door := range []struct {
		way  Way
		path string
	}{{History, "/api/v1/channels/" + string(e.channel) + "/messages?limit=1"}, {Events, "/api/v1/events"}} {
		res, err := e.get(ctx, door.path)
		if err != nil {
			return open, err
		}
		res.Body.Close()
		if res.StatusCode < 400 {
			open = append(open, door.way)
		}
	}
	conn, res, err := websocket.Dial(ctx, e.base+"/api/v1/stream", &websocket.DialOptions{HTTPClient: e.client, HTTPHeader: http.Header{"Authorization": {"Bearer " + e.token}}})
	switch {
	case err == nil:
		conn.CloseNow()
		return append(open, WebSocket), nil
	case res == nil:
		return open, err
	}
	return open, nil
}
