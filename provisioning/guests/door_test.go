package guests

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/mail"
)

// box is a mail server in memory.
type box struct {
	mu    sync.Mutex
	taken []mail.Message
	no    error
}

func (b *box) Send(_ context.Context, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.no == nil {
		b.taken = append(b.taken, m)
	}
	return b.no
}

// last answers the link and the code of the last message.
func (b *box) last() (link, code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.taken[len(b.taken)-1].Text
	_, link, _ = strings.Cut(text, "?link=")
	link, rest, _ := strings.Cut(link, "\n")
	_, code, _ = strings.Cut(rest, "Code: ")
	return link, typed(strings.TrimSpace(code))
}

// A link holds until its instant and not beyond: 72 hours for an invitation, 10 minutes from when it was sent for one to sign in, 30 minutes for who has shown one. It opens nothing twice,
// also where it is shown at the same time.
func TestLinksEnd(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		b := &box{}
		w.e.Mail, w.e.PublicURL = b, "https://rollcall.example"
		g := w.invite("wei@acme.example", "shared")
		w.ok(w.e.PostDue(ctx))
		link, _ := b.last()
		w.pass(linkFor)
		if err := w.e.take(ctx, link, "", secret()); !errors.Is(err, errLink) {
			t.Errorf("an invitation after 72 hours: %v", err)
		}
		w.ok(w.e.Remind(ctx, directory.Cause{}, g.ID))
		w.ok(w.e.PostDue(ctx))
		link, _ = b.last()
		w.pass(linkFor - time.Second)
		fresh, used := make([]string, 8), 0
		errs := make([]error, len(fresh))
		var all sync.WaitGroup
		for i := range fresh {
			fresh[i] = secret()
			all.Go(func() { errs[i] = w.e.take(ctx, link, "", fresh[i]) })
		}
		all.Wait()
		for i, err := range errs {
			if err == nil {
				fresh[0] = fresh[i]
				used++
			} else if !errors.Is(err, errLink) {
				t.Error(err)
			}
		}
		if used != 1 {
			t.Errorf("a link was used %d times", used)
		}
		w.pass(arrivalFor - time.Second)
		if _, err := w.e.arrival(d.Read(ctx), fresh[0]); err != nil {
			t.Errorf("who has shown a link, within 30 minutes: %v", err)
		}
		w.pass(time.Second)
		if _, err := w.e.arrival(d.Read(ctx), fresh[0]); !errors.Is(err, errLink) {
			t.Errorf("who has shown a link, after 30 minutes: %v", err)
		}

		browser := secret()
		w.ok(w.e.AskToSignIn(ctx, "wei@acme.example", browser))
		w.pass(time.Minute)
		w.ok(w.e.PostDue(ctx))
		_, code := b.last()
		w.pass(signInFor)
		if err := w.e.takeCode(ctx, code, browser, secret()); !errors.Is(err, errLink) {
			t.Errorf("a code 10 minutes after it was sent: %v", err)
		}
		n := len(b.taken)
		for range 2 * signInMost {
			w.ok(w.e.AskToSignIn(ctx, "wei@acme.example", browser))
			w.ok(w.e.PostDue(ctx))
		}
		if got := len(b.taken) - n; got != signInMost-1 {
			t.Errorf("%d links were sent within an hour, besides the first", got)
		}
		_, code = b.last()
		w.pass(signInFor - time.Second)
		w.ok(w.e.takeCode(ctx, code, browser, secret()))
	})
}

// Mail is tried again until its link is over, each time with another secret; what is refused for good is not.
func TestMailIsTriedAgain(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		b := &box{no: &mail.Error{Step: "recipient", Code: 451}}
		w.e.Mail = b
		g := w.invite("wei@acme.example", "shared")
		hashes := map[string]bool{}
		look := func() linkRow {
			var row linkRow
			w.ok(d.Read(ctx).Raw("select * from guest_links where guest = ?", g.ID).Scan(&row).Error)
			return row
		}
		for range 5 {
			w.ok(w.e.PostDue(ctx))
			row := look()
			if hashes[row.Hash] || row.DueAt.IsZero() || !row.DueAt.After(w.clock()) || row.Failed == "" {
				t.Errorf("after a try: %+v", row)
			}
			hashes[row.Hash] = true
			w.pass(row.DueAt.Sub(w.clock()))
		}
		b.no = nil
		w.ok(w.e.PostDue(ctx))
		if row := look(); len(b.taken) != 1 || row.SentAt.IsZero() || !row.DueAt.IsZero() || row.Failed != "" {
			t.Errorf("%d sent, %+v", len(b.taken), look())
		}
		w.ok(w.e.PostDue(ctx))
		if len(b.taken) != 1 {
			t.Error("it was sent twice")
		}
		b.no = &mail.Error{Step: "recipient", Code: 550, Forever: true}
		w.ok(w.e.Remind(ctx, directory.Cause{}, g.ID))
		w.ok(w.e.PostDue(ctx))
		b.no = nil
		w.pass(time.Hour)
		w.ok(w.e.PostDue(ctx))
		if len(b.taken) != 1 {
			t.Error("what was refused for good was sent again")
		}
	})
}
