package guests

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Way is how a link reaches a guest, which says what it proves.
type Way string

// The ways.
const (
	ByMail   Way = "mail"    // an invitation that was sent to the address: who has it reads the address
	Copied   Way = "copied"  // shown to who invited, and passed on by them: it proves nothing, and the sponsor confirms a code
	ToSignIn Way = "sign_in" // sent to the address because a browser asked for it: it proves both, in that browser
)

const (
	linkFor    = 72 * time.Hour   // an invitation
	signInFor  = 10 * time.Minute // a link to sign in again, from when it was sent
	arrivalFor = 30 * time.Minute // from the link to the session; who waits longer shows another one
	signInMost = 5                // links to sign in, of one guest within an hour
	triesMost  = 5                // at one code
	knownFor   = 90 * 24 * time.Hour
)

const linkPrefix = "rgl_"

// The errors of those who come in. What is wrong with a link is said to nobody: wrong, used, withdrawn and expired are one.
var (
	errLink = errors.New("this link opens nothing")
	// ErrPairing says that nobody waits with that code.
	ErrPairing = errors.New("nobody waits with this code: it is wrong, or they waited too long")
	// ErrNoMail says that nothing is configured that reaches an address.
	ErrNoMail = errors.New("nothing is configured that mail, or short messages, go out by")
)

// Link is that somebody may come in once. Its secret is shown, or sent, and not kept.
type Link struct {
	ID      id.GuestLink
	Guest   id.Guest
	Way     Way
	MadeBy  string
	MadeAt  time.Time
	Until   time.Time
	SentAt  time.Time // by mail; zero: not yet
	Failed  string    // why it could not be sent, when that was tried last
	UsedAt  time.Time
	EndedAt time.Time // it opens nothing any more, used or not
}

const letters = "0123456789abcdefghjkmnpqrstvwxyz" // none that looks like another

var encoding = base32.NewEncoding(letters).WithPadding(base32.NoPadding)

// secret makes one of 256 bits.
func secret() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return encoding.EncodeToString(raw[:])
}

// hashed is how a secret is kept. 256 random bits need no slow hash; a code has 40, five tries and ten minutes.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// codeOf answers the code that belongs to a browser's secret and a purpose: nobody has to keep it.
func codeOf(secret, purpose string) string {
	sum := sha256.Sum256([]byte(purpose + "\n" + secret))
	return encoding.EncodeToString(sum[:5])
}

// shown writes a code as people read it out: two groups of four.
func shown(code string) string { return strings.ToUpper(code[:4] + "-" + code[4:]) }

// typed reads a code as people type it; letters that look like digits are those.
func typed(text string) string {
	text = strings.NewReplacer("o", "0", "i", "1", "l", "1", "u", "v", "-", "", "–", "", "—", "").Replace(strings.ToLower(strings.Join(strings.Fields(text), "")))
	if len(text) != 8 {
		return ""
	}
	return text
}

func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// MakeLink makes a link for who invited a guest to pass on, and answers its address, which is shown this once. One that was made before and not used opens nothing any
// more. ErrOver for a guest who is not let in, ErrSuspended.
func (e *Engine) MakeLink(ctx context.Context, cause directory.Cause, guest id.Guest) (Link, string, error) {
	text, now := linkPrefix+secret(), e.clock()
	row := linkRow{ID: id.New[id.GuestLink](), Guest: guest, Way: Copied, Hash: hashed(text), MadeBy: e.record(cause, "", "", nil).Actor, MadeAt: db.At(now), UntilAt: db.At(now.Add(linkFor))}
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		closed, err := lock(tx)
		if err != nil {
			return err
		}
		g, err := one(tx.DB, guest)
		if err == nil {
			err = e.welcome(tx, g, closed)
		}
		if err != nil {
			return err
		}
		if err := tx.Exec("update guest_links set ended_at = ? where guest = ? and way = ? and used_at is null and ended_at is null", db.At(now), guest, Copied).Error; err != nil {
			return fmt.Errorf("write links of guest: %w", err)
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write link of guest: %w", err)
		}
		return audit.Append(tx, e.record(cause, "guest.link", string(guest), map[string]any{"link": string(row.ID), "way": string(Copied), "until": row.UntilAt.Format(time.RFC3339)}))
	})
	return row.link(), e.PublicURL + "/auth/guest?link=" + text, err
}

