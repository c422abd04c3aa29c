package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/mail/mailtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": watchedMain, "observer": observe, "receivers": receive})
}

// The stories: the real binary, real HTTP, real sockets, once per database. See testdata/script/README.md
// for the words they are written in.
func TestStories(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			certs := t.TempDir()
			ldaptest.Certificates(t, certs)
			dbtest.DSN(t, engine) // says here that PostgreSQL is left out, once
			testscript.Run(t, testscript.Params{
				Dir:                 "testdata/script",
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Setup: func(env *testscript.Env) error {
					s := &story{t: t, engine: engine, dsn: dbtest.DSN(t, engine), certs: certs, listeners: map[string]*listener{}}
					env.Values[storyKey{}] = s
					env.Defer(s.close)
					env.Setenv("ADMIN_TOKEN", "story-bootstrap-token-0123456789")
					env.Setenv("DATABASE", s.dsn)
					env.Setenv("CANARY", "s3cr3t-canary-7531")
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"serve": serveWord, "halt": haltWord, "source": sourceWord, "http": httpWord, "capture": captureWord, "expect": expectWord,
					"eventually": eventuallyWord, "listen": listenWord, "hears": hearsWord, "unheard": unheardWord, "cut": cutWord, "login": loginWord,
					"slapd": slapdWord, "password": passwordWord, "session": sessionWord, "quiet": quietWord, "channel": channelWord, "hook": hookWord,
					"carry": carryWord, "soon": soonWord, "reach": reachWord, "database": databaseWord, "reload": reloadWord,
					"postbox": postboxWord, "postbox-refuses": postboxRefusesWord, "mailed": mailedWord, "browse": browseWord, "quiet-about": quietAboutWord, "link-of": linkOfWord, "smsbox": smsboxWord, "texted": textedWord,
				},
			})
		})
	}
}

type storyKey struct{}

// story is the state of one script: its server, its sockets, the last answer.
type story struct {
	t         *testing.T
	engine    db.Engine
	dsn       string
	certs     string // folder
	cookie    string // of who signed in with a password
	config    string
	port      int
	server    *exec.Cmd
	slapd     *exec.Cmd
	log       *bytes.Buffer
	logMu     sync.Mutex
	status    int
	header    http.Header
	body      []byte
	listeners map[string]*listener
	postbox   *mailtest.Sink
	smsbox    *smsbox
	browsers  map[string]*http.Client // by whose they are
}

func of(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

func (s *story) Write(p []byte) (int, error) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.Write(p)
}

func (s *story) logText() string {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.String()
}

func (s *story) close() {
	for _, l := range s.listeners {
		l.conn.CloseNow()
	}
	s.stop(os.Interrupt)
	s.stopSlapd()
}

func (s *story) stop(signal os.Signal) {
	if s.server == nil {
		return
	}
	s.server.Process.Signal(signal)
	done := make(chan struct{})
	go func() { s.server.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		s.server.Process.Kill()
		<-done
	}
	s.server = nil
}

var givenPorts sync.Map // stories run side by side: no port is given twice

func freePort() int {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, taken := givenPorts.LoadOrStore(port, true); !taken {
			return port
		}
	}
}

