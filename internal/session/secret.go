package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

const (
	tokenPrefix = "rct_"
	secretChars = 52 // 256 bits
	checkChars  = 7  // CRC-32, so that scanners can tell a token from noise and typing errors cost no query
)

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

func encode(b []byte) string {
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(b)
}

// random makes a secret of 256 bits.
func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return encode(raw[:])
}

// newToken makes an API token: prefix, secret, check sum.
func newToken() string {
	secret := random()
	return tokenPrefix + secret + check(secret)
}

func check(secret string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(secret)))
	return encode(sum[:])
}

// wellFormed tells whether token could be one of ours.
func wellFormed(token string) bool {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	return ok && len(rest) == secretChars+checkChars && check(rest[:secretChars]) == rest[secretChars:]
}

// hashed is how a secret is kept. 256 random bits need no slow hash.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
