// Package webhook owns how messages between servers are signed: version 1 of Standard Webhooks. It guarantees that whoever signs and whoever
// verifies go by the same bytes; it knows neither what a message says nor how old one may be.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Version1 begins a signature.
const Version1 = "v1,"

// ErrSecret says that a text is no secret.
var ErrSecret = errors.New("wants whsec_ and 24 to 64 bytes in base64")

// Secret reads the secret that both sides hold: whsec_ and 24 to 64 bytes in base64. Anything else is ErrSecret.
func Secret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) < 24 || len(raw) > 64 {
		return nil, ErrSecret
	}
	return raw, nil
}

// Sum is the HMAC-SHA256 of a message: of its id, its timestamp in seconds, and its body.
func Sum(secret []byte, id, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.", id, stamp)
	mac.Write(body)
	return mac.Sum(nil)
}

// Put signs a request whose body this is, as of an instant, and says so in its headers.
func Put(h http.Header, secret []byte, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", Sign(secret, id, stamp, body))
}

// Sign is the value of the header webhook-signature.
func Sign(secret []byte, id, stamp string, body []byte) string {
	return Version1 + base64.StdEncoding.EncodeToString(Sum(secret, id, stamp, body))
}
