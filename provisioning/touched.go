package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// How much may differ before looking at everybody costs less than finding out at whom to look.
const (
	traitsMost = 1000
	eventsMost = 5000
)

// touched answers those for whom the policy of after may want something that does not stand under that of before, for scan: nil
// where that cannot be told. They are the members of the groups whose rules, own joining or shown channels differ, who meets a bound of such a rule, of whom something is known ahead, and
// those whose facts moved and were not followed yet; behind is how far the follower had come before the state that tx sees. Of all others a scan of everybody
// finds the same as before: nothing.
func (r *Reactor) touched(ctx context.Context, tx *db.Tx, before, after *catalog, behind int64) ([]id.Person, error) {
	if before.policy == nil || before.separates() || after.separates() {
		return nil, nil
	}
	var unfinished []int
	if err := tx.Raw("select 1 from policy_state where id = 1 and settled < version").Scan(&unfinished).Error; err != nil {
		return nil, fmt.Errorf("read policy state: %w", err)
	}
	groups, traits, bounded := reshaped(before, after)
	groups = slices.AppendSeq(groups, maps.Keys(after.sighted))
	if len(unfinished) > 0 || !bounded || len(traits) > traitsMost {
		return nil, nil
	}
	in := r.directory.In(tx)
	late, everybody, err := r.unfollowed(ctx, after, behind)
	if err != nil || everybody {
		return nil, err
	}
	bearers, found, err := in.Bearers(tx, traits)
	if err != nil || !found {
		return nil, err
	}
	ahead, err := in.Ahead(tx)
	if err != nil {
		return nil, err
	}
	people := slices.Concat([]id.Person{}, late, bearers, ahead)
	for part := range slices.Chunk(groups, chunkMost) {
		var members []id.Person
		if err := tx.Raw("select person from memberships where ended_at is null and group_id in ?", db.Pad(part)).Scan(&members).Error; err != nil {
			return nil, fmt.Errorf("read members: %w", err)
		}
		people = append(people, members...)
	}
	restless, err := restless(tx.DB)
	if err != nil {
		return nil, err
	}
	people = distinct(append(people, restless...)) // not nil, even where it is nobody
	return people, nil
}

// fewer answers people, or nil for everybody where they are so many that reading everybody in one stroke costs less.
func fewer(q reader, people []id.Person) ([]id.Person, error) {
	var all int
	if err := q.Raw("select count(*) from persons").Scan(&all).Error; err != nil {
		return nil, fmt.Errorf("count people: %w", err)
	}
	if 2*len(people) > all {
		return nil, nil
	}
	return people, nil
}

// reshaped answers the groups of which a rule or own joining differs, or that come or go, and the bounds of rules that are new or changed; bounded is false where one has none.
func reshaped(before, after *catalog) (groups []id.Group, traits []directory.Trait, bounded bool) {
	was, will := rulesOf(before.policy), rulesOf(after.policy)
	differ := map[string]bool{}
	for ref, old := range was {
		if rule, stays := will[ref]; !stays || rule.When != old.When || rule.Role != old.Role {
			differ[groupOf(ref)] = true
		}
	}
	for ref, rule := range will {
		if old, stood := was[ref]; stood && rule.When == old.When && rule.Role == old.Role && before.live(before.byKey[groupOf(ref)]) {
			continue
		}
		differ[groupOf(ref)] = true
		anchors, has := rule.Anchors()
		if !has {
			return nil, nil, false
		}
		for _, a := range anchors {
			traits = append(traits, directory.Trait{Attribute: a.Attribute, Value: a.Value})
		}
	}
	for g := range before.groups {
		if before.live(g) != after.live(g) || before.joinable(g) != after.joinable(g) {
			groups = append(groups, g)
		}
	}
	for key := range differ {
		groups = append(groups, after.byKey[key])
	}
	return groups, traits, true
}

func groupOf(ref string) string {
	group, _, _ := strings.Cut(ref, "/")
	return group
}

// unfollowed answers those whom the directory changed since the follower was at behind, and those below them.
func (r *Reactor) unfollowed(ctx context.Context, c *catalog, behind int64) (people []id.Person, everybody bool, err error) {
	events, err := r.feed.After(ctx, behind, eventsMost)
	if err != nil || len(events) == eventsMost {
		return nil, true, err
	}
	people, moved, _ := changedBy(events)
	if len(moved) == 0 || !c.uses["managers"] {
		return people, false, nil
	}
	below, err := r.directory.Reports(ctx, moved)
	return append(people, below...), false, err
}

// changedBy answers whom events of the directory are about, by which call each was changed, and whose place above others moved.
func changedBy(events []feed.Event) (people, moved []id.Person, causes map[id.Person]directory.Cause) {
	causes = map[id.Person]directory.Cause{}
	for _, e := range events {
		if !strings.HasPrefix(e.Kind, "person.") {
			continue
		}
		people = append(people, id.Person(e.Subject))
		var change struct {
			Request id.Request
			Fields  []string
		}
		if err := json.Unmarshal(e.Data, &change); err == nil { // what it does late is the call's all the same
			causes[id.Person(e.Subject)] = directory.Cause{Request: change.Request}
		}
		if moves(change.Fields) {
			moved = append(moved, id.Person(e.Subject))
		}
	}
	return people, moved, causes
}

// restless answers those of whom something stands that time changes, or that could not be done.
func restless(q reader) ([]id.Person, error) {
	var out []id.Person
	const standing = "select m.person from reasons r join memberships m on m.id = r.membership where r.ended_at is null and m.ended_at is null and "
	for _, query := range []string{standing + "r.until is not null", standing + "r.starts_at is not null and m.role <> r.role",
		"select person from memberships where ended_at is null and begins_at is not null", "select person from failures"} {
		var found []id.Person
		if err := q.Raw(query).Scan(&found).Error; err != nil {
			return nil, fmt.Errorf("read what may change: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}
