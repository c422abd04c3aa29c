// Package mailtest is an SMTP server that keeps what it takes, for tests.
package mailtest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
)

// Mail is one message that was taken.
type Mail struct {
	From, To     string // of the envelope
	Subject      string
	Text         string
	Secure       bool // it came by TLS
	User, Secret string
}

// Sink is a server. It offers STARTTLS and AUTH PLAIN, the latter only behind TLS.
type Sink struct {
	Addr string // host:port

	listener net.Listener
	tls      *tls.Config
	implicit bool
	mu       sync.Mutex
	taken    []Mail
	refuse   map[string]string // command -> answer
	plain    bool
	said     []string
}

// Start starts one with the certificate in two PEM files; implicit: TLS from the first byte.
func Start(cert, key string, implicit bool) (*Sink, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{Addr: l.Addr().String(), listener: l, tls: &tls.Config{Certificates: []tls.Certificate{pair}}, implicit: implicit, refuse: map[string]string{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

// Close ends it.
func (s *Sink) Close() { s.listener.Close() }

// Refuse has a command (RCPT, DATA, MAIL, AUTH; "." for the message itself) answered so from now on; empty: as usual.
func (s *Sink) Refuse(command, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse[command] = answer
}

// Strip has it offer no STARTTLS, as somebody in between would.
func (s *Sink) Strip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plain = true
}

// Taken answers what was taken, the first first.
func (s *Sink) Taken() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.taken...)
}

// Said answers the commands that came without TLS.
func (s *Sink) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...)
}

func (s *Sink) serve(conn net.Conn) {
	defer conn.Close()
	secure := s.implicit
	if secure {
		conn = tls.Server(conn, s.tls)
	}
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	var m Mail
	say("220 sink")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		s.mu.Lock()
		no, strip := s.refuse[verb], s.plain
		if !secure {
			s.said = append(s.said, line)
		}
		s.mu.Unlock()
		if no != "" {
			say("%s", no)
			continue
		}
		switch verb {
		case "EHLO", "HELO":
			say("250-sink")
			if !secure && !strip {
				say("250-STARTTLS")
			}
			if secure {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			if strip {
				say("502 what?")
				continue
			}
			say("220 go on")
			conn, secure = tls.Server(conn, s.tls), true
			in = bufio.NewReader(conn)
		case "AUTH":
			raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if parts := strings.Split(string(raw), "\x00"); len(parts) == 3 {
				m.User, m.Secret = parts[1], parts[2]
			}
			say("235 fine")
		case "MAIL":
			m.From = address(rest)
			say("250 fine")
		case "RCPT":
			m.To = address(rest)
			say("250 fine")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			no := s.refuse["."]
			s.mu.Unlock()
			if no != "" {
				say("%s", no)
				continue
			}
			m.Secure = secure
			if got, err := netmail.ReadMessage(strings.NewReader(text.String())); err == nil {
				m.Subject, _ = new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
				body, _ := io.ReadAll(base64.NewDecoder(base64.StdEncoding, got.Body))
				m.Text = strings.ReplaceAll(string(body), "\r\n", "\n")
			}
			s.mu.Lock()
			s.taken = append(s.taken, m)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	rest, _, _ = strings.Cut(rest, ">")
	return rest
}
