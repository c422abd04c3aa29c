package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/internal/db"
)

// listening tells a process of receivers what to open: a WebSocket of a server for each token.
type listening struct {
	Address string
	Tokens  []string
	Resume  string // sent once each socket is open; empty: nothing is
}

// arrivals is what the receivers of a process got since they were last asked.
type arrivals struct {
	Messages int64
	P50, P99 time.Duration // from the instant that a message bears
}

// receive is a process of receivers. It opens what the first line of its input says, says "ready", and answers each further line, a number, with
// arrivals, as soon as so many messages have come in since the last answer.
func receive() {
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	in.Buffer(nil, 1<<20)
	in.Scan()
	var what listening
	if err := json.Unmarshal(in.Bytes(), &what); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitError)
	}
	var heard atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	for _, token := range what.Tokens {
		conn, err := net.Dial("tcp", what.Address)
		if err == nil {
			_, err = fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", what.Address, token)
		}
		r := bufio.NewReader(conn)
		for line := ""; err == nil && line != "\r\n"; {
			line, err = r.ReadString('\n')
		}
		if err == nil && what.Resume != "" {
			conn.Write(masked(what.Resume))
			for payload := []byte(nil); err == nil && !bytes.Contains(payload, []byte(`"resumed"`)); {
				payload, err = payloadOf(r)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitError)
		}
		go func() {
			for {
				payload, err := payloadOf(r)
				if err != nil {
					return
				}
				now := time.Now().UnixNano()
				var mine []time.Duration
				for rest := payload; ; {
					_, after, found := bytes.Cut(rest, []byte(`"text":"n=`))
					digits, more, ended := bytes.Cut(after, []byte(";"))
					if !found || !ended {
						break
					}
					if at, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
						mine = append(mine, time.Duration(now-at))
					}
					rest = more
				}
				mu.Lock()
				took = append(took, mine...)
				mu.Unlock()
				heard.Add(int64(len(mine)))
			}
		}()
	}
	fmt.Println(`"ready"`)
	for in.Scan() {
		want, err := strconv.ParseInt(in.Text(), 10, 64)
		if err != nil {
			return
		}
		for end := time.Now().Add(30 * time.Second); heard.Load() < want && time.Now().Before(end); {
			time.Sleep(20 * time.Microsecond)
		}
		mu.Lock()
		is := arrivals{Messages: heard.Swap(0)}
		if len(took) > 0 {
			slices.Sort(took)
			is.P50, is.P99 = took[len(took)/2], took[len(took)*99/100]
		}
		took = took[:0]
		mu.Unlock()
		out.Encode(is)
	}
}

// payloadOf reads one frame.
func payloadOf(r io.Reader) ([]byte, error) {
	header, err := ws.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, header.Length)
	_, err = io.ReadFull(r, payload)
	return payload, err
}

// audience is a process of receivers as a benchmark sees it.
type audience struct {
	b     *testing.B
	in    io.Writer
	out   *json.Decoder
	count int
	post  func(text string)
}

func newAudience(b *testing.B, what listening, post func(text string)) *audience {
	b.Helper()
	run := exec.Command("receivers")
	run.Stderr = os.Stderr
	in, err := run.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := run.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := run.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); run.Wait() })
	a := &audience{b: b, in: in, out: json.NewDecoder(out), count: len(what.Tokens), post: post}
	if err := json.NewEncoder(in).Encode(what); err != nil {
		b.Fatal(err)
	}
	var ready string
	if err := a.out.Decode(&ready); err != nil || ready != "ready" {
		b.Fatalf("the receivers did not come up: %v", err)
	}
	return a
}

// got waits until everybody has so many messages more.
func (a *audience) got(messages int) (is arrivals) {
	a.b.Helper()
	fmt.Fprintln(a.in, messages*a.count)
	if err := a.out.Decode(&is); err != nil {
		a.b.Fatal(err)
	}
	if want := int64(messages * a.count); is.Messages != want {
		a.b.Fatalf("%d of %d deliveries", is.Messages, want)
	}
	return is
}

