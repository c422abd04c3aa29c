package ldaptest

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What 389 Directory Server brings along (package 389-ds-base).
const (
	ds389Template   = "/usr/share/dirsrv/data/template-dse.ldif"
	ds389Collations = "/etc/dirsrv/config/slapd-collations.conf"
	ds389Schema     = "/etc/dirsrv/schema/99user.ldif"
)

// extra389 comes behind entries of the template: the plug-ins that tell changes, and no limits.
var extra389 = map[string]string{
	"dn: cn=config\n": "nsslapd-listenhost: 127.0.0.1\nnsslapd-securelistenhost: 127.0.0.1\nnsslapd-security: on\nnsslapd-secureport: @SECURE@\n" +
		"nsslapd-sizelimit: -1\nnsslapd-pagedsizelimit: -1\nnsslapd-accesslog-logging-enabled: off\nnsslapd-allow-anonymous-access: off",
	"dn: cn=content synchronization,cn=plugins": "nsslapd-pluginEnabled: on",
	"dn: cn=retro changelog plugin,cn=plugins":  "nsslapd-pluginEnabled: on\nnsslapd-attribute: nsuniqueid:targetUniqueId\nnsslapd-include-suffix: " + Base,
	"dn: cn=config,cn=ldbm database":            "nsslapd-cache-autosize: 0\nnsslapd-dbcachesize: 10000000\nnsslapd-lookthroughlimit: -1",
}

const backend389 = `dn: cn=userroot,cn=ldbm database,cn=plugins,cn=config
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userroot
nsslapd-suffix: @BASE@
nsslapd-directory: @DIR@/db/userroot

dn: cn="@BASE@",cn=mapping tree,cn=config
objectClass: extensibleObject
objectClass: nsMappingTree
cn: "@BASE@"
cn: @BASE@
nsslapd-state: backend
nsslapd-backend: userroot
`

const readable389 = `dn: @BASE@
changetype: modify
add: aci
aci: (targetattr="* || nsUniqueId || nsAccountLock || modifyTimestamp || createTimestamp")(version 3.0; acl "reader"; allow (read,search,compare) userdn="ldap:///@READER@";)
`

// Start389 loads ldif into a fresh 389 Directory Server. It needs no administrator's rights, and nothing of it stays.
func Start389(t testing.TB, ldif io.Reader) *Server {
	t.Helper()
	program := tool389(t, "ns-slapd")
	for _, name := range []string{"certutil", "pk12util", "openssl"} {
		tool389(t, name)
	}
	dir := t.TempDir()
	s := &Server{Dir: dir, CAFile: filepath.Join(dir, "ca.pem"), OtherCA: filepath.Join(dir, "other.pem"), conf: filepath.Join(dir, "config", "dse.ldif")}
	certificates(t, dir)
	plain, secure := freePort(t), freePort(t)
	s.URL, s.URLS = "ldap://127.0.0.1:"+plain, "ldaps://127.0.0.1:"+secure
	configure389(t, dir, plain, secure)
	store389(t, dir)
	file := filepath.Join(dir, "in.ldif")
	text, err := io.ReadAll(ldif)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	run(t, program, "ldif2db", "-D", config, "-n", "userroot", "-i", file)
	s.args = []string{program, "-D", config, "-i", filepath.Join(dir, "pid"), "-d", "0"}
	s.Resume(t)
	t.Cleanup(s.Kill)
	s.Modify(t, strings.NewReplacer("@BASE@", Base, "@READER@", ReaderDN).Replace(readable389))
	return s
}

func tool389(t testing.TB, name string) string {
	t.Helper()
	path := program(t, name, "packages 389-ds-base and openssl")
	if _, err := os.Stat(ds389Template); err != nil {
		return program(t, ds389Template, "package 389-ds-base")
	}
	return path
}

// configure389 fills in the template from which the server's own set-up program makes a configuration.
func configure389(t testing.TB, dir, plain, secure string) {
	t.Helper()
	raw, err := os.ReadFile(ds389Template)
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("of-tests")
	sum := sha1.Sum(append([]byte(AdminPW), salt...))
	values := map[string]string{"db_home_dir": dir + "/db", "schema_dir": dir + "/config/schema", "fqdn": "localhost", "ds_port": plain, "ds_user": me.Username, "rootdn": AdminDN,
		"ds_passwd": "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...)), "ldapi_enabled": "off", "ldapi": dir + "/socket", "ldapi_autobind": "off", "ds_suffix": Base, "db_lib": "bdb"}
	for _, name := range []string{"lock", "tmp", "cert", "ldif", "bak", "run", "inst", "log", "config", "db"} {
		values[name+"_dir"] = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text := string(raw)
	for name, value := range values {
		text = strings.ReplaceAll(text, "%"+name+"%", value)
	}
	var b strings.Builder
	enabled := regexp.MustCompile(`(?im)^nsslapd-pluginenabled:.*\n`)
	for _, entry := range regexp.MustCompile(`\n{2,}`).Split(text+"\n\n"+backend389, -1) {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		for start, more := range extra389 {
			if strings.HasPrefix(strings.ToLower(entry)+"\n", start) {
				if strings.Contains(more, "pluginEnabled") {
					entry = enabled.ReplaceAllString(entry+"\n", "")
				}
				entry = strings.TrimSpace(entry) + "\n" + more
			}
		}
		b.WriteString(entry + "\n\n")
	}
	text = strings.NewReplacer("@BASE@", Base, "@DIR@", dir, "@SECURE@", secure).Replace(b.String())
	if err := os.MkdirAll(filepath.Join(dir, "config", "schema"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config", "dse.ldif"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{ds389Collations: "config/slapd-collations.conf", ds389Schema: "config/schema/99user.ldif"} {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// store389 puts the certificate where the server looks for it.
func store389(t testing.TB, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	run(t, "openssl", "pkcs12", "-export", "-in", at("srv.pem"), "-inkey", at("srv.key"), "-name", "Server-Cert", "-out", at("srv.p12"), "-passout", "pass:x")
	run(t, "certutil", "-N", "-d", "sql:"+at("cert"), "--empty-password")
	run(t, "pk12util", "-i", at("srv.p12"), "-d", "sql:"+at("cert"), "-W", "x", "-K", "")
	run(t, "certutil", "-A", "-d", "sql:"+at("cert"), "-n", "CA", "-t", "CT,,", "-i", at("ca.pem"))
}
