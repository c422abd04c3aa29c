package authz

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Requests that hold every connection of their pool keep a node neither from its lease nor from the log: those go a way of their own.
func TestLeaseHasItsOwnConnections(t *testing.T) {
	dsn := dbtest.Postgres(t)
	b := bus.NewInProcess()
	const ttl = 20 * time.Second
	other := startNode(t, dsn, "other", b, ttl)
	d := dbtest.Open(t, dsn)
	if err := d.Limit(4); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, d)
	s.Lane = dbtest.Open(t, dsn)
	m := startNodeOn(t, s, "busy", b, ttl)
	pool, err := d.Pool()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	rev := add(t, other.store, seat...)
	if err := m.index.Settled(t.Context(), rev); err != nil {
		t.Fatal(err)
	}
	if err := m.barrier.Renew(t.Context()); err != nil {
		t.Errorf("the lease is not renewed: %v", err)
	}
	if !m.may() {
		t.Error("the node is stale")
	}
}
