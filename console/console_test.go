package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func built(t *testing.T) http.Handler {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("export const a = 1"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return handler(fstest.MapFS{
		".gitkeep":              {},
		"index.html":            {Data: []byte(`<meta name="csp-nonce" content="__CSP_NONCE__"><script type="module" src="/assets/index-a1.js"></script>`)},
		"favicon.svg":           {Data: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)},
		"assets/index-a1.js":    {Data: []byte("export const a = 1")},
		"assets/index-a1.js.gz": {Data: packed.Bytes()},
		"assets/index-b2.css":   {Data: []byte("a{}")},
	})
}

func TestPageForEveryPathAPersonMayOpen(t *testing.T) {
	h := built(t)
	for _, target := range []string{"/", "/index.html", "/chat", "/chat/chn_1", "/admin/people/per_1", "/admin/people?q=a.b", "/signin?error=access_denied"} {
		r := get(t, h, "GET", target)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", target, r.StatusCode, r.Header)
		}
	}
}

func TestPolicyAllowsNoInlineCode(t *testing.T) {
	h := built(t)
	nonce := regexp.MustCompile(`'nonce-([A-Za-z0-9+/]{22})'`)
	seen := map[string]bool{}
	for range 3 {
		r := get(t, h, "GET", "/")
		policy := r.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self';") {
			t.Fatalf("policy: %s", policy)
		}
		found := nonce.FindStringSubmatch(policy)
		if found == nil {
			t.Fatalf("no nonce in %s", policy)
		}
		if seen[found[1]] {
			t.Fatalf("nonce %s came twice", found[1])
		}
		seen[found[1]] = true
		page := body(t, r)
		if !strings.Contains(page, `content="`+found[1]+`"`) || strings.Contains(page, nonceMark) {
			t.Fatalf("the page does not carry the nonce %s: %s", found[1], page)
		}
	}
}

func TestHashedAssetsAreCachedForEver(t *testing.T) {
	h := built(t)
	r := get(t, h, "GET", "/assets/index-b2.css")
	if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/css") {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	if r := get(t, h, "GET", "/favicon.svg"); strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Fatalf("a name without a hash is cached for ever: %v", r.Header)
	}
}

func TestPrecompressedWhereTheClientTakesIt(t *testing.T) {
	h := built(t)
	for accept, want := range map[string]bool{"": false, "gzip, deflate, br": true, "br;q=1, gzip;q=0.5": true, "gzip;q=0": false, "gzip;q=0.0, br": false, "identity": false} {
		r := get(t, h, "GET", "/assets/index-a1.js", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding %q: gzip %v", accept, got)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("Accept-Encoding %q: %v", accept, r.Header)
		}
		var content io.Reader = r.Body
		if want {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			content = z
		}
		if b, err := io.ReadAll(content); err != nil || string(b) != "export const a = 1" {
			t.Errorf("Accept-Encoding %q: %q %v", accept, b, err)
		}
	}
}

func TestNoPageWhereAnotherAnswerIsExpected(t *testing.T) {
	h := built(t)
	for _, target := range []string{"/assets/index-old.js", "/assets/", "/assets/index-a1.js.gz", "/.gitkeep", "/robots.txt", "/api/v1/nothing", "/api", "/auth/nothing", "/scim/v2/nothing", "/healthz", "/x/../api/v1/nothing"} {
		r := get(t, h, "GET", target)
		if r.StatusCode != 404 || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", target, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r := get(t, h, "POST", "/chat"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", r.StatusCode)
	}
	if r := get(t, h, "HEAD", "/chat"); r.StatusCode != 200 || body(t, r) != "" {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
}

func TestWithoutABuildOnePageSaysHow(t *testing.T) {
	h := handler(fstest.MapFS{".gitkeep": {}})
	r := get(t, h, "GET", "/admin/people")
	page := body(t, r)
	if r.StatusCode != 200 || !strings.Contains(page, "make console") || strings.Contains(page, nonceMark) {
		t.Fatalf("%d %s", r.StatusCode, page)
	}
}

func TestEmbedded(t *testing.T) {
	if r := get(t, Handler(), "GET", "/"); r.StatusCode != 200 {
		t.Fatalf("%d", r.StatusCode)
	}
}
