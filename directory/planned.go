package directory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Planned is what a source says will hold of a record from an instant on: the value of each attribute, "" clears it. Names are
// title, department, division, organization, company, cost_center, employee_type, unit, manager (keys of the source) and
// label.<name>. It takes effect at At by itself and stays in force after; a source that says less later takes it back.
type Planned struct {
	At  time.Time         `json:"at"`
	Set map[string]string `json:"set"`
	// DiscloseAt is from when on it may be told; zero: as the record says.
	DiscloseAt time.Time `json:"disclose_at,omitzero"`
}

// plannedMost bounds what one record may plan.
const plannedMost = 64

const labelPrefix = "label."

// plannable answers where a record keeps an attribute that may be planned; nil for labels and unknown names.
func (r *Record) plannable(name string) *string {
	switch name {
	case "title":
		return &r.Title
	case "department":
		return &r.Department
	case "division":
		return &r.Division
	case "organization":
		return &r.Organization
	case "company":
		return &r.Company
	case "cost_center":
		return &r.CostCenter
	case "employee_type":
		return &r.EmployeeType
	case "unit":
		return &r.UnitKey
	case "manager":
		return &r.ManagerKey
	}
	return nil
}

// EffectiveAt answers the record as it stands at t: what was planned up to then is applied, in its order.
func (r Record) EffectiveAt(t time.Time) Record {
	cloned := false
	for _, p := range r.Planned {
		if p.At.After(t) {
			break
		}
		for name, value := range p.Set {
			if to := r.plannable(name); to != nil {
				*to = value
				continue
			}
			if !cloned {
				if r.Labels, cloned = maps.Clone(r.Labels), true; r.Labels == nil {
					r.Labels = map[string]string{}
				}
			}
			if label := strings.TrimPrefix(name, labelPrefix); value == "" {
				delete(r.Labels, label)
			} else {
				r.Labels[label] = value
			}
		}
	}
	return r
}

// cleanPlanned sorts what is planned, melts what falls on one instant and refuses what cannot be planned.
func cleanPlanned(planned []Planned) ([]Planned, error) {
	if len(planned) > plannedMost {
		return nil, fmt.Errorf("%w: more than %d planned changes", ErrInvalid, plannedMost)
	}
	var out []Planned
	list := slices.Clone(planned)
	slices.SortStableFunc(list, func(a, b Planned) int { return a.At.Compare(b.At) })
	for _, p := range list {
		if p.At.IsZero() {
			return nil, fmt.Errorf("%w: a planned change needs its instant", ErrInvalid)
		}
		for name, value := range p.Set {
			label, isLabel := strings.CutPrefix(name, labelPrefix)
			if (&Record{}).plannable(name) == nil && (!isLabel || label == "") {
				return nil, fmt.Errorf("%w: %q cannot be planned", ErrInvalid, name)
			}
			if err := storable("planned", name+value); err != nil {
				return nil, err
			}
		}
		if len(p.Set) == 0 {
			continue
		}
		p.At, p.Set, p.DiscloseAt = micro(p.At), maps.Clone(p.Set), micro(p.DiscloseAt)
		if n := len(out); n > 0 && out[n-1].At.Equal(p.At) {
			maps.Copy(out[n-1].Set, p.Set)
			if p.DiscloseAt.After(out[n-1].DiscloseAt) { // the stricter word
				out[n-1].DiscloseAt = p.DiscloseAt
			}
			continue
		}
		out = append(out, p)
	}
	return out, nil
}

// plannedKeys answers the keys that a record names by unit or manager, now or at some time.
func (r Record) plannedKeys(name string) []string {
	var out []string
	if key := *r.plannable(name); key != "" {
		out = append(out, key)
	}
	for _, p := range r.Planned {
		if key := p.Set[name]; key != "" {
			out = append(out, key)
		}
	}
	return out
}

// plannedFor answers the people for whom a source plans one of these units or managers. It tells of them, although nothing
// about them differs yet: what is written ahead does.
func (w *work) plannedFor(column string, source id.Source, keys map[string]bool) ([]id.Person, error) {
	name := map[string]string{"unit_key": "unit", "manager_key": "manager"}[column]
	if name == "" || len(keys) == 0 {
		return nil, nil
	}
	var rows []recordRow
	if err := w.tx.Select("link, person_id, planned").Where("source_id = ? and planned <> 'null' and deleted_at is null and person_id is not null", source).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read planned changes: %w", err)
	}
	var out []id.Person
	for _, row := range rows {
		if slices.ContainsFunc(row.Planned.V, func(p Planned) bool { return keys[p.Set[name]] }) {
			out = append(out, *row.PersonID)
			w.differs(*row.PersonID, "planned")
		}
	}
	return out, nil
}

// boundary is an instant at which something about a person changes by itself.
type boundary struct {
	at   time.Time
	what string
}

// boundaries answers every known instant at which something about a person changes by itself, past and future, in order of time.
func boundaries(records []Record, standing []Freeze) []boundary {
	var out []boundary
	add := func(at time.Time, what string) {
		if !at.IsZero() {
			out = append(out, boundary{at, what})
		}
	}
	for _, r := range records {
		add(r.SetAsideUntil, "undo_ends")
		if !r.DeletedAt.IsZero() {
			continue
		}
		add(r.StartAt, "start")
		add(r.EndAt, "end")
		add(r.LeaveFrom, "leave_from")
		add(r.LeaveUntil, "leave_until")
		for _, p := range r.Planned {
			add(p.At, "planned")
		}
	}
	for _, f := range standing {
		if consoleSlot(f.Slot) && f.LiftedAt.IsZero() {
			add(f.From, "freeze_from")
			add(f.Until, "freeze_until")
		}
	}
	slices.SortStableFunc(out, func(a, b boundary) int { return a.at.Compare(b.at) })
	return out
}

// next answers the first instant after now; zero where none is known.
func next(list []boundary, now time.Time) time.Time {
	for _, b := range list {
		if b.at.After(now) {
			return b.at
		}
	}
	return time.Time{}
}
