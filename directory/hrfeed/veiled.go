package hrfeed

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// aheadFields are what a record says of a day that may lie ahead.
func aheadFields() []string {
	return []string{"end_at", "leave_from", "leave_until", "planned", "disclose_at", "raw"}
}

// tellsAhead tells whether a finding of this code, or that there is none, says whether something is to come of somebody.
func tellsAhead(code string) bool {
	return slices.Contains([]string{"after_end", "nothing_planned", "end_before_start", "leave_turned", "not_on_leave"}, code)
}

// quiet tells whether nothing of somebody changes but what may lie ahead.
func (d Diff) quiet() bool {
	return !d.back && !slices.ContainsFunc(d.Fields, func(c Change) bool { return !slices.Contains(aheadFields(), c.Field) })
}

// veiled is a report for whoever may not see what is to come: it says and counts what happens at once, whether or not anything is planned. A row
// about a day ahead and one that says nothing new look alike.
func (r Report) veiled(now time.Time) Report {
	finding := func(list []Finding) []Finding { return veiledFindings(list, now) }
	r.Notes = finding(r.Notes)
	before := len(r.Refused)
	r.Refused = finding(r.Refused)
	r.Counts.Refused -= before - len(r.Refused)
	people := make([]Diff, 0, len(r.People))
	for _, d := range r.People {
		d.Fields = slices.DeleteFunc(slices.Clone(d.Fields), func(c Change) bool { return slices.Contains(aheadFields(), c.Field) })
		if d.Outcome == "changed" && len(d.Fields) == 0 {
			if !d.back {
				continue
			}
			d.Outcome = "back"
		}
		people = append(people, d)
	}
	r.People = people
	c := &r.Counts
	c.Changed -= r.quiet
	c.Unchanged = max(c.People-c.New-c.Changed-c.Ended-c.Deleted, 0)
	r.Losses, r.Gains, r.Held = atOnce(r.Losses), atOnce(r.Gains), nil // what is held may be for a day ahead
	return r
}

// veiledFindings answers findings without those that tell what is to come, nor days ahead in the others.
func veiledFindings(list []Finding, now time.Time) []Finding {
	out := make([]Finding, 0, len(list))
	for _, f := range list {
		if !tellsAhead(f.Code) {
			f.Value, f.Text = "", directory.MaskAhead(f.Text, now)
			out = append(out, f)
		}
	}
	return out
}

// atOnce leaves out what begins or ends on a day ahead.
func atOnce(list []Loss) []Loss {
	return slices.DeleteFunc(slices.Clone(list), func(l Loss) bool { return !l.At.IsZero() })
}
