package outlet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/webhook"
)

// hook is an address that takes parts by POST, signed (Standard Webhooks). An answer of 2xx says that they are there for good.
type hook struct {
	taken
	name, url string
	secret    []byte
	linger    time.Duration
	client    *http.Client
}

func (c Config) openHook(client *http.Client) (*hook, error) {
	secret, err := webhook.Secret(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if client, err = c.http(client); err != nil {
		return nil, err
	}
	return &hook{name: c.Name, url: c.URL, secret: secret, linger: c.Linger, client: client}, nil
}

// http is base with what is said of TLS here; it follows no redirect, which would carry records elsewhere.
func (c Config) http(base *http.Client) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if base != nil {
		if own, ok := base.Transport.(*http.Transport); ok {
			transport = own.Clone()
		}
	}
	if c.CAFile != "" || c.Cert != "" {
		checked, err := c.tls()
		if err != nil {
			return nil, err
		}
		if before := transport.TLSClientConfig; before != nil && checked.RootCAs == nil {
			checked.RootCAs = before.RootCAs
		}
		transport.TLSClientConfig = checked
	}
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// Linger implements sink.
func (h *hook) Linger() time.Duration { return h.linger }

// Send implements sink. The id is the same when the same part is sent again.
func (h *hook) Send(ctx context.Context, p Part) error {
	body, err := p.lines()
	if err != nil {
		return err
	}
	id := h.name + "-checkpoint"
	if n := len(p.Records); n > 0 {
		id = fmt.Sprintf("%s-%d-%d", h.name, p.Records[0].Seq, p.Records[n-1].Seq)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/jsonl")
	webhook.Put(request.Header, h.secret, id, time.Now(), body)
	answer, err := h.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the address answers %s", answer.Status)
	}
	h.note(p)
	return nil
}

// Close implements sink.
func (h *hook) Close() error {
	h.client.CloseIdleConnections()
	return nil
}
