package chat

import (
	"fmt"
	"html"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// code writes text as highlighted HTML: chroma's classes, nothing else. It answers the language's canonical
// name, "" where chroma does not know it. What is not highlighted within the time left comes out plain, so that
// no text can hold up its writer (the lexers are regular expressions with backtracking).
func (r *renderer) code(w io.Writer, text, language string, left *time.Duration) string {
	lexer := lexerOf(language)
	name := ""
	var tokens []chroma.Token
	if lexer != nil {
		name = canonical(lexer)
		tokens = r.tokens(lexer, text, left)
	}
	io.WriteString(w, `<pre class="chroma"><code`)
	if name != "" {
		fmt.Fprintf(w, ` class="language-%s"`, html.EscapeString(name))
	}
	io.WriteString(w, ">")
	done := 0
	for i := 0; i < len(tokens); {
		from, class := done, classOf(tokens[i].Type)
		for ; i < len(tokens) && classOf(tokens[i].Type) == class; i++ { // neighbours of one class are one span
			value := tokens[i].Value
			if rest := len(text) - done; len(value) == rest+1 && value[rest] == '\n' { // chroma puts a line break at the end
				value = value[:rest]
			}
			if !strings.HasPrefix(text[done:], value) { // a lexer that changed the text cannot be trusted with it
				tokens = tokens[:i]
				break
			}
			done += len(value)
		}
		switch {
		case done == from:
		case class != "":
			io.WriteString(w, `<span class="`+class+`">`+escapeCode(text[from:done])+`</span>`)
		default:
			io.WriteString(w, escapeCode(text[from:done]))
		}
	}
	io.WriteString(w, escapeCode(text[done:])+"</code></pre>")
	return name
}

func plainCode(text string) string {
	return `<pre class="chroma"><code>` + escapeCode(text) + "</code></pre>"
}

func lexerOf(language string) chroma.Lexer {
	language = strings.TrimSpace(language)
	if language == "" || len(language) > 40 {
		return nil
	}
	for _, c := range []string{language, strings.ToLower(language)} {
		// Get also guesses by file name; only a name or an alias counts.
		lexer := lexers.Get(c)
		if lexer == nil {
			continue
		}
		config := lexer.Config()
		for _, known := range append([]string{config.Name}, config.Aliases...) {
			if strings.EqualFold(known, language) {
				return lexer
			}
		}
	}
	return nil
}

func canonical(lexer chroma.Lexer) string {
	config := lexer.Config()
	if len(config.Aliases) > 0 {
		return strings.ToLower(config.Aliases[0])
	}
	return strings.ToLower(strings.ReplaceAll(config.Name, " ", "-"))
}

// classOf answers the short class of a token, of its nearest ancestor that has one.
func classOf(t chroma.TokenType) string {
	for ; ; t = t.Parent() {
		if t == chroma.TextWhitespace {
			return ""
		}
		if class, ok := chroma.StandardTypes[t]; ok {
			return class
		}
		if t == 0 {
			return ""
		}
	}
}

// escapeCode shows what changes the order of letters instead of letting it (CVE-2021-42574).
func escapeCode(s string) string {
	if strings.IndexFunc(s, bidi) >= 0 {
		var out strings.Builder
		for _, c := range s {
			if bidi(c) {
				fmt.Fprintf(&out, "\u2039U+%04X\u203a", c)
			} else {
				out.WriteRune(c)
			}
		}
		s = out.String()
	}
	return html.EscapeString(s)
}

// tokens runs a lexer for at most the time left, which it lessens. One regular expression cannot be
// interrupted, so the lexer runs beside and is left alone when time is up; it ends at its next token. At most
// four run at once. The once-per-process compilation of a lexer does not count.
func (r *renderer) tokens(lexer chroma.Lexer, text string, left *time.Duration) []chroma.Token {
	if *left <= 0 {
		return nil
	}
	prepare(lexer)
	began, timer := time.Now(), time.NewTimer(*left)
	defer timer.Stop()
	defer func() { *left -= time.Since(began) }()
	select {
	case r.slots <- struct{}{}:
	case <-timer.C:
		return nil
	}
	part, done := make(chan []chroma.Token, 1), make(chan struct{})
	var stop atomic.Bool
	go func() {
		defer func() {
			recover() // a lexer that panics has highlighted nothing more
			<-r.slots
			close(done)
		}()
		next, err := lexer.Tokenise(&chroma.TokeniseOptions{State: "root"}, text)
		if err != nil {
			return
		}
		var out []chroma.Token
		leave := func() { // only this goroutine fills part
			select {
			case <-part:
			default:
			}
			part <- out[:len(out):len(out)]
		}
		for token := next(); token != chroma.EOF && !stop.Load(); token = next() {
			if out = append(out, token); len(out)%256 == 0 {
				leave()
			}
		}
		leave()
	}()
	select {
	case <-done:
	case <-timer.C:
		stop.Store(true)
	}
	select {
	case out := <-part:
		return out
	default:
		return nil
	}
}

// prepare compiles a lexer's rules, once per lexer and process.
func prepare(lexer chroma.Lexer) {
	defer func() { recover() }()
	if next, err := lexer.Tokenise(nil, ""); err == nil {
		next()
	}
}
