package ldaptest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	goldap "github.com/go-ldap/ldap/v3"
)

// Names in the domain that StartAD makes.
const (
	ADRoot    = "DC=corp,DC=example"
	ADBase    = "OU=Company," + ADRoot // what is synced
	ADOutside = "OU=Elsewhere," + ADRoot
	ADAdmin   = "administrator@corp.example"
	ADAdminPW = "Slapd-admin-secret-1"
	ADSync    = "svc-sync@corp.example"  // an ordinary account that may replicate changes
	ADPlain   = "svc-plain@corp.example" // an ordinary account
	ADPW      = "Slapd-sync-canary-7c1d"
	ADPeople  = 200
	ADGroups  = 20
	ADUnits   = 12
)

// AD is a running Samba domain controller. Its ports cannot be chosen, so there is one on a machine at a time.
type AD struct {
	URL    string // ldaps://
	CAFile string
	Dir    string
	lock   *os.File // held while it may run; its number stands in it
	process
}

// StartAD starts a domain controller with a company in it. The first start of a version provisions the domain, which is then kept
// in the folder of temporary files. It waits while another process runs one.
func StartAD(t testing.TB) *AD {
	t.Helper()
	samba, tool := sambaProgram(t, "samba"), sambaProgram(t, "samba-tool")
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("Samba needs root, and CI needs Samba")
		}
		t.Skip("skipped: Samba's ports need root")
	}
	lock := lockPorts(t)
	dir := t.TempDir()
	s := &AD{URL: "ldaps://127.0.0.1:636", CAFile: filepath.Join(dir, "ca.pem"), Dir: dir, lock: lock}
	certificates(t, dir)
	t.Cleanup(s.Stop)
	version, err := exec.Command(samba, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(os.TempDir(), "rollcall-samba-"+strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(string(version), "Version ")), "/", "_")+"-1.tar")
	if _, err := os.Stat(kept); err != nil {
		s.provision(t, samba, tool, kept)
	} else {
		run(t, "tar", "-xf", kept, "-C", dir)
		s.rehome(t)
	}
	s.begin(t, samba)
	return s
}

func sambaProgram(t testing.TB, name string) string {
	t.Helper()
	return program(t, name, "package samba-ad-dc")
}

// lockPorts waits for Samba's ports, which no two tests can have at once.
func lockPorts(t testing.TB) *os.File {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "rollcall-samba.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	for range 3000 {
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			endStray(lock)
			return lock
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("another test keeps Samba's ports")
	return nil
}

// endStray ends the server of a test that died before it could: its number stands in the lock.
func endStray(lock *os.File) {
	raw, err := os.ReadFile(lock.Name())
	if err != nil || len(raw) == 0 {
		return
	}
	pid, err := strconv.Atoi(string(raw))
	if name, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && readErr == nil && strings.HasPrefix(string(name), "samba") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args[0], err, out)
	}
	return string(out)
}

// provision makes the domain and the company, and keeps both in the file kept.
func (s *AD) provision(t testing.TB, samba, tool, kept string) {
	t.Helper()
	run(t, tool, "domain", "provision", "--targetdir="+filepath.Join(s.Dir, "dc"), "--realm=CORP.EXAMPLE", "--domain=CORP", "--server-role=dc", "--dns-backend=NONE",
		"--host-name=dc1", "--host-ip=127.0.0.1", "--adminpass="+ADAdminPW, "--option=interfaces=lo", "--option=bind interfaces only=yes", "--use-rfc2307")
	if err := os.WriteFile(filepath.Join(s.Dir, "home"), []byte(s.Dir), 0o600); err != nil {
		t.Fatal(err)
	}
	s.begin(t, samba)
	s.populate(t, tool)
	s.Stop()
	half := kept + strconv.Itoa(os.Getpid())
	run(t, "tar", "-cf", half, "-C", s.Dir, "dc", "home")
	if err := os.Rename(half, kept); err != nil {
		t.Fatal(err)
	}
}

