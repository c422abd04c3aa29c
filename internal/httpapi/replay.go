package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
)

// Attempt is one POST that carries an Idempotency-Key.
type Attempt struct {
	Actor       string // who asks: keys of two callers never meet
	Key         string
	Fingerprint string // of method, address and body
}

// Answer is what was answered to an Attempt.
type Answer struct {
	Status int
	Header map[string]string // of kept only
	Body   []byte
}

// Replays remembers the answers to requests with an Idempotency-Key.
type Replays interface {
	// Begin claims the attempt's key. It answers the earlier answer where there is one, ErrReplayRunning while the
	// first request runs, ErrReplayOther where the key was used for another request.
	Begin(ctx context.Context, a Attempt) (*Answer, error)
	// Finish keeps the answer; nil gives the key free again.
	Finish(ctx context.Context, a Attempt, answer *Answer) error
}

// What Replays.Begin refuses.
var (
	ErrReplayRunning = errors.New("the first request with this Idempotency-Key still runs")
	ErrReplayOther   = errors.New("this Idempotency-Key was used for another request")
)

// once runs h at most once per key and caller, and answers a repetition with the first answer. An answer of 500
// or above, or a panic, gives the key free. Without an answer because the process died, the key is free
// again after a while: then the request may have taken effect.
func (g *guard) once(w http.ResponseWriter, r *http.Request, key string, h http.HandlerFunc) {
	if len(key) > 255 {
		WriteError(w, r, NewProblem(http.StatusBadRequest, "invalid_idempotency_key", "Idempotency-Key: at most 255 characters"))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		WriteError(w, r, bodyProblem(err))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.New()
	io.WriteString(sum, r.Method+" "+r.URL.RequestURI()+"\n")
	sum.Write(body)
	attempt := Attempt{Actor: CallerFrom(r.Context()).Actor(), Key: key, Fingerprint: hex.EncodeToString(sum.Sum(nil))}
	earlier, err := g.server.Replays.Begin(r.Context(), attempt)
	switch {
	case errors.Is(err, ErrReplayRunning):
		WriteError(w, r, NewProblem(http.StatusConflict, "idempotency_in_flight", err.Error()))
		return
	case errors.Is(err, ErrReplayOther):
		WriteError(w, r, NewProblem(http.StatusUnprocessableEntity, "idempotency_mismatch", err.Error()))
		return
	case err != nil:
		WriteError(w, r, err)
		return
	case earlier != nil:
		for name, value := range earlier.Header {
			w.Header().Set(name, value)
		}
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(earlier.Status)
		w.Write(earlier.Body)
		return
	}
	g.first(w, r, attempt, h)
}

func (g *guard) first(w http.ResponseWriter, r *http.Request, attempt Attempt, h http.HandlerFunc) {
	copied := &copier{ResponseWriter: w}
	var answer *Answer
	defer func() { // also when h panics: then the key is free again
		if err := g.server.Replays.Finish(context.WithoutCancel(r.Context()), attempt, answer); err != nil {
			g.server.Log.WarnContext(r.Context(), "cannot keep an answer for its Idempotency-Key", "request", RequestFrom(r.Context()), "error", err)
		}
	}()
	h(copied, r)
	if copied.status == 0 {
		copied.status = http.StatusOK
	}
	if copied.status < 500 {
		answer = &Answer{Status: copied.status, Header: map[string]string{}, Body: copied.body.Bytes()}
		for _, name := range []string{"Content-Type", "Location", "ETag"} {
			if value := w.Header().Get(name); value != "" {
				answer.Header[name] = value
			}
		}
	}
}

// copier keeps a copy of what is answered.
type copier struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *copier) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *copier) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

func (w *copier) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func bodyProblem(err error) *Problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return NewProblem(http.StatusRequestEntityTooLarge, "too_large", "the request's body is too large")
	}
	return NewProblem(http.StatusBadRequest, "invalid_request", "the request's body cannot be read")
}
