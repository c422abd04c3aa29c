package guests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

// part is how many guests are read or written at a time.
const part = 50

// lock takes the lock of this package, and answers since when everybody from outside is kept out; zero: they are not.
func lock(tx *db.Tx) (time.Time, error) {
	var row stateRow
	if err := tx.ForUpdate().Where("id = 1").Take(&row).Error; err != nil {
		return time.Time{}, fmt.Errorf("lock guests: %w", err)
	}
	return row.ClosedAt.Time, nil
}

// Closed answers since when everybody from outside is kept out; zero: they are not.
func (e *Engine) Closed(ctx context.Context) (time.Time, error) {
	var row stateRow
	err := e.DB.Read(ctx).Where("id = 1").Take(&row).Error
	if err != nil {
		err = fmt.Errorf("read guests: %w", err)
	}
	return row.ClosedAt.Time, err
}

func companies(q *gorm.DB, where string, args ...any) ([]Company, error) {
	var rows []companyRow
	if err := q.Raw("select * from guest_companies where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read companies: %w", err)
	}
	out := make([]Company, len(rows))
	for i, row := range rows {
		out[i] = row.company()
	}
	return out, nil
}

// Companies answers every company, in the order of their keys.
func (e *Engine) Companies(ctx context.Context) ([]Company, error) {
	return companies(e.DB.Read(ctx), "1 = 1 order by key")
}

// company answers one by its id or key; ErrNotFound.
func company(q *gorm.DB, name string) (Company, error) {
	list, err := companies(q, "id = ? or key = ?", name, name)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("company %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return Company{}, err
	}
	return list[0], nil
}

// Company answers one by its id or key; ErrNotFound.
func (e *Engine) Company(ctx context.Context, name string) (Company, error) {
	return company(e.DB.Read(ctx), name)
}

func load(q *gorm.DB, where string, args ...any) ([]Guest, error) {
	var rows []guestRow
	if err := q.Raw("select g.* from guests g where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read guests: %w", err)
	}
	out, at, ids := make([]Guest, len(rows)), map[id.Guest]int{}, make([]id.Guest, len(rows))
	for i, row := range rows {
		out[i], at[row.ID], ids[i] = row.guest(), i, row.ID
	}
	for some := range slices.Chunk(ids, 500) {
		var places []placeRow
		if err := q.Raw("select * from guest_places where guest in ? order by group_id, channel", db.Pad(some)).Scan(&places).Error; err != nil {
			return nil, fmt.Errorf("read places of guests: %w", err)
		}
		for _, p := range places {
			g := &out[at[p.Guest]]
			g.Places = append(g.Places, Place{Group: p.GroupID, Channel: p.Channel, Until: p.UntilAt.Time, given: p.Given})
		}
	}
	return out, nil
}

func one(q *gorm.DB, guest id.Guest) (Guest, error) {
	list, err := load(q, "g.id = ?", guest)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("guest %s: %w", guest, ErrNotFound)
	}
	if err != nil {
		return Guest{}, err
	}
	return list[0], nil
}

// Guest answers one; ErrNotFound.
func (e *Engine) Guest(ctx context.Context, guest id.Guest) (Guest, error) {
	return one(e.DB.Read(ctx), guest)
}

// Query chooses guests.
type Query struct {
	Company id.Company // empty: of all
	Sponsor id.Person  // empty: of all; who owns a company answers for its guests too
	Within  time.Duration
	After   id.Guest
	Limit   int // 0: 50
}

