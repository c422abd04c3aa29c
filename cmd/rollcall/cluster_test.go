package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// trio is three nodes on one PostgreSQL and one NATS server; the network between each of them and PostgreSQL can be cut.
type trio struct {
	testing.TB
	nodes [3]*crash
	noBus func()
	wires [3]*faulty
	port  int
	posts atomic.Int64
}

func newTrio(t testing.TB) *trio { return newTrioOn(t, dbtest.DSN(t, db.Postgres), 2*time.Second) }

func newTrioOn(t testing.TB, dsn string, lease time.Duration) *trio {
	return newTrioOf(t, "rollcall", dsn, lease)
}

func newTrioOf(t testing.TB, binary, dsn string, lease time.Duration) *trio {
	c := &trio{TB: t, port: freePort()}
	c.startNATS()
	server, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	postgres := server.Host
	var up sync.WaitGroup
	for i := range c.nodes {
		c.wires[i] = newFaulty(t, postgres)
		server.Host = c.wires[i].address
		c.nodes[i] = configuredCrash(t, server.String(), fmt.Sprintf("cluster: {bus: \"nats://127.0.0.1:%d\", node: n%d, lease: %s}\n", c.port, i, lease))
		c.nodes[i].binary = binary
		up.Go(c.nodes[i].start) // at once, on an empty database
	}
	up.Wait()
	for _, n := range c.nodes {
		c.awaitReady(n)
	}
	c.nodes[0].furnish()
	for _, n := range c.nodes[1:] {
		n.secret, n.channel = c.nodes[0].secret, c.nodes[0].channel
	}
	return c
}

func (c *trio) startNATS() {
	c.Helper()
	_, stop, err := bus.Embedded(fmt.Sprint("127.0.0.1:", c.port))
	if err != nil {
		c.Fatal(err)
	}
	c.noBus = sync.OnceFunc(stop)
	c.Cleanup(c.noBus)
}

func (c *trio) awaitReady(n *crash) {
	c.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if status, _, err := n.call("GET", "/readyz", "", ""); err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			n.stop(os.Kill)
			c.Fatalf("a node is not ready:\n%s", n.log.String())
		}
	}
}

