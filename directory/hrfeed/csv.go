package hrfeed

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readCSV reads RFC 4180 with the separators that spreadsheets write. A row with a stray quote is wrong by itself; a quote that
// is never closed takes the rest of the file with it, and says so.
func readCSV(plain string) (*table, error) {
	if !strings.Contains(plain, "\n") { // an old way to end lines
		plain = strings.ReplaceAll(plain, "\r", "\n")
	}
	t := &table{count: -1}
	offset := 0 // of lines, for a first line that only names the separator
	separator := rune(0)
	if rest, ok := strings.CutPrefix(plain, "sep="); ok {
		line, after, _ := strings.Cut(rest, "\n")
		if line = strings.TrimRight(line, "\r"); len(line) == 1 {
			separator, plain, offset = rune(line[0]), after, 1
		}
	}
	if separator == 0 {
		separator = separatorOf(plain)
	}
	if strings.ContainsRune("\"\r\n", separator) {
		return nil, fmt.Errorf("%w: %q separates nothing", ErrUnreadable, separator)
	}
	r := csv.NewReader(strings.NewReader(plain))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = separator, -1, true
	for {
		record, err := r.Read()
		if err == io.EOF {
			return t, nil
		}
		if len(t.rows) >= maxRows {
			return nil, fmt.Errorf("%w: more than %d rows", ErrTooLarge, maxRows)
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			t.rows = append(t.rows, row{line: wrong.StartLine + offset, wrong: quoting(wrong, offset)})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		line, _ := r.FieldPos(0)
		out := row{line: line + offset, cells: make([]cell, len(record))}
		for i, value := range record {
			if value = trim(value); value != "" {
				out.cells[i] = cell{text: strings.Clone(value), sort: text}
			} else {
				out.cells[i].sort = text
			}
		}
		if t.trailer(out) {
			continue
		}
		if out.check(); !out.empty() {
			t.rows = append(t.rows, out)
		}
	}
}

func quoting(e *csv.ParseError, offset int) string {
	if e.Line > e.StartLine+100 {
		return fmt.Sprintf("a quote that begins here is not closed until line %d", e.Line+offset)
	}
	return fmt.Sprintf("a quote is out of place in line %d", e.Line+offset)
}

// separatorOf answers what separates the columns of the first line that has any.
func separatorOf(plain string) rune {
	best, most := ',', 0
	for n := 0; n < 10 && plain != "" && most == 0; n++ {
		var line string
		line, plain, _ = strings.Cut(plain, "\n")
		quoted := false
		count := map[rune]int{}
		for _, c := range line[:min(len(line), 64<<10)] {
			if c == '"' {
				quoted = !quoted
			} else if !quoted {
				count[c]++
			}
		}
		for _, c := range []rune{',', ';', '\t', '|'} {
			if count[c] > most {
				best, most = c, count[c]
			}
		}
	}
	return best
}

// trailer takes a last line "#rows,2000", by which a file says how many rows it has.
func (t *table) trailer(r row) bool {
	if len(r.cells) == 0 || !strings.EqualFold(r.cells[0].text, "#rows") {
		return false
	}
	t.count = 0
	if len(r.cells) > 1 {
		if n, err := strconv.Atoi(r.cells[1].text); err == nil {
			t.count = n
		}
	}
	return true
}
