package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-im/rollcall/internal/sms"
	"github.com/rollcall-im/rollcall/internal/webhook"
)

// smsbox takes short messages as an operator's address does: only what is signed.
type smsbox struct {
	mu    sync.Mutex
	taken []sms.Message
}

// smsbox: starts an address that takes signed short messages and keeps them; it is in $SMS, the secret in $SMS_SECRET.
func smsboxWord(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	s.smsbox = &smsbox{}
	text := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32)))
	secret, err := webhook.Secret(text)
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m sms.Message
		if r.Header.Get("webhook-signature") != webhook.Sign(secret, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body) || json.Unmarshal(body, &m) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.smsbox.mu.Lock()
		defer s.smsbox.mu.Unlock()
		s.smsbox.taken = append(s.smsbox.taken, m)
	}))
	ts.Defer(server.Close)
	ts.Setenv("SMS", server.URL)
	ts.Setenv("SMS_SECRET", text)
}

// texted NUMBER NAME [COUNT]: waits until a number has COUNT short messages (1), and puts the link of the last one into $LINK_NAME, its code into $CODE_NAME.
func textedWord(ts *testscript.TestScript, _ bool, args []string) {
	s, count := of(ts), 1
	if len(args) > 2 {
		count = int(args[2][0] - '0')
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s.smsbox.mu.Lock()
		var mine []sms.Message
		for _, m := range s.smsbox.taken {
			if m.To == args[0] {
				mine = append(mine, m)
			}
		}
		s.smsbox.mu.Unlock()
		if len(mine) >= count {
			if _, link, ok := strings.Cut(mine[count-1].Link, "?link="); ok {
				ts.Setenv("LINK_"+args[1], link)
			}
			ts.Setenv("CODE_"+args[1], mine[count-1].Code)
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s has %d messages, not %d\nserver log:\n%s", args[0], len(mine), count, s.logText())
		}
	}
}
