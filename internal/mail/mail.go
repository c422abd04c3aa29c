// Package mail sends e-mail by SMTP (RFC 5321), and composes what it sends. It guarantees that nothing crosses the network readable: TLS from the first byte (RFC 8314 section 3.3), or
// STARTTLS (RFC 3207) before anything is said, and never without either, whatever the server offers; that no header takes more than it was given; and that no error holds an address, a
// password or what was to be sent. It keeps nothing and tries nothing twice: who sends does.
package mail

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net"
	netmail "net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// How the server is spoken to.
const (
	StartTLS = "starttls" // plain, and TLS before anything is said
	TLS      = "tls"      // from the first byte on
)

// timeout is for one message, from the first byte to the last.
const timeout = 30 * time.Second

// Options say by which server mail goes out.
type Options struct {
	Server   string // host:port
	Security string // StartTLS or TLS
	User     string // empty: nobody signs in
	Password string
	From     string                // an address, with a name or without: Rollcall <rollcall@corp.example>
	Roots    func() *x509.CertPool // whose certificates are believed; nil, or where it answers nil: whom the machine believes
}

// The errors of Options, each about one of its fields.
var (
	ErrServer   = errors.New("wants host:port")
	ErrSecurity = errors.New("wants " + StartTLS + " or " + TLS)
	ErrFrom     = errors.New("wants an e-mail address, as Rollcall <rollcall@corp.example>")
	ErrUser     = errors.New("a user wants a password, and a password a user")
)

// Check answers what is wrong with o: one of the errors above, or nil.
func (o Options) Check() error {
	host, port, err := net.SplitHostPort(o.Server)
	from, errFrom := netmail.ParseAddress(o.From)
	switch {
	case err != nil || host == "" || port == "":
		return ErrServer
	case o.Security != StartTLS && o.Security != TLS:
		return ErrSecurity
	case errFrom != nil || !plain(from.Address):
		return ErrFrom
	case (o.User == "") != (o.Password == ""):
		return ErrUser
	}
	return nil
}

// Message is one e-mail of plain text to one address.
type Message struct {
	To      string // an address alone, in ASCII
	Subject string // one line
	Text    string
}

// Error is that a message was not taken. Its text tells no address and nothing that the server said: both may quote the message.
type Error struct {
	Step string // what was under way
	Code int    // the server's (RFC 5321 section 4.2); 0: it gave none
	// Forever says that trying again is of no use: the server refused this message or its address for good.
	Forever bool
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return "mail: " + e.Step
	}
	return fmt.Sprintf("mail: %s: the server answered %d", e.Step, e.Code)
}

// of makes an Error of err. A server that refuses the session, the sender or the sign-in is set up wrongly, which somebody may put right: only what it says of this one
// message is for good.
func of(step string, err error, about bool) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return &Error{Step: step}
	}
	return &Error{Step: step, Code: said.Code, Forever: about && said.Code >= 500}
}

// Sender sends by one server. It is safe for concurrent use.
type Sender struct {
	Options
	Now func() time.Time // nil: time.Now
}

// Send hands m to the server, and returns when it has taken it. An *Error where it has not, or where nobody knows whether it has.
func (s *Sender) Send(ctx context.Context, m Message) error {
	from, err := netmail.ParseAddress(s.From)
	if err != nil || !plain(m.To) || !plain(from.Address) || strings.ContainsAny(m.Subject, "\r\n") {
		return &Error{Step: "compose", Forever: true}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host, _, _ := net.SplitHostPort(s.Server)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return of("connect", err, false)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.Roots != nil {
		secure.RootCAs = s.Roots()
	}
	if s.Security == TLS {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return of("greet", err, false)
	}
	defer c.Close()
	if s.Security != TLS {
		if err := c.StartTLS(secure); err != nil { // a server that does not offer it is refused here: nothing was said yet
			return of("start tls", err, false)
		}
	}
	if s.User != "" {
		if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
			return of("sign in", err, false)
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return of("sender", err, false)
	}
	if err := c.Rcpt(m.To); err != nil {
		return of("recipient", err, true)
	}
	w, err := c.Data()
	if err != nil {
		return of("data", err, true)
	}
	if _, err := w.Write(s.compose(from, m)); err != nil {
		return of("data", err, false)
	}
	if err := w.Close(); err != nil {
		return of("data", err, true)
	}
	_ = c.Quit() // it was taken
	return nil
}

// compose answers m as it travels (RFC 5322), in base64, which no server on the way breaks.
func (s *Sender) compose(from *netmail.Address, m Message) []byte {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	var raw [16]byte
	rand.Read(raw[:])
	_, domain, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", from.String()}, {"To", m.To}, {"Subject", mime.BEncoding.Encode("utf-8", m.Subject)},
		{"Date", now().UTC().Format(time.RFC1123Z)}, {"Message-ID", "<" + hex.EncodeToString(raw[:]) + "@" + domain + ">"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834 section 5: nobody's absence answers it
		{"MIME-Version", "1.0"}, {"Content-Type", `text/plain; charset="utf-8"`}, {"Content-Transfer-Encoding", "base64"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	text := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n")))
	for ; len(text) > 76; text = text[76:] { // RFC 2045 section 6.8
		b.WriteString(text[:76] + "\r\n")
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}

// plain tells whether address is one in ASCII that can stand in a command and a header as it is.
func plain(address string) bool {
	at := strings.LastIndex(address, "@")
	return at > 0 && at < len(address)-1 && !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>(),;:\"[]`, r) })
}
