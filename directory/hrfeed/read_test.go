package hrfeed

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

func mustRead(t *testing.T, data string) *table {
	t.Helper()
	got, err := read(File{Data: []byte(data)}, "")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// show writes rows as "line: cell|cell".
func show(list []row) string {
	var out []string
	for _, r := range list {
		if r.wrong != "" {
			out = append(out, fmt.Sprintf("%d! %s", r.line, r.wrong))
			continue
		}
		var cells []string
		for _, c := range r.cells {
			cells = append(cells, c.text)
		}
		out = append(out, fmt.Sprintf("%d: %s", r.line, strings.Join(cells, "|")))
	}
	return strings.Join(out, "\n")
}

func TestCSV(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a,b\n1,2\n", "1: a|b\n2: 1|2"},
		{"no last end", "a,b\n1,2", "1: a|b\n2: 1|2"},
		{"breaks off", "a,b\n1,2\n3", "1: a|b\n2: 1|2\n3! the last line has fewer columns than the others and no end: the file may break off here"},
		{"lines within quotes count", "a,b\n\"1\n1\",\"x \"\"y\"\"\"\n2,3\n", "1: a|b\n2: 1\n1|x \"y\"\n4: 2|3"},
		{"semicolons", "a;b\n\"1;1\";2,5\n", "1: a|b\n2: 1;1|2,5"},
		{"tabs", "a\tb\n1\t2\n", "1: a|b\n2: 1|2"},
		{"said separator", "sep=|\na|b,c\n", "2: a|b,c"},
		{"windows", "a,b\r\n1,\" 2 \" \r\n", "1: a|b\n2: 1|2"},
		{"old", "a,b\r1,2\r", "1: a|b\n2: 1|2"},
		{"empty lines", "\n\na,b\n,,\n\n1,2\n", "3: a|b\n6: 1|2"},
		{"a quote inside", "a,b\n5\" disk,2\n", "1: a|b\n2: 5\" disk|2"},
		{"a stray quote", "a,b\n\"1\"x,2\n3,4\n", "1: a|b\n2! a quote is out of place in line 2\n3: 3|4"},
		{"an open quote takes no other row", "a,b\n\"1,2\n3,4\n", "1: a|b\n2! a quote that begins in line 2 is not closed, or the cell is longer than 8192 bytes\n3: 3|4"},
		{"one that closes by chance", "a,b\n\"1,2\n3,\"4\n5,6\n", "1: a|b\n2! a quote is out of place in line 3\n3! a quote that begins in line 3 is not closed, or the cell is longer than 8192 bytes\n4: 5|6"},
		{"formulas are text", "a,b\n=HYPERLINK(1),+1\n", "1: a|b\n2: =HYPERLINK(1)|+1"},
		{"wide spaces", "a\u3000,\ufeffb\n\u00a01,2\u200b\n", "1: a|b\n2: 1|2"},
	} {
		if got := show(mustRead(t, c.in).rows); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestEncodings(t *testing.T) {
	const plain = "工号,姓名\n1,𠮷野\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(plain, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for format, in := range map[string]string{"csv utf-8": plain, "csv gb18030": gb, "csv utf-16": wide} {
		got := mustRead(t, in)
		same(t, "format", got.format, format)
		same(t, format, show(got.rows), "1: 工号|姓名\n2: 1|𠮷野")
	}
	same(t, "mark", show(mustRead(t, "\xef\xbb\xbf"+plain).rows), "1: 工号|姓名\n2: 1|𠮷野")
	otherwise, err := read(File{Data: []byte(gb), Encoding: "UTF-8"}, "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "declared otherwise", show(otherwise.rows), "1! column 2 is not UTF-8 text\n2! column 2 is not UTF-8 text")
	for name, c := range map[string]struct{ in, format, want string }{
		"a bad byte":              {"工号,姓名\n1,张伟\n2,李\xff娜\n3,王芳\n", "csv utf-8", "1: 工号|姓名\n2: 1|张伟\n3! column 2 is not UTF-8 text\n4: 3|王芳"},
		"cut in a character":      {"id,name\n1,张\xe4\xbc\n2,李娜\n", "csv utf-8", "1: id|name\n2! column 2 is not UTF-8 text\n3: 2|李娜"},
		"a bad byte after a mark": {"\xef\xbb\xbfid,name\n1,x\xff\n2,y\n", "csv utf-8", "1: id|name\n2! column 2 is not UTF-8 text\n3: 2|y"},
		"rows of two programs":    {plain + gb + gb + gb, "csv utf-8", ""},
	} {
		got := mustRead(t, c.in)
		same(t, name, got.format, c.format)
		if c.want != "" {
			same(t, name, show(got.rows), c.want)
		}
	}
	if _, err := read(File{Data: []byte("id,name\n1,M\xfcller\n")}, ""); !errors.Is(err, ErrUnreadable) {
		t.Errorf("an accent of an old encoding: %v", err)
	}
	got := mustRead(t, gb[:len(gb)-6]+"\xff\xff,x\n")
	same(t, "broken character", strings.Contains(show(got.rows), "2! column"), true)
}

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"envelope", "{\"kind\":\"full\",\"rows\":[\n {\"a\":\"1\"},\n {\"a\":2}]}", "2: 1\n3: 2"},
		{"array", "[{\"a\":\"1\"},\n\n{\"a\":null}]", "1: 1\n3: "},
		{"lines", "{\"kind\":\"delta\"}\n{\"a\":\"x\\ny\"}\n{\"a\":true}\n", "2: x\ny\n3: true"},
		{"wrong rows", "[1,{\"a\":[1]},{\"a\":\"ok\"},null]", "1! it is not an object\n1! \"a\" is neither a text nor a number\n1: ok\n1! it is not an object"},
		{"labels", `[{"labels":{"grade":"P7"}}]`, "1: P7"},
		{"a member twice", `[{"a":"1","b":"2","a":"3"},{"labels":{"x":"1","x":"2"}},{"label.x":"1","labels":{"x":"2"}},{"a":"4"}]`,
			"1! \"a\" stands twice in it\n1! \"x\" stands twice in it\n1! \"label.x\" stands twice in it\n1: 4"},
	} {
		if got := show(mustRead(t, c.in).rows); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	for in, want := range map[string]error{`{"kind":"full","rows":[{"a":"1"},`: ErrTruncated, `[{"a":"1"}`: ErrTruncated, `[{"a":"1"}] x`: ErrUnreadable, `{"rows":[],"evil":1}`: ErrUnreadable,
		`{"rows":{}}`: ErrUnreadable, `[{"a":}]`: ErrUnreadable, `{"kind":7,"rows":[]}`: ErrUnreadable, `{"kind":"delta","kind":"full","rows":[]}`: ErrUnreadable, `{"kind":"delta","rows":[],"rows":[]}`: ErrUnreadable, `{"a":"1"}` + "\n{": ErrTruncated} {
		if _, err := read(File{Data: []byte(in)}, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", in, err, want)
		}
	}
}

