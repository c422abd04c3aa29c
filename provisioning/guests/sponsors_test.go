package guests

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/sms"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// asPerson is a request of somebody.
func asPerson(person id.Person) context.Context {
	return httpapi.WithCaller(ctx, httpapi.Caller{Person: person})
}

func renewal(g Guest, until time.Time) *RenewInput {
	in := &RenewInput{ID: g.ID}
	in.Body.Until, in.Body.Reason = until, "x"
	return in
}

// hired writes somebody who works here under a manager; gone and leave say how they are.
func (w *world) hired(key, manager string, gone, leave bool) id.Person {
	w.Helper()
	r := directory.Record{Source: w.source, Key: key, UserName: key, Active: !gone, ManagerKey: manager}
	r.DisplayName, r.Title = strings.ToUpper(key), "Head"
	if leave {
		r.LeaveFrom, r.LeaveUntil = w.clock().Add(-time.Hour), w.clock().Add(60*24*time.Hour)
	}
	applied, err := w.people.Apply(ctx, directory.Cause{Source: w.source}, directory.PutRecord{Record: r})
	w.ok(err)
	return applied.Records[0].Person
}

// heirs gives the world successions of its guests.
func (w *world) heirs() *handover.Engine {
	h := &handover.Engine{DB: w.e.DB, Directory: w.people, Outsiders: w.r.Outsiders, Now: w.clock, Log: slog.New(slog.DiscardHandler),
		Admins: func(context.Context) ([]id.Person, error) { return []id.Person{"per_admin"}, nil }, Kinds: map[string]handover.Owned{KindGuest: Sponsored{Engine: w.e}}}
	w.e.Untaken = func(ctx context.Context, before time.Time) ([]string, error) {
		return h.Untaken(ctx, KindGuest, before)
	}
	return h
}

// told answers the kinds of what a person was told, the newest first.
func (w *world) told(person id.Person) string {
	w.Helper()
	var kinds []string
	w.ok(w.e.DB.Read(ctx).Raw("select kind from notices where person = ? order by at desc, id desc", person).Scan(&kinds).Error)
	return strings.Join(kinds, " ")
}

func (w *world) guest(g Guest) Guest {
	w.Helper()
	now, err := w.e.Guest(ctx, g.ID)
	w.ok(err)
	return now
}

func (w *world) frozen(g Guest) bool {
	w.Helper()
	p, err := w.people.Person(ctx, g.Person)
	w.ok(err)
	return p.Frozen
}

func (w *world) answers(g Guest) string {
	w.Helper()
	p, err := w.e.answersFor(ctx, w.guest(g))
	w.ok(err)
	return p.DisplayName
}

func (w *world) sponsoredBy(sponsor id.Person, email string) Guest {
	w.Helper()
	wish := w.wish(email, "shared")
	wish.Sponsor, wish.Until = sponsor, w.clock().Add(90*24*time.Hour)
	_, g, err := w.e.Invite(ctx, directory.Cause{Actor: "tester"}, wish)
	w.ok(err)
	return g
}

