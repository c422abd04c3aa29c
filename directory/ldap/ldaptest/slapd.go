// Package ldaptest starts a real OpenLDAP, 389 or Samba AD server for one test, on loopback, with TLS and a company in it, and serves
// demo directories. It is for tests only. Where a server is not installed the test is skipped and says so; with
// CI=true that is a failure.
package ldaptest

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"
)

//go:embed slapd.conf
var config string

// Names in the directories that Start makes.
const (
	Base     = "dc=corp,dc=example"
	AdminDN  = "cn=admin,dc=corp,dc=example"
	AdminPW  = "slapd-admin-secret"
	ReaderDN = "cn=sync,ou=services,dc=corp,dc=example" // may read all, without limits
	ReaderPW = "slapd-sync-canary-7c1d"
)

// Server is a running slapd, or 389 Directory Server.
type Server struct {
	URL, URLS string // ldap:// (with StartTLS) and ldaps://
	CAFile    string // what signed its certificate
	OtherCA   string // an authority that did not
	Dir       string
	args      []string
	conf      string
	process
}

// Tool answers the path of a program of OpenLDAP, or skips the test.
func Tool(t testing.TB, name string) string {
	t.Helper()
	return program(t, name, "packages slapd and ldap-utils")
}

// Start loads ldif into a fresh server. Extra lines go into its configuration; "sizelimit 50" is one.
func Start(t testing.TB, ldif io.Reader, extra ...string) *Server {
	t.Helper()
	slapadd, slapd := Tool(t, "slapadd"), Tool(t, "slapd")
	dir := t.TempDir()
	s := &Server{Dir: dir, CAFile: filepath.Join(dir, "ca.pem"), OtherCA: filepath.Join(dir, "other.pem")}
	certificates(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "slapd.conf")
	s.conf = conf
	text := strings.NewReplacer("@DIR@", dir, "@ADMINPW@", AdminPW, "@EXTRA@", strings.Join(extra, "\n")).Replace(config)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.load(t, slapadd, ldif)
	plain, secure := freePort(t), freePort(t)
	s.URL, s.URLS = "ldap://127.0.0.1:"+plain, "ldaps://127.0.0.1:"+secure
	s.args = []string{slapd, "-d", "0", "-f", conf, "-h", s.URL + " " + s.URLS}
	s.Resume(t)
	t.Cleanup(s.Stop)
	return s
}

func (s *Server) load(t testing.TB, slapadd string, ldif io.Reader) {
	t.Helper()
	load := exec.Command(slapadd, "-q", "-w", "-S", "1", "-f", s.conf)
	load.Stdin = ldif
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
}

