package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// client talks to a running server: ROLLCALL_URL and ROLLCALL_TOKEN.
type client struct {
	base, token string
	http        *http.Client
}

func newClient() (*client, error) {
	base, token := os.Getenv("ROLLCALL_URL"), os.Getenv("ROLLCALL_TOKEN")
	if base == "" {
		return nil, errors.New("ROLLCALL_URL is not set: the address of the server, as http://127.0.0.1:8480")
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, fmt.Errorf("ROLLCALL_URL is not an address: %q", base)
	}
	if token == "" {
		return nil, &exit{exitDenied, errors.New("ROLLCALL_TOKEN is not set: an administrator's token")}
	}
	return &client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{Timeout: 5 * time.Minute}}, nil
}

// do sends in as JSON and reads the answer into out; either may be nil.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	if in == nil {
		return c.send(ctx, method, path, "", nil, out)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, "application/json", bytes.NewReader(text), out)
}

// send sends a body of a type as it is and reads the answer into out; both may be nil.
func (c *client) send(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return problem(answer)
	}
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(out)
}

// flagged is err in the words of a command: where it is about a field, as "until: lies behind", it names the flag that the field came from.
func flagged(err error, flags map[string]string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for field, flag := range flags {
		text = regexp.MustCompile(`(^|\s|\()(body\.)?`+field+`:`).ReplaceAllString(text, "${1}--"+flag+":")
	}
	var denied *exit
	if errors.As(err, &denied) {
		return &exit{denied.code, errors.New(text)}
	}
	return errors.New(text)
}

func problem(answer *http.Response) error {
	p := httpapi.Problem{}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Code == "" {
		p.Code, p.Detail = "http_"+fmt.Sprint(answer.StatusCode), http.StatusText(answer.StatusCode)
	}
	said := fmt.Sprintf("%s (%s)", p.Detail, p.Code)
	for _, line := range p.Problems { // each field with what is wrong about it
		if line != p.Detail {
			said += "\n  " + line
		}
	}
	message := errors.New(said)
	switch {
	case p.Code == "held":
		return &exit{exitHeld, message}
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return &exit{exitDenied, message}
	}
	return message
}
