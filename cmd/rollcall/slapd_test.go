package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
pidfile %[1]s/slapd.pid
TLSCACertificateFile %[3]s/ca.pem
TLSCertificateFile %[3]s/srv.pem
TLSCertificateKeyFile %[3]s/srv.key
serverID 1
sizelimit %[2]s
database mdb
suffix dc=corp,dc=example
rootdn cn=admin,dc=corp,dc=example
rootpw secret
directory %[1]s/db
index objectClass,entryUUID eq
limits dn.exact="cn=sync,dc=corp,dc=example" size=%[2]s
access to * by users read by anonymous auth
overlay syncprov
`

// slapd crowd LDIF N: adds N people to a file, uid=u000 and on, engineers of ou=rnd. slapd start LDIF [SIZELIMIT] | slapd stop | slapd modify LDIF: a real OpenLDAP on loopback with the entries of LDIF;
// its addresses are in $LDAP_URL and $LDAPS_URL, the authority of its certificate in $LDAP_CA.
func slapdWord(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	dir := ts.MkAbs("slapd")
	switch args[0] {
	case "crowd":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		ts.Check(err)
		for i := range n {
			text = fmt.Appendf(text, "\ndn: uid=u%03[1]d,ou=rnd,dc=corp,dc=example\nobjectClass: inetOrgPerson\nuid: u%03[1]d\ncn: Person %03[1]d\nsn: P%03[1]d\ndisplayName: Person %03[1]d\n"+
				"employeeNumber: E%03[1]d\ntitle: Engineer\nentryUUID: 00000000-0000-4000-8000-%012[1]d\n", i)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
	case "start":
		if _, err := exec.LookPath("slapd"); err != nil {
			if _, err := os.Stat("/usr/sbin/slapd"); err != nil {
				if os.Getenv("CI") == "true" {
					ts.Fatalf("slapd is needed in CI")
				}
				ts.Logf("skipped: slapd is not installed (make deps installs it)")
				return
			}
		}
		limit := "unlimited"
		if len(args) > 2 {
			limit = args[2]
		}
		ts.Check(os.MkdirAll(filepath.Join(dir, "db"), 0o700))
		conf := filepath.Join(dir, "slapd.conf")
		ts.Check(os.WriteFile(conf, fmt.Appendf(nil, slapdConf, dir, limit, s.certs), 0o600))
		if args[1] != "-" {
			runTool(ts, "/usr/sbin/slapadd", "-q", "-w", "-S", "1", "-f", conf, "-l", ts.MkAbs(args[1]))
		}
		url := ts.Getenv("LDAP_URL")
		if url == "" {
			url = fmt.Sprintf("ldap://127.0.0.1:%d", freePort())
			ts.Setenv("LDAP_URL", url)
			ts.Setenv("LDAPS_URL", fmt.Sprintf("ldaps://127.0.0.1:%d", freePort()))
			ts.Setenv("LDAP_CA", filepath.Join(s.certs, "ca.pem"))
		}
		server := exec.Command("/usr/sbin/slapd", "-d", "0", "-f", conf, "-h", url+" "+ts.Getenv("LDAPS_URL"))
		server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		ts.Check(server.Start())
		s.slapd = server
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(30 * time.Millisecond) {
			if exec.Command("ldapwhoami", "-x", "-H", url).Run() == nil {
				return
			}
			if time.Now().After(deadline) {
				ts.Fatalf("slapd does not answer")
			}
		}
	case "stop":
		s.stopSlapd()
	case "modify":
		runTool(ts, "ldapmodify", "-x", "-H", ts.Getenv("LDAP_URL"), "-D", "cn=admin,dc=corp,dc=example", "-w", "secret", "-f", ts.MkAbs(args[1]))
	}
}

func (s *story) stopSlapd() {
	if s.slapd != nil {
		s.slapd.Process.Signal(syscall.SIGINT)
		s.slapd.Wait()
		s.slapd = nil
	}
}

func runTool(ts *testscript.TestScript, name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		ts.Fatalf("%s: %v\n%s", name, err, strings.TrimSpace(string(out)))
	}
}
