package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A private authority and a proxy hold for the identity provider, in the server and in the doctor; what is wrong with them is told by its key.
func TestOutbound(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		t.Setenv(name, "")
	}
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":"https://example.com","authorization_endpoint":"https://example.com/authorize","token_endpoint":"https://example.com/token","jwks_uri":"https://example.com/keys"}`)
	}))
	t.Cleanup(issuer.Close)
	issuer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // example.com is the name in the issuer's certificate
		there, err := net.Dial("tcp", issuer.Listener.Addr().String())
		if err != nil || r.Method != http.MethodConnect || r.Host != "example.com:443" {
			http.Error(w, "not reached", http.StatusBadGateway)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { defer there.Close(); io.Copy(there, here) }()
		defer here.Close()
		io.Copy(here, there)
	}))
	t.Cleanup(proxy.Close)
	dir := t.TempDir()
	ca, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "rollcall.yaml")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(outbound string) {
		t.Helper()
		text := fmt.Sprintf("listen: 127.0.0.1:%d\ndatabase: sqlite:%s\noidc: {issuer: 'https://example.com', client_id: x}\nlog: {level: error}\noutbound: {%s}\n", freePort(), filepath.Join(dir, "all.db"), outbound)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	say := func(args ...string) string {
		var out bytes.Buffer
		run(append(args, "--config", config), strings.NewReader(""), &out, &out)
		return out.String()
	}
	for _, row := range []struct{ outbound, want string }{
		{"proxy: '" + proxy.URL + "', ca_file: " + ca, "ok +oidc +the issuer answers"},
		{"proxy: '" + proxy.URL + "'", "unknown authority"},
		{"proxy: 'http://127.0.0.1:1', ca_file: " + ca, "failed +proxy +127.0.0.1:1 is not reached"},
		{"proxy: 'proxy:3128'", "outbound.proxy: proxy: wants http://host:port"},
		{"ca_file: /nowhere.pem", "outbound.ca_file: authorities: open /nowhere.pem"},
		{"ca_file: " + config, "holds no certificate in PEM"},
	} {
		write(row.outbound)
		if out := strings.Join(strings.Fields(say("doctor")), " "); !strings.Contains(out, strings.ReplaceAll(row.want, " +", " ")) {
			t.Errorf("%s:\n%s", row.outbound, out)
		}
	}
	write("proxy: 'http://somebody:canary@127.0.0.1:3128'")
	if out := say("config", "print"); strings.Contains(out, "canary") || !strings.Contains(out, "127.0.0.1:3128") {
		t.Errorf("the proxy's password is shown, or its address is not:\n%s", out)
	}

	write("proxy: '" + proxy.URL + "', ca_file: " + ca)
	cfg, err := loadConfig(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := newApp(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	answer := httptest.NewRecorder()
	a.handler().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, "GET", cfg.PublicURL+"/auth/login", nil))
	if to := answer.Header().Get("Location"); !strings.HasPrefix(to, "https://example.com/authorize?") {
		t.Errorf("%d to %q: %s", answer.Code, to, answer.Body)
	}
}
