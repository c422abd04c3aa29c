// Package db opens the database, SQLite or PostgreSQL, behind one DSN, and owns transactions and migrations.
// It guarantees that a transaction is all or nothing, that what runs AfterCommit runs only then, and that
// one process writes to a SQLite file. It knows no table but its migration versions.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
	"gorm.io/driver/postgres"
	gormlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"modernc.org/sqlite"

	"github.com/rollcall-im/rollcall/internal/trace"
)

// Engine names the database behind a DB.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// ErrInUse says that another process serves this database.
var ErrInUse = errors.New("database is in use by another process")

// DB is an open database.
type DB struct {
	Engine      Engine
	read, write *gorm.DB
	lock        *os.File
	holding     sync.Mutex // guards the next two
	held        *sql.Conn
	try         string
	keeper      *checkpointer
	briefs      briefs
	edge        edge
	upTo        map[string]int64 // MigrateUpTo
	looking     *[]string        // Pending
	newer       []string         // packages whose tables are of a later version
}

// Open opens dsn: "sqlite:PATH" (created where missing, in a folder that is there, with an exclusive lock file beside it) or "postgres://…".
// The error never holds the DSN's password.
func Open(ctx context.Context, dsn string) (*DB, error) {
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		return openPostgres(ctx, dsn)
	default:
		return nil, fmt.Errorf("database address must begin with sqlite: or postgres://, not %q", scheme+":")
	}
}

// OpenRead opens dsn for reading only, beside a server that may be running on it. Tx and Migrate cannot be used.
func OpenRead(ctx context.Context, dsn string) (*DB, error) {
	path, lite := strings.CutPrefix(dsn, "sqlite:")
	if !lite {
		return Open(ctx, dsn)
	}
	path = strings.TrimPrefix(path, "//")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open sqlite database: %w", err)
	}
	handle, err := openLite(ctx, path, readerPragmas, 4)
	if err != nil {
		return nil, fmt.Errorf("open sqlite database %s: %w", path, err)
	}
	return &DB{Engine: SQLite, read: handle, write: handle}, nil
}

// readerPragmas are those of connections that only read. Each has a cache of its own, in kB, and there are several: what is not in
// it the operating system has.
const readerPragmas = "&_pragma=query_only(1)&_pragma=cache_size(-8000)"

// openLite opens path. synchronous(FULL): what was acknowledged survives a power loss.
func openLite(ctx context.Context, path, more string, conns int) (*gorm.DB, error) {
	const common = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(16000)"
	open := func(dsn string) (*sql.DB, error) {
		lite := &sqlite.Driver{}
		err := lite.RegisterDeterministicScalarFunction("lower", 1, lower)
		return sql.OpenDB(liteConnector{connector{lite, dsn}}), err
	}
	return openGorm(ctx, open, "file:"+(&url.URL{Path: path}).EscapedPath()+common+more, conns,
		func(c *sql.DB) gorm.Dialector { return quietLite{gormlite.Dialector{Conn: c}} })
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errors.New("sqlite: wants the path of a file")
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open sqlite database: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open sqlite database %s: %w", path, ErrInUse)
	}
	d := &DB{Engine: SQLite, lock: lock}
	// Nobody else may read it; the files beside it take over its rights.
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		file.Close() // what is wrong with it, opening it as a database tells better
	}
	if d.write, err = openLite(ctx, path, "&_txlock=immediate&_pragma=cache_size(-32000)", 1); err != nil {
		d.Close()
		return nil, fmt.Errorf("open sqlite database %s: %w", path, err)
	}
	if d.read, err = openLite(ctx, path, readerPragmas, 8); err != nil {
		d.Close()
		return nil, fmt.Errorf("open sqlite database %s: %w", path, err)
	}
	if d.keeper, err = keepCheckpoints(ctx, path); err != nil {
		d.Close()
		return nil, fmt.Errorf("open sqlite database %s: %w", path, err)
	}
	return d, nil
}