// serve [KEY=VALUE…]: starts (or starts again) the server on the story's database and waits until it is ready.
func serveWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	if s.port == 0 {
		s.port = freePort()
		s.config = ts.MkAbs("rollcall.yaml")
		ts.Setenv("ROLLCALL_URL", fmt.Sprintf("http://127.0.0.1:%d", s.port))
		ts.Setenv("ROLLCALL_TOKEN", ts.Getenv("ADMIN_TOKEN"))
		ts.Setenv("LISTEN", fmt.Sprintf("127.0.0.1:%d", s.port))
	}
	if _, err := os.Stat(s.config); err != nil || len(args) == 0 {
		s.configure(ts, "extra.yaml")
	}
	binary := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if found := filepath.Join(dir, "rollcall"); binary == "" {
			if _, err := os.Stat(found); err == nil {
				binary = found
			}
		}
	}
	s.log = &bytes.Buffer{}
	s.server = exec.Command(binary, "serve", "--config", s.config)
	s.server.Env = append(os.Environ(), "ADMIN_TOKEN="+ts.Getenv("ADMIN_TOKEN"), "PATH="+ts.Getenv("PATH"))
	s.server.Env = append(s.server.Env, args...)
	s.server.Stderr, s.server.Stdout = s, s
	ts.Check(s.server.Start())
	deadline := time.Now().Add(30 * time.Second)
	for {
		answer, err := http.Get(ts.Getenv("ROLLCALL_URL") + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("server is not ready:\n%s", s.logText())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// configure writes the configuration, with what stands in a file of the story.
func (s *story) configure(ts *testscript.TestScript, extra string) {
	text := fmt.Sprintf("listen: 127.0.0.1:%d\ndatabase: %q\nbootstrap_token: ${ADMIN_TOKEN}\ndev: {impersonation: true}\n", s.port, s.dsn)
	if more, err := os.ReadFile(ts.MkAbs(extra)); err == nil {
		text += os.Expand(string(more), ts.Getenv)
	}
	ts.Check(os.WriteFile(s.config, []byte(text), 0o600))
}

// reload FILE: has the server read its configuration again, with what stands in FILE.
func reloadWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	s.configure(ts, args[0])
	ts.Check(s.server.Process.Signal(syscall.SIGHUP))
}

// database NAME [other]: puts the address of another, empty database, of the other engine where it says so, into $DATABASE_NAME, and into $LISTEN_NAME an
// address that a server on it can listen on.
func databaseWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	engine := s.engine
	if len(args) == 2 && args[1] == "other" {
		engine = map[db.Engine]db.Engine{db.SQLite: db.Postgres, db.Postgres: db.SQLite}[engine]
	}
	ts.Setenv("DATABASE_"+args[0], dbtest.DSN(s.t, engine))
	ts.Setenv("LISTEN_"+args[0], fmt.Sprintf("127.0.0.1:%d", freePort()))
}

// halt [hard]: ends the server, politely or by SIGKILL.
func haltWord(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 1 && args[0] == "hard" {
		of(ts).stop(os.Kill)
		return
	}
	of(ts).stop(os.Interrupt)
}

// source NAME [dry-run]: makes a SCIM source and puts its token into $SCIM_NAME, its id into $SOURCE_NAME. One that begins with a dry
// run joins people by their employee number.
func sourceWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	body := fmt.Sprintf(`{"name":%q,"kind":"scim"}`, args[0])
	if len(args) > 1 && args[1] == "dry-run" {
		body = fmt.Sprintf(`{"name":%q,"kind":"scim","priority":1,"dry_run":true,"correlate":["employee_number"]}`, args[0])
	}
	s.request(ts, "POST", "/api/v1/sources", ts.Getenv("ADMIN_TOKEN"), body)
	source := s.field(ts, "id")
	s.request(ts, "POST", "/api/v1/sources/"+source+"/tokens", ts.Getenv("ADMIN_TOKEN"), `{"name":"story"}`)
	secret := s.field(ts, "secret")
	ts.Setenv("SCIM_"+strings.ToUpper(args[0]), secret)
	ts.Setenv("SOURCE_"+strings.ToUpper(args[0]), source)
}