// The sponsor leaves: the manager answers at once, and is the sponsor when they say so. Where nobody does, the guest goes on for 14 days, is kept out then, and is in again when somebody takes them over.
//
// holds: G17
func TestSponsorLeaves(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		h := w.heirs()
		w.hired("boss", "", false, false)
		sponsor := w.hired("zhou", "boss", false, false)
		boss := w.hired("boss", "", false, false)
		g := w.sponsoredBy(sponsor, "wei@acme.example")
		w.ok(h.Look(ctx, KindGuest, nil))
		if who := w.answers(g); who != "ZHOU" {
			t.Errorf("%s answers", who)
		}
		sheet, err := h.Foresee(ctx, sponsor)
		if w.ok(err); len(sheet) != 1 || sheet[0].To != boss || sheet[0].Thing != string(g.ID) {
			t.Errorf("what the sponsor answers for: %+v", sheet)
		}
		w.hired("zhou", "boss", true, false)
		w.ok(h.Look(ctx, KindGuest, nil))
		if who := w.answers(g); who != "BOSS" || w.told(boss) != "handover.offered" || w.guest(g).Sponsor != sponsor {
			t.Errorf("%s answers; told %s", who, w.told(boss))
		}
		if api := (&API{Engine: w.e}); api.own(asPerson(boss), g.ID) != nil || api.own(asPerson(w.head), g.ID) != nil {
			t.Error("whom it was offered to, and who owns the company, answer for the guest")
		}

		// A second look changes nothing, and before 14 days nobody is kept out.
		rows := w.rows()
		w.ok(h.Look(ctx, KindGuest, nil))
		w.pass(14*24*time.Hour - time.Minute)
		w.ok(w.e.Tend(ctx))
		if w.frozen(g) || w.rows() != rows {
			t.Errorf("before 14 days: frozen %v, %d rows", w.frozen(g), w.rows()-rows)
		}
		w.pass(2 * time.Minute)
		w.ok(w.e.Tend(ctx))
		if now := w.guest(g); !w.frozen(g) || now.SuspendedFor != Unsponsored || !strings.HasPrefix(w.told(boss), string(KindUnsponsored)) {
			t.Errorf("after 14 days: %+v; told %s", now, w.told(boss))
		}
		if err := w.e.Wake(ctx, directory.Cause{}, g.ID); !errors.Is(err, ErrNotSponsor) {
			t.Errorf("nobody wakes whom nobody took over: %v", err)
		}
		steps, err := h.Steps(ctx, handover.Offered)
		if w.ok(err); len(steps) != 1 {
			t.Fatalf("%+v", steps)
		}
		w.ok(h.Accept(ctx, boss, steps[0].ID))
		w.ok(w.e.Tend(ctx))
		if now := w.guest(g); w.frozen(g) || now.Sponsor != boss || now.keeper != "" || !now.SuspendedAt.IsZero() || w.sees(g) != "shared" {
			t.Errorf("taken over: %+v, sees %q", now, w.sees(g))
		}

		// Nobody is above: it waits for the administrators, and who owns the company answers meanwhile. What an administrator suspended, nobody's acceptance lifts.
		w.hired("boss", "", true, false)
		w.ok(h.Look(ctx, KindGuest, nil))
		if who := w.answers(g); who != "LI" || w.told("per_admin") != "handover.waiting" {
			t.Errorf("%s answers; told %s", who, w.told("per_admin"))
		}
		w.ok(w.e.SuspendGuest(ctx, directory.Cause{}, g.ID, false))
		w.pass(15 * 24 * time.Hour)
		w.ok(w.e.Tend(ctx))
		steps, err = h.Steps(ctx, handover.Waiting)
		if w.ok(err); len(steps) != 1 {
			t.Fatalf("%+v", steps)
		}
		w.ok(h.Assign(ctx, directory.Cause{Actor: "per_admin"}, steps[0].ID, w.head))
		steps, err = h.Steps(ctx, handover.Offered)
		w.ok(err)
		w.ok(h.Accept(ctx, w.head, steps[0].ID))
		w.ok(w.e.Tend(ctx))
		if now := w.guest(g); now.Sponsor != w.head || !w.frozen(g) {
			t.Errorf("an administrator's suspension: %+v, frozen %v", now, w.frozen(g))
		}
	})
}

// The sponsor is on leave: the guest goes on, the manager answers and is told of the end; when the sponsor is back nothing has changed.
//
// holds: G16
func TestSponsorOnLeave(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		h := w.heirs()
		boss := w.hired("boss", "", false, false)
		sponsor := w.hired("zhou", "boss", false, false)
		g := w.sponsoredBy(sponsor, "wei@acme.example")
		w.hired("zhou", "boss", false, true)
		w.ok(h.Look(ctx, KindGuest, nil))
		w.pass(30 * 24 * time.Hour)
		w.ok(w.e.Tend(ctx))
		if w.frozen(g) || w.answers(g) != "BOSS" || w.sees(g) != "shared" {
			t.Errorf("during the leave: frozen %v, %s answers, sees %q", w.frozen(g), w.answers(g), w.sees(g))
		}
		w.pass(50 * 24 * time.Hour) // ten days before the end of the guest
		w.hired("zhou", "boss", false, true)
		w.ok(h.Look(ctx, KindGuest, nil))
		w.ok(w.e.Tend(ctx))
		if !strings.Contains(w.told(boss), string(KindEnding)) || strings.Contains(w.told(sponsor), string(KindEnding)) {
			t.Errorf("told %s; the sponsor %s", w.told(boss), w.told(sponsor))
		}
		w.hired("zhou", "boss", false, false)
		w.ok(h.Look(ctx, KindGuest, nil))
		if now := w.guest(g); w.answers(g) != "ZHOU" || now.keeper != "" || now.Sponsor != sponsor {
			t.Errorf("back: %s answers, %+v", w.answers(g), now)
		}
	})
}

