package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/cmd/rollcall/demo"
	"github.com/rollcall-im/rollcall/cmd/rollcall/idp"
	"github.com/rollcall-im/rollcall/directory/ldap"
	ldapdemo "github.com/rollcall-im/rollcall/directory/ldap/demo"
	"github.com/rollcall-im/rollcall/internal/id"
)

// demoFlags are what `rollcall demo` can be told.
type demoFlags struct {
	listen, dataDir, postgres, lang, readyFile string
	people, nodes                              int
	noBrowser                                  bool
}

func demoCommand() *cobra.Command {
	f := demoFlags{}
	c := &cobra.Command{Use: "demo", Short: "Run the demo company: everything in this process, nothing to set up", Args: cobra.NoArgs}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8480", "address; the identity provider and the directory take the next two ports")
	flags.IntVar(&f.people, "people", 200, "how many people the company has")
	flags.IntVar(&f.nodes, "nodes", 1, "how many nodes, in one process; above 1 with --postgres, on the ports after the directory's")
	flags.StringVar(&f.dataDir, "data-dir", "", "where to keep data (default: a folder that is deleted at the end)")
	flags.StringVar(&f.postgres, "postgres", "", "address of an empty PostgreSQL database, instead of SQLite")
	flags.StringVar(&f.lang, "lang", "", "zh or en (default: by the browser)")
	flags.BoolVar(&f.noBrowser, "no-browser", false, "do not open a browser")
	flags.StringVar(&f.readyFile, "ready-file", "", "write addresses and credentials as JSON to this file once it serves")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.people < 24 || f.people > 100_000 {
			return fmt.Errorf("--people %d: the company has 24 to 100,000", f.people)
		}
		if err := f.checkNodes(); err != nil {
			return err
		}
		if f.lang != "" && f.lang != "zh" && f.lang != "en" {
			return fmt.Errorf("--lang %q is not one of zh, en", f.lang)
		}
		out := c.OutOrStdout()
		return runDemo(c.Context(), f, c.ErrOrStderr(), out, func(d *demoServer) error {
			d.print(out, f.lang)
			if f.readyFile != "" {
				text, err := json.MarshalIndent(d.ready, "", "  ")
				if err != nil {
					return err
				}
				if err := os.WriteFile(f.readyFile, append(text, '\n'), 0o600); err != nil {
					return err
				}
			}
			if !f.noBrowser {
				openBrowser(c.Context(), d.ready.URL+map[bool]string{true: "/?lang=" + f.lang}[f.lang != ""])
			}
			return nil
		})
	}
	c.AddCommand(demoScriptCommand())
	return c
}

// demoReady is what --ready-file holds; its keys are part of the outside contract.
type demoReady struct {
	URL          string `json:"url"`
	AdminToken   string `json:"admin_token"`
	SCIMURL      string `json:"scim_url"`
	SCIMToken    string `json:"scim_token"`
	LDAPURL      string `json:"ldap_url"`
	LDAPBindDN   string `json:"ldap_bind_dn"`
	LDAPPassword string `json:"ldap_password"`
	IDPURL       string `json:"idp_url"`
	NodeURLs     string `json:"node_urls,omitempty"` // of the other nodes, with commas between
}

// demoServer is a running demo.
type demoServer struct {
	ready   demoReady
	app     *app
	hr      *idp.Provider
	company []demo.Employee
	lang    string
	took    time.Duration
}

const (
	ldapSuffix = "dc=aurora,dc=example"
	ldapBindDN = "cn=admin," + ldapSuffix
	hrSource   = "hr"
	ldapSource = "plant"
)