// http WHO METHOD PATH [BODY-FILE]: WHO is admin, nobody, a source (its token is $SCIM_…) or a person (its token
// is $TOKEN_…). The status must be below 400, with "!" 400 or above.
func httpWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	if len(args) < 3 {
		ts.Fatalf("usage: http WHO METHOD PATH [BODY-FILE]")
	}
	token := ts.Getenv("TOKEN_" + strings.ToUpper(args[0]))
	switch {
	case args[0] == "admin":
		token = ts.Getenv("ADMIN_TOKEN")
	case args[0] == "nobody":
		token = ""
	case token == "":
		token = ts.Getenv("SCIM_" + strings.ToUpper(args[0]))
	}
	body := ""
	if len(args) > 3 {
		body = os.Expand(ts.ReadFile(args[3]), ts.Getenv)
	}
	s.request(ts, args[1], args[2], token, body)
	if failed := s.status >= 400; failed != neg {
		ts.Fatalf("%s %s answered %d: %s\nserver log:\n%s", args[1], args[2], s.status, s.body, s.logText())
	}
}

func (s *story) request(ts *testscript.TestScript, method, path, token, body string) {
	request, err := http.NewRequest(method, ts.Getenv("ROLLCALL_URL")+path, strings.NewReader(body))
	ts.Check(err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(path, "/scim/") {
			request.Header.Set("Content-Type", "application/scim+json")
		}
	}
	s.send(ts, request)
}

// send keeps the answer to request.
func (s *story) send(ts *testscript.TestScript, request *http.Request) {
	s.sendBy(ts, http.DefaultClient, request)
}

func (s *story) sendBy(ts *testscript.TestScript, by *http.Client, request *http.Request) {
	answer, err := by.Do(request)
	if err != nil {
		ts.Fatalf("%s %s: %v\nserver log:\n%s", request.Method, request.URL.Path, err, s.logText())
	}
	defer answer.Body.Close()
	s.status, s.header = answer.StatusCode, answer.Header
	s.body, err = io.ReadAll(answer.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", s.status, s.body)
}

// field answers what stands at a dotted path of the last answer: items.0.id; "count" at the end counts.
func (s *story) field(ts *testscript.TestScript, path string) string {
	var at any
	if err := json.Unmarshal(s.body, &at); err != nil {
		ts.Fatalf("answer is not JSON: %s", s.body)
	}
	for _, part := range strings.Split(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
			if part == "count" {
				at = len(v)
			}
		case []any:
			n, err := strconv.Atoi(part)
			switch {
			case part == "count":
				at = len(v)
			case err != nil || n >= len(v):
				return ""
			default:
				at = v[n]
			}
		default:
			if part == "count" {
				at = 0
				continue
			}
			return ""
		}
	}
	switch v := at.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(at)
	ts.Check(err)
	return string(text)
}

// capture NAME PATH: puts a field of the last answer into $NAME.
func captureWord(ts *testscript.TestScript, _ bool, args []string) {
	value := of(ts).field(ts, args[1])
	if value == "" {
		ts.Fatalf("answer has no %s: %s", args[1], of(ts).body)
	}
	ts.Setenv(args[0], value)
}

// expect PATH VALUE: a field of the last answer is VALUE; expect status CODE. "!" turns it round.
func expectWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	got := strconv.Itoa(s.status)
	if args[0] != "status" {
		got = s.field(ts, args[0])
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q, answer: %d %s", args[0], got, s.status, s.body)
	}
}

// eventually WHO PATH FIELD VALUE: asks again for at most 10 s until the field is the value.
func eventuallyWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	token := ts.Getenv("TOKEN_" + strings.ToUpper(args[0]))
	if args[0] == "admin" {
		token = ts.Getenv("ADMIN_TOKEN")
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.request(ts, "GET", args[1], token, "")
		got := strconv.Itoa(s.status)
		if args[2] != "status" {
			got = s.field(ts, args[2])
		}
		if (got == args[3]) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s stays %q: %d %s\nserver log:\n%s", args[2], got, s.status, s.body, s.logText())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// login NAME PERSON-ID: makes an API token for a person and puts it into $TOKEN_NAME.
func loginWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	s.request(ts, "POST", "/api/v1/people/"+args[1]+"/tokens", ts.Getenv("ADMIN_TOKEN"), `{"name":"story"}`)
	if failed := s.status >= 400; failed != neg {
		ts.Fatalf("token for %s: %d %s", args[1], s.status, s.body)
	}
	if !neg {
		ts.Setenv("TOKEN_"+strings.ToUpper(args[0]), s.field(ts, "token"))
	}
}