// Remind sends a guest who is let in another invitation by mail; the links of those before open nothing any more. ErrNoMail, ErrOver, ErrSuspended.
func (e *Engine) Remind(ctx context.Context, cause directory.Cause, guest id.Guest) error {
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		closed, err := lock(tx)
		if err != nil {
			return err
		}
		g, err := one(tx.DB, guest)
		if err == nil && !e.reaches(g.Email) {
			err = ErrNoMail
		}
		if err == nil {
			err = e.welcome(tx, g, closed)
		}
		if err != nil {
			return err
		}
		link, err := e.post(tx, cause, guest)
		if err != nil {
			return err
		}
		return audit.Append(tx, e.record(cause, "guest.link", string(guest), map[string]any{"link": string(link), "way": string(ByMail)}))
	})
}

// post notes that an invitation goes out to a guest by mail, once they are there.
func (e *Engine) post(tx *db.Tx, cause directory.Cause, guest id.Guest) (id.GuestLink, error) {
	now := e.clock()
	if err := tx.Exec("update guest_links set ended_at = ?, due_at = null where guest = ? and way = ? and used_at is null and ended_at is null", db.At(now), guest, ByMail).Error; err != nil {
		return "", fmt.Errorf("write links of guest: %w", err)
	}
	row := linkRow{ID: id.New[id.GuestLink](), Guest: guest, Way: ByMail, MadeBy: e.record(cause, "", "", nil).Actor, MadeAt: db.At(now), UntilAt: db.At(now.Add(linkFor)), DueAt: db.At(now)}
	if err := tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("write link of guest: %w", err)
	}
	tx.AfterCommit(e.posts.ring)
	return row.ID, nil
}

// welcome is ErrOver or ErrSuspended where a guest may not come in now; closed is since when nobody from outside may, or zero.
func (e *Engine) welcome(tx *db.Tx, g Guest, closed time.Time) error {
	c, err := company(tx.DB, string(g.Company))
	if err != nil {
		return err
	}
	switch {
	case !g.Runs(e.clock()):
		return fmt.Errorf("guest %s: %w", g.ID, ErrOver)
	case !closed.IsZero():
		return fmt.Errorf("all guests are %w", ErrSuspended)
	case !c.SuspendedAt.IsZero():
		return fmt.Errorf("company %s is %w", c.Key, ErrSuspended)
	case !g.SuspendedAt.IsZero():
		return fmt.Errorf("guest %s is %w", g.ID, ErrSuspended)
	}
	return nil
}

// shutLinks has the links and the arrivals of guests open nothing any more.
func shutLinks(tx *db.Tx, now time.Time, where string, args ...any) error {
	for _, table := range []string{"guest_links set due_at = null,", "guest_arrivals set"} {
		if err := tx.Exec("update "+table+" ended_at = ? where ended_at is null and "+where, append([]any{db.At(now)}, args...)...).Error; err != nil {
			return fmt.Errorf("write links of guests: %w", err)
		}
	}
	return nil
}

