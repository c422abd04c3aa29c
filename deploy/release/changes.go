package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// changes is what the changelog says of this version, in both languages; of a version it does not name, what is not released yet.
func (r release) changes() ([]byte, error) {
	var text bytes.Buffer
	for _, file := range []struct{ name, unreleased string }{{"CHANGELOG.md", "Unreleased"}, {"CHANGELOG.zh-CN.md", "未发布"}} {
		raw, err := os.ReadFile(filepath.Join(r.root, file.name))
		if err != nil {
			return nil, err
		}
		said, ok := section(string(raw), r.version)
		if !ok {
			said, ok = section(string(raw), file.unreleased)
		}
		if !ok {
			return nil, fmt.Errorf("%s has neither a section %s nor %s", file.name, r.version, file.unreleased)
		}
		fmt.Fprintf(&text, "# Rollcall %s\n\n%s\n\n", r.version, said)
	}
	return append(bytes.TrimSpace(text.Bytes()), '\n'), nil
}

// section answers what stands below the heading whose first word is name.
func section(text, name string) (string, bool) {
	var out []string
	found := false
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			if found {
				break
			}
			first, _, _ := strings.Cut(strings.TrimSpace(heading), " ")
			found = first == name
			continue
		}
		if found {
			out = append(out, line)
		}
	}
	return strings.TrimSpace(strings.Join(out, "")), found
}
