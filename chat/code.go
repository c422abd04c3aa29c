package chat

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// code writes text as highlighted HTML: chroma's classes, nothing else. It answers the language's canonical
// name, "" where chroma does not know it. What is not highlighted by the deadline comes out plain, so that no
// text can hold up its writer (the lexers are regular expressions with backtracking).
func (r *renderer) code(w io.Writer, text, language string, until time.Time) string {
	lexer := lexerOf(language)
	name := ""
	var tokens []chroma.Token
	if lexer != nil {
		name = canonical(lexer)
		tokens = r.tokens(lexer, text, until)
	}
	io.WriteString(w, `<pre class="chroma"><code`)
	if name != "" {
		fmt.Fprintf(w, ` class="language-%s"`, html.EscapeString(name))
	}
	io.WriteString(w, ">")
	done := 0
	for _, token := range tokens {
		if token.Value == text[done:]+"\n" { // the line break that chroma puts at the end
			token.Value = text[done:]
		}
		if !strings.HasPrefix(text[done:], token.Value) { // a lexer that changed the text cannot be trusted with it
			break
		}
		done += len(token.Value)
		if class := classOf(token.Type); class != "" {
			io.WriteString(w, `<span class="`+class+`">`+escapeCode(token.Value)+`</span>`)
		} else {
			io.WriteString(w, escapeCode(token.Value))
		}
	}
	io.WriteString(w, escapeCode(text[done:])+"</code></pre>")
	return name
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

// tokens runs a lexer until the deadline. One regular expression cannot be interrupted, so the lexer runs
// beside and is left alone when time is up; it ends at its next token. At most four run at once.
func (r *renderer) tokens(lexer chroma.Lexer, text string, until time.Time) []chroma.Token {
	select {
	case r.slots <- struct{}{}:
	default:
		return nil
	}
	prepare(lexer)
	budget := time.Until(until)
	if budget < textTime { // what was spent on the lexer's own preparation is not the text's fault
		budget = textTime
	}
	found, stop := make(chan []chroma.Token, 1), make(chan struct{})
	part := make(chan []chroma.Token, 1)
	go func() {
		defer func() {
			recover() // a lexer that panics has highlighted nothing
			<-r.slots
			close(found)
		}()
		next, err := chroma.Coalesce(lexer).Tokenise(&chroma.TokeniseOptions{State: "root"}, text)
		if err != nil {
			return
		}
		var out []chroma.Token
		for token := next(); token != chroma.EOF; token = next() {
			select {
			case <-stop:
				return
			default:
			}
			if out = append(out, token); len(out)%256 == 0 { // leave what there is where it can be taken
				select {
				case <-part:
				default:
				}
				part <- out[:len(out):len(out)]
			}
		}
		found <- out
	}()
	select {
	case out := <-found:
		return out
	case <-time.After(budget):
		close(stop)
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
