package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/signals"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/mail"
	"github.com/rollcall-im/rollcall/internal/seal"
	"github.com/rollcall-im/rollcall/provisioning/reviews"
)

// Config is what `rollcall serve` reads: defaults, then the file, then the environment. A key that is not
// here is refused. Any text may be ${NAME}, taken from the environment; a secret may stand in a file of its
// own, named by the key with _file behind it, and may be sealed.
type Config struct {
	Listen         string                `koanf:"listen"`               // address of the one listener, host:port
	PublicURL      string                `koanf:"public_url"`           // how browsers and sources reach it
	Database       string                `koanf:"database"`             // sqlite:PATH or postgres://…
	Connections    int                   `koanf:"database_connections"` // to PostgreSQL, of this node
	BootstrapToken string                `koanf:"bootstrap_token"`      // first administrator's bearer token
	Cluster        Cluster               `koanf:"cluster"`
	ClockLimit     time.Duration         `koanf:"clock_limit"` // how far this machine's clock may be from PostgreSQL's
	OpenFGA        OpenFGA               `koanf:"openfga"`
	OIDC           OIDC                  `koanf:"oidc"`
	SCIM           SCIM                  `koanf:"scim"`
	LDAP           []LDAP                `koanf:"ldap"`
	HRFeeds        []HRFeed              `koanf:"hr_feeds"`
	Signals        []signals.Transmitter `koanf:"signals"`
	SignIn         SignIn                `koanf:"sign_in"`
	Leave          Leave                 `koanf:"leave"`
	Disclosure     Disclosure            `koanf:"disclosure"`
	Erasure        Erasure               `koanf:"erasure"`
	Reviews        Reviews               `koanf:"reviews"`
	FormerNames    time.Duration         `koanf:"former_names"` // how long administrators find people by them; 0s: not at all
	Secrets        Secrets               `koanf:"secrets"`
	Outbound       Outbound              `koanf:"outbound"`
	Mail           Mail                  `koanf:"mail"`
	SMS            SMS                   `koanf:"sms"`
	Administration Administration        `koanf:"administration"`
	Audit          Audit                 `koanf:"audit"`
	Tracing        Tracing               `koanf:"tracing"`
	Log            Log                   `koanf:"log"`
	Dev            Dev                   `koanf:"dev"`

	key     *seal.Key // of secrets.identity; nil: none
	reloads *reloader // nil: it is not read again
}

// OpenFGA says where relations are kept besides our own tables.
type OpenFGA struct {
	URL      string `koanf:"url"`      // of an external server; empty: in this process
	Token    string `koanf:"token"`    // the external server's pre-shared key
	Database string `koanf:"database"` // of the server in this process; empty: a file beside the database, or the same PostgreSQL
	// Connections is how many the server in this process may hold to its database.
	Connections int `koanf:"connections"`
}

// OIDC is the identity provider people sign in with. Empty issuer: nobody signs in by browser.
type OIDC struct {
	Issuer       string `koanf:"issuer"`
	ClientID     string `koanf:"client_id"`
	ClientSecret string `koanf:"client_secret"`
	Claim        string `koanf:"claim"` // the claim that says who it is
	Match        string `koanf:"match"` // what the claim is compared with: employee_number, external_id or user_name
	Source       string `koanf:"source"`
	// AnyLogoutType takes logout tokens without the header type "logout+jwt", of identity providers that follow the first
	// edition of OpenID Connect Back-Channel Logout.
	AnyLogoutType bool     `koanf:"any_logout_type"`
	Scopes        []string `koanf:"scopes"` // empty: openid profile email
}

// SCIM bounds what sources may send.
type SCIM struct {
	Rate            int        `koanf:"rate"`             // requests per second of one source
	Definitions     string     `koanf:"definitions"`      // folder of schema extensions, as JSON (RFC 7643 section 7)
	AdvertiseCursor bool       `koanf:"advertise_cursor"` // say in ServiceProviderConfig that cursors are served (RFC 9865)
	RequestLog      RequestLog `koanf:"request_log"`
}

// RequestLog says what is kept of the last requests of each SCIM source.
type RequestLog struct {
	Bodies bool          `koanf:"bodies"` // of requests and answers, which are personal data
	Keep   time.Duration `koanf:"keep"`   // how long; 0: no request is kept
}

