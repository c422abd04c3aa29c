package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// deb makes the Debian package of one architecture.
func (r release) deb(b build) (string, error) {
	info, err := r.describe(b)
	if err != nil {
		return "", err
	}
	info.Overridables.Scripts = nfpm.Scripts{PostInstall: r.script("deb-postinst"), PreRemove: r.script("deb-prerm"), PostRemove: r.script("deb-postrm")}
	info.Overridables.Deb = nfpm.Deb{Compression: "zstd"}
	info.Overridables.Depends = []string{"systemd | systemd-standalone-sysusers | opensysusers"}
	info.Overridables.Recommends = []string{"ca-certificates"}
	name := r.name("_linux_" + b.arch + ".deb")
	return name, r.wrap(name, info, deb.Default)
}

// rpm makes the RPM package of one architecture.
func (r release) rpm(b build) (string, error) {
	info, err := r.describe(b)
	if err != nil {
		return "", err
	}
	info.Overridables.Scripts = nfpm.Scripts{PreInstall: r.script("rpm-pre"), PostInstall: r.script("rpm-post"), PreRemove: r.script("rpm-preun"), PostRemove: r.script("rpm-postun")}
	info.Overridables.RPM = nfpm.RPM{BuildHost: "rollcall", Summary: "Permissions and org service in step with the directory", Compression: "zstd"}
	info.Overridables.Depends = []string{"/usr/bin/getent", "/usr/sbin/useradd"}
	name := r.name("_linux_" + b.arch + ".rpm")
	return name, r.wrap(name, info, rpm.DefaultRPM)
}

// wrap writes a package.
func (r release) wrap(name string, info *nfpm.Info, as nfpm.Packager) (err error) {
	file, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return as.Package(info, file)
}

// script is one that runs when a package comes or goes.
func (r release) script(name string) string {
	return filepath.Join(r.root, "deploy/release/package", name)
}

// describe says what is in a package: the binary, the unit, the user, the configuration that is never overwritten, and the papers.
func (r release) describe(b build) (*nfpm.Info, error) {
	papers, err := r.papers()
	if err != nil {
		return nil, err
	}
	at := func(from string) string { return filepath.Join(r.root, from) }
	all := files.Contents{
		r.content("/usr/bin/rollcall", b.binary, "", 0o755, ""),
		r.content("/usr/lib/systemd/system/rollcall.service", at("deploy/rollcall.service"), "", 0o644, ""),
		r.content("/usr/lib/sysusers.d/rollcall.conf", at("deploy/release/package/rollcall.sysusers"), "", 0o644, ""),
		r.content("/etc/rollcall/rollcall.yaml", at("deploy/release/package/rollcall.yaml"), files.TypeConfigNoReplace, 0o640, "rollcall"),
		r.content("/etc/rollcall", "", files.TypeDir, 0o755, ""),
	}
	for _, one := range papers {
		all = append(all, r.content("/usr/share/doc/rollcall/"+one.to, one.from, "", one.mode, ""))
	}
	return nfpm.WithDefaults(&nfpm.Info{
		Name: "rollcall", Arch: b.arch, Platform: "linux", Version: r.version, Release: "1", MTime: r.at, Section: "net", Priority: "optional",
		Maintainer: "Rollcall <https://github.com/rollcall-im/rollcall>", Homepage: "https://github.com/rollcall-im/rollcall", License: "Apache-2.0",
		Description:     "Permissions and org service in step with the directory\nWho works here decides who can see what: reads directories by LDAP and SCIM, derives who may\nread which channel, and takes it away the moment somebody leaves.",
		DisableGlobbing: true,
		Overridables:    nfpm.Overridables{Contents: all, Umask: 0o022},
	}), nil
}

func (r release) content(to, from, kind string, mode fs.FileMode, group string) *files.Content {
	if group == "" {
		group = "root"
	}
	return &files.Content{Source: from, Destination: to, Type: kind, FileInfo: &files.ContentFileInfo{Owner: "root", Group: group, Mode: mode, MTime: r.at}}
}
