package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rollcall-im/rollcall/internal/seal"
)

// Secrets says what opens the sealed secrets of a configuration. It stands apart from it: in a file, or in the environment.
type Secrets struct {
	Identity string `koanf:"identity"` // what age-keygen or `rollcall config keygen` writes; as secrets.identity_file
}

// secretKeys hold what is shown nowhere, and what may be sealed.
var secretKeys = []string{"bootstrap_token", "bus_key", "bus_nkey", "checkpoint_key", "client_key", "client_secret", "identity", "password", "secret", "token"}

// addressKeys may hold a password, which is not shown, and may be sealed as a whole.
var addressKeys = []string{"bus", "database", "proxy"}

// unseal answers raw with its sealed secrets opened, and without what opened them. Its errors name keys and hold no secret.
func unseal(raw map[string]any) (map[string]any, error) {
	key, err := sealKey(raw)
	if err != nil {
		return nil, err
	}
	opened, err := open(key, "", "", raw)
	if err != nil {
		return nil, err
	}
	out := opened.(map[string]any)
	if kept, ok := out["secrets"].(map[string]any); ok && kept["identity"] != nil {
		kept["identity"] = "" // nothing needs its text from here on
	}
	return out, nil
}

// sealKey answers what opens the sealed secrets of a configuration; nil where it names nothing.
func sealKey(raw map[string]any) (*seal.Key, error) {
	secrets, _ := raw["secrets"].(map[string]any)
	identity, _ := secrets["identity"].(string)
	if strings.TrimSpace(identity) == "" {
		return nil, nil
	}
	key, err := seal.Parse(identity)
	if err != nil {
		return nil, fmt.Errorf("secrets.identity: %w", err)
	}
	return key, nil
}

// open opens what is sealed in v, which stands at path, under the name at its end.
func open(key *seal.Key, path, name string, v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			opened, err := open(key, strings.TrimPrefix(path+"."+k, "."), k, inner)
			if err != nil {
				return nil, err
			}
			out[k] = opened
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			var err error
			if out[i], err = open(key, fmt.Sprintf("%s[%d]", path, i), name, inner); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		if !seal.Sealed(v) {
			return v, nil
		}
		switch {
		case !slices.Contains(addressKeys, name) && !slices.Contains(secretKeys, name):
			return nil, fmt.Errorf("%s: is no secret, and cannot be sealed", path)
		case key == nil:
			return nil, fmt.Errorf("%s: is sealed, and there is nothing to open it with: set secrets.identity_file", path)
		}
		secret, err := key.Open(v)
		if err != nil {
			return nil, fmt.Errorf("%s: cannot be opened with secrets.identity: %w", path, err)
		}
		return secret, nil
	}
	return v, nil
}

// openIdentity says that everybody on the machine can read the file of the identity, which opens all that is sealed; empty: it is not so.
func openIdentity(path string, environ []string) string {
	k := koanf.New(".")
	if path != "" && k.Load(file.Provider(path), yaml.Parser()) != nil {
		return ""
	}
	name := k.String("secrets.identity_file")
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, envPrefix+"SECRETS_IDENTITY_FILE="); ok && value != "" {
			name = value
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o007 == 0 {
		return ""
	}
	return fmt.Sprintf("%s has the mode %04o, and whoever reads it opens every sealed secret; it wants 0600", name, info.Mode().Perm())
}

func sealCommand() *cobra.Command {
	c := &cobra.Command{Use: "seal", Short: "Read a secret from standard input and print it sealed, for the configuration", Args: cobra.NoArgs}
	recipients := c.Flags().StringSlice("recipient", nil, "for whom to seal, age1…; without it for secrets.identity of the configuration")
	path := c.Flags().String("config", "", "path of rollcall.yaml, for its secrets.identity")
	c.RunE = func(c *cobra.Command, _ []string) error {
		to := *recipients
		if len(to) == 0 {
			raw, err := readConfig(*path, os.Environ())
			if err != nil {
				return err
			}
			secrets, _ := raw["secrets"].(map[string]any)
			identity, _ := secrets["identity"].(string)
			if strings.TrimSpace(identity) == "" {
				return errors.New("for whom? say --recipient age1…, or set secrets.identity_file (ROLLCALL_SECRETS_IDENTITY_FILE)")
			}
			key, err := seal.Parse(identity)
			if err != nil {
				return fmt.Errorf("secrets.identity: %w", err)
			}
			to = key.Recipients()
		}
		secret, err := readSecret(c)
		if err != nil {
			return err
		}
		sealed, err := seal.Seal(secret, to...)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), sealed)
		return nil
	}
	return c
}

// readSecret reads what is to be sealed, without the line's end. A terminal does not show it.
func readSecret(c *cobra.Command) (string, error) {
	if in, ok := c.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(c.ErrOrStderr(), "secret (not shown): ")
		raw, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return string(raw), err
	}
	raw, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
	return strings.TrimRight(string(raw), "\r\n"), err
}

func keygenCommand() *cobra.Command {
	return &cobra.Command{Use: "keygen [FILE]", Short: "Make an identity that opens sealed secrets, in a new FILE (default identity.txt), and print whom to seal for", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, recipient, err := seal.Generate(time.Now())
			if err != nil {
				return err
			}
			path := cmp.Or(append(args, "")[0], "identity.txt")
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // one that is there may be all that opens something
			if err != nil {
				return err
			}
			_, err = file.WriteString(text)
			if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), recipient)
			fmt.Fprintf(c.ErrOrStderr(), "%s holds the identity: keep it apart from the configuration, and a copy where a fire does not reach both\n", path)
			return nil
		}}
}
