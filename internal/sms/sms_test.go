package sms

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/webhook"
)

// A message is signed as Standard Webhooks says; what refuses it for good is told from what does not, no redirect is followed, and no error says to whom, what or where.
func TestSend(t *testing.T) {
	secret, err := webhook.Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	answer, elsewhere := http.StatusNoContent, 0
	var got Message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere++
			return
		}
		body, _ := io.ReadAll(r.Body)
		if want := webhook.Sign(secret, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body); r.Header.Get("webhook-signature") != want || r.Header.Get("webhook-timestamp") != "1790000000" || r.Header.Get("webhook-id") != "m1" {
			t.Errorf("%v", r.Header)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
	}))
	s := &Sender{URL: server.URL + "/sms-canary", Secret: secret, Client: server.Client(), Now: func() time.Time { return time.Unix(1790000000, 0) }}
	m := Message{ID: "m1", Kind: "code", To: "+8613800138000", Text: "text-canary", Code: "CODE-CANA", Minutes: 10}
	if err := s.Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	if got.ID = "m1"; got != m {
		t.Errorf("%+v", got)
	}
	check := func(what string, forever bool) {
		t.Helper()
		var no *Error
		err := s.Send(t.Context(), m)
		if !errors.As(err, &no) || no.Forever != forever {
			t.Errorf("%s: %v", what, err)
		}
		if text := strings.ToLower(err.Error()); strings.Contains(text, "canary") || strings.Contains(text, "138") || strings.Contains(text, "code") || strings.Contains(text, "127.0.0.1") {
			t.Errorf("%s: %s", what, text)
		}
	}
	for status, forever := range map[int]bool{307: false, 400: true, 401: false, 403: false, 404: false, 410: true, 422: true, 429: false, 500: false, 503: false} {
		answer = status
		check(http.StatusText(status), forever)
	}
	if elsewhere > 0 {
		t.Error("a redirect was followed")
	}
	server.Close()
	check("nobody there", false)

	local := func(host string) bool { return host == "127.0.0.1" }
	for text, ok := range map[string]bool{"https://sms.corp.example/send": true, "http://127.0.0.1:8/x": true, "http://sms.corp.example/": false, "https://u:p@sms.corp.example/": false, "sms.corp.example": false, "": false} {
		if err := CheckURL(text, local); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
