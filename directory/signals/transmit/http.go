package transmit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// Where receivers find the transmitter, below the public URL.
const (
	ConfigurationPath = "/.well-known/ssf-configuration"
	KeysPath          = "/ssf/jwks.json"
	StreamPath        = "/ssf/stream"
	StatusPath        = "/ssf/status"
	VerifyPath        = "/ssf/verify"
	PollPath          = "/ssf/poll/"
)

const (
	minVerify   = 30 * time.Second // between two verifications that a receiver asks for
	longPoll    = 30 * time.Second // at most, of a poll that waits for something
	usualBatch  = 100
	largest     = 1000
	maxAnswered = 256 << 10 // of a receiver's request
)

// Configuration answers what there is to know of the transmitter (SSF 1.0 section 7).
func (t *Transmitter) Configuration(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	answer(w, http.StatusOK, map[string]any{
		"spec_version": "1_0", "issuer": t.PublicURL, "jwks_uri": t.PublicURL + KeysPath,
		"delivery_methods_supported": []string{methodPush, methodPoll},
		"configuration_endpoint":     t.PublicURL + StreamPath, "status_endpoint": t.PublicURL + StatusPath, "verification_endpoint": t.PublicURL + VerifyPath,
		"authorization_schemes": []map[string]string{{"spec_urn": "urn:ietf:rfc:6750"}},
		"default_subjects":      "ALL",
	})
}

// KeySet answers the keys that events are signed with (RFC 7517).
func (t *Transmitter) KeySet(w http.ResponseWriter, q *http.Request) {
	set, err := t.keySet(q.Context())
	if err != nil {
		httpapi.WriteError(w, q, err)
		return
	}
	w.Header().Set("Cache-Control", "max-age=300")
	answer(w, http.StatusOK, set)
}

func answer(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// For makes a handler of one that a receiver calls with its token (RFC 6750 section 2.1).
func (t *Transmitter) For(h func(w http.ResponseWriter, q *http.Request, r receiverRow) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		token := httpapi.Bearer(q)
		r, err := receiverRow{}, errToken
		if strings.HasPrefix(token, tokenPrefix) {
			r, err = one(t.DB.Read(q.Context()), errToken, "token_hash = ?", hashed(token))
		}
		if errors.Is(err, errToken) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			err = httpapi.NewProblem(http.StatusUnauthorized, "token_invalid", errToken.Error())
		}
		if err == nil {
			err = h(w, q, r)
		}
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case err == nil:
			return
		case errors.As(err, &syntax), errors.As(err, &kind), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			err = httpapi.NewProblem(http.StatusBadRequest, "invalid_request", "the body is not what is wanted here")
		case errors.Is(err, ErrInvalid), errors.Is(err, errOurs):
			err = httpapi.NewProblem(http.StatusBadRequest, "invalid_request", err.Error())
		case errors.Is(err, ErrOften):
			w.Header().Set("Retry-After", "30")
		}
		httpapi.WriteError(w, q, err)
	})
}

var (
	errToken = errors.New("this is no token of a receiver of signals")
	errOurs  = errors.New("what only the transmitter says is otherwise")
)

func read(q *http.Request, into any) error {
	return json.NewDecoder(io.LimitReader(q.Body, maxAnswered)).Decode(into)
}

// view is a stream as its receiver sees it (SSF 1.0 section 8.1.1).
type view struct {
	Stream      string   `json:"stream_id"`
	Issuer      string   `json:"iss"`
	Audience    string   `json:"aud"`
	Delivery    delivery `json:"delivery"`
	Supported   []string `json:"events_supported"`
	Requested   []string `json:"events_requested,omitempty"`
	Delivered   []string `json:"events_delivered"`
	Every       int      `json:"min_verification_interval"`
	Description string   `json:"description,omitempty"`
}

func (t *Transmitter) viewOf(r receiverRow) view {
	v := view{r.Stream, t.PublicURL, r.Audience, delivery{Method: r.Method, Endpoint: r.Endpoint}, Supported(), r.Requested.V, r.sent(), int(minVerify / time.Second), r.Description}
	if r.Method == methodPoll {
		v.Delivery.Endpoint = t.PublicURL + PollPath + r.Stream
	}
	return v
}