// hire makes a person by SCIM on one node, with a token of their own.
func (c *trio) hire(n *crash, name string) (link, token string) {
	c.Helper()
	made := n.must("POST", "/scim/v2/Users", n.secret, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s","externalId":"E-%s","active":true,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`, name, name))
	for _, item := range n.must("GET", "/api/v1/people?q="+name, crashToken, "")["items"].([]any) {
		if item := item.(map[string]any); item["user_name"] == name {
			return made["id"].(string), n.must("POST", "/api/v1/people/"+item["id"].(string)+"/tokens", crashToken, `{"name":"test"}`)["token"].(string)
		}
	}
	c.Fatalf("%s is not there", name)
	return "", ""
}

// post writes a message on whichever node takes it, and answers its seq.
func (c *trio) post(first int, token, text string) int64 {
	c.Helper()
	number := c.posts.Add(1)
	for try, deadline := 0, time.Now().Add(time.Minute); time.Now().Before(deadline); try++ {
		n := c.nodes[(first+try)%3]
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // a frozen node never answers
		status, out, err := n.callCtx(ctx, "POST", "/api/v1/channels/"+n.channel+"/messages", token, fmt.Sprintf(`{"client_id":"%d","text":"%s"}`, number, text))
		cancel()
		if err == nil && status < 300 {
			seq, _ := out["seq"].(float64)
			return int64(seq)
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.Fatalf("no node takes %q", text)
	return 0
}

// hearer is a person's stream to one node. A lasting one comes back after each loss, from where it stood.
type hearer struct {
	n     *crash
	token string

	mu     sync.Mutex
	texts  []string
	last   int64
	faults []string
	live   chan struct{} // closed once it follows
	ended  chan struct{}
}

func (c *trio) listen(ctx context.Context, n *crash, token string, lasting bool) *hearer {
	e := &hearer{n: n, token: token, live: make(chan struct{}), ended: make(chan struct{})}
	_, found, _ := n.call("GET", "/api/v1/channels/"+n.channel+"/messages?limit=1", token, "")
	if items, _ := found["items"].([]any); len(items) > 0 {
		seq, _ := items[0].(map[string]any)["seq"].(float64)
		e.last = int64(seq)
	}
	go func() {
		defer close(e.ended)
		for first := true; ctx.Err() == nil && (first || lasting); first = false {
			e.follow(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	select {
	case <-e.live:
	case <-e.ended:
		c.Fatal("a stream ended before it began")
	case <-time.After(time.Minute):
		c.Fatal("a stream does not begin")
	}
	return e
}

func (e *hearer) follow(ctx context.Context) {
	conn, _, err := websocket.Dial(ctx, strings.Replace(e.n.url, "http", "ws", 1)+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + e.token}}})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	e.mu.Lock()
	resume := fmt.Sprintf(`{"op":"resume","channels":{"%s":%d}}`, e.n.channel, e.last)
	e.mu.Unlock()
	if err := conn.Write(ctx, websocket.MessageText, []byte(resume)); err != nil {
		return
	}
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if upTo := e.take(data); upTo > 0 && !e.missed(upTo) {
			return
		}
	}
}

// missed reads from the history what is too much to be told after a resume, as every client does.
func (e *hearer) missed(upTo int64) bool {
	for {
		e.mu.Lock()
		last := e.last
		e.mu.Unlock()
		if last >= upTo {
			return true
		}
		status, found, err := e.n.call("GET", fmt.Sprintf("/api/v1/channels/%s/messages?after=%d&limit=100", e.n.channel, last), e.token, "")
		if err != nil || status != http.StatusOK {
			return false // the stream comes back and asks again
		}
		items, _ := found["items"].([]any)
		e.mu.Lock()
		for _, item := range items {
			m, _ := item.(map[string]any)
			seq, _ := m["seq"].(float64)
			text, _ := m["text"].(string)
			e.hear(int64(seq), text)
		}
		if len(items) == 0 {
			e.faults = append(e.faults, fmt.Sprintf("reset to %d, and nothing after %d", upTo, last))
			e.last = upTo
		}
		e.mu.Unlock()
	}
}

// hear notes an event; without a text it is no message. The lock is held.
func (e *hearer) hear(seq int64, text string) {
	if seq <= e.last {
		return // told twice: dropped, as every client does
	}
	if seq != e.last+1 {
		e.faults = append(e.faults, fmt.Sprintf("%d after %d", seq, e.last))
	}
	if e.last = seq; text != "" {
		e.texts = append(e.texts, text)
	}
}

// take hears a frame. It answers up to where the history is to be read; 0: nothing is missing.
func (e *hearer) take(data []byte) (upTo int64) {
	var f struct {
		Op, Type, Channel string
		Seq               int64
		PersonSeq         int64 `json:"person_seq"`
		Message           struct{ Text string }
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := json.Unmarshal(data, &f); err != nil {
		e.faults = append(e.faults, err.Error())
		return 0
	}
	switch {
	case f.Op == "reset" && f.Channel == e.n.channel:
		return f.Seq
	case f.Op == "resumed":
		select {
		case <-e.live:
		default:
			close(e.live)
		}
	case f.Op == "event" && f.Channel == e.n.channel && f.PersonSeq == 0 && f.Seq > 0:
		e.hear(f.Seq, f.Message.Text)
	}
	return 0
}

func (e *hearer) heard(prefix string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range e.texts {
		if strings.HasPrefix(text, prefix) {
			n++
		}
	}
	return n
}

// settled answers how many messages were heard once none has come for a while: what is on its way has arrived.
func (e *hearer) settled() int {
	n := e.heard("")
	for quiet := 0; quiet < 10; quiet++ {
		time.Sleep(10 * time.Millisecond)
		if now := e.heard(""); now != n {
			n, quiet = now, 0
		}
	}
	return n
}

// Three nodes, messages that flow through all of them, and people who are offboarded on one while they listen on every one: whatever
// happens to a node or to the bus, nothing that is written after the call has returned reaches them, and whoever stays gets every message once
// and in order.
//
// holds: J15, J38, attack revocation-02, known partition
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	c := newTrio(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, writer := c.hire(c.nodes[0], "writer")
	_, reader := c.hire(c.nodes[1], "reader")
	var staying []*hearer
	for _, n := range c.nodes {
		staying = append(staying, c.listen(ctx, n, reader, true))
	}
	for round, trouble := range []string{"", "frozen node", "", "killed node", "no bus", "", "frozen node without bus", "cut off", "restarts"} {
		t.Run(fmt.Sprint(round, " ", trouble), func(t *testing.T) {
			c.offboard(ctx, t, round, trouble, writer)
		})
		if t.Failed() {
			break
		}
	}
	last := c.post(0, writer, "the end")
	for i, e := range staying {
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			e.mu.Lock()
			at, faults := e.last, e.faults
			e.mu.Unlock()
			if len(faults) > 0 {
				t.Fatalf("whoever stays on node %d: %v", i, faults)
			}
			if at >= last {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("whoever stays on node %d has %d of %d", i, at, last)
			}
		}
		if n := e.heard("after"); n != 9*30 {
			t.Errorf("whoever stays on node %d got %d of %d messages", i, n, 9*30)
		}
	}
	for i, n := range c.nodes {
		if strings.Contains(n.log.String(), "panic") {
			t.Errorf("node %d:\n%s", i, n.log.String())
		}
	}
}

// offboard lets somebody listen on every node and offboards them on one, with trouble on another.
func (c *trio) offboard(ctx context.Context, t *testing.T, round int, trouble, writer string) {
	here, there := c.nodes[round%2], c.nodes[2]
	link, token := c.hire(here, fmt.Sprint("leaver", round))
	var hearers []*hearer
	for _, n := range c.nodes {
		hearers = append(hearers, c.listen(ctx, n, token, false))
	}
	flow, stop := context.WithCancel(ctx)
	var flowing sync.WaitGroup
	flowing.Go(func() {
		for i := 0; flow.Err() == nil; i++ {
			c.post(i%2, writer, fmt.Sprint("before ", round))
		}
	})
	for _, e := range hearers {
		for began := time.Now(); e.heard("before") < 5; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal("no message arrives")
			}
		}
	}
	if strings.Contains(trouble, "bus") {
		c.noBus()
	}
	switch {
	case strings.HasPrefix(trouble, "frozen"):
		if err := there.server.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	case strings.HasPrefix(trouble, "killed"):
		there.stop(os.Kill)
	case trouble == "cut off":
		c.wires[2].cut()
	case trouble == "restarts":
		for _, n := range []*crash{c.nodes[1-round%2], there} {
			n.stop(os.Interrupt)
			n.start()
			c.awaitReady(n)
		}
	}
	began := time.Now()
	here.must("PATCH", "/scim/v2/Users/"+link, here.secret, patchBody(`{"op":"replace","path":"active","value":false}`))
	took := time.Since(began)
	frozen := hearers[2].settled()
	for i := range 30 {
		c.post(i%2, writer, fmt.Sprint("after ", round, " ", i))
	}
	if trouble == "cut off" {
		patience, cancel := context.WithTimeout(ctx, 20*time.Second)
		if status, _, err := there.callCtx(patience, "GET", "/api/v1/channels", writer, ""); err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("the node that is cut off answers %d, %v", status, err)
		}
		cancel()
		c.wires[2].heal()
	}
	if strings.HasPrefix(trouble, "frozen") {
		if err := there.server.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	flowing.Wait()
	if strings.HasPrefix(trouble, "killed") {
		there.start()
	}
	if strings.Contains(trouble, "bus") {
		c.startNATS()
	}
	c.awaitReady(there)
	for i, e := range hearers {
		select {
		case <-e.ended:
		case <-time.After(time.Minute):
			t.Errorf("the stream on node %d lives", i)
		}
		if n := e.heard(fmt.Sprint("after ", round)); n > 0 {
			t.Errorf("%d messages that were written after the call reached the leaver on node %d", n, i)
		}
	}
	if n := hearers[2].settled(); strings.HasPrefix(trouble, "frozen") && n != frozen {
		t.Errorf("the node that was frozen when the call returned wrote %d messages to the leaver when it went on", n-frozen)
	}
	for i, n := range c.nodes {
		if status, _, err := n.call("GET", "/api/v1/channels", token, ""); err != nil || status != http.StatusUnauthorized {
			t.Errorf("node %d answers the leaver %d, %v", i, status, err)
		}
	}
	t.Logf("the call took %s", took)
}

