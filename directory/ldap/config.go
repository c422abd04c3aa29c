package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/rollcall-im/rollcall/internal/outbound"
)

// Secret is a text that no formatting, logging or encoding shows.
type Secret string

const hidden = "***"

// String implements fmt.Stringer.
func (Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hidden }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Config says where a directory is and how to read it. The zero value of everything but URL, BindDN, Password
// and Base is a sensible default.
type Config struct {
	// URL is ldaps://host[:port], or ldap://host[:port], which is secured with StartTLS; or several, with blanks between them, in the
	// order of preference: servers that hold the same directory. The next is asked where one cannot be reached or is behind.
	URL string `koanf:"url"`
	// InsecurePlain speaks ldap:// without TLS. It is refused for hosts other than this machine.
	InsecurePlain bool                  `koanf:"insecure_plain"`
	CAFile        string                `koanf:"ca_file"`     // PEM; the authorities to trust instead of the system's
	Roots         func() *x509.CertPool `koanf:"-" json:"-"`  // without CAFile: who is believed at the next connection; nil, or what answers nil: whom the machine believes
	ServerName    string                `koanf:"server_name"` // the name in the certificate, where it is not the URL's host

	BindDN   string `koanf:"bind_dn"`
	Password Secret `koanf:"password"`

	Base     string `koanf:"base"`      // where people, units and groups are
	PageSize int    `koanf:"page_size"` // 1 to 10000; default 500

	PersonClasses []string `koanf:"person_classes"` // default inetOrgPerson, on Active Directory user without computer
	UnitClasses   []string `koanf:"unit_classes"`   // default organizationalUnit
	GroupClasses  []string `koanf:"group_classes"`  // default groupOfNames, groupOfUniqueNames, groupOfMembers, posixGroup; on Active Directory group
	IDAttribute   string   `koanf:"id_attribute"`   // default entryUUID, nsUniqueId on 389, objectGUID on Active Directory

	// Mapping gives, for an attribute of a person (display_name, user_name, …), the LDAP attributes it is read from, separated
	// by commas: the first that has a value. What is not named keeps its default; "-" reads it from nowhere.
	Mapping map[string]string `koanf:"mapping"`
	// Labels gives the LDAP attribute of each free label.
	Labels map[string]string `koanf:"labels"`
	// SignIn lets people sign in with their login name or e-mail address and the password they have here. It wants TLS, on
	// this machine too: a password is never sent where it could be read.
	SignIn bool `koanf:"sign_in"`
	// Sentinel is the DN of an entry that must be there; a directory without it is not believed. Optional.
	Sentinel string `koanf:"sentinel"`
	// IgnoreReferences believes a reading complete although the server pointed to other servers for a part of the tree.
	IgnoreReferences bool `koanf:"ignore_references"`

	Timeout      time.Duration `koanf:"timeout"`       // without a byte from the server; default 10 s
	PageTimeout  time.Duration `koanf:"page_timeout"`  // for one whole page; default 2 min
	PollInterval time.Duration `koanf:"poll_interval"` // of the freshness mark; default 250 ms
	Inventory    time.Duration `koanf:"inventory"`     // between looks for what is gone, where the server does not tell deletions; default 5 min
}

// ErrConfig says that a Config cannot be used; the text names the key.
var ErrConfig = errors.New("ldap configuration")

