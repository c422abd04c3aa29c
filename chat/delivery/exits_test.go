package delivery

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// An answer that rests on another ground than a place goes on only while that is there: what is written after its end never arrives, whether the
// end is noticed by the next piece or made known at once.
func TestGround(t *testing.T) {
	for name, c := range map[string]struct {
		out   bool // something is out before the end
		judge bool
		dead  bool // who reads is frozen, and the ground stands
	}{"nothing out": {}, "something out": {out: true}, "made known": {judge: true}, "made known, something out": {out: true, judge: true}, "frozen": {dead: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			who := httpapi.Caller{Person: "per_glass"}
			var ground atomic.Bool
			ground.Store(true)
			server := httptest.NewServer(w.hub.Exits().Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				ctx, err := w.hub.Exits().EnterOn(r.Context(), who, ground.Load)
				if err != nil {
					http.NotFound(rw, r)
					return
				}
				io.WriteString(rw, "first ")
				if c.out {
					http.NewResponseController(rw).Flush()
				}
				if c.dead {
					w.gate.Freeze(who.Person)
				} else if r.URL.Query().Get("end") != "" {
					ground.Store(false)
				}
				if c.judge {
					w.hub.Exits().Judge(who.Person)
					if (ctx.Err() == nil) == (r.URL.Query().Get("end") != "") {
						t.Errorf("judged: %v", ctx.Err())
					}
				}
				io.WriteString(rw, "second")
			})))
			defer server.Close()
			get := func(query string) (int, string, error) {
				answer, err := http.Get(server.URL + query)
				if err != nil {
					return 0, "", err
				}
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				return answer.StatusCode, string(body), err
			}
			if !c.dead {
				if status, body, err := get("/"); status != http.StatusOK || body != "first second" || err != nil {
					t.Fatalf("while the ground stands: %d %q %v", status, body, err)
				}
			}
			status, body, err := get("/?end=1")
			if c.out && err == nil || !c.out && status != http.StatusNotFound || body != "" && body != "first " && status != http.StatusNotFound {
				t.Errorf("after its end: %d %q %v", status, body, err)
			}
			if status, _, _ = get("/"); status != http.StatusNotFound {
				t.Errorf("a new one: %d", status)
			}
		})
	}
}