// Guests answers one page of those who are let in or ever were, in the order of their ids, and whether others follow. Within, where it is set, chooses those whose time ends within it.
func (e *Engine) Guests(ctx context.Context, q Query) (list []Guest, more bool, err error) {
	where, args := "g.id > ?", []any{q.After}
	if q.Company != "" {
		where, args = where+" and g.company = ?", append(args, q.Company)
	}
	if q.Sponsor != "" {
		where, args = where+" and (g.sponsor = ? or g.keeper = ? or g.company in (select id from guest_companies where owner = ?))", append(args, q.Sponsor, q.Sponsor, q.Sponsor)
	}
	if q.Within > 0 {
		where = where + ` and g.ended_at is null and exists (select 1 from guest_places p where p.guest = g.id and p.until_at >= ?)
			and not exists (select 1 from guest_places p where p.guest = g.id and p.until_at > ?)`
		args = append(args, db.At(e.clock()), db.At(e.clock().Add(q.Within)))
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	if list, err = load(e.DB.Read(ctx), where+" order by g.id limit ?", append(args, q.Limit+1)...); err != nil {
		return nil, false, err
	}
	if more = len(list) > q.Limit; more {
		list = list[:q.Limit]
	}
	return list, more, nil
}

// Invitations answers what was asked about a guest, the newest first.
func (e *Engine) Invitations(ctx context.Context, guest id.Guest) ([]Invitation, error) {
	return invitations(e.DB.Read(ctx), "guest = ? order by asked_at desc, id desc limit 200", guest)
}

func invitations(q *gorm.DB, where string, args ...any) ([]Invitation, error) {
	var rows []invitationRow
	if err := q.Raw("select * from guest_invitations where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	out := make([]Invitation, len(rows))
	for i, row := range rows {
		out[i] = row.invitation()
	}
	return out, nil
}

// Called answers what an invitation is called: the guest, and the company in brackets. Empty for none.
func (e *Engine) Called(ctx context.Context, invitation id.Invitation) (string, error) {
	var rows []struct{ Name, Key string }
	if err := e.DB.Read(ctx).Raw(`select i.name, c.key from guest_invitations i join guests g on g.id = i.guest join guest_companies c on c.id = g.company where i.id = ?`, invitation).Scan(&rows).Error; err != nil {
		return "", fmt.Errorf("read invitations: %w", err)
	}
	if len(rows) == 0 || rows[0].Name == "" {
		return "", nil
	}
	return rows[0].Name + " (" + rows[0].Key + ")", nil
}

// errStale says that a guest was changed since it was read.
var errStale = errors.New("guest was changed meanwhile")

// still is errStale where one of these guests was changed since it was read.
func still(tx *db.Tx, list []Guest) error {
	ids, was := make([]id.Guest, len(list)), map[id.Guest]int64{}
	for i, g := range list {
		ids[i], was[g.ID] = g.ID, g.version
	}
	var rows []struct {
		ID      id.Guest
		Version int64
	}
	if err := tx.Raw("select id, version from guests where id in ?", db.Pad(ids)).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read guests: %w", err)
	}
	for _, row := range rows {
		if was[row.ID] != row.Version {
			return errStale
		}
	}
	return nil
}

// changed notes that guests are not as the directory and the memberships have them any more.
func changed(tx *db.Tx, where string, args ...any) error {
	if err := tx.Exec("update guests set version = version + 1 where "+where, args...).Error; err != nil {
		return fmt.Errorf("write guests: %w", err)
	}
	return nil
}

// arrival answers how far a browser with this secret is; errLink where it is on no way in.
func (e *Engine) arrival(q *gorm.DB, browser string) (arrivalRow, error) {
	var rows []arrivalRow
	if err := q.Raw("select * from guest_arrivals where browser = ? and entered_at is null and ended_at is null and until_at > ?", hashed(browser), db.At(e.clock())).Scan(&rows).Error; err != nil {
		return arrivalRow{}, fmt.Errorf("read arrival of guest: %w", err)
	}
	if len(rows) == 0 {
		return arrivalRow{}, errLink
	}
	return rows[0], nil
}

// Links answers the links of a guest, the newest first, at most 50.
func (e *Engine) Links(ctx context.Context, guest id.Guest) ([]Link, error) {
	var rows []linkRow
	if err := e.DB.Read(ctx).Raw("select * from guest_links where guest = ? order by made_at desc, id desc limit 50", guest).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read links of guest: %w", err)
	}
	out := make([]Link, len(rows))
	for i, row := range rows {
		out[i] = row.link()
	}
	return out, nil
}

