package chat

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// inert walks rendered HTML as a browser parses it and tells what could act.
func inert(t *testing.T, rendered string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(rendered))
	allowed := " p br hr strong em del blockquote ul ol li pre code span a h1 h2 h3 h4 h5 h6 table thead tbody tr th td "
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return
		}
		if kind == html.TextToken {
			continue
		}
		token := z.Token()
		if !strings.Contains(allowed, " "+token.Data+" ") {
			t.Fatalf("<%s> in %.300q", token.Data, rendered)
		}
		for _, a := range token.Attr {
			switch {
			case a.Key == "class", a.Key == "start", a.Key == "rel", a.Key == "target":
			case a.Key == "href" && (strings.HasPrefix(a.Val, "http://") || strings.HasPrefix(a.Val, "https://") || strings.HasPrefix(a.Val, "mailto:")):
			default:
				t.Fatalf("%s=%q in %.300q", a.Key, a.Val, rendered)
			}
		}
	}
}

func TestRenderText(t *testing.T) {
	r := newRenderer()
	for source, want := range map[string]string{
		"hello":                                "<p>hello</p>",
		"两行\n文字":                               "<p>两行<br>\n文字</p>",
		"**a** _b_ ~~c~~ `d`":                  "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>",
		"a <b>bold</b> claim":                  "<p>a &lt;b&gt;bold&lt;/b&gt; claim</p>",
		"<script>alert(1)</script>":            "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
		"[x](javascript:alert(1))":             "<p>x</p>",
		"[x](data:text/html;base64,AAAA)":      "<p>x</p>",
		"![pixel](https://evil.example/p.png)": "<p>pixel</p>",
		"[x](/api/v1/logout)":                  "<p>x</p>",
		"see https://example.com/a?b=1&c=2":    `<p>see <a href="https://example.com/a?b=1&amp;c=2" rel="nofollow noreferrer noopener" target="_blank">https://example.com/a?b=1&amp;c=2</a></p>`,
		"ab\u202egnp.exe":                      "<p>abgnp.exe</p>",
		"```go\nx := 1\n```":                   `<pre class="chroma"><code class="language-go"><span class="nx">x</span> <span class="o">:=</span> <span class="mi">1</span>` + "\n</code></pre>",
	} {
		got := r.text(source)
		inert(t, got)
		if got != want {
			t.Errorf("%q became %q, want %q", source, got, want)
		}
	}
}

func TestRenderCode(t *testing.T) {
	r := newRenderer()
	got, language := r.message(Draft{Kind: Code, Language: "Go", Text: "package main // \u202e x < y"})
	if language != "go" || !strings.Contains(got, `<span class="kn">package</span>`) || !strings.Contains(got, "‹U+202E›") || !strings.Contains(got, "x &lt; y") {
		t.Errorf("%s: %s", language, got)
	}
	inert(t, got)
	for _, name := range []string{"", "no-such-language", "../../etc", strings.Repeat("x", 1000), "main.go"} {
		got, language := r.message(Draft{Kind: Code, Language: name, Text: "if x < 1 {\n}"})
		if language != "" || got != `<pre class="chroma"><code>if x &lt; 1 {`+"\n}</code></pre>" {
			t.Errorf("%q: %q %s", name, language, got)
		}
	}
	for _, name := range []string{"python", "JavaScript", "sql", "yaml", "bash", "c++", "rust", "ts", "html", "json"} {
		source := "a = \"<b>\" # 1 && 2\n\nfunction f() { return `x` }\n"
		got, language := r.message(Draft{Kind: Code, Language: name, Text: source})
		inert(t, got)
		if language == "" {
			t.Errorf("%s is not known", name)
		}
		if text := textOf(got); text != source {
			t.Errorf("%s: the text changed to %q", name, text)
		}
	}
}

func textOf(rendered string) string {
	var out strings.Builder
	z := html.NewTokenizer(strings.NewReader(rendered))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		if kind == html.TextToken {
			out.WriteString(z.Token().Data)
		}
	}
	return out.String()
}

