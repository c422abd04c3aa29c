// Package outbound owns how this server speaks to others: whose certificates it believes, and through which proxy it goes. Every client
// of HTTP but those towards this very deployment is made here, so that one setting reaches all. It guarantees that a change takes
// effect for every client that was made before it, with the next connection. It never sends anything itself.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Loopback tells whether host, a name or an address without a port, is this machine for certain: localhost or an address that never leaves it. A name
// that only looks like one, as 127.example.com, is not.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Direct, as a proxy, means none, whatever the environment says.
const Direct = "direct"

// Options say how others are reached. The zero value believes whom the machine believes, and takes the proxy of the environment.
type Options struct {
	CAFile  string // PEM; authorities that are believed besides the machine's; read by New and Change
	Proxy   string // http:// or https://, for every address but those of NoProxy; Direct: none; empty: the environment's
	NoProxy string // hosts, domains as .example.com, addresses and networks, with commas between; empty: the environment's
}

// The errors of Options, each about one of its fields.
var (
	ErrCAFile = errors.New("authorities")
	ErrProxy  = errors.New("proxy")
)

// Way is how others are reached. It is safe for concurrent use, and is an http.RoundTripper.
type Way struct{ now atomic.Pointer[state] }

// state is not changed after it was made.
type state struct {
	roots     *x509.CertPool // nil: the machine's
	proxy     func(*url.URL) (*url.URL, error)
	transport *http.Transport
}

// New answers a way by o, or an ErrCAFile or ErrProxy.
func New(o Options) (*Way, error) {
	w := &Way{}
	return w, w.Change(o)
}

// Change makes o hold from the next connection on. Where o cannot be used nothing changes.
func (w *Way) Change(o Options) error {
	s := &state{}
	if o.CAFile != "" {
		certificates, err := Authorities(o.CAFile)
		if err != nil {
			return err
		}
		if s.roots, err = x509.SystemCertPool(); err != nil {
			s.roots = x509.NewCertPool()
		}
		for _, one := range certificates {
			s.roots.AddCert(one)
		}
	}
	config := httpproxy.FromEnvironment()
	switch {
	case o.Proxy == Direct:
		config.HTTPProxy, config.HTTPSProxy = "", ""
	case o.Proxy != "":
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
			return fmt.Errorf("%w: wants http://host:port, https://host:port or %s", ErrProxy, Direct)
		}
		config.HTTPProxy, config.HTTPSProxy = o.Proxy, o.Proxy
	}
	if o.NoProxy != "" {
		config.NoProxy = o.NoProxy
	}
	config.CGI = false // it speaks of requests that reach a CGI program, and there is none
	s.proxy = config.ProxyFunc()
	s.transport = http.DefaultTransport.(*http.Transport).Clone()
	s.transport.Proxy = func(r *http.Request) (*url.URL, error) { return s.proxy(r.URL) }
	s.transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	if before := w.now.Swap(s); before != nil {
		before.transport.CloseIdleConnections()
	}
	return nil
}

// Authorities reads the certificates of a PEM file: at least one, or it is an ErrCAFile.
func Authorities(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCAFile, err)
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrCAFile, path, err)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM", ErrCAFile, path)
	}
	return slices.Clip(all), nil
}

// RoundTrip implements http.RoundTripper.
func (w *Way) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.now.Load().transport.RoundTrip(r)
}

// CloseIdleConnections closes what no request uses; http.Client hands it on.
func (w *Way) CloseIdleConnections() { w.now.Load().transport.CloseIdleConnections() }

// Client answers a client whose requests end within timeout; 0: when their contexts end.
func (w *Way) Client(timeout time.Duration) *http.Client {
	return &http.Client{Transport: w, Timeout: timeout}
}

// Transport answers one as the way is now, for a client that adds to it.
func (w *Way) Transport() *http.Transport { return w.now.Load().transport.Clone() }

// Roots answers who is believed now; nil: whom the machine believes. For what speaks TLS and not HTTP.
func (w *Way) Roots() *x509.CertPool { return w.now.Load().roots }

// Proxy answers through which proxy an address is reached now; nil: through none.
func (w *Way) Proxy(to *url.URL) (*url.URL, error) { return w.now.Load().proxy(to) }
