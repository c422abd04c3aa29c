package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// hook NAME MESSAGE-ID FILE [old|altered|stranger|large]: sends a signed message (Standard Webhooks) with $HOOK_SECRET; old by a timestamp of
// ten minutes ago, altered by one byte after it was signed, a stranger by
// another secret, large with 10 MB.
func hookWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	body := []byte(os.Expand(ts.ReadFile(args[2]), ts.Getenv))
	how := strings.Join(args[3:], "")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(ts.Getenv("HOOK_SECRET"), "whsec_"))
	ts.Check(err)
	at := time.Now()
	switch how {
	case "old":
		at = at.Add(-10 * time.Minute)
	case "stranger":
		key[0]++
	case "large":
		body = append(body, bytes.Repeat([]byte(" "), 10<<20)...)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", args[1], stamp, body)
	if how == "altered" {
		body[len(body)-3]++
	}
	request, err := http.NewRequest("POST", ts.Getenv("ROLLCALL_URL")+"/hooks/"+args[0], bytes.NewReader(body))
	ts.Check(err)
	request.Header.Set("Webhook-Id", args[1])
	request.Header.Set("Webhook-Timestamp", stamp)
	request.Header.Set("Webhook-Signature", "v1,bm90aGluZw== v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	s.status = answer.StatusCode
	s.body, err = io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", s.status, s.body)
	if failed := s.status >= 400; failed != neg {
		ts.Fatalf("hook answered %d: %s\nserver log:\n%s", s.status, s.body, s.logText())
	}
}
