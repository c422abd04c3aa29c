package outbound_test

import (
	"bufio"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/outbound"
)

// issued writes the certificate of who signed s.
func issued(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// proxy is a real one for CONNECT and for http. It sends every name to where, and counts.
func proxy(t *testing.T, where string) (address string, count *atomic.Int64) {
	t.Helper()
	count = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		if user, _, ok := r.BasicAuth(); ok || user != "" {
			t.Errorf("the proxy was shown the credentials of %s", r.URL.Host)
		}
		there, err := net.Dial("tcp", where)
		if err != nil {
			http.Error(w, "not reached", http.StatusBadGateway)
			return
		}
		defer there.Close()
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			if err := r.Write(there); err != nil {
				return
			}
			answer, err := http.ReadResponse(bufio.NewReader(there), r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			w.WriteHeader(answer.StatusCode)
			io.Copy(w, answer.Body)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(there, here)
		io.Copy(here, there)
	}))
	t.Cleanup(s.Close)
	return s.URL, count
}

func quiet(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		t.Setenv(name, "")
	}
}

func TestPrivateAuthority(t *testing.T) {
	quiet(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer s.Close()
	s.Config.ErrorLog = nil
	w, err := outbound.New(outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client := w.Client(20 * time.Second)
	if _, err := client.Get(s.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a certificate of nobody is believed: %v", err)
	}
	if err := w.Change(outbound.Options{CAFile: "/nowhere.pem"}); !errors.Is(err, outbound.ErrCAFile) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := w.Change(outbound.Options{CAFile: issued(t, s)}); err != nil {
		t.Fatal(err)
	}
	answer, err := client.Get(s.URL) // the client from before
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	if err := w.Change(outbound.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(s.URL); err == nil {
		t.Error("an authority that was taken away is still believed")
	}
}

func TestProxy(t *testing.T) {
	quiet(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello from "+r.Host) })
	secure, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	defer secure.Close()
	defer plain.Close()
	toSecure, secureCount := proxy(t, secure.Listener.Addr().String())
	toPlain, plainCount := proxy(t, plain.Listener.Addr().String())
	for _, one := range []struct {
		name, proxy, address string
		count                *atomic.Int64
	}{
		{"CONNECT", toSecure, "https://example.com/", secureCount}, // the name in the server's certificate
		{"http", toPlain, "http://id.example.com/", plainCount},
	} {
		t.Run(one.name, func(t *testing.T) {
			w, err := outbound.New(outbound.Options{CAFile: issued(t, secure), Proxy: one.proxy, NoProxy: ".internal,10.0.0.0/8"})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.Client(20 * time.Second).Get(one.address)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), "hello from ") || one.count.Load() != 1 {
				t.Errorf("%q %v, %d requests through the proxy", text, err, one.count.Load())
			}
			for _, past := range []string{"https://fga.internal/", "https://10.1.2.3/", "http://127.0.0.1:8080/"} {
				to, err := url.Parse(past)
				if err != nil {
					t.Fatal(err)
				}
				if through, err := w.Proxy(to); err != nil || through != nil {
					t.Errorf("%s goes through %v: %v", past, through, err)
				}
			}
		})
	}
}

// The environment holds where nothing else is said, and not where it is.
func TestEnvironment(t *testing.T) {
	quiet(t)
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
	t.Setenv("NO_PROXY", "fga.example.com")
	for _, one := range []struct {
		options  outbound.Options
		to, want string
	}{
		{outbound.Options{}, "https://id.example.com", "http://proxy.example.com:3128"},
		{outbound.Options{}, "https://fga.example.com", ""},
		{outbound.Options{Proxy: outbound.Direct}, "https://id.example.com", ""},
		{outbound.Options{Proxy: "http://other:1"}, "https://id.example.com", "http://other:1"},
		{outbound.Options{Proxy: "http://other:1"}, "https://fga.example.com", ""},
		{outbound.Options{NoProxy: "id.example.com"}, "https://fga.example.com", "http://proxy.example.com:3128"},
	} {
		w, err := outbound.New(one.options)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(one.to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Proxy(to)
		if err != nil || got == nil && one.want != "" || got != nil && got.String() != one.want {
			t.Errorf("%+v: %s through %v, %v", one.options, one.to, got, err)
		}
	}
	for _, wrong := range []string{"proxy:3128", "socks5://proxy", "http://", "http://proxy/path"} {
		if _, err := outbound.New(outbound.Options{Proxy: wrong}); !errors.Is(err, outbound.ErrProxy) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