// A guest asks to stay: who answers for them is told, once a day, and nothing is longer.
//
// holds: G15
func TestAskToStay(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.invite("wei@acme.example", "shared")
		until := g.Until()
		for range 3 {
			w.ok(w.e.AskToStay(ctx, g.Person))
		}
		if w.told(w.head) != string(KindAsks) {
			t.Errorf("told %s", w.told(w.head))
		}
		store := &notices.Store{DB: d}
		w.ok(store.ReadAll(ctx, w.head, w.clock()))
		w.ok(w.e.AskToStay(ctx, g.Person))
		if n, err := store.Unread(ctx, w.head); err != nil || n != 0 {
			t.Errorf("asked again on the same day: %d, %v", n, err)
		}
		w.pass(25 * time.Hour)
		w.ok(w.e.AskToStay(ctx, g.Person))
		if n, err := store.Unread(ctx, w.head); err != nil || n != 1 || !w.guest(g).Until().Equal(until) {
			t.Errorf("the day after: %d, %v, until %s", n, err, w.guest(g).Until())
		}
		for _, person := range []id.Person{w.head, "per_nobody", ""} {
			if err := w.e.AskToStay(ctx, person); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %v", person, err)
			}
		}
		api := &API{Engine: w.e}
		if _, err := api.RenewMine(asPerson(g.Person), renewal(g, until.Add(time.Hour))); !errors.Is(err, ErrNotFound) {
			t.Errorf("a guest makes their own term longer: %v", err)
		}
		w.pass(31 * 24 * time.Hour)
		if err := w.e.AskToStay(ctx, g.Person); !errors.Is(err, ErrNotFound) {
			t.Errorf("whose time is over: %v", err)
		}
	})
}

// Who is not seen for 30 days is kept out, and who answers for them is told and lets them in again; while they are kept out by something else, nobody could see them.
//
// holds: G23
func TestIdle(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		seen := map[id.Person]time.Time{}
		w.e.Seen = func(context.Context, []id.Person) (map[id.Person]time.Time, error) { return seen, nil }
		quiet, busy := w.sponsoredBy(w.head, "wei@acme.example"), w.sponsoredBy(w.head, "ann@acme.example")
		w.pass(20 * 24 * time.Hour)
		seen[busy.Person] = w.clock()
		w.pass(10*24*time.Hour - time.Second)
		w.ok(w.e.Tend(ctx))
		if w.frozen(quiet) || w.frozen(busy) {
			t.Error("before 30 days")
		}
		w.pass(2 * time.Second)
		w.ok(w.e.Tend(ctx))
		rows := w.rows()
		w.ok(w.e.Tend(ctx))
		if now := w.guest(quiet); !w.frozen(quiet) || w.frozen(busy) || now.SuspendedFor != Idle || w.told(w.head) != string(KindIdle) || w.rows() != rows {
			t.Errorf("after 30 days: %+v; told %s", now, w.told(w.head))
		}
		api := &API{Engine: w.e}
		if _, err := api.WakeMine(asPerson(busy.Person), &GuestReasonInput{ID: quiet.ID}); !errors.Is(err, ErrNotFound) {
			t.Errorf("somebody else wakes them: %v", err)
		}
		out, err := api.WakeMine(asPerson(w.head), &GuestReasonInput{ID: quiet.ID})
		if w.ok(err); w.frozen(quiet) || out.Body.State != "running" || w.sees(quiet) != "shared" {
			t.Errorf("let in again: %+v", out.Body)
		}
		w.ok(w.e.Tend(ctx))
		if w.frozen(quiet) {
			t.Error("kept out again at once")
		}

		// What an administrator keeps out is theirs to let in; a suspension of the company is no idleness.
		w.ok(w.e.SuspendGuest(ctx, directory.Cause{}, quiet.ID, false))
		if err := w.e.Wake(ctx, directory.Cause{}, quiet.ID); !errors.Is(err, ErrNotSponsor) || !w.frozen(quiet) {
			t.Errorf("an administrator's suspension: %v", err)
		}
		w.ok(w.e.SuspendGuest(ctx, directory.Cause{}, quiet.ID, true))
		_, err = w.e.Suspend(ctx, directory.Cause{}, "acme", false)
		w.ok(err)
		w.pass(40 * 24 * time.Hour)
		w.ok(w.e.Tend(ctx))
		_, err = w.e.Suspend(ctx, directory.Cause{}, "acme", true)
		w.ok(err)
		w.ok(w.e.Tend(ctx))
		if w.frozen(quiet) || w.frozen(busy) {
			t.Error("a company that was suspended for long comes back with everybody")
		}
	})
}

