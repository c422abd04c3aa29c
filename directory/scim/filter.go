package scim

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	filter "github.com/scim2/filter-parser/v2"
)

// Limits of a filter. Above them it is refused before it is parsed.
const (
	maxFilterBytes = 8 << 10
	maxFilterDepth = 50
	maxFilterTerms = 200 // comparisons in one filter
	maxNameBytes   = 256 // of an attribute's path
)

// rewritten is a filter in the strict grammar of RFC 7644 figure 1, as filter-parser takes it. Its texts and
// its value filters stand apart, numbered: the parser neither decodes escapes nor takes a value filter of more
// than two terms.
type rewritten struct {
	text   string
	values []string    // the texts, decoded; in text they stand as "0", "1" …
	inner  []rewritten // the value filters; in text they stand as attribute[x eq "0"]
}

type token struct {
	kind byte // one of ( ) [ ] w(ord) s(tring)
	text string
	glue bool // nothing stands between this token and the one before
}

// lex cuts a filter into tokens. It takes "…" with JSON escapes and '…'.
func lex(s string) ([]token, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, invalidFilter("The filter is not valid UTF-8 text.")
	}
	var out []token
	depth, from := 0, 0
	for i := 0; i < len(s); {
		c := s[i]
		t := token{kind: c, glue: i == from && i > 0}
		switch c {
		case ' ', '\t', '\r', '\n':
			i++
			continue
		case '(', '[':
			if depth++; depth > maxFilterDepth {
				return nil, invalidFilter("The filter is nested deeper than %d levels.", maxFilterDepth)
			}
			i++
		case ')', ']':
			depth--
			i++
		case '"':
			end := closing(s, i)
			if end < 0 || json.Unmarshal([]byte(s[i:end]), &t.text) != nil || strings.IndexByte(t.text, 0) >= 0 {
				return nil, invalidFilter("A text of the filter is not closed or not well formed.")
			}
			t.kind, i = 's', end
		case '\'':
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return nil, invalidFilter("A text of the filter is not closed.")
			}
			t.kind, t.text, i = 's', s[i+1:i+1+end], i+end+2
		default:
			end := i
			for end < len(s) && !strings.ContainsRune(" \t\r\n()[]\"", rune(s[end])) {
				end++
			}
			t.kind, t.text, i = 'w', s[i:end], end
		}
		out = append(out, t)
		from = i
	}
	return out, nil
}

// closing answers the index behind the text that opens at s[i], or -1.
func closing[T string | []byte](s T, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return -1
}

// rewrite brings the dialects of real clients into the strict grammar: operators and literals in any letter
// case, bare operands (Entra's documentation), tabs and double blanks, attribute[…].value comparisons, value
// filters of any size.
func rewrite(s string) (rewritten, error) {
	if len(s) > maxFilterBytes {
		return rewritten{}, invalidFilter("The filter is longer than %d bytes.", maxFilterBytes)
	}
	tokens, err := lex(strings.TrimRight(s, "&? \t\r\n")) // OneLogin leaves & and ? behind
	if err != nil {
		return rewritten{}, err
	}
	w := rewriter{tokens: tokens}
	return w.run()
}

type rewriter struct {
	tokens []token
	at     int
	out    strings.Builder
	result rewritten
	depth  int
	terms  int
}

func (w *rewriter) run() (rewritten, error) {
	for {
		if err := w.term(); err != nil {
			return rewritten{}, err
		}
		for w.peek().kind == ')' {
			w.at++
			if w.depth--; w.depth < 0 {
				return rewritten{}, invalidFilter("The filter closes a parenthesis that it did not open.")
			}
			w.out.WriteByte(')')
		}
		if w.at == len(w.tokens) {
			break
		}
		word := strings.ToLower(w.peek().text)
		if w.peek().kind != 'w' || word != "and" && word != "or" {
			return rewritten{}, invalidFilter("The filter wants \"and\" or \"or\" at word %d.", w.at+1)
		}
		w.at++
		w.out.WriteString(" " + word + " ")
	}
	if w.depth != 0 {
		return rewritten{}, invalidFilter("The filter leaves a parenthesis open.")
	}
	w.result.text = w.out.String()
	return w.result, nil
}

func (w *rewriter) peek() token {
	if w.at < len(w.tokens) {
		return w.tokens[w.at]
	}
	return token{}
}

