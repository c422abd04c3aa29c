package hrfeed

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/webhook"
)

// tolerance is how far the clock of a sender may be off.
const tolerance = 5 * time.Minute

// verify checks the signature of a message as Standard Webhooks says: HMAC-SHA256 over id, timestamp and body, of which any one
// in the header may be right. It takes the same time for all that are wrong.
func verify(secret string, header http.Header, body []byte, now time.Time) (message string, err error) {
	key, err := webhook.Secret(secret)
	if err != nil {
		return "", err
	}
	message, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	if message == "" || len(message) > 256 || strings.ContainsFunc(message, func(r rune) bool { return r < '!' || r > '~' }) {
		return "", fmt.Errorf("%w: webhook-id is missing or no id", ErrSignature)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: webhook-timestamp is missing or no number of seconds", ErrSignature)
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return "", fmt.Errorf("%w: webhook-timestamp is more than %s off", ErrSignature, tolerance)
	}
	want, fits := webhook.Sum(key, message, stamp, body), false
	for i, one := range strings.Fields(header.Get("webhook-signature")) {
		given, isV1 := strings.CutPrefix(one, webhook.Version1)
		raw, err := base64.StdEncoding.DecodeString(given)
		if i >= 16 {
			break
		}
		fits = hmac.Equal(want, raw) && isV1 && err == nil || fits
	}
	if !fits {
		return "", fmt.Errorf("%w: webhook-signature does not fit", ErrSignature)
	}
	return message, nil
}

// Hook answers POST /hooks/{id}: a file with a signature, for the source {id} or of that name.
func (a *API) Hook() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, secret := a.hooked(r.PathValue("id"))
		if secret == "" {
			httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusNotFound, "not_found", "there is no hook at this address"))
			return
		}
		body, err := readBody(r)
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		message, err := verify(secret, r.Header, body, a.Feeds.now())
		if err != nil {
			httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusUnauthorized, "signature", err.Error()))
			return
		}
		o, err := orderOf(r, body, "hook")
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		o.Source, o.message, o.Cause = source, message, directory.Cause{Request: httpapi.RequestFrom(r.Context())}
		a.answer(w, r, o)
	})
}

// hooked answers which source has the hook of this id or name, and its secret.
func (a *API) hooked(name string) (id.Source, string) {
	for source, c := range a.Feeds.Configs {
		if string(source) == name || c.Name == name {
			return source, c.Secret
		}
	}
	return "", ""
}