// LDAP is one LDAP or Active Directory source.
type LDAP struct {
	Name        string        `koanf:"name"`      // of the source, never changed
	Priority    int           `koanf:"priority"`  // the lower wins, per attribute
	Every       time.Duration `koanf:"every"`     // between full comparisons; 0: a day where the server tells its changes, else an hour
	Correlate   []string      `koanf:"correlate"` // fields by which a record joins a person another source knows: employee_number
	Authority   []string      `koanf:"authority"` // what its word counts for before that of others; nil: everything
	DryRun      bool          `koanf:"dry_run"`   // begin with a dry run; without effect once the source is live
	ldap.Config `koanf:",squash"`
}

// Log says what is logged.
type Log struct {
	Level  string `koanf:"level"`  // debug, info, warn, error
	Format string `koanf:"format"` // json, text
}

func (l Log) level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo // validate refused anything else before
	}
	return level
}

// Dev switches what only demos and tests may do.
type Dev struct {
	Impersonation bool `koanf:"impersonation"` // administrators may make tokens for people
}

func defaults() Config {
	return Config{
		Listen: "127.0.0.1:8480", Connections: 20, ClockLimit: 250 * time.Millisecond, FormerNames: directory.FormerNames,
		Cluster:        Cluster{Lease: 2 * time.Second, Deployment: "main"},
		OpenFGA:        OpenFGA{Connections: authz.EmbeddedConns},
		OIDC:           OIDC{Claim: "sub", Match: "external_id"},
		SignIn:         SignIn{Failures: 3, Quiet: 30 * time.Minute, AddressFailures: 100, ProxyHeader: headerXForwardedFor},
		Leave:          Leave{Access: "none", Overdue: "returns"},
		Disclosure:     Disclosure{End: 14, Move: 14, Leave: 14, Manager: "disclosed"},
		Erasure:        Erasure{Messages: "keep"},
		Reviews:        Reviews{Least: reviews.LeastTime},
		SCIM:           SCIM{Rate: 50, RequestLog: RequestLog{Bodies: true, Keep: maxKeep}},
		Administration: Administration{StepUp: stepUpEnrolled, BreakGlassNotice: 72 * time.Hour},
		Audit:          Audit{Every: 5 * time.Minute},
		Mail:           Mail{Security: mail.StartTLS},
		Tracing:        Tracing{Sample: 1},
		Log:            Log{Level: "info", Format: "json"},
	}
}

// maxKeep is how long requests with their bodies are kept at most.
const maxKeep = 24 * time.Hour

const envPrefix = "ROLLCALL_"

// loadConfig reads path ("" for none), the environment and every file a key names.
func loadConfig(path string, environ []string) (Config, error) {
	cfg, _, err := loadRaw(path, environ)
	return cfg, err
}

// loadRaw is loadConfig, and the keys that it read.
func loadRaw(path string, environ []string) (Config, map[string]any, error) {
	raw, err := readConfig(path, environ)
	if err != nil {
		return Config{}, nil, err
	}
	cfg, err := parseConfig(raw)
	if err != nil {
		return Config{}, nil, placed(path, environ, err)
	}
	return cfg, raw, nil
}

// readConfig answers the keys in force, by defaults, file and environment, with every reference put in.
func readConfig(path string, environ []string) (map[string]any, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(defaults(), "koanf"), nil); err != nil {
		return nil, err
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
		if identity := k.String("secrets.identity"); identity != "" && !envReference.MatchString(identity) {
			return nil, fmt.Errorf("configuration %s: secrets.identity: never stands in this file, beside what it opens: "+
				"give it by the environment (ROLLCALL_SECRETS_IDENTITY) or in a file of its own (secrets.identity_file)", path)
		}
	}
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	fromEnv := map[string]any{}
	for _, key := range configKeys() {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		for _, suffix := range []string{"", "_file"} {
			if value, ok := env[name+strings.ToUpper(suffix)]; ok && (suffix == "" || value != "") {
				fromEnv[key+suffix] = value
			}
		}
	}
	if err := k.Load(confmap.Provider(fromEnv, "."), nil); err != nil {
		return nil, err
	}
	raw, err := resolve(k.Raw(), env, "")
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return raw.(map[string]any), nil
}

// configKeys are the keys that the environment may give.
func configKeys() []string {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(defaults(), "koanf"), nil); err != nil {
		return nil
	}
	return k.Keys()
}

