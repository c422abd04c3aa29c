// Package dbtest runs one test on both database engines: SQLite in a temporary folder, and a PostgreSQL
// server that it starts on loopback, once per test binary, in a scratch folder, as an unprivileged user.
// Where PostgreSQL is not installed the test says that it was skipped; with CI=true that is a failure.
package dbtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Run runs fn as subtests "sqlite" and "postgres", each on an empty database of its own.
func Run(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) { fn(t, Open(t, DSN(t, engine))) })
	}
}

// DSN answers the address of an empty database on engine, which goes with the test.
func DSN(t testing.TB, engine db.Engine) string {
	t.Helper()
	if engine == db.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	}
	return Postgres(t)
}

// SQLite opens an empty SQLite database that goes with the test.
func SQLite(t testing.TB) *db.DB { return Open(t, DSN(t, db.SQLite)) }

// Open opens dsn and closes it with the test.
func Open(t testing.TB, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

var (
	start = sync.OnceValues(func() (*server, error) {
		return startPostgres([]string{"-A", "trust"}, []string{"-c", "fsync=off", "-c", "max_connections=300", "-c", "shared_buffers=64MB"})
	})
	number atomic.Int64
)

// server is a PostgreSQL server on loopback.
type server struct {
	port, pid int
	dir       string // with its data; it goes with the server
	run       func() (*exec.Cmd, error)
	ended     chan struct{} // closed when the process of pid has
	again     atomic.Bool   // it is started again
}

// Postgres answers the address of an empty PostgreSQL database of its own.
func Postgres(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: PostgreSQL is left out by -short")
	}
	s, err := start()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed in CI: %v", err)
		}
		t.Skipf("skipped: PostgreSQL cannot be started (make deps installs it): %v", err)
	}
	admin, err := db.Open(context.Background(), s.dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := fmt.Sprintf("t%d", number.Add(1))
	pool, err := admin.Pool()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec("create database " + name); err != nil {
		t.Fatal(err)
	}
	return s.dsn(name)
}

func (s *server) dsn(name string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, name)
}

func find(name string) (string, error) {
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/" + name, "/usr/local/bin/" + name} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return exec.LookPath(name)
}

// Server starts a PostgreSQL server for this test alone and answers its port on loopback; superuser is "postgres". setup is said to initdb,
// options to the server.
func Server(t testing.TB, setup, options []string) (port int) {
	t.Helper()
	return own(t, setup, options).port
}

// Restartable starts a PostgreSQL server for this test alone. It answers the address of an empty database there and what stops the server at once, as a
// crash does, and starts it again on the same port.
func Restartable(t testing.TB) (dsn string, restart func()) {
	t.Helper()
	s := own(t, []string{"-A", "trust"}, []string{"-c", "fsync=off", "-c", "max_connections=300", "-c", "shared_buffers=64MB"})
	return s.dsn("postgres"), func() {
		t.Helper()
		s.again.Store(true)
		if err := syscall.Kill(s.pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		<-s.ended
		s.again.Store(false)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
}

func own(t testing.TB, setup, options []string) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: PostgreSQL is left out by -short")
	}
	s, err := startPostgres(setup, options)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed in CI: %v", err)
		}
		t.Skipf("skipped: PostgreSQL cannot be started (make deps installs it): %v", err)
	}
	t.Cleanup(func() { // at once, and whoever is connected is cut
		if p, err := os.FindProcess(s.pid); err == nil {
			p.Signal(syscall.SIGQUIT)
		}
	})
	return s
}

// startPostgres starts a server that ends with this process (it is told to by the kernel).
func startPostgres(more, options []string) (*server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return nil, err
	}
	sweep()
	dir, err := os.MkdirTemp("", "rollcall-pg-")
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		attr.Credential, err = unprivileged()
		if err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	setup := exec.Command(initdb, append([]string{"-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"}, more...)...)
	setup.SysProcAttr, setup.Dir = attr, dir
	if out, err := setup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{port: l.Addr().(*net.TCPAddr).Port, dir: dir}
	l.Close()
	s.run = func() (*exec.Cmd, error) {
		run := exec.Command(postgres, append([]string{"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", dir, "-c", "log_min_messages=fatal"}, options...)...)
		run.SysProcAttr, run.Dir = attr, dir
		return run, run.Start()
	}
	return s, s.start()
}

// start starts the process and waits until it answers.
func (s *server) start() error {
	os.Remove(filepath.Join(s.dir, "data", "postmaster.pid")) // a process that was stopped at once leaves it behind
	started, ended := make(chan error, 1), make(chan struct{})
	s.ended = ended
	go func() { // Pdeathsig follows the thread that started the child: keep that thread
		defer close(ended)
		runtime.LockOSThread()
		run, err := s.run()
		if err == nil {
			s.pid = run.Process.Pid
		}
		if started <- err; err != nil {
			return
		}
		run.Wait()
		if !s.again.Load() {
			os.RemoveAll(s.dir)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	for range 200 { // a server that wants a password answers, too
		if out, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid")); err == nil && strings.Contains(string(out), "ready") {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("postgres did not answer on port %d within 10 s", s.port)
}

// sweep removes the folders of servers that ended with their test binary, which had no time left to do so itself.
func sweep() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), "rollcall-pg-*"))
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // may be starting
		}
		pid, _ := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
		first, _, _ := strings.Cut(string(pid), "\n")
		if n, err := strconv.Atoi(first); err == nil && syscall.Kill(n, 0) != syscall.ESRCH {
			continue
		}
		os.RemoveAll(dir)
	}
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no unprivileged user to run PostgreSQL as")
}
