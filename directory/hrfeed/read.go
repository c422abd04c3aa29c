package hrfeed

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// sort of a cell.
type sort uint8

const (
	missing sort = iota // the row has no such cell: nothing is said
	text
	number  // of a workbook or of JSON: what it looked like is lost
	null    // of JSON: nothing, said on purpose
	formula // of a workbook, without a value
	broken  // of a workbook: #N/A
	truth   // of JSON: true or false
)

// cell is one value as the file has it.
type cell struct {
	text string
	sort sort
	// serial: a number that may be a day of a workbook; epoch1904 says since when it counts, dated that it is shown as one.
	serial, epoch1904, dated bool
}

// row is one row as the file has it. wrong says why it could not be read.
type row struct {
	line  int
	n     int    // of JSON: the first is 1
	wide  int    // columns of CSV that stand in the file, also where nothing stands in them
	cells []cell // by column
	wrong string
}

// table is a file as rows. The header stands among the rows of CSV and workbooks; JSON names its columns itself.
type table struct {
	format  string
	columns []string // of JSON
	rows    []row
	kind    Kind // as the content declares
	count   int  // of rows, as the content declares; -1: it does not
	width   int  // of the widest row so far
	cells   int  // of all rows
}

// read reads a file. What is wrong with one row stands in the row; an error is about the whole file.
func read(f File, sheet string) (*table, error) {
	data := f.Data
	switch {
	case len(data) > MaxFile:
		return nil, fmt.Errorf("%w: %d bytes, and %d are the most", ErrTooLarge, len(data), MaxFile)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return readWorkbook(data, sheet)
	case readableName(f.Name) != nil:
		return nil, readableName(f.Name)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return nil, fmt.Errorf("%w: it is an old .xls workbook or one with a password; save it as .xlsx without a password, or as CSV", ErrUnreadable)
	}
	plain, encoding, err := decode(data, f.Encoding)
	if err != nil {
		return nil, err
	}
	if start := strings.TrimLeft(plain[:min(len(plain), 512)], " \t\r\n"); strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[") {
		if encoding != "utf-8" {
			return nil, fmt.Errorf("%w: JSON is UTF-8 (RFC 8259 section 8.1)", ErrUnreadable)
		}
		return readJSON(plain)
	}
	t, err := readCSV(plain)
	if err != nil {
		return nil, err
	}
	t.format = "csv " + encoding
	return t, nil
}

// check refuses what no row may hold.
func (r *row) check() {
	if r.wrong != "" {
		return
	}
	if len(r.cells) > maxColumns {
		r.wrong, r.cells = fmt.Sprintf("it has %d columns, and %d are the most", len(r.cells), maxColumns), nil
		return
	}
	for i, c := range r.cells {
		switch {
		case len(c.text) > maxCell:
			r.wrong, r.cells = fmt.Sprintf("column %d holds %d bytes, and %d are the most", i+1, len(c.text), maxCell), nil
			return
		case !utf8.ValidString(c.text):
			r.wrong = fmt.Sprintf("column %d is not UTF-8 text", i+1)
		case strings.ContainsRune(c.text, utf8.RuneError):
			r.wrong = fmt.Sprintf("column %d holds characters that the encoding of the file does not have", i+1)
		case strings.ContainsRune(c.text, 0):
			r.wrong = fmt.Sprintf("column %d holds a NUL character", i+1)
		}
	}
}

// empty tells whether the row says nothing.
func (r *row) empty() bool {
	for _, c := range r.cells {
		if c.text != "" || c.sort > number {
			return false
		}
	}
	return r.wrong == ""
}

// trim takes away what nobody sees: spaces of all widths, and marks.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		switch r {
		case ' ', '\t', '\r', '\n', '\u00a0', '\u3000', '\ufeff', '\u200b', '\u200e', '\u200f', '\u202a', '\u202c':
			return true
		}
		return false
	})
}
