package session

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// AddressOf answers where r comes from, as far as Proxies can be believed: the last address in the header they speak by that no proxy of ours has.
func (d *Door) AddressOf(r *http.Request) string {
	at, _ := d.clientOf(r)
	if !at.IsValid() {
		return r.RemoteAddr
	}
	if at.Is6() {
		if network, err := at.Prefix(64); err == nil {
			return network.String()
		}
	}
	return at.String()
}

// clientOf answers where r comes from; known is false where a proxy of ours says something that is no address: then it is the address of that proxy.
func (d *Door) clientOf(r *http.Request) (at netip.Addr, known bool) {
	at, err := addressFrom(r.RemoteAddr)
	if err != nil {
		return at, false
	}
	conduct := d.conduct()
	if !within(conduct.Proxies, at) {
		return at, true
	}
	hops, ok := hopsOf(r.Header, conduct.Forwarded)
	if !ok {
		return at, false
	}
	for i := len(hops) - 1; i >= 0 && within(conduct.Proxies, at); i-- {
		hop, err := addressFrom(hops[i])
		if err != nil {
			return at, false
		}
		at = hop
	}
	return at, true
}

// hopsOf answers what the header of our proxies says of where a request came through, the nearest last; ok is false where nobody can read it. Only one
// header is read: what stands in the other, a client may have written.
func hopsOf(h http.Header, forwarded bool) (hops []string, ok bool) {
	if forwarded {
		return forwardedFor(strings.Join(h.Values("Forwarded"), ","))
	}
	for hop := range strings.SplitSeq(strings.Join(h.Values("X-Forwarded-For"), ","), ",") {
		hops = append(hops, strings.TrimSpace(hop))
	}
	if len(hops) == 1 && hops[0] == "" {
		return nil, true
	}
	return hops, true
}

func addressFrom(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	} else if inside, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inside, "]")
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
