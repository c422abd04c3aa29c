package mail_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/mail"
	"github.com/rollcall-im/rollcall/internal/mail/mailtest"
)

const (
	secret = "s3cr3t-canary-7531"
	to     = "wei@acme.example"
)

func start(t *testing.T, implicit bool, authority string) (*mailtest.Sink, *mail.Sender) {
	t.Helper()
	dir := t.TempDir()
	ldaptest.Certificates(t, dir)
	sink, err := mailtest.Start(filepath.Join(dir, "srv.pem"), filepath.Join(dir, "srv.key"), implicit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	text, err := os.ReadFile(filepath.Join(dir, authority))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	o := mail.Options{Server: sink.Addr, Security: mail.StartTLS, User: "rollcall", Password: secret, From: "点名 <rollcall@corp.example>", Roots: func() *x509.CertPool { return roots }}
	if implicit {
		o.Security = mail.TLS
	}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	return sink, &mail.Sender{Options: o}
}

func TestSend(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		sink, s := start(t, implicit, "ca.pem")
		text := "你好\n.\nhello " + strings.Repeat("long ", 100)
		if err := s.Send(t.Context(), mail.Message{To: to, Subject: "邀请 · Invitation", Text: text}); err != nil {
			t.Fatal(err)
		}
		got := sink.Taken()
		if len(got) != 1 || got[0].To != to || got[0].From != "rollcall@corp.example" || got[0].Subject != "邀请 · Invitation" || got[0].Text != text || !got[0].Secure || got[0].User != "rollcall" || got[0].Secret != secret {
			t.Errorf("implicit %v: %+v", implicit, got)
		}
	}
}

// A server, or somebody before it, that offers no TLS, or shows another certificate, is told nothing: no name, no password, no address.
func TestNothingIsSaidWithoutTLS(t *testing.T) {
	sink, s := start(t, false, "ca.pem")
	sink.Strip()
	err := s.Send(t.Context(), mail.Message{To: to, Subject: "x", Text: secret})
	check(t, err, false)
	for _, line := range sink.Said() {
		if verb, _, _ := strings.Cut(line, " "); verb != "EHLO" && verb != "STARTTLS" && verb != "QUIT" {
			t.Errorf("it said %q without TLS", line)
		}
	}
	other, s := start(t, false, "other.pem")
	check(t, s.Send(t.Context(), mail.Message{To: to, Subject: "x", Text: secret}), false)
	direct, s := start(t, true, "other.pem")
	check(t, s.Send(t.Context(), mail.Message{To: to, Subject: "x", Text: secret}), false)
	if n := len(sink.Taken()) + len(other.Taken()) + len(direct.Taken()); n > 0 {
		t.Errorf("%d messages went out", n)
	}
}

// What the server says may quote the message: no error tells it. Only what it says of this message is for good.
func TestErrorsAreQuiet(t *testing.T) {
	sink, s := start(t, false, "ca.pem")
	for _, row := range []struct {
		command, answer string
		forever         bool
	}{{"RCPT", "550 no " + to, true}, {"RCPT", "450 later " + to, false}, {"AUTH", "535 not " + secret, false}, {"MAIL", "553 not you", false}, {".", "554 spam: " + secret, true}} {
		sink.Refuse(row.command, row.answer)
		check(t, s.Send(t.Context(), mail.Message{To: to, Subject: "x", Text: secret}), row.forever)
		sink.Refuse(row.command, "")
	}
	for _, m := range []mail.Message{{To: "a@b.example\r\nBcc: c@d.example"}, {To: "a@b.example> SIZE=1"}, {To: "nobody"}, {To: to, Subject: "x\r\nBcc: c@d.example"}} {
		check(t, s.Send(t.Context(), m), true)
	}
	if got := sink.Taken(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func check(t *testing.T, err error, forever bool) {
	t.Helper()
	var said *mail.Error
	if !errors.As(err, &said) || said.Forever != forever || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "acme") {
		t.Errorf("%v, for good: %v", err, !forever)
	}
}

func TestOptions(t *testing.T) {
	good := mail.Options{Server: "mail.corp.example:587", Security: mail.StartTLS, From: "rollcall@corp.example"}
	for _, row := range []struct {
		change func(*mail.Options)
		want   error
	}{
		{func(*mail.Options) {}, nil},
		{func(o *mail.Options) { o.Server = "mail.corp.example" }, mail.ErrServer},
		{func(o *mail.Options) { o.Security = "none" }, mail.ErrSecurity},
		{func(o *mail.Options) { o.From = "Rollcall" }, mail.ErrFrom},
		{func(o *mail.Options) { o.User = "rollcall" }, mail.ErrUser},
	} {
		o := good
		row.change(&o)
		if err := o.Check(); !errors.Is(err, row.want) {
			t.Errorf("%+v: %v, not %v", o, err, row.want)
		}
	}
}
