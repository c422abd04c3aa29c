package policies

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlError is an error about a text that is not YAML: by its layout where that shows the mistake, else as the library says it.
func (r *reader) yamlError(err error) error {
	if found := r.misplaced(); found != nil {
		return found
	}
	out := &SyntaxError{File: r.file, Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(out.Message); m != nil {
		out.Line, _ = strconv.Atoi(m[1]) // digits by the expression
		out.Message = m[2]
		if out.Line <= len(r.lines) {
			text := r.lines[out.Line-1]
			out.Column = len(text) - len(strings.TrimLeft(text, " \t")) + 1
		}
	}
	switch {
	case strings.Contains(out.Message, "mapping values are not allowed"):
		out.Hint = `a text with ": " in it stands in quotes`
	case strings.Contains(out.Message, "could not find expected ':'"):
		out.Hint = `a key is followed by ": "`
	case strings.Contains(out.Message, "cannot start any token"):
		out.Hint = "a text that begins so stands in quotes"
	}
	return out
}

// inExpression turns a place inside an expression into a place in the file.
func (r *reader) inExpression(n *yaml.Node, f *fault) *SyntaxError {
	line, column := n.Line, n.Column+f.column
	switch n.Style {
	case yaml.LiteralStyle:
		line, column = r.inBlock(n, f.line, f.column)
	case yaml.FoldedStyle: // one line of text is several lines of the file
		line, column = n.Line+1, f.column
		for at := n.Line; at < len(r.lines); at++ {
			text := strings.TrimLeft(r.lines[at], " ")
			if length := utf8.RuneCountInString(strings.TrimRight(text, "\r")); column > length && at+1 < len(r.lines) {
				column -= length + 1
				line++
				continue
			}
			column += len(r.lines[at]) - len(text) + 1
			break
		}
	case yaml.DoubleQuotedStyle:
		column = n.Column + 1 + quoted(r.lines[n.Line-1], n.Column, f.column)
	case yaml.SingleQuotedStyle:
		column++
	}
	return &SyntaxError{File: r.file, Line: line, Column: column, Message: f.message + r.inside, Hint: cmp.Or(f.hint, hintFor(f.message))}
}

// inBlock finds a place in a literal block, whose text begins on the line after the "|".
func (r *reader) inBlock(n *yaml.Node, line, column int) (int, int) {
	indent := 0
	if n.Line < len(r.lines) {
		text := r.lines[n.Line] // its indentation is the block's
		indent = len(text) - len(strings.TrimLeft(text, " "))
	}
	return n.Line + line, indent + 1 + column
}

// quoted answers how many characters of a line, after the double quote at column (from 1), make length characters
// of its value: an escape is two characters or more in the file.
func quoted(line string, column, length int) int {
	text := []rune(line)
	at := column
	for ; length > 0 && at < len(text); length-- {
		if text[at] == '\\' && at+1 < len(text) {
			at += 1 + map[rune]int{'x': 2, 'u': 4, 'U': 8}[text[at+1]]
		}
		at++
	}
	return at - column
}
