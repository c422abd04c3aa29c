package directory

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
)

// dates finds days and instants in a text.
const dates = `\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?`

// MaskAhead replaces every day and instant in a text that lies after now, for whoever may not see what is to come.
func MaskAhead(text string, now time.Time) string {
	return regexp.MustCompile(dates).ReplaceAllStringFunc(text, func(found string) string {
		if at, ok := dateOf(found); ok && at.After(now) {
			return "…"
		}
		return found
	})
}

func dateOf(text string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// Masks tells whether the caller of ctx is to be shown texts of sources through MaskAhead.
func Masks(ctx context.Context) bool { return !SightOf(ctx).Full() }

// Audited answers records of the audit log as the reader's sight may know them: without the reasons of freezes and ends, and without what
// is to come and not disclosed. A record that says nothing else is left out; so the numbers of the log have gaps.
func (r Reader) Audited(ctx context.Context, records []audit.Record) ([]audit.Record, error) {
	if r.sight == nil || r.sight.Future.All && r.sight.Reasons.All {
		return records, nil
	}
	var people []id.Person
	for _, rec := range records {
		if p := personIn(rec); p != "" {
			people = append(people, p)
		}
	}
	slices.Sort(people)
	told, err := r.toldInstants(ctx, slices.Compact(people))
	if err != nil {
		return nil, err
	}
	out := make([]audit.Record, 0, len(records))
	for _, rec := range records {
		kind, _, _ := strings.Cut(rec.Action, ".")
		if !slices.Contains([]string{"record", "person", "freeze", "membership"}, kind) {
			out = append(out, rec)
			continue
		}
		if !r.sight.Reasons.All {
			delete(rec.Personal, "reason")
		}
		if r.sight.Future.All || r.lasts(&rec, told[personIn(rec)]) {
			out = append(out, rec)
		}
	}
	return out, nil
}

// personIn answers whom a record is about; empty where it is nobody.
func personIn(rec audit.Record) id.Person {
	if person, ok := rec.Public["person"].(string); ok {
		return id.Person(person)
	}
	if strings.HasPrefix(rec.Subject, "per_") {
		return id.Person(rec.Subject)
	}
	return ""
}

// toldInstants answers the instants to come of people that the reader may tell.
func (r Reader) toldInstants(ctx context.Context, people []id.Person) (map[id.Person][]time.Time, error) {
	out := map[id.Person][]time.Time{}
	for part := range slices.Chunk(people, chunk) {
		records, err := r.recordsOf(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, rec := range records {
			for _, b := range boundaries([]Record{rec}, nil) {
				out[rec.Person] = append(out[rec.Person], b.at)
			}
		}
		standing, err := r.standing(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, f := range standing {
			out[f.Person] = append(out[f.Person], f.From, f.Until)
		}
	}
	return out, nil
}

// lasts takes from a record what is to come and not told, and tells whether anything is left that it says.
func (r Reader) lasts(rec *audit.Record, told []time.Time) bool {
	if rec.Action == "membership.reasons" || rec.Action == "membership.withdrawn" { // a place is written anew where something is planned
		return false
	}
	now, secret := r.now(), false
	for _, half := range []map[string]any{rec.Public, rec.Personal} {
		for key, value := range half {
			if key == "fields" || !NamesAhead(value, told, now) {
				continue
			}
			secret = true
			delete(half, key)
			drop(rec.Public, key)
		}
	}
	if !secret {
		return true
	}
	if strings.HasPrefix(rec.Action, "membership.") && rec.Action != "membership.planned" {
		return true // somebody has or lost a place now; until when is not told
	}
	if !strings.HasPrefix(rec.Action, "record.") && !strings.HasPrefix(rec.Action, "person.changed") {
		return false
	}
	fields, _ := rec.Public["fields"].([]any)
	return slices.ContainsFunc(fields, func(f any) bool { return f != "raw" && f != "disclose_at" })
}

// drop takes a name from the list of fields of a record.
func drop(public map[string]any, name string) {
	if fields, ok := public["fields"].([]any); ok {
		public["fields"] = slices.DeleteFunc(slices.Clone(fields), func(f any) bool { return f == name })
	}
}

// NamesAhead tells whether a value of a record of the audit log names an instant to come that is not among those told.
func NamesAhead(value any, told []time.Time, now time.Time) bool {
	text, err := json.Marshal(value)
	if err != nil {
		return true
	}
	for _, found := range regexp.MustCompile(dates).FindAllString(string(text), -1) {
		at, ok := dateOf(found)
		if ok && at.After(now) && !slices.ContainsFunc(told, func(t time.Time) bool { return t.Equal(at) || len(found) == len(time.DateOnly) && sameDay(t, at) }) {
			return true
		}
	}
	return false
}

// sameDay tells whether an instant may be meant by a day, in whatever zone.
func sameDay(at, day time.Time) bool {
	return !at.IsZero() && at.Sub(day).Abs() <= 48*time.Hour
}
