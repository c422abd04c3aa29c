package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// installation is a root folder that packages are put into. Scripts run outside of it and are told where it is.
type installation struct {
	*testing.T
	root string
}

func (i installation) dpkg(args ...string) string {
	i.Helper()
	c := exec.Command("dpkg", append([]string{"--root=" + i.root, "--force-script-chrootless", "--force-depends", "--force-confold"}, args...)...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	out, err := c.CombinedOutput()
	if err != nil {
		i.Fatalf("dpkg %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (i installation) write(path, text string) {
	i.Helper()
	path = filepath.Join(i.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		i.Fatal(err)
	}
}

func (i installation) holds(path, text string) {
	i.Helper()
	if got, err := os.ReadFile(filepath.Join(i.root, path)); err != nil || !strings.Contains(string(got), text) {
		i.Errorf("%s: %v, %q and not %q", path, err, got, text)
	}
}

// A package is put on, upgraded, taken off and purged: what somebody wrote and the data stay, and nothing starts.
func TestPackageLife(t *testing.T) {
	needed(t, "dpkg")
	needed(t, "systemd-sysusers")
	if os.Geteuid() != 0 {
		t.Skip("skipped: dpkg wants root")
	}
	r := released(t, "v1.2.3", binary)
	next := r
	next.version = "v1.3.0-rc.1"
	newer, err := next.deb(next.build[0])
	if err != nil {
		t.Fatal(err)
	}
	i := installation{t, t.TempDir()}
	for _, folder := range []string{"info", "updates", "triggers"} {
		if err := os.MkdirAll(filepath.Join(i.root, "var/lib/dpkg", folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i.write("var/lib/dpkg/status", "")
	i.write("var/lib/dpkg/available", "")
	if out := i.dpkg("--install", filepath.Join(r.out, "rollcall_1.2.3_linux_amd64.deb")); !strings.Contains(out, "is installed and not running. What next:") {
		t.Error(out)
	}
	info, err := os.Stat(filepath.Join(i.root, "etc/rollcall/rollcall.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	i.holds("etc/passwd", "rollcall:x:")
	i.holds("etc/passwd", ":/var/lib/rollcall:/usr/sbin/nologin")
	groups, err := os.ReadFile(filepath.Join(i.root, "etc/group"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(groups), "rollcall:x:")
	gid, _, _ := strings.Cut(rest, ":")
	if stat := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o640 || stat.Uid != 0 || gid == "0" || gid != said(t, "stat", "--format=%g", filepath.Join(i.root, "etc/rollcall/rollcall.yaml"))[:len(gid)] {
		t.Errorf("rollcall.yaml: %v of %d:%d, the group is %s", info.Mode(), stat.Uid, stat.Gid, gid)
	}
	bin := filepath.Join(i.root, "usr/bin/rollcall")
	said(t, bin, "version")
	said(t, bin, "config", "check", "--config", filepath.Join(i.root, "etc/rollcall/rollcall.yaml"))

	i.write("etc/rollcall/rollcall.yaml", "listen: 127.0.0.1:9999\ndatabase: sqlite:/var/lib/rollcall/rollcall.db\n")
	i.write("etc/rollcall/secrets/bootstrap_token", "somebody wrote this")
	i.write("var/lib/rollcall/rollcall.db", "data")
	if out := i.dpkg("--install", filepath.Join(next.out, newer)); !strings.Contains(out, "goes on as it was until") || !strings.Contains(out, "1.2.3") {
		t.Error(out)
	}
	if out := i.dpkg("--status", "rollcall"); !strings.Contains(out, "Version: 1.3.0~rc.1") {
		t.Error(out)
	}
	stays := func() {
		t.Helper()
		i.holds("etc/rollcall/secrets/bootstrap_token", "somebody wrote this")
		i.holds("var/lib/rollcall/rollcall.db", "data")
	}
	i.holds("etc/rollcall/rollcall.yaml", "9999")
	stays()
	i.dpkg("--remove", "rollcall")
	i.holds("etc/rollcall/rollcall.yaml", "9999")
	stays()
	if _, err := os.Stat(bin); err == nil {
		t.Error("the binary is still there")
	}
	if out := i.dpkg("--purge", "rollcall"); !strings.Contains(out, "data stays in /var/lib/rollcall") {
		t.Error(out)
	}
	stays()
}

// A machine without any network but its own loopback runs the whole of it: nothing is fetched while it runs.
func TestWithoutNetwork(t *testing.T) {
	unshare := needed(t, "unshare")
	needed(t, "ip")
	if err := exec.Command(unshare, "--net", "ip", "link", "set", "lo", "up").Run(); err != nil {
		t.Skip("skipped: this machine makes no network of its own: ", err)
	}
	whole, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	if out := said(t, unshare, "--net", "sh", "-c", `ip link set lo up && exec "$0" demo script offboard`, whole); !strings.Contains(out, "heard 0 of them") {
		t.Error(out)
	}
}
