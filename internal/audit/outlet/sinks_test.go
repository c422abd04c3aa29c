package outlet

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/webhook"
)

const hookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

// trusted writes the certificate of a server where an outlet reads who signed it.
func trusted(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An address that refuses, cuts the line and forgets what it took gets every record that it said it has exactly in order, signed.
func TestHook(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		logged(t, d)
		key, err := webhook.Secret(hookSecret)
		if err != nil {
			t.Fatal(err)
		}
		var calls atomic.Int64
		var shown atomic.Bool // the first failure
		var mu sync.Mutex
		var got bytes.Buffer
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if want := webhook.Sign(key, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body); r.Header.Get("webhook-signature") != want {
				t.Errorf("signature %s, want %s", r.Header.Get("webhook-signature"), want)
			}
			if !shown.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			switch calls.Add(1) {
			case 1:
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return
			case 2:
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					conn.Close()
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got.Write(body)
			w.WriteHeader(http.StatusNoContent)
		}))
		defer s.Close()
		secret, public := keys(t, "rollcall.example.com")
		c := Config{Name: "hook", URL: s.URL + "/audit", Secret: hookSecret, CAFile: trusted(t, s)}
		add(t, d, 0, 40)
		stop := running(t, d, c, secret, time.Second)
		defer stop()
		until(t, "the failure is shown", func() bool { return strings.Contains(state(t, d, c).Problem, "503") })
		shown.Store(true)
		until(t, "everything arrives", func() bool {
			now := state(t, d, c)
			return now.Behind == 0 && now.CheckpointSize == 40 && now.Problem == ""
		})
		known, err := Verifiers([]string{public})
		if err != nil {
			t.Fatal(err)
		}
		stream := &Stream{Keys: known}
		mu.Lock()
		defer mu.Unlock()
		if err := stream.Read(&got); err != nil {
			t.Fatal(err)
		}
		if proof, err := stream.Proof(); err != nil || proof.Records != 40 || proof.Proven != 40 {
			t.Errorf("%+v %v", proof, err)
		}
	})
}

var framed = regexp.MustCompile(`^<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z node-1 rollcall - thing\.made \[meta sequenceId="(\d+)"\] (?:\x{feff})?(\{.*\})$`)

// A syslog server that takes frames off the line and dies before it has written them down loses nothing: they come again.
func TestSyslogDies(t *testing.T) {
	d := logged(t, dbtest.SQLite(t))
	certificate := httptest.NewTLSServer(http.NotFoundHandler())
	defer certificate.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := tls.NewListener(plain, &tls.Config{Certificates: certificate.TLS.Certificates})
	defer listener.Close()
	var mu sync.Mutex
	stored := map[int]int{} // number -> times
	highest, gaps, deaths := -1, 0, 0
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			lives := 1 + rand.IntN(12) // eight times at most 12: they are over before the hundredth record
			if deaths >= 8 {
				lives = 1 << 30
			}
			in := bufio.NewReader(conn)
			for range lives {
				text, err := in.ReadString(' ')
				if err != nil {
					break
				}
				size, err := strconv.Atoi(strings.TrimSuffix(text, " "))
				if err != nil {
					t.Errorf("frame of %q", text)
					break
				}
				frame := make([]byte, size)
				if _, err := io.ReadFull(in, frame); err != nil {
					break
				}
				m := framed.FindSubmatch(frame)
				if m == nil {
					t.Errorf("frame %q", frame)
					continue
				}
				n, _ := strconv.Atoi(string(m[1]))
				mu.Lock()
				stored[n]++
				if n > highest+1 && highest >= 0 {
					gaps++
				}
				highest = max(highest, n)
				mu.Unlock()
			}
			mu.Lock()
			deaths++
			mu.Unlock()
			conn.Close()
		}
	}()
	c := Config{Name: "siem", URL: "syslog+tls://" + plain.Addr().String(), CAFile: trusted(t, certificate)}
	add(t, d, 0, 100)
	stop := running(t, d, c, "", time.Minute)
	defer stop()
	until(t, "all records are stored, after eight deaths", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(stored) == 100 && deaths >= 8
	})
	mu.Lock()
	defer mu.Unlock()
	if gaps > 0 {
		t.Errorf("%d gaps", gaps)
	}
	for n := 1; n <= 100; n++ {
		if stored[n] == 0 {
			t.Errorf("record %d never arrived", n)
		}
	}
}

