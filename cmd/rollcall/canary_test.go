package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
)

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// No name, address or secret that SCIM carries reaches the log at any level: of what succeeds, is refused, fails, or panics.
func TestSCIMLogsNobody(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			log := &lockedBuffer{}
			s := newLoggedBench(t, engine, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
			const user, core, group, op = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group", "urn:ietf:params:scim:api:messages:2.0:PatchOp"
			person := fmt.Sprintf(`{"schemas":["%s","%s"],"userName":"canary.user@leak.example","externalId":"canary-ext","displayName":"Canary Displayname","name":{"givenName":"Canarygiven"},
				"password":"canary-password","emails":[{"value":"canary.mail@leak.example"}],"phoneNumbers":[{"value":"canary-phone"}],"canary-unknown":"canary-value","%s":{"manager":{"value":"canary.boss@leak.example"},"employeeNumber":"canary-number"}}`, core, user, user)
			link, made := "lnk_00000000000000000000000000", 0
			ask := func(method, path, token, body string, headers ...string) {
				r, err := http.NewRequest(method, s.url+"/scim/v2"+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				for i := 0; i+1 < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					return
				}
				text, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if at := strings.Index(string(text), `"id":"lnk_`); at >= 0 && made == 0 {
					link, made = string(text[at+6:at+36]), 1
				}
			}
			all := func() {
				ask("POST", "/Users", s.scim, person)
				ask("POST", "/Users", s.scim, person)
				ask("PUT", "/Users/"+link, s.scim, person)
				ask("GET", "/Users/"+link, s.scim, "")
				ask("GET", "/Users/canary.user", s.scim, "")
				ask("GET", "/Users/canary.user@leak.example", s.scim, "")
				ask("GET", "/canary.user@leak.example/x", s.scim, "")
				ask("GET", "/Users?filter=userName%20eq%20%22canary.user@leak.example%22", s.scim, "")
				ask("GET", "/Users?filter=canary%20%22canary", s.scim, "")
				ask("GET", "/Users?sortBy=canary.mail&cursor=canary-cursor", s.scim, "")
				ask("GET", "/Users?access_token="+s.scim, "canary-token", "")
				ask("POST", "/Users/.search", s.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"emails.value eq \"canary.mail@leak.example\""}`)
				for _, o := range []string{`{"op":"replace","path":"title","value":"canary-title"}`, `{"op":"replace","path":"canary-path","value":"x"}`, `{"op":"replace","path":"active","value":"canary-active"}`,
					`{"op":"add","path":"emails[value eq \"canary.mail@leak.example\"].type","value":"canary-type"}`, `{"op":"add","path":"` + user + `:manager","value":"canary.user@leak.example"}`} {
					ask("PATCH", "/Users/"+link, s.scim, `{"schemas":["`+op+`"],"Operations":[`+o+`]}`)
					ask("PATCH", "/Users/"+link, s.scim, `{"schemas":["`+op+`"],"Operations":[`+o+`]}`, "If-Match", `"canary-tag"`)
				}
				ask("POST", "/Groups", s.scim, `{"schemas":["`+group+`"],"displayName":"canary-group","members":[{"value":"canary-ext"},{"value":"canary-member"}]}`)
				ask("POST", "/Groups", s.scim, `{"schemas":["`+group+`"],"displayName":"canary-group"}`)
				ask("POST", "/Bulk", s.scim, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"canary-bulk","data":`+person+`},{"method":"PATCH","path":"/Users/canary.user","data":{}}]}`)
				ask("POST", "/Users", s.scim, person, "Content-Type", "canary/type")
				ask("POST", "/Users", s.scim, `{"canary-broken`)
				ask("POST", "/Users", s.scim, `{"schemas":["`+core+`"],"userName":"canary`+strings.Repeat("x", 2<<20)+`"}`)
				ask("TRACE", "/Users", s.scim, "")
				ask("DELETE", "/Users/"+link, s.scim, "")
			}
			all()
			if made == 0 {
				t.Fatal("nobody was made")
			}
			for _, fault := range []string{"drop table record_contacts", "drop table records"} { // what fails in the middle
				pool, err := s.app.db.Pool()
				if err != nil {
					t.Fatal(err)
				}
				if engine == db.Postgres {
					fault += " cascade"
				}
				if _, err := pool.Exec(fault); err != nil {
					t.Fatal(err)
				}
				all()
			}
			text := log.String()
			for _, line := range strings.Split(text, "\n") {
				if strings.Contains(strings.ToLower(line), "canary") || strings.Contains(line, s.scim) {
					t.Errorf("logged: %.400s", line)
				}
			}
			if !strings.Contains(text, "scim request failed") || !strings.Contains(text, `method=GET path=/scim/v2/Users/…`) {
				t.Errorf("the log does not show what was asked: %.2000s", text)
			}
		})
	}
}
