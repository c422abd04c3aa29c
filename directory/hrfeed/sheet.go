package hrfeed

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readSheet reads the rows of a sheet.
func (w *workbook) readSheet(part string) error {
	d, c, err := w.part(part)
	if err != nil {
		return err
	}
	if d == nil {
		return fmt.Errorf("%w: the workbook lacks its sheet", ErrTruncated)
	}
	defer c.Close()
	line, rows := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return fmt.Errorf("%w: the sheet breaks off", ErrTruncated)
		}
		if err != nil {
			return err
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "sheetData" {
			return nil
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		if rows++; rows > maxRows {
			return fmt.Errorf("%w: more than %d rows", ErrTooLarge, maxRows)
		}
		line++
		for _, a := range start.Attr {
			if n, err := strconv.Atoi(a.Value); a.Name.Local == "r" && err == nil && n >= line {
				line = n
			}
		}
		out := row{line: line}
		if err := w.readRow(d, &out); err != nil {
			return err
		}
		if err := w.t.add(out); err != nil {
			return err
		}
	}
}

func (w *workbook) readRow(d *xml.Decoder, out *row) error {
	next, cells := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		if end, ok := token.(xml.EndElement); ok && end.Name.Local == "row" {
			return nil
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "c" {
			continue
		}
		if cells++; cells > 1<<14 { // as many as a workbook can have
			return fmt.Errorf("%w: row %d has more than %d cells", ErrTooLarge, out.line, 1<<14)
		}
		value, at, err := w.readCell(d, start)
		if err != nil {
			return err
		}
		if at < 0 {
			at = next
		}
		if next = at + 1; at >= maxColumns {
			if value.text != "" {
				out.wrong = fmt.Sprintf("it has more than %d columns", maxColumns)
			}
			continue
		}
		for len(out.cells) <= at {
			out.cells = append(out.cells, cell{sort: text})
		}
		out.cells[at] = value
	}
}

// readCell answers a cell and its column; -1 where it does not say which.
func (w *workbook) readCell(d *xml.Decoder, start xml.StartElement) (cell, int, error) {
	at, kind, style := -1, "", 0
	for _, a := range start.Attr {
		switch a.Name.Local {
		case "r":
			at = columnOf(a.Value)
		case "t":
			kind = a.Value
		case "s":
			style, _ = strconv.Atoi(a.Value)
		}
	}
	if kind == "inlineStr" {
		value, err := plainText(d)
		return cell{text: trim(value), sort: text}, at, err
	}
	value, run := "", false
	for {
		token, err := d.Token()
		if err != nil {
			return cell{}, 0, err
		}
		switch e := token.(type) {
		case xml.EndElement:
			if e.Name.Local == "c" {
				return w.valueOf(trim(value), kind, style, run), at, nil
			}
		case xml.StartElement:
			switch e.Name.Local {
			case "v":
				if value, err = innerText(d); err != nil {
					return cell{}, 0, err
				}
			case "f":
				run = true
				if _, err := innerText(d); err != nil {
					return cell{}, 0, err
				}
			}
		}
	}
}

// innerText reads the characters up to the end of an element, bounded.
func innerText(d *xml.Decoder) (string, error) {
	var out strings.Builder
	for depth := 1; depth > 0; {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if out.Len() <= maxCell {
				out.Write(e)
			}
		}
	}
	return out.String(), nil
}

func (w *workbook) valueOf(value, kind string, style int, run bool) cell {
	switch kind {
	case "s":
		if i, err := strconv.Atoi(value); err == nil && i >= 0 && i < len(w.strings) {
			return cell{text: trim(w.strings[i]), sort: text}
		}
		return cell{text: value, sort: broken}
	case "str", "d":
		return cell{text: value, sort: text}
	case "b":
		return cell{text: map[string]string{"1": "true", "0": "false"}[value], sort: text}
	case "e":
		return cell{text: value, sort: broken}
	}
	if value == "" {
		if run {
			return cell{sort: formula}
		}
		return cell{sort: text}
	}
	f := format{}
	if style >= 0 && style < len(w.formats) {
		f = w.formats[style]
	}
	if f.pad > 0 && len(value) <= f.pad && strings.Trim(value, "0123456789") == "" {
		return cell{text: strings.Repeat("0", f.pad-len(value)) + value, sort: text}
	}
	return cell{text: value, sort: number, serial: true, epoch1904: w.epoch1904, dated: f.date}
}

// columnOf reads the letters of "AB12"; -1 where there are none.
func columnOf(ref string) int {
	n := 0
	for i := 0; i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z' && n < 1<<20; i++ {
		n = n*26 + int(ref[i]-'A') + 1
	}
	return n - 1
}
