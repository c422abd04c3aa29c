package main

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/outbound"
	"github.com/rollcall-im/rollcall/internal/sms"
	"github.com/rollcall-im/rollcall/internal/webhook"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

// SMS says to which address short messages are handed, for guests who are known by a number. Empty URL: to none, and nobody is let in by a number.
type SMS struct {
	URL    string `koanf:"url"`
	Secret string `koanf:"secret"` // whsec_…, by which they are signed
}

func (s SMS) check(bad func(key, format string, args ...any)) {
	if s.URL == "" && s.Secret == "" {
		return
	}
	if err := sms.CheckURL(s.URL, outbound.Loopback); err != nil {
		bad("sms.url", "%v", err)
	}
	if _, err := webhook.Secret(s.Secret); err != nil {
		bad("sms.secret", "%v", err)
	}
}

// texter answers what hands short messages on; nil: nothing does.
func (a *app) texter() guests.Texter {
	secret, err := webhook.Secret(a.cfg.SMS.Secret)
	if a.cfg.SMS.URL == "" || err != nil {
		return nil
	}
	return &sms.Sender{URL: a.cfg.SMS.URL, Secret: secret, Client: a.way.Client(20 * time.Second)}
}