func openPostgres(ctx context.Context, dsn string) (*DB, error) {
	handle, err := openGorm(ctx, openPool, dsn, 24, func(c *sql.DB) gorm.Dialector {
		return quietPostgres{postgres.Dialector{Config: &postgres.Config{Conn: c}}}
	})
	if err != nil {
		return nil, fmt.Errorf("open postgres database: %w", redact(err, dsn))
	}
	return &DB{Engine: Postgres, read: handle, write: handle}, nil
}

// redact takes a password that a driver repeated out of an error's text.
func redact(err error, dsn string) error {
	u, perr := url.Parse(dsn)
	if perr != nil {
		return errors.New("the address cannot be parsed")
	}
	text := err.Error()
	for _, secret := range secretsOf(u) {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

func openGorm(ctx context.Context, open func(dsn string) (*sql.DB, error), dsn string, conns int, dialector func(*sql.DB) gorm.Dialector) (*gorm.DB, error) {
	pool, err := open(dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := pool.PingContext(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	handle, err := gorm.Open(dialector(pool), &gorm.Config{
		SkipDefaultTransaction: true, // a write door opens its own
		TranslateError:         true,
		Logger:                 logger.Discard, // statements carry personal data
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return handle, nil
}

// Limit bounds how many connections to PostgreSQL there are at a time; a file has as many as it needs. 0 leaves it as it is.
func (d *DB) Limit(conns int) error {
	if d.Engine != Postgres || conns <= 0 {
		return nil
	}
	pool, err := d.Pool()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return nil
}

// Analyze has the engine look at how its tables are filled: after much was written, plans made for empty tables
// read whole tables.
func (d *DB) Analyze(ctx context.Context) error {
	// 0x10000: also tables this connection has not asked; how others ask is not seen from here.
	statement := "pragma optimize(0x10002)"
	if d.Engine == Postgres {
		statement = "analyze"
	}
	return d.write.WithContext(ctx).Exec(statement).Error
}

const exclusiveKey = 0x726f6c6c // "roll"

// Exclusive keeps every other process that asks for the same away until Close: ErrInUse where one is there. On
// SQLite Open did that already.
func (d *DB) Exclusive(ctx context.Context) error {
	if d.Engine != Postgres {
		return nil
	}
	return d.hold(ctx, "select pg_try_advisory_lock($1)")
}

func (d *DB) hold(ctx context.Context, try string) error {
	pool, err := d.Pool()
	if err != nil {
		return err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("lock postgres database: %w", err)
	}
	for n := 1; ; n++ { // a server that was killed holds it until its connection is missed
		var mine bool
		if err := conn.QueryRowContext(ctx, try, exclusiveKey).Scan(&mine); err != nil {
			return fmt.Errorf("lock postgres database: %w", errors.Join(err, drop(conn)))
		}
		if mine {
			d.holding.Lock()
			defer d.holding.Unlock()
			d.held, d.try = conn, try
			return nil
		}
		if n == 30 {
			return fmt.Errorf("postgres database: %w", errors.Join(ErrInUse, drop(conn)))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Shared keeps every process that asks for Exclusive away until Close: ErrInUse where one is there. It is for the nodes of one deployment on PostgreSQL.
func (d *DB) Shared(ctx context.Context) error {
	if d.Engine != Postgres {
		return errors.New("several processes need PostgreSQL")
	}
	return d.hold(ctx, "select pg_try_advisory_lock_shared($1)")
}

const guardEvery = 2 * time.Second

// Guard looks, until ctx ends, whether what Exclusive or Shared took is still held, and takes it again where the database was restarted: ErrInUse
// where another process was faster, for then this one must not go on.
func (d *DB) Guard(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(guardEvery):
		}
		d.holding.Lock()
		conn, try := d.held, d.try
		d.holding.Unlock()
		if conn == nil {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 5*guardEvery)
		err := conn.PingContext(asking)
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		_ = drop(conn) // its session has ended, and the lock with it
		if err := d.hold(ctx, try); errors.Is(err, ErrInUse) {
			return err
		}
	}
}

// drop ends the session of a connection, and the locks with it, in place of giving it back to the pool.
func drop(conn *sql.Conn) error {
	if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

// Close closes every connection and releases the lock file.
func (d *DB) Close() error {
	var errs []error
	if d.keeper != nil {
		errs = append(errs, d.keeper.close())
	}
	d.holding.Lock()
	if d.held != nil {
		errs = append(errs, drop(d.held))
	}
	d.holding.Unlock()
	for _, handle := range []*gorm.DB{d.read, d.write} {
		if handle == nil {
			continue
		}
		if pool, err := handle.DB(); err == nil {
			errs = append(errs, pool.Close())
		}
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// Read answers a handle for queries outside a transaction. On SQLite it cannot write and never waits for the writer.
func (d *DB) Read(ctx context.Context) *gorm.DB { return d.read.WithContext(ctx) }

// Pool is the pool writes go through, for code that needs database/sql itself.
func (d *DB) Pool() (*sql.DB, error) { return d.write.DB() }

// Snapshot runs fn on one consistent state of the database, for reading only.
func (d *DB) Snapshot(ctx context.Context, fn func(*gorm.DB) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if d.Engine == Postgres {
		opts.Isolation = sql.LevelRepeatableRead
		whole := fn
		fn = func(tx *gorm.DB) error { // it holds no lock, and may think for as long as it likes
			if err := tx.Exec("set local idle_in_transaction_session_timeout = 0").Error; err != nil {
				return err
			}
			return whole(tx)
		}
	}
	return d.read.WithContext(ctx).Transaction(fn, opts)
}

// Tx is one writing transaction.
type Tx struct {
	*gorm.DB
	engine Engine
	after  []func()
}

// AfterCommit runs fn once the transaction is durable, in the order of the calls; never where it was rolled back.
func (t *Tx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

// Engine tells which database this transaction is on.
func (t *Tx) Engine() Engine { return t.engine }

// ForUpdate answers a handle whose select locks the rows it reads until the end of the transaction. On
// SQLite the transaction is the only writer already.
func (t *Tx) ForUpdate() *gorm.DB {
	if t.engine == Postgres {
		return t.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return t.DB
}

// KeepFirst answers a handle whose create leaves out rows that a unique constraint refuses.
func (t *Tx) KeepFirst() *gorm.DB { return t.Clauses(clause.OnConflict{DoNothing: true}) }

const attempts = 5

// Tx runs fn in one transaction. An error of fn rolls back and is returned as it is. A deadlock or a
// serialization failure of the engine runs fn again, so fn must have no effect outside the transaction
// but through AfterCommit.
func (d *DB) Tx(ctx context.Context, fn func(*Tx) error) (err error) {
	ctx, step := trace.Start(ctx, "db.transaction")
	defer func() { step.End(err) }()
	for try := 1; ; try++ {
		tx := &Tx{engine: d.Engine}
		err := d.write.WithContext(ctx).Transaction(func(handle *gorm.DB) error {
			tx.DB = handle
			if err := fn(tx); err != nil {
				return err
			}
			d.edge.at(false)
			return nil
		})
		if err == nil {
			d.edge.at(true)
			for _, after := range tx.after {
				after()
			}
			return nil
		}
		var pg *pgconn.PgError
		if try == attempts || !errors.As(err, &pg) || pg.Code != "40001" && pg.Code != "40P01" {
			return err
		}
		time.Sleep(time.Duration(try) * 5 * time.Millisecond)
	}
}

// IsDuplicate tells whether err is the violation of a unique constraint, on either engine.
func IsDuplicate(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return true
	case errors.As(err, &lite): // gorm does not know this driver's codes: SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
		return lite.Code() == 2067 || lite.Code() == 1555
	case errors.As(err, &pg):
		return pg.Code == "23505"
	}
	return false
}
