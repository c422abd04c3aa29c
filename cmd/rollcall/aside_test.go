package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// A record that nobody can read is set aside for whom it is about, who is denied everything, also after a SIGKILL; everybody else goes on; once it can be
// read they are let in again.
func TestSpoiltRecord(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := dbtest.DSN(t, engine)
			c := newCrash(t, dsn)
			c.hires("spoilt")
			person, _ := c.look("spoilt")
			c.stop(os.Interrupt)
			c.write(dsn, "update feed_counter set seq = seq + 1", "insert into feed_events (seq, at, kind, subject, data) select seq, 1, 'person.merged', '"+person+"', '{\"into\":' from feed_counter")
			c.serve()
			c.hires("next") // behind it
			c.shown("merged", func(one map[string]any) bool { return one["person"] == person && one["closed"] == true })
			c.opened(person, "spoilt", false)
			c.stop(os.Kill)
			c.serve()
			c.shown("merged", func(one map[string]any) bool { return one["closed"] == true })
			c.opened(person, "spoilt", false)
			next, _ := c.look("next")
			c.opened(next, "next", true)
			c.stop(os.Interrupt)
			c.write(dsn, "update feed_events set data = '{}' where kind = 'person.merged'")
			c.serve()
			for _, follower := range []string{"merged", "guests", "reconcile"} { // tried again in any case, but later
				_, _, _ = c.call("POST", "/api/v1/set-aside/"+follower+"/"+person+"/retry", crashToken, "")
			}
			c.opened(person, "spoilt", true)
			if list := c.must("GET", "/api/v1/set-aside", crashToken, "")["items"].([]any); len(list) > 0 {
				t.Errorf("set aside: %v", list)
			}
			c.stop(os.Interrupt)
		})
	}
}

func (c *crash) hires(name string) {
	c.t.Helper()
	c.must("POST", "/scim/v2/Users", c.secret, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s","externalId":"E-%s","active":true,
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}`, name, name))
}

// look answers somebody by their name.
func (c *crash) look(name string) (person string, shown map[string]any) {
	c.t.Helper()
	for _, item := range c.must("GET", "/api/v1/people?q="+name, crashToken, "")["items"].([]any) {
		if item := item.(map[string]any); item["user_name"] == name {
			return item["id"].(string), item
		}
	}
	c.t.Fatalf("%s is not there", name)
	return "", nil
}

// write changes the database behind the server's back.
func (c *crash) write(dsn string, statements ...string) {
	c.t.Helper()
	d, err := db.Open(context.Background(), dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	defer d.Close()
	if err := d.Tx(context.Background(), func(tx *db.Tx) error {
		for _, s := range statements {
			if err := tx.Exec(s).Error; err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
}

// shown waits until something is set aside of which ok is true.
func (c *crash) shown(follower string, ok func(map[string]any) bool) {
	c.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		list := c.must("GET", "/api/v1/set-aside", crashToken, "")["items"].([]any)
		for _, one := range list {
			if one := one.(map[string]any); one["follower"] == follower && ok(one) {
				return
			}
		}
		if time.Since(began) > time.Minute {
			c.t.Fatalf("%s has set aside %v\n%s", follower, list, c.log.String())
		}
	}
}

// opened waits until a person is let in, or is not.
func (c *crash) opened(person, name string, want bool) {
	c.t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		status, made, err := c.call("POST", "/api/v1/people/"+person+"/tokens", crashToken, `{"name":"look"}`)
		if err == nil && status < 300 {
			token, _ := made["token"].(string)
			status, _, err = c.call("GET", "/api/v1/channels/"+c.channel+"/messages", token, "")
		}
		if err == nil && (status == http.StatusOK) == want {
			return
		}
		if time.Since(began) > time.Minute {
			c.t.Fatalf("%s is let in, %v: %d, %v\n%s", name, !want, status, err, c.log.String())
		}
	}
}
