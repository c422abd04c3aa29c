package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

// Codes by time (RFC 6238) with what every authenticator knows: SHA-1, six digits, steps of 30 seconds, and one step of leeway on both
// sides, for clocks and slow fingers (section 5.2).
const (
	totpStep   = 30
	totpDigits = 6
	totpLeeway = 1
)

// newTOTP makes a secret of 160 bits (RFC 4226 section 4), as people type it.
func newTOTP() string {
	var raw [20]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return base32.StdEncoding.EncodeToString(raw[:])
}

// codeOf answers the code of a step (RFC 4226 section 5.3).
func codeOf(secret string, step int64) (string, error) {
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		return "", err
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	value := binary.BigEndian.Uint32(sum[offset:offset+4]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, value%1_000_000), nil
}

// stepFor answers the step whose code this is at now, newer than last; ok is false where there is none.
func stepFor(secret, code string, last int64, now time.Time) (step int64, ok bool, err error) {
	at := now.Unix() / totpStep
	for s := at - totpLeeway; s <= at+totpLeeway; s++ {
		want, err := codeOf(secret, s)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && s > last && !ok {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// otpauth is what an authenticator reads as a picture.
func otpauth(issuer, account, secret string) string {
	query := url.Values{"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {fmt.Sprint(totpDigits)}, "period": {fmt.Sprint(totpStep)}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + query.Encode()
}