// parseConfig turns keys into a Config and checks it.
func parseConfig(raw map[string]any) (Config, error) {
	key, err := sealKey(raw)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	raw, err = unseal(raw)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	clean := koanf.New(".")
	if err := clean.Load(confmap.Provider(raw, ""), nil); err != nil {
		return Config{}, err
	}
	if err := oneText(raw); err != nil {
		return Config{}, err
	}
	cfg := Config{key: key}
	if err := decode(clean, &cfg); err != nil {
		return Config{}, err
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://" + cfg.Listen
	}
	return cfg, cfg.validate()
}

var envReference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// resolve puts in ${NAME} and the contents of …_file keys.
func resolve(v any, env map[string]string, path string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			value, err := resolve(value, env, strings.TrimPrefix(path+"."+key, "."))
			if err != nil {
				return nil, err
			}
			name, isFile := strings.CutSuffix(key, "_file")
			if !isFile || key == "ca_file" {
				if _, taken := out[key]; !taken || value != "" {
					out[key] = value
				}
				continue
			}
			if own, both := v[name]; both && own != "" && own != nil {
				return nil, fmt.Errorf("%s and %s stand there together: which one counts?", strings.TrimPrefix(path+"."+name, "."), key)
			}
			text, err := os.ReadFile(fmt.Sprint(value))
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", path, key, err)
			}
			out[name] = strings.TrimRight(string(text), "\r\n")
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			var err error
			if out[i], err = resolve(value, env, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		m := envReference.FindStringSubmatch(v)
		if m == nil {
			return v, nil
		}
		value, ok := env[m[1]]
		if !ok {
			return nil, fmt.Errorf("%s: the environment has no %s", strings.TrimPrefix(path, "."), m[1])
		}
		return value, nil
	}
	return v, nil
}

func (c Config) validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fault{key, fmt.Sprintf(format, args...)})
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen", "wants host:port, not %q", c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("public_url", "wants http://host or https://host, not %q", db.Masked(c.PublicURL))
	}
	if scheme, _, _ := strings.Cut(c.Database, ":"); !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme) {
		bad("database", "wants sqlite:PATH or postgres://…")
	}
	if c.ClockLimit < 10*time.Millisecond || c.ClockLimit > time.Minute {
		bad("clock_limit", "wants a duration from 10ms to 1m, not %s", c.ClockLimit)
	}
	if c.OpenFGA.Connections < 4 || c.OpenFGA.Connections > 1000 {
		bad("openfga.connections", "wants a number from 4 to 1000, not %d", c.OpenFGA.Connections)
	}
	if c.Connections < 4 || c.Connections > 1000 {
		bad("database_connections", "wants a number from 4 to 1000, not %d", c.Connections)
	}
	if u, err := url.Parse(c.OIDC.Issuer); c.OIDC.Issuer != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("oidc.issuer", "wants http://host or https://host, not %q", db.Masked(c.OIDC.Issuer))
	}
	if c.BootstrapToken != "" && len(c.BootstrapToken) < 16 {
		bad("bootstrap_token", "is shorter than 16 characters")
	}
	if c.SCIM.Rate < 1 {
		bad("scim.rate", "wants a number from 1")
	}
	if keep := c.SCIM.RequestLog.Keep; keep < 0 || keep > maxKeep {
		bad("scim.request_log.keep", "wants a duration from 0s to 24h, not %s", keep)
	}
	if c.OIDC.Issuer != "" && c.OIDC.ClientID == "" {
		bad("oidc.client_id", "is missing")
	}
	if matches := []string{"employee_number", "external_id", "user_name"}; !slices.Contains(matches, c.OIDC.Match) {
		bad("oidc.match", "%q is not one of %s", c.OIDC.Match, strings.Join(matches, ", "))
	}
	c.Cluster.check(bad, c.Database)
	c.SignIn.check(bad)
	c.Leave.check(bad)
	c.Disclosure.check(bad)
	c.Erasure.check(bad)
	c.Reviews.check(bad)
	if c.FormerNames < 0 {
		bad("former_names", "wants a duration from 0s, not %s", c.FormerNames)
	}
	c.Administration.check(bad)
	c.Audit.check(bad)
	c.Outbound.check(bad)
	c.Mail.check(bad)
	c.SMS.check(bad)
	c.Tracing.check(bad)
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		bad("log.level", "%q is not one of debug, info, warn, error", c.Log.Level)
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		bad("log.format", "%q is not one of json, text", c.Log.Format)
	}
	names := map[string]bool{}
	for i, l := range c.LDAP {
		if l.Name == "" {
			bad(fmt.Sprintf("ldap[%d].name", i), "is missing")
		} else if err := directory.CheckSourceName(l.Name); err != nil {
			bad(fmt.Sprintf("ldap[%d].name", i), "%v", err)
		}
		if l.Priority < 0 {
			bad(fmt.Sprintf("ldap[%d].priority", i), "wants a number from 0, not %d", l.Priority)
		}
		for _, d := range []struct {
			key         string
			value, from time.Duration
		}{{"poll_interval", l.PollInterval, 50 * time.Millisecond}, {"inventory", l.Inventory, time.Second}, {"timeout", l.Timeout, 100 * time.Millisecond},
			{"page_timeout", l.PageTimeout, 100 * time.Millisecond}} {
			if d.value != 0 && (d.value < d.from || d.value > 7*24*time.Hour) {
				bad(fmt.Sprintf("ldap[%d].%s", i, d.key), "wants a duration from %s to 168h, not %s", d.from, d.value)
			}
		}
		for _, err := range l.Faults() {
			bad(fmt.Sprintf("ldap[%d]", i), "%v", err)
		}
		for _, field := range l.Correlate {
			if field != directory.CorrelateEmployeeNumber && field != directory.CorrelateExternalID {
				bad(fmt.Sprintf("ldap[%d].correlate", i), "%q is not one of %s, %s", field, directory.CorrelateEmployeeNumber, directory.CorrelateExternalID)
			}
		}
		if err := directory.CheckAuthority(l.Authority); err != nil {
			bad(fmt.Sprintf("ldap[%d].authority", i), "%v", err)
		}
		if l.Every != 0 && l.Every < time.Second {
			bad(fmt.Sprintf("ldap[%d].every", i), "wants a duration of a second or more, as 1h, not %s", l.Every)
		}
		if names[l.Name] {
			bad(fmt.Sprintf("ldap[%d].name", i), "%q stands twice", l.Name)
		}
		names[l.Name] = true
	}
	checkHRFeeds(c.HRFeeds, names, bad)
	for _, fault := range signals.Faults(c.Signals) {
		bad("signals"+fault.Key, "%s", fault.Text)
	}
	return errors.Join(errs...)
}

