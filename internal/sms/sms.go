// Package sms hands short messages to an address of the operator's, which sends them: this server speaks to no operator of telephones. Each is one POST of JSON, signed (Standard Webhooks 1).
// It guarantees that no error holds a number, a text, a code or the address: who logs one tells nothing. It keeps nothing and tries nothing twice: who sends does.
package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-im/rollcall/internal/webhook"
)

// Message is one short message. Text says all of it; the rest is for operators that send by templates only.
type Message struct {
	ID      string `json:"-"` // the header webhook-id: whoever takes it twice may drop one
	Kind    string `json:"kind"`
	To      string `json:"to"` // E.164: +8613800138000
	Text    string `json:"text"`
	Code    string `json:"code,omitempty"`
	Link    string `json:"link,omitempty"`
	Minutes int    `json:"minutes"` // for which it holds
}

// Error is that a message was not taken. Its text tells no number, no address and nothing that was answered.
type Error struct {
	Step string // what was under way
	Code int    // the status of the answer; 0: there was none
	// Forever says that trying again is of no use: the message itself was refused.
	Forever bool
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return "sms: " + e.Step
	}
	return fmt.Sprintf("sms: %s: the address answers %d", e.Step, e.Code)
}

// ErrURL says that an address cannot be one.
var ErrURL = errors.New("wants https://host and a path; http:// only to this machine")

// CheckURL is ErrURL for what is no address to hand messages to; local tells whether a host is this machine.
func CheckURL(text string, local func(host string) bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return ErrURL
	}
	return nil
}

// Sender hands messages to one address. It is safe for concurrent use.
type Sender struct {
	URL    string
	Secret []byte       // as webhook.Secret reads it
	Client *http.Client // its redirects are not followed: they would carry a code elsewhere
	Now    func() time.Time
}

// Send hands m over, and returns when it was taken: at an answer of 2xx. An *Error where it was not, or where nobody knows whether it was. 400, 410, 413 and 422 refuse this message for good; with any other
// answer something is set up wrongly, or busy.
func (s *Sender) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return &Error{Step: "compose", Forever: true}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return &Error{Step: "compose", Forever: true}
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	request.Header.Set("Content-Type", "application/json")
	webhook.Put(request.Header, s.Secret, m.ID, now(), body)
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	if err != nil {
		return &Error{Step: "connect"}
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return nil
	case answer.StatusCode == http.StatusBadRequest, answer.StatusCode == http.StatusGone, answer.StatusCode == http.StatusRequestEntityTooLarge, answer.StatusCode == http.StatusUnprocessableEntity:
		return &Error{Step: "hand over", Code: answer.StatusCode, Forever: true}
	}
	return &Error{Step: "hand over", Code: answer.StatusCode}
}