// AskToSignIn has a link sent to the address of every guest who has it, which lets a browser in that has this secret. It says to nobody whether there is one.
func (e *Engine) AskToSignIn(ctx context.Context, email, browser string) error {
	address, err := ParseAddress(email)
	if err != nil || !e.reaches(address.Text) {
		return nil
	}
	now := e.clock()
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		var list []id.Guest
		if err := tx.Raw(`select id from guests g where g.email_key = ? and g.person <> ''
			and (g.ended_at is null or g.ended_at > ?) and exists (select 1 from guest_places p where p.guest = g.id and p.until_at > ?)
			and (select count(*) from guest_links l where l.guest = g.id and l.way = ? and l.made_at > ?) < ? order by g.id`,
			address.Key, db.At(now.Add(-knownFor)), db.At(now.Add(-knownFor)), ToSignIn, db.At(now.Add(-time.Hour)), signInMost).Scan(&list).Error; err != nil {
			return fmt.Errorf("read guests: %w", err)
		}
		for _, g := range list {
			row := linkRow{ID: id.New[id.GuestLink](), Guest: g, Way: ToSignIn, Browser: hashed(browser), MadeBy: string(g), MadeAt: db.At(now), UntilAt: db.At(now.Add(signInFor)), DueAt: db.At(now)}
			if err := tx.Create(&row).Error; err != nil {
				return fmt.Errorf("write link of guest: %w", err)
			}
		}
		if len(list) > 0 {
			tx.AfterCommit(e.posts.ring)
		}
		return nil
	})
}

// whom is a guest who has proved their address, and may not come in: they are told whom to ask, and nothing more.
type whom struct{ guest Guest }

func (whom) Error() string { return "this guest may not come in now" }

// errBrowser says that a link was asked for by another browser.
var errBrowser = errors.New("another browser asked for this link")

// take uses a link in a browser that has this secret, and lets it go on with a fresh one: whoever put the secret there gets no further. errLink, errBrowser, whom.
func (e *Engine) take(ctx context.Context, text, browser, fresh string) (err error) {
	if !strings.HasPrefix(text, linkPrefix) {
		return errLink
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		var rows []linkRow
		if err := tx.Raw("update guest_links set id = id where hash = ? returning *", hashed(text)).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read link of guest: %w", err)
		}
		if len(rows) == 0 {
			return errLink
		}
		return e.use(tx, rows[0], browser, fresh)
	})
}

// takeCode is take by the code that was sent with a link, in the browser that asked for it.
func (e *Engine) takeCode(ctx context.Context, code, browser, fresh string) error {
	wrong := false
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		var rows []linkRow
		// A guess is counted whether or not it is right: those sent at once are no more than those sent one after the other.
		if err := tx.Raw("update guest_links set tries = tries + 1 where browser = ? and way = ? and used_at is null and ended_at is null and tries < ? returning *", hashed(browser), ToSignIn, triesMost).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read links of guest: %w", err)
		}
		for _, row := range rows {
			if same(row.Code, hashed(code)) {
				return e.use(tx, row, browser, fresh)
			}
		}
		wrong = true
		return nil
	})
	if err == nil && wrong {
		err = errLink
	}
	return err
}

// use uses a link whose row is locked.
func (e *Engine) use(tx *db.Tx, row linkRow, browser, fresh string) error {
	now := e.clock()
	if !row.UsedAt.IsZero() || !row.EndedAt.IsZero() || !now.Before(row.UntilAt.Time) {
		return errLink
	}
	if row.Way == ToSignIn && !same(row.Browser, hashed(browser)) {
		return errBrowser
	}
	g, err := one(tx.DB, row.Guest)
	if err != nil {
		return err
	}
	if err := e.admissible(tx, g); errors.Is(err, errLink) || err == nil && g.Person == "" {
		return errLink
	} else if row.Way == ToSignIn && (errors.Is(err, ErrOver) || errors.Is(err, ErrSuspended)) {
		return whom{g}
	} else if errors.Is(err, ErrOver) || errors.Is(err, ErrSuspended) {
		return errLink
	} else if err != nil {
		return err
	}
	if err := tx.Exec("update guest_links set used_at = ?, due_at = null where id = ?", db.At(now), row.ID).Error; err != nil {
		return fmt.Errorf("write link of guest: %w", err)
	}
	if err := tx.Exec("delete from guest_arrivals where browser = ?", hashed(browser)).Error; err != nil { // a browser is on one way in at a time
		return fmt.Errorf("write arrival of guest: %w", err)
	}
	arrived := arrivalRow{ID: id.New[id.Arrival](), Guest: g.ID, Link: row.ID, Browser: hashed(fresh), MadeAt: db.At(now), UntilAt: db.At(now.Add(arrivalFor))}
	record := e.record(directory.Cause{Actor: "anonymous"}, "guest.arrived", string(g.ID), map[string]any{"link": string(row.ID), "way": string(row.Way)})
	if row.Way == Copied {
		arrived.Code = hashed(codeOf(fresh, "pair"))
	} else {
		arrived.ProvedAt, arrived.ProvedBy = db.At(now), "address"
		record.Actor = string(g.Person)
	}
	if err := tx.Create(&arrived).Error; err != nil {
		return fmt.Errorf("write arrival of guest: %w", err)
	}
	return audit.Append(tx, record)
}

