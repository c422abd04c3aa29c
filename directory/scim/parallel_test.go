package scim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// wire speaks to the service provider over a socket, as a client does.
type wire struct {
	*service
	server *httptest.Server
	clock  atomic.Int64
}

// sent is one call, when it began and ended, and what came back.
type sent struct {
	method, path, body string
	began, ended       int64
	status             int
	version            int64 // of the ETag; 0 where there is none
	answer             string
}

func connect(s *service) *wire {
	w := &wire{service: s, server: httptest.NewServer(s.h)}
	w.server.Client().Timeout = time.Minute
	w.server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 100
	s.t.Cleanup(w.server.Close)
	return w
}

func (w *wire) call(method, path, body string, headers ...string) sent {
	c := sent{method: method, path: path, body: body, began: w.clock.Add(1)}
	r, err := http.NewRequest(method, w.server.URL+Root+path, strings.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return c
	}
	r.Header.Set("Authorization", "Bearer "+w.secret)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Errorf("%s %s: %v", method, path, err)
		return c
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	c.ended, c.status, c.answer = w.clock.Add(1), answer.StatusCode, string(text)
	c.version, _ = strconv.ParseInt(strings.Trim(answer.Header.Get("Etag"), `W/"`), 10, 64)
	if c.status >= 500 {
		w.t.Errorf("%s %s %s: %d %s", method, path, body, c.status, c.answer)
	}
	return c
}

// atOnce makes calls side by side.
func (w *wire) atOnce(n int, call func(i int) sent) []sent {
	out := make([]sent, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { <-begin; out[i] = call(i) })
	}
	close(begin)
	wg.Wait()
	return out
}

func statuses(calls []sent) string {
	count := map[int]int{}
	for _, c := range calls {
		count[c.status]++
	}
	return fmt.Sprint(count)
}