// keptOut answers which guests one of the causes keeps out (directory.GuestsAll, …).
func keptOut(q *gorm.DB, list []Guest, which string) (map[id.Guest]bool, error) {
	where := map[string]string{
		directory.GuestsAll:       "exists (select 1 from guests_state where closed_at is not null)",
		directory.GuestsOfCompany: "g.company in (select id from guest_companies where suspended_at is not null)",
		directory.GuestItself:     "g.suspended_at is not null",
		directory.GuestsTerms:     owing,
	}[which]
	out, ids := map[id.Guest]bool{}, make([]id.Guest, len(list))
	for i, g := range list {
		ids[i] = g.ID
	}
	for some := range slices.Chunk(ids, 500) {
		var found []id.Guest
		if err := q.Raw("select g.id from guests g where g.id in ? and "+where, db.Pad(some)).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read guests: %w", err)
		}
		for _, g := range found {
			out[g] = true
		}
	}
	return out, nil
}

// latest answers the terms that hold; Version 0: there are none.
func latest(q *gorm.DB) (Terms, error) {
	var rows []termsRow
	if err := q.Raw("select * from guest_terms order by version desc limit 1").Scan(&rows).Error; err != nil {
		return Terms{}, fmt.Errorf("read terms of guests: %w", err)
	}
	if len(rows) == 0 {
		return Terms{}, nil
	}
	return rows[0].terms(), nil
}

// Terms answers every version, the newest first.
func (e *Engine) Terms(ctx context.Context) ([]Terms, error) {
	var rows []termsRow
	if err := e.DB.Read(ctx).Raw("select t.*, (select count(*) from guest_acceptances a where a.version = t.version) as accepted from guest_terms t order by t.version desc").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read terms of guests: %w", err)
	}
	out := make([]Terms, len(rows))
	for i, row := range rows {
		out[i] = row.terms()
	}
	return out, nil
}

