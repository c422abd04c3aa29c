package ldap_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// holds: R16
func TestTLS(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 3, Units: 1}.LDIF())
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URLS, "ldaps://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		alter func(*ldap.Config)
		want  error
		text  string
	}{
		{"ldaps with the right authority", func(*ldap.Config) {}, nil, ""},
		{"ldaps by host name", func(c *ldap.Config) { c.URL = "ldaps://localhost:" + port }, nil, ""},
		{"StartTLS with the right authority", func(c *ldap.Config) { c.URL = s.URL }, nil, ""},
		{"other authority", func(c *ldap.Config) { c.CAFile = s.OtherCA }, ldap.ErrTLS, "set ca_file"},
		{"the authority of everything outbound", func(c *ldap.Config) { c.CAFile, c.Roots = "", trusted(t, s.CAFile) }, nil, ""},
		{"another authority of everything outbound", func(c *ldap.Config) { c.CAFile, c.Roots = "", trusted(t, s.OtherCA) }, ldap.ErrTLS, "set ca_file"},
		{"its own authority before that of everything outbound", func(c *ldap.Config) { c.Roots = trusted(t, s.OtherCA) }, nil, ""},
		{"the system's authorities", func(c *ldap.Config) { c.CAFile = "" }, ldap.ErrTLS, "set ca_file"},
		{"other authority, StartTLS", func(c *ldap.Config) { c.URL, c.CAFile = s.URL, s.OtherCA }, ldap.ErrTLS, "set ca_file"},
		{"other name", func(c *ldap.Config) { c.ServerName = "ldap.other.example" }, ldap.ErrTLS, "server_name"},
		{"alias", func(c *ldap.Config) { c.ServerName = "ldap.corp.example" }, nil, ""},
		{"StartTLS on the port of ldaps", func(c *ldap.Config) { c.URL = "ldap://127.0.0.1:" + port }, ldap.ErrTLS, "use ldaps://"},
		{"ldaps on the plain port", func(c *ldap.Config) { c.URL = strings.Replace(s.URL, "ldap://", "ldaps://", 1) }, ldap.ErrTLS, "usually 636"},
		{"wrong password", func(c *ldap.Config) { c.Password = canary }, ldap.ErrLogin, "bind_dn or password is wrong"},
	} {
		c := slapdConfig(s)
		c.Timeout = 2 * time.Second
		row.alter(&c)
		caps, findings, err := client(t, c).Probe(t.Context())
		noCanary(t, row.name, err, findings, c)
		switch {
		case !errors.Is(err, row.want) || row.want == nil && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case err != nil && !strings.Contains(err.Error(), row.text):
			t.Errorf("%s: the text does not help: %v", row.name, err)
		case err == nil && !strings.HasPrefix(caps.TLS, "TLS 1."):
			t.Errorf("%s: secured with %q", row.name, caps.TLS)
		}
	}
}

func trusted(t *testing.T, path string) func() *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(path)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s: %v", path, err)
	}
	return func() *x509.CertPool { return pool }
}

// TestStartTLSNeverFallsBack connects to a server without TLS: nothing may be sent after the refusal, least of all a password.
//
// holds: R16
func TestStartTLSNeverFallsBack(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":            "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00",
		"accepted, no TLS":   "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00" + strings.Repeat("no TLS ", 200),
		"closed":             "",
		"not LDAP":           "HTTP/1.1 400 Bad Request\r\n\r\n",
		"length of a galaxy": "\x30\x84\x7f\xff\xff\xff",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				got <- nil
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(2 * time.Second))
			first := make([]byte, 512)
			n, _ := c.Read(first)
			_, _ = io.WriteString(c, answer)
			if answer == "" {
				c.Close()
			}
			rest, _ := io.ReadAll(c)
			got <- append(first[:n], rest...)
		}()
		_, _, err = client(t, ldap.Config{URL: "ldap://" + l.Addr().String(), BindDN: "cn=x", Password: canary, Base: base, Timeout: time.Second}).Probe(t.Context())
		l.Close()
		if err == nil {
			t.Errorf("%s: connected", name)
		}
		noCanary(t, name, err)
		if sent := <-got; bytes.Contains(sent, []byte(canary)) || bytes.Contains(sent, []byte("cn=x")) {
			t.Errorf("%s: the login was sent without TLS: %q", name, sent)
		}
	}
}

func TestConfig(t *testing.T) {
	good := ldap.Config{URL: "ldaps://ldap.corp.example", BindDN: "cn=x," + base, Password: canary, Base: base}
	for _, row := range []struct {
		alter func(*ldap.Config)
		want  string
	}{
		{func(c *ldap.Config) {}, ""},
		{func(c *ldap.Config) { c.BindDN = "svc@corp.example" }, ""},
		{func(c *ldap.Config) { c.URL = "http://x" }, "url"},
		{func(c *ldap.Config) { c.URL = "ldaps://u:p@x" }, "url"},
		{func(c *ldap.Config) { c.URL = "ldap://ldap.corp.example"; c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.URL = "ldap://10.0.0.1"; c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.InsecurePlain = true }, "insecure_plain"},
		{func(c *ldap.Config) { c.CAFile = "/nonexistent" }, "ca_file"},
		{func(c *ldap.Config) { c.URL = "ldaps://ldap.corp.example:99999" }, "99999 is not a port"},
		{func(c *ldap.Config) { c.URL = "ldaps://ldap.corp.example:6360" }, ""},
		{func(c *ldap.Config) { c.URL = "" }, "url: is missing"},
		{func(c *ldap.Config) { c.Sentinel = "ou=people,dc=other" }, "is not below base"},
		{func(c *ldap.Config) { c.Sentinel = "OU=people, " + strings.ToUpper(base) }, ""},
		{func(c *ldap.Config) { c.IDAttribute = "Mail" }, "never a key"},
		{func(c *ldap.Config) { c.Base = "" }, "base: is missing"},
		{func(c *ldap.Config) { c.Base = "not a name" }, "base"},
		{func(c *ldap.Config) { c.Password = "" }, "password"},
		{func(c *ldap.Config) { c.PersonClasses = []string{"a)(uid=*"} }, "person_classes"},
		{func(c *ldap.Config) { c.IDAttribute = "x)(y" }, "id_attribute"},
		{func(c *ldap.Config) { c.Mapping = map[string]string{"nickname": "x"} }, "mapping.nickname"},
		{func(c *ldap.Config) { c.Mapping = map[string]string{"title": "a)(b=*"} }, "mapping.title"},
		{func(c *ldap.Config) { c.Labels = map[string]string{"x": "a)"} }, "labels.x"},
		{func(c *ldap.Config) { c.PageSize = -1 }, "page_size"},
		{func(c *ldap.Config) { c.Inventory = -time.Second }, "inventory"},
		{func(c *ldap.Config) { c.Timeout = -time.Second }, "timeout"},
		{func(c *ldap.Config) { c.IDAttribute = "userPassword" }, "id_attribute"},
		{func(c *ldap.Config) { c.Labels = map[string]string{"x": "2.5.4.35"} }, "labels.x"},
	} {
		c := good
		row.alter(&c)
		err := c.Check()
		noCanary(t, "config", err, c)
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, ldap.ErrConfig) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("wants an error about %q: %v", row.want, err)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", good, "secret", good.Password)
	out, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	noCanary(t, "encoding", log.String(), string(out))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	good.CAFile = empty
	if err := good.Check(); !errors.Is(err, ldap.ErrConfig) {
		t.Errorf("a CA file without certificates: %v", err)
	}
}
