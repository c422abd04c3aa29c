package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/schema"

	"github.com/rollcall-im/rollcall/chat/chattest"
	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Row structs and tables say the same, both ways.
func TestRowsMatchTables(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		if err := Migrate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		for _, row := range []schema.Tabler{messageRow{}, channelRow{}, eventRow{}, readRow{}, personRow{}, personEventRow{}, ticketRow{}} {
			parsed, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			types, err := d.Read(t.Context()).Migrator().ColumnTypes(row.TableName())
			if err != nil {
				t.Fatal(err)
			}
			var columns []string
			for _, c := range types {
				columns = append(columns, c.Name())
				if nullable, ok := c.Nullable(); ok && nullable {
					t.Errorf("%s.%s may be null", row.TableName(), c.Name())
				}
			}
			slices.Sort(columns)
			fields := slices.Sorted(slices.Values(parsed.DBNames))
			if !slices.Equal(columns, fields) {
				t.Errorf("%s: table %v, row %v", row.TableName(), columns, fields)
			}
		}
	})
}

// Many writers at once: no gap, no duplicate, seq in the order of commits, everything in one transaction.
func TestSeqHasNoGap(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		const writers, each = 6, 12
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				for i := range each {
					person := id.Person([]string{"per_a", "per_b", "per_stranger"}[i%3])
					_, _, err := h.chat.Post(context.Background(), person, Draft{Channel: general, Text: fmt.Sprint(w, "-", i)})
					if person == "per_stranger" != errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		const n = writers * each * 2 / 3
		entries, head, err := h.chat.store.entries(t.Context(), general, 0, 1000)
		if err != nil || head != n || len(entries) != n {
			t.Fatalf("%d of %d entries, head %d, %v", len(entries), n, head, err)
		}
		for i, e := range entries {
			if e.seq != int64(i+1) || e.message == nil || e.message.Seq != e.seq || i > 0 && e.at.Before(entries[i-1].at) {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
		if got := h.count("select count(*) from feed_events where kind = 'message.created'"); got != n {
			t.Errorf("%d feed events", got)
		}
		if got := h.count("select count(*) from feed_events where data like '%-%' and kind = 'message.created'"); got != 0 {
			t.Errorf("%d feed events hold more than ids", got)
		}
		if got := h.count("select max(ordinal) from chat_events"); got != n {
			t.Errorf("ordinal %d", got)
		}
	})
}

// A retry with the same client_id is the same message, however many come at once.
func TestRetryWritesOnce(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		h.gate.Let("chn_quiet", chattest.Grant{Post: true}, "per_a")
		var wait sync.WaitGroup
		var mu sync.Mutex
		ids, written := map[id.Message]bool{}, 0
		for range 12 {
			wait.Go(func() {
				m, fresh, err := h.chat.Post(context.Background(), "per_a", Draft{Channel: general, ClientID: "c1", Text: "once"})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[m.ID] = true
				if fresh {
					written++
				}
			})
		}
		wait.Wait()
		if len(ids) != 1 || written != 1 || h.count("select seq from chat_channels where channel = ?", general) != 1 {
			t.Errorf("%d messages, %d fresh, seq %d", len(ids), written, h.count("select seq from chat_channels where channel = ?", general))
		}
		if _, _, err := h.chat.Post(t.Context(), "per_a", Draft{Channel: general, ClientID: "c1", Text: "something else"}); !errors.Is(err, ErrReused) {
			t.Errorf("another text: %v", err)
		}
		for _, other := range []struct {
			person  id.Person
			channel id.Channel
		}{{"per_b", general}, {"per_a", "chn_quiet"}} {
			if _, fresh, err := h.chat.Post(t.Context(), other.person, Draft{Channel: other.channel, ClientID: "c1", Text: "once"}); err != nil || !fresh {
				t.Errorf("%v: %v %v", other, fresh, err)
			}
		}
	})
}

// A writer whose removal is committed but not yet in force on this node writes nothing.
func TestPostWaitsForTheGate(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
		h.ahead.Store(1)
		done := make(chan error, 1)
		go func() {
			_, _, err := h.chat.Post(context.Background(), "per_a", Draft{Channel: general, Text: "too late"})
			done <- err
		}()
		select {
		case err := <-done:
			t.Fatal("did not wait: ", err)
		case <-time.After(50 * time.Millisecond):
		}
		h.ahead.Store(0)
		h.gate.Remove(general, "per_a")
		if err := <-done; !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if n := h.count("select count(*) from chat_messages"); n != 0 {
			t.Fatalf("%d messages", n)
		}
		if n := h.count("select count(*) from chat_channels"); n != 0 {
			t.Fatalf("%d counters moved", n)
		}
	})
}

