package idp

import (
	"bytes"
	"embed"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

//go:embed pages/*.html
var pages embed.FS

//go:embed pages/style.css
var stylesheet []byte

func (p *Provider) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	w.Write(stylesheet)
}

// view is what every page is made of.
type view struct {
	Lang string // "en" or "zh"
	At   *url.URL
	D    map[string]any
}

// T answers the text in the page's language.
func (v view) T(en, zh string) string {
	if v.Lang == "zh" {
		return zh
	}
	return en
}

// Switch is the same address in the other language.
func (v view) Switch() string {
	query := v.At.Query()
	query.Set("lang", map[string]string{"en": "zh", "zh": "en"}[v.Lang])
	return (&url.URL{Path: v.At.Path, RawQuery: query.Encode()}).String()
}

// With is the same address with one value of the query changed.
func (v view) With(name, value string) string {
	query := v.At.Query()
	query.Set(name, value)
	query.Del("done")
	return (&url.URL{Path: v.At.Path, RawQuery: query.Encode()}).String()
}

// Plus is n + by as text.
func (v view) Plus(n, by int) string { return strconv.Itoa(n + by) }

// shown is one exchange on a page of a language.
type shown struct {
	V view
	E *Exchange
}

// Show is what the template of an exchange takes.
func (v view) Show(e *Exchange) shown { return shown{V: v, E: e} }

// Tint is one of eight colours, always the same for one person.
func (v view) Tint(sub string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(sub))
	return h.Sum32() % 8
}

// Initials is what stands in a person's circle: two letters, or the last two characters of a Chinese name.
func (v view) Initials(name string) string {
	letters := []rune(strings.TrimSpace(name))
	if len(letters) == 0 {
		return "?"
	}
	if unicode.Is(unicode.Han, letters[0]) {
		return string(letters[max(0, len(letters)-2):])
	}
	words := strings.Fields(name)
	out := []rune(words[0])[:1]
	if len(words) > 1 {
		out = append(out, []rune(words[len(words)-1])[0])
	}
	return strings.ToUpper(string(out))
}

// Verb is what HR did.
func (v view) Verb(what string) string {
	switch what {
	case "hire":
		return v.T("Hire", "入职")
	case "move":
		return v.T("Move", "调岗")
	case "leave":
		return v.T("Leave", "离职")
	case "rehire":
		return v.T("Rehire", "重新入职")
	case "logout":
		return v.T("Sign-out", "登出")
	}
	return what
}

// lang is the language of a page: as the address says, else the cookie, else the browser, else the provider.
func (p *Provider) lang(w http.ResponseWriter, r *http.Request) string {
	if lang := r.URL.Query().Get("lang"); lang == "zh" || lang == "en" {
		http.SetCookie(w, &http.Cookie{Name: "idp_lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return lang
	}
	if c, err := r.Cookie("idp_lang"); err == nil && (c.Value == "zh" || c.Value == "en") {
		return c.Value
	}
	if p.Lang == "zh" || p.Lang == "en" {
		return p.Lang
	}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh") {
		return "zh"
	}
	return "en"
}

func (p *Provider) render(w http.ResponseWriter, r *http.Request, status int, page string, data map[string]any) {
	parsed, err := template.ParseFS(pages, "pages/layout.html", "pages/"+page+".html")
	if err == nil {
		var out bytes.Buffer
		if err = parsed.ExecuteTemplate(&out, "layout.html", view{Lang: p.lang(w, r), At: r.URL, D: data}); err == nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			w.Write(out.Bytes())
			return
		}
	}
	p.Log.Error("cannot make a page", "page", page, "error", err)
	http.Error(w, "the page cannot be made", http.StatusInternalServerError)
}

func (p *Provider) fail(w http.ResponseWriter, r *http.Request, status int, en, zh string) {
	p.render(w, r, status, "error", map[string]any{"English": en, "Chinese": zh})
}
