package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// composeFile is docker-compose.yml as docker-compose understands it.
type composeFile struct {
	Services map[string]composeService
	Secrets  map[string]struct{ File string }
}

type composeService struct {
	Image       string
	Command     []string
	Environment map[string]string
	Ports       []any
	Volumes     []any
	Secrets     []struct{ Source, Target string }
	Restart     string
	Healthcheck struct{ Test []string }
	ReadOnly    bool     `yaml:"read_only"`
	MemLimit    string   `yaml:"mem_limit"`
	SecurityOpt []string `yaml:"security_opt"`
}

// needed answers a program that make deps installs; a test without it says that it was skipped, and in CI it fails.
func needed(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed in CI: make deps installs it", names[0])
	}
	t.Skipf("skipped: %s is not installed (make deps does)", names[0])
	return ""
}

// neededOpenFGA answers OpenFGA's server, of the version that is built in.
func neededOpenFGA(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob("../../.deps/bin/openfga-v*")
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range all {
		if all[i], err = filepath.Abs(one); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if _, version, _ := strings.Cut(filepath.Base(one), "-"); strings.Contains(string(info), "github.com/openfga/openfga "+version+"\n") {
			return one
		}
	}
	return needed(t, "openfga") // none of this version: by its own name
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	out, err := exec.Command(needed(t, "docker-compose"), "-f", "../../docker-compose.yml", "config").Output()
	if err != nil {
		t.Fatalf("docker-compose config: %v", err)
	}
	var file composeFile
	if err := yaml.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// Docker's own tool takes docker-compose.yml, and each service is what its head promises: a version, limits, a check of its health, secrets in
// files, nothing published but on loopback.
func TestComposeFile(t *testing.T) {
	file := readCompose(t)
	if len(file.Services) != 8 {
		t.Errorf("%d services", len(file.Services))
	}
	for name, s := range file.Services {
		if tag := s.Image[strings.LastIndex(s.Image, ":")+1:]; tag == s.Image || tag == "latest" {
			t.Errorf("%s: image %s has no version", name, s.Image)
		}
		if s.MemLimit == "" || len(s.SecurityOpt) == 0 || !s.ReadOnly && name != "postgres" {
			t.Errorf("%s: no limits: %+v", name, s)
		}
		if len(s.Healthcheck.Test) == 0 && s.Restart != "on-failure" {
			t.Errorf("%s: nobody looks after its health", name)
		}
		if len(s.Ports) > 0 && (name != "proxy" || !strings.Contains(fmt.Sprint(s.Ports...), "127.0.0.1:8480:8480")) {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		for key, value := range s.Environment {
			if strings.Contains(key, "PASSWORD") != strings.HasSuffix(key, "_FILE") && strings.Contains(key, "PASSWORD") || strings.Contains(value, "@") {
				t.Errorf("%s: %s holds a secret", name, key)
			}
		}
		for _, secret := range s.Secrets {
			if file.Secrets[secret.Source].File == "" {
				t.Errorf("%s: no secret %s", name, secret.Source)
			}
		}
	}
}

// composed runs the services of docker-compose.yml as processes of this machine: with the command lines, the environment, the secrets and the
// files that stand there, but for addresses and paths.
type composed struct {
	*testing.T
	file    composeFile
	dir     string
	secrets string
	ports   map[string]int // by "host:port" as the containers know it
	logs    map[string]*bytes.Buffer
}

var inFile = regexp.MustCompile(`\b(?:postgres|nats|openfga|rollcall-[123]):(?:5432|4222|8080|8480)\b`)

// here puts this machine's addresses and paths in.
func (c *composed) here(service, text string) string {
	text = inFile.ReplaceAllStringFunc(text, func(at string) string { return fmt.Sprint("127.0.0.1:", c.ports[at]) })
	for _, port := range []string{"8480", "4222", "8080", "8081", "8222"} {
		for _, any := range []string{"0.0.0.0:", "127.0.0.1:"} {
			if at, ok := c.ports[service+":"+port]; ok {
				text = strings.ReplaceAll(text, any+port, fmt.Sprint("127.0.0.1:", at))
			}
		}
	}
	if service == "proxy" {
		text = strings.ReplaceAll(text, "listen 8480", fmt.Sprint("listen 127.0.0.1:", c.ports["proxy:8480"]))
		text = strings.ReplaceAll(text, " /tmp/", " "+c.dir+"/")
	}
	text = strings.ReplaceAll(text, "/run/secrets/", c.secrets+"/")
	return strings.ReplaceAll(text, "/etc/rollcall/", c.dir+"/")
}

// copied writes a file of the repository, or a secret, as service sees it.
func (c *composed) copied(service, from, to string) string {
	c.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, []byte(c.here(service, string(text))), 0o600)
	}
	if err != nil {
		c.Fatal(err)
	}
	return to
}

