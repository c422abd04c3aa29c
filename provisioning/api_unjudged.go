package provisioning

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// UnjudgedItem is a person for whom something of the policy in force could not be judged, and gives nothing.
type UnjudgedItem struct {
	Person PersonRef `json:"person"`
	Rules  []string  `json:"rules" nullable:"false" doc:"a rule with its group; a group alone for who may join it; a separation"`
	Since  time.Time `json:"since"`
	Error  string    `json:"error,omitempty" doc:"what went wrong; it names values of the person, and is said to whoever may see all of them"`
}

// PersonUnjudged answers what of the policy in force could not be judged for a person: one item, or none.
func (a *API) PersonUnjudged(ctx context.Context, in *PersonInput) (*httpapi.Page[UnjudgedItem], error) {
	return a.unjudgedPage(ctx, "person = ?", 1, in.ID)
}

// ListUnjudged answers everybody for whom something of the policy in force could not be judged.
func (a *API) ListUnjudged(ctx context.Context, in *httpapi.Paging) (*httpapi.Page[UnjudgedItem], error) {
	var after id.Person
	if _, err := httpapi.DecodeCursor(in.Cursor, &after); err != nil {
		return nil, err
	}
	return a.unjudgedPage(ctx, "person > ?", in.Limit, after)
}

func (a *API) unjudgedPage(ctx context.Context, where string, limit int, arg id.Person) (*httpapi.Page[UnjudgedItem], error) {
	var rows []failureRow
	if err := a.Reactor.db.Read(ctx).Raw("select * from failures where rules <> '' and "+where+" order by person limit ?", arg, limit+1).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read failures: %w", err)
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = httpapi.Cursor(rows[limit-1].Person)
	}
	people := make([]id.Person, len(rows))
	for i, row := range rows {
		people[i] = row.Person
	}
	names, err := a.names(ctx, people)
	if err != nil {
		return nil, err
	}
	full := directory.SightOf(ctx).Full()
	items := make([]UnjudgedItem, len(rows))
	for i, row := range rows {
		items[i] = UnjudgedItem{Person: PersonRef{row.Person, names[row.Person]}, Rules: strings.Split(row.Rules, ","), Since: row.Since.Time}
		if full {
			items[i].Error = row.Error
		}
	}
	return httpapi.NewPage(ctx, items, next), nil
}
