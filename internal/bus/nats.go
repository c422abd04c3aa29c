package bus

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/rollcall-im/rollcall/internal/outbound"
)

// NATS is the bus of a deployment of several nodes, by core publish and subscribe: what is sent while the server is out of reach is lost.
type NATS struct {
	conn   *nats.Conn
	prefix string

	mu   sync.Mutex
	back []func()
}

// Options say where the servers are and who this node is to them.
type Options struct {
	URL        string // nats:// or tls://, with commas between several; a user and password may stand in each
	Deployment string // told apart from others on the same servers
	Node       string
	NKey       string // seed of a key of the kind that begins with SU; empty: none
	CA         string // PEM of who signed the servers' certificates; empty: whom the machine believes
	// Certificate and Key, PEM, are this node's own to the servers; empty: none.
	Certificate, Key string
	Roots            func() *x509.CertPool // without CA: who is believed at the next connection; nil, or what answers nil: whom the machine believes
	Log              *slog.Logger
}

// Proven tells whether somebody who is not given the secrets of o may not say a word on this bus: each server is on this machine, or asks for a
// password, a key or a certificate.
func (o Options) Proven() bool {
	if o.NKey != "" || o.Certificate != "" {
		return true
	}
	for _, one := range strings.Split(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			return false
		}
		if _, secret := u.User.Password(); !secret && !outbound.Loopback(u.Hostname()) {
			return false
		}
	}
	return true
}

// secrets is what o proves who this node is with.
func (o Options) secrets() (all []nats.Option, err error) {
	if o.NKey != "" {
		pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(o.NKey)))
		if err != nil {
			return nil, errors.New("the key of this node is no seed of an nkey")
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, errors.New("the key of this node is no seed of an nkey")
		}
		all = append(all, nats.Nkey(public, pair.Sign))
	}
	if o.CA == "" && o.Roots != nil {
		all = append(all, believing(o.Roots))
	}
	if o.CA == "" && o.Certificate == "" {
		return all, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(o.CA)) {
			return nil, errors.New("the authority of the servers' certificates is no PEM")
		}
	}
	if o.Certificate != "" {
		own, err := tls.X509KeyPair([]byte(o.Certificate), []byte(o.Key))
		if err != nil {
			return nil, errors.New("the certificate of this node and its key do not go together")
		}
		config.Certificates = []tls.Certificate{own}
	}
	return append(all, nats.Secure(config)), nil
}

// believing asks at each connection by TLS who is believed. It asks no server for TLS that does not want it.
func believing(roots func() *x509.CertPool) nats.Option {
	return func(o *nats.Options) error {
		o.RootCAsCB = func() (*x509.CertPool, error) {
			if pool := roots(); pool != nil {
				return pool, nil
			}
			return x509.SystemCertPool()
		}
		return nil
	}
}

// Check tells what of o cannot be used, before anything is connected.
func (o Options) Check() error {
	_, err := o.secrets()
	return err
}

// Connect makes a bus over NATS servers. It returns at once where no server answers yet, and tries until Close.
func Connect(o Options) (*NATS, error) {
	log := o.Log
	secrets, err := o.secrets()
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	b := &NATS{prefix: "rollcall." + token(o.Deployment) + "."}
	b.conn, err = nats.Connect(o.URL, append(secrets, nats.Name("rollcall "+o.Node), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a password that is changed there first is changed here, too, and until then this is a bus that is lost
		nats.ReconnectWait(100*time.Millisecond), nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond), nats.Timeout(2*time.Second),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2), // what hangs is noticed after some seconds
		nats.ReconnectBufSize(-1), // a nudge that is late is no nudge
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("the bus between the nodes is lost, they look for themselves until it is back", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			log.Info("the bus between the nodes is back", "server", c.ConnectedUrlRedacted())
			b.returned()
		}),
		nats.ConnectHandler(func(c *nats.Conn) {
			log.Info("on the bus between the nodes", "server", c.ConnectedUrlRedacted())
			b.returned()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			log.Warn("the bus between the nodes", "subject", subject, "error", err)
		}))...)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	if !b.Connected() {
		log.Warn("the bus between the nodes is not reached, they look for themselves until it is", "error", b.conn.LastError())
	}
	return b, nil
}

// token makes text fit for one part of a subject.
func token(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(".*> \t\r\n", r) {
			return '-'
		}
		return r
	}, text)
}

// Returned has fn called each time the bus is reached again: what was said in between is lost.
func (b *NATS) Returned(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back = append(b.back, fn)
}

func (b *NATS) returned() {
	b.mu.Lock()
	all := b.back
	b.mu.Unlock()
	for _, fn := range all {
		fn()
	}
}

// Connected tells whether a server is reached.
func (b *NATS) Connected() bool { return b.conn.IsConnected() }

// headerFormat names the version of a notice's format, beside the notice and not in it: nodes that are older than this header read format 1 as ever.
const headerFormat = "Rollcall-Format"

// Publish says it to all nodes, this one included; while no server is reached it says it to nobody, and that is no error.
func (b *NATS) Publish(subject Subject, data []byte) error {
	m := nats.NewMsg(b.prefix + subject.name())
	m.Header.Set(headerFormat, subject.format())
	m.Data = data
	err := b.conn.PublishMsg(m)
	if errors.Is(err, nats.ErrHeadersNotSupported) && !b.conn.IsConnected() { // it has not been reached yet
		return nil
	}
	if errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) {
		return nil
	}
	return err
}

// Subscribe calls fn for each notice, one at a time and in order, until stop is called; with nil for one in another format.
func (b *NATS) Subscribe(subject Subject, fn func([]byte)) (func(), error) {
	s, err := b.conn.Subscribe(b.prefix+subject.name(), func(m *nats.Msg) {
		data := m.Data
		if cmp.Or(m.Header.Get(headerFormat), "1") != subject.format() {
			data = nil
		}
		fn(data)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject.name(), err)
	}
	return func() { _ = s.Unsubscribe() }, nil // it fails where the bus is closed, which ends it too
}

// Close ends every subscription.
func (b *NATS) Close() error {
	b.conn.Close()
	return nil
}