// rehome tells the configuration where the domain stands now.
func (s *AD) rehome(t testing.TB) {
	t.Helper()
	home, err := os.ReadFile(filepath.Join(s.Dir, "home"))
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(s.Dir, "dc", "etc", "smb.conf")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, bytes.ReplaceAll(text, home, []byte(s.Dir)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *AD) begin(t testing.TB, samba string) {
	t.Helper()
	dc := filepath.Join(s.Dir, "dc")
	args := []string{"-s", filepath.Join(dc, "etc", "smb.conf"), "-i", "-M", "single"}
	for _, option := range []string{"server services=ldap", "pid directory=" + dc, "log file=" + dc + "/log.%m", "max log size=0", "ncalrpc dir=" + dc + "/ncalrpc",
		"tls keyfile=" + s.Dir + "/srv.key", "tls certfile=" + s.Dir + "/srv.pem", "tls cafile=" + s.CAFile} {
		args = append(args, "--option="+option)
	}
	s.start(t, append([]string{samba}, args...)...)
	if err := os.WriteFile(s.lock.Name(), []byte(strconv.Itoa(s.cmd.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.answers(t, "127.0.0.1:636")
}

// Resume starts the server again after Stop or Kill.
func (s *AD) Resume(t testing.TB) {
	t.Helper()
	s.begin(t, sambaProgram(t, "samba"))
}

// Stop ends the server in an orderly way and waits for its end.
func (s *AD) Stop() { s.end(syscall.SIGTERM) }

// Admin answers a connection that may write everything.
func (s *AD) Admin(t testing.TB) *goldap.Conn { return s.As(t, ADAdmin, ADAdminPW) }

// As answers a connection of an account.
func (s *AD) As(t testing.TB, login, password string) *goldap.Conn {
	t.Helper()
	return connect(t, s.URL, s.CAFile, login, password)
}

// ADUnit answers the DN of a unit of the company.
func ADUnit(i int) string { return fmt.Sprintf("OU=dept%02d,OU=People,%s", i%ADUnits, ADBase) }

// ADPerson answers the DN of a person as the company began.
func ADPerson(i int) string { return fmt.Sprintf("CN=Person %03d,%s", i, ADUnit(i)) }

// ADGroup answers the DN of a group.
func ADGroup(i int) string { return fmt.Sprintf("CN=g%02d,OU=Groups,%s", i, ADBase) }

// populate adds the company and the accounts that read it.
func (s *AD) populate(t testing.TB, tool string) {
	t.Helper()
	c := s.Admin(t)
	add := func(dn string, attrs ...string) {
		t.Helper()
		r := goldap.NewAddRequest(dn, nil)
		for _, a := range attrs {
			name, values, _ := strings.Cut(a, "=")
			r.Attribute(name, strings.Split(values, "|"))
		}
		if err := c.Add(r); err != nil {
			t.Fatalf("add %s: %v", dn, err)
		}
	}
	units := []string{ADBase, "OU=People," + ADBase, "OU=Groups," + ADBase, ADOutside}
	for i := range ADUnits {
		units = append(units, ADUnit(i))
	}
	for _, dn := range units {
		add(dn, "objectClass=organizationalUnit")
	}
	for i := range ADPeople {
		attrs := []string{"objectClass=user", fmt.Sprintf("sAMAccountName=u%03d", i), fmt.Sprintf("displayName=张 %03d", i), "sn=O'Brien", "title=Engineer",
			fmt.Sprintf("mail=u%03d@corp.example", i), fmt.Sprintf("employeeNumber=E%03d", i), "userAccountControl=544"}
		if i > 0 {
			attrs = append(attrs, "manager="+ADPerson(i/10))
		}
		add(ADPerson(i), attrs...)
	}
	for i := range ADGroups {
		var members []string
		for j := range 3 + i {
			members = append(members, ADPerson((i*31+j*7)%ADPeople))
		}
		if i > 0 && i%10 == 0 {
			members = append(members, ADGroup(i-1))
		}
		add(ADGroup(i), "objectClass=group", fmt.Sprintf("sAMAccountName=g%02d", i), "member="+strings.Join(members, "|"))
	}
	for _, name := range []string{"svc-sync", "svc-plain"} {
		dn := "CN=" + name + ",CN=Users," + ADRoot
		add(dn, "objectClass=user", "sAMAccountName="+name, "userPrincipalName="+name+"@corp.example", "userAccountControl=514")
		m := goldap.NewModifyRequest(dn, nil)
		m.Replace("unicodePwd", []string{unicodePassword(ADPW)})
		m.Replace("userAccountControl", []string{"512"})
		if err := c.Modify(m); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.Search(goldap.NewSearchRequest("CN=svc-sync,CN=Users,"+ADRoot, 0, 0, 0, 0, false, "(objectClass=*)", []string{"objectSid"}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatal(found, err)
	}
	sid := sidText(found.Entries[0].GetRawAttributeValue("objectSid"))
	run(t, tool, "dsacl", "set", "--configfile="+filepath.Join(s.Dir, "dc", "etc", "smb.conf"), "-H", filepath.Join(s.Dir, "dc", "private", "sam.ldb"), "--objectdn="+ADRoot,
		"--sddl=(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;"+sid+")") // DS-Replication-Get-Changes
}

// unicodePassword is how a domain controller takes a password ([MS-ADTS] section 3.1.1.3.1.5).
func unicodePassword(text string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(`"` + text + `"`)) {
		b.Write(binary.LittleEndian.AppendUint16(nil, u))
	}
	return b.String()
}

// sidText writes a security identifier ([MS-DTYP] section 2.4.2).
func sidText(raw []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "S-%d-%d", raw[0], raw[7])
	for at := 8; at+4 <= len(raw); at += 4 {
		fmt.Fprintf(&b, "-%d", binary.LittleEndian.Uint32(raw[at:]))
	}
	return b.String()
}
