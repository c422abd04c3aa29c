package main

import (
	"crypto/x509"
	"errors"

	"github.com/rollcall-im/rollcall/internal/mail"
	"github.com/rollcall-im/rollcall/provisioning/guests"
)

// Mail says by which server mail goes out. Empty server: none does, and links for guests are passed on by who invited them.
type Mail struct {
	Server   string `koanf:"server"`   // host:port
	Security string `koanf:"security"` // starttls, tls; nothing goes out without one of them
	User     string `koanf:"user"`     // empty: nobody signs in
	Password string `koanf:"password"`
	From     string `koanf:"from"` // Rollcall <rollcall@corp.example>
}

func (m Mail) options(roots func() *x509.CertPool) mail.Options {
	return mail.Options{Server: m.Server, Security: m.Security, User: m.User, Password: m.Password, From: m.From, Roots: roots}
}

func (m Mail) check(bad func(key, format string, args ...any)) {
	if m.Server == "" {
		return
	}
	err := m.options(nil).Check()
	for key, of := range map[string]error{"server": mail.ErrServer, "security": mail.ErrSecurity, "from": mail.ErrFrom, "password": mail.ErrUser} {
		if errors.Is(err, of) {
			bad("mail."+key, "%v", err)
		}
	}
}

// mailer answers what sends mail; nil: nothing does.
func (a *app) mailer() guests.Mailer {
	if a.cfg.Mail.Server == "" {
		return nil
	}
	return &mail.Sender{Options: a.cfg.Mail.options(a.way.Roots)}
}
