package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	span "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rollcall-im/rollcall/internal/db"
)

// collected is what a collector of OpenTelemetry was handed.
type collected struct {
	mu    sync.Mutex
	token string
	raw   bytes.Buffer
	spans []*span.Span
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &got) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = r.Header.Get("Authorization")
	c.raw.Write(body)
	for _, resource := range got.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// way answers the names of the steps of one trace, each behind its parent's as far as that is known; transactions are left out between others.
func (c *collected) way(trace string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := map[string]*span.Span{}
	for _, s := range c.spans {
		byID[string(s.SpanId)] = s
	}
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) != trace {
			continue
		}
		name := s.Name
		for parent := byID[string(s.ParentSpanId)]; parent != nil; parent = byID[string(parent.ParentSpanId)] {
			if parent.Name != "db.transaction" {
				name = parent.Name + " > " + name
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// One trace shows the way of a hire and of an end: the request, the directory, memberships, the barrier, and what followed. It names nobody, an
// outsider cannot have more kept than is set, and a collector that is gone stops nothing.
func TestTraces(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("needs PostgreSQL")
			}
			seen := &collected{}
			server := httptest.NewServer(seen)
			t.Cleanup(server.Close)
			b := newBenchOf(t, engine, slog.New(slog.DiscardHandler), func(c *Config) { c.Tracing = Tracing{Endpoint: server.URL, Token: "canary-token", Sample: 1} })
			send := func(trace, method, path, body string) {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+b.scim)
				request.Header.Set("Content-Type", "application/scim+json")
				request.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
				request.Header.Set("Tracestate", "who=canary")
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode >= 300 {
					t.Fatalf("%s %s: %d", method, path, answer.StatusCode)
				}
			}
			shows := func(trace string, want ...string) {
				t.Helper()
				var way []string
				for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
					if way = seen.way(trace); !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(way, w) }) {
						return
					}
				}
				t.Errorf("the way of %s is\n%s\nwithout one of\n%s", trace, strings.Join(way, "\n"), strings.Join(want, "\n"))
			}
			const hire, end = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737"
			send(hire, "POST", "/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
				"userName":"canary-name","externalId":"E1","active":true,"displayName":"Canary-Name","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`)
			shows(hire, "POST /scim/v2/", "POST /scim/v2/ > directory.apply", "POST /scim/v2/ > directory.apply > provisioning.reconcile",
				"POST /scim/v2/ > directory.apply > db.transaction", "POST /scim/v2/ > directory.apply > provisioning.reconcile > db.transaction",
				"POST /scim/v2/ > directory.apply > authz.barrier", "POST /scim/v2/ > directory.apply > feed.membership",
				"POST /scim/v2/ > directory.apply > provisioning.reconcile > authz.index", "POST /scim/v2/ > directory.apply > provisioning.reconcile > authz.openfga")
			link := b.call("GET", `/scim/v2/Users?filter=userName+eq+"canary-name"`, b.scim, "")["Resources"].([]any)[0].(map[string]any)["id"].(string)
			send(end, "DELETE", "/scim/v2/Users/"+link, "")
			shows(end, "DELETE /scim/v2/ > directory.apply > authz.barrier")

			strange, err := http.NewRequestWithContext(t.Context(), "CANARY", b.url+"/canary", nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := http.DefaultClient.Do(strange); err == nil {
				answer.Body.Close()
			}
			b.hire(3)
			time.Sleep(3 * time.Second) // until it would have been handed over
			seen.mu.Lock()
			if seen.token != "Bearer canary-token" {
				t.Errorf("the collector was told %q", seen.token)
			}
			if bytes.Contains(bytes.ToLower(seen.raw.Bytes()), []byte("canary")) {
				t.Error("a name or a token is in what was handed over")
			}
			seen.mu.Unlock()
			server.Close()
			began := time.Now()
			b.hire(2)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("without its collector a hire took %v", took)
			}
		})
	}
}

// Who sends a request does not decide what is kept of it.
func TestTracesSampled(t *testing.T) {
	seen := &collected{}
	server := httptest.NewServer(seen)
	t.Cleanup(server.Close)
	b := newBenchOf(t, db.SQLite, slog.New(slog.DiscardHandler), func(c *Config) { c.Tracing = Tracing{Endpoint: server.URL} })
	request, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	b.hire(1)
	if err := b.app.tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen.spans) > 0 {
		t.Errorf("kept without being sampled: %v", seen.spans)
	}
}
