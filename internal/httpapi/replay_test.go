package httpapi_test

import (
	"context"
	"sync"
	"testing"

	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// memory is a Replays of one process.
type memory struct {
	mu      sync.Mutex
	began   map[string]httpapi.Attempt
	answers map[string]*httpapi.Answer
}

func (m *memory) Begin(_ context.Context, a httpapi.Attempt) (*httpapi.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	earlier, ok := m.began[a.Actor+a.Key]
	switch {
	case !ok:
		m.began[a.Actor+a.Key] = a
		return nil, nil
	case earlier.Fingerprint != a.Fingerprint:
		return nil, httpapi.ErrReplayOther
	case m.answers[a.Actor+a.Key] == nil:
		return nil, httpapi.ErrReplayRunning
	}
	return m.answers[a.Actor+a.Key], nil
}

func (m *memory) Finish(_ context.Context, a httpapi.Attempt, answer *httpapi.Answer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if answer == nil {
		delete(m.began, a.Actor+a.Key)
		return nil
	}
	m.answers[a.Actor+a.Key] = answer
	return nil
}

func TestIdempotencyKey(t *testing.T) {
	b := newBench(t, func(s *httpapi.Server) {
		s.Replays = &memory{began: map[string]httpapi.Attempt{}, answers: map[string]*httpapi.Answer{}}
	})
	post := func(path, body, auth string) answer {
		return b.do("POST", path, body, "Authorization", auth, "Idempotency-Key", "k1")
	}
	first := post("/api/v1/things/x", `{"name":"n"}`, ann)
	again := post("/api/v1/things/x", `{"name":"n"}`, ann)
	if first.status != 200 || again.status != 200 || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || b.count("thing") != 1 {
		t.Errorf("repetition: %d %s, first %s, ran %d times", again.status, again.body, first.body, b.count("thing"))
	}
	if a := post("/api/v1/things/x", `{"name":"other"}`, ann); a.status != 422 || a.Code != "idempotency_mismatch" {
		t.Errorf("another body: %d %s", a.status, a.body)
	}
	for range 2 {
		if a := b.do("POST", "/api/v1/things/panic", `{"name":"n"}`, "Authorization", ann, "Idempotency-Key", "k2"); a.status != 500 {
			t.Errorf("panic: %d %s", a.status, a.body)
		}
	}
	if n := b.count("thing"); n != 3 {
		t.Errorf("a failed request gave its key not free: ran %d times", n)
	}
	if a := post("/api/v1/things/x", `{"name":"n"}`, root); a.status != 403 {
		t.Errorf("another caller got an answer: %d", a.status)
	}
}
