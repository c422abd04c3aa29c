package authz_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Nodes that start at once on an empty PostgreSQL do not wait for each other for ever.
func TestNodesStartTogether(t *testing.T) {
	dsn := dbtest.Postgres(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const nodes = 4
	failed := make(chan error, nodes)
	for range nodes {
		go func() {
			_, stop, err := authz.Embedded(ctx, dsn, authz.EmbeddedConns, slog.New(slog.DiscardHandler))
			if err == nil {
				err = stop()
			}
			failed <- err
		}()
	}
	for range nodes {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
