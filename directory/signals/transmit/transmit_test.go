package transmit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// What changed is one event, whatever it was called before; a stream that does not want one is told by the next best, or nothing.
func TestNext(t *testing.T) {
	all := Supported()
	for _, row := range []struct {
		before  Standing
		revoked bool
		now     Standing
		sent    []string
		want    string
	}{
		{enabled, false, enabled, all, ""},
		{enabled, true, enabled, all, SessionRevoked},
		{enabled, false, disabled, all, AccountDisabled},
		{enabled, true, disabled, all, AccountDisabled},
		{disabled, false, disabled, all, ""},
		{disabled, true, disabled, all, ""},
		{disabled, false, enabled, all, AccountEnabled},
		{disabled, true, enabled, all, AccountEnabled},
		{disabled, false, purged, all, AccountPurged},
		{enabled, false, purged, all, AccountPurged},
		{purged, true, purged, all, ""},
		{enabled, false, disabled, []string{SessionRevoked}, SessionRevoked},
		{disabled, false, enabled, []string{SessionRevoked}, ""},
		{disabled, false, purged, []string{AccountDisabled}, ""},
		{enabled, false, purged, []string{AccountDisabled}, AccountDisabled},
		{enabled, true, enabled, []string{AccountDisabled}, ""},
	} {
		if got := next(told{Standing: row.before, Revoked: row.revoked}, row.now, row.sent); got != row.want {
			t.Errorf("%+v: %q", row, got)
		}
	}
}

// A receiver has events pushed to where an administrator lets it, and nowhere else.
func TestAddresses(t *testing.T) {
	for _, row := range []struct {
		address, base string
		want          bool
	}{
		{"https://a.example/in", "https://a.example/in", true},
		{"https://a.example/in/1?x=y", "https://a.example/in", true},
		{"https://a.example/in", "https://a.example", true},
		{"https://a.example/in", "https://a.example/", true},
		{"http://127.0.0.1:1/in", "http://127.0.0.1:1/", true},
		{"https://a.example/inside", "https://a.example/in", false},
		{"https://a.example/in/../x", "https://a.example/in", false},
		{"https://a.example/in/%2e%2e/x", "https://a.example/in", false},
		{"https://a.example.evil.example/in", "https://a.example/", false},
		{"https://a.example@evil.example/in", "https://a.example/", false},
		{"https://x@a.example/in", "https://a.example/", false},
		{"https://a.example:444/in", "https://a.example/", false},
		{"http://a.example/in", "http://a.example/", false},
		{"http://127.evil.example/in", "http://127.evil.example/", false}, // a name, not an address
		{"http://localhost.evil.example/in", "http://localhost.evil.example/", false},
		{"file:///etc/passwd", "file:///etc", false},
		{"https://a.example/in", "", false},
		{"", "", false},
	} {
		if got := isAddress(row.address) && within(row.address, row.base); got != row.want {
			t.Errorf("%s below %s: %v", row.address, row.base, got)
		}
	}
}

// crowd is a transmitter over a directory, driven by hand.
type crowd struct {
	*testing.T
	*Transmitter
	feed   *feed.Feed
	source id.Source
	now    time.Time
	seq    int64
	acks   []string
}

// anybody is access that nothing waits for.
type anybody struct{}

func (anybody) Revoke(*db.Tx, []directory.FreezeChange) (int64, error) { return 1, nil }

func (anybody) Settle(context.Context, directory.Cause, []id.Person, int64) error { return nil }

