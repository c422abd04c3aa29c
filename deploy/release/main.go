// Command release makes what a release of Rollcall is out of binaries that are built already: archives, Debian and RPM packages,
// the notices of everything that is in them, a bill of materials, the section of the changelog and the checksums of it all. It
// guarantees that the same binaries, version and instant give the same bytes. It builds nothing, asks nothing of the network but
// what `go list` may have to, signs nothing and uploads nothing. It is a module of its own: what makes packages is no dependency of
// the server.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// release is what is made, and of what.
type release struct {
	root    string    // of the repository
	out     string    // folder of what is made
	version string    // as v1.2.3, or what git describe says
	at      time.Time // of the commit; every file bears it
	build   []build
}

// build is a binary and the architecture it is for, as Go names it.
type build struct{ arch, binary string }

func main() {
	r := release{}
	at := flag.Int64("at", 0, "instant that every file bears, in seconds (SOURCE_DATE_EPOCH)")
	flag.StringVar(&r.root, "root", "../..", "the repository")
	flag.StringVar(&r.out, "out", "", "folder of what is made; it is made")
	flag.StringVar(&r.version, "version", "", "of the release, as v1.2.3")
	flag.Func("binary", "ARCH=PATH, once for each architecture", func(text string) error {
		arch, path, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("wants ARCH=PATH")
		}
		r.build = append(r.build, build{arch, path})
		return nil
	})
	flag.Parse()
	r.at = time.Unix(*at, 0).UTC()
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// make writes everything to the folder. What another run left there stays, but is not among the checksums.
func (r release) make() error {
	if r.version == "" || r.out == "" || len(r.build) == 0 || r.at.Unix() == 0 {
		return errors.New("wants -version, -at, -out and -binary")
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	parts, err := r.parts()
	if err != nil {
		return err
	}
	notes, err := r.changes()
	if err != nil {
		return err
	}
	bill, err := r.bill(parts)
	if err != nil {
		return err
	}
	names := map[string][]byte{
		"THIRD-PARTY-NOTICES.txt": notices(parts),
		r.name("_CHANGES.md"):     notes,
		r.name("_sbom.cdx.json"):  bill,
	}
	made := []string{}
	for name, content := range names {
		if err := os.WriteFile(filepath.Join(r.out, name), content, 0o644); err != nil {
			return err
		}
		made = append(made, name)
	}
	for _, b := range r.build {
		for _, one := range []func(build) (string, error){r.archive, r.deb, r.rpm} {
			name, err := one(b)
			if err != nil {
				return fmt.Errorf("%s: %w", b.arch, err)
			}
			made = append(made, name)
		}
	}
	return r.checksums(made)
}

// name is a file's of this release.
func (r release) name(rest string) string {
	return "rollcall_" + strings.TrimPrefix(r.version, "v") + rest
}

// checksums writes what `sha256sum --check SHA256SUMS` reads.
func (r release) checksums(names []string) error {
	slices.Sort(names)
	var lines strings.Builder
	for _, name := range names {
		sum, err := checksum(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sum, name)
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(lines.String()), 0o644)
}

func checksum(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	return sum.Sum(nil), err
}
