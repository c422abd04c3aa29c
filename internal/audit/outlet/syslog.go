package outlet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rollcall-im/rollcall/internal/audit"
)

const (
	auditNotice = 13<<3 | 5 // facility log audit, severity notice (RFC 5424 section 6.2.1)
	auditInfo   = 13<<3 | 6
	// doubt is how long what a syslog server's machine has acknowledged may still be lost by the server: it acknowledges nothing itself. What
	// was sent in that time before a connection broke is sent again.
	doubt        = 30 * time.Second
	drainEvery   = 5 * time.Millisecond
	mostSequence = 1<<31 - 1 // of a sequenceId (RFC 5424 section 7.3.1)
)

// syslog is a syslog server by TCP, with octet counting (RFC 5425 section 4.3, RFC 6587 section 3.4.1).
type syslog struct {
	conn   net.Conn
	raw    syscall.RawConn
	node   string
	linger time.Duration
	now    func() time.Time
	lost   chan error
	sent   []sent // not older than doubt, and one before
	sure   int64
}

// sent is up to which record was sent, when.
type sent struct {
	next int64
	at   time.Time
}

func (c Config) openSyslog(ctx context.Context, u *url.URL, node string, now func() time.Time) (*syslog, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	s := &syslog{conn: plain, node: printable(node), linger: c.Linger, now: now, lost: make(chan error, 1)}
	if s.raw, err = plain.(*net.TCPConn).SyscallConn(); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	if u.Scheme == "syslog+tls" {
		checked, err := c.tls()
		if err != nil {
			return nil, errors.Join(err, plain.Close())
		}
		checked.ServerName = u.Hostname()
		secured := tls.Client(plain, checked)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, plain.Close())
		}
		s.conn = secured
	}
	go s.listen()
	return s, nil
}

// listen notes that the server went: it has nothing to say.
func (s *syslog) listen() {
	buffer := make([]byte, 256)
	for {
		if _, err := s.conn.Read(buffer); err != nil {
			s.lost <- fmt.Errorf("the syslog server closed the connection: %w", err)
			return
		}
	}
}

// Linger implements sink.
func (s *syslog) Linger() time.Duration { return s.linger }

// Send implements sink: it answers after the server's machine has acknowledged every byte.
func (s *syslog) Send(ctx context.Context, p Part) error {
	select {
	case err := <-s.lost:
		s.lost <- err
		return err
	default:
	}
	var out []byte
	for _, l := range p.Records {
		message, err := record(s.node, l)
		if err != nil {
			return err
		}
		out = frame(out, message)
	}
	if p.Checkpoint != "" {
		out = frame(out, header(auditInfo, s.now(), s.node, "audit.checkpoint", 0)+content(strings.ReplaceAll(p.Checkpoint, "\n", `\n`)))
	}
	deadline, _ := ctx.Deadline()
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := s.conn.Write(out); err != nil {
		return err
	}
	if err := s.drained(ctx); err != nil {
		return err
	}
	if n := len(p.Records); n > 0 {
		s.sent = append(s.sent, sent{p.Records[n-1].Seq + 1, s.now()})
	}
	return nil
}

// Sure implements sink.
func (s *syslog) Sure(now time.Time) int64 {
	select {
	case err := <-s.lost:
		s.lost <- err
		return s.sure
	default:
	}
	for len(s.sent) > 0 && now.Sub(s.sent[0].at) >= doubt {
		s.sure, s.sent = s.sent[0].next, s.sent[1:]
	}
	return s.sure
}

// drained waits until the other machine has acknowledged all that was written.
func (s *syslog) drained(ctx context.Context) error {
	for {
		var waiting int
		var failed error
		if err := s.raw.Control(func(fd uintptr) { waiting, failed = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil || failed != nil {
			return errors.Join(err, failed)
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the syslog server does not take what it is sent: %w", ctx.Err())
		case err := <-s.lost:
			s.lost <- err
			return err
		case <-time.After(drainEvery):
		}
	}
}

// Close implements sink.
func (s *syslog) Close() error {
	err := s.conn.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func frame(out []byte, message string) []byte {
	return fmt.Appendf(out, "%d %s", len(message), message)
}

// record is one record as a message: its action is the MSGID, its number is the sequenceId, its text is the leaf as it was hashed.
func record(node string, l audit.Leaf) (string, error) {
	r, err := l.Record()
	if err != nil {
		return "", err
	}
	return header(auditNotice, r.At, node, r.Action, l.Seq%mostSequence+1) + content(l.Text), nil
}

// header is the header of RFC 5424 section 6.2, with the sequenceId of section 7.3.1 where it is not 0.
func header(priority int, at time.Time, node, action string, sequence int64) string {
	data := "-"
	if sequence > 0 {
		data = fmt.Sprintf(`[meta sequenceId="%d"]`, sequence)
	}
	return fmt.Sprintf("<%d>1 %s %s rollcall - %s %s ", priority, at.UTC().Format("2006-01-02T15:04:05.000000Z"), node, msgID(action), data)
}

func msgID(action string) string {
	if action = printable(action); len(action) > 32 {
		return action[:32]
	}
	return action
}

// printable keeps what may stand in a header.
func printable(text string) string {
	out := strings.Map(func(r rune) rune {
		if r < 33 || r > 126 {
			return -1
		}
		return r
	}, text)
	if out == "" {
		return "-"
	}
	return out
}

// content marks what is not ASCII as UTF-8 (RFC 5424 section 6.4).
func content(text string) string {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return "\ufeff" + text
		}
	}
	return text
}
