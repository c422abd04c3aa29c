package backup_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

var taken = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// things are tables of every type of column, whose rows refer to each other against the order of their names.
var things = fstest.MapFS{"migrations/00001_first.sql": {Data: []byte(`-- +goose Up
create table z_owners (id text not null, constraint z_owners_pk primary key (id));
create table a_things (id text not null, owner text not null, at bigint, n integer not null, done boolean not null, constraint a_things_pk primary key (id),
  constraint a_things_owner foreign key (owner) references z_owners (id));
-- +goose Down
drop table a_things;
drop table z_owners;
`)}, "migrations/00002_second.sql": {Data: []byte("-- +goose Up\nalter table a_things add column note text not null default 'new';\n-- +goose Down\nalter table a_things drop column note;\n")}}

func prepare(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	for _, fn := range []func(context.Context, *db.DB) error{backup.Migrate, audit.Migrate, func(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "things", things) }} {
		if err := fn(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
}

func fill(t *testing.T, d *db.DB, rows int) {
	t.Helper()
	if err := d.Tx(context.Background(), func(tx *db.Tx) error {
		if err := tx.Exec("insert into z_owners (id) values ('o')").Error; err != nil {
			return err
		}
		for i := range rows {
			at := db.Instant{}
			if i%2 == 0 {
				at = db.At(taken)
			}
			if err := tx.Exec("insert into a_things (id, owner, at, n, done, note) values (?, 'o', ?, ?, ?, ?)", fmt.Sprint("id-", i), at, -i, i%3 == 0, "张伟 \"<&>\" \u2028\n\t"+strings.Repeat("x", i%7)).Error; err != nil {
				return err
			}
		}
		return audit.Append(tx, audit.Record{Actor: "a", Action: "thing.made", Subject: "s", Personal: map[string]any{"name": "张伟"}}, audit.Record{Actor: "b", Action: "thing.made", Subject: "s"})
	}); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, d *db.DB) string {
	t.Helper()
	var rows []struct {
		ID, Owner, Note string
		At              db.Instant
		N               int64
		Done            bool
	}
	if err := d.Read(context.Background()).Raw("select * from a_things order by n").Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(context.Background(), d, audit.Report{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v %+v", rows, report)
}

func saved(t *testing.T, d *db.DB) []byte {
	t.Helper()
	var out bytes.Buffer
	header, sum, err := backup.Write(context.Background(), d, &out, backup.Header{Version: "test", TakenAt: taken})
	if err != nil {
		t.Fatal(err)
	}
	if header.AuditSize != 2 || header.Migrations["things"] != 2 || sum.Rows["a_things"] == 0 {
		t.Fatalf("%+v %+v", header, sum)
	}
	return out.Bytes()
}

func restore(d *db.DB, from []byte) error {
	r, err := backup.Open(bytes.NewReader(from))
	if err != nil {
		return err
	}
	_, err = r.Restore(context.Background(), d, taken.Add(time.Hour), func(*db.Tx) error { return nil })
	return err
}

// What is restored is what was there, on either engine from either, row by row and with the same audit log; and it is closed.
func TestWhatIsRestoredIsWhatWas(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, from *db.DB) {
		prepare(t, from)
		fill(t, from, 1203)
		file := saved(t, from)
		if again := saved(t, from); !bytes.Equal(file, again) {
			t.Error("two backups of one state differ")
		}
		for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
			to := dbtest.Open(t, dbtest.DSN(t, engine))
			if empty, err := to.Empty(context.Background()); err != nil || !empty {
				t.Fatalf("a new database is empty: %v %v", empty, err)
			}
			prepare(t, to)
			if empty, err := to.Empty(context.Background()); err != nil || empty {
				t.Fatalf("one with tables is not: %v %v", empty, err)
			}
			if err := restore(to, file); err != nil {
				t.Fatal(err)
			}
			if got, want := content(t, to), content(t, from); got != want {
				t.Errorf("to %s:\n%s\nwant\n%s", engine, got, want)
			}
			state, err := backup.Read(context.Background(), to)
			if err != nil || !state.Closed() || !state.TakenAt.Equal(taken) || state.AuditSize != 2 {
				t.Errorf("%+v %v", state, err)
			}
		}
		if state, err := backup.Read(context.Background(), from); err != nil || state.Closed() {
			t.Errorf("what was backed up is closed: %+v %v", state, err)
		}
	})
}

// A backup that was cut, altered, or is of something else restores nothing.
func TestWhatIsNotWholeRestoresNothing(t *testing.T) {
	from := dbtest.SQLite(t)
	prepare(t, from)
	fill(t, from, 40)
	file := saved(t, from)
	text := func() string {
		r, err := gzip.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(all)
	}()
	packed := func(text string) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		io.WriteString(w, text)
		w.Close()
		return out.Bytes()
	}
	lines := strings.SplitAfter(text, "\n")
	bad := map[string][]byte{
		"cut":           file[:len(file)/2],
		"nothing":       nil,
		"something":     []byte("hello"),
		"without end":   packed(strings.Join(lines[:len(lines)-2], "")),
		"a row less":    packed(strings.Replace(text, lines[len(lines)-4], "", 1)),
		"a row altered": packed(strings.Replace(text, `"id-7"`, `"id-x"`, 1)),
		"no row":        packed(strings.Replace(text, `["id-7"`, `[["id-7"]`, 1)),
		"another table": packed(strings.Replace(text, `{"table":"a_things"`, `{"table":"sqlite_master"`, 1)),
		"another form":  packed(strings.Replace(text, "rollcall backup 1", "rollcall backup 9", 1)),
	}
	for name, file := range bad {
		t.Run(name, func(t *testing.T) {
			to := dbtest.SQLite(t)
			prepare(t, to)
			before := content(t, to)
			if err := restore(to, file); err == nil {
				t.Error("restored")
			}
			if after := content(t, to); after != before {
				t.Errorf("something of it stands: %s", after)
			}
			if state, err := backup.Read(context.Background(), to); err != nil || state.Closed() {
				t.Errorf("%+v %v", state, err)
			}
		})
	}
}

// Tables of an earlier version are filled as they were then, and brought up to date afterwards; those of a later one are refused.
func TestOtherVersions(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, to *db.DB) {
		ctx := context.Background()
		to.MigrateUpTo(map[string]int64{"things": 1})
		if err := errors.Join(to.Migrate(ctx, "things", things), to.Migrate(ctx, "unknown", things)); err != nil {
			t.Fatal(err)
		}
		if err := to.Tx(ctx, func(tx *db.Tx) error { return tx.Exec("insert into z_owners (id) values ('o')").Error }); err != nil {
			t.Fatal(err)
		}
		if err := to.Tx(ctx, func(tx *db.Tx) error {
			return tx.Exec("insert into a_things (id, owner, n, done, note) values ('x', 'o', 1, ?, '')", true).Error
		}); err == nil {
			t.Error("the second migration ran")
		}
		to.MigrateUpTo(nil)
		if err := to.Migrate(ctx, "things", things); err != nil {
			t.Fatal(err)
		}
		to.MigrateUpTo(map[string]int64{"things": 3})
		if err := to.Migrate(ctx, "things", things); !errors.Is(err, db.ErrNewer) {
			t.Errorf("a later version: %v", err)
		}
	})
}
