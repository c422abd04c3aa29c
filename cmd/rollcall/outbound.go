package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/outbound"
)

// Outbound says how this server reaches others: the identity provider, transmitters of signals, OpenFGA; and whom it believes in LDAP and on the
// bus, where those have no authorities of their own.
type Outbound struct {
	CAFile  string   `koanf:"ca_file"`  // PEM; authorities that are believed besides the machine's
	Proxy   string   `koanf:"proxy"`    // http://host:port; direct: none; empty: HTTPS_PROXY and HTTP_PROXY of the environment
	NoProxy []string `koanf:"no_proxy"` // what is reached past the proxy; empty: NO_PROXY of the environment
}

func (o Outbound) options() outbound.Options {
	return outbound.Options{CAFile: o.CAFile, Proxy: o.Proxy, NoProxy: strings.Join(o.NoProxy, ",")}
}

func (o Outbound) check(bad func(key, format string, args ...any)) {
	switch _, err := outbound.New(o.options()); {
	case errors.Is(err, outbound.ErrCAFile):
		bad("outbound.ca_file", "%v", err)
	case err != nil:
		bad("outbound.proxy", "%v", err)
	}
}

// readable tells whether what is sent to address crosses a network without TLS.
func readable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	return !outbound.Loopback(u.Hostname())
}

// outward makes the way to others, and gives it to what is not wired by hand.
func (c *Config) outward() (*outbound.Way, error) {
	way, err := outbound.New(c.Outbound.options())
	if err != nil {
		return nil, fmt.Errorf("outbound: %w", err)
	}
	c.Cluster.roots = way.Roots
	for i := range c.LDAP {
		c.LDAP[i].Roots = way.Roots
	}
	return way, nil
}

// soon is when an authority's end is told before it comes.
const soon = 30 * 24 * time.Hour

// outward looks at the authorities, and at the proxies that the addresses of the configuration are reached through.
func (d *doctor) outward(ctx context.Context) {
	if path := d.cfg.Outbound.CAFile; path != "" {
		state, english, chinese := stateFine, "read", "已读取"
		authorities, err := outbound.Authorities(path)
		if err != nil {
			state, english, chinese = stateBad, err.Error(), err.Error()
		}
		for _, one := range authorities {
			until := one.NotAfter.UTC().Format(time.DateOnly)
			switch left := time.Until(one.NotAfter); {
			case left <= 0:
				state, english, chinese = stateBad, one.Subject.String()+" ended on "+until, one.Subject.String()+" 已于 "+until+" 到期"
			case left < soon && state == stateFine:
				state, english, chinese = stateWarn, one.Subject.String()+" ends on "+until, one.Subject.String()+" 将于 "+until+" 到期"
			}
		}
		d.say("outbound.ca_file", state, english, chinese)
	}
	asked := map[string]bool{}
	for _, address := range d.cfg.addresses() {
		to, err := url.Parse(address)
		if err != nil {
			continue
		}
		through, err := d.way.Proxy(to)
		if err != nil {
			d.say("proxy", stateBad, "HTTPS_PROXY or HTTP_PROXY in the environment is no address", "环境中的 HTTPS_PROXY 或 HTTP_PROXY 不是地址")
			return
		}
		if through == nil || asked[through.Host] {
			continue
		}
		asked[through.Host] = true
		at := through.Host
		if through.Port() == "" {
			at = net.JoinHostPort(through.Hostname(), through.Scheme) // the scheme is the port's name
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err != nil {
			d.say("proxy", stateBad, at+" is not reached: "+err.Error(), "无法连接 "+at+"："+err.Error())
			continue
		}
		conn.Close()
		d.say("proxy", stateFine, at+" is reached", "可连接 "+at)
	}
}

// addresses are those of the configuration that are reached by HTTP.
func (c Config) addresses() []string {
	all := []string{c.OIDC.Issuer, c.OpenFGA.URL, c.Tracing.Endpoint}
	for _, t := range c.Signals {
		all = append(all, t.JWKS, t.Poll)
	}
	var set []string
	for _, one := range all {
		if one != "" {
			set = append(set, one)
		}
	}
	return set
}
