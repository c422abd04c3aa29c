package policies

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

var (
	unknownField = regexp.MustCompile(`undefined field '([^']*)'`)
	unknownName  = regexp.MustCompile(`undeclared reference to '([^']*)'`)
)

// hintAt answers what to do about a message of the expression compiler at its place, "" where that is not known.
func hintAt(expression string, f *fault) string {
	m := unknownField.FindStringSubmatch(f.message)
	if m == nil {
		return hintFor(f.message)
	}
	lines := strings.Split(expression, "\n")
	before := []rune(lines[min(f.line, len(lines))-1])
	of := strings.TrimRight(string(before[:min(f.column, len(before))]), " \t")
	switch {
	case strings.HasSuffix(of, "person"):
		return nearest(m[1], vocabulary(reflect.TypeFor[person]()))
	case strings.HasSuffix(of, "unit"):
		return nearest(m[1], vocabulary(reflect.TypeFor[unit]()))
	}
	return nearest(m[1], vocabulary(reflect.TypeFor[affiliation]()))
}

// hintFor is hintAt of a message whose place does not matter.
func hintFor(message string) string {
	if m := unknownName.FindStringSubmatch(message); m != nil {
		return nearest(m[1], []string{"person", "unit", "within", "reports_to", "after", "before", "date", "days"})
	}
	switch {
	case strings.Contains(message, "within quotes"):
		return `a parameter is a text of its own: ${key} + "/leads"`
	case strings.Contains(message, "overload for '@in'"):
		return `a text is looked for in a list of texts: "okta/leads" in person.groups; within and reports_to want one text`
	case strings.Contains(message, "overload for '@reached'"):
		return `after and before want an instant: after(date("2026-04-01")), before(person.start + days(90))`
	case strings.Contains(message, "overload for '@date'"):
		return wantsDate
	case strings.Contains(message, "overload for 'days'"):
		return "days wants a whole number, as in days(90)"
	case strings.Contains(message, "no matching overload"):
		return "the two sides are of different kinds: a text, a list, an instant or a number"
	case strings.Contains(message, "larger than") || strings.Contains(message, "size"):
		return "divide it into several rules"
	case strings.Contains(message, "token recognition error") || strings.Contains(message, "mismatched input") || strings.Contains(message, "extraneous input"):
		return `texts stand in quotes, conditions are joined by && and ||`
	}
	return ""
}

func vocabulary(types ...reflect.Type) []string {
	var out []string
	for _, t := range types {
		for i := range t.NumField() {
			out = append(out, t.Field(i).Tag.Get("cel"))
		}
	}
	return out
}

// nearest answers a hint that names what was probably meant, else all there is.
func nearest(word string, known []string) string {
	if best := DidYouMean(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return ""
	}
	return "known: " + strings.Join(known, ", ")
}

// DidYouMean answers which of some words was probably meant by another one that is none of them: the one that the fewest slips of the hand are away, of several the first; "" where none is near.
func DidYouMean(word string, known []string) string {
	best, distance := "", 3
	if len([]rune(word)) < 5 {
		distance = 2
	}
	for _, k := range known {
		if d := edits([]rune(strings.ToLower(word)), []rune(strings.ToLower(k)), distance); d < distance && d < len([]rune(word)) {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the slips between a and b: a letter too many, too few, another one, or two the wrong way round. From most on it may answer less than there are.
func edits(a, b []rune, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range b {
			cost := above[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
