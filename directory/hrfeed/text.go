package hrfeed

import (
	"fmt"
	"strings"
	"time"
)

// Text says a report in words, the counts first.
func (r Report) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
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
		c := r.Counts
		line("%d rows, %d refused; %d people: %d new, %d changed, %d ended, %d deleted, %d unchanged, %d missing; %d units", c.Rows, c.Refused, c.People,
			c.New, c.Changed, c.Ended, c.Deleted, c.Unchanged, c.Absent, c.Units)
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
	for _, l := range r.Losses {
		line("loses %s (%s): %s %s", l.Group, l.Role, l.Name, l.Person)
	}
	return b.String()
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
		out += fmt.Sprintf("%s %s %v → %v", sign, f.Field, f.Before, f.Now)
	}
	return out
}
