package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Cluster says how this node finds the others. Without a bus it is the only one.
type Cluster struct {
	Bus        string        `koanf:"bus"`          // NATS servers, nats://… with commas between; the same for all nodes
	NKey       string        `koanf:"bus_nkey"`     // seed of this deployment's key to them
	CA         string        `koanf:"bus_ca"`       // PEM of who signed their certificates, as bus_ca_file
	Cert       string        `koanf:"bus_cert"`     // PEM of this node's certificate to them, as bus_cert_file
	Key        string        `koanf:"bus_key"`      // and of its key
	Insecure   bool          `koanf:"insecure_bus"` // whoever reaches the servers may speak there
	Node       string        `koanf:"node"`         // this node's name, the same after a restart; empty: the name of the host
	Deployment string        `koanf:"deployment"`   // told apart from others on the same NATS servers
	Lease      time.Duration `koanf:"lease"`        // how long a node answers without hearing from the database; the same for all nodes
	Address    string        `koanf:"address"`      // http://host:port where the others reach this node; empty: what it listens on

	roots func() *x509.CertPool // without CA: who is believed on the bus; nil: whom the machine believes
}

// reached completes where a node that listens on at is reached by the others: on every address means by the host's name, or, alone, on itself.
func (c *Cluster) reached(at net.Addr) {
	tcp, ok := at.(*net.TCPAddr)
	if c.Address != "" || !ok {
		return
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
		if name, err := os.Hostname(); err == nil && c.Bus != "" {
			host = name
		}
	}
	c.Address = "http://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

func (c Cluster) check(bad func(key, format string, args ...any), database string) {
	if c.Lease < authz.MinTTL || c.Lease > time.Minute {
		bad("cluster.lease", "wants a duration from %s to 1m, not %s", authz.MinTTL, c.Lease)
	}
	if c.Bus == "" {
		for key, set := range map[string]bool{"node": c.Node != "", "bus_nkey": c.NKey != "", "bus_ca": c.CA != "", "bus_cert": c.Cert != "", "bus_key": c.Key != ""} {
			if set {
				bad("cluster."+key, "stands there without cluster.bus: without a bus this node would be the only one")
			}
		}
		return
	}
	for _, one := range strings.Split(c.Bus, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			bad("cluster.bus", "wants nats://host:port, not %q", db.Masked(one))
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		bad("cluster.bus_cert", "wants cluster.bus_key beside it")
	} else if err := c.options(nil).Check(); err != nil {
		bad("cluster.bus", "%v", err)
	}
	if !c.Insecure && !c.options(nil).Proven() {
		bad("cluster.bus", "whoever reaches this server could speak as a node: put a user and password into its address, or set cluster.bus_nkey or cluster.bus_cert; cluster.insecure_bus: true goes without")
	}
	if strings.HasPrefix(database, "sqlite:") {
		bad("cluster.bus", "several nodes need a database of postgres://…, not a file")
	}
	if strings.ContainsAny(c.Node, " \t\n") || len(c.Node) > 64 {
		bad("cluster.node", "wants a name of 64 characters at most, without blanks")
	}
	if u, err := url.Parse(c.Address); c.Address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "") {
		bad("cluster.address", "wants http://host:port, not %q", c.Address)
	}
	if c.Deployment == "" || len(c.Deployment) > 64 {
		bad("cluster.deployment", "wants a name of 1 to 64 characters")
	}
}

// options is how the bus is reached.
func (c Cluster) options(log *slog.Logger) bus.Options {
	return bus.Options{URL: c.Bus, Deployment: c.Deployment, Node: c.node(), NKey: c.NKey, CA: c.CA, Certificate: c.Cert, Key: c.Key, Roots: c.roots, Log: log}
}

// node is this server's name. It stays the same over a restart, so leases do too.
func (c Cluster) node() string {
	name := c.Node
	if c.Bus == "" {
		name = ""
	} else if name == "" {
		name, _ = os.Hostname() // a host without a name is as good as alone
	}
	return cmp.Or(name, "node-1")
}

