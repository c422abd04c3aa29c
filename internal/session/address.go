package session

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf answers where r comes from, as far as Proxies can be believed: the last address in X-Forwarded-For that no proxy
// of ours has.
func (d *Door) addressOf(r *http.Request) string {
	at, ok := d.clientOf(r)
	if !ok {
		return r.RemoteAddr
	}
	if at.Is6() {
		if network, err := at.Prefix(64); err == nil {
			return network.String()
		}
	}
	return at.String()
}

func (d *Door) clientOf(r *http.Request) (netip.Addr, bool) {
	at, err := addressFrom(r.RemoteAddr)
	if err != nil {
		return at, false
	}
	proxies := d.conduct().Proxies
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && within(proxies, at); i-- {
		hop, err := addressFrom(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = hop
	}
	return at, true
}

func addressFrom(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	at, err := netip.ParseAddr(text)
	if err != nil {
		return at, errors.New("not an address")
	}
	return at.Unmap().WithZone(""), nil
}

// Place tells whether r comes from an address from which administrators may work.
func (d *Door) Place(r *http.Request) bool {
	networks := d.conduct().AdminNetworks
	if len(networks) == 0 {
		return true
	}
	at, ok := d.clientOf(r)
	return ok && within(networks, at)
}

func within(networks []netip.Prefix, at netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(at) })
}
