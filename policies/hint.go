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

// hintFor answers what to do about a message of the expression compiler, "" where that is not known.
func hintFor(message string) string {
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return nearest(m[1], vocabulary(reflect.TypeFor[person](), reflect.TypeFor[unit](), reflect.TypeFor[affiliation]()))
	}
	if m := unknownName.FindStringSubmatch(message); m != nil {
		return nearest(m[1], []string{"person", "unit", "within", "reports_to", "after", "before", "date", "days"})
	}
	switch {
	case strings.Contains(message, "within quotes"):
		return `a parameter is a text of its own: ${key} + "/leads"`
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
	best, distance := "", 3
	for _, k := range known {
		if d := edits(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known: " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance of a and b, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost++
			}
			previous = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
