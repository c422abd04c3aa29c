package signals

import (
	"fmt"
	"net/url"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/outbound"
)

// Fault is what is wrong with the configuration of a transmitter; Key is its place, as "[0].issuer".
type Fault struct{ Key, Text string }

// Faults answers all that is wrong with these transmitters.
func Faults(list []Transmitter) []Fault {
	var out []Fault
	names, issuers := map[string]bool{}, map[string]bool{}
	for i, t := range list {
		bad := func(key, format string, args ...any) {
			out = append(out, Fault{fmt.Sprintf("[%d].%s", i, key), fmt.Sprintf(format, args...)})
		}
		if err := directory.CheckSourceName(t.Name); err != nil {
			bad("name", "%v", err)
		}
		if names[t.Name] {
			bad("name", "%q is another's, too", t.Name)
		}
		if issuers[t.Issuer] {
			bad("issuer", "%q is another's, too", t.Issuer)
		}
		names[t.Name], issuers[t.Issuer] = true, true
		for _, at := range []struct{ key, address string }{{"issuer", t.Issuer}, {"jwks", t.JWKS}, {"poll", t.Poll}} {
			key, address := at.key, at.address
			if address == "" && key != "issuer" {
				continue
			}
			if u, err := url.Parse(address); err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && outbound.Loopback(u.Hostname())) {
				bad(key, "wants https://host…: whoever answers there says whose access ends")
			}
		}
		if t.Every < 0 || t.Every > time.Hour {
			bad("every", "wants a duration from 0s to 1h, not %s", t.Every)
		}
		if t.PollToken != "" && t.Poll == "" {
			bad("token", "is for polling, and poll is empty")
		}
	}
	return out
}
