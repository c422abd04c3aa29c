package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// WorkItemView is a work item in an answer.
type WorkItemView struct {
	ID          id.WorkItem   `json:"id"`
	Kind        WorkItemKind  `json:"kind" enum:"possible_rehire,possible_duplicate,same_user_name,ambiguous_match,erased_return"`
	Hint        Hint          `json:"hint" doc:"the strongest thing they have in common"`
	Hints       []Hint        `json:"hints" nullable:"false"`
	Source      *SourceRef    `json:"source" doc:"whose record made it"`
	State       WorkItemState `json:"state"`
	Newer       PersonRef     `json:"newer"`
	Older       PersonRef     `json:"older"`
	Kept        id.Person     `json:"kept,omitempty" doc:"of a linked one: who stayed"`
	Quarantined []id.Person   `json:"quarantined" nullable:"false" doc:"who of the two is in quarantine: to keep them apart gives access, unless another question about them is open"`
	CreatedAt   time.Time     `json:"created_at"`
	ClosedAt    time.Time     `json:"closed_at,omitzero"`
	ClosedBy    string        `json:"closed_by,omitempty"`
}

// ListWorkItemsInput chooses work items.
type ListWorkItemsInput struct {
	State  WorkItemState `query:"state" enum:"open,linked,separated,vanished" doc:"absent: all"`
	Kind   WorkItemKind  `query:"kind" enum:"possible_rehire,possible_duplicate,same_user_name,ambiguous_match,erased_return"`
	Source id.Source     `query:"source"`
	Hint   Hint          `query:"hint" enum:"employee_number,external_id,email,user_name"`
	Person id.Person     `query:"person" doc:"either of the two"`
	httpapi.Paging
}

// ListWorkItems answers GET /api/v1/work-items, in the order of their making.
func (a *API) ListWorkItems(ctx context.Context, in *ListWorkItemsInput) (*httpapi.Page[WorkItemView], error) {
	q := WorkItemQuery{State: in.State, Kind: in.Kind, Source: in.Source, Hint: in.Hint, Person: in.Person, Limit: in.Limit + 1}
	if _, err := httpapi.DecodeCursor(in.Cursor, &q.After); err != nil {
		return nil, err
	}
	list, err := a.Store.WorkItems(ctx, q)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(list) > in.Limit {
		list = list[:in.Limit]
		next = httpapi.Cursor(list[in.Limit-1].ID)
	}
	views, err := a.itemViews(ctx, list)
	if err != nil {
		return nil, err
	}
	return httpapi.NewPage(ctx, views, next), nil
}

func (a *API) itemViews(ctx context.Context, list []WorkItem) ([]WorkItemView, error) {
	people := map[id.Person]bool{}
	for _, item := range list {
		people[item.Newer], people[item.Older] = true, true
	}
	found, err := a.Store.ownNames(ctx, sorted(people))
	if err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	held, err := a.Store.inQuarantine(ctx, sorted(people))
	if err != nil {
		return nil, err
	}
	out := make([]WorkItemView, len(list))
	for i, item := range list {
		out[i] = WorkItemView{ID: item.ID, Kind: item.Kind, Hint: item.Hint, Hints: notNil(item.Hints), State: item.State,
			Newer: PersonRef{item.Newer, found[item.Newer]}, Older: PersonRef{item.Older, found[item.Older]}, Kept: item.Kept,
			Quarantined: []id.Person{}, CreatedAt: item.CreatedAt, ClosedAt: item.ClosedAt, ClosedBy: item.ClosedBy}
		for _, p := range []id.Person{item.Older, item.Newer} {
			if held[p] {
				out[i].Quarantined = append(out[i].Quarantined, p)
			}
		}
		if s, known := sources[item.Source]; known {
			ref := sourceRef(s)
			out[i].Source = &ref
		}
	}
	return out, nil
}

// WorkItemGroupView counts open work items that came the same way.
type WorkItemGroupView struct {
	Source *SourceRef   `json:"source"`
	Kind   WorkItemKind `json:"kind"`
	Hint   Hint         `json:"hint"`
	Count  int          `json:"count"`
}

// ContestedView is somebody under a veto of whom a source says active all the same: sources contradict whoever terminated them.
type ContestedView struct {
	Person PersonRef `json:"person"`
	Contested
}

// contestedMost bounds how many of them one answer lists.
const contestedMost = 200