// Acceptances answers one page of who accepted what, by version and guest, behind a place that the page before answered; and that of this one where others follow.
func (e *Engine) Acceptances(ctx context.Context, after string, limit int) (list []Acceptance, next string, err error) {
	version, guest, _ := strings.Cut(after, ".")
	from, _ := strconv.Atoi(version)
	if limit <= 0 {
		limit = 50
	}
	var rows []acceptanceRow
	if err := e.DB.Read(ctx).Raw("select * from guest_acceptances where version > ? or version = ? and guest > ? order by version, guest limit ?", from, from, guest, limit+1).Scan(&rows).Error; err != nil {
		return nil, "", fmt.Errorf("read acceptances of guests: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = fmt.Sprintf("%d.%s", rows[limit-1].Version, rows[limit-1].Guest)
	}
	for _, row := range rows {
		list = append(list, Acceptance{Guest: row.Guest, Version: row.Version, Language: row.Language, Address: row.Address, At: row.At.Time})
	}
	return list, next, nil
}

// byID answers guests by their ids.
func (e *Engine) byID(ctx context.Context, ids []id.Guest) (map[id.Guest]Guest, error) {
	out := make(map[id.Guest]Guest, len(ids))
	for some := range slices.Chunk(ids, 500) {
		list, err := load(e.DB.Read(ctx), "g.id in ?", db.Pad(some))
		if err != nil {
			return nil, err
		}
		for _, g := range list {
			out[g.ID] = g
		}
	}
	return out, nil
}

// provider answers the identity provider of a company, by its id; session.ErrNoProvider.
func (e *Engine) provider(ctx context.Context, company string) (providerRow, error) {
	var rows []providerRow
	if err := e.DB.Read(ctx).Raw("select * from guest_providers where company = ?", company).Scan(&rows).Error; err != nil {
		return providerRow{}, fmt.Errorf("read provider of company: %w", err)
	}
	if len(rows) == 0 {
		return providerRow{}, session.ErrNoProvider
	}
	return rows[0], nil
}

func closings(q *gorm.DB, where string, args ...any) ([]Closing, error) {
	var rows []closingRow
	if err := q.Raw("select * from project_closings where "+where, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read closings: %w", err)
	}
	out := make([]Closing, len(rows))
	for i, row := range rows {
		out[i] = row.closing()
	}
	return out, nil
}

// going is that guest g is let in at an instant, whatever keeps them out for a while.
const going = "g.version > 0 and (g.ended_at is null or g.ended_at > ?) and exists (select 1 from guest_places p where p.guest = g.id and p.until_at > ?)"

// sponsored answers the guests whose time runs, of these or of all where ids is nil.
func (e *Engine) sponsored(ctx context.Context, ids []string) (out []Guest, err error) {
	now := db.At(e.clock())
	if ids == nil {
		return load(e.DB.Read(ctx), going+" order by g.id", now, now)
	}
	for some := range slices.Chunk(ids, 500) {
		list, err := load(e.DB.Read(ctx), going+" and g.id in ? order by g.id", now, now, db.Pad(some))
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// sponsoredBy answers the guests whose time runs for whom one of these people answers.
func (e *Engine) sponsoredBy(ctx context.Context, people []id.Person) (out []string, err error) {
	now := db.At(e.clock())
	for some := range slices.Chunk(people, 500) {
		var ids []string
		some = db.Pad(some)
		if err := e.DB.Read(ctx).Raw("select g.id from guests g where (g.sponsor in ? or g.keeper <> '' and g.keeper in ?) and "+going+" order by g.id", some, some, now, now).Scan(&ids).Error; err != nil {
			return nil, fmt.Errorf("read guests: %w", err)
		}
		out = append(out, ids...)
	}
	return out, nil
}

// dozing answers the guests whom nothing keeps out, and who were let in last before an instant.
func (e *Engine) dozing(ctx context.Context, since time.Time) ([]Guest, error) {
	now := db.At(e.clock())
	return load(e.DB.Read(ctx), "g.person <> '' and g.awake_at < ? and g.suspended_at is null and not exists (select 1 from guests_state where closed_at is not null) and "+
		"g.company not in (select id from guest_companies where suspended_at is not null) and "+going+" order by g.id", db.At(since), now, now)
}

// guestOf answers the guest whom a person is, whose time runs; ErrNotFound.
func (e *Engine) guestOf(ctx context.Context, person id.Person) (Guest, error) {
	now := db.At(e.clock())
	list, err := load(e.DB.Read(ctx), "g.person = ? and g.person <> '' and "+going+" order by g.id limit 1", person, now, now)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("person %s: %w", person, ErrNotFound)
	}
	if err != nil {
		return Guest{}, err
	}
	return list[0], nil
}

// goingBy answers the guests among these people whose time runs.
func (e *Engine) goingBy(ctx context.Context, people []id.Person) (out []Guest, err error) {
	now := db.At(e.clock())
	for some := range slices.Chunk(people, 500) {
		list, err := load(e.DB.Read(ctx), "g.person in ? and "+going+" order by g.id", db.Pad(some), now, now)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func peopleOf(list []Guest) []id.Person {
	out := make([]id.Person, len(list))
	for i, g := range list {
		out[i] = g.Person
	}
	return out
}

// factsOf answers what the directory knows of guests, by their people.
func (e *Engine) factsOf(ctx context.Context, list []Guest) (map[id.Person]directory.Fact, error) {
	tx := &db.Tx{DB: e.DB.Read(ctx)}
	facts, err := e.Directory.In(tx).Facts(tx, peopleOf(list), false)
	out := make(map[id.Person]directory.Fact, len(facts))
	for _, f := range facts {
		out[f.Person.ID] = f
	}
	return out, err
}
