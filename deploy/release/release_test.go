package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// needed answers a program that make deps installs; a test without it says that it was skipped, and in CI it fails.
func needed(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed in CI: make deps installs it", name)
	}
	if err != nil {
		t.Skipf("skipped: %s is not installed (make deps does)", name)
	}
	return found
}

const binary = "../../bin/rollcall"

func released(t *testing.T, version, from string) release {
	t.Helper()
	if _, err := os.Stat(from); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("make build comes first: ", err)
		}
		t.Skip("skipped: make build comes first: ", err)
	}
	r := release{root: "../..", out: t.TempDir(), version: version, at: time.Unix(1_790_000_000, 0).UTC(), build: []build{{"amd64", from}}}
	if err := r.make(); err != nil {
		t.Fatal(err)
	}
	return r
}

func said(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out, wrong bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &wrong
	if err := c.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, &out, &wrong)
	}
	return out.String()
}

// The same binary, version and instant give the same bytes, whatever the clock and the modes of files on the way say.
func TestSameBytes(t *testing.T) {
	one, other := released(t, "v1.2.3", binary), released(t, "v1.2.3", binary)
	sums, err := os.ReadFile(filepath.Join(one.out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(other.out, "SHA256SUMS"))
	if err != nil || !bytes.Equal(sums, again) {
		t.Errorf("two runs differ: %v\n%s\n%s", err, sums, again)
	}
	if lines := strings.Count(string(sums), "\n"); lines != 6 {
		t.Errorf("%d files:\n%s", lines, sums)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = one.out
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	t.Run("archive", func(t *testing.T) { archived(t, one) })
	t.Run("bill", func(t *testing.T) { billed(t, one) })
	t.Run("deb", func(t *testing.T) { unpacked(t, one) })
	t.Run("rpm", func(t *testing.T) { rpmed(t, one) })
}

// The archive holds what a machine without internet needs, as root's and nobody's from here; its binary needs no library and runs.
func archived(t *testing.T, r release) {
	file, err := os.Open(filepath.Join(r.out, "rollcall_1.2.3_linux_amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, in, names := t.TempDir(), tar.NewReader(zip), []string{}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(r.at) {
			t.Errorf("%s: of %d %q at %s", h.Name, h.Uid, h.Uname, h.ModTime)
		}
		name := strings.TrimPrefix(h.Name, "rollcall_1.2.3_linux_amd64/")
		names = append(names, name)
		if name == "rollcall" || name == "rollcall.yaml" {
			content, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), content, os.FileMode(h.Mode)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []string{"LICENSE", "THIRD-PARTY-NOTICES.txt", "CHANGELOG.md", "Dockerfile", "docker-compose.yml", "deploy/compose/rollcall.yaml", "deploy/compose/secrets.sh", "docs/deploy.md",
		"docs/deploy.zh-CN.md", "rollcall.service", "rollcall.sysusers", "deploy/monitoring/alerts.yaml"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in the archive", want)
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "secrets/") }) {
		t.Error("secrets in the archive")
	}
	static, err := elf.Open(filepath.Join(dir, "rollcall"))
	if err != nil {
		t.Fatal(err)
	}
	defer static.Close()
	if libraries, err := static.ImportedLibraries(); len(libraries) > 0 || slices.ContainsFunc(static.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("the binary is not static: %v %v", libraries, err)
	}
	if out := said(t, filepath.Join(dir, "rollcall"), "version"); !strings.HasPrefix(out, "rollcall ") {
		t.Error(out)
	}
	said(t, filepath.Join(dir, "rollcall"), "config", "check", "--config", filepath.Join(dir, "rollcall.yaml"))
}

// The bill of materials names Go, modules and packages, each with a licence, and the notices hold their texts.
func billed(t *testing.T, r release) {
	raw, err := os.ReadFile(filepath.Join(r.out, "rollcall_1.2.3_sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		BomFormat, SpecVersion string
		Components             []struct {
			Name, Version, Purl string
			Licenses            []struct{ Expression string }
		}
	}
	if err := json.Unmarshal(raw, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BomFormat != "CycloneDX" || bill.SpecVersion != "1.6" {
		t.Errorf("%s %s", bill.BomFormat, bill.SpecVersion)
	}
	notices, err := os.ReadFile(filepath.Join(r.out, "THIRD-PARTY-NOTICES.txt"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, c := range bill.Components {
		found[c.Name] = true
		if len(c.Licenses) == 0 || c.Version == "" || !strings.HasPrefix(c.Purl, "pkg:") {
			t.Errorf("%+v", c)
		}
		if !bytes.Contains(notices, []byte("\n"+c.Name+" "+c.Version+"\n")) {
			t.Errorf("%s %s is not in the notices", c.Name, c.Version)
		}
	}
	for _, name := range []string{"std", "github.com/openfga/openfga", "modernc.org/sqlite", "react", "antd", "@ant-design/icons"} {
		if !found[name] {
			t.Errorf("the bill has no %s", name)
		}
	}
	if found["vite"] || found["github.com/google/go-cmp"] {
		t.Error("the bill names what only builds or tests")
	}
}

// rpm reads the package, finds it whole, and its binary runs where it is put.
func rpmed(t *testing.T, r release) {
	rpm, dir := needed(t, "rpm"), t.TempDir()
	path := filepath.Join(r.out, "rollcall_1.2.3_linux_amd64.rpm")
	said(t, rpm, "-K", "--nosignature", path)
	if list := said(t, rpm, "-qp", "--nosignature", "--queryformat", "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}\n]", path); !strings.Contains(list, "/etc/rollcall/rollcall.yaml -rw-r----- root:rollcall cn\n") ||
		!strings.Contains(list, "/usr/bin/rollcall -rwxr-xr-x root:root \n") || !strings.Contains(list, "/usr/lib/systemd/system/rollcall.service") || !strings.Contains(list, "/usr/share/doc/rollcall/THIRD-PARTY-NOTICES.txt") {
		t.Errorf("the package holds:\n%s", list)
	}
	into := []string{"--root=" + dir, "--nosignature", "--nodeps", "--noscripts"}
	said(t, rpm, append(into, "--install", path)...)
	config := filepath.Join(dir, "etc/rollcall/rollcall.yaml")
	said(t, filepath.Join(dir, "usr/bin/rollcall"), "config", "check", "--config", config)
	changed, data := []byte("listen: 127.0.0.1:9999\n"), filepath.Join(dir, "var/lib/rollcall/rollcall.db")
	if err := errors.Join(os.WriteFile(config, changed, 0o640), os.MkdirAll(filepath.Dir(data), 0o700), os.WriteFile(data, changed, 0o600)); err != nil {
		t.Fatal(err)
	}
	next := r
	next.version = "v1.3.0"
	newer, err := next.rpm(next.build[0])
	if err != nil {
		t.Fatal(err)
	}
	said(t, rpm, append(into, "--upgrade", filepath.Join(r.out, newer))...)
	if version := said(t, rpm, "--root="+dir, "-q", "rollcall"); version != "rollcall-1.3.0-1.x86_64\n" {
		t.Error(version)
	}
	if kept, err := os.ReadFile(config); err != nil || !bytes.Equal(kept, changed) {
		t.Errorf("an upgrade changed the configuration: %v %s", err, kept)
	}
	said(t, rpm, "--root="+dir, "--noscripts", "--nodeps", "--erase", "rollcall")
	for _, stays := range []string{data, config + ".rpmsave"} {
		if kept, err := os.ReadFile(stays); err != nil || !bytes.Equal(kept, changed) {
			t.Errorf("%s is gone: %v %s", stays, err, kept)
		}
	}
	for _, script := range strings.SplitAfter(said(t, rpm, "-qp", "--nosignature", "--scripts", path), "\n") {
		if strings.Contains(script, "rm -") || strings.Contains(script, "userdel") {
			t.Errorf("a script takes something: %s", script)
		}
	}
}

func unpacked(t *testing.T, r release) {
	dir := t.TempDir()
	said(t, needed(t, "dpkg-deb"), "--extract", filepath.Join(r.out, "rollcall_1.2.3_linux_amd64.deb"), dir)
	said(t, filepath.Join(dir, "usr/bin/rollcall"), "version")
	said(t, filepath.Join(dir, "usr/bin/rollcall"), "config", "check", "--config", filepath.Join(dir, "etc/rollcall/rollcall.yaml"))
}