// Of racing calls that name one version, one is done; of racing creations of one name, one is done; fifty changes of
// the members of one group lose nothing.
//
// holds: attack scim-05
func TestRacesOverTheWire(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		link, group := w.user(`"userName":"u"`).id(), w.group(`"displayName":"g"`).id()
		for round := range 3 {
			version := fmt.Sprintf(`If-Match: W/"%d"`, round+1)
			got := w.atOnce(20, func(i int) sent {
				return w.call("PATCH", "/Users/"+link, patch(fmt.Sprintf(`{"op":"replace","path":"title","value":"%d-%d"}`, round, i)), version)
			})
			if s := statuses(got); s != "map[200:1 412:19]" {
				t.Errorf("round %d: racing If-Match: %s", round, s)
			}
			got = w.atOnce(20, func(i int) sent {
				name := []string{"Straße", "STRASSE", "strasse"}[i%3]
				return w.call("POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"%s%d"}`, userURN, name, round))
			})
			if s := statuses(got); s != "map[201:1 409:19]" {
				t.Errorf("round %d: racing POST: %s", round, s)
			}
			got = w.atOnce(20, func(i int) sent {
				return w.call("POST", "/Groups", fmt.Sprintf(`{"schemas":["%s"],"displayName":"%s%d"}`, groupURN, []string{"Team", "TEAM"}[i%2], round))
			})
			if s := statuses(got); s != "map[201:1 409:19]" {
				t.Errorf("round %d: racing POST of a group: %s", round, s)
			}
		}
		got := w.atOnce(50, func(i int) sent {
			return w.call("PATCH", "/Groups/"+group, patch(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"m%d"}]}`, i)))
		})
		if s := statuses(got); s != "map[204:50]" || len(w.members(group)) != 50 {
			t.Errorf("%s, %d members", s, len(w.members(group)))
		}
		versions := map[int64]bool{}
		for _, c := range got {
			versions[c.version] = true
		}
		if len(versions) != 50 {
			t.Errorf("50 changes made %d versions", len(versions))
		}
	})
}

// Adding and removing the same members side by side ends as the order of the versions says.
func TestAddsAndRemovalsHaveAnOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		group := w.group(`"displayName":"g"`).id()
		type step struct {
			member string
			add    bool
		}
		steps := make([]step, 80)
		got := w.atOnce(len(steps), func(i int) sent {
			steps[i] = step{fmt.Sprintf("m%d", rand.IntN(4)), rand.IntN(2) == 0}
			body := patch(`{"op":"remove","path":"members[value eq \"` + steps[i].member + `\"]"}`)
			if steps[i].add {
				body = patch(`{"op":"add","path":"members","value":[{"value":"` + steps[i].member + `"}]}`)
			}
			return w.call("PATCH", "/Groups/"+group, body)
		})
		w.inOrder(got)
		byVersion := map[int64][]step{}
		last := int64(1)
		for i, c := range got {
			if c.status != 204 || c.version == 0 {
				t.Fatalf("%d %s", c.status, c.answer)
			}
			byVersion[c.version] = append(byVersion[c.version], steps[i])
			last = max(last, c.version)
		}
		state := map[string]bool{}
		for v := int64(1); v <= last; v++ {
			if v > 1 { // one of its calls made it
				i := slices.IndexFunc(byVersion[v], func(s step) bool { return state[s.member] != s.add })
				if i < 0 {
					t.Fatalf("nothing made version %d out of %v: %v", v, state, byVersion[v])
				}
				state[byVersion[v][i].member] = byVersion[v][i].add
			}
			for _, s := range byVersion[v] {
				if state[s.member] != s.add {
					t.Fatalf("version %d, %v: %v is answered", v, state, s)
				}
			}
		}
		members := w.members(group)
		for _, name := range []string{"m0", "m1", "m2", "m3"} {
			if members[name] != state[name] {
				t.Errorf("%s: member %v, the order says %v", name, members[name], state[name])
			}
		}
	})
}

// inOrder holds that no call answers an older version than a call that had ended before it began.
func (w *wire) inOrder(calls []sent) {
	w.t.Helper()
	for _, a := range calls {
		for _, b := range calls {
			if a.ended < b.began && a.path == b.path && a.version != 0 && b.version != 0 && a.version > b.version {
				w.t.Errorf("version %d ended before version %d began", a.version, b.version)
			}
		}
	}
}

// Whatever of PUT, PATCH and DELETE meets on one person: some order explains the answers and what is left.
func TestMixedWritersHaveAnOrder(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		for round := range 4 {
			link := w.user(fmt.Sprintf(`"userName":"u%d","title":"t","nickName":"n"`, round)).id()
			path := "/Users/" + link
			bodies := map[int64]string{} // what each version is, by its own answer
			got := w.atOnce(30, func(i int) sent {
				switch {
				case i == 29 && round%2 == 1:
					return w.call("DELETE", path, "")
				case i%3 == 0: // a PUT clears the nickname
					return w.call("PUT", path, fmt.Sprintf(`{"schemas":["%s"],"userName":"u%d","title":"t%d"}`, userURN, round, i))
				case i%3 == 1:
					return w.call("PATCH", path, patch(fmt.Sprintf(`{"op":"replace","path":"title","value":"t%d"}`, i)))
				}
				return w.call("PATCH", path, patch(fmt.Sprintf(`{"op":"replace","path":"nickName","value":"n%d"}`, i)))
			})
			w.inOrder(got)
			var done []sent
			deleted := sent{began: 1 << 60, ended: 1 << 60}
			for _, c := range got {
				switch {
				case c.method == "DELETE":
					deleted = c
				case c.status == 200:
					done = append(done, c)
					if bodies[c.version] != "" {
						t.Errorf("two calls made version %d", c.version)
					}
					bodies[c.version] = c.answer
				}
			}
			for _, c := range got {
				if c.method != "DELETE" && (c.status != 200 && c.status != 404 || c.status == 404 && c.ended < deleted.began || c.status == 200 && c.began > deleted.ended) {
					t.Errorf("round %d: %s answers %d", round, c.method, c.status)
				}
			}
			slices.SortFunc(done, func(a, b sent) int { return int(a.version - b.version) })
			title, nick := "t", "n"
			for i, c := range done {
				if c.version != int64(i+2) {
					t.Fatalf("round %d: version %d in the place of %d", round, c.version, i+2)
				}
				text := func(name string) string {
					_, rest, ok := strings.Cut(c.body, name)
					if !ok {
						return ""
					}
					value, _, _ := strings.Cut(rest, `"`)
					return value
				}
				switch {
				case c.method == "PUT":
					title, nick = text(`"title":"`), ""
				case strings.Contains(c.body, "nickName"):
					nick = text(`"value":"`)
				default:
					title = text(`"value":"`)
				}
				if has := strings.Contains(c.answer, `"title":"`+title+`"`) && strings.Contains(c.answer, `"nickName":"`+nick+`"`) == (nick != ""); !has {
					t.Fatalf("round %d: version %d is %s, the order says title %s, nickName %s", round, c.version, c.answer, title, nick)
				}
			}
			last := w.call("GET", path, "")
			if round%2 == 1 && (deleted.status != 204 || last.status != 404) {
				t.Errorf("round %d: DELETE %d, then GET %d", round, deleted.status, last.status)
			}
			if round%2 == 0 && last.answer != done[len(done)-1].answer {
				t.Errorf("round %d: left\n%s\nthe last version is\n%s", round, last.answer, done[len(done)-1].answer)
			}
		}
	})
}

