package db

import (
	"net/url"
	"strings"
	"unicode"
)

// Masked answers an address as it may be shown: without its password, and without the value of every parameter that may be a secret.
// Several may stand there with commas between them. What is no address is answered as it is, but for one that cannot be read: that is
// hidden as a whole.
func Masked(address string) string {
	if all := strings.Split(address, ","); len(all) > 1 && !strings.ContainsFunc(address, unicode.IsSpace) {
		several := true
		for i, one := range all {
			several = several && strings.Contains(one, "://")
			all[i] = Masked(one)
		}
		if several {
			return strings.Join(all, ",")
		}
	}
	if !strings.Contains(address, "://") {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "***"
	}
	pairs := strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' })
	masked := false
	for i, pair := range pairs {
		if name, _, valued := strings.Cut(pair, "="); valued && secretName(name) {
			pairs[i], masked = name+"=***", true
		}
	}
	if masked {
		u.RawQuery = strings.Join(pairs, "&")
	}
	if _, set := u.User.Password(); !masked && !set {
		return address
	}
	return u.Redacted()
}

// secretName tells whether a parameter of this name may hold a secret, or say where one is.
func secretName(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "secret", "token", "credential", "signature", "sslkey", "apikey", "api_key", "api-key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// secretsOf answers what is secret in an address, as it stands there and as it is meant.
func secretsOf(u *url.URL) []string {
	var out []string
	if secret, ok := u.User.Password(); ok {
		out = append(out, secret, url.QueryEscape(secret), url.PathEscape(secret))
	}
	for _, pair := range strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if !secretName(name) {
			continue
		}
		out = append(out, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			out = append(out, plain)
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] == "" {
			out = append(out[:i], out[i+1:]...)
		}
	}
	return out
}