// admissible is ErrOver or ErrSuspended where a guest may not come in now, and errLink where they are no guest any more: who works here signs in as everybody who does.
func (e *Engine) admissible(tx *db.Tx, g Guest) error {
	var state stateRow
	if err := tx.Where("id = 1").Take(&state).Error; err != nil {
		return fmt.Errorf("read guests: %w", err)
	}
	if err := e.welcome(tx, g, state.ClosedAt.Time); err != nil || g.Person == "" {
		return err
	}
	outside, err := e.Reactor.OutsidersIn(tx, []id.Person{g.Person})
	if err == nil && !outside[g.Person] {
		err = errLink
	}
	return err
}

// Confirm says that it is the guest who waits with a code, which they told who answers for them. ErrPairing; after five wrong codes those who wait have to begin again.
func (e *Engine) Confirm(ctx context.Context, cause directory.Cause, guest id.Guest, text string) error {
	now, found := e.clock(), false
	err := e.DB.Tx(ctx, func(tx *db.Tx) error {
		var rows []arrivalRow
		if err := tx.Raw(`update guest_arrivals set tries = tries + 1 where guest = ? and proved_at is null and ended_at is null and until_at > ? and tries < ? returning *`, guest, db.At(now), triesMost).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read arrivals of guest: %w", err)
		}
		for _, row := range rows {
			if !same(row.Code, hashed(typed(text))) {
				continue
			}
			found = true
			by := e.record(cause, "", "", nil).Actor
			if err := tx.Exec("update guest_arrivals set proved_at = ?, proved_by = ? where id = ?", db.At(now), by, row.ID).Error; err != nil {
				return fmt.Errorf("write arrival of guest: %w", err)
			}
			return audit.Append(tx, e.record(cause, "guest.confirmed", string(guest), map[string]any{"link": string(row.Link)}))
		}
		return nil
	})
	if err == nil && !found {
		err = ErrPairing
	}
	return err
}

// Restored has nothing open that a backup held: nobody knows which links were used since.
func Restored(tx *db.Tx, now time.Time) error { return shutLinks(tx, now, "1 = 1") }

// prune forgets links and arrivals that ended long ago.
func (e *Engine) prune(ctx context.Context) error {
	old := db.At(e.clock().Add(-knownFor))
	var n int64
	if err := e.DB.Read(ctx).Raw("select (select count(*) from guest_links where until_at < ?) + (select count(*) from guest_arrivals where until_at < ?)", old, old).Scan(&n).Error; err != nil || n == 0 {
		return err
	}
	return e.DB.Tx(ctx, func(tx *db.Tx) error {
		for _, table := range []string{"guest_links", "guest_arrivals"} {
			if err := tx.Exec("delete from "+table+" where until_at < ?", old).Error; err != nil {
				return fmt.Errorf("forget links of guests: %w", err)
			}
		}
		return nil
	})
}
