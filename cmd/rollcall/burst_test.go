package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Sixty of two hundred people are disabled or deleted by sixty calls at once: each is out before its own call is
// answered, whatever clean-up would take is done or held, one hold asks, and one call gives everything back.
//
// holds: attack scim-08
func TestThirtyPercentAtOnce(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			b := newBench(t, engine)
			people, links := b.company(200)
			const many = 60
			tokens := make([]string, many)
			for i := range tokens {
				tokens[i] = b.token(string(people[i]))
			}
			admin := b.app.cfg.BootstrapToken
			for i := range 5 {
				b.call("POST", "/api/v1/channels/"+b.channel+"/messages", tokens[i], fmt.Sprintf(`{"client_id":"%d","text":"hello"}`, i))
				b.call("POST", "/api/v1/channels/"+b.channel+"/read", tokens[i+10], fmt.Sprintf(`{"seq":%d}`, i+1))
			}
			before := b.standing()

			var calls sync.WaitGroup
			for i := range many {
				calls.Go(func() {
					if i%2 == 0 {
						b.setActive(links[i], false)
					} else {
						b.call("DELETE", "/scim/v2/Users/"+links[i], b.scim, "")
					}
					if ok, _ := b.app.index.Allow(people[i], id.Channel(b.channel), authz.View); ok {
						t.Errorf("person %d sees the channel after the answer", i)
					}
					if code := b.status(tokens[i]); code != http.StatusUnauthorized {
						t.Errorf("person %d is answered %d", i, code)
					}
				})
			}
			calls.Wait()
			hold := b.burstOf(many)
			for _, h := range b.call("GET", "/api/v1/holds?state=open", admin, "")["items"].([]any) {
				t.Log(h.(map[string]any)["cause"], h.(map[string]any)["count"])
			}
			out := b.call("POST", "/api/v1/holds/"+hold+"/restore", admin, `{"reason":"a wrong filter"}`)
			if n := len(out["restored"].([]any)); n != many {
				t.Errorf("%d restored: %v", n, out)
			}
			if after := b.standing(); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
			for i := range many {
				if ok, _ := b.app.index.Allow(people[i], id.Channel(b.channel), authz.View); !ok {
					t.Errorf("person %d is not back", i)
				}
				if code := b.status(tokens[i]); code != http.StatusUnauthorized {
					t.Errorf("the old token of person %d is answered %d", i, code)
				}
			}
		})
	}
}

// company hires n people of R&D, some at a time, and answers them with their SCIM ids.
func (b *bench) company(n int) (people []id.Person, links []string) {
	b.tb.Helper()
	links, people = make([]string, n), make([]id.Person, n)
	var hands sync.WaitGroup
	for hand := range 8 {
		hands.Go(func() {
			for i := hand; i < n; i += 8 {
				links[i] = b.hire(i)
			}
		})
	}
	hands.Wait()
	sources, err := b.app.people.Sources(b.tb.Context())
	if err != nil {
		b.tb.Fatal(err)
	}
	page, err := b.app.people.FindRecords(b.tb.Context(), directory.RecordQuery{Source: sources[0].ID, Limit: n, NoRaw: true})
	if err != nil {
		b.tb.Fatal(err)
	}
	for _, r := range page.Records {
		people[slices.Index(links, string(r.Link))] = r.Person
	}
	return people, links
}

// standing says who is where, as what, since when, and how far they have read.
func (b *bench) standing() string {
	b.tb.Helper()
	var places, reads []map[string]any
	q := b.app.db.Read(b.tb.Context())
	if err := q.Raw("select id, person, group_id, role, since from memberships where ended_at is null order by id").Scan(&places).Error; err != nil {
		b.tb.Fatal(err)
	}
	if err := q.Raw("select person, channel, seq from chat_reads order by person, channel").Scan(&reads).Error; err != nil {
		b.tb.Fatal(err)
	}
	return fmt.Sprint(places, reads)
}

func (b *bench) status(token string) int {
	request, err := http.NewRequest("GET", b.url+"/api/v1/channels", nil)
	if err != nil {
		b.tb.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.tb.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// burstOf waits until the one open burst lists so many people, and answers its id.
func (b *bench) burstOf(people int) string {
	b.tb.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for _, item := range b.call("GET", "/api/v1/holds?state=open", b.app.cfg.BootstrapToken, "")["items"].([]any) {
			if h := item.(map[string]any); h["cause"] == "burst" && h["count"] == float64(people) {
				return h["id"].(string)
			}
		}
		if time.Now().After(deadline) {
			b.tb.Fatalf("no burst of %d people", people)
		}
	}
}