var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`) // RFC 4512 section 2.5

// neverID are attributes that say who somebody is today, and are no key.
var neverID = []string{"mail", "mailalternateaddress", "proxyaddresses", "othermailbox", "userprincipalname", "cn", "sn", "givenname", "displayname", "name", "title", "ou", "o",
	"telephonenumber", "mobile", "department", "manager", "member", "objectclass"}

// prepared is a Config that was checked and filled in.
type prepared struct {
	Config
	servers []*server // at least one
	base    *goldap.DN
	fields  map[string][]string // attribute of a person → LDAP attributes, in lower case
	labels  map[string]string
	also    []string // of a person: further attributes to ask for
}

// server is one that holds the directory.
type server struct {
	host, address string
	secure        bool // ldaps
	tls           *tls.Config
	roots         func() *x509.CertPool // nil: those of tls
}

// Check answers an ErrConfig where c cannot be used. It reads CAFile, but does not connect.
func (c Config) Check() error { return errors.Join(c.Faults()...) }

// Faults answers everything for which c cannot be used, each an ErrConfig.
func (c Config) Faults() []error {
	_, faults := c.examine()
	return faults
}

func (c Config) prepare() (*prepared, error) {
	p, faults := c.examine()
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

func (c Config) examine() (*prepared, []error) {
	p := &prepared{Config: c}
	fault := func(key, format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrConfig, key, fmt.Sprintf(format, args...))
	}
	var faults []error
	bad := func(key, format string, args ...any) { faults = append(faults, fault(key, format, args...)) }
	for text := range strings.FieldsSeq(c.URL) {
		at, err := c.server(text, fault)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.servers = append(p.servers, at)
	}
	switch {
	case c.URL == "":
		bad("url", "is missing")
	case strings.TrimSpace(c.URL) == "":
		bad("url", "wants ldaps://host or ldap://host")
	}
	var err error
	if p.base, err = goldap.ParseDN(c.Base); c.Base == "" {
		bad("base", "is missing")
	} else if err != nil || len(p.base.RDNs) == 0 {
		bad("base", "%q is not a distinguished name", c.Base)
	} else if _, err := goldap.ParseDN(c.Sentinel); err != nil {
		bad("sentinel", "%q is not a distinguished name", c.Sentinel)
	} else if c.Sentinel != "" {
		if within, err := parsedWithin(c.Base, parsed(c.Sentinel)); err != nil || !within {
			bad("sentinel", "%q is not below base, %q", c.Sentinel, c.Base)
		}
	}
	if _, err := goldap.ParseDN(c.BindDN); err != nil && !strings.ContainsAny(c.BindDN, `@\`) { // Active Directory also takes user@domain
		bad("bind_dn", "%q is not a distinguished name", c.BindDN)
	}
	if c.BindDN == "" || c.Password == "" {
		bad("bind_dn", "bind_dn and password are both needed: an anonymous reading may be cut short without a word")
	}
	if c.PageSize < 0 || c.PageSize > 10_000 {
		bad("page_size", "wants 1 to 10000")
	}
	for key, d := range map[string]time.Duration{"timeout": c.Timeout, "page_timeout": c.PageTimeout, "poll_interval": c.PollInterval, "inventory": c.Inventory} {
		if d < 0 {
			bad(key, "wants a time to come")
		}
	}
	p.defaults()
	p.checkNames(bad)
	switch {
	case c.SignIn && c.InsecurePlain:
		bad("sign_in", "wants TLS, on this machine too: without insecure_plain")
	case c.SignIn && len(p.fields["user_name"])+len(p.fields["email"]) == 0:
		bad("sign_in", "mapping.user_name and mapping.email read from nowhere, so there is nothing to sign in with")
	}
	slices.SortStableFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return p, faults
}

// server reads one URL.
func (c Config) server(text string, bad func(string, string, ...any) error) (*server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" {
		return nil, bad("url", "wants ldaps://host or ldap://host")
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, bad("url", "wants only a host and a port; the login stands in bind_dn and password, the base in base")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, bad("url", "%s is not a port: wants 1 to 65535", port)
		}
	}
	s, port := &server{host: u.Hostname(), secure: u.Scheme == "ldaps"}, u.Port()
	if port == "" {
		port = map[bool]string{true: "636", false: "389"}[s.secure]
	}
	s.address = net.JoinHostPort(s.host, port)
	if c.InsecurePlain && s.secure {
		return nil, bad("insecure_plain", "makes no sense with ldaps://")
	}
	if c.InsecurePlain && !outbound.Loopback(s.host) {
		return nil, bad("insecure_plain", "is only for a server on this machine, not for %s: the password and all names would cross the network readable", s.host)
	}
	if s.tls, err = c.tlsConfig(s.host); err != nil {
		return nil, bad("ca_file", "%v", err)
	}
	if c.CAFile == "" {
		s.roots = c.Roots
	}
	return s, nil
}

func (p *prepared) defaults() {
	orElse := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	orElse(&p.Timeout, 10*time.Second)
	orElse(&p.PageTimeout, 2*time.Minute)
	orElse(&p.PollInterval, 250*time.Millisecond)
	orElse(&p.Inventory, 5*time.Minute)
	if p.PageSize == 0 {
		p.PageSize = 500
	}
	if len(p.UnitClasses) == 0 {
		p.UnitClasses = []string{"organizationalUnit"}
	}
}

// checkNames looks at everything of the configuration that enters a filter or a list of attributes.
func (p *prepared) checkNames(bad func(string, string, ...any)) {
	for key, list := range map[string][]string{"person_classes": p.PersonClasses, "unit_classes": p.UnitClasses, "group_classes": p.GroupClasses, "id_attribute": {p.IDAttribute}} {
		for _, name := range list {
			if name != "" && !attributeName.MatchString(name) {
				bad(key, "%q is not a name", name)
			}
		}
	}
	if secretName(p.IDAttribute) {
		bad("id_attribute", "%q may hold a secret", p.IDAttribute)
	}
	if slices.Contains(neverID, strings.ToLower(p.IDAttribute)) {
		bad("id_attribute", "%q is never a key: it changes, is given to others, or several people have the same", p.IDAttribute)
	}
	p.fields = map[string][]string{}
	for field, list := range defaultMapping {
		if list != "" {
			p.fields[field] = strings.Split(list, ",")
		}
	}
	for field, list := range p.Mapping {
		if _, ok := defaultMapping[field]; !ok {
			bad("mapping."+field, "is no attribute of a person")
			continue
		}
		p.fields[field] = nil
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name == "-" || name == "" {
				continue
			}
			if !attributeName.MatchString(name) {
				bad("mapping."+field, "%q is not an attribute name", name)
			}
			if secretName(name) {
				bad("mapping."+field, "%q may hold a secret and is mapped to nothing", name)
			}
			p.fields[field] = append(p.fields[field], strings.ToLower(name))
		}
	}
	p.labels = map[string]string{}
	for label, name := range p.Labels {
		if !attributeName.MatchString(name) {
			bad("labels."+label, "%q is not an attribute name", name)
		}
		if secretName(name) {
			bad("labels."+label, "%q may hold a secret and is mapped to nothing", name)
		}
		p.labels[label] = strings.ToLower(name)
	}
}

// parsed answers a DN that was checked before.
func parsed(dn string) *goldap.DN {
	d, err := goldap.ParseDN(dn)
	if err != nil {
		return &goldap.DN{}
	}
	return d
}

func (c Config) tlsConfig(host string) (*tls.Config, error) {
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.ServerName != "" {
		t.ServerName = c.ServerName
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", c.CAFile)
		}
	}
	return t, nil
}

// attributes lists what to ask for of a person, of a unit or of a group.
func (p *prepared) attributes(class Class, idAttribute string) []string {
	out := []string{"objectClass", idAttribute}
	switch class {
	case ClassUnit:
		out = append(out, "ou", "cn", "description", "displayName")
	case ClassGroup:
		out = append(out, "cn", "displayName", "description", "member", "uniqueMember", "memberUid")
	case ClassPerson:
		for _, names := range p.fields {
			out = append(out, names...)
		}
		for _, name := range p.labels {
			out = append(out, name)
		}
		out = append(out, "manager", "uid", "telephoneNumber", "mobile")
		out = append(out, statusAttributes...)
		out = append(out, p.also...)
	}
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