func newCrowd(t *testing.T, d *db.DB) *crowd {
	t.Helper()
	for _, one := range []func(context.Context, *db.DB) error{feed.Migrate, audit.Migrate, directory.Migrate, Migrate} {
		if err := one(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	file, _, err := seal.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := &crowd{T: t, feed: feed.New(d, "node", log), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return c.now }
	people := directory.New(d, c.feed, log)
	people.Access, people.Now = anybody{}, clock
	c.Transmitter = &Transmitter{DB: d, Log: log, People: people, Seal: key, PublicURL: "https://chat.example.com", HTTPClient: http.DefaultClient, Now: clock}
	source, err := people.CreateSource(t.Context(), directory.Cause{Actor: "t"}, directory.Source{Name: "hr", Kind: directory.KindSCIM})
	if err != nil {
		t.Fatal(err)
	}
	c.source = source.ID
	return c
}

func (c *crowd) is(name string, active bool, change ...func(*directory.Record)) {
	c.Helper()
	r := directory.Record{Source: c.source, Key: name, UserName: name, ExternalID: "x-" + name, Active: active, Attributes: directory.Attributes{DisplayName: name, Emails: []directory.Email{{Value: name + "@example.com", Primary: true}}}}
	for _, fn := range change {
		fn(&r)
	}
	if _, err := c.People.Apply(c.Context(), directory.Cause{Source: c.source}, directory.PutRecord{Record: r}); err != nil {
		c.Fatal(err)
	}
}

// looks has the follower and the runner do what there is to do, and answers what waits for the stream.
func (c *crowd) looks() (waiting []string) {
	c.Helper()
	events, err := c.feed.After(c.Context(), c.seq, 1000)
	if err != nil {
		c.Fatal(err)
	}
	if len(events) > 0 {
		if err := c.DB.Tx(c.Context(), func(tx *db.Tx) error { return c.Follower().HandleTx(c.Context(), tx, events) }); err != nil {
			c.Fatal(err)
		}
		c.seq = events[len(events)-1].Seq
	}
	for more := true; more; {
		if _, more, err = c.round(c.Context()); err != nil {
			c.Fatal(err)
		}
	}
	r, err := one(c.DB.Read(c.Context()), ErrStream, "name = 'desk'")
	if err != nil {
		c.Fatal(err)
	}
	found, _, err := c.waiting(c.Context(), r, 100)
	if err != nil {
		c.Fatal(err)
	}
	c.acks = nil
	for _, q := range found {
		var claims struct {
			Sub map[string]string `json:"sub_id"`
		}
		if err := json.Unmarshal([]byte(q.Claims), &claims); err != nil {
			c.Fatal(err)
		}
		c.acks = append(c.acks, q.JTI)
		waiting = append(waiting, q.Event[strings.LastIndexByte(q.Event, '/')+1:]+" "+claims.Sub["email"]+claims.Sub["id"])
	}
	return waiting
}

func (c *crowd) wants(want ...string) {
	c.Helper()
	if got := c.looks(); !slices.Equal(got, want) {
		c.Fatalf("waiting %q, want %q", got, want)
	}
}

func (c *crowd) acknowledge() {
	c.Helper()
	r, err := one(c.DB.Read(c.Context()), ErrStream, "name = 'desk'")
	if err == nil {
		err = c.done(c.Context(), r.Stream, c.acks, nil)
	}
	if err != nil {
		c.Fatal(err)
	}
}

func (c *crowd) add(s Settings) {
	c.Helper()
	poll := "poll"
	s.Name, s.Audience, s.Method = "desk", "desk", &poll
	if _, err := c.Add(c.Context(), "t", s); err != nil {
		c.Fatal(err)
	}
}

// Where more happens than waits for a receiver, it is told in the end how people stand, once each; nothing is lost.
func TestQueueIsBounded(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.Most = 3
		c.add(Settings{Subject: ByEmail})
		for i := range 5 {
			c.is(fmt.Sprint("p", i), true)
		}
		c.wants()
		for i := range 5 {
			c.now = c.now.Add(time.Millisecond)
			c.is(fmt.Sprint("p", i), false)
		}
		c.wants("account-disabled p0@example.com", "account-disabled p1@example.com", "account-disabled p2@example.com")
		c.now = c.now.Add(time.Millisecond)
		c.is("p3", true) // before it could be told that they were out
		c.is("p0", true) // after that
		c.wants("account-disabled p0@example.com", "account-disabled p1@example.com", "account-disabled p2@example.com")
		c.acknowledge()
		c.wants("account-disabled p4@example.com", "account-enabled p0@example.com")
		c.acknowledge()
		c.wants()
	})
}

// What is to come is told when it has come, even where the clock that wrote it is ahead of the one that looks.
func TestAhead(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.add(Settings{Subject: ByEmail})
		at := c.now.Add(24 * time.Hour)
		c.is("ann", true)
		c.wants()
		c.is("ann", true, func(r *directory.Record) { r.EndAt = at })
		c.wants()
		c.now = at.Add(-time.Microsecond)
		if _, _, err := c.People.CatchInstants(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.wants()
		c.now = at.Add(200 * time.Millisecond)
		if _, _, err := c.People.CatchInstants(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.now = at.Add(-50 * time.Millisecond)
		c.wants("account-disabled ann@example.com")
	})
}

