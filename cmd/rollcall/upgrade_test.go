package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// While nodes are upgraded one by one, and where an upgrade is taken back, a node runs on tables that a later version has added to: it starts, says so, and
// does what it always does. migrations_test.go at the root holds migrations to adding.
func TestOldNodeOnNewerTables(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := dbtest.DSN(t, engine)
			c := newCrash(t, dsn)
			c.hires("before")
			c.stop(os.Interrupt)
			var later []string
			for _, pkg := range []string{"feed", "directory", "authz", "provisioning", "chat", "session", "audit"} {
				later = append(later, "insert into migrations_"+pkg+" (version_id, is_applied, tstamp) values (90001, true, current_timestamp)")
			}
			for _, table := range []string{"persons", "memberships", "channels", "feed_events", "feed_cursors", "authz_tuples", "chat_messages"} {
				later = append(later, "alter table "+table+" add column of_a_later_version text")
			}
			c.write(dsn, append(later, "create table of_a_later_version (n bigint)")...)
			c.serve()
			if !strings.Contains(c.log.String(), "later version") {
				t.Errorf("it says nothing:\n%s", c.log.String())
			}
			c.hires("after")
			for _, name := range []string{"before", "after"} {
				person, _ := c.look(name)
				c.opened(person, name, true)
			}
		})
	}
}
