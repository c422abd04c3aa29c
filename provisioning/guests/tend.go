package guests

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// every is how often everything is looked at. Nothing that ends by the clock waits for it.
const every = time.Minute

// remindAt is how long before the end of a guest's time whoever answers for them is told.
var remindAt = []int{14, 3, 1}

// Run carries out what a node that died left, and tells of ends that come, until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	for {
		if err := e.Tend(ctx); err != nil && ctx.Err() == nil {
			e.Log.ErrorContext(ctx, "guests were not tended, will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.tends.heard():
		case <-time.After(every):
		}
	}
}

// bell has a loop look at once that looks from time to time. The zero bell is ready.
type bell struct {
	once sync.Once
	rung chan struct{}
}

func (b *bell) ring() {
	select {
	case b.heard() <- struct{}{}:
	default: // it was not heard yet
	}
}

func (b *bell) heard() chan struct{} {
	b.once.Do(func() { b.rung = make(chan struct{}, 1) })
	return b.rung
}

// Tend carries out what is written and was not carried out, and tells of ends that come. Where there is nothing to do it writes nothing.
func (e *Engine) Tend(ctx context.Context) error {
	var unsettled []id.Guest
	if err := e.DB.Read(ctx).Raw("select id from guests where settled <> version order by id").Scan(&unsettled).Error; err != nil {
		return err
	}
	return errors.Join(e.settle(ctx, directory.Cause{}, unsettled), e.unenforced(ctx), e.unsponsored(ctx), e.idle(ctx), e.followClosings(ctx), e.remind(ctx), e.prune(ctx))
}

// unenforced keeps out whom a suspension that was interrupted left in, and lets in whom a resumption left out.
func (e *Engine) unenforced(ctx context.Context) error {
	closed, err := e.Closed(ctx)
	if err != nil {
		return err
	}
	list, err := load(e.DB.Read(ctx), `g.person <> '' and (? or g.suspended_at is not null or g.company in (select id from guest_companies where suspended_at is not null)
		or g.ended_at is null and exists (select 1 from guest_places p where p.guest = g.id and p.until_at > ?) and `+owing+`) order by g.id`, !closed.IsZero(), db.At(e.clock()))
	if err != nil {
		return err
	}
	kept := map[id.Guest]bool{}
	for _, g := range list {
		kept[g.ID] = true
	}
	frozen, err := e.frozen(ctx)
	if err != nil {
		return err
	}
	for _, g := range frozen {
		if !kept[g.ID] {
			list = append(list, g)
		}
	}
	return e.enforce(ctx, directory.Cause{}, list)
}

// frozen answers the guests whom a suspension keeps out.
func (e *Engine) frozen(ctx context.Context) ([]Guest, error) {
	people, err := e.Directory.GuestsOut(ctx)
	if err != nil || len(people) == 0 {
		return nil, err
	}
	return load(e.DB.Read(ctx), "g.person in ? order by g.id", db.Pad(people))
}

// answersFor answers who answers for a guest now: the sponsor; where the sponsor cannot act whom it was offered to; and who owns the company where there is nobody.
func (e *Engine) answersFor(ctx context.Context, g Guest) (directory.Person, error) {
	for _, person := range []id.Person{g.Sponsor, g.keeper} {
		if person == "" {
			continue
		}
		p, err := e.Directory.Person(ctx, person)
		if err != nil && !errors.Is(err, directory.ErrNotFound) || err == nil && handover.Able(p) {
			return p, err
		}
	}
	c, err := e.Company(ctx, string(g.Company))
	if err != nil {
		return directory.Person{}, err
	}
	return e.Directory.Person(ctx, c.Owner)
}

// remind tells whoever answers for a guest that their time ends soon: the sponsor, and who owns the company where the sponsor cannot act.
func (e *Engine) remind(ctx context.Context) error {
	now := e.clock()
	list, err := load(e.DB.Read(ctx), "g.ended_at is null and (select max(p.until_at) from guest_places p where p.guest = g.id) between ? and ? order by g.id",
		db.At(now), db.At(now.Add(time.Duration(remindAt[0])*24*time.Hour)))
	if err != nil || len(list) == 0 {
		return err
	}
	of, err := e.companiesOf(ctx)
	if err != nil {
		return err
	}
	var told []notices.Notice
	for _, g := range list {
		days := 0
		for _, d := range remindAt {
			if !now.Add(time.Duration(d) * 24 * time.Hour).Before(g.Until()) {
				days = d
			}
		}
		to, err := e.answersFor(ctx, g)
		if err != nil {
			return err
		}
		told = append(told, notices.Notice{Person: to.ID, Kind: KindEnding, At: now, Key: "guest.ending/" + string(g.ID) + "/" + g.Until().Format(time.RFC3339) + "/" + strconv.Itoa(days),
			About: map[string]string{"person": string(g.Person), "guest": string(g.ID), "company": of[g.Company].Key, "at": g.Until().Format(time.RFC3339), "days": strconv.Itoa(days)}})
	}
	before, err := (&notices.Store{DB: e.DB}).Told(ctx, KindEnding, now.Add(-time.Duration(remindAt[0]+1)*24*time.Hour))
	if err != nil {
		return err
	}
	told = slices.DeleteFunc(told, func(n notices.Notice) bool {
		return slices.ContainsFunc(before, func(o notices.Notice) bool { return o.Person == n.Person && o.Key == n.Key })
	})
	if len(told) == 0 {
		return nil
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error { return notices.Tell(tx, told...) })
}
