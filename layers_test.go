package rollcall

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rollcall-im/rollcall/"

// layers is the house: which of our packages each package may import. A sub-package obeys its parent's
// row and may import its parent and its siblings. "internal/..." stands for every package below internal.
var layers = map[string][]string{
	"internal/id":       {},
	"internal/db":       {"internal/trace"},
	"internal/bus":      {"internal/outbound"},
	"internal/seal":     {},
	"internal/outbound": {},
	"internal/mail":     {},
	"internal/sms":      {"internal/webhook"},
	"internal/trace":    {},
	"internal/feed":     {"internal/db", "internal/trace"},
	"internal/webhook":  {},
	"internal/audit":    {"internal/db", "internal/outbound", "internal/webhook"},
	"internal/backup":   {"internal/db", "internal/audit"},
	"internal/roles":    {"internal/id"},
	"internal/session":  {"internal/id", "internal/db", "internal/audit", "internal/httpapi", "internal/roles", "internal/seal"},
	"internal/httpapi":  {"internal/id", "internal/roles", "internal/trace"},
	"directory":         {"internal/..."},
	"policies":          {"internal/id", "directory"},
	"authz":             {"internal/..."},
	"provisioning":      {"internal/...", "directory", "policies", "authz"},
	"chat":              {"internal/..."},
	"console":           {},
	"cmd/rollcall":      {"..."},
	"deploy/release":    {}, // a module of its own
}

// borders names the libraries that only certain files may touch: a path prefix of the library, and the
// files (or folders ending in "/") that may import it outside tests.
var borders = map[string][]string{
	"filippo.io/age":                      {"internal/seal/"},
	"gorm.io/":                            {"internal/db/", "internal/feed/", "internal/audit/", "store.go", "rows.go"},
	"github.com/openfga/":                 {"authz/engine.go", "authz/embedded.go"},
	"github.com/nats-io/":                 {"internal/bus/"},
	"github.com/minio/":                   {"internal/audit/outlet/"},
	"go.opentelemetry.io/":                {"internal/trace/"},
	"github.com/go-ldap/ldap":             {"directory/ldap/"},
	"github.com/elimity-com/scim":         {"directory/scim/"},
	"github.com/coreos/go-oidc":           {"internal/session/", "directory/signals/"},
	"github.com/google/cel-go":            {"policies/"},
	"github.com/gobwas/ws":                {"chat/", "cmd/rollcall/"},
	"github.com/spf13/cobra":              {"cmd/rollcall/"},
	"github.com/prometheus/client_golang": {"internal/httpapi/", "cmd/rollcall/"},
	"github.com/pressly/goose":            {"internal/db/"},
	"modernc.org/sqlite":                  {"internal/db/"},
	"golang.org/x/mod/sumdb/tlog":         {"internal/audit/"},
	"github.com/RoaringBitmap/roaring":    {"authz/"},
	"github.com/alecthomas/chroma":        {"chat/"},
	"github.com/scim2/filter-parser":      {"directory/scim/"},
	"github.com/danielgtaylor/huma/v2":    {"internal/httpapi/", "api.go", "cmd/rollcall/"},
	"github.com/microcosm-cc/bluemonday":  {"chat/"},
	"github.com/yuin/goldmark":            {"chat/"},
	"github.com/knadh/koanf":              {"cmd/rollcall/"},
	"github.com/jackc/pgx":                {"internal/db/"},
	"github.com/rogpeppe/go-internal":     {},
	"github.com/anishathalye/porcupine":   {},
	"github.com/stretchr/testify":         {},
}

type goFile struct {
	path, dir string
	test      bool
	imports   []string
	doc       bool
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		g := goFile{path: filepath.ToSlash(path), dir: filepath.ToSlash(filepath.Dir(path)), test: strings.HasSuffix(path, "_test.go"), doc: f.Doc != nil}
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			g.imports = append(g.imports, name)
		}
		files = append(files, g)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// row finds the row of the table that governs dir: its own or its nearest ancestor's.
func row(dir string) (string, []string, bool) {
	for at := dir; at != "." && at != "/"; at = filepath.ToSlash(filepath.Dir(at)) {
		if allowed, ok := layers[at]; ok {
			return at, allowed, true
		}
	}
	return "", nil, false
}

func mayImport(dir, target string) bool {
	home, allowed, ok := row(dir)
	if !ok {
		return false
	}
	if target == home || strings.HasPrefix(target, home+"/") {
		return true
	}
	return slices.ContainsFunc(allowed, func(a string) bool {
		prefix, wild := strings.CutSuffix(a, "...")
		return target == a || wild && strings.HasPrefix(target, prefix)
	})
}

func TestLayers(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.dir == "." {
			continue
		}
		if _, _, ok := row(f.dir); !ok {
			t.Errorf("%s: folder %s has no row in the table of layers", f.path, f.dir)
			continue
		}
		if f.test {
			continue // a test may bring the real neighbours
		}
		for _, name := range f.imports {
			if target, ours := strings.CutPrefix(name, module); ours && !mayImport(f.dir, target) {
				t.Errorf("%s: may not import %s", f.path, target)
			}
		}
	}
}

func TestBorders(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, name := range f.imports {
			for library, homes := range borders {
				if !strings.HasPrefix(name, library) {
					continue
				}
				if !slices.ContainsFunc(homes, func(home string) bool {
					if strings.Contains(home, "/") {
						return f.path == home || strings.HasSuffix(home, "/") && strings.HasPrefix(f.path, home)
					}
					return filepath.Base(f.path) == home
				}) {
					t.Errorf("%s: may not import %s (only %v may)", f.path, name, homes)
				}
			}
		}
	}
}

func TestOnePackageComment(t *testing.T) {
	docs, seen := map[string][]string{}, map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || f.dir == "." {
			continue
		}
		seen[f.dir] = true
		if f.doc {
			docs[f.dir] = append(docs[f.dir], f.path)
		}
	}
	for dir := range seen {
		if len(docs[dir]) != 1 {
			t.Errorf("%s: wants exactly one package comment, has %d %v", dir, len(docs[dir]), docs[dir])
		}
	}
}

// The project speaks of itself alone: no path of a machine, no address of a package registry.
func TestNoForeignWords(t *testing.T) {
	foreign := []string{"/wo" + "rk/", "registry.npm" + "js.org", "proxy.go" + "lang.org", "deb.deb" + "ian.org"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); name == ".git" || name == "node_modules" || name == "dist" || name == "bin" { // in a work tree some are no folders
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) > 4<<20 {
			return err
		}
		for _, word := range foreign {
			if strings.Contains(string(text), word) {
				t.Errorf("%s holds %q", path, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