// What is ended on one node is ended on each: a token's streams are cut before the call returns.
func TestTokenEndsOnEveryNode(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	c := newTrio(t)
	_, writer := c.hire(c.nodes[0], "writer")
	for round := range 5 {
		made := c.nodes[0].must("POST", "/api/v1/me/tokens", writer, `{"name":"other"}`)
		token := made["token"].(string)
		var hearers []*hearer
		for _, n := range c.nodes {
			hearers = append(hearers, c.listen(t.Context(), n, token, false))
		}
		c.nodes[round%3].must("DELETE", "/api/v1/me/tokens/"+made["info"].(map[string]any)["id"].(string), writer, "")
		c.post(round, writer, "after")
		for i, e := range hearers {
			select {
			case <-e.ended:
			case <-time.After(time.Minute):
				t.Errorf("the stream on node %d lives", i)
			}
			if e.heard("after") > 0 {
				t.Errorf("node %d wrote to a token that had ended", i)
			}
		}
	}
}

// A second process of a node's name, and one that knows of no others, are refused.
func TestStrangersAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	c := newTrio(t)
	text, err := os.ReadFile(c.nodes[0].config)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), strings.TrimPrefix(c.nodes[0].url, "http://"), fmt.Sprintf("127.0.0.1:%d", freePort()), 1)
	for name, config := range map[string]string{
		"another process runs under this node's name": other,
		"in use": other[:strings.Index(other, "cluster:")],
	} {
		n := configuredCrash(t, "", "")
		if err := os.WriteFile(n.config, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		n.start()
		done := make(chan error, 1)
		go func() { done <- n.server.Wait() }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(n.log.String(), name) {
				t.Errorf("%s: %v\n%s", name, err, n.log.String())
			}
			n.server = nil
		case <-time.After(time.Minute):
			t.Errorf("%s: it runs", name)
		}
	}
}
