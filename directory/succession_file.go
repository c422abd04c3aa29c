package directory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// SuccessionError is a mistake in what is declared of units. It is an ErrInvalid.
type SuccessionError struct {
	File    string
	Line    int
	Message string
}

// Error implements error: "file:line: message".
func (e *SuccessionError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Unwrap answers ErrInvalid.
func (e *SuccessionError) Unwrap() error { return ErrInvalid }

// SuccessionFile is a file that declares what becomes of units.
type SuccessionFile struct {
	Source string    // name of the source; a CSV file names none
	At     time.Time // effective; a CSV file has none
	List   []Succession
}

// ReadSuccessions reads a YAML file, or a CSV file where its name ends in .csv, whose columns are kind, old and new, with a row for each
// unit that was and unit that is. A mistake is a *SuccessionError.
func ReadSuccessions(name, text string) (SuccessionFile, error) {
	read := readSuccessionYAML
	if strings.EqualFold(path.Ext(name), ".csv") {
		read = readSuccessionCSV
	}
	f, err := read(text)
	var wrong *SuccessionError
	if errors.As(err, &wrong) {
		wrong.File = name
	}
	return f, err
}

func wrongLine(line int, format string, args ...any) error {
	return &SuccessionError{Line: line, Message: fmt.Sprintf(format, args...)}
}

func readSuccessionCSV(text string) (f SuccessionFile, err error) {
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	in.FieldsPerRecord, in.TrimLeadingSpace, in.Comment = -1, true, '#'
	for first := true; ; first = false {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			if len(f.List) == 0 {
				err = wrongLine(1, "no unit is named")
			} else {
				err = nil
			}
			return f, err
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return f, wrongLine(parse.Line, "%v", parse.Err)
		} else if err != nil {
			return f, err
		}
		line, _ := in.FieldPos(0)
		if first {
			if len(row) != 3 || strings.TrimSpace(row[0]) != "kind" || strings.TrimSpace(row[1]) != "old" || strings.TrimSpace(row[2]) != "new" {
				return f, wrongLine(line, "the columns are kind,old,new")
			}
			continue
		}
		if len(row) != 3 {
			return f, wrongLine(line, "%d columns instead of kind,old,new", len(row))
		}
		kind := SuccessionKind(strings.TrimSpace(row[0]))
		if kind != Renumber && kind != Split && kind != Merge {
			return f, wrongLine(line, "kind %q is none of renumber, split, merge", kind)
		}
		f.List = append(f.List, Succession{Kind: kind, Old: strings.TrimSpace(row[1]), New: strings.TrimSpace(row[2]), Line: line})
	}
}

func readSuccessionYAML(text string) (f SuccessionFile, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return f, wrongLine(1, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return f, wrongLine(1, "the file holds source, effective and units")
	}
	top := doc.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		switch key.Value {
		case "source":
			f.Source = value.Value
		case "effective":
			if f.At, err = time.Parse(time.RFC3339, value.Value); err != nil {
				return f, wrongLine(value.Line, "effective %q is no instant such as 2027-01-01T00:00:00+08:00", value.Value)
			}
		case "units":
			for _, one := range value.Content {
				list, err := succession(one)
				if err != nil {
					return f, err
				}
				f.List = append(f.List, list...)
			}
		default:
			return f, wrongLine(key.Line, "%q is none of source, effective, units", key.Value)
		}
	}
	if len(f.List) == 0 {
		return f, wrongLine(top.Line, "no unit is named")
	}
	return f, nil
}

// succession reads one item of units.
func succession(n *yaml.Node) (out []Succession, err error) {
	var kind SuccessionKind
	var old, now []string
	if n.Kind != yaml.MappingNode {
		return nil, wrongLine(n.Line, "a unit is {renumber, split or merge: …, to: …}")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		var list []string
		for _, v := range append([]*yaml.Node{value}, value.Content...) {
			if v.Kind == yaml.ScalarNode {
				list = append(list, v.Value)
			}
		}
		switch named := SuccessionKind(key.Value); {
		case key.Value == "to":
			now = list
		case named != Renumber && named != Split && named != Merge:
			return nil, wrongLine(key.Line, "%q is none of renumber, split, merge, to", key.Value)
		case kind != "":
			return nil, wrongLine(key.Line, "%s and %s: one of them", kind, named)
		default:
			kind, old = named, list
		}
	}
	switch {
	case kind == "" || len(old) == 0 || len(now) == 0:
		return nil, wrongLine(n.Line, "a unit is {renumber, split or merge: …, to: …}")
	case kind != Merge && len(old) > 1:
		return nil, wrongLine(n.Line, "a %s is of one unit; several that become one are a merge", kind)
	case kind != Split && len(now) > 1:
		return nil, wrongLine(n.Line, "%s has two successors: %s; one that becomes several is a split", old[0], strings.Join(now, ", "))
	case kind == Split && len(now) < 2:
		return nil, wrongLine(n.Line, "a split has two successors or more; one is a renumber")
	case kind == Merge && len(old) < 2:
		return nil, wrongLine(n.Line, "a merge is of two units or more; of one it is a renumber")
	}
	for _, was := range old {
		for _, is := range now {
			out = append(out, Succession{Kind: kind, Old: was, New: is, Line: n.Line})
		}
	}
	return out, nil
}

// checkSuccessions refuses what cannot be meant, beside what stands.
func checkSuccessions(list, standing []Succession, known func(key string) bool) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: no unit is named", ErrInvalid)
	}
	olds, news := map[string]Succession{}, map[string]Succession{}
	next := map[string][]string{}
	for _, s := range standing {
		olds[s.Old], news[s.New] = s, s
		next[s.Old] = append(next[s.Old], s.New)
	}
	pairs := map[[2]string]bool{}
	for _, s := range list {
		if err := storable("key", s.Old+s.New); err != nil || s.Old == "" || s.New == "" {
			return wrongLine(s.Line, "a key is empty or cannot be stored")
		}
		if !known(s.Old) {
			return wrongLine(s.Line, "unit %q is not known in this source", s.Old)
		}
		if pair := [2]string{s.Old, s.New}; pairs[pair] {
			return wrongLine(s.Line, "%s to %s stands twice", s.Old, s.New)
		} else {
			pairs[pair] = true
		}
		if s.Old == s.New {
			if s.Kind == Renumber {
				return wrongLine(s.Line, "%s to itself", s.Old)
			}
			continue // a part keeps the key
		}
		if was, taken := olds[s.Old]; taken && (s.Kind != Split || was.Kind != Split || was.Line == 0) {
			return wrongLine(s.Line, "%s has a successor already: %s%s", s.Old, was.New, where(was))
		}
		if was, taken := news[s.New]; taken && (s.Kind != Merge || was.Kind != Merge) {
			return wrongLine(s.Line, "%s succeeds %s already%s; several that become one are a merge", s.New, was.Old, where(was))
		}
		if reaches(next, s.New, s.Old) {
			return wrongLine(s.Line, "%s to %s closes a circle", s.Old, s.New)
		}
		olds[s.Old], news[s.New] = s, s
		next[s.Old] = append(next[s.Old], s.New)
	}
	return nil
}

// where says where a succession stands.
func where(s Succession) string {
	if s.Line > 0 {
		return fmt.Sprintf(" (line %d)", s.Line)
	}
	return fmt.Sprintf(" (declared, %s)", s.ID)
}

func reaches(next map[string][]string, from, to string) bool {
	seen := map[string]bool{}
	for queue := []string{from}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		if at == to {
			return true
		}
		if !seen[at] {
			seen[at] = true
			queue = append(queue, next[at]...)
		}
	}
	return false
}