func TestMembershipInTheLog(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		for range 7 {
			h.post("per_a", general, "before")
		}
		ctx := t.Context()
		for _, step := range []struct {
			joined bool
			rev    int64
		}{{true, 10}, {true, 10}, {false, 11}, {false, 11}, {true, 12}, {true, 10}} {
			if err := d.Tx(ctx, func(tx *db.Tx) error {
				return h.chat.RecordMemberships(tx, []Move{{general, "per_b", step.joined, step.rev}})
			}); err != nil {
				t.Fatal(err)
			}
		}
		h.post("per_a", general, "after")
		entries, head, err := h.chat.store.entries(ctx, general, 7, 100)
		if err != nil || head != 11 {
			t.Fatal(head, err)
		}
		var kinds []string
		for _, e := range entries {
			kinds = append(kinds, e.kind)
		}
		if got := strings.Join(kinds, " "); got != "member.joined member.left member.joined message.created" {
			t.Errorf("%s", got)
		}
		standings, err := h.chat.store.standings(ctx, "per_b", map[id.Channel]time.Time{general: {}})
		if err != nil || standings[general].unread() != 1 || standings[general].ReadSeq != 8 {
			t.Errorf("%+v, %v", standings[general], err)
		}
		rows, head, err := h.chat.store.personEntries(ctx, "per_b", 0, 10)
		if err != nil || head != 3 || len(rows) != 3 || rows[0].Type != channelJoined || rows[1].Type != channelLeft {
			t.Errorf("%+v %d %v", rows, head, err)
		}
	})
}

