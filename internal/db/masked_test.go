package db

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// Nothing that opens a database or a service is shown, wherever it stands in an address.
func TestMaskedShowsNoSecret(t *testing.T) {
	for address, want := range map[string]string{
		"sqlite:x.db": "sqlite:x.db", "postgres://u@h/d?sslmode=disable": "postgres://u@h/d?sslmode=disable",
		"postgres://u:canary@h/d":                                          "postgres://u:xxxxx@h/d",
		"postgres://h/d?user=u&password=canary":                            "postgres://h/d?user=u&password=***",
		"postgres://h/d?PassWord=can%61ry&sslmode=disable":                 "postgres://h/d?PassWord=***&sslmode=disable",
		"postgres://h/d?p%61ssword=canary":                                 "postgres://h/d?p%61ssword=***",
		"postgres://h/d?sslpassword=canary&passfile=/canary&sslkey=canary": "postgres://h/d?sslpassword=***&passfile=***&sslkey=***",
		"https://h/x?access_token=canary&client_secret=canary;a=b":         "https://h/x?access_token=***&client_secret=***&a=b",
		"postgres://u:can%zzary@h/d":                                       "***",
		"nats://u:canary@h,nats://h2":                                      "nats://u:xxxxx@h,nats://h2",
		"nats://u:can,canary@h":                                            "nats://u:xxxxx@h",
	} {
		if got := Masked(address); got != want || strings.Contains(got, "canary") {
			t.Errorf("%s: %s", address, got)
		}
		if u, err := url.Parse(address); err == nil {
			for _, secret := range []string{u.RawQuery, "plain"} {
				if got := redact(errors.New("cannot parse "+secret), address).Error(); strings.Contains(got, "canary") {
					t.Errorf("%s: %s", address, got)
				}
			}
		}
	}
	if got := redact(errors.New("password canary refused"), "postgres://h/d?p%61ssword=can%61ry").Error(); strings.Contains(got, "canary") {
		t.Error(got)
	}
}
