package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// NATS is the bus of a deployment of several nodes, by core publish and subscribe: what is sent while the server is out of reach is lost.
type NATS struct {
	conn   *nats.Conn
	prefix string

	mu   sync.Mutex
	back []func()
}

// Connect makes a bus over the NATS servers of url: nats:// or tls://, several with commas between them. Deployments that share servers
// have different names. It returns at once where no server answers yet, and tries until Close.
func Connect(url, deployment, node string, log *slog.Logger) (*NATS, error) {
	b := &NATS{prefix: "rollcall." + token(deployment) + "."}
	var err error
	b.conn, err = nats.Connect(url, nats.Name("rollcall "+node), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
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
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to the bus: %w", err)
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

// Publish says it to all nodes, this one included; while no server is reached it says it to nobody, and that is no error.
func (b *NATS) Publish(subject string, data []byte) error {
	err := b.conn.Publish(b.prefix+subject, data)
	if errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrConnectionReconnecting) {
		return nil
	}
	return err
}

// Subscribe calls fn for each notice, one at a time and in order, until stop is called.
func (b *NATS) Subscribe(subject string, fn func([]byte)) (func(), error) {
	s, err := b.conn.Subscribe(b.prefix+subject, func(m *nats.Msg) { fn(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return func() { _ = s.Unsubscribe() }, nil // it fails where the bus is closed, which ends it too
}

// Close ends every subscription.
func (b *NATS) Close() error {
	b.conn.Close()
	return nil
}