func TestReadCursor(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		for range 5 {
			h.post("per_a", general, "x")
		}
		ctx := t.Context()
		for _, c := range []struct{ to, want int64 }{{0, 0}, {3, 3}, {2, 3}, {3, 3}, {99, 5}, {1, 5}} {
			if got, err := h.chat.MarkRead(ctx, "per_b", general, c.to); err != nil || got != c.want {
				t.Errorf("to %d: %d, %v; want %d", c.to, got, err, c.want)
			}
		}
		if rows, _, err := h.chat.store.personEntries(ctx, "per_b", 0, 10); err != nil || len(rows) != 2 {
			t.Errorf("%d moves in the log, %v", len(rows), err)
		}
		var wait sync.WaitGroup // own devices at once: monotone
		for i := range 8 {
			wait.Go(func() {
				if _, err := h.chat.MarkRead(ctx, "per_a", general, int64(i)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if _, err := h.chat.MarkRead(ctx, "per_stranger", general, 1); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestHistoryPages(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, nil)
		h.gate.Let(general, chattest.Grant{Post: true}, "per_a")
		for i := range 12 {
			text := fmt.Sprint("m", i+1)
			if i >= 9 {
				text += strings.Repeat(" large", 6000)
			}
			h.post("per_a", general, text)
		}
		s, ctx := h.chat.store, t.Context()
		for _, c := range []struct {
			before, after int64
			limit         int
			want          string
			more          bool
		}{
			{0, -1, 3, "m10 m11 m12", true},
			{4, -1, 3, "m1 m2 m3", false},
			{9, -1, 2, "m7 m8", true},
			{0, 0, 2, "m1 m2", true},
			{0, 10, 5, "m11 m12", false},
			{0, 2, 2, "m3 m4", true},
			{0, 50, 2, "", false},
		} {
			p, err := s.history(ctx, general, c.before, c.after, c.limit, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range p.messages {
				first, _, _ := strings.Cut(m.Text, " ")
				got = append(got, first)
			}
			if strings.Join(got, " ") != c.want || p.more != c.more {
				t.Errorf("%+v: %v, more %v", c, got, p.more)
			}
		}
		for range 20 {
			h.post("per_a", general, strings.Repeat("large ", 6600))
		}
		p, err := s.history(ctx, general, 0, -1, 200, time.Time{})
		if err != nil || len(p.messages) < 5 || len(p.messages) > 20 || !p.more {
			t.Errorf("a page of large messages has %d, more %v, %v", len(p.messages), p.more, err)
		}
		entries, _, err := s.entries(ctx, general, 10, 200)
		if err != nil || len(entries) < 5 || len(entries) > 20 {
			t.Errorf("large events: %d, %v", len(entries), err)
		}
		from := h.post("per_a", general, "mark").At
		p, err = s.history(ctx, general, 0, -1, 200, from)
		if err != nil || len(p.messages) != 1 {
			t.Errorf("history from an instant: %d, %v", len(p.messages), err)
		}
	})
}

func TestTickets(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		now := time.Now()
		h := newHouse(t, d, func(c *Config) { c.Now = func() time.Time { return now } })
		s, ctx := h.chat.store, t.Context()
		who := caller("per_a", "ses_a")
		secret, _, err := s.issueTicket(ctx, who)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wait.Go(func() {
				got, err := s.redeemTicket(context.Background(), secret)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && got.Person == who.Person && got.Session == who.Session && got.Token == who.Token {
					won++
				} else if !errors.Is(err, ErrTicket) {
					t.Error(got, err)
				}
			})
		}
		wait.Wait()
		if won != 1 {
			t.Errorf("redeemed %d times", won)
		}
		for name, spoil := range map[string]func(){
			"too old":       func() { now = now.Add(ticketTime) },
			"session ended": func() { h.chat.EndSession(ctx, "ses_a") },
			"token ended":   func() { h.chat.EndToken(ctx, "tok_a") },
			"person ended":  func() { h.chat.EndPerson(ctx, "per_a") },
		} {
			who := who
			if name == "token ended" {
				who.Session, who.Token = "", "tok_a"
			}
			secret, _, err := s.issueTicket(ctx, who)
			if err != nil {
				t.Fatal(err)
			}
			spoil()
			if _, err := s.redeemTicket(ctx, secret); !errors.Is(err, ErrTicket) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.redeemTicket(ctx, "rtk_nonsense"); !errors.Is(err, ErrTicket) {
			t.Error(err)
		}
		if n := h.count("select count(*) from chat_tickets where hash = ?", secret); n != 0 {
			t.Error("the secret is kept")
		}
	})
}

// unreadable is a bus on which everything is said in another format.
type unreadable struct{ bus.Bus }

func (b unreadable) Subscribe(subject bus.Subject, fn func([]byte)) (func(), error) {
	return b.Bus.Subscribe(subject, func([]byte) { fn(nil) })
}

// What a node of another version says on the bus is not read, and not lost: this node looks for itself, at once, at every channel and every person.
func TestNotesInAnotherFormat(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		shared := bus.NewInProcess()
		defer shared.Close()
		one := newHouse(t, d, func(c *Config) { c.Bus = shared })
		two := newHouse(t, d, func(c *Config) { c.Bus = unreadable{shared} })
		one.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		two.gate.Let(general, chattest.Grant{Post: true}, "per_a", "per_b")
		b := openStream(t, two, "per_a", `{"op":"resume"}`)
		b.event(t, "resumed")
		following := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(following)
			two.chat.Follow(ctx, nil)
		}()
		defer func() { cancel(); <-following }()
		for i := range 5 {
			one.post("per_b", general, fmt.Sprint("m", i))
			if e := b.event(t, "message.created"); e.Message.Text != fmt.Sprint("m", i) {
				t.Fatalf("event %d is %+v", i, e)
			}
			if _, err := one.chat.MarkRead(t.Context(), "per_a", general, int64(i+1)); err != nil {
				t.Fatal(err)
			}
			b.event(t, "read.moved") // of a person's own log, which is looked at once a minute
		}
	})
}

// Two nodes on one database: what is written on one is read on the other, told by a nudge only.
func TestTwoNodes(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		shared := bus.NewInProcess()
		defer shared.Close()
		one := newHouse(t, d, func(c *Config) { c.Bus = shared })
		two := newHouse(t, d, func(c *Config) { c.Bus = shared })
		one.gate.Let(general, chattest.Grant{Post: true}, "per_a")
		two.gate.Let(general, chattest.Grant{Post: true}, "per_a")
		a, b := openStream(t, one, "per_a", `{"op":"resume"}`), openStream(t, two, "per_a", `{"op":"resume"}`)
		for i := range 20 {
			if i%2 == 0 {
				one.post("per_a", general, fmt.Sprint("m", i))
			} else {
				two.post("per_a", general, fmt.Sprint("m", i))
			}
		}
		if _, err := one.chat.MarkRead(t.Context(), "per_a", general, 20); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*clientStream{a, b} {
			for i := range 20 {
				if e := s.event(t, "message.created"); e.Seq != int64(i+1) || e.Message.Text != fmt.Sprint("m", i) {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
		}
	})
}
