package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// Alone lets one process at a time do what key names: ok is false where another does it now. On PostgreSQL that is a lock of a session of its
// own, which ends with this process, however it ends; on SQLite there is no other process. release is never nil.
func (d *DB) Alone(ctx context.Context, key string) (release func(), ok bool, err error) {
	release = func() {}
	if d.Engine != Postgres {
		return release, true, nil
	}
	pool, err := d.Pool()
	if err != nil {
		return release, false, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return release, false, fmt.Errorf("lock %s: %w", key, err)
	}
	if err := conn.QueryRowContext(ctx, "select pg_try_advisory_lock(hashtextextended($1, 11))", key).Scan(&ok); err != nil || !ok {
		return release, false, errors.Join(err, conn.Close())
	}
	return func() { // at once where the server answers; the session is not used again, so with it the lock ends in any case, a moment later
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.ExecContext(ctx, "select pg_advisory_unlock(hashtextextended($1, 11))", key)
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}, true, nil
}