// admit keeps others away from the database: every other server, or every server that knows of no others.
func (a *app) admit(ctx context.Context) error {
	if a.cfg.Cluster.Bus == "" {
		return a.db.Exclusive(ctx)
	}
	return a.db.Shared(ctx)
}

// laneConnections to the database are for a node's lease and nothing else.
const laneConnections = 3

// join ties this node to the others, before anything is read that a revision may change.
func (a *app) join(ctx context.Context) error {
	c := a.cfg.Cluster
	if c.Bus == "" {
		a.bus = bus.NewInProcess()
		a.closers = append(a.closers, a.bus.Close)
		return nil
	}
	nats, err := bus.Connect(c.options(a.log))
	if err != nil {
		return err
	}
	a.bus = nats
	a.closers = append(a.closers, nats.Close)
	a.returned = make(chan struct{}, 1)
	nats.Returned(func() {
		a.tuples.Wake()
		a.feed.Wake()
		select {
		case a.returned <- struct{}{}:
		default:
		}
	})
	const grown bus.Subject = "feed/1"
	if _, err := nats.Subscribe(grown, func([]byte) { a.feed.Wake() }); err != nil {
		return err
	}
	a.feed.Notify = func() {
		if err := nats.Publish(grown, nil); err != nil {
			a.log.Warn("other nodes could not be nudged", "error", err)
		}
	}
	lane, err := db.Open(ctx, a.cfg.Database)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, lane.Close)
	if err := lane.Limit(laneConnections); err != nil {
		return err
	}
	a.tuples.Lane = lane
	if a.barrier, err = authz.NewBarrier(a.tuples, a.index, authz.BarrierConfig{Node: c.node(), Version: version(), Address: c.Address, Bus: nats, TTL: c.Lease, Log: a.log,
		ClockLimit: a.cfg.ClockLimit, Over: a.endAll}); err != nil {
		return err
	}
	if err := a.barrier.Join(ctx); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	a.closers = append(a.closers, a.barrier.Leave)
	a.index.AttachEnded(a.cut)
	return nil
}

// endAll has every stream begin anew.
func (a *app) endAll() {
	if a.chat != nil { // else nobody is here yet
		a.chat.Hub().EndAll()
	}
}

// onBus tells whether the other nodes can be nudged, where there may be some.
func (a *app) onBus() bool {
	nats, several := a.bus.(*bus.NATS)
	return !several || nats.Connected()
}

// everywhere is what waits until a revision is in force on all nodes.
func (a *app) everywhere() provisioning.Barrier {
	if a.barrier == nil {
		return a.index
	}
	return a.barrier
}

// cut ends the streams of proofs that ended on some node.
func (a *app) cut(proofs []string) {
	if a.chat == nil {
		return
	}
	for _, proof := range proofs {
		a.chat.Hub().EndSession(id.Session(proof))
		a.chat.Hub().EndToken(id.Token(proof))
	}
}

// spread has every node end the streams of proofs that end in tx; nil where this one is alone.
func (a *app) spread() func(tx *db.Tx, proofs []string) (func(), error) {
	if a.barrier == nil {
		return nil
	}
	return func(tx *db.Tx, proofs []string) (func(), error) {
		rev, err := a.tuples.End(tx, proofs...)
		return func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*a.cfg.Cluster.Lease)
			defer cancel()
			if err := a.barrier.Settled(ctx, rev); err != nil {
				a.log.Error("sessions ended, and it is not known whether each node has heard of it", "error", err)
			}
		}, err
	}
}

// once makes work that only one of several nodes may do wait for its lease, which bears name.
func (a *app) once(name string, work func(context.Context) error) func(context.Context) error {
	if a.barrier == nil {
		return work
	}
	return func(ctx context.Context) error { return a.feed.Alone(ctx, "lease "+name, work) }
}