// phone takes short messages in memory.
type phone struct {
	mu    sync.Mutex
	taken []sms.Message
	ids   map[string]bool // of every try
	no    error
}

func (p *phone) Send(_ context.Context, m sms.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids[m.ID] { // whoever takes it sends each id once
		return nil
	}
	if p.ids == nil {
		p.ids = map[string]bool{}
	}
	p.ids[m.ID] = true
	if p.no == nil {
		p.taken = append(p.taken, m)
	}
	return p.no
}

// Who has no e-mail address is let in by a number, by administrators alone and where something sends to numbers: the invitation is a link, and signing in again a code. What is refused for good is not tried again, and no
// code stands in the database.
func TestNumber(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := &phone{}
		if _, _, err := w.e.Invite(ctx, directory.Cause{}, w.wish("+86 138 0013 8000", "shared")); !errors.Is(err, ErrNoMail) {
			t.Errorf("where nothing sends to numbers: %v", err)
		}
		w.e.Texts, w.e.PublicURL = p, "https://rollcall.example"
		own := w.wish("+86 138 0013 8000", "shared")
		own.Any = false
		if _, _, err := w.e.Invite(ctx, directory.Cause{}, own); !errors.Is(err, ErrNotSponsor) {
			t.Errorf("by who owns the group: %v", err)
		}
		g := w.invite("+86 138 0013 8000", "shared")
		if again := w.invite("+8613800138000", "other"); again.ID != g.ID {
			t.Errorf("%s and %s have one number", g.ID, again.ID)
		}
		known, err := w.people.Person(ctx, g.Person)
		if w.ok(err); known.Email != "" || known.UserName != "acme/+8613800138000" {
			t.Errorf("%+v", known)
		}
		w.ok(w.e.PostDue(ctx))
		if len(p.taken) != 1 || p.taken[0].Kind != "invitation" || p.taken[0].To != "+8613800138000" || p.taken[0].Code != "" || !strings.Contains(p.taken[0].Text, p.taken[0].Link) {
			t.Fatalf("%+v", p.taken)
		}
		_, link, _ := strings.Cut(p.taken[0].Link, "?link=")
		w.ok(w.e.take(ctx, link, "", secret()))

		browser := secret()
		w.ok(w.e.AskToSignIn(ctx, "+86-138-0013-8000", browser))
		w.ok(w.e.AskToSignIn(ctx, "+8613800138001", browser)) // nobody's
		w.ok(w.e.AskToSignIn(ctx, "wei@acme.example", browser))
		p.no = &sms.Error{Step: "connect"} // nobody knows what became of it: the code that is tried next is another one
		w.ok(w.e.PostDue(ctx))
		p.no = nil
		w.pass(15 * time.Second)
		w.ok(w.e.PostDue(ctx))
		if len(p.taken) != 2 || p.taken[1].Kind != "code" || p.taken[1].Link != "" || p.taken[1].Minutes != 10 || strings.Contains(p.taken[1].Text, "rgl_") {
			t.Fatalf("%+v", p.taken)
		}
		var rows []linkRow
		w.ok(d.Read(ctx).Raw("select * from guest_links").Scan(&rows).Error)
		for _, row := range rows {
			if row.Code == typed(p.taken[1].Code) || strings.Contains(row.Hash, link) {
				t.Error("a code or a link stands in the database")
			}
		}
		if err := w.e.takeCode(ctx, typed(p.taken[1].Code), secret(), secret()); !errors.Is(err, errLink) {
			t.Errorf("in another browser: %v", err)
		}
		w.ok(w.e.takeCode(ctx, typed(p.taken[1].Code), browser, secret()))

		p.no = &sms.Error{Step: "hand over", Code: 503}
		w.ok(w.e.Remind(ctx, directory.Cause{}, g.ID))
		w.ok(w.e.PostDue(ctx))
		w.pass(10 * time.Second)
		p.no = &sms.Error{Step: "hand over", Code: 422, Forever: true}
		w.ok(w.e.PostDue(ctx))
		p.no = nil
		w.pass(time.Hour)
		w.ok(w.e.PostDue(ctx))
		links, err := w.e.Links(ctx, g.ID)
		if w.ok(err); len(p.taken) != 2 || links[0].Failed != "sms: hand over: the address answers 422" {
			t.Errorf("%d sent, %q", len(p.taken), links[0].Failed)
		}
		w.e.Texts = nil
		if err := w.e.Remind(ctx, directory.Cause{}, g.ID); !errors.Is(err, ErrNoMail) {
			t.Errorf("where nothing sends to numbers any more: %v", err)
		}
	})
}
