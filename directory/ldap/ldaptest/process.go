package ldaptest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// process is a program that serves on loopback.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// start starts a program that is to answer.
func (p *process) start(t testing.TB, args ...string) {
	t.Helper()
	p.log.Reset()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// answers waits until address does.
func (p *process) answers(t testing.TB, address string) {
	t.Helper()
	for range 1200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	name := p.cmd.Path
	p.Kill()
	t.Fatalf("%s did not start:\n%s", name, p.log.String())
}

// Stop ends the server in an orderly way and waits for its end.
func (p *process) Stop() { p.end(os.Interrupt) }

// Kill ends the server at once, in the middle of whatever it does.
func (p *process) Kill() { p.end(os.Kill) }

func (p *process) end(how os.Signal) {
	if p.cmd == nil {
		return
	}
	late := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Process.Signal(how)
	_ = p.cmd.Wait()
	late.Stop()
	p.cmd = nil
}

// connect answers a connection with TLS that is signed in, until the test ends.
func connect(t testing.TB, url, caFile, login, password string) *goldap.Conn {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c, err := goldap.DialURL(url, goldap.DialWithTLSConfig(&tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}))
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(60 * time.Second)
	t.Cleanup(func() { c.Close() })
	if err := c.Bind(login, password); err != nil {
		t.Fatal(err)
	}
	return c
}

// program answers the path of a program, or skips the test; in CI it must be there. A package may bring it into folders that are not in the PATH.
func program(t testing.TB, name, packages string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/lib/openldap", "/usr/libexec"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is needed in CI (%s)", name, packages)
	default:
		t.Skipf("skipped: %s is not installed (%s)", name, packages)
	}
	return path
}
