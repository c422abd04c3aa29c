package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// entry is a file of what is made: where it stands in it, where its bytes are, and its mode.
type entry struct {
	to, from string
	mode     fs.FileMode
}

// papers are what goes along with the binary everywhere: licences, changes, documents and what runs it.
func (r release) papers() ([]entry, error) {
	all := []entry{{"THIRD-PARTY-NOTICES.txt", filepath.Join(r.out, "THIRD-PARTY-NOTICES.txt"), 0o644}}
	for _, name := range []string{"LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md", "CHANGELOG.zh-CN.md", "SECURITY.md"} {
		all = append(all, entry{name, filepath.Join(r.root, name), 0o644})
	}
	for _, folder := range []string{"docs", "deploy/monitoring"} {
		files, err := r.below(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

// below answers the files below a folder of the repository, without pictures and decisions, which are for those who build Rollcall.
func (r release) below(folder string) ([]entry, error) {
	var all []entry
	err := filepath.WalkDir(filepath.Join(r.root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"adr", "screenshots", "secrets"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(r.root, path)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		all = append(all, entry{filepath.ToSlash(name), path, mode})
		return nil
	})
	return all, err
}

// archive makes the archive of one architecture: the binary, and all that a machine without internet needs to run it by hand, by
// systemd, by docker-compose or by Helm.
func (r release) archive(b build) (string, error) {
	all, err := r.papers()
	if err != nil {
		return "", err
	}
	all = append(all, entry{"rollcall", b.binary, 0o755}, entry{"Dockerfile", filepath.Join(r.root, "deploy/release/Dockerfile"), 0o644},
		entry{"docker-compose.yml", filepath.Join(r.root, "docker-compose.yml"), 0o644},
		entry{"rollcall.yaml", filepath.Join(r.root, "deploy/release/package/rollcall.yaml"), 0o640},
		entry{"rollcall.service", filepath.Join(r.root, "deploy/rollcall.service"), 0o644},
		entry{"rollcall.sysusers", filepath.Join(r.root, "deploy/release/package/rollcall.sysusers"), 0o644})
	for _, folder := range []string{"deploy/compose", "deploy/helm"} {
		files, err := r.below(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		all = append(all, files...)
	}
	top := r.name("_linux_" + b.arch)
	return top + ".tar.gz", r.pack(filepath.Join(r.out, top+".tar.gz"), top, all)
}

// pack writes files below a folder top, in order, as root's and of the release's instant.
func (r release) pack(path, top string, all []entry) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zip, err := gzip.NewWriterLevel(file, gzip.DefaultCompression)
	if err != nil {
		return err
	}
	zip.ModTime = r.at
	out := tar.NewWriter(zip)
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.to, b.to) })
	folders := map[string]bool{}
	for _, one := range all {
		name := top + "/" + one.to
		for i, c := range name { // the folders first
			if c == '/' && !folders[name[:i]] {
				folders[name[:i]] = true
				if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name[:i+1], Mode: 0o755, ModTime: r.at, Format: tar.FormatGNU}); err != nil {
					return err
				}
			}
		}
		if err := add(out, tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(one.mode), ModTime: r.at, Format: tar.FormatGNU}, one.from); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), zip.Close())
}

func add(out *tar.Writer, h tar.Header, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := out.WriteHeader(&h); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}
