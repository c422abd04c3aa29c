package directory

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-im/rollcall/internal/id"
)

// living answers the records that are no tombstones; where all are, they are the same list, which nobody may change.
func living(records []Record) []Record {
	if !slices.ContainsFunc(records, func(r Record) bool { return !r.DeletedAt.IsZero() }) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !r.DeletedAt.IsZero() })
}

// byPriority sorts records by the priority of their source, then link.
func byPriority(records []Record, sources map[id.Source]Source) {
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(sources[a.Source].Priority, sources[b.Source].Priority), cmp.Compare(a.Link, b.Link))
	})
}

// employments sorts live records into employments. Two records of one source are two employments, and so are two with
// different employee numbers. A record that says neither (an account, say) stands behind every employment it does not contradict, so
// that disabling it disables all of them: in doubt a "no" counts. Sources without authority over employment count only where no other
// ever knew the person (employed).
func employments(records []Record, sources map[id.Source]Source) []employment {
	speaking := living(employed(records, sources))
	if len(speaking) == 1 { // the rule
		return []employment{{records: speaking, active: speaking[0].Active}}
	}
	speaking = slices.Clone(speaking)
	byPriority(speaking, sources)
	count := map[id.Source]int{}
	for _, r := range speaking {
		count[r.Source]++
	}
	// The most specific first, so that the outcome does not depend on priorities: sources with several records, then numbered records.
	order := slices.Clone(speaking)
	slices.SortStableFunc(order, func(a, b Record) int {
		return cmp.Or(cmp.Compare(count[b.Source], count[a.Source]), cmp.Compare(b2i(b.EmployeeNumber != ""), b2i(a.EmployeeNumber != "")))
	})
	var groups [][]Record
	for _, r := range order {
		var fit, same []int
		for i, g := range groups {
			if contradicts(g, r) {
				continue
			}
			fit = append(fit, i)
			if r.EmployeeNumber != "" && slices.ContainsFunc(g, func(o Record) bool { return o.EmployeeNumber == r.EmployeeNumber }) {
				same = append(same, i)
			}
		}
		if len(same) > 0 {
			fit = same
		}
		for _, i := range fit {
			groups[i] = append(groups[i], r)
		}
		if len(fit) == 0 {
			groups = append(groups, []Record{r})
		}
	}
	out := make([]employment, len(groups))
	for i, g := range groups {
		byPriority(g, sources)
		out[i] = employment{records: g, active: !slices.ContainsFunc(g, func(r Record) bool { return !r.Active })}
	}
	slices.SortStableFunc(out, func(a, b employment) int {
		x, y := a.records[0], b.records[0]
		return cmp.Or(cmp.Compare(sources[x.Source].Priority, sources[y.Source].Priority), cmp.Compare(x.Link, y.Link))
	})
	return out
}

func contradicts(group []Record, r Record) bool {
	return slices.ContainsFunc(group, func(o Record) bool {
		return o.Source == r.Source || o.EmployeeNumber != "" && r.EmployeeNumber != "" && o.EmployeeNumber != r.EmployeeNumber
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ranked answers the records that assert a person's attributes, the first wins: those of employments that run now before those that
// are active at another time before the rest, then by priority. Tombstones speak only where nobody else does.
func ranked(records []Record, sources map[id.Source]Source, now time.Time) []Record {
	live := living(records)
	if len(live) == 0 {
		dead := slices.Clone(records)
		byPriority(dead, sources)
		slices.SortStableFunc(dead, func(a, b Record) int { return b.DeletedAt.Compare(a.DeletedAt) })
		return dead
	}
	if len(live) == 1 {
		return live
	}
	live = slices.Clone(live)
	rank := map[id.Link]int{}
	at := now.UnixMicro()
	for _, e := range employments(records, sources) {
		r := 1
		if w := e.window(); e.active && w.from <= at && at < w.until {
			r = 3
		} else if e.active {
			r = 2
		}
		for _, rec := range e.records {
			rank[rec.Link] = max(rank[rec.Link], r)
		}
	}
	for _, r := range live {
		if _, ok := rank[r.Link]; !ok {
			rank[r.Link] = 3 // of a source that says nothing of employments: by its priority alone
		}
	}
	byPriority(live, sources)
	slices.SortStableFunc(live, func(a, b Record) int { return cmp.Compare(rank[b.Link], rank[a.Link]) })
	return live
}

// merge answers the person that these records assert together; references are by key still. It keeps nothing of who the person was.
func merge(records []Record, sources map[id.Source]Source, now time.Time) (p Person, unit, manager reference) {
	v := hear(ranked(records, sources, now), sources, now)
	for _, a := range textAttributes() {
		if r := v.of(a.name, func(r *Record) bool { return a.from(r) != "" }); r != nil {
			*a.to(&p) = a.from(r)
		}
	}
	v.others(func(attribute string, r *Record) {
		switch attribute {
		case "unit":
			unit = reference{r.Source, r.UnitKey}
		case "manager":
			manager = reference{r.Source, r.ManagerKey}
		default:
			if p.Labels == nil {
				p.Labels = map[string]string{}
			}
			name := strings.TrimPrefix(attribute, labelPrefix)
			p.Labels[name] = r.Labels[name]
		}
	})
	p.DisplayName = cmp.Or(p.DisplayName, fullName(p.GivenName, p.FamilyName), p.UserName, p.Email, p.EmployeeNumber)
	live := living(employed(records, sources))
	p.Absent = len(live) > 0 && !slices.ContainsFunc(live, func(r Record) bool { return r.AbsentSince.IsZero() })
	return p, unit, manager
}

// reference names something in a source by its key there.
type reference struct {
	source id.Source
	key    string
}

func mainEmail(emails []Email) string {
	for _, e := range emails {
		if e.Primary && e.Value != "" {
			return e.Value
		}
	}
	for _, e := range emails {
		if e.Value != "" {
			return e.Value
		}
	}
	return ""
}

func fullName(given, family string) string {
	if strings.ContainsFunc(family, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return family + given
	}
	return strings.TrimSpace(given + " " + family)
}

// affiliationsOf answers a person's employments as they are at an instant; units holds the ids of those that are known.
func affiliationsOf(person id.Person, records []Record, sources map[id.Source]Source, units map[reference]id.Unit, at time.Time) []Affiliation {
	var out []Affiliation
	for _, e := range employments(records, sources) {
		w, lead := e.window(), e.records[0]
		v := hear(e.records, sources, at)
		a := Affiliation{ID: id.Affiliation("aff_" + strings.TrimPrefix(string(lead.Link), "lnk_")), Person: person, Link: lead.Link,
			StartAt: instant(w.from), EndAt: instant(w.until), Active: e.active}
		for _, r := range e.records {
			a.Links = append(a.Links, r.Link)
		}
		if r := v.of("employee_type", func(r *Record) bool { return r.EmployeeType != "" }); r != nil {
			a.Kind = r.EmployeeType
		}
		if r := v.of("department", func(r *Record) bool { return r.Department != "" }); r != nil {
			a.Department = r.Department
		}
		if r := v.of("unit", func(r *Record) bool { return units[reference{r.Source, r.UnitKey}] != "" }); r != nil {
			a.Unit = units[reference{r.Source, r.UnitKey}]
		}
		if l := e.leave(false); len(l) > 0 {
			a.LeaveFrom, a.LeaveUntil = instant(l[0].from), instant(l[0].until)
		}
		out = append(out, a)
	}
	return out
}
