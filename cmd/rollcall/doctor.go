package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/outbound"
)

// The states of a finding. Only stateBad makes the exit code 1.
const (
	stateFine = "ok"
	stateWarn = "warning"
	stateBad  = "failed"
)

// finding is what one look found.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	Text  string `json:"text"`
	chin  string // the same in Chinese
}

// doctor looks at everything that somebody on call would look at. It changes nothing.
type doctor struct {
	cfg      Config
	db       *db.DB // nil where it cannot be opened
	way      *outbound.Way
	findings []finding
}

func (d *doctor) say(check, state, english, chinese string) {
	d.findings = append(d.findings, finding{check, state, english, chinese})
}

func doctorCommand() *cobra.Command {
	c := &cobra.Command{Use: "doctor", Short: "Look at the configuration, the database, the nodes, the sources and everything they depend on, and say what is wrong", Args: cobra.NoArgs}
	path := c.Flags().String("config", "", "path of rollcall.yaml")
	lang := c.Flags().String("lang", "", "en or zh (default: by LC_ALL, LC_MESSAGES, LANG)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		language := cmp.Or(*lang, cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")))
		d := &doctor{}
		d.examine(c.Context(), *path, os.Environ())
		bad := slices.ContainsFunc(d.findings, func(f finding) bool { return f.State == stateBad })
		if err := write(c, d.findings, func(w io.Writer) { d.print(w, strings.HasPrefix(language, "zh")) }); err != nil {
			return err
		}
		if bad {
			return &exit{exitError, errors.New("something is wrong")}
		}
		return nil
	}
	return c
}

func (d *doctor) print(w io.Writer, chinese bool) {
	words := map[string]string{stateFine: "正常", stateWarn: "注意", stateBad: "故障"}
	columns := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	defer columns.Flush()
	for _, f := range d.findings {
		if chinese {
			fmt.Fprintf(columns, "%s\t%s\t%s\n", words[f.State], f.Check, f.chin)
		} else {
			fmt.Fprintf(columns, "%s\t%s\t%s\n", f.State, f.Check, f.Text)
		}
	}
}

const patience = 5 * time.Second // for each look

// examine looks at everything, one after the other.
func (d *doctor) examine(ctx context.Context, path string, environ []string) {
	var err error
	if d.cfg, err = loadConfig(path, environ); err != nil {
		d.say("configuration", stateBad, err.Error(), err.Error())
		return
	}
	if d.way, err = d.cfg.outward(); err != nil {
		d.say("configuration", stateBad, err.Error(), err.Error())
		return
	}
	d.say("configuration", stateFine, "can be used", "可用")
	d.environment(environ)
	d.secrets(path, environ)
	look := func(fn func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		fn(ctx)
	}
	look(d.disk)
	look(d.open)
	if d.db != nil {
		defer d.db.Close()
		for _, fn := range []func(context.Context){d.clock, d.tables, d.sealed, d.connections, d.restored, d.followers, d.openFGA, d.sources, d.outlets, d.told, d.nodes} {
			look(fn)
		}
	}
	for _, fn := range []func(context.Context){d.outward, d.bus, d.issuer, d.fga, d.tracing, d.server} {
		look(fn)
	}
}

// environment names what looks like a key of ours and is none: it has no effect.
func (d *doctor) environment(environ []string) {
	if strange := strangeNames(environ); len(strange) > 0 {
		names := strings.Join(strange, ", ")
		d.say("environment", stateWarn, "no key of the configuration, and without effect: "+names, "不是配置项，不起作用："+names)
	}
}

// strangeNames answers the names in the environment that begin as ours do and are none.
func strangeNames(environ []string) []string {
	known := map[string]bool{"URL": true, "TOKEN": true}
	for _, key := range configKeys() {
		name := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		known[name], known[name+"_FILE"] = true, true
	}
	var strange []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if own, ours := strings.CutPrefix(name, envPrefix); ours && !known[own] {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	return strange
}

// secrets looks at what opens sealed secrets, and seals second factors.
func (d *doctor) secrets(path string, environ []string) {
	switch open := openIdentity(path, environ); {
	case open != "":
		d.say("secrets", stateBad, open, "身份文件所有人可读："+open)
	case d.cfg.key == nil && d.cfg.Administration.StepUp == "required":
		d.say("secrets", stateBad, "secrets.identity is missing, and administration.step_up wants second factors, which it seals", "缺少 secrets.identity，而 administration.step_up 要求第二因素")
	case d.cfg.key == nil:
		d.say("secrets", stateWarn, "secrets.identity is missing: nobody can enrol a second factor, and secrets in files are not sealed", "缺少 secrets.identity：无法登记第二因素，文件中的密钥未加密")
	default:
		d.say("secrets", stateFine, "there is an identity", "有身份")
	}
}