func (c *composed) start(service, program, dir string, args ...string) {
	c.Helper()
	var env []string
	for key, value := range c.file.Services[service].Environment {
		env = append(env, key+"="+c.here(service, value))
	}
	run := exec.Command(program, args...)
	run.Env, run.Dir = append(env, "PATH="+os.Getenv("PATH"), "HOME="+c.dir), dir
	log := &bytes.Buffer{}
	c.logs[service] = log
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		run.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { run.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			run.Process.Kill()
			<-done
		}
		if c.Failed() {
			c.Logf("%s:\n%s", service, log.String())
		}
	})
}

func (c *composed) await(what string, fn func() error) {
	c.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("%s: %v", what, err)
		}
	}
}

func answers(url string) func() error {
	return func() error {
		answer, err := http.Get(url)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %d", url, answer.StatusCode)
		}
		return nil
	}
}

func compose(t *testing.T) *composed {
	c := &composed{T: t, file: readCompose(t), dir: t.TempDir(), ports: map[string]int{}, logs: map[string]*bytes.Buffer{}}
	nats, nginx, openfga, psql := needed(t, "nats-server", "/usr/sbin/nats-server"), needed(t, "nginx", "/usr/sbin/nginx"), neededOpenFGA(t), needed(t, "psql")
	for _, at := range []string{"nats:4222", "nats:8222", "openfga:8080", "openfga:8081", "rollcall-1:8480", "rollcall-2:8480", "rollcall-3:8480", "proxy:8480"} {
		c.ports[at] = freePort()
	}
	c.secrets = filepath.Join(c.dir, "secrets")
	for range 2 { // the second time everything is there
		if out, err := exec.Command("../../deploy/compose/secrets.sh", c.secrets).CombinedOutput(); err != nil {
			t.Fatalf("secrets.sh: %v\n%s", err, out)
		}
	}
	for name, secret := range c.file.Secrets {
		if _, err := os.Stat(filepath.Join(c.secrets, filepath.Base(secret.File))); err != nil {
			t.Fatalf("secret %s: %v", name, err)
		}
	}
	c.postgres(psql)
	for _, name := range []string{"rollcall_database", "rollcall_bus", "nats.conf", "openfga.yaml"} {
		service, _, _ := strings.Cut(name, ".")
		path := filepath.Join(c.secrets, name)
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		c.copied(service, path, path)
	}
	c.start("nats", nats, c.dir, c.own("nats")...)
	c.await("nats", answers(fmt.Sprintf("http://127.0.0.1:%d/healthz", c.ports["nats:8222"])))

	fga := t.TempDir() // it reads /etc/openfga/config.yaml, or this beside it
	if err := os.Symlink(filepath.Join(c.secrets, "openfga.yaml"), filepath.Join(fga, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	tables := exec.Command(openfga, c.own("openfga-tables")...)
	tables.Dir = fga
	if out, err := tables.CombinedOutput(); err != nil {
		t.Fatalf("openfga migrate: %v\n%s", err, out)
	}
	c.start("openfga", openfga, fga, c.own("openfga")...)
	c.await("openfga", answers(fmt.Sprintf("http://127.0.0.1:%d/healthz", c.ports["openfga:8080"])))

	c.copied("rollcall", "../../deploy/compose/rollcall.yaml", filepath.Join(c.dir, "rollcall.yaml"))
	for _, node := range []string{"rollcall-1", "rollcall-2", "rollcall-3"} {
		c.start(node, "rollcall", c.dir, c.own(node)...)
	}
	c.start("proxy", nginx, c.dir, "-p", c.dir, "-e", "stderr", "-g", "daemon off;", "-c", c.copied("proxy", "../../deploy/compose/nginx.conf", filepath.Join(c.dir, "nginx.conf")))
	for _, node := range []string{"rollcall-1", "rollcall-2", "rollcall-3"} {
		c.await(node, func() error { return c.healthy(node) })
	}
	c.await("proxy", answers(fmt.Sprintf("http://127.0.0.1:%d/readyz", c.ports["proxy:8480"])))
	return c
}

// own is the command line of a service.
func (c *composed) own(service string) []string {
	args := make([]string, len(c.file.Services[service].Command))
	for i, arg := range c.file.Services[service].Command {
		args[i] = c.here(service, arg)
	}
	return args
}

// healthy runs a node's own check of its health, in its environment.
func (c *composed) healthy(node string) error {
	s := c.file.Services[node]
	check := exec.Command("rollcall", s.Healthcheck.Test[2:]...)
	check.Env = []string{"PATH=" + os.Getenv("PATH")}
	for key, value := range s.Environment {
		check.Env = append(check.Env, key+"="+c.here(node, value))
	}
	if out, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// postgres starts the server with the service's own options and runs what its image runs on an empty volume.
func (c *composed) postgres(psql string) {
	c.Helper()
	s := c.file.Services["postgres"]
	superuser, err := os.ReadFile(filepath.Join(c.secrets, "postgres_password"))
	if err != nil {
		c.Fatal(err)
	}
	shared := filepath.Join(os.TempDir(), fmt.Sprintf("rollcall-compose-%d", freePort())) // PostgreSQL is not root
	if err := os.WriteFile(shared, superuser, 0o644); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { os.Remove(shared) })
	setup := []string{"--pwfile=" + shared, "--auth-local=scram-sha-256"}
	for _, arg := range strings.Fields(s.Environment["POSTGRES_INITDB_ARGS"]) {
		if !strings.HasPrefix(arg, "--encoding") && !strings.HasPrefix(arg, "--locale") {
			setup = append(setup, arg)
		}
	}
	port := dbtest.Server(c.T, setup, append(s.Command[1:], "-c", "fsync=off"))
	c.ports["postgres:5432"] = port
	init := exec.Command("../../deploy/compose/postgres-init.sh")
	init.Env = []string{"PATH=" + os.Getenv("PATH"), "POSTGRES_USER=" + s.Environment["POSTGRES_USER"], "SECRETS=" + c.secrets,
		"PGHOST=127.0.0.1", fmt.Sprint("PGPORT=", port), "PGPASSWORD=" + strings.TrimSpace(string(superuser))}
	if out, err := init.CombinedOutput(); err != nil {
		c.Fatalf("postgres-init.sh: %v\n%s", err, out)
	}
}

// The production shape, service by service, on the servers it names: three nodes come up behind the proxy with PostgreSQL, NATS and an OpenFGA of
// its own, a person who is offboarded on one node is nobody on the others, and nobody without its secrets gets in anywhere.
func TestComposeServes(t *testing.T) {
	c := compose(t)
	secret := func(name string) string {
		text, err := os.ReadFile(filepath.Join(c.secrets, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	proxy := fmt.Sprintf("http://127.0.0.1:%d", c.ports["proxy:8480"])
	admin := &client{base: proxy, token: secret("rollcall_bootstrap_token"), http: &http.Client{Timeout: 30 * time.Second}}
	var source struct{ ID string }
	var token struct{ Secret string }
	ctx := context.Background()
	if err := admin.do(ctx, "POST", "/api/v1/sources", map[string]any{"name": "hr", "kind": "scim"}, &source); err != nil {
		t.Fatal(err)
	}
	if err := admin.do(ctx, "POST", "/api/v1/sources/"+source.ID+"/tokens", map[string]any{"name": "test"}, &token); err != nil {
		t.Fatal(err)
	}
	scim := &client{base: proxy, token: token.Secret, http: admin.http}
	var made struct{ ID string }
	if err := scim.do(ctx, "POST", "/scim/v2/Users", map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "zhang.wei", "active": true}, &made); err != nil {
		t.Fatal(err)
	}
	if err := scim.do(ctx, "PATCH", "/scim/v2/Users/"+made.ID, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": false}}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rollcall_nodes 3", "rollcall_bus_connected 1", "rollcall_authz_doubted 0"} {
		until := time.Now().Add(30 * time.Second)
		for !strings.Contains(c.figures(fmt.Sprintf("http://127.0.0.1:%d/metrics", c.ports["rollcall-2:8480"]), admin.token), "\n"+want+"\n") {
			if time.Now().After(until) {
				t.Errorf("figures of a node do not hold %q", want)
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	stranger, err := bus.Connect(bus.Options{URL: fmt.Sprintf("nats://rollcall:wrong@127.0.0.1:%d", c.ports["nats:4222"]), Deployment: "main", Node: "x", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if stranger.Connected() {
		t.Error("NATS lets somebody in with a wrong password")
	}
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/stores", c.ports["openfga:8080"]))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("OpenFGA answers %d to somebody without its key", answer.StatusCode)
	}
	own := secret("rollcall_database")
	for _, dsn := range []string{strings.Replace(own, secret("rollcall_database_password"), "wrong", 1), strings.Replace(own, "/rollcall?", "/openfga?", 1)} {
		if d, err := db.Open(ctx, dsn); err == nil {
			d.Close()
			t.Error("PostgreSQL lets somebody in where they have no business")
		}
	}
}

func (c *composed) figures(url, token string) string {
	c.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}