// runDemo runs the demo until ctx ends. serving is called once everything answers.
func runDemo(ctx context.Context, f demoFlags, logs, screen io.Writer, serving func(*demoServer) error) error {
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dir := f.dataDir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "rollcall-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := f.ownDatabase(ctx); err != nil {
		return err
	}
	listeners, err := demoListeners(ctx, f.listen)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	log := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d := &demoServer{company: demo.People(f.people), lang: f.lang, ready: demoReady{
		URL: "http://" + listeners[0].Addr().String(), AdminToken: secret("demo-admin-"),
		LDAPURL: "ldap://" + listeners[2].Addr().String(), LDAPBindDN: ldapBindDN, LDAPPassword: secret("demo-"),
		IDPURL: "http://" + listeners[1].Addr().String(),
	}}
	d.ready.SCIMURL = d.ready.URL + "/scim/v2"
	cfg := d.config(f, dir, secret("demo-"))
	if cfg.key, err = demoIdentity(dir); err != nil {
		return err
	}
	stopBus, err := d.cluster(f, &cfg)
	if err != nil {
		return err
	}
	defer stopBus()
	tree, err := demo.Directory(ldapSuffix, ldapBindDN, d.ready.LDAPPassword, d.company)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := ldapdemo.Serve(ctx, listeners[2], tree); err != nil {
			cancel(fmt.Errorf("demo directory: %w", err))
		}
	})
	first := cfg
	first.Cluster.reached(listeners[0].Addr())
	if d.app, err = newApp(ctx, first, log); err != nil {
		cancel(nil)
		wait.Wait()
		return err
	}
	defer d.app.close()
	defer wait.Wait()
	defer cancel(nil)
	d.app.watch.revoked = func(person id.Person, took time.Duration) { d.announce(ctx, screen, person, took) }
	err = d.app.run(ctx, listeners[0], func(*app) {
		wait.Go(func() {
			if err := d.furnish(ctx, cfg, listeners[1]); err != nil {
				cancel(err)
				return
			}
			if err := d.moreNodes(ctx, f, cfg, log, screen, &wait, cancel); err != nil {
				cancel(err)
				return
			}
			d.took = time.Since(began)
			if err := serving(d); err != nil {
				cancel(err)
			}
		})
	})
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// demoListeners opens the address, and the two ports after it for the identity provider and the directory.
func demoListeners(ctx context.Context, address string) ([]net.Listener, error) {
	var out []net.Listener
	for i := range 3 {
		l, err := demoListener(ctx, address, i)
		if err != nil {
			for _, open := range out {
				open.Close()
			}
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func secret(prefix string) string { return prefix + rand.Text() }

func (d *demoServer) config(f demoFlags, dir, clientSecret string) Config {
	cfg := defaults()
	cfg.PublicURL, cfg.BootstrapToken = d.ready.URL, d.ready.AdminToken
	cfg.Database = cmp.Or(f.postgres, "sqlite:"+filepath.Join(dir, "rollcall.db"))
	cfg.OIDC = OIDC{Issuer: d.ready.IDPURL, ClientID: "rollcall", ClientSecret: clientSecret, Claim: "sub", Match: "external_id", Source: hrSource}
	cfg.SCIM.Rate = 2000
	cfg.LDAP = []LDAP{{Name: ldapSource, Priority: 20, Every: time.Minute, Config: ldap.Config{URL: d.ready.LDAPURL, InsecurePlain: true,
		BindDN: ldapBindDN, Password: ldap.Secret(d.ready.LDAPPassword), Base: ldapSuffix}}}
	cfg.Dev.Impersonation = true
	return cfg
}

// serveHR starts the identity provider with its HR page.
func (d *demoServer) serveHR(ctx context.Context, cfg Config, listener net.Listener) (err error) {
	d.hr, err = idp.New(idp.Options{
		Issuer: d.ready.IDPURL, SCIMURL: d.ready.SCIMURL, SCIMToken: d.ready.SCIMToken, Log: d.app.log, People: d.hrPeople(), Lang: d.lang,
		Client: idp.Client{ID: cfg.OIDC.ClientID, Secret: cfg.OIDC.ClientSecret, RedirectURI: d.ready.URL + "/auth/callback"},
	})
	if err != nil {
		return err
	}
	server := &http.Server{Handler: d.hr, ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(d.app.log.Handler(), slog.LevelDebug)}
	d.app.wait.Go(func() {
		defer context.AfterFunc(ctx, func() { server.Close() })()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.app.log.Error("demo identity provider", "error", err)
		}
	})
	return nil
}

func (d *demoServer) hrPeople() []idp.Person {
	var out []idp.Person
	for _, e := range d.company {
		if e.Plant() {
			continue // known to the directory only
		}
		out = append(out, idp.Person{Sub: e.Number, UserName: e.UserName, Email: e.Email, DisplayName: e.DisplayName, GivenName: e.GivenName, FamilyName: e.FamilyName,
			Title: e.Title, Department: e.Department, Division: e.Division, Organization: "Aurora", EmployeeNumber: e.Number, EmployeeType: e.Type,
			Locale: e.Locale, TimeZone: e.TimeZone, Manager: e.Manager})
	}
	return out
}

// announce prints a revocation and the time from its transaction to the moment from which nothing is delivered any more.
func (d *demoServer) announce(ctx context.Context, screen io.Writer, person id.Person, took time.Duration) {
	name := string(person)
	if p, err := d.app.people.Person(ctx, person); err == nil {
		name = p.DisplayName
	}
	text := "%s  revoked  %-16s nothing reaches them after %.1f ms\n"
	if d.lang == "zh" {
		text = "%s  已撤销  %s：%.1f 毫秒后再无任何内容送达\n"
	}
	fmt.Fprintf(screen, text, time.Now().Format("15:04:05.000"), name, float64(took.Microseconds())/1000)
}

// The text of the terminal in both languages; what stands in it comes in the same order.
const (
	welcomeEN = `
Aurora, %d people in 12 units, is ready after %.1f s.

  Rollcall              %s      sign in as anybody; %s is administrator
  Identity provider     %s      people to sign in as
  HR page               %s/hr   hire, move, dismiss, hire again: real SCIM
  SCIM                  %s
    token               %s
  Administrator's token %s
  Directory (LDAP)      %s      the plant, %d people; a change arrives by itself
    bind as             %s
    password            %s

Each dismissal and freeze is printed here with its time. Ctrl-C ends the demo.

`
	welcomeZH = `
极光科技，%d 人，12 个部门，%.1f 秒后就绪。

  Rollcall       %s      可以任何人的身份登录；管理员是 %s
  身份提供方     %s      选择以谁的身份登录
  人事页面       %s/hr   入职、调动、离职、再入职：真实的 SCIM
  SCIM           %s
    令牌         %s
  管理员令牌     %s
  目录（LDAP）   %s      苏州工厂，%d 人；目录里的变更会自动到达
    绑定身份     %s
    口令         %s

每一次离职与冻结都会在这里连同耗时打印出来。按 Ctrl-C 结束演示。

`
)

func (d *demoServer) print(w io.Writer, lang string) {
	r, text, url, plant := d.ready, welcomeEN, d.ready.URL, 0
	if lang == "zh" {
		text = welcomeZH
	}
	if lang != "" {
		url += "/?lang=" + lang
	}
	for _, e := range d.company {
		if e.Plant() {
			plant++
		}
	}
	fmt.Fprintf(w, text, len(d.company), d.took.Seconds(), url, d.boss().DisplayName, r.IDPURL, r.IDPURL, r.SCIMURL, r.SCIMToken, r.AdminToken,
		r.LDAPURL, plant, r.LDAPBindDN, r.LDAPPassword)
	if r.NodeURLs != "" {
		fmt.Fprintf(w, map[bool]string{false: "  More nodes            %s\n\n", true: "  其他节点              %s\n\n"}[lang == "zh"], strings.ReplaceAll(r.NodeURLs, ",", "  "))
	}
}

// boss is the one who administers: the director of IT.
func (d *demoServer) boss() demo.Employee {
	for _, e := range d.company {
		if e.Department == "IT" {
			return e
		}
	}
	return d.company[0]
}

// openBrowser tries to show url; where there is no browser to be opened, the printed address is enough.
func openBrowser(ctx context.Context, url string) {
	for _, name := range []string{"xdg-open", "open"} {
		if path, err := exec.LookPath(name); err == nil && os.Getenv("DISPLAY")+os.Getenv("WAYLAND_DISPLAY") != "" {
			command := exec.CommandContext(ctx, path, url)
			if command.Start() == nil {
				go command.Wait() // nobody reads its result
				return
			}
		}
	}
}
