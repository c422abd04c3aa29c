package session

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// What stands in Forwarded is read as RFC 7239 writes it, and nothing else is read: whoever writes the beginning cannot take the end, which is ours, away.
func TestForwarded(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  nil,
		" , ,":                              nil,
		"for=192.0.2.43":                    {"192.0.2.43"},
		"For=192.0.2.43, for=198.51.100.17": {"192.0.2.43", "198.51.100.17"},
		`for=192.0.2.60;proto=http;by=203.0.113.43`:               {"192.0.2.60"},
		`proto=https; for="[2001:db8:cafe::17]:4711" ;by=_hidden`: {"[2001:db8:cafe::17]:4711"},
		`for="_gazonk", proto=https,for=unknown`:                  {"_gazonk", "", "unknown"},
		`for="a\"b,c;d", for="192.0.2.1:80"`:                      {`a"b,c;d`, "192.0.2.1:80"},
		";,for=1.2.3.4;":                                          {"", "1.2.3.4"},
	} {
		if got, ok := forwardedFor(text); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"192.0.2.43", "for", "for=", "for =1.2.3.4", "for= 1.2.3.4", "for=2001:db8::1", `for="1.2.3.4`, `for="1.2.3.4"x`, "for=1.2.3.4;for=1.2.3.5", "for=1.2.3.4 for=1.2.3.5",
		`for="x, for=192.0.2.1`, `for="x, for="[2001:db8::1]"`, `for="\, for=192.0.2.1`, "é=1, for=192.0.2.1"} {
		if got, ok := forwardedFor(text); ok {
			t.Errorf("%s is read as %q", text, got)
		}
	}
	for text, want := range map[string]string{"[2001:db8::1]:4711": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "192.0.2.1:80": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1"} {
		if at, err := addressFrom(text); err != nil || at != netip.MustParseAddr(want) {
			t.Errorf("%s is %s, %v", text, at, err)
		}
	}
}

// Whatever a client wrote, what our proxy adds behind it is the last hop, or nobody is believed.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "for=1.2.3.4", `for="`, `for="\`, ",", `a=";`, "for=1.2.3.4;", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wrote string) {
		for _, ours := range []string{"192.0.2.1", "[2001:db8::1]:4711"} {
			said := "for=" + ours
			if strings.ContainsAny(ours, "[:") {
				said = `for="` + ours + `"`
			}
			if hops, ok := forwardedFor(wrote + ", " + said); ok && (len(hops) == 0 || hops[len(hops)-1] != ours) {
				t.Errorf("behind %q our own word is read as %q", wrote, hops)
			}
		}
	})
}