// Who has no name that the receiver knows is told of as soon as there is one.
func TestUnnamed(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.add(Settings{Subject: ByExternalID, Source: c.source})
		nameless := func(r *directory.Record) { r.ExternalID = "" }
		c.is("ann", true, nameless)
		c.wants()
		c.is("ann", false, nameless)
		c.wants()
		if all, err := c.Receivers(t.Context()); err != nil || all[0].Unnamed != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		c.is("ann", false, func(r *directory.Record) { r.Title = "Clerk" })
		c.wants("account-disabled x-ann")
		if all, err := c.Receivers(t.Context()); err != nil || all[0].Unnamed != 0 || all[0].Waiting != 1 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// A key is exchanged by itself, and there is never a time in which what is signed cannot be believed by who read the key set a day ago.
func TestKeysRotate(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.add(Settings{Subject: ByEmail})
		read := func() (ids []string) {
			set, err := c.keySet(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range set.Keys {
				ids = append(ids, k.KeyID)
			}
			return ids
		}
		before, seen := read(), map[string]bool{}
		for range 220 {
			c.now = c.now.Add(24 * time.Hour)
			if err := c.tend(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, err := c.signer(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			raw, err := signed(s, "{}")
			if err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
			if err != nil {
				t.Fatal(err)
			}
			kid := signed.Signatures[0].Header.KeyID
			if seen[kid] = true; !slices.Contains(before, kid) || !slices.Contains(read(), kid) {
				t.Fatalf("%s: signed with %s, a day ago there were %v", c.now, kid, before)
			}
			before = read()
		}
		if len(seen) != 3 || len(before) != 1 {
			t.Errorf("%d keys signed, %d are there", len(seen), len(before))
		}
		var sealed string
		if err := d.Read(t.Context()).Raw("select sealed from transmit_keys limit 1").Scan(&sealed).Error; err != nil || !seal.Sealed(sealed) {
			t.Errorf("a key stands open: %.20s, %v", sealed, err)
		}
	})
}

// A restored database tells nothing while it is closed, and afterwards who has access again only where it is so.
func TestRestored(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.add(Settings{Subject: ByEmail})
		for _, name := range []string{"ann", "bob", "cid"} {
			c.is(name, true)
		}
		c.wants()
		c.is("ann", false)
		c.is("bob", false)
		c.looks()
		c.acknowledge()
		c.is("ann", true)
		c.is("bob", true)
		c.is("cid", false)
		c.wants("account-enabled ann@example.com", "account-enabled bob@example.com", "account-disabled cid@example.com")
		if err := d.Tx(t.Context(), func(tx *db.Tx) error { return Restored(tx, c.now) }); err != nil {
			t.Fatal(err)
		}
		c.Closed = func() bool { return true }
		c.is("bob", false) // was so after the backup, and is said again
		c.wants("account-disabled cid@example.com")
		c.Closed = nil
		c.wants("account-disabled cid@example.com", "account-enabled ann@example.com")
	})
}

// Who turned out to be somebody else has that one's names: a receiver hears how that one stands, or, by an id of their own, that they are nobody now.
func TestMerged(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		for form, want := range map[string][]string{ByEmail: {"account-enabled ann@example.com"}, ByID: {"account-disabled "}} {
			c.add(Settings{Subject: form})
			for _, name := range []string{"ann", "bob", "cid"} {
				c.is(name, true)
			}
			c.wants()
			c.is("bob", false)
			c.looks()
			c.acknowledge()
			if err := d.Tx(t.Context(), func(tx *db.Tx) error { // both turn out to be ann
				if err := tx.Exec("update persons set merged_into = (select p.id from persons p where p.user_name = 'ann') where user_name in ('bob', 'cid')").Error; err != nil {
					return err
				}
				return tx.Exec("insert into transmit_told (stream, person, standing, revoked, unnamed, behind) select r.stream, p.id, 'enabled', 0, 0, 1 from transmit_receivers r, persons p where p.user_name in ('bob', 'cid') on conflict (stream, person) do update set behind = 1").Error
			}); err != nil {
				t.Fatal(err)
			}
			if got := c.looks(); len(got) != len(want) || !strings.HasPrefix(got[0], want[0]) {
				t.Errorf("%s: %q", form, got)
			}
			if err := c.Remove(t.Context(), "t", "desk"); err != nil {
				t.Fatal(err)
			}
			if err := d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Exec("update persons set merged_into = ''").Error }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What a peer said is not said back to it, neither of accounts nor of sessions; what anybody else said is.
func TestPeer(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		c := newCrowd(t, d)
		c.Peers = []string{"okta"}
		c.add(Settings{Subject: ByEmail, Peer: "okta"})
		c.is("ann", true)
		c.wants()
		page, err := c.People.People(t.Context(), directory.Query{})
		if err != nil || len(page.People) != 1 {
			t.Fatal(page, err)
		}
		ann := page.People[0].ID
		ended := func(actor string) {
			t.Helper()
			if err := d.Tx(t.Context(), func(tx *db.Tx) error { return c.Ended(tx, actor, []id.Person{ann}) }); err != nil {
				t.Fatal(err)
			}
		}
		freeze := func(transmitter string) {
			t.Helper()
			if _, err := c.People.Apply(t.Context(), directory.Cause{Actor: "idp:" + transmitter}, directory.FreezePerson{Person: ann, Signal: transmitter}); err != nil {
				t.Fatal(err)
			}
		}
		freeze("okta")
		c.wants()
		ended("idp:okta")
		c.wants()
		ended("idp:entra")
		c.wants("session-revoked ann@example.com")
		c.acknowledge()
		freeze("entra")
		c.wants("account-disabled ann@example.com")
	})
}
