package ldaptest

import (
	"context"
	"net"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
)

// Serve runs a demo directory until the test ends, and answers its address.
func Serve(t testing.TB, d *demo.Directory) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- demo.Serve(ctx, l, d) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "ldap://" + l.Addr().String()
}
