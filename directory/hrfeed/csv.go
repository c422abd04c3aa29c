package hrfeed

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// csvReader reads RFC 4180 with the separators that spreadsheets write, bounded in every direction. A line whose quotes do not fit
// is wrong by itself: reading goes on with the next one, so that a quote which is never closed takes no other row with it.
type csvReader struct {
	text      string
	separator byte
	at, line  int
	t         *table
	wrong     int // rows
}

// maxWrong is how many unreadable rows make a whole file unreadable.
const maxWrong = 10_000

func readCSV(plain string) (*table, error) {
	if !strings.Contains(plain, "\n") { // an old way to end lines
		plain = strings.ReplaceAll(plain, "\r", "\n")
	}
	r := &csvReader{text: plain, line: 1, t: &table{count: -1}}
	if rest, ok := strings.CutPrefix(plain, "sep="); ok { // how spreadsheets are told the separator
		line, _, _ := strings.Cut(rest, "\n")
		if line = strings.TrimRight(line, "\r"); len(line) == 1 && !strings.ContainsAny(line, "\"\r\n") {
			r.separator = line[0]
			r.skipLine()
		}
	}
	if r.separator == 0 {
		r.separator = separatorOf(plain)
	}
	for r.at < len(r.text) {
		out := r.row()
		if out.wrong != "" {
			if r.wrong++; r.wrong > maxWrong {
				return nil, fmt.Errorf("%w: more than %d rows are no CSV", ErrUnreadable, maxWrong)
			}
		}
		if err := r.t.add(out); err != nil {
			return nil, err
		}
	}
	if n := len(r.t.rows); n > 0 && !strings.HasSuffix(plain, "\n") {
		if last := &r.t.rows[n-1]; last.wrong == "" && len(last.cells) < r.t.width {
			last.wrong, last.cells = "the last line has fewer columns than the others and no end: the file may break off here", nil
		}
	}
	return r.t, nil
}

// skipLine goes to the beginning of the next line.
func (r *csvReader) skipLine() {
	i := strings.IndexByte(r.text[r.at:], '\n')
	if i < 0 {
		r.at = len(r.text)
		return
	}
	r.at += i + 1
	r.line++
}

// row reads one row, which may be of several lines.
func (r *csvReader) row() row {
	out, begin, line := row{line: r.line}, r.at, r.line
	for {
		value, more, wrong := r.cell()
		if wrong == "" && len(out.cells) == maxColumns {
			wrong = fmt.Sprintf("it has more than %d columns", maxColumns)
		}
		if wrong != "" {
			r.at, r.line = begin, line
			r.skipLine()
			return row{line: line, wrong: wrong}
		}
		out.cells = append(out.cells, cell{text: trim(value), sort: text})
		if out.wide = len(out.cells); !more {
			return out
		}
	}
}

// cell reads one cell and what ends it; more says that another one follows in the row.
func (r *csvReader) cell() (value string, more bool, wrong string) {
	from := r.at
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
	if r.at < len(r.text) && r.text[r.at] == '"' {
		return r.quoted()
	}
	end := strings.IndexAny(r.text[from:], string([]byte{r.separator, '\n'}))
	if end < 0 {
		r.at = len(r.text)
		return r.text[from:], false, ""
	}
	r.at = from + end
	value = r.text[from:r.at]
	return value, r.end(), ""
}

// end passes what ends a cell.
func (r *csvReader) end() (more bool) {
	if r.at < len(r.text) {
		if more = r.text[r.at] == r.separator; !more {
			r.line++
		}
		r.at++
	}
	return more
}

func (r *csvReader) quoted() (value string, more bool, wrong string) {
	opened := r.line
	r.at++
	var b strings.Builder
	for {
		rest := r.text[r.at:]
		i := strings.IndexByte(rest[:min(len(rest), maxCell+1)], '"')
		if i < 0 || b.Len() > maxCell {
			return "", false, fmt.Sprintf("a quote that begins in line %d is not closed, or the cell is longer than %d bytes", opened, maxCell)
		}
		b.WriteString(rest[:i])
		r.line += strings.Count(rest[:i], "\n")
		r.at += i + 1
		if r.at < len(r.text) && r.text[r.at] == '"' {
			b.WriteByte('"')
			r.at++
			continue
		}
		break
	}
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\r') {
		r.at++
	}
	if r.at < len(r.text) && r.text[r.at] != r.separator && r.text[r.at] != '\n' {
		return "", false, fmt.Sprintf("a quote is out of place in line %d", r.line)
	}
	return b.String(), r.end(), ""
}

// separatorOf answers what separates the columns of the first line that has any.
func separatorOf(plain string) byte {
	best, most := byte(','), 0
	for n := 0; n < headerRows && plain != "" && most == 0; n++ {
		var line string
		line, plain, _ = strings.Cut(plain, "\n")
		line = line[:min(len(line), 64<<10)]
		quoted := false
		count := map[byte]int{}
		for i := range len(line) {
			if line[i] == '"' {
				quoted = !quoted
			} else if !quoted && line[i] < utf8.RuneSelf {
				count[line[i]]++
			}
		}
		for _, c := range []byte(",;\t|") {
			if count[c] > most {
				best, most = c, count[c]
			}
		}
	}
	return best
}

// add takes a row that says something; the last one may be "#rows,2000", by which a file says how many rows it has.
func (t *table) add(r row) error {
	for len(r.cells) > 0 && r.cells[len(r.cells)-1].text == "" && r.cells[len(r.cells)-1].sort <= text && len(r.cells) > t.width {
		r.cells = r.cells[:len(r.cells)-1]
	}
	if r.check(); r.empty() {
		return nil
	}
	if len(r.cells) > 0 && strings.EqualFold(r.cells[0].text, "#rows") {
		t.count = 0
		if len(r.cells) > 1 {
			if n, err := strconv.Atoi(r.cells[1].text); err == nil {
				t.count = n
			}
		}
		return nil
	}
	t.width = max(t.width, len(r.cells))
	if t.cells += len(r.cells); len(t.rows) >= maxRows || t.cells > maxCells {
		return fmt.Errorf("%w: more than %d rows or %d cells", ErrTooLarge, maxRows, maxCells)
	}
	t.rows = append(t.rows, r)
	return nil
}
