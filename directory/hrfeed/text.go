package hrfeed

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Text says a report in words, the counts first.
func (r Report) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintln(&b, printable(fmt.Sprintf(format, args...))) }
	switch {
	case r.Error != "":
		line("refused: %s", r.Error)
	case !r.Again.IsZero():
		line("taken before, at %s: nothing was done", r.Again.Format(time.RFC3339))
	case r.Preview:
		line("preview of a %s file (%s): nothing was written", r.Kind, r.Format)
	default:
		line("%s file taken (%s)", r.Kind, r.Format)
	}
	if r.Mode == "dry_run" && r.Error == "" {
		line("source %s is in its dry run: what the file says is stored, and nothing follows until the source goes live", r.Source)
	}
	if r.Error == "" && r.Again.IsZero() {
		c, without := r.Counts, ""
		if n := c.People - c.New - c.Changed - c.Ended - c.Deleted - c.Unchanged; n > 0 { // all of whose rows were refused, or said nothing
			without = fmt.Sprintf(", %d without effect", n)
		}
		people := fmt.Sprintf("%d people", c.People)
		if c.People == 1 {
			people = "1 person"
		}
		line("%s, %d refused; %s: %d new, %d changed, %d ended, %d deleted, %d unchanged%s; %d missing; %s", several(c.Rows, "row"), c.Refused, people,
			c.New, c.Changed, c.Ended, c.Deleted, c.Unchanged, without, c.Absent, several(c.Units, "unit"))
	}
	for _, part := range []struct {
		word string
		list []Finding
	}{{"refused", r.Refused}, {"note", r.Notes}} {
		for _, f := range part.list {
			line("%s", f.text(part.word))
		}
	}
	if len(r.Unknown) > 0 {
		line("columns nobody knows: %s", strings.Join(r.Unknown, ", "))
	}
	for _, d := range r.People {
		line("%s", d.text())
	}
	for _, h := range r.Held {
		people := several(h.People, "person")
		if h.People != 1 {
			people = fmt.Sprintf("%d people", h.People)
		}
		if h.Hold == "" {
			line("would be held: %s, by %s: %s", people, h.Cause, h.Reason)
		} else {
			line("held: %s, by %s: %s; they keep what they have until somebody decides: rollcall hold show %s", people, h.Cause, h.Reason, h.Hold)
		}
	}
	for _, part := range []struct {
		word string
		list []Loss
	}{{"loses", r.Losses}, {"gets", r.Gains}} {
		for _, l := range part.list {
			at := ""
			if !l.At.IsZero() {
				at = " at " + l.At.UTC().Format(time.RFC3339)
			}
			line("%s %s (%s)%s: %s %s", part.word, l.Group, l.Role, at, l.Name, l.Person)
		}
	}
	return b.String()
}

// several counts things.
func several(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (f Finding) text(word string) string {
	out := word
	switch {
	case f.Row > 0:
		out += fmt.Sprintf(" row %d, line %d", f.Row, f.Line)
	case f.Line > 0:
		out += fmt.Sprintf(" line %d", f.Line)
	}
	if f.Column != "" {
		out += ", " + f.Column
	}
	if f.Key != "" {
		out += ", " + f.Key
	}
	out += ": " + f.Text
	if f.Value != "" {
		out += fmt.Sprintf(" (%q)", f.Value)
	}
	return out
}

func (d Diff) text() string {
	out := fmt.Sprintf("%s %s %s", d.Outcome, d.Key, d.Name)
	for i, f := range d.Fields {
		sign := ";"
		if i == 0 {
			sign = ":"
		}
		out += fmt.Sprintf("%s %s %s → %s", sign, f.Field, inWords(f.Before), inWords(f.Now))
	}
	return out
}

// inWords says a value of a record, as it is here or as JSON carried it.
func inWords(v any) string {
	raw, err := json.Marshal(v)
	var plain any
	if err != nil || json.Unmarshal(raw, &plain) != nil {
		return "?"
	}
	return sayValue(plain)
}

func sayValue(v any) string {
	var parts []string
	separator := ", "
	switch v := v.(type) {
	case nil:
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []any:
		separator = "; "
		for _, one := range v {
			parts = append(parts, sayValue(one))
		}
	case map[string]any:
		if at, planned := v["at"].(string); planned && v["set"] != nil {
			return "from " + at + " " + sayValue(v["set"])
		}
		if value, is := v["value"].(string); is {
			return value
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+" "+sayValue(v[name]))
		}
	default:
		parts = append(parts, fmt.Sprint(v))
	}
	return cmp.Or(strings.Join(parts, separator), "nothing")
}

// printable takes out what moves the cursor, colours the screen or turns letters round: a name may hold anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
}
