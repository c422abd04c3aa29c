package chat

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	gmrenderer "github.com/yuin/goldmark/renderer"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const (
	maxHTML      = 2 << 20              // of one rendered message; code with a token per character comes near it
	textTime     = 4 * time.Millisecond // for highlighting all code of one text message
	codeTime     = 40 * time.Millisecond
	maxFences    = 20 // highlighted in one text message
	maxMarks     = 8  // combining marks on one character
	maxDepth     = 16
	maxIndent    = 40
	maxLines     = 1500
	maxRepeating = 600
)

// renderer turns messages into HTML that is safe to show. It is used from many goroutines at once.
type renderer struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
	slots    chan struct{} // highlighting that may run at once
}

func newRenderer() *renderer {
	r := &renderer{slots: make(chan struct{}, 4)}
	// Raw HTML has no parser here: it is text and comes out escaped.
	p := parser.NewParser(
		parser.WithBlockParsers(without(parser.DefaultBlockParsers(), parser.NewHTMLBlockParser())...),
		parser.WithInlineParsers(without(parser.DefaultInlineParsers(), parser.NewRawHTMLParser())...),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)
	r.markdown = goldmark.New(goldmark.WithParser(p),
		goldmark.WithExtensions(extension.Strikethrough, extension.Linkify, extension.Table),
		goldmark.WithRendererOptions(gmhtml.WithHardWraps(), gmrenderer.WithNodeRenderers(util.Prioritized(nodes{}, 100))))

	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "hr", "strong", "em", "del", "blockquote", "ul", "ol", "li", "pre", "code", "span",
		"h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td")
	policy.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[a-z0-9#+._-]{1,40}$`)).OnElements("code")
	policy.AllowAttrs("class").Matching(regexp.MustCompile(`^[a-z0-9]{1,4}$`)).OnElements("span")
	policy.AllowAttrs("class").Matching(regexp.MustCompile(`^chroma$`)).OnElements("pre")
	policy.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("http", "https", "mailto")
	policy.AllowRelativeURLs(false)
	policy.RequireParseableURLs(true)
	policy.RequireNoFollowOnLinks(true)
	policy.RequireNoReferrerOnLinks(true)
	policy.AddTargetBlankToFullyQualifiedLinks(true)
	r.policy = policy
	return r
}

func without(list []util.PrioritizedValue, unwanted any) []util.PrioritizedValue {
	var out []util.PrioritizedValue
	for _, v := range list {
		if v.Value != unwanted {
			out = append(out, v)
		}
	}
	return out
}

// message renders a checked draft and answers the language by its canonical name, "" where it is not known.
func (r *renderer) message(d Draft) (string, string) {
	if d.Kind == Code {
		var out strings.Builder
		left := codeTime
		language := r.code(&out, d.Text, d.Language, &left)
		if out.Len() > maxHTML {
			return plainCode(d.Text), language
		}
		return out.String(), language
	}
	return r.text(d.Text), ""
}

// text renders markdown. Shapes whose parsing grows faster than their length come out as plain paragraphs.
func (r *renderer) text(source string) string {
	source = tame(source)
	if hostile(source) {
		return plain(source)
	}
	src := []byte(source)
	doc := r.markdown.Parser().Parse(gmtext.NewReader(src))
	r.highlight(doc, src)
	var out bytes.Buffer
	if err := r.markdown.Renderer().Render(&out, src, doc); err != nil {
		return plain(source)
	}
	clean := strings.TrimSpace(r.policy.SanitizeReader(&out).String())
	if len(clean) > maxHTML {
		return plain(source)
	}
	return clean
}

func plain(source string) string {
	return "<p>" + strings.ReplaceAll(html.EscapeString(source), "\n", "<br>\n") + "</p>"
}

// tame takes out what reorders or piles up letters beyond the message itself: bidirectional overrides and
// embeddings, and more combining marks on one character than any script uses. The stored text keeps them.
func tame(s string) string {
	marks := 0
	return strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Mn, unicode.Me) {
			if marks++; marks > maxMarks {
				return -1
			}
			return c
		}
		marks = 0
		if bidi(c) || unicode.IsControl(c) && c != '\n' && c != '\t' {
			return -1
		}
		return c
	}, s)
}

// bidi tells the characters that change the order of what follows (CVE-2021-42574).
func bidi(c rune) bool { return c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 }

// hostile tells whether s has a shape that no writer needs and that parsers pay dearly for.
func hostile(s string) bool {
	counts := map[rune]int{}
	for _, c := range s {
		switch c {
		case '[', ']', '(', ')', '*', '_', '~', '`', '<', '!', '|', '&', '\\', ':', '@':
			counts[c]++
		}
	}
	for _, n := range counts {
		if n > maxRepeating {
			return true
		}
	}
	lines, blocks := 0, 0
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimSpace(line) != "" {
			lines++
		}
		depth, deep := nesting(line)
		if blocks += depth; deep || lines > maxLines || blocks > maxLines {
			return true
		}
	}
	return false
}

// nesting answers how many blocks a line opens inside each other, and whether no writer would open so many.
func nesting(line string) (depth int, deep bool) {
	indent := 0
	var before rune
	for _, c := range line {
		switch {
		case c == ' ':
			indent++
		case c == '\t':
			indent += 4
		case c == '>', c == '-', c == '+', c == '*', (c == '.' || c == ')') && before >= '0' && before <= '9':
			if depth++; indent > maxIndent {
				return depth, true
			}
		case c >= '0' && c <= '9':
		default:
			return depth, false
		}
		if depth > maxDepth && c != '-' && c != '*' { // a ruler is no nesting
			return depth, true
		}
		before = c
	}
	return 0, false // nothing but markers: a ruler, or empty
}

// nodes renders the nodes of markdown that we want otherwise.
type nodes struct{}

// RegisterFuncs implements the node renderer of goldmark.
func (n nodes) RegisterFuncs(reg gmrenderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindFencedCodeBlock, n.fenced)
	reg.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, nil // its text stands for it: pictures from elsewhere would tell who reads
	})
}

func (n nodes) fenced(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	if rendered, ok := node.AttributeString(highlighted); ok {
		if text, ok := rendered.(string); ok {
			w.WriteString(text)
			return ast.WalkSkipChildren, nil
		}
	}
	w.WriteString(plainCode(linesOf(node, source)))
	return ast.WalkSkipChildren, nil
}

const highlighted = "rollcall-highlighted"

func linesOf(node ast.Node, source []byte) string {
	var text strings.Builder
	for i := range node.Lines().Len() {
		line := node.Lines().At(i)
		text.Write(line.Value(source))
	}
	return text.String()
}

// highlight renders the fenced code of a document, within one budget of time for all of it.
func (r *renderer) highlight(doc ast.Node, source []byte) {
	left, fences := textTime, 0
	ast.Walk(doc, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		block, ok := node.(*ast.FencedCodeBlock)
		if !ok || !entering || fences == maxFences {
			return ast.WalkContinue, nil
		}
		fences++
		var out strings.Builder
		r.code(&out, linesOf(block, source), string(block.Language(source)), &left)
		block.SetAttributeString(highlighted, out.String())
		return ast.WalkContinue, nil
	})
}
