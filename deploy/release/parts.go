package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// part is a piece of somebody else's work in the binary: a Go module, Go itself, or a package of the web app.
type part struct {
	kind    string // golang, npm
	name    string
	version string
	license string // by SPDX, where the text or the package says it
	text    string // of its licence and notices; empty: it ships none
}

// parts answers what is in the binaries and in the web app inside them, in order.
func (r release) parts() ([]part, error) {
	modules, err := r.modules()
	if err != nil {
		return nil, err
	}
	packages, err := r.packages()
	if err != nil {
		return nil, err
	}
	return append(modules, packages...), nil
}

// modules reads from the binaries which modules are in them, and their licences from the module cache.
func (r release) modules() ([]part, error) {
	versions, toolchain := map[string]string{}, ""
	for _, b := range r.build {
		info, err := buildinfo.ReadFile(b.binary)
		if err != nil {
			return nil, err
		}
		toolchain = info.GoVersion
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			versions[m.Path] = m.Version
		}
	}
	args := []string{"list", "-mod=readonly", "-m", "-f", "{{.Path}}\t{{.Version}}\t{{.Dir}}"}
	for path := range versions {
		args = append(args, path)
	}
	list := exec.Command("go", args...)
	list.Dir, list.Stderr = r.root, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	own, err := licence(runtime.GOROOT())
	if err != nil {
		return nil, err
	}
	if own == "" {
		where, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, err
		}
		if own, err = licence(strings.TrimSpace(string(where))); err != nil {
			return nil, err
		}
	}
	parts := []part{{"golang", "std", strings.TrimPrefix(toolchain, "go"), spdx(own), own}}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || fields[1] != versions[fields[0]] {
			return nil, fmt.Errorf("module %q is not the one in the binary, which has %s", line, versions[fields[0]])
		}
		text, err := licence(fields[2])
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, fmt.Errorf("module %s has no licence", fields[0])
		}
		parts = append(parts, part{"golang", fields[0], fields[1], spdx(text), text})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

// packages reads from the lock file which packages the web app may hold, and their licences from where they are installed.
func (r release) packages() ([]part, error) {
	raw, err := os.ReadFile(filepath.Join(r.root, "console/package-lock.json"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version          string
			License          string
			Dev, DevOptional bool
		}
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return nil, err
	}
	var parts []part
	for path, p := range lock.Packages {
		if path == "" || p.Dev || p.DevOptional {
			continue
		}
		folder := filepath.Join(r.root, "console", path)
		if _, err := os.Stat(folder); err != nil {
			return nil, fmt.Errorf("the web app's packages are not installed (make console): %w", err)
		}
		text, err := licence(folder)
		if err != nil {
			return nil, err
		}
		if text == "" && p.License == "" {
			return nil, fmt.Errorf("package %s has no licence", path)
		}
		_, name, _ := strings.Cut("/"+path, "/node_modules/")
		for { // one inside another's folder bears the last name
			_, inner, nested := strings.Cut(name, "/node_modules/")
			if !nested {
				break
			}
			name = inner
		}
		parts = append(parts, part{"npm", name, p.Version, p.License, text})
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name+"@"+a.version, b.name+"@"+b.version) })
	return slices.CompactFunc(parts, func(a, b part) bool { return a.name == b.name && a.version == b.version }), nil
}

// licence answers the texts of a folder's licences and notices; empty: there are none.
func licence(folder string) (string, error) {
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var texts []string
	for _, file := range files {
		name := strings.ToLower(file.Name())
		if file.IsDir() || strings.HasSuffix(name, ".go") || !slices.ContainsFunc([]string{"licen", "copying", "unlicense", "notice", "patents"}, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return "", err
		}
		texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	return strings.Join(texts, "\n\n"), nil
}

// spdx names the licences of a text; empty where it is none that is known.
func spdx(text string) string {
	var ids []string
	for _, match := range licensecheck.Scan([]byte(text)).Match {
		if !match.IsURL && !slices.Contains(ids, match.ID) {
			ids = append(ids, match.ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " AND ")
}

// notices is the text that goes along with every copy.
func notices(parts []part) []byte {
	var text bytes.Buffer
	text.WriteString("Rollcall is under the Apache License 2.0 (LICENSE). In its binary is the work of others, each under its own licence:\n\n")
	for _, p := range parts {
		fmt.Fprintf(&text, "  %s %s", p.name, p.version)
		if p.license != "" {
			fmt.Fprintf(&text, " (%s)", p.license)
		}
		text.WriteByte('\n')
	}
	for _, p := range parts {
		fmt.Fprintf(&text, "\n%s\n%s %s\n%[1]s\n\n", strings.Repeat("=", 80), p.name, p.version)
		if p.text == "" {
			fmt.Fprintf(&text, "It ships no text of its licence, and says that it is %s.\n", p.license)
			continue
		}
		text.WriteString(p.text + "\n")
	}
	return text.Bytes()
}
