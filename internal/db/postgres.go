package db

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

// cut marks a connection on which a statement's context ended while it ran.
const cut = "cut"

// cutting is how pgx stops a statement whose context ends: by a deadline that is over, taken away when the statement
// has ended. It marks the connection.
type cutting struct {
	pgconn.DeadlineContextWatcherHandler
	conn *pgconn.PgConn
}

// HandleCancel implements ctxwatch.Handler. It has returned before the statement ends.
func (c *cutting) HandleCancel(ctx context.Context) {
	c.conn.CustomData()[cut] = true
	c.DeadlineContextWatcherHandler.HandleCancel(ctx)
}

// manners are what PostgreSQL is asked of this process's sessions, where the address does not say otherwise. A process that is frozen or cut off in the
// middle of a transaction holds its locks, and everybody who writes waits for them: the server ends such a session. A machine that is gone it notices
// by itself.
func manners() map[string]string {
	return map[string]string{"idle_in_transaction_session_timeout": "10s", "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "tcp_user_timeout": "10000"}
}

// openPool opens a pool that gives no connection out again on which a statement was cut. Where the process is short
// of CPU, pgx reads ahead in the background; the deadline of a statement that was cut, but had ended by then, stays
// there as an error, and the next statement, of somebody else, would answer it ("i/o timeout").
func openPool(dsn string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	for name, value := range manners() {
		if _, said := config.RuntimeParams[name]; !said {
			config.RuntimeParams[name] = value
		}
	}
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &cutting{pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}, conn}
	}
	return stdlib.OpenDB(*config, stdlib.OptionResetSession(func(_ context.Context, conn *pgx.Conn) error {
		if conn.PgConn().CustomData()[cut] == true {
			return driver.ErrBadConn
		}
		return nil
	})), nil
}