// ldapEvery is how often the source name is compared in full; 0 leaves it to whether the server tells its changes.
func (c Config) ldapEvery(name string) time.Duration {
	for _, l := range c.LDAP {
		if l.Name == name && l.Every > 0 {
			return l.Every
		}
	}
	return 0
}

// redact replaces what is secret in a configuration as read, for showing it.
func redact(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, value := range v {
			out[k] = redact(k, value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = redact(key, value)
		}
		return out
	case string:
		if slices.Contains(secretKeys, key) && v != "" || seal.Sealed(v) {
			return "***"
		}
		return db.Masked(v)
	}
	return v
}

func configCommand() *cobra.Command {
	command := &cobra.Command{Use: "config", Short: "Check or print the configuration, and seal its secrets"}
	for _, verb := range []string{"check", "print"} {
		sub := &cobra.Command{Use: verb, Short: map[string]string{"check": "Say whether the configuration can be used", "print": "Print the configuration in force, without secrets"}[verb], Args: cobra.NoArgs}
		path := sub.Flags().String("config", "", "path of rollcall.yaml")
		sub.RunE = func(c *cobra.Command, _ []string) error {
			cfg, raw, err := loadRaw(*path, os.Environ())
			if err != nil {
				return err
			}
			if verb == "check" {
				if _, err := cfg.definitions(); err != nil {
					return err
				}
				fmt.Fprintln(c.ErrOrStderr(), "configuration is fine")
				if open := openIdentity(*path, os.Environ()); open != "" {
					fmt.Fprintln(c.ErrOrStderr(), "warning: secrets.identity_file:", open)
				}
				if cfg.OpenFGA.Token != "" && readable(cfg.OpenFGA.URL) {
					fmt.Fprintln(c.ErrOrStderr(), "warning: openfga.token: crosses the network readable: openfga.url wants https://, unless nobody else is on that network")
				}
				return nil
			}
			shown := redact("", raw)
			return write(c, shown, func(w io.Writer) {
				if text, err := yamlv3.Marshal(shown); err == nil {
					w.Write(text)
				}
			})
		}
		command.AddCommand(sub)
	}
	command.AddCommand(sealCommand(), keygenCommand())
	return command
}
