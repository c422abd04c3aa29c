package db_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

var files = fstest.MapFS{"migrations/00001_first.sql": {Data: []byte("-- +goose Up\ncreate table things (name text not null, at bigint, constraint things_pk primary key (name));\n-- +goose Down\ndrop table things;\n")}}

func TestTransaction(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		for range 2 { // the second run finds nothing to do
			if err := d.Migrate(ctx, "things", files); err != nil {
				t.Fatal(err)
			}
		}
		boom, ran := errors.New("boom"), false
		insert := func(tx *db.Tx) error {
			tx.AfterCommit(func() { ran = true })
			return tx.Exec("insert into things (name, at) values (?, ?)", "a", db.At(time.UnixMicro(7))).Error
		}
		if err := d.Tx(ctx, func(tx *db.Tx) error { return errors.Join(insert(tx), boom) }); !errors.Is(err, boom) || ran {
			t.Fatalf("rolled back: error %v, after-commit ran: %v", err, ran)
		}
		if err := d.Tx(ctx, insert); err != nil || !ran {
			t.Fatalf("committed: error %v, after-commit ran: %v", err, ran)
		}
		if err := d.Tx(ctx, insert); !db.IsDuplicate(err) {
			t.Fatalf("a second row of the same key: %v", err)
		}
		var at db.Instant
		if err := d.Read(ctx).Raw("select at from things").Scan(&at).Error; err != nil || !at.Equal(time.UnixMicro(7)) {
			t.Fatalf("read %v, %v", at, err)
		}
	})
}

// One server per database, on either engine; and nobody else may read the file.
func TestExclusive(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		if err := d.Exclusive(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := d.Analyze(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dsn := dbtest.DSN(t, db.Postgres)
	first, second := dbtest.Open(t, dsn), dbtest.Open(t, dsn)
	if err := first.Exclusive(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := second.Exclusive(context.Background()); !errors.Is(err, db.ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third := dbtest.Open(t, dsn)
	if err := third.Exclusive(context.Background()); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	lite := dbtest.DSN(t, db.SQLite)
	dbtest.Open(t, lite)
	if info, err := os.Stat(strings.TrimPrefix(lite, "sqlite:")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rights of the file: %v %v", info.Mode(), err)
	}
}

// A connection on which a statement was cut is given to nobody else: what the cut left behind in the driver would be
// the next statement's error.
func TestCutConnectionsAreNotUsedAgain(t *testing.T) {
	d := dbtest.Open(t, dbtest.DSN(t, db.Postgres))
	pool, err := d.Pool()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	backend := func(ctx context.Context, then func()) (pid int) {
		t.Helper()
		rows, err := pool.QueryContext(ctx, "select pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Scan(&pid); err != nil {
			t.Fatal(err)
		}
		then()
		return pid
	}
	uncut := backend(context.Background(), func() {})
	if again := backend(context.Background(), func() {}); again != uncut {
		t.Errorf("two statements on two connections, %d and %d", uncut, again)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if at := backend(ctx, cancel); at != uncut {
		t.Errorf("a third statement on another connection")
	}
	if after := backend(context.Background(), func() {}); after == uncut {
		t.Errorf("the connection of a cut statement is used again")
	}
}

func TestOpenRefusesClearly(t *testing.T) {
	dsn := dbtest.DSN(t, db.SQLite)
	dbtest.Open(t, dsn)
	if _, err := db.Open(context.Background(), dsn); !errors.Is(err, db.ErrInUse) {
		t.Errorf("second process: %v", err)
	}
	for dsn, want := range map[string]string{
		"mysql://x":                 "must begin with sqlite: or postgres://",
		"sqlite:":                   "wants the path of a file",
		"sqlite:/proc/nowhere/x.db": "open sqlite database",
		"postgres://u:s3cret@127.0.0.1:1/x?connect_timeout=1": "open postgres database",
	} {
		_, err := db.Open(context.Background(), dsn)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

// A lock that a restart of the database took is taken again; where another server was faster this one is told to stop.
func TestGuard(t *testing.T) {
	dsn := dbtest.DSN(t, db.Postgres)
	first, second := dbtest.Open(t, dsn), dbtest.Open(t, dsn)
	if err := first.Exclusive(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut := func(least int) {
		t.Helper()
		var gone int
		if err := second.Read(t.Context()).Raw("select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())").Scan(&gone).Error; err != nil || gone < least {
			t.Fatalf("%d were cut: %v", gone, err)
		}
	}
	cut(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- first.Guard(ctx) }()
	held := func() (n int) {
		if err := second.Read(t.Context()).Raw("select count(*) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())").Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		return n
	}
	for began := time.Now(); held() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the lock is not taken again")
		}
	}
	stop()
	<-done
	cut(0) // where it was stopped while it took the lock, nobody holds it
	for began := time.Now(); held() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the session lives")
		}
	}
	if err := second.Exclusive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Guard(t.Context()); !errors.Is(err, db.ErrInUse) {
		t.Errorf("beside another server: %v", err)
	}
}

// A session that stands still in the middle of a transaction is ended by PostgreSQL, so that its locks are free; one that only reads is not.
func TestLocksOfTheFrozenAreFreed(t *testing.T) {
	dsn := dbtest.Postgres(t)
	d := dbtest.Open(t, dsn+"&idle_in_transaction_session_timeout=300")
	var limit string
	if err := dbtest.Open(t, dsn).Read(t.Context()).Raw("show idle_in_transaction_session_timeout").Scan(&limit).Error; err != nil || limit != "10s" {
		t.Errorf("a transaction may stand still for %q, %v", limit, err)
	}
	if err := d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec("create table t (n int); insert into t values (1)").Error }); err != nil {
		t.Fatal(err)
	}
	held, free := make(chan struct{}), make(chan error, 1)
	go func() {
		<-held
		free <- d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec("update t set n = 3").Error })
	}()
	err := d.Tx(t.Context(), func(tx *db.Tx) error {
		if err := tx.Exec("update t set n = 2").Error; err != nil {
			return err
		}
		close(held)
		select {
		case err := <-free: // only once this session has been ended
			free <- err
		case <-time.After(20 * time.Second):
			t.Error("the lock of a session that stands still is held")
		}
		return nil
	})
	if err == nil {
		t.Error("a session that stood still has committed")
	}
	if err := <-free; err != nil {
		t.Error(err)
	}
	if err := d.Snapshot(t.Context(), func(tx *gorm.DB) error {
		var n int
		time.Sleep(600 * time.Millisecond)
		return tx.Raw("select n from t").Scan(&n).Error
	}); err != nil {
		t.Errorf("a snapshot that thinks: %v", err)
	}
}
