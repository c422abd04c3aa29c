package ldap_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
)

// TestBrokenServers reads from servers that fail in every way a reading can fall short. None may be proved.
//
// holds: R1, R22
// holds: attack ldap-05
func TestBrokenServers(t *testing.T) {
	d, c := double(t, 35)
	trap, err := net.Listen("tcp", "127.0.0.1:0") // where a referral leads to
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	followed := make(chan struct{})
	go func() {
		if c, err := trap.Accept(); err == nil {
			c.Close()
			close(followed)
		}
	}()
	there := "ldap://" + trap.Addr().String() + "/" + base
	for _, row := range []struct {
		name string
		f    demo.Faults
		want error // nil: ends well, but without proof
	}{
		{"drop in page 1", demo.Faults{DropAfter: 5, Class: "inetOrgPerson"}, ldap.ErrClosed},
		{"drop in page 3", demo.Faults{ClosePage: 3, Class: "inetOrgPerson"}, ldap.ErrClosed},
		{"size limit", demo.Faults{SizeLimit: 20, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"admin limit", demo.Faults{Code: 11}, ldap.ErrServer},
		{"busy", demo.Faults{Code: 51}, ldap.ErrServer},
		{"no rights", demo.Faults{Code: 50, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"base hidden", demo.Faults{Code: 32}, ldap.ErrServer},
		{"referral", demo.Faults{Referral: there, Class: "inetOrgPerson"}, ldap.ErrServer},
		{"reference", demo.Faults{Reference: there, Class: "inetOrgPerson"}, nil},
		{"silent in a page", demo.Faults{SilentAfter: 12, Class: "inetOrgPerson"}, ldap.ErrTimeout},
		{"silent", demo.Faults{Silent: true}, ldap.ErrTimeout},
		{"no paging", demo.Faults{NoPaging: true}, nil},
		{"no ids", demo.Faults{NoIDs: true}, nil},
		{"one id for all", demo.Faults{SameIDs: true, Class: "inetOrgPerson"}, nil},
	} {
		d.SetFaults(row.f)
		began := time.Now()
		if c.Timeout = 0; row.want == ldap.ErrTimeout {
			c.Timeout = 200 * time.Millisecond
		}
		_, proof, err := snapshot(t.Context(), client(t, c))
		if proof.Complete() || len(proof.Missing) == 0 {
			t.Errorf("%s: proved complete: %+v", row.name, proof)
		}
		if row.want == nil && err != nil || !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
		if took := time.Since(began); took > 9*time.Second {
			t.Errorf("%s: took %v", row.name, took)
		}
		noCanary(t, row.name, err, proof)
	}
	select {
	case <-followed:
		t.Error("a referral was followed")
	default:
	}
	d.SetFaults(demo.Faults{Reference: there})
	c.IgnoreReferences = true
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || !proof.Complete() {
		t.Errorf("ignore_references: %v %v", proof, err)
	}
	d.SetFaults(demo.Faults{})
	c.Sentinel = "uid=u001,ou=sales,ou=people," + base
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || !proof.Complete() {
		t.Errorf("sentinel that is there: %v %v", proof, err)
	}
	told := func() bool {
		_, findings, err := client(t, c).Probe(t.Context())
		if err != nil {
			t.Error(err)
		}
		return slices.ContainsFunc(findings, func(f ldap.Finding) bool { return f.Code == "no_sentinel" && f.Severity == ldap.Error })
	}
	if told() {
		t.Error("a probe misses a sentinel that is there")
	}
	c.Sentinel = "uid=nobody," + base
	if _, proof, err := snapshot(t.Context(), client(t, c)); err != nil || proof.Complete() {
		t.Errorf("sentinel that is missing: %v %v", proof, err)
	}
	if !told() {
		t.Error("a probe does not miss the sentinel")
	}
}

// TestBlackHole talks to a listener that accepts and says nothing, and to one that sends a byte now and then.
//
// holds: R16
func TestBlackHole(t *testing.T) {
	for name, drip := range map[string]bool{"silent": false, "dripping": true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = c.Write([]byte("\x30\x84\x00\x10\x00\x00"))
					for {
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Millisecond):
							if drip {
								_, _ = c.Write([]byte{0})
							}
						}
					}
				}()
			}
		}()
		for _, scheme := range []string{"ldap://", "ldaps://"} {
			for _, plain := range []bool{true, false} {
				if plain && scheme == "ldaps://" {
					continue
				}
				cl := client(t, ldap.Config{URL: scheme + l.Addr().String(), InsecurePlain: plain, BindDN: "cn=x", Password: canary, Base: base, Timeout: 200 * time.Millisecond})
				began := time.Now()
				_, err := cl.Position(t.Context())
				if err == nil || time.Since(began) > 9*time.Second {
					t.Errorf("%s %s plain=%v: %v after %v", name, scheme, plain, err, time.Since(began))
				}
				if plain && !errors.Is(err, ldap.ErrTimeout) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		close(stop)
		l.Close()
	}
	cl := client(t, ldap.Config{URL: "ldap://127.0.0.1:1", InsecurePlain: true, BindDN: "cn=x", Password: canary, Base: base})
	if _, err := cl.Position(t.Context()); !errors.Is(err, ldap.ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	d, c := double(t, 30)
	d.SetFaults(demo.Faults{SilentAfter: 5})
	c.Timeout = 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, proof, err := snapshot(ctx, client(t, c)); err == nil || proof.Complete() || time.Since(began) > 9*time.Second {
		t.Errorf("a cancelled reading: %v %v after %v", proof, err, time.Since(began))
	}
}