// rsyslogd takes what is sent, by TLS, and writes down each leaf as it was hashed.
func TestRsyslog(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/rsyslogd"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("rsyslogd is not installed: make deps")
		}
		t.Skip("rsyslogd is not installed: make deps")
	}
	d := logged(t, dbtest.SQLite(t))
	dir, err := os.MkdirTemp("", "rsyslog")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	if out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
		"-addext", "subjectAltName=IP:127.0.0.1", "-keyout", in("key.pem"), "-out", in("cert.pem")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	if err := os.WriteFile(in("conf"), fmt.Appendf(nil, `global(workDirectory="%[1]s" maxMessageSize="64k" defaultNetstreamDriverCAFile="%[1]s/cert.pem" defaultNetstreamDriverCertFile="%[1]s/cert.pem" defaultNetstreamDriverKeyFile="%[1]s/key.pem" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="leaf" type="string" string="%%msgid%%|%%structured-data%%|%%msg%%\n")
ruleset(name="audit") { action(type="omfile" file="%[1]s/out" template="leaf") }
input(type="imtcp" port="%[2]d" address="127.0.0.1" ruleset="audit")
`, dir, port), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("/usr/sbin/rsyslogd", "-n", "-f", in("conf"), "-i", in("pid"))
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	secret, public := keys(t, "rollcall.example.com")
	c := Config{Name: "siem", URL: fmt.Sprintf("syslog+tls://127.0.0.1:%d", port), CAFile: in("cert.pem")}
	add(t, d, 0, 30)
	stop := running(t, d, c, secret, time.Second)
	defer stop()
	var lines []string
	until(t, "30 records and a checkpoint are in the file\n"+said.String(), func() bool {
		text, _ := os.ReadFile(in("out"))
		lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return len(lines) >= 31
	})
	known, err := Verifiers([]string{public})
	if err != nil {
		t.Fatal(err)
	}
	stream := &Stream{Keys: known}
	for i, line := range lines[:31] {
		part := strings.SplitN(line, "|", 3)
		if len(part) != 3 {
			t.Fatalf("line %q", line)
		}
		text := strings.TrimPrefix(part[2], "\ufeff")
		if part[0] == "audit.checkpoint" {
			err = stream.checkpoint(strings.ReplaceAll(text, `\n`, "\n"))
		} else {
			if want := fmt.Sprintf(`[meta sequenceId="%d"]`, i+1); part[1] != want {
				t.Errorf("%s, want %s", part[1], want)
			}
			err = stream.tree.Add(text)
		}
		if err != nil {
			t.Fatalf("line %d %q: %v", i, line, err)
		}
	}
	if proof, err := stream.Proof(); err != nil || proof.Proven != 30 {
		t.Errorf("%+v %v", proof, err)
	}
}

const (
	s3Key, s3Secret = "AKIDEXAMPLE", "wJalrXUtnFEMI"
	s3Bucket        = "audit"
)

// store is as much of an object store as an outlet asks for: signatures (AWS Signature Version 4), the lock of a bucket, and objects that nobody overwrites.
type store struct {
	t       *testing.T
	locks   atomic.Bool
	mu      sync.Mutex
	objects map[string][]byte
}

func hmac256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// signedBy works out the signature of a request anew.
func signedBy(r *http.Request, secret string) (string, string) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	field := map[string]string{}
	for _, one := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(one), "=")
		field[name] = value
	}
	scope := strings.SplitN(field["Credential"], "/", 2)[1]
	var headers strings.Builder
	for _, name := range strings.Split(field["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		if name == "content-length" {
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"), headers.String(), field["SignedHeaders"], r.Header.Get("x-amz-content-sha256")}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + r.Header.Get("x-amz-date") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret)
	for _, part := range strings.Split(scope, "/") {
		key = hmac256(key, part)
	}
	return field["Signature"], hex.EncodeToString(hmac256(key, text))
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
	}
	if got, want := signedBy(r, s3Secret); got != want {
		refuse(http.StatusForbidden, "SignatureDoesNotMatch")
		return
	}
	if r.Method == http.MethodGet && r.URL.Query().Has("object-lock") {
		if !s.locks.Load() {
			refuse(http.StatusNotFound, "ObjectLockConfigurationNotFoundError")
			return
		}
		fmt.Fprint(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPut {
		refuse(http.StatusMethodNotAllowed, "MethodNotAllowed")
		return
	}
	retain, err := time.Parse(time.RFC3339, r.Header.Get("x-amz-object-lock-retain-until-date"))
	sum := md5.Sum(body)
	switch {
	case err != nil || r.Header.Get("x-amz-object-lock-mode") != "COMPLIANCE" || time.Until(retain) < leastRetain-time.Hour:
		refuse(http.StatusBadRequest, "InvalidRetention")
	case r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]):
		refuse(http.StatusBadRequest, "BadDigest")
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.objects[r.URL.Path] = body
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	}
}

// An object store is given nothing before its bucket says that it locks; then every part is an object that is kept half a year, and together they prove the log.
func TestObjects(t *testing.T) {
	d := logged(t, dbtest.SQLite(t))
	s := &store{t: t, objects: map[string][]byte{}}
	server := httptest.NewTLSServer(s)
	defer server.Close()
	secret, public := keys(t, "rollcall.example.com")
	c := Config{Name: "worm", URL: "s3://" + s3Bucket + "/rollcall", Secret: s3Secret, CAFile: trusted(t, server), Linger: 100 * time.Millisecond, S3: S3{Endpoint: server.URL, AccessKey: s3Key}}
	add(t, d, 0, 20)
	stop := running(t, d, c, secret, time.Second)
	defer stop()
	until(t, "an open bucket is refused", func() bool { return strings.Contains(state(t, d, c).Problem, "locks") })
	s.mu.Lock()
	if len(s.objects) > 0 {
		t.Error("it was given something all the same")
	}
	s.mu.Unlock()
	s.locks.Store(true)
	until(t, "everything is there", func() bool { now := state(t, d, c); return now.Behind == 0 && now.CheckpointSize == 20 })
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := Verifiers([]string{public})
	if err != nil {
		t.Fatal(err)
	}
	stream := &Stream{Keys: known}
	records := s.objects["/audit/rollcall/records/00000000000000000000-00000000000000000019.jsonl"]
	if err := stream.Read(bytes.NewReader(records)); err != nil {
		t.Fatal(err)
	}
	if err := stream.checkpoint(string(s.objects["/audit/rollcall/checkpoints/00000000000000000020.txt"])); err != nil {
		t.Error(err)
	}
	if proof, err := stream.Proof(); err != nil || proof.Proven != 20 {
		t.Errorf("%+v %v", proof, err)
	}
}
