package evidence

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"io"
	"strings"
	"time"
)

//go:embed page.css
var pageCSS string

// PageCSP is the policy under which a page of this package is answered: its own style sheet and nothing else.
func PageCSP() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

// Lang is a language of pages.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh-CN"
)

// Page writes a page for printing, from top to bottom: nothing of it is kept.
type Page struct {
	w    *bufio.Writer
	lang Lang
}

// NewPage begins a page.
func NewPage(w io.Writer, lang Lang, en, zh string) *Page {
	if lang != Chinese {
		lang = English
	}
	p := &Page{bufio.NewWriter(w), lang}
	title := html.EscapeString(p.Say(en, zh))
	p.w.WriteString("<!doctype html>\n<html lang=\"" + string(lang) + "\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>" + title +
		"</title><style>" + pageCSS + "</style></head>\n<body>\n<h1>" + title + "</h1>\n")
	return p
}

// Say answers one of two texts.
func (p *Page) Say(en, zh string) string {
	if p.lang == Chinese {
		return zh
	}
	return en
}

// Note writes a line of text.
func (p *Page) Note(en, zh string) {
	p.w.WriteString("<p class=\"quiet\">" + html.EscapeString(p.Say(en, zh)) + "</p>\n")
}

// Section begins a part with a heading.
func (p *Page) Section(en, zh string) {
	p.w.WriteString("<h2>" + html.EscapeString(p.Say(en, zh)) + "</h2>\n")
}

// Facts writes names with what they stand for: English, Chinese, value. What is empty is left out.
func (p *Page) Facts(list ...[3]string) {
	p.w.WriteString("<dl>\n")
	for _, f := range list {
		if f[2] != "" {
			p.w.WriteString("<dt>" + html.EscapeString(p.Say(f[0], f[1])) + "</dt><dd>" + cell(f[2]) + "</dd>\n")
		}
	}
	p.w.WriteString("</dl>\n")
}

// cell keeps letters of one value from turning round those of the next.
func cell(text string) string { return "<bdi>" + html.EscapeString(text) + "</bdi>" }

// Table begins a table with these columns, English and Chinese; Row and Close follow.
func (p *Page) Table(columns ...[2]string) {
	p.w.WriteString("<table>\n<thead><tr>")
	for _, c := range columns {
		p.w.WriteString("<th>" + html.EscapeString(p.Say(c[0], c[1])) + "</th>")
	}
	p.w.WriteString("</tr></thead>\n<tbody>\n")
}

// Row writes a line of the table.
func (p *Page) Row(cells ...string) {
	p.w.WriteString("<tr>")
	for _, text := range cells {
		p.w.WriteString("<td>" + cell(text) + "</td>")
	}
	p.w.WriteString("</tr>\n")
}

// Close ends the table.
func (p *Page) Close() { p.w.WriteString("</tbody></table>\n") }

// Flush writes what is buffered.
func (p *Page) Flush() error { return p.w.Flush() }

// End ends the page.
func (p *Page) End() error {
	p.w.WriteString("</body>\n</html>\n")
	return p.w.Flush()
}

// Seal writes how a signed document can be held against its key and the audit log.
func (p *Page) Seal(d *Document, names Names) {
	p.Section("Signature", "签名")
	raw, _ := base64.StdEncoding.DecodeString(d.Signature.Public)
	p.Facts([3]string{"Made", "制作时间", Moment(d.MadeAt)}, [3]string{"By", "制作人", p.Name(names, d.MadeBy)}, [3]string{"Algorithm", "算法", d.Signature.Algorithm},
		[3]string{"Key", "密钥", string(d.Signature.Key) + "  " + Fingerprint(raw)}, [3]string{"Signature of the JSON form", "JSON 文件的签名", d.Signature.Value},
		[3]string{"Audit log", "审计日志", count(int(d.Audit.Size))}, [3]string{"Root", "根哈希", d.Audit.Root})
	p.Note("The JSON form of the same request is what is signed; `rollcall evidence verify FILE --key KEY` holds it against the key, and `rollcall audit verify --size --root` the log against its root.",
		"签名对象是同一请求的 JSON 文件：用 `rollcall evidence verify FILE --key KEY` 核对签名，用 `rollcall audit verify --size --root` 核对审计日志。")
}

// Moment writes an instant for people; empty for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// span writes a number of microseconds for people.
func span(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d < time.Second:
		return strings.TrimSuffix(d.Round(10*time.Microsecond).String(), "0s")
	case d < time.Minute:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