// WorkItemGroupsOutput is the open work items, counted, and who else wants somebody to look.
type WorkItemGroupsOutput struct {
	Body struct {
		Open      int                 `json:"open"`
		Groups    []WorkItemGroupView `json:"groups" nullable:"false"`
		Contested []ContestedView     `json:"contested" nullable:"false" doc:"people whose veto a source contradicts, the first 200: it says that they work here"`
	}
}

// contested lists those whose veto a source contradicts.
func (a *API) contested(ctx context.Context, sources map[id.Source]Source) ([]ContestedView, error) {
	out := []ContestedView{}
	page, err := a.Store.For(ctx).People(ctx, Query{Contested: true, Limit: contestedMost})
	if err != nil {
		return nil, err
	}
	var ids []id.Person
	for _, p := range page.People {
		ids = append(ids, p.ID)
	}
	standing, err := a.Store.StandingFreezes(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, p := range page.People {
		for _, f := range standing[p.ID] {
			if c := freezeView(f, sources, a.Store.clock()).Contested; c != nil {
				c.Sources = append(c.Sources, c.Source)
				out = append(out, ContestedView{PersonRef{p.ID, p.DisplayName}, *c})
			}
		}
	}
	return out, nil
}

// WorkItemGroups answers GET /api/v1/work-items/groups.
func (a *API) WorkItemGroups(ctx context.Context, _ *struct{}) (*WorkItemGroupsOutput, error) {
	groups, err := a.Store.WorkItemGroups(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	out := &WorkItemGroupsOutput{}
	out.Body.Groups = []WorkItemGroupView{}
	if out.Body.Contested, err = a.contested(ctx, sources); err != nil {
		return nil, err
	}
	for _, g := range groups {
		view := WorkItemGroupView{Kind: g.Kind, Hint: g.Hint, Count: g.Count}
		if s, known := sources[g.Source]; known {
			ref := sourceRef(s)
			view.Source = &ref
		}
		out.Body.Open += g.Count
		out.Body.Groups = append(out.Body.Groups, view)
	}
	return out, nil
}

// WorkItemInPath names the work item of a route.
type WorkItemInPath struct {
	ID id.WorkItem `path:"id"`
}

// Saying is a value and who says it.
type Saying struct {
	Value   string   `json:"value"`
	Sources []string `json:"sources" nullable:"false" doc:"names of the sources"`
}

// Compared is one attribute of two people side by side.
type Compared struct {
	Name  string   `json:"name"`
	Same  bool     `json:"same" doc:"they have a value in common"`
	Newer []Saying `json:"newer" nullable:"false"`
	Older []Saying `json:"older" nullable:"false"`
}

// Side is one of the two people of a work item.
type Side struct {
	PersonView
	Freezes []FreezeView `json:"freezes" nullable:"false" doc:"those that stand"`
	Records []RecordView `json:"records" nullable:"false"`
}

// WorkItemOutput is a work item with both people.
type WorkItemOutput struct {
	Body struct {
		WorkItemView
		NewerPerson Side       `json:"newer_person"`
		OlderPerson Side       `json:"older_person"`
		Comparison  []Compared `json:"comparison" nullable:"false"`
		Warnings    []string   `json:"warnings" nullable:"false" doc:"administrator, same_source, frozen, quarantine: why to look twice"`
	}
}

// GetWorkItem answers GET /api/v1/work-items/{id}.
func (a *API) GetWorkItem(ctx context.Context, in *WorkItemInPath) (*WorkItemOutput, error) {
	item, err := a.Store.WorkItem(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	views, err := a.itemViews(ctx, []WorkItem{item})
	if err != nil {
		return nil, err
	}
	out := &WorkItemOutput{}
	b := &out.Body
	b.WorkItemView = views[0]
	var newer, older []Record
	if b.NewerPerson, newer, err = a.side(ctx, item.Newer); err != nil {
		return nil, err
	}
	if b.OlderPerson, older, err = a.side(ctx, item.Older); err != nil {
		return nil, err
	}
	sources, err := a.Store.sourceMap(ctx)
	if err != nil {
		return nil, err
	}
	b.Comparison = compare(newer, older, sources)
	b.Warnings, err = a.warnings(ctx, newer, older, b.NewerPerson, b.OlderPerson)
	return out, err
}

func (a *API) side(ctx context.Context, person id.Person) (Side, []Record, error) {
	whole, err := a.GetPerson(ctx, &PersonInPath{ID: person})
	if err != nil {
		return Side{}, nil, err
	}
	records, err := a.Store.Records(ctx, person)
	standing := slices.DeleteFunc(whole.Body.Freezes, func(f FreezeView) bool { return !f.LiftedAt.IsZero() })
	return Side{PersonView: whole.Body.PersonView, Freezes: notNil(standing), Records: whole.Body.Records}, records, err
}

// warnings says why a human being should look twice before linking.
func (a *API) warnings(ctx context.Context, newer, older []Record, sides ...Side) ([]string, error) {
	out := []string{}
	admins, err := a.admins(ctx)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(sides, func(s Side) bool { return admins[s.ID] }) {
		out = append(out, "administrator")
	}
	if sameSource(newer, older) {
		out = append(out, "same_source")
	}
	stopped := func(which func(slot string) bool) bool {
		return slices.ContainsFunc(sides, func(s Side) bool {
			return slices.ContainsFunc(s.Freezes, func(f FreezeView) bool { return which(f.Slot) })
		})
	}
	if stopped(func(slot string) bool { return consoleSlot(slot) && slot != SlotQuarantine }) {
		out = append(out, "frozen")
	}
	if stopped(func(slot string) bool { return slot == SlotQuarantine }) {
		out = append(out, "quarantine")
	}
	return out, nil
}

// admins answers who has the administrator role.
func (a *API) admins(ctx context.Context) (map[id.Person]bool, error) {
	out := map[id.Person]bool{}
	if a.Admins == nil {
		return out, nil
	}
	list, err := a.Admins(ctx)
	for _, p := range list {
		out[p] = true
	}
	return out, err
}

// sameSource tells whether one source says of both that they are here.
func sameSource(a, b []Record) bool {
	return slices.ContainsFunc(living(a), func(x Record) bool {
		return slices.ContainsFunc(living(b), func(y Record) bool { return x.Source == y.Source })
	})
}

// compare puts what is said of two people side by side; what is said of neither is left out.
func compare(newer, older []Record, sources map[id.Source]Source) []Compared {
	var out []Compared
	for _, f := range []struct {
		name string
		of   func(Record) []string
	}{
		{"display_name", func(r Record) []string { return []string{r.DisplayName} }},
		{"name", func(r Record) []string { return []string{fullName(r.GivenName, r.FamilyName)} }},
		{"employee_number", func(r Record) []string { return []string{r.EmployeeNumber} }},
		{"email", func(r Record) []string {
			var all []string
			for _, e := range r.Emails {
				all = append(all, e.Value)
			}
			return all
		}},
		{"user_name", func(r Record) []string { return []string{r.UserName} }},
		{"external_id", func(r Record) []string { return []string{r.ExternalID} }},
		{"phone", func(r Record) []string {
			var all []string
			for _, p := range r.Phones {
				all = append(all, p.Value)
			}
			return all
		}},
		{"title", func(r Record) []string { return []string{r.Title} }},
		{"department", func(r Record) []string { return []string{r.Department} }},
		{"company", func(r Record) []string { return []string{cmp.Or(r.Company, r.Organization)} }},
		{"employee_type", func(r Record) []string { return []string{r.EmployeeType} }},
	} {
		c := Compared{Name: f.name, Newer: sayings(newer, f.of, sources), Older: sayings(older, f.of, sources)}
		if len(c.Newer)+len(c.Older) == 0 {
			continue
		}
		c.Same = slices.ContainsFunc(c.Newer, func(x Saying) bool {
			return slices.ContainsFunc(c.Older, func(y Saying) bool { return fold(x.Value) == fold(y.Value) })
		})
		out = append(out, c)
	}
	return notNil(out)
}

// sayings answers the values of one attribute over all records, each once, with who says it.
func sayings(records []Record, of func(Record) []string, sources map[id.Source]Source) []Saying {
	out := []Saying{}
	for _, r := range records {
		for _, value := range of(r) {
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
			at := slices.IndexFunc(out, func(s Saying) bool { return s.Value == value })
			if at < 0 {
				at = len(out)
				out = append(out, Saying{Value: value, Sources: []string{}})
			}
			if name := sources[r.Source].Name; !slices.Contains(out[at].Sources, name) {
				out[at].Sources = append(out[at].Sources, name)
			}
		}
	}
	return out
}
