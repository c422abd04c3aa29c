package scim

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// What a request was and what it was answered is noted whole, whatever became of it, and no secret with it.
func TestRequestsAreNoted(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		var noted []journal.Entry
		s := start(t, d, func(o *Options) { o.Note = func(e journal.Entry) { noted = append(noted, e) } })
		last := func(status int, method, path string) journal.Entry {
			t.Helper()
			e := noted[len(noted)-1]
			if e.Status != status || e.Method != method || e.Path != Root+path || e.Failed != (status >= 400) || e.ID == "" || e.At.IsZero() {
				t.Fatalf("%+v", e)
			}
			return e
		}
		zhang := s.want(201, s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"zhang.wei","password":"hunter2","favouriteTea":"龙井"}`, "User-Agent: Okta SCIM Client 1.0")).id()
		e := last(201, "POST", "/Users")
		if e.Source != s.source.ID || e.Token != s.token || e.Resource != zhang || e.Client != "Okta SCIM Client 1.0" || !slices.Equal(e.Ignored, []string{"favouriteTea"}) ||
			!strings.Contains(e.Request, `"password":"***"`) || !strings.Contains(e.Request, "龙井") || !strings.Contains(e.Answer, zhang) || e.RequestBytes == 0 || e.AnswerBytes == 0 {
			t.Errorf("%+v", e)
		}
		s.wantError(409, "uniqueness", s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"zhang.wei"}`))
		if e := last(409, "POST", "/Users"); e.ScimType != "uniqueness" || e.Detail == "" {
			t.Errorf("%+v", e)
		}
		s.want(200, s.do("GET", `/Users?filter=userName eq "zhang.wei"&access_token=`+s.secret, ""))
		if e := last(200, "GET", "/Users"); !strings.Contains(e.Query, "zhang.wei") || !strings.Contains(e.Query, "access_token=***") {
			t.Errorf("%+v", e)
		}
		s.want(404, s.do("DELETE", "/Users/lnk_none", ""))
		if e := last(404, "DELETE", "/Users/lnk_none"); e.Resource != "lnk_none" {
			t.Errorf("%+v", e)
		}
		s.want(413, s.do("POST", "/Users", strings.Repeat(" ", maxBody+1)))
		last(413, "POST", "/Users")
		s.want(200, s.do("POST", "/Bulk", `{"schemas":["`+bulkURN+`"],"Operations":[{"method":"DELETE","path":"/Users/lnk_none"},{"method":"POST","bulkId":"a","path":"/Users","data":{"schemas":["`+userURN+`"],"userName":"li.na","tea":1}}]}`))
		if e := noted[len(noted)-1]; !e.Failed || e.Status != 200 || e.Detail != "1 of 2 operations failed" || !slices.Equal(e.Ignored, []string{"tea"}) {
			t.Errorf("%+v", e)
		}

		s.as("", "GET", "/Users", "")
		if e := last(401, "GET", "/Users"); e.Source != "" || e.Token != "" {
			t.Errorf("%+v", e)
		}
		if err := s.store.RevokeSourceToken(context.Background(), directory.Cause{}, s.source.ID, s.token); err != nil {
			t.Fatal(err)
		}
		s.do("GET", "/Users", "")
		if e := last(401, "GET", "/Users"); e.Source != s.source.ID || e.Token != s.token {
			t.Errorf("whose token it was is not noted: %+v", e)
		}
		for _, e := range noted {
			if all := e.Request + e.Answer + e.Query + e.Path + e.Detail + e.Client; strings.Contains(all, "hunter2") || strings.Contains(all, s.secret) || strings.Contains(all, "Bearer") {
				t.Errorf("a secret is noted: %+v", e)
			}
		}
	})
}

// Who makes too many requests is answered 429, and that is noted as theirs.
func TestLimitIsNoted(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		var noted []journal.Entry
		at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		s := start(t, d, func(o *Options) {
			o.Rate, o.Burst, o.Now = 1, 1, func() time.Time { return at }
			o.Note = func(e journal.Entry) { noted = append(noted, e) }
		})
		s.want(200, s.do("GET", "/Users", ""))
		s.want(429, s.do("GET", "/Users", ""))
		if e := noted[1]; e.Status != 429 || e.Source != s.source.ID || !e.Failed {
			t.Errorf("%+v", e)
		}
		if rate, burst := s.h.Limits(); rate != 1 || burst != 1 {
			t.Error(rate, burst)
		}
	})
}