// A file that is made to cost much costs little.
func TestHostile(t *testing.T) {
	deep := strings.Repeat("[", 200_000)
	for _, c := range []struct {
		name string
		data []byte
		want error // nil: read, every row of it wrong or none
	}{
		{"10 MB line", []byte("a,b\n" + strings.Repeat("x", 10<<20) + ",1\n"), nil},
		{"10 MB of separators", []byte("a,b\n" + strings.Repeat(",", 10<<20) + "\n"), nil},
		{"10 MB within a quote", []byte("a,b\n\"" + strings.Repeat(strings.Repeat("x", 100)+"\n", 100_000)), nil},
		{"quotes without end", []byte(strings.Repeat("\"\"\"a\n", 2<<20)), ErrUnreadable},
		{"many cells", []byte(strings.Repeat(strings.Repeat("1,", 200)+"\n", 60_000)), ErrTooLarge},
		{"many rows", []byte(strings.Repeat("1\n", maxRows+1)), ErrTooLarge},
		{"deep", []byte(`[{"a":` + deep), ErrUnreadable},
		{"many keys", []byte("[" + strings.Repeat(`{"a":1},`, 1000) + manyKeysRow() + "]"), ErrTooLarge},
		{"bomb", bomb(t, "xl/worksheets/sheet1.xml", `<worksheet><sheetData><row><c t="inlineStr"><is><t>`, 300<<20), ErrTooLarge},
		{"bomb of rows", bomb(t, "xl/worksheets/sheet1.xml", `<worksheet><sheetData>`+strings.Repeat(`<row></row>`, 1000), 100<<20), ErrTooLarge},
		{"bomb of styles", bomb(t, "xl/styles.xml", `<styleSheet>`, 20<<20), ErrTooLarge},
		{"not a zip", []byte("PK\x03\x04 nothing"), ErrTruncated},
		{"no workbook", archive(t, map[string]string{"a.txt": "x"}), ErrUnreadable},
		{"old workbook", []byte("\xd0\xcf\x11\xe0 old"), ErrUnreadable},
		{"sheet breaks off", archive(t, workbookParts(`<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row>`)), ErrUnreadable},
		{"far column", archive(t, workbookParts(`<worksheet><sheetData><row r="1"><c r="ZZZZZZZZ1"><v>1</v></c></row></sheetData></worksheet>`)), nil},
		{"entities", archive(t, workbookParts(`<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet><sheetData><row r="1"><c r="A1" t="str"><v>&a;</v></c></row></sheetData></worksheet>`)), ErrUnreadable},
	} {
		if testing.Short() && len(c.data) > 20<<20 {
			continue
		}
		before := heap()
		began := time.Now()
		got, err := read(File{Data: c.data}, "")
		took, grown := time.Since(began), int64(heap())-int64(before)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if grown > 700<<20 || took > 20*time.Second {
			t.Errorf("%s: %s, %d MiB", c.name, took, grown>>20)
		}
		t.Logf("%s: %s, %d MiB, %v", c.name, took.Round(time.Millisecond), grown>>20, err)
		if err == nil && slices.ContainsFunc(got.rows, func(r row) bool { return r.wrong == "" && len(r.cells) > 2 }) {
			t.Errorf("%s: a row was read", c.name)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys
}

func manyKeysRow() string {
	var b strings.Builder
	b.WriteString("{")
	for i := range 1000 {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String() + `"z":1}`
}

func archive(t *testing.T, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func workbookParts(sheet string) map[string]string {
	return map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" r:id="r1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet,
	}
}

// bomb is a small workbook one part of which unpacks to many bytes.
func bomb(t *testing.T, part, start string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	parts := workbookParts("<worksheet><sheetData></sheetData></worksheet>")
	parts[part] = start
	for name, text := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		if name == part {
			block := []byte(strings.Repeat("a", 1<<20))
			if strings.Contains(start, "<row></row>") {
				block = []byte(strings.Repeat("<row></row>", 1<<16))
			}
			for n := 0; n < size; n += len(block) {
				w.Write(block)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever is read, nothing panics, no bound is broken and lines rise.
func FuzzRead(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if data, err := os.ReadFile("testdata/" + e.Name()); err == nil {
			f.Add(data)
		}
	}
	for _, seed := range []string{roster, `{"kind":"full","rows":[{"a":"1"}]}`, "{\"a\":1}\n{\"b\":null}", "sep=;\na;b\n\"", "\xff\xfea\x00", "\"\"\"a\n\"", "#rows,1\n", "a\r\rb"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := read(File{Data: data}, "")
		if err != nil {
			if codeOf(err) == "" {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		last := 0
		for _, r := range got.rows {
			if r.line < last || len(r.cells) > maxColumns {
				t.Fatalf("line %d after %d, %d cells", r.line, last, len(r.cells))
			}
			last = r.line
		}
		rows := got.rows
		c, err := Mapping{}.header(got, &rows)
		if err != nil {
			return
		}
		reader := &reader{words: words{byWord(allActions(), nil), byWord(allStatuses(), nil)}, c: c, kind: Full}
		for _, r := range rows {
			reader.read(r)
		}
	})
}
