package notices_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

type inbox struct {
	testing.TB
	d     *db.DB
	store *notices.Store
	now   time.Time
}

func open(t *testing.T, d *db.DB) *inbox {
	if err := notices.Migrate(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b := &inbox{TB: t, d: d, now: time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)}
	b.store = &notices.Store{DB: d, Now: func() time.Time { return b.now }}
	return b
}

func (b *inbox) tell(list ...notices.Notice) error {
	return b.d.Tx(b.Context(), func(tx *db.Tx) error { return notices.Tell(tx, list...) })
}

func (b *inbox) of(person id.Person, in notices.InboxInput) *notices.InboxOutput {
	b.Helper()
	api := &notices.API{Store: b.store, Names: func(_ context.Context, ids []string) (map[string]map[string]string, error) { return nil, nil }}
	if in.Limit == 0 {
		in.Limit = 50
	}
	out, err := api.List(httpapi.WithCaller(b.Context(), httpapi.Caller{Person: person}), &in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func TestToldOnceAndAgainAfterADay(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		b := open(t, d)
		told := func(key string, again bool) {
			t.Helper()
			if err := b.tell(notices.Notice{Person: "per_a", Kind: "test", Key: key, Again: again, At: b.now, About: map[string]string{"person": "per_b"}}); err != nil {
				t.Fatal(err)
			}
		}
		told("once", false)
		told("again", true)
		first := b.of("per_a", notices.InboxInput{})
		if len(first.Body.Items) != 2 || first.Body.Unread != 2 {
			t.Fatalf("inbox: %+v", first.Body)
		}
		if err := b.store.ReadAll(t.Context(), "per_a", b.now); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(23 * time.Hour) // there and back within a day
		told("once", false)
		told("again", true)
		if got := b.of("per_a", notices.InboxInput{Unread: true}); len(got.Body.Items) != 0 {
			t.Errorf("told twice within a day: %+v", got.Body.Items)
		}
		b.now = b.now.Add(time.Hour)
		told("once", false)
		told("again", true)
		if got := b.of("per_a", notices.InboxInput{Unread: true}); len(got.Body.Items) != 1 || !got.Body.Items[0].At.Equal(b.now) || got.Body.Unread != 1 {
			t.Errorf("a day later: %+v", got.Body)
		}
		if got := b.of("per_b", notices.InboxInput{}); len(got.Body.Items) != 0 {
			t.Errorf("somebody else's inbox: %+v", got.Body.Items)
		}
		if err := b.d.Tx(t.Context(), func(tx *db.Tx) error { return notices.Withdraw(tx, "aga") }); err != nil {
			t.Fatal(err)
		}
		if got := b.of("per_a", notices.InboxInput{}); len(got.Body.Items) != 1 {
			t.Errorf("after it was withdrawn: %+v", got.Body.Items)
		}
	})
}

func TestPagesReadingAndPruning(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		b := open(t, d)
		for _, key := range []string{"a", "b", "c"} {
			if err := b.tell(notices.Notice{Person: "per_a", Kind: "test", Key: key, At: b.now}); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[id.Notice]bool{}
		page := b.of("per_a", notices.InboxInput{Paging: httpapi.Paging{Limit: 2}})
		for range 3 {
			for _, n := range page.Body.Items {
				if seen[n.ID] {
					t.Errorf("notice %s stands on two pages", n.ID)
				}
				seen[n.ID] = true
			}
			if page.Body.Next == "" {
				break
			}
			page = b.of("per_a", notices.InboxInput{Paging: httpapi.Paging{Limit: 2, Cursor: page.Body.Next}})
		}
		if len(seen) != 3 {
			t.Errorf("%d notices on all pages", len(seen))
		}
		one := b.of("per_a", notices.InboxInput{}).Body.Items[0].ID
		if err := b.store.Read(t.Context(), "per_b", one); !errors.Is(err, notices.ErrNotFound) {
			t.Errorf("reading another's: %v", err)
		}
		for range 2 {
			if err := b.store.Read(t.Context(), "per_a", one); err != nil {
				t.Error(err)
			}
		}
		if n, err := b.store.Unread(t.Context(), "per_a"); n != 2 || err != nil {
			t.Errorf("%d unread, %v", n, err)
		}
		b.now = b.now.Add(401 * notices.Day)
		if err := b.store.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.of("per_a", notices.InboxInput{}); len(got.Body.Items) != 0 {
			t.Errorf("after 401 days: %+v", got.Body.Items)
		}
	})
}

// A name, an address or a text does not get into a row.
func TestHoldsNoWords(t *testing.T) {
	b := open(t, dbtest.SQLite(t))
	for _, value := range []string{"张伟", "Zhang Wei", "<b>", "a,b", "zhang@corp.example"} {
		err := b.tell(notices.Notice{Person: "per_a", Kind: "test", Key: "k", At: b.now, About: map[string]string{"x": value}})
		if !errors.Is(err, notices.ErrInvalid) {
			t.Errorf("%q was taken: %v", value, err)
		}
	}
}
