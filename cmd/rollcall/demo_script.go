package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/spf13/cobra"
)

func demoScriptCommand() *cobra.Command {
	c := &cobra.Command{Use: "script offboard", Short: "Play a story that checks itself", Args: cobra.ExactArgs(1), ValidArgs: []string{"offboard"}}
	c.RunE = func(c *cobra.Command, args []string) error {
		if args[0] != "offboard" {
			return fmt.Errorf("there is no story %q; there is: offboard", args[0])
		}
		ctx, stop := context.WithTimeout(c.Context(), 2*time.Minute)
		defer stop()
		ctx, cancel := context.WithCancelCause(ctx)
		done := errors.New("the story is told")
		err := runDemo(ctx, demoFlags{listen: "127.0.0.1:0", people: 200}, c.ErrOrStderr(), io.Discard, func(d *demoServer) error {
			err := (&script{d: d, out: c.OutOrStdout()}).offboard(ctx)
			if err == nil {
				err = done
			}
			cancel(err)
			return nil
		})
		if errors.Is(context.Cause(ctx), done) {
			return nil
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		return err
	}
	return c
}

// script tells a story and stops at the first thing that is not as it should be.
type script struct {
	d   *demoServer
	out io.Writer
}

func (s *script) say(format string, args ...any) { fmt.Fprintf(s.out, "  ✓ "+format+"\n", args...) }

// offboard: two people of the platform team talk; one is dismissed over SCIM while the other goes on writing.
func (s *script) offboard(ctx context.Context) error {
	fmt.Fprintln(s.out, "The offboarding story, on a fresh demo company:")
	leaver, stays, err := s.two("Platform")
	if err != nil {
		return err
	}
	channel, err := s.channel(ctx, "apollo/general")
	if err != nil {
		return err
	}
	ear, err := hear(ctx, s.d.ready.URL, leaver.token)
	if err != nil {
		return err
	}
	defer ear.conn.Close()
	if err := s.post(ctx, stays.token, channel, "before-1"); err != nil {
		return err
	}
	if !ear.waits("before-1", 3*time.Second) {
		return fmt.Errorf("%s should have heard the first message", leaver.name)
	}
	s.say("%s hears what %s writes in Apollo / General", leaver.name, stays.name)

	began := time.Now()
	patch := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`
	if err := s.call(ctx, "PATCH", "/scim/v2/Users/"+leaver.link, s.d.ready.SCIMToken, patch, nil); err != nil {
		return fmt.Errorf("dismiss over SCIM: %w", err)
	}
	s.say("SCIM PATCH active=false answered after %.1f ms", float64(time.Since(began).Microseconds())/1000)
	const after = 200
	for i := range after {
		if err := s.post(ctx, stays.token, channel, fmt.Sprintf("after-%d", i)); err != nil {
			return err
		}
	}
	if ear.waits("after-", time.Second) {
		return fmt.Errorf("%s heard something that was written after the call had returned", leaver.name)
	}
	s.say("%d messages were written since; %s heard 0 of them", after, leaver.name)
	if !ear.ended(2 * time.Second) {
		return errors.New("the socket is still open")
	}
	s.say("the socket was cut by the server")
	if err := s.refused(ctx, leaver, channel); err != nil {
		return err
	}
	s.say("history, channel list and a new socket are refused")
	return s.back(ctx, leaver)
}

// refused tries every other way in.
func (s *script) refused(ctx context.Context, leaver actor, channel string) error {
	for _, path := range []string{"/api/v1/me", "/api/v1/channels", "/api/v1/channels/" + channel + "/messages"} {
		if err := s.call(ctx, "GET", path, leaver.token, "", nil); err == nil || !strings.Contains(err.Error(), "401") {
			return fmt.Errorf("GET %s should be refused with 401: %w", path, err)
		}
	}
	if again, err := hear(ctx, s.d.ready.URL, leaver.token); err == nil {
		again.conn.Close()
		return errors.New("a new socket was let in")
	}
	return nil
}

// back: the same person is enabled again and finds everything as it was.
func (s *script) back(ctx context.Context, leaver actor) error {
	patch := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true}]}`
	if err := s.call(ctx, "PATCH", "/scim/v2/Users/"+leaver.link, s.d.ready.SCIMToken, patch, nil); err != nil {
		return fmt.Errorf("enable over SCIM: %w", err)
	}
	if err := s.call(ctx, "GET", "/api/v1/me", leaver.token, "", nil); err == nil {
		return errors.New("the old token came back to life")
	}
	var memberships struct{ Items []json.RawMessage }
	if err := s.call(ctx, "GET", "/api/v1/people/"+leaver.person+"/memberships", s.d.ready.AdminToken, "", &memberships); err != nil {
		return err
	}
	if len(memberships.Items) == 0 {
		return errors.New("the memberships are gone")
	}
	s.say("enabled again: %d memberships are as they were, the old token stays dead", len(memberships.Items))
	return nil
}

// actor is somebody of the demo company with a token.
type actor struct{ name, person, link, token string }

// two answers two people of a department.
func (s *script) two(department string) (a, b actor, err error) {
	var found []actor
	ctx := context.Background()
	for _, e := range s.d.company {
		if e.Department != department || len(found) == 2 {
			continue
		}
		person, err := s.d.find(ctx, e.Number)
		if err != nil {
			return a, b, err
		}
		var detail struct{ Records []struct{ Link string } }
		if err := s.call(ctx, "GET", "/api/v1/people/"+string(person), s.d.ready.AdminToken, "", &detail); err != nil {
			return a, b, err
		}
		var token struct{ Token string }
		if err := s.call(ctx, "POST", "/api/v1/people/"+string(person)+"/tokens", s.d.ready.AdminToken, `{"name":"story"}`, &token); err != nil {
			return a, b, err
		}
		if len(detail.Records) != 1 {
			return a, b, fmt.Errorf("%s has %d records", e.DisplayName, len(detail.Records))
		}
		found = append(found, actor{e.DisplayName, string(person), detail.Records[0].Link, token.Token})
	}
	if len(found) < 2 {
		return a, b, fmt.Errorf("%s has fewer than two people", department)
	}
	return found[1], found[0], nil
}

// channel answers the id of "group/channel".
func (s *script) channel(ctx context.Context, path string) (string, error) {
	groups, err := s.d.app.access.Groups(ctx)
	if err != nil {
		return "", err
	}
	for _, g := range groups {
		for _, c := range g.Channels {
			if g.Key+"/"+c.Key == path {
				return string(c.ID), nil
			}
		}
	}
	return "", fmt.Errorf("no channel %s", path)
}

func (s *script) post(ctx context.Context, token, channel, text string) error {
	return s.call(ctx, "POST", "/api/v1/channels/"+channel+"/messages", token, fmt.Sprintf(`{"client_id":%q,"kind":"text","text":%q}`, text, text), nil)
}

func (s *script) call(ctx context.Context, method, path, token, body string, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.d.ready.URL+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s answered %d: %s", method, path, answer.StatusCode, bytes.TrimSpace(text))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// ear is an open stream that keeps what it hears.
type ear struct {
	conn net.Conn
	done chan struct{}

	mu    sync.Mutex
	heard []string
}

// hear opens a stream and resumes from the beginning.
func hear(ctx context.Context, url, token string) (*ear, error) {
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Bearer " + token}}, Timeout: 5 * time.Second}
	conn, buffered, _, err := dialer.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/api/v1/stream")
	if err != nil {
		return nil, err
	}
	e := &ear{conn: conn, done: make(chan struct{})}
	var from io.ReadWriter = conn
	if buffered != nil {
		from = struct {
			io.Reader
			io.Writer
		}{buffered, conn}
	}
	greeted := make(chan struct{})
	go func() { // ends with the connection
		defer close(e.done)
		for {
			text, err := wsutil.ReadServerText(from)
			if err != nil {
				return
			}
			e.mu.Lock()
			e.heard = append(e.heard, string(text))
			first := len(e.heard) == 1
			e.mu.Unlock()
			if first {
				close(greeted)
			}
		}
	}()
	if err := wsutil.WriteClientText(conn, []byte(`{"op":"resume","person_seq":0,"channels":{}}`)); err != nil {
		conn.Close()
		return nil, err
	}
	select {
	case <-greeted:
		return e, nil
	case <-e.done:
	case <-time.After(5 * time.Second):
	}
	conn.Close()
	return nil, errors.New("the stream did not greet")
}

// waits tells whether something that holds text is heard within d.
func (e *ear) waits(text string, d time.Duration) bool {
	for end := time.Now().Add(d); ; time.Sleep(2 * time.Millisecond) {
		e.mu.Lock()
		for _, frame := range e.heard {
			if strings.Contains(frame, text) {
				e.mu.Unlock()
				return true
			}
		}
		e.mu.Unlock()
		if time.Now().After(end) {
			return false
		}
	}
}

// ended tells whether the server ends the stream within d.
func (e *ear) ended(d time.Duration) bool {
	select {
	case <-e.done:
		return true
	case <-time.After(d):
		return false
	}
}
