package directory

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

const (
	bulkMost  = 500                   // work items one call looks at
	bulkFirst = 25                    // pairs of the first transaction
	bulkTime  = 50 * time.Millisecond // what a transaction should take
	bulkShown = 20                    // pairs of a preview
)

// BulkLinkInput links all pairs of one source that have one thing in common. A dry run shows how many; a call then goes through at most 500
// work items and answers the cursor for the next.
type BulkLinkInput struct {
	Body struct {
		Source id.Source `json:"source" minLength:"1"`
		Hint   Hint      `json:"hint" enum:"employee_number,email" doc:"the strongest thing the pairs have in common"`
		Before time.Time `json:"before,omitzero" required:"false" doc:"what the preview said: nothing that came later is linked; absent in a dry run"`
		Cursor string    `json:"cursor,omitempty" maxLength:"1024" doc:"next of the call before"`
		DryRun bool      `json:"dry_run,omitempty"`
		Reason string    `json:"reason,omitempty" maxLength:"2000"`
	}
}

// BulkLinkOutput is what one call did or would do. The older person stays.
type BulkLinkOutput struct {
	Body struct {
		DryRun  bool           `json:"dry_run"`
		Before  time.Time      `json:"before"`
		Linked  int            `json:"linked" doc:"in a dry run: pairs that would be linked, of those looked at"`
		Skipped map[string]int `json:"skipped" doc:"pairs left for a human being, by why: several, numbers_differ, same_source, frozen, administrator, changed"`
		Sample  []WorkItemView `json:"sample" nullable:"false" doc:"of a dry run: the first pairs"`
		Next    string         `json:"next,omitempty" doc:"there are more work items to look at"`
	}
}

// BulkLink answers POST /api/v1/work-items/link.
func (a *API) BulkLink(ctx context.Context, in *BulkLinkInput) (*BulkLinkOutput, error) {
	out := &BulkLinkOutput{}
	b := &out.Body
	b.DryRun, b.Before, b.Skipped, b.Sample = in.Body.DryRun, in.Body.Before, map[string]int{}, []WorkItemView{}
	if b.Before.IsZero() {
		if !b.DryRun {
			return nil, errors.Join(ErrInvalid, errors.New("look first: before is what a dry run answered"))
		}
		b.Before = a.Store.clock()
	}
	q := WorkItemQuery{State: ItemOpen, Source: in.Body.Source, Hint: in.Body.Hint, Before: b.Before, Limit: bulkMost}
	if _, err := httpapi.DecodeCursor(in.Body.Cursor, &q.After); err != nil {
		return nil, err
	}
	for {
		list, err := a.Store.WorkItems(ctx, q)
		if err != nil {
			return nil, err
		}
		fit, err := a.clear(ctx, list, b.Skipped)
		if err != nil {
			return nil, err
		}
		if len(list) == bulkMost {
			q.After = list[bulkMost-1].ID
		}
		if !b.DryRun {
			if len(list) == bulkMost {
				b.Next = httpapi.Cursor(q.After)
			}
			b.Linked, err = a.linkAll(ctx, CauseFrom(ctx, in.Body.Reason), fit, b.Skipped)
			return out, err
		}
		b.Linked += len(fit)
		if n := bulkShown - len(b.Sample); n > 0 {
			views, err := a.itemViews(ctx, fit[:min(n, len(fit))])
			if err != nil {
				return nil, err
			}
			b.Sample = append(b.Sample, views...)
		}
		if len(list) < bulkMost {
			return out, nil
		}
	}
}

// clear answers those work items that a bulk decision may decide: nothing about them is doubtful but the question itself.
func (a *API) clear(ctx context.Context, list []WorkItem, skipped map[string]int) ([]WorkItem, error) {
	people := map[id.Person]bool{}
	for _, item := range list {
		people[item.Newer], people[item.Older] = true, true
	}
	several, err := a.Store.severalItems(ctx, sorted(people))
	if err != nil {
		return nil, err
	}
	admins, err := a.admins(ctx)
	if err != nil {
		return nil, err
	}
	records, frozen := map[id.Person][]Record{}, map[id.Person]bool{}
	for part := range slices.Chunk(sorted(people), chunk) {
		read, err := a.Store.recordsOf(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, r := range read {
			records[r.Person] = append(records[r.Person], r)
		}
		standing, err := a.Store.standing(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, f := range standing {
			frozen[f.Person] = frozen[f.Person] || consoleSlot(f.Slot)
		}
	}
	var fit []WorkItem
	for _, item := range list {
		n, o := item.Newer, item.Older
		switch {
		case several[n] || several[o]:
			skipped["several"]++
		case admins[n] || admins[o]:
			skipped["administrator"]++
		case frozen[n] || frozen[o]:
			skipped["frozen"]++
		case sameSource(records[n], records[o]):
			skipped["same_source"]++
		case numbersDiffer(records[n], records[o]):
			skipped["numbers_differ"]++
		default:
			fit = append(fit, item)
		}
	}
	return fit, nil
}

// severalItems answers those of these people about whom more than one work item is open.
func (r Reader) severalItems(ctx context.Context, people []id.Person) (map[id.Person]bool, error) {
	count, seen := map[id.Person]int{}, map[id.WorkItem]bool{}
	for part := range slices.Chunk(people, chunk) {
		var rows []workItemRow
		if err := r.from(ctx).Raw(`select id, newer, older from work_items where state = 'open' and newer in ?
			union select id, newer, older from work_items where state = 'open' and older in ?`, part, part).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !seen[row.ID] {
				seen[row.ID] = true
				count[row.Newer]++
				count[row.Older]++
			}
		}
	}
	out := map[id.Person]bool{}
	for p, n := range count {
		out[p] = n > 1
	}
	return out, nil
}

// numbersDiffer tells whether both have employee numbers and none in common.
func numbersDiffer(a, b []Record) bool {
	numbers := func(list []Record) (out []string) {
		for _, r := range list {
			if r.EmployeeNumber != "" {
				out = append(out, r.EmployeeNumber)
			}
		}
		return out
	}
	x, y := numbers(a), numbers(b)
	return len(x) > 0 && len(y) > 0 && !slices.ContainsFunc(x, func(n string) bool { return slices.Contains(y, n) })
}

// linkAll links pairs in transactions that take about bulkTime, so that a freeze never waits long behind them. A pair that somebody decided
// meanwhile is skipped.
func (a *API) linkAll(ctx context.Context, cause Cause, list []WorkItem, skipped map[string]int) (int, error) {
	linked, size := 0, bulkFirst
	for len(list) > 0 {
		part := list[:min(size, len(list))]
		changes := make([]Change, len(part))
		for i, item := range part {
			changes[i] = MergePeople{Keep: item.Older, Gone: item.Newer}
		}
		began := a.Store.clock()
		_, err := a.Store.Apply(ctx, cause, changes...)
		var refused *ChangeError
		if errors.As(err, &refused) && (errors.Is(err, ErrDecided) || errors.Is(err, ErrNotFound)) {
			skipped["changed"]++
			list = slices.Delete(list, refused.Index, refused.Index+1)
			continue
		}
		if err != nil {
			return linked, err
		}
		linked += len(part)
		list = list[len(part):]
		if a.Store.clock().Sub(began) > bulkTime {
			size = max(size/2, 5)
		} else {
			size = min(size*2, bulkMost)
		}
	}
	return linked, nil
}