func (w *rewriter) next() token {
	t := w.peek()
	w.at++
	return t
}

// term writes what may stand before a comparison ("not", parentheses) and the comparison itself.
func (w *rewriter) term() error {
	for {
		t := w.next()
		switch {
		case t.kind == '(':
			w.depth++
			w.out.WriteByte('(')
		case t.kind == 'w' && strings.EqualFold(t.text, "not") && w.peek().kind == '(':
			w.out.WriteString("not ")
		case t.kind == 'w':
			if len(t.text) > 4 && strings.EqualFold(t.text[:4], "urn:") { // the parser knows them in lower case only
				t.text = "urn:" + t.text[4:]
			}
			if len(t.text) > maxNameBytes {
				return invalidFilter("An attribute's name is longer than %d bytes.", maxNameBytes)
			}
			if w.peek().kind == '[' {
				return w.valuePath(t.text)
			}
			w.out.WriteString(t.text)
			return w.comparison(&w.result, &w.out)
		default:
			return invalidFilter("The filter wants an attribute at word %d.", w.at)
		}
	}
}

func (w *rewriter) comparison(into *rewritten, out *strings.Builder) error {
	if w.terms++; w.terms > maxFilterTerms { // before the parser, which takes its time
		return invalidFilter("The filter makes more than %d comparisons.", maxFilterTerms)
	}
	t := w.next()
	op := strings.ToLower(t.text)
	if t.kind != 'w' {
		return invalidFilter("The filter wants an operator at word %d.", w.at)
	}
	switch op {
	case "pr":
		out.WriteString(" pr")
		return nil
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le":
	default:
		return invalidFilter("%q is not an operator.", t.text)
	}
	out.WriteString(" " + op + " ")
	v := w.next()
	switch v.kind {
	case 's':
		out.WriteString(into.literal(v.text))
	case 'w':
		lower := strings.ToLower(v.text)
		switch {
		case lower == "true", lower == "false", lower == "null":
			out.WriteString(lower)
		default: // a bare operand, digits too: what it is, the attribute's type says
			out.WriteString(into.literal(v.text))
		}
	default:
		return invalidFilter("The filter wants a value at word %d.", w.at)
	}
	return nil
}

func (r *rewritten) literal(s string) string {
	r.values = append(r.values, s)
	return `"` + strconv.Itoa(len(r.values)-1) + `"`
}

// valuePath takes attribute[…], and attribute[…].sub op value as one value filter with a further term.
func (w *rewriter) valuePath(name string) error {
	w.at++ // [
	start := w.at
	for w.at < len(w.tokens) && w.peek().kind != ']' {
		if w.peek().kind == '[' {
			return invalidFilter("A value filter stands inside another.")
		}
		w.at++
	}
	if w.at == len(w.tokens) {
		return invalidFilter("The filter leaves a bracket open.")
	}
	nested := rewriter{tokens: w.tokens[start:w.at], terms: w.terms}
	inner, err := nested.run()
	w.terms = nested.terms
	if err != nil {
		return err
	}
	w.at++ // ]
	if t := w.peek(); t.kind == 'w' && t.glue && strings.HasPrefix(t.text, ".") && t.text != "." {
		w.at++
		var out strings.Builder
		out.WriteString("(" + inner.text + ") and " + t.text[1:])
		if err := w.comparison(&inner, &out); err != nil {
			return err
		}
		inner.text = out.String()
	}
	w.result.inner = append(w.result.inner, inner)
	w.out.WriteString(name + `[x eq "` + strconv.Itoa(len(w.result.inner)-1) + `"]`)
	return nil
}

// parseFilter reads a filter on resources of k: rewritten, parsed by filter-parser, and checked against the schemas.
func (k *kind) parseFilter(s string, all ...*kind) (expr, error) {
	r, err := rewrite(s)
	if err != nil {
		return expr{}, err
	}
	c := checker{resolve: k.resolveFilter, all: all}
	return c.parse(r)
}

// parse runs filter-parser over r and checks what it finds.
func (c *checker) parse(r rewritten) (expr, error) {
	ast, err := filter.ParseFilterNumber([]byte(r.text))
	if err != nil {
		return expr{}, invalidFilter("The filter does not follow the grammar of RFC 7644 section 3.4.2.2.")
	}
	return c.check(ast, r)
}