// Everything that people, managers and groups can be sent, side by side and by every kind of name: nobody is answered
// 500, and nothing stands still.
func TestEverythingAtOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		const people, teams, calls = 12, 4, 30
		var groups []string
		for i := range teams {
			groups = append(groups, w.group(fmt.Sprintf(`"displayName":"g%d"`, i)).id())
		}
		var mu sync.Mutex
		links := map[int]string{}
		link := func(i int) string { mu.Lock(); defer mu.Unlock(); return links[i] }
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		w.atOnce(16, func(int) sent {
			for range calls {
				i, group := rand.IntN(people), groups[rand.IntN(teams)]
				name := []string{fmt.Sprintf("e%d", rand.IntN(people)), link(rand.IntN(people)), fmt.Sprintf("U%d", rand.IntN(people))}[rand.IntN(3)]
				if ctx.Err() != nil {
					t.Error("the calls stand still")
					break
				}
				switch rand.IntN(7) {
				case 0, 1:
					c := w.call("POST", "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"u%d","externalId":"e%d","%s":{"manager":{"value":"%s"}}}`, userURN, i, i, enterpriseURN, name))
					if c.status == 201 {
						object, _ := decodeAnswer([]byte(c.answer))
						mu.Lock()
						links[i] = text(object, "id")
						mu.Unlock()
					}
				case 2:
					w.call("DELETE", "/Users/"+link(i), "")
				case 3:
					w.call("PATCH", "/Users/"+link(i), patch(`{"op":"add","path":"`+enterpriseURN+`:manager","value":"`+name+`"}`))
				case 4:
					w.call("PATCH", "/Users/"+link(i), patch(fmt.Sprintf(`{"op":"replace","path":"active","value":%v}`, rand.IntN(2) == 0)))
				case 5:
					w.call("PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":[{"value":"e`+strconv.Itoa(i)+`"},{"value":"`+name+`"}]}`))
				case 6:
					w.call("PATCH", "/Groups/"+group, patch(`{"op":"remove","path":"members","value":[{"value":"e`+strconv.Itoa(i)+`"}]},{"op":"replace","path":"externalId","value":"`+name+`"}`))
				}
			}
			return sent{}
		})
	})
}