// say posts one message of 200 bytes that bears the time.
func (a *audience) say() {
	text := fmt.Sprintf("n=%d;", time.Now().UnixNano())
	a.post(text + strings.Repeat("x", 200-len(text)))
}

// alone posts so many messages, each once everybody has the one before.
func (a *audience) alone(messages int) {
	for range messages {
		a.say()
		a.got(1)
	}
}

// together posts so many, 16 at a time, each 16 once everybody has those before.
func (a *audience) together(messages int) {
	for range messages / 16 {
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(a.say)
		}
		wait.Wait()
		a.got(16)
	}
}

// paced posts so many, five a second.
func (a *audience) paced(messages int) arrivals {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for range messages {
		<-tick.C
		a.say()
	}
	return a.got(messages)
}

// bare is the least that a server of messages can be: whatever is posted goes to every socket, one write each. It keeps nothing and asks nobody.
type bare struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (s *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns = append(s.conns, conn)
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	frame, err := ws.CompileFrame(ws.NewTextFrame(text))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Write(frame)
	}
}

// BenchmarkBroadcast is the whole server, with its database, its check at each delivery and its index, and in turns with it, in the same run, a bare one, to 1,000 receivers in
// processes of their own: deliveries a second, one message at a time and 16 in flight, and how long a message takes to a receiver at five a second.
func BenchmarkBroadcast(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			const receivers = 1000
			s := newBench(b, engine)
			tokens := make([]string, receivers)
			for n := range receivers {
				s.hire(n)
				_, tokens[n] = s.person(fmt.Sprint("u", n))
			}
			address := strings.TrimPrefix(s.url, "http://")
			var number atomic.Int64
			whole := newAudience(b, listening{address, tokens, fmt.Sprintf(`{"op":"resume","channels":{"%s":0}}`, s.channel)}, func(text string) {
				s.call("POST", "/api/v1/channels/"+s.channel+"/messages", tokens[0], fmt.Sprintf(`{"client_id":"%d","kind":"text","text":"%s"}`, number.Add(1), text))
			})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{Handler: &bare{}}
			go server.Serve(listener)
			b.Cleanup(func() { server.Close() })
			floor := newAudience(b, listening{listener.Addr().String(), tokens, ""}, func(text string) {
				answer, err := http.Post("http://"+listener.Addr().String()+"/", "application/json", strings.NewReader(`{"op":"event","message":{"text":"`+text+`"}}`))
				if err != nil {
					b.Error(err)
					return
				}
				answer.Body.Close()
			})
			sides := []*audience{whole, floor}
			var took [2][2]time.Duration // alone and together, of each side
			var at [2][2][]time.Duration // p50 and p99
			for b.Loop() {
				for turn := range 6 {
					for i := range sides {
						side := (turn + i) % 2
						begin := time.Now()
						sides[side].alone(20)
						took[side][0] += time.Since(begin)
						begin = time.Now()
						sides[side].together(160)
						took[side][1] += time.Since(begin)
						is := sides[side].paced(15)
						at[side][0], at[side][1] = append(at[side][0], is.P50), append(at[side][1], is.P99)
					}
				}
			}
			turns := float64(len(at[0][0]))
			rate := func(side, way, messages int) float64 {
				return turns * float64(messages*receivers) / took[side][way].Seconds()
			}
			b.ReportMetric(rate(0, 0, 20), "alone/s")
			b.ReportMetric(rate(0, 0, 20)/rate(1, 0, 20), "alone/bare")
			b.ReportMetric(rate(0, 1, 160), "flight16/s")
			b.ReportMetric(rate(0, 1, 160)/rate(1, 1, 160), "flight16/bare")
			middle := func(list []time.Duration) time.Duration {
				slices.Sort(list)
				return list[len(list)/2]
			}
			for i, name := range []string{"p50", "p99"} {
				is, bare := middle(at[0][i]), middle(at[1][i])
				b.ReportMetric(float64(is.Microseconds())/1000, name+"-ms")
				b.ReportMetric(float64(is)/float64(bare), name+"/bare")
			}
		})
	}
}
