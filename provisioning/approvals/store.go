package approvals

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// look calls fn with one state of now, for reading.
func (e *Engine) look(ctx context.Context, fn func(tx *db.Tx) error) error {
	return e.DB.Snapshot(ctx, func(q *gorm.DB) error { return fn(&db.Tx{DB: q}) })
}

// load answers requests as they are now, with what was said of them.
func (e *Engine) load(q *gorm.DB, where string, args ...any) ([]Request, error) {
	var rows []requestRow
	if err := q.Raw("select * from approval_requests where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	now := e.clock()
	at := map[id.Ask]int{}
	out := make([]Request, len(rows))
	ids := make([]id.Ask, len(rows))
	for i, row := range rows {
		out[i], ids[i], at[row.ID] = row.request().at(now), row.ID, i
	}
	for part := range slices.Chunk(ids, 500) {
		var said []decisionRow
		if err := q.Raw("select * from approval_decisions where request in ? order by at, approver", part).Scan(&said).Error; err != nil {
			return nil, fmt.Errorf("read decisions: %w", err)
		}
		for _, d := range said {
			r := &out[at[d.Request]]
			r.Decisions = append(r.Decisions, Decision{d.Approver, d.Agrees, d.Comment, d.At.Time})
		}
	}
	return out, nil
}

func (e *Engine) one(q *gorm.DB, ask id.Ask) (Request, error) {
	found, err := e.load(q, "id = ?", ask)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("request %s: %w", ask, ErrNotFound)
	}
	if err != nil {
		return Request{}, err
	}
	return found[0], nil
}

// locked answers a request that waits, and keeps it from being decided by anybody else until the end of tx; ErrClosed where it does not wait.
func (e *Engine) locked(tx *db.Tx, ask id.Ask) (Request, error) {
	var rows []requestRow
	if err := tx.ForUpdate().Where("id = ?", ask).Find(&rows).Error; err != nil {
		return Request{}, fmt.Errorf("lock request: %w", err)
	}
	r, err := e.one(tx.DB, ask)
	if err == nil && r.State != Waiting {
		err = fmt.Errorf("request %s is %s: %w", ask, r.State, ErrClosed)
	}
	return r, err
}

// open writes a new request; ErrAsked where the same waits.
func open(tx *db.Tx, r Request) error {
	row := requestRow{ID: r.ID, Kind: r.Kind, Requester: r.Requester, Subject: r.Subject, Object: r.Object, Role: r.Role, Days: r.Days, Minutes: r.Minutes, Reason: r.Reason, State: Waiting,
		AskedAt: db.At(r.AskedAt), LapsesAt: db.At(r.LapsesAt), AskedUntil: db.At(r.AskedFor)}
	done := tx.KeepFirst().Create(&row)
	if done.Error != nil {
		return fmt.Errorf("write request: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return ErrAsked
	}
	return nil
}

// shut writes what became of a request that waits, and forgets to whom it was brought.
func shut(tx *db.Tx, r Request) error {
	done := tx.Exec("update approval_requests set state = ?, role = ?, decided_at = ?, until = ? where id = ? and state = 'waiting'", r.State, r.Role, db.At(r.DecidedAt), db.At(r.Until), r.ID)
	if done.Error != nil {
		return fmt.Errorf("close request: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("request %s: %w", r.ID, ErrClosed)
	}
	if err := tx.Exec("delete from approval_told where request = ?", r.ID).Error; err != nil {
		return fmt.Errorf("close request: %w", err)
	}
	return nil
}

// say writes what an approver said; ErrClosed where they said something before.
func say(tx *db.Tx, ask id.Ask, d Decision) error {
	done := tx.KeepFirst().Create(&decisionRow{Request: ask, Approver: d.Approver, Agrees: d.Agrees, Comment: d.Comment, At: db.At(d.At)})
	if done.Error != nil {
		return fmt.Errorf("write decision: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fmt.Errorf("request %s: %w: you have decided it", ask, ErrClosed)
	}
	return nil
}

// Request answers one request; ErrNotFound.
func (e *Engine) Request(ctx context.Context, ask id.Ask) (Request, error) {
	return e.one(e.DB.Read(ctx), ask)
}

// Query chooses requests.
type Query struct {
	State     State // empty: all
	Kind      policies.ApprovalKind
	Requester id.Person
	Before    id.Ask // of the page before; empty: from the newest
	Limit     int
}

// Requests answers requests, the newest first.
func (e *Engine) Requests(ctx context.Context, q Query) ([]Request, error) {
	where, args := "1 = 1", []any{}
	and := func(text string, more ...any) { where, args = where+" and "+text, append(args, more...) }
	now := db.At(e.clock())
	switch q.State {
	case "":
	case Waiting:
		and("state = 'waiting' and lapses_at > ?", now)
	case Lapsed:
		and("(state = 'lapsed' or state = 'waiting' and lapses_at <= ?)", now)
	default:
		and("state = ?", q.State)
	}
	if q.Kind != "" {
		and("kind = ?", q.Kind)
	}
	if q.Requester != "" {
		and("requester = ?", q.Requester)
	}
	if q.Before != "" {
		and("id < ?", q.Before)
	}
	return e.load(e.DB.Read(ctx), where+" order by id desc limit ?", append(args, q.Limit)...)
}

// overdue answers requests whose time is over and whose rows do not say so.
func (e *Engine) overdue(ctx context.Context, now time.Time) ([]id.Ask, error) {
	var out []id.Ask
	if err := e.DB.Read(ctx).Raw("select id from approval_requests where state = 'waiting' and lapses_at <= ? order by id limit 500", db.At(now)).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	return out, nil
}

// told answers to whom a request was brought.
func told(tx *db.Tx, ask id.Ask) ([]id.Person, error) {
	var out []id.Person
	if err := tx.Raw("select person from approval_told where request = ? order by person", ask).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read whom a request was brought to: %w", err)
	}
	return out, nil
}

func bring(tx *db.Tx, ask id.Ask, to []id.Person) error {
	for _, p := range to {
		if err := tx.KeepFirst().Create(&toldRow{ask, p}).Error; err != nil {
			return fmt.Errorf("note whom a request was brought to: %w", err)
		}
	}
	return nil
}

// touched answers the requests that wait and are for, by or with any of these people, or about one of these things.
func (e *Engine) touched(ctx context.Context, people []id.Person, things []string) ([]id.Ask, error) {
	var out []id.Ask
	for part := range slices.Chunk(people, 500) {
		var found []id.Ask
		if err := e.DB.Read(ctx).Raw(`select id from approval_requests where state = 'waiting' and (requester in ? or subject in ? or id in
			(select request from approval_told where person in ?))`, part, part, part).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read requests: %w", err)
		}
		out = append(out, found...)
	}
	for part := range slices.Chunk(things, 500) {
		var found []id.Ask
		if err := e.DB.Read(ctx).Raw("select id from approval_requests where state = 'waiting' and object in ?", part).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read requests: %w", err)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// waiting answers the ids of all requests that wait, the oldest first, at most 1,000.
func (e *Engine) waiting(ctx context.Context) ([]id.Ask, error) {
	var out []id.Ask
	if err := e.DB.Read(ctx).Raw("select id from approval_requests where state = 'waiting' and lapses_at > ? order by id limit ?", db.At(e.clock()), lookMost).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	return out, nil
}

// lookMost is how many requests that wait are looked at.
const lookMost = 1000
