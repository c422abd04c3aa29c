package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// WorkItemKind says why a human being is asked whether two people are one.
type WorkItemKind string

// The kinds.
const (
	PossibleRehire    WorkItemKind = "possible_rehire"    // what tells people apart is said of somebody who is not here any more, or not yet again (J27)
	PossibleDuplicate WorkItemKind = "possible_duplicate" // the same, of two who are both here
	SameUserName      WorkItemKind = "same_user_name"     // two sources use one userName (decision 16), or two records of one show it: who had it first keeps it
	ErasedReturn      WorkItemKind = "erased_return"      // a source lists somebody again who was erased, or somebody with their number (J40)
	AmbiguousMatch    WorkItemKind = "ambiguous_match"    // a source correlates, and found two people or one whom it knows already
)

// Hint is what two people have in common. It is never a reason to take them for one (nOAuth, CVE-2025-41115).
type Hint string

// The hints, the strongest first.
const (
	HintEmployeeNumber Hint = "employee_number"
	HintExternalID     Hint = "external_id" // only where a source correlates by it
	HintEmail          Hint = "email"
	HintUserName       Hint = "user_name"
)

// WorkItemState is what became of a question.
type WorkItemState string

// The states.
const (
	ItemOpen      WorkItemState = "open"
	ItemLinked    WorkItemState = "linked"    // they are one
	ItemSeparated WorkItemState = "separated" // they are two; the pair is never asked about again
	ItemVanished  WorkItemState = "vanished"  // nothing speaks for it any more; it opens again when something does
)

// WorkItem is the question whether two people are one. There is one per pair, for ever.
type WorkItem struct {
	ID           id.WorkItem
	Kind         WorkItemKind
	Newer, Older id.Person
	Source       id.Source // whose record made it
	Link         id.Link
	Hint         Hint // the strongest
	Hints        []Hint
	State        WorkItemState
	Kept         id.Person // of a linked one: who stayed
	Moved        []id.Link // of a linked one: the records that were given to Kept
	CreatedAt    time.Time
	ClosedAt     time.Time
	ClosedBy     string
}

// Other answers the one of the pair who is not p.
func (i WorkItem) Other(p id.Person) id.Person {
	if p == i.Newer {
		return i.Older
	}
	return i.Newer
}

// WorkItemQuery chooses work items; zero fields choose all.
type WorkItemQuery struct {
	State  WorkItemState
	Kind   WorkItemKind
	Source id.Source
	Hint   Hint
	Person id.Person // either of the pair
	Before time.Time // opened then or earlier
	After  id.WorkItem
	Limit  int // at most 500, 0: 50
}

// WorkItems answers work items in order of their making.
func (r Reader) WorkItems(ctx context.Context, q WorkItemQuery) ([]WorkItem, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	query := r.from(ctx).Model(&workItemRow{}).Where("id > ?", q.After)
	for _, f := range []struct {
		column string
		value  string
	}{{"state", string(q.State)}, {"kind", string(q.Kind)}, {"source_id", string(q.Source)}, {"hint", string(q.Hint)}} {
		if f.value != "" {
			query = query.Where(f.column+" = ?", f.value)
		}
	}
	if q.Person != "" {
		query = query.Where("id in (select id from work_items where newer = ? union all select id from work_items where older = ?)", q.Person, q.Person)
	}
	if !q.Before.IsZero() {
		query = query.Where("created_at <= ?", q.Before.UnixMicro())
	}
	var rows []workItemRow
	if err := query.Order("id").Limit(min(q.Limit, chunk)).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list work items: %w", err)
	}
	return items(rows), nil
}

func items(rows []workItemRow) []WorkItem {
	out := make([]WorkItem, len(rows))
	for i, row := range rows {
		out[i] = row.item()
	}
	return out
}

// WorkItem answers one; ErrNotFound.
func (r Reader) WorkItem(ctx context.Context, item id.WorkItem) (WorkItem, error) {
	var rows []workItemRow
	if err := r.from(ctx).Where("id = ?", item).Find(&rows).Error; err != nil {
		return WorkItem{}, fmt.Errorf("read work item: %w", err)
	}
	if len(rows) == 0 {
		return WorkItem{}, fmt.Errorf("work item %s: %w", item, ErrNotFound)
	}
	return rows[0].item(), nil
}

// WorkItemGroup counts open work items of one source and hint.
type WorkItemGroup struct {
	Source id.Source
	Kind   WorkItemKind
	Hint   Hint
	Count  int
}

// WorkItemGroups counts the open work items, the largest groups first.
func (r Reader) WorkItemGroups(ctx context.Context) ([]WorkItemGroup, error) {
	var rows []struct {
		SourceID id.Source
		Kind     WorkItemKind
		Hint     Hint
		N        int
	}
	if err := r.from(ctx).Raw(`select source_id, kind, hint, count(*) as n from work_items where state = 'open'
		group by source_id, kind, hint order by n desc, source_id, kind, hint`).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("count work items: %w", err)
	}
	out := make([]WorkItemGroup, len(rows))
	for i, row := range rows {
		out[i] = WorkItemGroup{row.SourceID, row.Kind, row.Hint, row.N}
	}
	return out, nil
}

// common answers what speaks for two people being one, the strongest first.
func common(a, b []Record, sources map[id.Source]Source) []Hint {
	found := map[Hint]bool{}
	for _, x := range a {
		for _, y := range b {
			if alike(x.EmployeeNumber, y.EmployeeNumber, NumberLooks) {
				found[HintEmployeeNumber] = true
			}
			if alike(x.UserName, y.UserName, alikeName) || alike(x.Claims, y.UserName, alikeName) || alike(x.UserName, y.Claims, alikeName) {
				found[HintUserName] = true
			}
			if x.ExternalID != "" && x.ExternalID == y.ExternalID && (byExternalID(sources[x.Source]) || byExternalID(sources[y.Source])) {
				found[HintExternalID] = true
			}
			for _, e := range x.Emails {
				found[HintEmail] = found[HintEmail] || e.Value != "" && slices.ContainsFunc(y.Emails, func(o Email) bool { return fold(o.Value) == fold(e.Value) })
			}
		}
	}
	return ranking(found)
}

func byExternalID(s Source) bool { return slices.Contains(s.Correlate, CorrelateExternalID) }

// ranking answers the hints of a set, the strongest first.
func ranking(set map[Hint]bool) []Hint {
	var out []Hint
	for _, h := range []Hint{HintEmployeeNumber, HintExternalID, HintEmail, HintUserName} {
		if set[h] {
			out = append(out, h)
		}
	}
	return out
}
