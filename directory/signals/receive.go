package signals

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// RevocationPath is the path of global token revocation, which its proof names as its audience.
const RevocationPath = "/auth/global-token-revocation"

// Push takes a security event token (RFC 8935): 202 once it is in force on every node, 400 with err and description where it is not good.
func (r *Receiver) Push(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || kind != "application/secevent+jwt" {
		r.refuse(w, q, errRequest)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(q.Body, maxToken+1))
	if err != nil || len(raw) > maxToken {
		r.refuse(w, q, errRequest)
		return
	}
	if err := r.receive(q, string(raw)); err != nil {
		r.refuse(w, q, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (r *Receiver) receive(q *http.Request, raw string) error {
	c, t, err := r.verify(q.Context(), strings.TrimSpace(raw), "secevent+jwt", "")
	if err != nil {
		return err
	}
	return r.act(q.Context(), t, c)
}

// code answers the error code of RFC 8935 section 2.4; empty: it is no fault of the token.
func code(err error) string {
	for _, one := range []struct {
		err  error
		code string
	}{{errRequest, "invalid_request"}, {errSubject, "invalid_request"}, {errToken, "authentication_failed"}, {errIssuer, "invalid_issuer"}, {errAudience, "invalid_audience"}} {
		if errors.Is(err, one.err) {
			return one.code
		}
	}
	return ""
}

func (r *Receiver) refuse(w http.ResponseWriter, q *http.Request, err error) {
	c := code(err)
	if c == "" {
		if errors.Is(err, errKeys) {
			r.Log.WarnContext(q.Context(), "keys of a transmitter of signals cannot be read", "error", err)
			err = httpapi.NewProblem(http.StatusServiceUnavailable, "idp_unavailable", "the transmitter's keys cannot be read now")
		}
		httpapi.WriteError(w, q, err)
		return
	}
	r.Log.InfoContext(q.Context(), "signal refused", "request", httpapi.RequestFrom(q.Context()), "code", c)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(map[string]string{"err": c, "description": text(err)})
}

// text says what is wrong without what the sender wrote.
func text(err error) string {
	for _, one := range []error{errRequest, errSubject, errToken, errIssuer, errAudience} {
		if errors.Is(err, one) {
			return one.Error()
		}
	}
	return "refused"
}

// Revoke ends everything that a subject has (global token revocation): 204 once it has ended on every node, 401 without a good proof, 400 where the body
// names nobody, 404 where nobody is known by that name. The proof is a JWT of a configured transmitter for this very address, and is taken once.
func (r *Receiver) Revoke(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	proof := httpapi.Bearer(q)
	if proof == "" {
		r.unproven(w, q)
		return
	}
	ctx := q.Context()
	c, t, err := r.verify(ctx, proof, "", r.PublicURL+RevocationPath)
	switch {
	case errors.Is(err, errKeys):
		r.refuse(w, q, err)
		return
	case err != nil || c.Expiry == 0:
		r.unproven(w, q)
		return
	}
	var body struct {
		SubID   *subject `json:"sub_id"`
		Subject *subject `json:"subject"` // of older editions
	}
	if err := json.NewDecoder(io.LimitReader(q.Body, maxToken)).Decode(&body); err != nil || body.SubID == nil && body.Subject == nil {
		httpapi.WriteError(w, q, httpapi.NewProblem(http.StatusBadRequest, "invalid_request", errSubject.Error()))
		return
	}
	if body.SubID == nil {
		body.SubID = body.Subject
	}
	people, err := r.find(ctx, t, *body.SubID)
	switch {
	case errors.Is(err, errSubject):
		httpapi.WriteError(w, q, httpapi.NewProblem(http.StatusBadRequest, "invalid_request", errSubject.Error()))
		return
	case err == nil && len(people) == 0:
		httpapi.WriteError(w, q, httpapi.NewProblem(http.StatusNotFound, "person_not_found", "nobody signed in here as this subject"))
		return
	case err == nil:
		err = r.endAll(q, t, c.ID, people)
	}
	switch {
	case errors.Is(err, errToken):
		r.unproven(w, q)
	case err != nil:
		httpapi.WriteError(w, q, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// endAll ends all of these people's sessions and tokens; a proof that was used before ends nothing.
func (r *Receiver) endAll(q *http.Request, t Transmitter, jti string, people []id.Person) error {
	const mark = "revocation " // a name of its own beside those of event tokens
	if done, err := r.taken(q.Context(), t, mark+jti); err != nil || done {
		return errors.Join(err, errToken)
	}
	for _, person := range people {
		if err := r.Sessions.EndPerson(q.Context(), person, t.actor(), "global-token-revocation"); err != nil {
			return err
		}
	}
	return r.take(q.Context(), t, mark+jti)
}

func (r *Receiver) unproven(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	httpapi.WriteError(w, q, httpapi.NewProblem(http.StatusUnauthorized, "token_invalid", "the proof is not good"))
}
