package provisioning

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What administrators take from people by plans within Window counts together, whoever made the plans: a policy that is applied in slices, group by
// group or rule by rule, is judged as the one that it comes to. The guard forgets a plan whose hold was confirmed, and four eyes one that somebody else found right.

// loss is that a plan took something from a person.
type loss struct {
	Person id.Person `json:"p"`
	Group  id.Group  `json:"g"`
	Partly bool      `json:"l,omitempty"` // not the place itself
}

type takenRow struct {
	Plan      string // a plan, or a declaration about units
	At        db.Instant
	Confirmed bool // although the guard held it
	Approved  bool // by somebody else
	Body      string
}

func (takenRow) TableName() string { return "plan_losses" }

// takings is what was taken within the window.
type takings struct {
	unconfirmed []loss
	unapproved  map[id.Person]bool
	last        string // the newest of those that were taken into account
}

// loadTaken answers what plans took within the window that ends now.
func loadTaken(q reader, now time.Time) (takings, error) {
	out := takings{unapproved: map[id.Person]bool{}}
	var rows []takenRow
	if err := q.Raw("select * from plan_losses where at > ? order by at, plan", db.At(now.Add(-Window))).Scan(&rows).Error; err != nil {
		return out, fmt.Errorf("read what plans took: %w", err)
	}
	for _, row := range rows {
		out.last = row.Plan
		if row.Confirmed && row.Approved {
			continue
		}
		text, err := inflate(row.Body)
		if err != nil {
			return out, fmt.Errorf("read what plan %s took: %w", row.Plan, err)
		}
		var list []loss
		if err := json.Unmarshal(text, &list); err != nil {
			return out, fmt.Errorf("read what plan %s took: %w", row.Plan, err)
		}
		if !row.Confirmed {
			out.unconfirmed = append(out.unconfirmed, list...)
		}
		for _, t := range list {
			if !row.Approved {
				out.unapproved[t.Person] = true
			}
		}
	}
	return out, nil
}

// lastTaken answers the newest plan that took something within the window.
func lastTaken(q reader, now time.Time) (string, error) {
	var last []string
	if err := q.Raw("select plan from plan_losses where at > ? order by at desc, plan desc limit 1", db.At(now.Add(-Window))).Scan(&last).Error; err != nil {
		return "", fmt.Errorf("read what plans took: %w", err)
	}
	return strings.Join(last, ""), nil
}

// removals answers what the guard counts with the next plan.
func (t takings) removals() []Removal {
	out := make([]Removal, len(t.unconfirmed))
	for i, one := range t.unconfirmed {
		out[i] = Removal{Person: one.Person, Group: one.Group, Cause: CausePolicy, Partly: one.Partly}
	}
	return out
}

// since says what was taken before the plan at hand.
func (l *ledger) since(t takings) {
	l.known = t.last
	for _, of := range []*ledger{l, l.present} {
		of.earlier, of.body.Together = t.unapproved, len(t.unapproved)
	}
}

// storeTaken notes what a plan takes, in the transaction that puts it in force, and forgets what no window reaches any more.
func storeTaken(tx *db.Tx, row takenRow, list []loss) error {
	if err := tx.Exec("delete from plan_losses where at <= ?", db.At(row.At.Add(-2*Window))).Error; err != nil {
		return fmt.Errorf("forget what plans took: %w", err)
	}
	if len(list) == 0 {
		return nil
	}
	var err error
	if row.Body, err = squeeze(mustJSON(list)); err != nil {
		return fmt.Errorf("store what plan %s takes: %w", row.Plan, err)
	}
	if err := tx.Create(&row).Error; err != nil {
		return fmt.Errorf("store what plan %s takes: %w", row.Plan, err)
	}
	return nil
}
