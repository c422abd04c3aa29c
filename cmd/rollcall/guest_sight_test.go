package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// sight is a random organisation with guests of rival companies, and who may know of what: marks are texts and ids by which a thing is found in an answer.
type sight struct {
	*bench
	t        *testing.T
	random   *rand.Rand
	sponsor  string
	channels []*seenChannel
	guests   []*seenGuest
	staff    map[string][]string // marks of who works here, by person
	ids      []string            // everything that has an id
}

type seenChannel struct {
	id, group, key string
	marks          []string // its own
	around         []string // of its group
	before, after  []string // of messages before guests came, and afterwards
	people         []string // who is in it
	open           bool     // to guests
}

type seenGuest struct {
	person, token string
	marks         []string
	channels      []*seenChannel
}

func newSight(t *testing.T, engine db.Engine, seed int64) *sight {
	t.Helper()
	w := &sight{bench: newBench(t, engine), t: t, random: rand.New(rand.NewSource(seed)), staff: map[string][]string{}}
	const groups, channels, staff, companies, guests = 4, 3, 8, 3, 6
	admin := w.app.cfg.BootstrapToken
	policy := "apiVersion: rollcall/v1\ngroups:\n"
	for g := range groups {
		policy += fmt.Sprintf("  - key: xgrp%dx\n    name: {en: Xgrp%dx, zh: 组%dx}\n    channels:\n", g, g, g)
		for c := range channels {
			access := ", access: {vendor: post}"
			if c > 0 && w.random.Intn(2) == 0 {
				access = ""
			}
			policy += fmt.Sprintf("      - {key: xchn%d-%dx, name: {en: Xchn%d-%dx, zh: 道%d-%dx}%s}\n", g, c, g, c, g, c, access)
			w.channels = append(w.channels, &seenChannel{key: fmt.Sprintf("xchn%d-%dx", g, c), open: access != ""})
		}
		policy += fmt.Sprintf("    rules:\n      - {key: lead, role: owner, when: person.title == \"Lead\"}\n      - {key: all, role: participant, when: person.department == \"D%d\"}\n", g)
	}
	for try := 0; ; try++ {
		if _, err := w.app.access.SetPolicy(t.Context(), directory.Cause{Actor: "system"}, []provisioning.File{{Name: "p.yaml", Source: policy}}); err == nil {
			break
		} else if try == 20 {
			t.Fatal(err)
		}
	}
	list, err := w.app.access.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range list {
		for _, c := range g.Channels {
			at := slices.IndexFunc(w.channels, func(s *seenChannel) bool { return s.key == c.Key })
			if at < 0 {
				continue
			}
			s := w.channels[at]
			s.id, s.group = string(c.ID), string(g.ID)
			s.marks, s.around = []string{s.id, s.key, c.Names["en"], c.Names["zh"]}, []string{string(g.ID), g.Key, g.Names["en"], g.Names["zh"]}
			w.ids = append(w.ids, s.id)
		}
		w.ids = append(w.ids, string(g.ID))
	}
	writers := map[string]string{} // token of somebody in a group, by group
	for n := range staff {
		title, dept := "", w.random.Intn(groups)
		if n == 0 {
			title = "Lead"
		} else if n <= groups {
			dept = n - 1
		}
		w.call("POST", "/scim/v2/Users", w.scim, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":"xemp%dx","externalId":"E%d","active":true,"displayName":"Xemp%dx","title":%q,"emails":[{"value":"xemp%dx@corp.example","type":"work","primary":true}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D%d"}}`, n, n, n, title, n, dept))
		who, token := w.person(fmt.Sprintf("xemp%dx", n))
		w.staff[who], w.ids = []string{who, fmt.Sprintf("xemp%dx", n), fmt.Sprintf("Xemp%dx", n)}, append(w.ids, who)
		for _, c := range w.channels {
			if title == "Lead" || strings.HasPrefix(c.key, fmt.Sprintf("xchn%d-", dept)) {
				c.people = append(c.people, who)
				writers[c.group] = token
			}
		}
		if title == "Lead" {
			w.sponsor = who
		}
	}
	for _, c := range w.channels {
		c.before = w.write(c, writers[c.group], "before")
	}
	for n := range companies {
		w.ids = append(w.ids, w.call("POST", "/api/v1/companies", admin, fmt.Sprintf(`{"key":"xcomp%dx","names":{"en":"Xcomp%dx"},"domains":["xcomp%dx.example"],"owner":%q}`, n, n, n, w.sponsor))["id"].(string))
	}
	for n := range guests {
		g := &seenGuest{}
		company := n % companies
		place := w.channels[w.random.Intn(len(w.channels))]
		for !place.open {
			place = w.channels[w.random.Intn(len(w.channels))]
		}
		var keys []string
		for _, c := range w.channels {
			if c.group == place.group && c.open && (c == place || w.random.Intn(3) == 0) {
				keys, g.channels = append(keys, fmt.Sprintf("%q", c.key)), append(g.channels, c)
			}
		}
		in := w.call("POST", "/api/v1/guests", admin, fmt.Sprintf(`{"company":"xcomp%dx","email":"xgst%dx@xcomp%dx.example","name":"Xgst%dx","group":%q,"channels":[%s],"until":%q,"reason":"xwhy%dx","sponsor":%q}`,
			company, n, company, n, place.group, strings.Join(keys, ","), time.Now().Add(time.Hour).UTC().Format(time.RFC3339), n, w.sponsor))
		g.person = in["person"].(string)
		g.marks = []string{g.person, in["id"].(string), fmt.Sprintf("xgst%dx", n), fmt.Sprintf("Xgst%dx", n), fmt.Sprintf("xcomp%dx", company), fmt.Sprintf("Xcomp%dx", company)}
		w.ids = append(w.ids, g.person, in["id"].(string))
		for _, c := range g.channels {
			c.people = append(c.people, g.person)
		}
		w.guests = append(w.guests, g)
	}
	for _, g := range w.guests {
		g.token = w.token(g.person)
	}
	return w
}

// write has somebody say something in a channel, and answers by what it is found.
func (w *sight) write(c *seenChannel, token, when string) []string {
	w.t.Helper()
	text := "x" + when + "-" + c.key
	message := w.call("POST", "/api/v1/channels/"+c.id+"/messages", token, fmt.Sprintf(`{"client_id":%q,"kind":"text","text":%q}`, text, text))["id"].(string)
	w.ids = append(w.ids, message)
	return []string{message, text}
}

// hidden answers what a guest must come across nowhere: all marks but those of its channels, of who is in them, and of itself.
func (w *sight) hidden(g *seenGuest) []string {
	may := map[string]bool{}
	allow := func(marks []string) {
		for _, m := range marks {
			may[m] = true
		}
	}
	allow(g.marks)
	for _, c := range g.channels {
		allow(c.marks)
		allow(c.around)
		allow(c.after)
		for _, p := range c.people {
			allow(w.staff[p])
			for _, other := range w.guests {
				if other.person == p {
					allow(other.marks)
				}
			}
		}
	}
	var all []string
	for _, c := range w.channels {
		all = slices.Concat(all, c.marks, c.around, c.before, c.after)
	}
	for _, marks := range w.staff {
		all = append(all, marks...)
	}
	for n, other := range w.guests {
		all = append(append(all, other.marks...), fmt.Sprintf("xwhy%dx", n))
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(m string) bool { return m == "" || may[m] })
}

// hearing begins to read the stream of a guest.
func (w *sight) hearing(ctx context.Context, token string) func() string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", w.url+"/api/v1/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatal(err, answer)
	}
	var mu sync.Mutex
	var heard strings.Builder
	go func() {
		defer answer.Body.Close()
		for r := bufio.NewReader(answer.Body); ; {
			line, err := r.ReadString('\n')
			mu.Lock()
			heard.WriteString(line)
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return func() string { mu.Lock(); defer mu.Unlock(); return heard.String() }
}

var requestID = regexp.MustCompile(`req_[0-9a-z]+`)

// another answers an id of the same kind that nothing has.
func another(one string) string {
	switch kind, _, _ := strings.Cut(one, "_"); kind {
	case "per":
		return string(id.New[id.Person]())
	case "chn":
		return string(id.New[id.Channel]())
	case "msg":
		return string(id.New[id.Message]())
	case "grp":
		return string(id.New[id.Group]())
	case "gst":
		return string(id.New[id.Guest]())
	}
	return ""
}

// What a guest can obtain is what its channels hold: by every GET route there is, with every id there is, and by the stream. What it may not see is answered as what does not exist. The lists name everything by
// random organisations, in which companies are rivals.
//
// holds: G09, G29
func TestGuestsSeeTheirChannels(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		for seed := range int64(2) {
			t.Run(fmt.Sprintf("%s/%d", engine, seed), func(t *testing.T) {
				w := newSight(t, engine, seed)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				heard := make([]func() string, len(w.guests))
				for n, g := range w.guests {
					heard[n] = w.hearing(ctx, g.token)
				}
				lead := w.token(w.sponsor)
				for _, c := range w.channels {
					c.after = w.write(c, lead, "after")
				}
				for n, g := range w.guests {
					for _, c := range g.channels {
						for deadline := time.Now().Add(20 * time.Second); !strings.Contains(heard[n](), c.after[1]); time.Sleep(10 * time.Millisecond) {
							if time.Now().After(deadline) {
								t.Fatalf("guest %d does not hear %s: %s", n, c.key, heard[n]())
							}
						}
					}
				}
				asked := 0
				for n, g := range w.guests {
					hidden := w.hidden(g)
					if len(hidden) < 20 {
						t.Fatalf("only %d things are hidden", len(hidden))
					}
					look := func(path, text string) {
						for _, m := range hidden {
							if strings.Contains(path, m) || path == "GET /api/v1/me/stay" && slices.Contains(w.staff[w.sponsor], m) { // what it asked by; whom to ask is said
								continue
							}
							if strings.Contains(text, m) {
								t.Errorf("guest %d finds %s in %s: %s", n, m, path, text)
							}
						}
					}
					look("the stream", heard[n]())
					own := 0
					for _, r := range w.app.routes() {
						if r.Method != "GET" && r.Method != "" || r.Path == "/api/v1/stream" || r.Path == "/api/v1/events" {
							continue
						}
						paths := []string{r.Path, r.Path + "?q=x", r.Path + "?limit=100"}
						if at := strings.Index(r.Path, "{"); at >= 0 {
							if paths = nil; r.Who == people || r.Who == known || r.Who == anybody {
								for _, one := range w.ids {
									paths = append(paths, r.Path[:at]+one+r.Path[at+strings.Index(r.Path[at:], "}")+1:])
								}
							} else {
								paths = append(paths, r.Path[:at]+w.ids[w.random.Intn(len(w.ids))]+r.Path[at+strings.Index(r.Path[at:], "}")+1:])
							}
						}
						for _, path := range paths {
							if strings.Contains(path, "{") {
								continue
							}
							status, text := w.ask("GET", path, g.token, "")
							asked++
							look("GET "+path, text)
							if status == http.StatusOK && strings.Contains(text, g.channels[0].id) {
								own++
							}
							// Of what exists and is hidden the answer says no more than of what does not exist.
							for _, m := range hidden {
								if !strings.HasSuffix(path, "/"+m) && !strings.Contains(path, "/"+m+"/") || another(m) == "" {
									continue
								}
								none := another(m)
								status2, text2 := w.ask("GET", strings.Replace(path, m, none, 1), g.token, "")
								if status != status2 || requestID.ReplaceAllString(strings.ReplaceAll(text, m, "ID"), "") != requestID.ReplaceAllString(strings.ReplaceAll(text2, none, "ID"), "") {
									t.Errorf("guest %d tells %s from what does not exist: %d %s, %d %s", n, path, status, text, status2, text2)
								}
							}
						}
					}
					if own == 0 {
						t.Errorf("guest %d finds its own channel nowhere: nothing was looked at", n)
					}
				}
				t.Logf("%d guests, %d ids, %d requests", len(w.guests), len(w.ids), asked)
				if asked < 1000 {
					t.Errorf("only %d requests", asked)
				}
			})
		}
	}
}

// What is hidden takes as many statements to refuse as what does not exist: how long an answer takes tells nothing of it. The fewest of several tries count, since the server works beside.
//
// holds: G09
func TestHiddenTakesAsMuch(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := newSight(t, engine, 7)
			var statements atomic.Int64
			count := func(*gorm.DB) { statements.Add(1) }
			hooks := w.app.db.Read(t.Context()).Callback()
			for _, err := range []error{hooks.Query().Register("count", count), hooks.Row().Register("count", count), hooks.Raw().Register("count", count)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			least := func(path, token string) (status int, n int64) {
				n = 1 << 30
				for range 15 {
					before := statements.Load()
					status, _ = w.ask("GET", path, token, "")
					n = min(n, statements.Load()-before)
				}
				return status, n
			}
			if _, n := least("/api/v1/channels", w.guests[0].token); n < 1 || n > 100 {
				t.Fatalf("%d statements were counted", n)
			}
			looked := 0
			for _, g := range w.guests[:3] {
				for _, c := range w.channels {
					if slices.Contains(g.channels, c) {
						continue
					}
					for path, one := range map[string]string{"/api/v1/channels/%s": c.id, "/api/v1/channels/%s/messages": c.id, "/api/v1/messages/%s": c.before[0]} {
						status, n := least(fmt.Sprintf(path, one), g.token)
						status2, n2 := least(fmt.Sprintf(path, another(one)), g.token)
						if looked++; status != http.StatusNotFound || status2 != status || n != n2 {
							t.Errorf("%s: hidden %d by %d statements, absent %d by %d", path, status, n, status2, n2)
						}
					}
				}
			}
			if looked < 30 {
				t.Errorf("%d looked at", looked)
			}
		})
	}
}
