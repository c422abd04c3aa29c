package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The YAML library names the line at which the text around a mistake begins, often far above, and no column. Where a file is not YAML at all its layout is therefore looked at here, line by line: a tab, a
// bracket or a quote without its other half, and lines that begin where nothing can.

// level is a mapping or a list that is being written, by the column in which its lines begin.
type level struct {
	indent int
	list   bool
	dashes bool // of a mapping: the list that is the value of its last key begins in the same column
	line   int  // the last one of it
}

// layout reads lines so far that it can say where they do not fit.
type layout struct {
	levels []level
	opens  bool // whether the line before wants something below it
	within []bracket
	quote  *bracket
	block  int // indentation of the key whose text is the lines below it, which are indented more; -1: none
}

// bracket is one that is open, or a quote, and its place.
type bracket struct {
	char         rune
	line, column int
}

var (
	keyLine   = regexp.MustCompile(`^("[^"]*"|'[^']*'|[^\s"'#{}\[\],:-][^:#]*|[^\s"'#{}\[\],:-][^ ]*):(\s|$)`)
	blockText = regexp.MustCompile(`(^|[:-]\s+)[|>][-+0-9]*\s*(\s#.*)?$`)
)

// misplaced answers the first place at which the layout of the lines does not fit; nil where it finds none.
func (r *reader) misplaced() *SyntaxError {
	l := &layout{opens: true, block: -1}
	at := func(line, column int, message, hint string) *SyntaxError {
		return &SyntaxError{File: r.file, Line: line, Column: column, Message: message, Hint: hint}
	}
	for i, text := range r.lines {
		line, text := i+1, strings.TrimRight(text, " \t\r")
		rest := strings.TrimLeft(text, " ")
		indent := len(text) - len(rest)
		if l.quote == nil && len(l.within) == 0 {
			if rest == "" || l.block >= 0 && indent > l.block {
				continue
			}
			l.block = -1
			switch {
			case rest[0] == '#' || indent == 0 && (rest == "---" || rest == "..."):
				continue
			case rest[0] == '\t':
				return at(line, indent+1, "a tab stands before the text", "YAML is indented by spaces")
			}
			if hint := l.take(line, indent, rest); hint != "" {
				return at(line, indent+1, "this line begins in a column in which nothing of what is above it can go on", hint)
			}
		}
		if b, closes := l.scan(line, text); b != nil {
			return at(line, b.column, fmt.Sprintf("%q closes nothing that is open", b.char), closes)
		}
		if l.quote == nil && len(l.within) == 0 && blockText.MatchString(text) {
			l.block = l.levels[len(l.levels)-1].indent
		}
	}
	switch {
	case l.quote != nil:
		return at(l.quote.line, l.quote.column, "a text in quotes begins here and does not end", "end it with the same quote")
	case len(l.within) > 0:
		b := l.within[len(l.within)-1]
		return at(b.line, b.column, fmt.Sprintf("%q is opened here and not closed", b.char), fmt.Sprintf("close it with %q", other(b.char)))
	}
	return nil
}

// take puts a line, which begins with rest at indent, where it belongs; where it belongs nowhere it answers where it might have.
func (l *layout) take(line, indent int, rest string) string {
	opened := l.opens
	dash := rest == "-" || strings.HasPrefix(rest, "- ")
	key := keyLine.MatchString(rest)
	if !dash && !key && !opened { // it goes on with the text of the line before
		return ""
	}
	var deeper *level
	for len(l.levels) > 0 && l.levels[len(l.levels)-1].indent > indent {
		last := l.levels[len(l.levels)-1]
		deeper, l.levels = &last, l.levels[:len(l.levels)-1]
	}
	if len(l.levels) == 0 || l.levels[len(l.levels)-1].indent < indent {
		if deeper != nil || !opened {
			return l.hint(deeper)
		}
		l.levels = append(l.levels, level{indent: indent, list: dash})
	}
	top := &l.levels[len(l.levels)-1]
	switch {
	case top.list && !dash, !top.list && dash && !opened && !top.dashes:
		if deeper == nil && top.list {
			return fmt.Sprintf(`entries of this list begin with "- ", as line %d`, top.line)
		}
		return l.hint(deeper)
	case !top.list:
		top.dashes = dash
	}
	top.line = line
	for dash {
		inner := strings.TrimLeft(strings.TrimPrefix(rest, "-"), " ")
		indent += len(rest) - len(inner)
		rest = inner
		if dash = rest == "-" || strings.HasPrefix(rest, "- "); dash || keyLine.MatchString(rest) {
			l.levels = append(l.levels, level{indent: indent, list: dash, line: line})
		}
	}
	value, _, _ := strings.Cut(rest, " #")
	value = strings.TrimRight(value, " ")
	l.opens = value == "" || strings.HasSuffix(value, ":")
	return ""
}

// hint says in which columns a line may begin: that of what was written last, or of what is around it.
func (l *layout) hint(deeper *level) string {
	var where []string
	for _, at := range append([]*level{deeper}, l.top()...) {
		if at != nil {
			where = append(where, fmt.Sprintf("column %d, as line %d", at.indent+1, at.line))
		}
	}
	return "let it begin in " + strings.Join(where, ", or in ")
}

func (l *layout) top() []*level {
	if len(l.levels) == 0 {
		return nil
	}
	return []*level{&l.levels[len(l.levels)-1]}
}

// scan notes which brackets and quotes a line opens and closes. It answers one that closes nothing, and what is open.
func (l *layout) scan(line int, text string) (*bracket, string) {
	before := ' ' // the last character that is no space; what begins a value is known by it
	spaced, escaped, lead := true, false, true
	for i, c := range []rune(text) {
		starts := before == ' ' || strings.ContainsRune("[{,", before) && len(l.within) > 0 || spaced && (before == ':' || before == '-' && lead)
		switch {
		case l.quote != nil && escaped:
			escaped = false
		case l.quote != nil:
			if escaped = c == '\\' && l.quote.char == '"'; c == l.quote.char {
				l.quote, before, spaced, lead = nil, c, false, false
			}
			continue
		case c == '#' && spaced:
			return nil, ""
		case starts && (c == '"' || c == '\''):
			l.quote = &bracket{c, line, i + 1}
		case c == '\'' && before == c && !spaced: // twice within quotes: a quote
			l.quote = &bracket{c, line, i + 1}
		case (c == '[' || c == '{') && starts:
			l.within = append(l.within, bracket{c, line, i + 1})
		case (c == ']' || c == '}') && len(l.within) > 0:
			last := l.within[len(l.within)-1]
			if other(last.char) != c {
				return &bracket{c, line, i + 1}, fmt.Sprintf("%q of line %d, column %d is closed first", last.char, last.line, last.column)
			}
			l.within = l.within[:len(l.within)-1]
		}
		if spaced = c == ' ' || c == '\t'; !spaced {
			before, lead = c, lead && c == '-'
		}
	}
	return nil, ""
}

func other(c rune) rune {
	pairs := []rune("[]{}")
	return pairs[slices.Index(pairs, c)+1]
}
