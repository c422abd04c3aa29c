package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-im/rollcall/internal/seal"
)

// demoIdentity answers what secrets are sealed for: an identity in the folder of the demo's data, made at its first start.
func demoIdentity(dir string) (*seal.Key, error) {
	path := filepath.Join(dir, "identity.txt")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		made, _, makeErr := seal.Generate(time.Now())
		if makeErr != nil {
			return nil, makeErr
		}
		text, err = []byte(made), os.WriteFile(path, []byte(made), 0o600)
	}
	if err != nil {
		return nil, err
	}
	return seal.Parse(string(text))
}