// shapes are texts made to cost their reader more than their writer.
func shapes() map[string]string {
	full := func(s string) string { return strings.Repeat(s, maxRunes/utf8.RuneCountInString(s)) }
	growing := func(mark string) string {
		var out strings.Builder
		for i := 1; out.Len() < maxRunes-300; i++ {
			out.WriteString(strings.Repeat(mark, i) + "a ")
		}
		return out.String()
	}
	return map[string]string{
		"backticks":            full("`"),
		"growing backticks":    growing("`"),
		"quotes in one line":   full("> "),
		"quotes without blank": full(">"),
		"quotes line by line":  strings.Repeat(strings.Repeat("> ", 60)+"a\n", 300),
		"quotes, growing": func() string {
			s := ""
			for i := range 270 {
				s += strings.Repeat(">", i) + "\n"
			}
			return s
		}(),
		"lists in one line": full("- "),
		"lists, growing": func() string {
			s := ""
			for i := range 270 {
				s += strings.Repeat(" ", i) + "- a\n"
			}
			return s
		}(),
		"numbers":               full("1. "),
		"brackets":              full("["),
		"open links":            full("[a]("),
		"images":                full("!["),
		"nested links":          full("[") + full("](b)"),
		"emphasis":              full("*a "),
		"emphasis, mixed":       full("*a_b**c__d"),
		"underscores":           full("_"),
		"strikes":               full("~~a "),
		"autolinks":             full("<http://a"),
		"urls":                  full("http://a.b "),
		"one url":               "http://" + full("a.")[:maxRunes-10],
		"mails":                 full("a@b.c "),
		"half mails":            full("a@"),
		"www":                   full("www."),
		"tables":                "|" + full("a|")[:2000] + "\n|" + full("-|")[:2000] + "\n" + strings.Repeat("|"+full("b|")[:300]+"\n", 100),
		"references":            full("[a]: b\n"),
		"references used":       strings.Repeat("[a]: b\n", 2000) + strings.Repeat("[a] ", 5000),
		"entities":              full("&amp;"),
		"backslashes":           full("\\"),
		"headings":              full("# a\n"),
		"setext":                full("a\n-\n"),
		"fences":                full("```\n"),
		"tildes":                full("~"),
		"tabs":                  full("\t"),
		"line breaks":           full("\n"),
		"zalgo":                 "a" + full("\u0301"),
		"zalgo, spread":         full("a\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a"),
		"overrides":             full("\u202e"),
		"angle brackets":        full("<"),
		"tags":                  full("<a>"),
		"comments":              full("<!--"),
		"fenced json":           "```json\n" + full("{\"a\":")[:maxRunes-20] + "\n```",
		"fenced go":             "```go\n" + full("/*")[:maxRunes-20] + "\n```",
		"fenced js":             "```js\n" + full("/a")[:maxRunes-20] + "\n```",
		"rulers":                full("---\n\n"),
		"quotes, as deep as ok": strings.Repeat(strings.Repeat("> ", 15)+"a\n", 1200),
		"lists, as deep as ok":  strings.Repeat(strings.Repeat("1. ", 12)+"a\n", 1000),
		"words":                 strings.Repeat(strings.Repeat("word ", 5)+"\n", 1400),
		"paragraphs":            strings.Repeat("a\n\n", 1400),
		"hostile fences":        strings.Repeat("```js\n"+strings.Repeat("/a", 900)+"\n```\n", 20),
		"many fences":           strings.Repeat("```go\nx := 1\n```\n", 1500),
		"long line":             full("a"),
		"han":                   full("王"),
	}
}

// Nobody can make the server work for long with a message that it accepts.
//
// holds: attack chat-03
func TestHostileText(t *testing.T) {
	r := newRenderer()
	r.text("```go\nx\n```\n```json\n1\n```\n```js\n1\n```") // the lexers are compiled once
	for name, source := range shapes() {
		if n := utf8.RuneCountInString(source); n > maxRunes {
			source = string([]rune(source)[:maxRunes])
		}
		best := time.Hour
		var got string
		for range 6 {
			began := time.Now()
			got = r.text(source)
			best = min(best, time.Since(began))
		}
		inert(t, got)
		if best > 10*time.Millisecond {
			t.Errorf("%s: %v", name, best)
		}
		if testing.Verbose() {
			t.Logf("%-22s %8v %8d bytes", name, best.Round(10*time.Microsecond), len(got))
		}
		if len(got) > maxHTML {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

// Code that a lexer chokes on comes out plain, in time.
//
// holds: attack chat-03
func TestHostileCode(t *testing.T) {
	r := newRenderer()
	for _, language := range []string{"javascript", "python", "perl", "ruby", "php", "html", "markdown", "bash", "yaml", "sql", "c++", "haskell"} {
		r.message(Draft{Kind: Code, Language: language, Text: "x"})
		for _, shape := range []string{"/", "((", "\"", "'", "<", "{", "a ", "\\", "#{", "<<a\n", "\t", "0"} {
			source := strings.Repeat(shape, maxRunes/len(shape))
			began := time.Now()
			got, _ := r.message(Draft{Kind: Code, Language: language, Text: source})
			if took := time.Since(began); took > time.Second { // far above the budget: the machine is shared
				t.Errorf("%s %q: %v", language, shape, took)
			}
			if text := textOf(got); text != source && text != "\n"+source {
				t.Errorf("%s %q: the text changed", language, shape)
			}
		}
	}
}

func FuzzRenderText(f *testing.F) {
	for _, source := range shapes() {
		f.Add(source[:min(len(source), 2000)])
	}
	r := newRenderer()
	f.Fuzz(func(t *testing.T, source string) {
		d, err := Draft{Text: source}.check()
		if err != nil {
			return
		}
		began := time.Now()
		inert(t, r.text(d.Text))
		if took := time.Since(began); took > time.Second {
			t.Errorf("%v", took)
		}
	})
}

func TestDraftCheck(t *testing.T) {
	for name, c := range map[string]struct {
		draft Draft
		want  error
	}{
		"empty":         {Draft{}, ErrEmpty},
		"blank":         {Draft{Text: " \n\t\u00a0\u200b\ufeff"}, ErrEmpty},
		"kind":          {Draft{Kind: "video", Text: "x"}, ErrInvalid},
		"utf-8":         {Draft{Text: "a\xff"}, ErrInvalid},
		"zero":          {Draft{Text: "a\x00"}, ErrInvalid},
		"client id":     {Draft{Text: "a", ClientID: strings.Repeat("x", 129)}, ErrInvalid},
		"too long":      {Draft{Text: strings.Repeat("王", 40_001)}, ErrTooLong},
		"as long as ok": {Draft{Text: strings.Repeat("王", 40_000)}, nil},
		"fine":          {Draft{Text: "a"}, nil},
	} {
		if _, err := c.draft.check(); fmt.Sprint(err) != fmt.Sprint(c.want) && !strings.HasPrefix(fmt.Sprint(err), fmt.Sprint(c.want)+":") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
