package hrfeed

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonReader gathers the rows of a JSON file; columns are named as they come.
type jsonReader struct {
	t      *table
	at     map[string]int // column by name
	plain  string
	line   int // at offset
	offset int
}

// readJSON reads {"kind": "delta", "rows": [{…}]}, a bare array of rows, or one object per line, of which the first may be
// {"kind": "delta"}. A file that breaks off is refused whole.
func readJSON(plain string) (*table, error) {
	r := &jsonReader{t: &table{format: "json", count: -1}, at: map[string]int{}, plain: plain, line: 1}
	d := json.NewDecoder(strings.NewReader(plain))
	var err error
	if strings.HasPrefix(strings.TrimLeft(plain, " \t\r\n"), "[") {
		if err = r.array(d); err == nil {
			err = r.end(d)
		}
	} else {
		err = r.objects(d)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the JSON ends in line %d before it is complete", ErrTruncated, strings.Count(plain, "\n")+1)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%w: JSON, line %d: %s", ErrUnreadable, r.lineAt(int(syntax.Offset)), syntax.Error())
	}
	if err != nil {
		return nil, err
	}
	for i := range r.t.rows {
		r.t.rows[i].check()
	}
	return r.t, nil
}

// lineAt answers the line of an offset; offsets are asked for in rising order but for errors.
func (r *jsonReader) lineAt(offset int) int {
	offset = min(max(offset, 0), len(r.plain))
	if offset < r.offset {
		return 1 + strings.Count(r.plain[:offset], "\n")
	}
	r.line += strings.Count(r.plain[r.offset:offset], "\n")
	r.offset = offset
	return r.line
}

func (r *jsonReader) end(d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the rows in line %d", ErrUnreadable, r.lineAt(int(d.InputOffset())))
	}
	return nil
}

// array reads rows up to the closing bracket.
func (r *jsonReader) array(d *json.Decoder) error {
	if open, err := d.Token(); err != nil {
		return err
	} else if open != json.Delim('[') {
		return fmt.Errorf(`%w: "rows" is not an array`, ErrUnreadable)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := r.add(raw, r.lineAt(int(d.InputOffset())-len(raw))); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// objects reads an envelope, or one row per line.
func (r *jsonReader) objects(d *json.Decoder) error {
	first := true
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == io.EOF && !first {
			return nil
		}
		if err != nil {
			return err
		}
		line := r.lineAt(int(d.InputOffset()) - len(raw))
		if first {
			first = false
			is, err := r.envelope(raw)
			if err != nil || is == whole {
				if err == nil {
					err = r.end(d)
				}
				return err
			}
			if is == heading {
				continue
			}
		}
		if err := r.add(raw, line); err != nil {
			return err
		}
	}
}

// What the first object is.
const (
	aRow = iota
	heading
	whole
)

// envelope reads kind, count and rows. Its lines are counted from the beginning of the file, where it stands.
func (r *jsonReader) envelope(raw json.RawMessage) (int, error) {
	e, twice := members(raw)
	if e == nil {
		return aRow, nil
	}
	rows, hasRows := e["rows"]
	kind, hasKind := e["kind"]
	if !hasRows && !hasKind {
		return aRow, nil
	}
	for name := range e {
		switch name {
		case "rows", "kind", "count", "source", "created_at":
		default:
			if !hasRows {
				return aRow, nil // a row that has a column named kind
			}
			return aRow, fmt.Errorf("%w: %q is not one of kind, rows, count, source, created_at", ErrUnreadable, cutText(name))
		}
	}
	if twice != "" {
		return aRow, fmt.Errorf("%w: %q stands twice", ErrUnreadable, cutText(twice))
	}
	if hasKind && json.Unmarshal(kind, &r.t.kind) != nil {
		return aRow, fmt.Errorf(`%w: "kind" is "full" or "delta"`, ErrUnreadable)
	}
	if count, ok := e["count"]; ok && json.Unmarshal(count, &r.t.count) != nil {
		return aRow, fmt.Errorf(`%w: "count" is the number of rows`, ErrUnreadable)
	}
	if !hasRows {
		return heading, nil
	}
	d := json.NewDecoder(bytes.NewReader(rows))
	start := strings.Index(r.plain, string(rows[:min(len(rows), 4<<10)]))
	r.line, r.offset = 1, 0
	base := r.lineAt(max(start, 0))
	inner := &jsonReader{t: r.t, at: r.at, plain: string(rows), line: base}
	return whole, inner.array(d)
}

// add takes one row.
func (r *jsonReader) add(raw json.RawMessage, line int) error {
	if len(r.t.rows) >= maxRows {
		return fmt.Errorf("%w: more than %d rows", ErrTooLarge, maxRows)
	}
	out := row{line: line, n: len(r.t.rows) + 1}
	values, twice := members(raw)
	for _, name := range []string{"labels", "label"} {
		labels, again := members(values[name])
		if labels != nil {
			delete(values, name)
		}
		for label, value := range labels {
			if label = labelPrefix + label; values[label] != nil {
				again = label
			}
			values[label] = value
		}
		twice = cmp.Or(twice, again)
	}
	switch {
	case values == nil:
		out.wrong = "it is not an object"
	case twice != "":
		out.wrong = fmt.Sprintf("%q stands twice in it", cutText(twice))
	}
	if out.wrong != "" {
		r.t.rows = append(r.t.rows, out)
		return nil
	}
	for name, value := range values {
		if err := r.put(&out, name, value); err != nil {
			return err
		}
	}
	if r.t.cells += len(out.cells); r.t.cells > maxCells {
		return fmt.Errorf("%w: more than %d cells", ErrTooLarge, maxCells)
	}
	r.t.rows = append(r.t.rows, out)
	return nil
}

func (r *jsonReader) put(out *row, name string, value json.RawMessage) error {
	i, ok := r.at[name]
	if !ok {
		if i = len(r.t.columns); i >= maxColumns {
			return fmt.Errorf("%w: more than %d columns", ErrTooLarge, maxColumns)
		}
		r.at[name] = i
		r.t.columns = append(r.t.columns, name)
	}
	for len(out.cells) <= i {
		out.cells = append(out.cells, cell{})
	}
	switch first := value[0]; {
	case first == '"':
		var v string
		if err := json.Unmarshal(value, &v); err != nil {
			return err
		}
		out.cells[i] = cell{text: trim(v), sort: text}
	case first == 'n':
		out.cells[i] = cell{sort: null}
	case first == 't' || first == 'f':
		out.cells[i] = cell{text: string(value), sort: truth}
	case first == '-' || first >= '0' && first <= '9':
		out.cells[i] = cell{text: string(value), sort: number}
	default:
		out.wrong = fmt.Sprintf("%q is neither a text nor a number", cutText(name))
	}
	return nil
}

// members answers what an object holds, as it stands there: what is no text or number is not unpacked; nil for what is no object. twice is
// a name that it has more than once, of which nobody can say which counts.
func members(raw json.RawMessage) (values map[string]json.RawMessage, twice string) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, ""
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, ""
	}
	values = map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil, ""
		}
		key := name.(string)
		if _, seen := values[key]; seen {
			twice = cmp.Or(twice, key)
		}
		values[key] = value
	}
	return values, twice
}

// cutText bounds what of a file stands in a message.
func cutText(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
