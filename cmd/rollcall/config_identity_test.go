package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenIdentity(t *testing.T) {
	dir := t.TempDir()
	key, config := filepath.Join(dir, "key.txt"), filepath.Join(dir, "rollcall.yaml")
	if err := os.WriteFile(key, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("secrets:\n  identity_file: "+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		mode os.FileMode
		path string
		env  []string
		open bool
	}{{0o644, config, nil, true}, {0o644, "", []string{"ROLLCALL_SECRETS_IDENTITY_FILE=" + key}, true}, {0o600, config, nil, false}, {0o640, config, nil, false}, {0o644, "", nil, false}} {
		if err := os.Chmod(key, row.mode); err != nil {
			t.Fatal(err)
		}
		if got := openIdentity(row.path, row.env); strings.Contains(got, "0644") != row.open {
			t.Errorf("%04o: %q", row.mode, got)
		}
	}
}
