package hrfeed

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// workbook reads one sheet of an .xlsx file (ISO/IEC 29500-1): values alone. Formulas are not run: what they had when the file
// was saved counts. What is unpacked is bounded, whatever the archive claims.
type workbook struct {
	files     map[string]*zip.File
	left      int64 // bytes that may still be unpacked
	strings   []string
	formats   []format // by cell style
	epoch1904 bool
	t         *table
}

// format is what matters of how a number is shown.
type format struct {
	date bool
	pad  int // "00000" shows five digits
}

func readWorkbook(data []byte, sheet string) (*table, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: the workbook is damaged or breaks off", ErrTruncated)
	}
	if len(archive.File) > 2000 {
		return nil, fmt.Errorf("%w: the workbook has %d parts", ErrTooLarge, len(archive.File))
	}
	w := &workbook{files: map[string]*zip.File{}, left: maxUnpack, t: &table{format: "xlsx", count: -1}}
	for _, f := range archive.File {
		w.files[strings.TrimPrefix(f.Name, "/")] = f
	}
	part, err := w.find(sheet)
	if err != nil {
		return nil, w.damaged(err)
	}
	for _, step := range []func() error{w.readStrings, w.readStyles, func() error { return w.readSheet(part) }} {
		if err := step(); err != nil {
			return nil, w.damaged(err)
		}
	}
	return w.t, nil
}

// damaged turns what the archive or the XML says into one of our errors.
func (w *workbook) damaged(err error) error {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrTruncated) {
		return err
	}
	return fmt.Errorf("%w: the workbook is damaged: %w", ErrUnreadable, err)
}

// bounded ends with an error, not with the end of the part, where too much is unpacked, or comes without a tag: XML is
// read a token at a time, and a token has no bound of its own.
type bounded struct {
	io.ReadCloser
	left *int64
	run  int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if *b.left -= int64(n); *b.left < 0 {
		return 0, fmt.Errorf("%w: the workbook unpacks to more than %d bytes", ErrTooLarge, maxUnpack)
	}
	if b.run += int64(n); n > 0 {
		if i := bytes.LastIndexAny(p[:n], "<>"); i >= 0 {
			b.run = int64(n - i)
		}
	}
	if b.run > maxRun {
		return 0, fmt.Errorf("%w: the workbook holds a text of more than %d bytes", ErrTooLarge, maxRun)
	}
	return n, err
}

// part opens a part; nil where there is none of the name.
func (w *workbook) part(name string) (*xml.Decoder, io.Closer, error) {
	f := w.files[strings.TrimPrefix(name, "/")]
	if f == nil {
		return nil, nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, nil, err
	}
	d := xml.NewDecoder(&bounded{ReadCloser: r, left: &w.left})
	d.Strict = true
	return d, r, nil
}

// decode reads a small part as a whole.
func (w *workbook) decode(name string, into any) error {
	if f := w.files[name]; f != nil && f.UncompressedSize64 > maxPart { // what it claims is what archive/zip unpacks at most
		return fmt.Errorf("%w: the workbook has a part of %d bytes", ErrTooLarge, f.UncompressedSize64)
	}
	d, c, err := w.part(name)
	if err != nil || d == nil {
		return err
	}
	defer c.Close()
	return d.Decode(into)
}

// find answers the part of the sheet that is called so, else of the first one that is not hidden.
func (w *workbook) find(sheet string) (string, error) {
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	if w.files["xl/workbook.xml"] == nil {
		return "", fmt.Errorf("%w: the archive is no .xlsx workbook", ErrUnreadable)
	}
	if err := w.decode("xl/workbook.xml", &book); err != nil {
		return "", err
	}
	w.epoch1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	var links struct {
		Links []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := w.decode("xl/_rels/workbook.xml.rels", &links); err != nil {
		return "", err
	}
	for _, s := range book.Sheets {
		if sheet != "" && s.Name != sheet || sheet == "" && s.State != "" && s.State != "visible" {
			continue
		}
		for _, l := range links.Links {
			if l.ID == s.ID {
				if strings.HasPrefix(l.Target, "/") {
					return strings.TrimPrefix(l.Target, "/"), nil
				}
				return path.Join("xl", l.Target), nil
			}
		}
	}
	if sheet != "" {
		return "", fmt.Errorf("%w: the workbook has no sheet %q", ErrUnreadable, sheet)
	}
	return "", fmt.Errorf("%w: the workbook has no sheet", ErrUnreadable)
}

// readStrings reads the texts that cells refer to, without what only helps to pronounce them.
func (w *workbook) readStrings() error {
	d, c, err := w.part("xl/sharedStrings.xml")
	if err != nil || d == nil {
		return err
	}
	defer c.Close()
	size := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "si" {
			value, err := plainText(d)
			if err != nil {
				return err
			}
			if size += len(value) + 16; size > maxStrings {
				return fmt.Errorf("%w: the workbook holds more than %d bytes of text", ErrTooLarge, maxStrings)
			}
			w.strings = append(w.strings, value)
		}
	}
}

// plainText reads the text of an element up to its end: of <t>, also inside runs, not of phonetic ones.
func plainText(d *xml.Decoder) (string, error) {
	var out strings.Builder
	depth, phonetic, inText := 1, 0, false
	for depth > 0 {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			if e.Name.Local == "rPh" {
				phonetic++
			}
			inText = e.Name.Local == "t"
		case xml.EndElement:
			depth--
			if e.Name.Local == "rPh" {
				phonetic--
			}
			inText = false
		case xml.CharData:
			if inText && phonetic == 0 && out.Len() <= maxCell {
				out.Write(e)
			}
		}
	}
	return out.String(), nil
}

// readStyles finds out which cells show dates, and which show leading zeros.
func (w *workbook) readStyles() error {
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			ID int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := w.decode("xl/styles.xml", &styles); err != nil {
		return err
	}
	own := map[int]format{}
	for _, f := range styles.Formats {
		own[f.ID] = formatOf(f.Code)
	}
	for _, x := range styles.Cells {
		f, ok := own[x.ID]
		if !ok { // ECMA-376 section 18.8.30: those built in, and those of East Asia
			f.date = x.ID >= 14 && x.ID <= 22 || x.ID >= 27 && x.ID <= 36 || x.ID >= 45 && x.ID <= 47 || x.ID >= 50 && x.ID <= 58
		}
		w.formats = append(w.formats, f)
	}
	return nil
}

// formatOf reads a number format, without its literals.
func formatOf(code string) format {
	code, _, _ = strings.Cut(code, ";")
	var plain strings.Builder
	quoted, bracket, skip := false, false, false
	for _, c := range code {
		switch {
		case skip:
			skip = false
		case quoted:
			quoted = c != '"'
		case bracket:
			bracket = c != ']'
		case c == '"':
			quoted = true
		case c == '[':
			bracket = true
		case c == '\\' || c == '_' || c == '*':
			skip = true
		default:
			plain.WriteRune(c)
		}
	}
	text := strings.ToLower(plain.String())
	if text != "" && strings.Trim(text, "0") == "" {
		return format{pad: len(text)}
	}
	return format{date: text != "general" && strings.ContainsAny(text, "ymdhs")}
}
