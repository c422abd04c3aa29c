package outlet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/outbound"
	"github.com/rollcall-im/rollcall/internal/webhook"
)

// Config is a place that the log is carried to.
type Config struct {
	Name   string        `koanf:"name"`        // of the outlet, [a-z0-9-]; one that is configured again goes on where it was
	URL    string        `koanf:"url"`         // file:///folder, https://…, s3://bucket/prefix, syslog+tls://host:6514
	CAFile string        `koanf:"ca_file"`     // PEM of who signed the server's certificate; empty: the machine's
	Cert   string        `koanf:"client_cert"` // PEM of our certificate to it
	Key    string        `koanf:"client_key"`  // PEM of its key
	Secret string        `koanf:"secret"`      // that signs HTTP calls: whsec_ and base64 (Standard Webhooks); of s3 the secret access key
	S3     S3            `koanf:",squash"`
	Linger time.Duration `koanf:"linger"` // how long records wait for others to go with them; 0: not at all, with s3 a minute
}

const (
	kindFile   = "file"
	kindHTTPS  = "https"
	kindS3     = "s3"
	kindSyslog = "syslog"
)

var kinds = map[string]string{"file": kindFile, "https": kindHTTPS, "http": kindHTTPS, "s3": kindS3, "syslog+tls": kindSyslog, "syslog+tcp": kindSyslog}

func (c Config) kind() string {
	scheme, _, _ := strings.Cut(c.URL, ":")
	return kinds[scheme]
}

// Fault is what is wrong with the configuration of one outlet.
type Fault struct {
	Key  string // behind the outlet's place in the list
	Text string
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// Faults answers everything that is wrong with a list of outlets.
func Faults(list []Config) []Fault {
	var out []Fault
	seen := map[string]bool{}
	for i, c := range list {
		bad := func(key, format string, args ...any) {
			out = append(out, Fault{fmt.Sprintf("[%d].%s", i, key), fmt.Sprintf(format, args...)})
		}
		switch {
		case !nameForm.MatchString(c.Name):
			bad("name", "wants 1 to 40 of a-z, 0-9 and -, not %q", c.Name)
		case seen[c.Name]:
			bad("name", "%q stands twice", c.Name)
		}
		seen[c.Name] = true
		if c.Linger < 0 || c.Linger > 10*time.Minute {
			bad("linger", "wants a duration from 0s to 10m, not %s", c.Linger)
		}
		c.check(bad)
	}
	return out
}

func (c Config) check(bad func(key, format string, args ...any)) {
	u, err := url.Parse(c.URL)
	if err != nil || c.kind() == "" {
		bad("url", "wants file:///folder, https://…, s3://bucket/prefix or syslog+tls://host:port")
		return
	}
	if u.User != nil {
		bad("url", "has a user or a password in it, where logs would show it")
	}
	if c.CAFile != "" {
		if _, err := pool(c.CAFile); err != nil {
			bad("ca_file", "%v", err)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		bad("client_cert", "and client_key go together")
	} else if c.Cert != "" {
		if _, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key)); err != nil {
			bad("client_cert", "and client_key are no pair in PEM")
		}
	}
	loopback := outbound.Loopback(u.Hostname())
	switch c.kind() {
	case kindFile:
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			bad("url", "wants a folder by its whole path, as file:///var/log/rollcall-audit")
		}
	case kindHTTPS:
		if u.Host == "" {
			bad("url", "has no host")
		}
		if u.Scheme == "http" && !loopback {
			bad("url", "wants https: without TLS only on this machine")
		}
		if _, err := webhook.Secret(c.Secret); err != nil {
			bad("secret", "%v", err)
		}
	case kindSyslog:
		if u.Hostname() == "" || u.Port() == "" {
			bad("url", "wants host and port, as syslog+tls://host:6514")
		}
		if u.Scheme == "syslog+tcp" && !loopback {
			bad("url", "wants syslog+tls: without TLS only on this machine")
		}
	case kindS3:
		c.S3.check(bad, u, c.Secret)
	}
}

func pool(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := x509.NewCertPool()
	if !out.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return out, nil
}

// tls answers what is checked of a server.
func (c Config) tls() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		roots, err := pool(c.CAFile)
		if err != nil {
			return nil, err
		}
		out.RootCAs = roots
	}
	if c.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key))
		if err != nil {
			return nil, errors.New("client_cert and client_key are no pair in PEM")
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// open begins to carry records from r.next on.
func (c Config) open(ctx context.Context, r *Runner) (sink, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	switch c.kind() {
	case kindFile:
		return openFile(u.Path, c.Linger, r.clock)
	case kindHTTPS:
		return c.openHook(r.Client)
	case kindSyslog:
		return c.openSyslog(ctx, u, r.Node, r.clock)
	case kindS3:
		return c.openS3(u, r.Client)
	}
	return nil, fmt.Errorf("outlet %s: no kind of outlet", c.Name)
}

// taken is the Sure of a place whose answer means that records are there for good.
type taken struct{ next int64 }

func (t *taken) note(p Part) {
	if n := len(p.Records); n > 0 {
		t.next = p.Records[n-1].Seq + 1
	}
}

// Sure implements sink.
func (t *taken) Sure(time.Time) int64 { return t.next }