type listener struct {
	conn   *websocket.Conn
	mu     sync.Mutex
	frames []string
	ended  error
	done   chan struct{}
}

func (l *listener) heard(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, frame := range l.frames {
		if strings.Contains(frame, text) {
			return true
		}
	}
	return false
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.frames, "\n")
}

// listen NAME: opens a WebSocket with $TOKEN_NAME and gathers every frame. With "!" the server must refuse.
func listenWord(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(ts.Getenv("ROLLCALL_URL"), "http", "ws", 1)+"/api/v1/stream",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + ts.Getenv("TOKEN_"+strings.ToUpper(args[0]))}}})
	if neg {
		if err == nil {
			ts.Fatalf("the stream let %s in", args[0])
		}
		return
	}
	ts.Check(err)
	conn.SetReadLimit(1 << 20)
	l := &listener{conn: conn, done: make(chan struct{})}
	s.listeners[args[0]] = l
	ready := make(chan struct{})
	go func() {
		defer close(l.done)
		for {
			_, frame, err := conn.Read(context.Background())
			l.mu.Lock()
			if err != nil {
				l.ended = err
				l.mu.Unlock()
				return
			}
			l.frames = append(l.frames, string(frame))
			if len(l.frames) == 1 {
				close(ready)
			}
			l.mu.Unlock()
		}
	}()
	ts.Check(conn.Write(ctx, websocket.MessageText, []byte(`{"op":"resume","person_seq":0,"channels":{}}`)))
	select {
	case <-ready:
	case <-time.After(5 * time.Second):
		ts.Fatalf("the stream greets nobody")
	}
	time.Sleep(50 * time.Millisecond)
}

// hears NAME TEXT: a frame that holds TEXT arrives within 5 s.
func hearsWord(ts *testscript.TestScript, _ bool, args []string) {
	l := of(ts).listeners[args[0]]
	for deadline := time.Now().Add(5 * time.Second); !l.heard(args[1]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s never heard %q, but:\n%s", args[0], args[1], l.all())
		}
	}
}

// unheard NAME TEXT: within half a second no frame holds TEXT.
func unheardWord(ts *testscript.TestScript, _ bool, args []string) {
	time.Sleep(500 * time.Millisecond)
	if l := of(ts).listeners[args[0]]; l.heard(args[1]) {
		ts.Fatalf("%s heard %q:\n%s", args[0], args[1], l.all())
	}
}

// cut NAME: the server ends the socket within 2 s.
func cutWord(ts *testscript.TestScript, _ bool, args []string) {
	l := of(ts).listeners[args[0]]
	select {
	case <-l.done:
	case <-time.After(2 * time.Second):
		ts.Fatalf("the socket of %s is still open", args[0])
	}
}

// quiet TEXT: no line the server has logged holds TEXT.
func quietWord(ts *testscript.TestScript, _ bool, args []string) {
	if log := of(ts).logText(); strings.Contains(log, args[0]) {
		ts.Fatalf("the log holds %q:\n%s", args[0], log)
	}
}

// channel NAME GROUP/CHANNEL: puts the id of a channel into $NAME.
func channelWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	s.request(ts, "GET", "/api/v1/groups", ts.Getenv("ADMIN_TOKEN"), "")
	var groups struct {
		Items []struct {
			Key      string
			Channels []struct{ ID, Key string }
		}
	}
	ts.Check(json.Unmarshal(s.body, &groups))
	for _, g := range groups.Items {
		for _, c := range g.Channels {
			if g.Key+"/"+c.Key == args[1] {
				ts.Setenv(args[0], c.ID)
				return
			}
		}
	}
	ts.Fatalf("no channel %s: %s", args[1], s.body)
}
