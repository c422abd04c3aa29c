// Package console owns the web app: the built assets of this folder, embedded in the binary, and how they are
// served. It guarantees a strict content security policy without inline code, that hashed assets may be cached for ever
// and the page itself never, and that an unknown API path is never answered with a page. It knows no other
// package of Rollcall and holds no data: everything it shows comes through the HTTP API.
package console

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// dist holds what `make console` builds. Only .gitkeep is committed, so that Go builds without Node.
//
//go:embed all:dist
var dist embed.FS

// nonceMark stands in the built index.html where the nonce of each answer belongs.
const nonceMark = "__CSP_NONCE__"

// Handler serves the web app: files of the build, and the page itself for every other path that a person may open.
// Without a build it serves one page that says how to build it. It answers GET and HEAD only.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: this cannot happen
	}
	return handler(files)
}

func handler(files fs.FS) http.Handler {
	a := app{files: files, page: []byte(unbuilt)}
	if page, err := fs.ReadFile(files, "index.html"); err == nil {
		a.page = page
	}
	return a
}

// app is the built web app. It is not changed after it was made, so it may serve any number of requests at once.
type app struct {
	files fs.FS
	page  []byte
}

// ServeHTTP implements http.Handler.
func (a app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "method_not_allowed", "the web app answers GET and HEAD")
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case name == "" || name == "index.html":
		a.servePage(w, r)
	case reserved(name):
		problem(w, http.StatusNotFound, "not_found", "there is no such path")
	case a.serveFile(w, r, name):
	case strings.HasPrefix(name+"/", "assets/") || strings.Contains(path.Base(name), "."):
		// An old page asks for an asset of an earlier build: a page instead would be run as a script.
		problem(w, http.StatusNotFound, "not_found", "there is no such file")
	default:
		a.servePage(w, r)
	}
}

// reserved tells whether name belongs to another part of the server: a typing error in an API path gets a problem, not a page.
func reserved(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "api", "auth", "scim", "hooks", "healthz", "readyz", "metrics", "docs", "schemas":
		return true
	}
	return false
}

// serveFile serves a file of the build and tells whether there is one.
func (a app) serveFile(w http.ResponseWriter, r *http.Request, name string) bool {
	if strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".gz") || !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(a.files, name)
	if err != nil || info.IsDir() {
		return false
	}
	h := w.Header()
	secure(h)
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		h.Set("Content-Type", kind)
	}
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable") // the name carries a hash of the content
	} else {
		h.Set("Cache-Control", "public, max-age=3600")
	}
	if packed, err := fs.ReadFile(a.files, name+".gz"); err == nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			http.ServeContent(w, r, name, info.ModTime(), bytes.NewReader(packed))
			return true
		}
	}
	http.ServeFileFS(w, r, a.files, name)
	return true
}

// servePage serves the page with a fresh nonce for the styles that Ant Design writes while it runs.
func (a app) servePage(w http.ResponseWriter, r *http.Request) {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	nonce := base64.RawStdEncoding.EncodeToString(raw[:])
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data: blob:", "font-src 'self'", "connect-src 'self'", "manifest-src 'self'",
		"base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
	}, "; "))
	if r.Method == http.MethodHead {
		return
	}
	w.Write(bytes.ReplaceAll(a.page, []byte(nonceMark), []byte(nonce)))
}

func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3); a quality of nought is a refusal.
func acceptsGzip(header string) bool {
	for offer := range strings.SplitSeq(header, ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(offer), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		quality = strings.TrimSpace(quality)
		return !strings.HasPrefix(quality, "q=0") || strings.Trim(quality, "q=0.") != ""
	}
	return false
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(`{"title":"` + http.StatusText(status) + `","status":` + strconv.Itoa(status) + `,"code":"` + code + `","detail":"` + detail + `"}` + "\n"))
}