// Reload gives a server that is stopped another content; entries without entryUUID get new ones.
func (s *Server) Reload(t testing.TB, ldif io.Reader) {
	t.Helper()
	store := filepath.Join(s.Dir, "db")
	if err := errors.Join(os.RemoveAll(store), os.Mkdir(store, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.load(t, Tool(t, "slapadd"), ldif)
}

// Rewrite changes the configuration of a server that is stopped; it counts from Resume on. Without old, the line new is added.
func (s *Server) Rewrite(t testing.TB, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	if old == "" {
		old, new = "overlay ppolicy", new+"\noverlay ppolicy"
	}
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(s.conf, bytes.Replace(raw, []byte(old), []byte(new), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The lines of the configuration that tests rewrite.
const (
	SessionLog = "syncprov-sessionlog 1000" // without it the server names what is there instead of what is gone
	ServerID   = "serverID 1"
	Refint     = "overlay refint\nrefint_attributes member manager\n" // mends references, and tells nobody who follows
)

// Resume starts the server again after Stop.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.start(t, s.args...)
	s.answers(t, strings.TrimPrefix(s.URL, "ldap://"))
	s.answers(t, strings.TrimPrefix(s.URLS, "ldaps://")) // it listens there a moment later
}

// Admin answers a connection that may write everything.
func (s *Server) Admin(t testing.TB) *goldap.Conn {
	t.Helper()
	return connect(t, s.URLS, s.CAFile, AdminDN, AdminPW)
}

// Modify runs changes through ldapmodify.
func (s *Server) Modify(t testing.TB, ldif string) {
	t.Helper()
	cmd := exec.Command(Tool(t, "ldapmodify"), "-x", "-H", s.URLS, "-D", AdminDN, "-w", AdminPW)
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+s.CAFile)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Company is the size of a made-up company.
type Company struct {
	People, Units, Groups, Members int
	Everybody                      bool // one more group, g-all, that everybody is in
}

// LDIF writes a company: people u000000… spread over a tree of units below ou=people, each but the first 21 with a
// manager, bilingual names, and groups g00000… with up to Members members, some of them groups. The same Company gives the same bytes.
func (c Company) LDIF() io.Reader {
	var b bytes.Buffer
	fmt.Fprintf(&b, "dn: %s\nobjectClass: top\nobjectClass: dcObject\nobjectClass: organization\no: Corp\ndc: corp\n\n", Base)
	for _, o := range []string{"people", "groups", "services"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", o, Base, o)
	}
	fmt.Fprintf(&b, "dn: %s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sync\nuserPassword: %s\n\n", ReaderDN, ReaderPW)
	units := make([]string, max(c.Units, 1))
	for i := range units {
		parent := "ou=people," + Base
		if i >= 10 {
			parent = units[i%10]
		}
		units[i] = fmt.Sprintf("ou=dept%03d,%s", i, parent)
		fmt.Fprintf(&b, "dn: %s\nobjectClass: organizationalUnit\nou: dept%03d\nou;lang-zh: 研发%d部\n\n", units[i], i, i)
	}
	people := make([]string, c.People)
	for i := range people {
		people[i] = fmt.Sprintf("uid=u%06d,%s", i, units[(i*7)%len(units)])
		first, last := []string{"伟", "Olivia", "秀英", "Noah"}[i%4], []string{"王", "García", "张", "O'Brien", "Müller"}[i%5]
		fmt.Fprintf(&b, "dn: %s\nobjectClass: top\nobjectClass: person\nobjectClass: organizationalPerson\nobjectClass: inetOrgPerson\nuid: u%06d\ncn: %s %s\ndisplayName: %s %s\ngivenName: %s\nsn: %s\n",
			people[i], i, first, last, first, last, first, last)
		fmt.Fprintf(&b, "mail: u%06d@corp.example\nemployeeNumber: E%06d\nemployeeType: %s\ntitle: %s\ndepartmentNumber: D%03d\ntelephoneNumber: +86 10 %08d\n",
			i, i, []string{"employee", "employee", "contractor"}[i%3], []string{"Engineer", "Manager", "Buyer"}[i%3], i%len(units), 10000000+i)
		if i > 20 {
			fmt.Fprintf(&b, "manager: %s\n", people[i/20])
		}
		b.WriteByte('\n')
	}
	for i := range c.Groups {
		fmt.Fprintf(&b, "dn: cn=g%05d,ou=groups,%s\nobjectClass: groupOfNames\ncn: g%05d\n", i, Base, i)
		seen := map[int]bool{}
		for j := range 1 + (i*13)%max(c.Members, 1) {
			if k := (i*31 + j*17) % c.People; !seen[k] {
				seen[k] = true
				fmt.Fprintf(&b, "member: %s\n", people[k])
			}
		}
		if i > 0 && i%10 == 0 {
			fmt.Fprintf(&b, "member: cn=g%05d,ou=groups,%s\n", i-1, Base)
		}
		b.WriteByte('\n')
	}
	if c.Everybody {
		fmt.Fprintf(&b, "dn: cn=g-all,ou=groups,%s\nobjectClass: groupOfNames\ncn: g-all\n", Base)
		for _, dn := range people {
			fmt.Fprintf(&b, "member: %s\n", dn)
		}
		b.WriteByte('\n')
	}
	return &b
}
