package provisioning_test

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// span is what lasts from an instant to another; zero is open.
type span struct{ from, until time.Time }

func (s span) holds(at time.Time) bool {
	return !at.Before(s.from) && (s.until.IsZero() || at.Before(s.until))
}

// place is a membership as the audit log tells it.
type place struct {
	person, group string
	role          policies.Role
	span
}

// told is what the audit log says up to an instant: nothing else is asked but the texts of the policies that it names.
type told struct {
	at      time.Time
	policy  *policies.Policy
	places  map[string]place           // by membership
	freezes map[string]map[string]span // by person and slot
}

// auditLog answers all of it, oldest first.
func (w *world) auditLog() []audit.Record {
	w.Helper()
	var all []audit.Record
	for before := int64(0); ; before = all[len(all)-1].Seq {
		page, err := audit.List(ctx, w.db, audit.Filter{Before: before})
		w.ok(err)
		all = append(all, page...)
		if len(page) < 200 || page[len(page)-1].Seq == 0 {
			slices.Reverse(all)
			return all
		}
	}
}

// replay plays the audit log back up to an instant.
func (w *world) replay(log []audit.Record, at time.Time) *told {
	w.Helper()
	t := &told{at: at, places: map[string]place{}, freezes: map[string]map[string]span{}}
	for _, r := range log {
		if r.At.After(at) {
			continue
		}
		instant := func(key string) (when time.Time) {
			if text, ok := r.Public[key].(string); ok {
				var err error
				when, err = time.Parse(time.RFC3339Nano, text)
				w.ok(err)
			}
			return when
		}
		text := func(key string) string { s, _ := r.Public[key].(string); return s }
		switch r.Action {
		case "policy.applied":
			version, _ := r.Public["version"].(float64)
			item, err := w.r.Policy(ctx, int64(version))
			w.ok(err)
			if item.Hash != text("policy") {
				w.Fatalf("version %v is %s, the audit log says %s", version, item.Hash, text("policy"))
			}
			t.policy, err = policies.Parse(policies.File{Name: item.Files[0].Name, Source: item.Files[0].Source})
			w.ok(err)
		case "membership.added", "membership.planned", "membership.changed", "membership.reasons":
			t.places[r.Subject] = place{text("person"), text("group"), policies.Role(text("role")), span{instant("effective_at"), instant("until")}}
		case "membership.removed", "membership.withdrawn":
			delete(t.places, r.Subject)
		case "person.frozen", "person.restored":
			if t.freezes[r.Subject] == nil {
				t.freezes[r.Subject] = map[string]span{}
			}
			t.freezes[r.Subject][text("slot")] = span{instant("from"), instant("until")}
		case "person.unfrozen":
			delete(t.freezes[r.Subject], text("slot"))
		}
	}
	return t
}

// sees answers whether somebody could read a channel, named by its group and its key.
func (t *told) sees(person id.Person, name string) bool {
	for _, f := range t.freezes[string(person)] {
		if f.holds(t.at) {
			return false
		}
	}
	group, key, _ := strings.Cut(name, "/")
	for _, p := range t.places {
		if p.person != string(person) || p.group != group || !p.holds(t.at) {
			continue
		}
		for _, c := range t.policy.Group(group).Channels {
			if access := c.Access[p.role]; c.Key == key && access != "" && access != policies.None {
				return true
			}
		}
	}
	return false
}
