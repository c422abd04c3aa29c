package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

var soaking = flag.Duration("soak", 0, "how long TestSoak loads a server on each database; 0: not at all")

// steady are the figures of a server that have to stay as they are under a load that stays as it is, and how much they may sway besides a quarter.
var steady = map[string]float64{"go_goroutines": 50, "process_open_fds": 50, "go_memstats_heap_inuse_bytes": 16 << 20, "process_resident_memory_bytes": 32 << 20}

// A server under load: people write, listen, come and go with their streams, read what was, are hired and offboarded. What it needs in the last quarter of
// the time it needed in the second.
func TestSoak(t *testing.T) {
	if *soaking == 0 {
		t.Skip("make soak runs it")
	}
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			c := newCrash(t, dbtest.DSN(t, engine))
			trio := &trio{TB: t}
			var tokens []string
			for i := range 8 {
				_, token := trio.hire(c, fmt.Sprint("stays", i))
				tokens = append(tokens, token)
			}
			ctx, cancel := context.WithTimeout(t.Context(), *soaking)
			defer cancel()
			var load sync.WaitGroup
			var posts, streams, frames, leavers atomic.Int64
			often := func(pause time.Duration, do func(n int)) {
				load.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						do(n)
						time.Sleep(pause)
					}
				})
			}
			for i := range 4 {
				often(10*time.Millisecond, func(n int) {
					status, _, err := c.callCtx(ctx, "POST", "/api/v1/channels/"+c.channel+"/messages", tokens[i], fmt.Sprintf(`{"client_id":"%d","text":"%d %s"}`, n, n, strings.Repeat("x", 150)))
					if err == nil && status < 300 {
						posts.Add(1)
					}
				})
			}
			for i := range 24 { // each goes and comes back
				often(0, func(int) {
					life, end := context.WithTimeout(ctx, time.Duration(1+rand.IntN(9))*time.Second)
					defer end()
					conn, _, err := websocket.Dial(life, strings.Replace(c.url, "http", "ws", 1)+"/api/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + tokens[i%8]}}})
					if err != nil {
						time.Sleep(50 * time.Millisecond)
						return
					}
					defer conn.CloseNow()
					conn.SetReadLimit(1 << 20)
					streams.Add(1)
					if conn.Write(life, websocket.MessageText, []byte(`{"op":"resume"}`)) != nil {
						return
					}
					for {
						if _, _, err := conn.Read(life); err != nil {
							return
						}
						frames.Add(1)
					}
				})
			}
			often(20*time.Millisecond, func(int) {
				_, _, _ = c.callCtx(ctx, "GET", "/api/v1/channels/"+c.channel+"/messages?limit=50", tokens[7], "")
			})
			often(300*time.Millisecond, func(n int) {
				name := fmt.Sprintf("leaves%d", n)
				status, made, err := c.callCtx(ctx, "POST", "/scim/v2/Users", c.secret, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":%q,"active":true,
					"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`, name, name))
				if link, _ := made["id"].(string); err == nil && status < 300 {
					if status, _, err := c.callCtx(ctx, "PATCH", "/scim/v2/Users/"+link, c.secret, patchBody(`{"op":"replace","path":"active","value":false}`)); err == nil && status < 300 {
						leavers.Add(1)
					}
				}
			})
			quarters := map[string]*[4][]float64{}
			for name := range steady {
				quarters[name] = &[4][]float64{}
			}
			for began := time.Now(); ctx.Err() == nil; time.Sleep(min(time.Second, *soaking/60)) {
				quarter := min(int(4*time.Since(began)/(*soaking)), 3)
				for name, value := range c.figures(ctx) {
					if all := quarters[name]; all != nil {
						all[quarter] = append(all[quarter], value)
					}
				}
			}
			load.Wait()
			t.Logf("%s: %d messages, %d frames on %d streams, %d offboardings", *soaking, posts.Load(), frames.Load(), streams.Load(), leavers.Load())
			for name, all := range quarters {
				var means [4]float64
				for i, values := range all {
					if len(values) == 0 {
						t.Fatalf("nothing was seen of %s in the %d. quarter\n%s", name, i+1, c.log.String())
					}
					for _, v := range values {
						means[i] += v / float64(len(values))
					}
				}
				t.Logf("%s by quarters: %.4g", name, means)
				if means[3] > 1.25*means[1]+steady[name] {
					t.Errorf("%s grows: %.4g", name, means)
				}
			}
			if posts.Load() == 0 || frames.Load() == 0 || leavers.Load() == 0 {
				t.Error("there was no load")
			}
			c.stop(os.Interrupt)
		})
	}
}

// figures answers the server's own figures that have no label.
func (c *crash) figures(ctx context.Context) map[string]float64 {
	out := map[string]float64{}
	r, err := http.NewRequestWithContext(ctx, "GET", c.url+"/metrics", nil)
	if err != nil {
		return out
	}
	r.Header.Set("Authorization", "Bearer "+crashToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return out
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			out[name] = value
		}
	}
	return out
}
