package demo_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// TestContentSync reads live changes with go-ldap.
func TestContentSync(t *testing.T) {
	d := company(t, 10)
	c := dial(t, ldaptest.Serve(t, d), admin, secret)
	c.SetTimeout(0)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req := func() *goldap.SearchRequest {
		return goldap.NewSearchRequest("ou=people,"+base, 2, 0, 0, 0, false, "(objectClass=inetOrgPerson)", nil, nil)
	}
	r := c.Syncrepl(ctx, req(), 64, goldap.SyncRequestModeRefreshAndPersist, nil, false)
	seen, cookie := []string{}, []byte{}
	next := func() string {
		t.Helper()
		for r.Next() {
			if e := r.Entry(); e != nil {
				for _, ctl := range r.Controls() {
					if s, ok := ctl.(*goldap.ControlSyncState); ok {
						cookie = s.Cookie
						return fmt.Sprintf("%d %s", s.State, e.DN)
					}
				}
				t.Fatalf("entry without state: %s", e.DN)
			}
			for _, ctl := range r.Controls() {
				if s, ok := ctl.(*goldap.ControlSyncInfo); ok && s.RefreshPresent != nil {
					return "refreshed"
				}
			}
		}
		t.Fatalf("stream ended: %v", r.Err())
		return ""
	}
	for s := next(); s != "refreshed"; s = next() {
		seen = append(seen, s)
	}
	if len(seen) != 10 {
		t.Fatalf("refresh: %v", seen)
	}
	dn := "uid=u001,ou=sales,ou=people," + base
	steps := []struct {
		do   func() error
		want string
	}{
		{func() error {
			return d.Modify(dn, demo.Mod{Kind: demo.ModReplace, Name: "title", Values: []string{"x"}})
		}, "2 " + dn},
		{func() error {
			return d.Add(demo.Entry{DN: "uid=new,ou=people," + base, Attributes: map[string][]string{"objectClass": {"inetOrgPerson"}}})
		}, "1 uid=new,ou=people," + base},
		{func() error { return d.Delete("uid=new,ou=people," + base) }, "3 uid=new,ou=people," + base},
		{func() error { return d.Move(dn, "uid=u001", false, base) }, "3 " + dn}, // out of the search base
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != s.want {
			t.Fatalf("live change: %s, want %s", got, s.want)
		}
	}
	if err := d.Delete("uid=u003,ou=sales,ou=people," + base); err != nil {
		t.Fatal(err)
	}
	late := dial(t, ldaptest.Serve(t, d), admin, secret)
	done := late.Syncrepl(ctx, req(), 64, goldap.SyncRequestModeRefreshOnly, cookie, false)
	var changed, present int
	finished := false
	for done.Next() {
		if done.Entry() != nil {
			changed++
		}
		for _, ctl := range done.Controls() {
			switch s := ctl.(type) {
			case *goldap.ControlSyncInfo:
				if s.SyncIdSet != nil {
					present += len(s.SyncIdSet.SyncUUIDs)
				}
			case *goldap.ControlSyncDone:
				finished = !s.RefreshDeletes
			}
		}
	}
	if changed != 0 || present != 8 || !finished {
		t.Errorf("resume: %d changed, %d present, finished %v", changed, present, finished)
	}
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed in CI (ldap-utils): %v", name, err)
		}
		t.Skipf("skipped: %s is not installed (ldap-utils)", name)
	}
	return path
}

// TestCommandLineTools drives the server with OpenLDAP's own clients.
func TestCommandLineTools(t *testing.T) {
	url := ldaptest.Serve(t, company(t, 300))
	run := func(stdin, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(tool(t, name), append([]string{"-x", "-H", url, "-D", admin, "-w", secret}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	if out := run("", "ldapsearch", "-LLL", "-E", "pr=50/noprompt", "-b", base, "(objectClass=person)", "uid"); strings.Count(out, "\nuid: ") != 300 {
		t.Errorf("ldapsearch with pages: %d people", strings.Count(out, "\nuid: "))
	}
	if out := run("", "ldapwhoami"); strings.TrimSpace(out) != "dn:"+admin {
		t.Errorf("ldapwhoami: %s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	live := exec.CommandContext(ctx, tool(t, "ldapsearch"), "-x", "-H", url, "-D", admin, "-w", secret, "-b", base, "-E", "!sync=rp", "(objectClass=person)", "title")
	pipe, err := live.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("ldapsearch -E sync=rp ended before %q", want)
	}
	until("# refresh done, switching to persist stage")
	run("dn: uid=u001,ou=sales,ou=people,"+base+"\nchangetype: modify\nreplace: title\ntitle: Live Title\n", "ldapmodify")
	until("title: Live Title")
	_ = live.Process.Kill()
	_, _ = io.Copy(io.Discard, pipe)
	_ = live.Wait()
}