// wanted is what a receiver says of its stream.
type wanted struct {
	Stream      string    `json:"stream_id"`
	Delivery    *delivery `json:"delivery"`
	Requested   []string  `json:"events_requested"`
	Description *string   `json:"description"`
}

func (t *Transmitter) take(r *receiverRow, w wanted) error {
	if w.Delivery != nil {
		if err := t.deliver(r, *w.Delivery); err != nil {
			return err
		}
	}
	if w.Description != nil {
		r.Description = short(*w.Description, 200)
	}
	if w.Requested != nil {
		return r.request(w.Requested)
	}
	return nil
}

func receiverActor(r receiverRow) string { return "receiver:" + r.Name }

// changing changes the receiver's own stream.
func (t *Transmitter) changing(ctx context.Context, r receiverRow, stream, action string, fn func(tx *db.Tx, r *receiverRow) error) (receiverRow, error) {
	return t.change(ctx, receiverActor(r), action, "name = ?", r.Name, ErrStream, func(tx *db.Tx, now *receiverRow) error {
		if now.Stream == "" || stream != now.Stream {
			return ErrStream
		}
		return fn(tx, now)
	})
}

// MakeStream makes the receiver's stream (SSF 1.0 section 8.1.1.1): 201, or 409 where it has one.
func (t *Transmitter) MakeStream(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	var in wanted
	if err := read(q, &in); err != nil {
		return err
	}
	if in.Delivery == nil {
		in.Delivery = &delivery{}
	}
	made, err := t.change(q.Context(), receiverActor(r), "transmitter.changed", "name = ?", r.Name, ErrStream, func(_ *db.Tx, now *receiverRow) error {
		if now.Stream != "" {
			return ErrExists
		}
		now.Stream, now.Status, now.Reason = rand.Text(), statusEnabled, ""
		return t.take(now, in)
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, t.viewOf(made))
	return nil
}

// ShowStream answers the receiver's streams, or the one that the query names (section 8.1.1.2).
func (t *Transmitter) ShowStream(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	if stream, one := q.URL.Query()["stream_id"]; one {
		if r.Stream == "" || stream[0] != r.Stream {
			return ErrStream
		}
		answer(w, http.StatusOK, t.viewOf(r))
		return nil
	}
	list := []view{}
	if r.Stream != "" {
		list = append(list, t.viewOf(r))
	}
	answer(w, http.StatusOK, list)
	return nil
}

// ChangeStream updates (PATCH, section 8.1.1.3) or replaces (PUT, section 8.1.1.4) the configuration of the receiver's stream.
func (t *Transmitter) ChangeStream(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	var raw map[string]json.RawMessage
	if err := read(q, &raw); err != nil {
		return err
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	var in wanted
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	if in.Stream == "" {
		return ErrInvalid
	}
	if d := in.Delivery; d != nil && (d.Method == methodPoll || d.Method == "") {
		d.Endpoint = "" // ours
	}
	changed, err := t.changing(q.Context(), r, in.Stream, "transmitter.changed", func(_ *db.Tx, now *receiverRow) error {
		if !same(raw, t.viewOf(*now), "iss", "aud", "events_supported", "events_delivered", "min_verification_interval") {
			return errOurs
		}
		if q.Method == http.MethodPut {
			now.Requested.V, now.Description = nil, ""
			if in.Delivery == nil {
				in.Delivery = &delivery{}
			}
		}
		return t.take(now, in)
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, t.viewOf(changed))
	return nil
}

// same tells whether what a receiver says of these properties, where it says something, is what we say.
func same(said map[string]json.RawMessage, ours view, keys ...string) bool {
	text, err := json.Marshal(ours)
	var is map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &is) != nil {
		return false
	}
	return !slices.ContainsFunc(keys, func(key string) bool {
		var a, b any
		return said[key] != nil && (json.Unmarshal(said[key], &a) != nil || json.Unmarshal(is[key], &b) != nil || !reflect.DeepEqual(a, b))
	})
}

// DropStream deletes the receiver's stream (section 8.1.1.5): 204.
func (t *Transmitter) DropStream(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	_, err := t.changing(q.Context(), r, q.URL.Query().Get("stream_id"), "transmitter.changed", func(_ *db.Tx, now *receiverRow) error {
		now.Stream, now.Method, now.Endpoint, now.Sealed, now.Requested.V, now.Description = "", "", "", "", nil, ""
		return nil
	})
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// streamStatus is how a stream stands (SSF 1.0 section 8.1.2).
type streamStatus struct {
	Stream string `json:"stream_id"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// ShowStatus answers it.
func (t *Transmitter) ShowStatus(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	if r.Stream == "" || q.URL.Query().Get("stream_id") != r.Stream {
		return ErrStream
	}
	answer(w, http.StatusOK, streamStatus{r.Stream, r.Status, r.Reason})
	return nil
}

// ChangeStatus changes it, as the receiver says.
func (t *Transmitter) ChangeStatus(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	var in streamStatus
	if err := read(q, &in); err != nil {
		return err
	}
	now, err := t.changing(q.Context(), r, in.Stream, "transmitter.changed", func(tx *db.Tx, now *receiverRow) error {
		return t.turn(tx, now, in.Status, short(in.Reason, 200), false)
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, streamStatus{now.Stream, now.Status, now.Reason})
	return nil
}

// VerifyStream sends the receiver the event that it asks for (section 8.1.4.2): 204.
func (t *Transmitter) VerifyStream(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	var in struct {
		Stream string `json:"stream_id"`
		State  string `json:"state"`
	}
	if err := read(q, &in); err != nil {
		return err
	}
	_, err := t.changing(q.Context(), r, in.Stream, "", func(tx *db.Tx, now *receiverRow) error {
		if t.clock().Before(now.VerifiedAt.Add(minVerify)) {
			return ErrOften
		}
		now.VerifiedAt = db.At(t.clock())
		event := map[string]any{}
		if in.State != "" {
			event["state"] = in.State
		}
		return t.enqueue(tx, now, "", verification, ofItself(now.Stream), event)
	})
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// Poll answers what waits for a stream that is polled (RFC 8936 section 2), after it took what the receiver says of what it has. Without returnImmediately
// it waits a while for something.
func (t *Transmitter) Poll(w http.ResponseWriter, q *http.Request, r receiverRow) error {
	in := struct {
		Most        *int                `json:"maxEvents"`
		Immediately bool                `json:"returnImmediately"`
		Ack         []string            `json:"ack"`
		Errors      map[string]setError `json:"setErrs"`
	}{}
	if err := read(q, &in); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	ctx, stream := q.Context(), q.PathValue("stream")
	if stream != r.Stream || r.Method != methodPoll {
		return ErrStream
	}
	if len(in.Ack)+len(in.Errors) > 0 {
		if err := t.done(ctx, stream, in.Ack, in.Errors); err != nil {
			return err
		}
	}
	most := usualBatch
	if in.Most != nil {
		most = min(max(*in.Most, 0), largest)
	}
	sets, more := map[string]string{}, false
	for until := time.Now().Add(longPoll); most > 0; {
		wake := t.woken()
		var found []queued
		var err error
		if found, more, err = t.waiting(ctx, r, most); err != nil {
			return err
		}
		var s jose.Signer
		if len(found) > 0 {
			if s, err = t.signer(ctx); err != nil {
				return err
			}
		}
		for _, e := range found {
			if sets[e.JTI], err = signed(s, e.Claims); err != nil {
				return err
			}
		}
		if len(found) > 0 || in.Immediately || !time.Now().Before(until) || !wait(ctx, wake, tick) {
			break
		}
		if r, err = one(t.DB.Read(ctx), ErrStream, "name = ? and stream = ?", r.Name, stream); err != nil {
			return err
		}
	}
	answer(w, http.StatusOK, map[string]any{"sets": sets, "moreAvailable": more})
	return nil
}
