package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
)

// serverByEnvironment is said in the help of every command that asks a server.
const serverByEnvironment = "It asks a running server: ROLLCALL_URL is its address, as http://127.0.0.1:8480, and ROLLCALL_TOKEN a token of an administrator."

// remote makes a command that asks a running server: fetch answers what --output json prints, table prints
// the same for people.
func remote[T any](c *cobra.Command, table func(io.Writer, T), fetch func(c *cobra.Command, api *client, args []string) (T, error)) *cobra.Command {
	c.Long = cmp.Or(c.Long, c.Short) + "\n\n" + serverByEnvironment
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := newClient()
		if err != nil {
			return err
		}
		answer, err := fetch(c, api, args)
		if err != nil {
			return err
		}
		return write(c, answer, func(w io.Writer) {
			columns := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			table(columns, answer)
			columns.Flush()
		})
	}
	return c
}

type plan struct {
	ID      string         `json:"id"`
	Hash    string         `json:"hash"`
	Empty   bool           `json:"empty"`
	Summary map[string]any `json:"summary,omitempty"`
	Shapes  []struct {
		Op      string   `json:"op"`
		Group   string   `json:"group"`
		Channel string   `json:"channel,omitempty"`
		Fields  []string `json:"fields,omitempty"`
	} `json:"shapes"`
	Differences []policies.Difference `json:"differences,omitempty"`
	Verdict     json.RawMessage       `json:"verdict,omitempty"`
	Changes     []struct {
		Person     string `json:"person"`
		PersonName string `json:"person_name,omitempty"`
		Group      string `json:"group"`
		Role       string `json:"role"`
		Op         string `json:"op"`
		Cause      string `json:"cause,omitempty"`
		Ground     string `json:"ground,omitempty"`
		FromRole   string `json:"from_role,omitempty"`
		At         string `json:"at,omitempty"`

		Reasons []string `json:"reasons,omitempty"`
		Gains   []string `json:"gains,omitempty"`
		Loses   []string `json:"loses,omitempty"`
		Raised  []string `json:"raised,omitempty"`
		Lowered []string `json:"lowered,omitempty"`
		Later   bool     `json:"later,omitempty"`
	} `json:"changes"`
	Conflicts []planConflict `json:"conflicts,omitempty"`
	Unknown   []planUnknown  `json:"unknown,omitempty"`
	Total     int            `json:"total"`
	Groups    []planTally    `json:"groups,omitempty"`
	Grounds   []planTally    `json:"grounds,omitempty"`
	Next      string         `json:"next,omitempty"`

	FourEyes struct {
		Needed     bool           `json:"needed"`
		People     int            `json:"people,omitempty"`
		Limit      int            `json:"limit,omitempty"`
		Losing     int            `json:"losing,omitempty"`
		Loosens    []string       `json:"loosens,omitempty"`
		Gives      []string       `json:"gives,omitempty"`
		AuthorGone bool           `json:"author_gone,omitempty"`
		Given      []planApproval `json:"given"`
	} `json:"four_eyes"`
}

type planApproval struct {
	Approver string `json:"approver"`
	At       string `json:"at"`
	Lapsed   bool   `json:"lapsed,omitempty"`
}

// planUnknown is something that a policy names and no directory knows.
type planUnknown struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	DidYouMean string `json:"did_you_mean,omitempty"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Text       string `json:"text"`
}

// planConflict is a place that somebody is not given, and why.
type planConflict struct {
	Person     string   `json:"person"`
	PersonName string   `json:"person_name,omitempty"`
	Group      string   `json:"group"`
	Role       string   `json:"role"`
	Rule       string   `json:"rule,omitempty"`
	Separation string   `json:"separation,omitempty"`
	Against    []string `json:"against,omitempty"`
	Held       bool     `json:"held"`
	Unjudged   bool     `json:"unjudged,omitempty"`
}

func (k planConflict) why() string {
	switch {
	case k.Unjudged:
		return "cannot be judged: " + strings.Trim(k.Group+"/"+cmp.Or(k.Rule, k.Separation), "/")
	case len(k.Against) > 0:
		return k.Separation + ": not together with " + strings.Join(k.Against, ", ")
	}
	return k.Separation + ": not at all"
}

type planTally struct {
	Name    string `json:"name"`
	People  int    `json:"people"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Changed int    `json:"changed"`
}

func planTable(w io.Writer, p plan) {
	for _, shape := range p.Shapes {
		name := strings.TrimSuffix(shape.Group+"/"+shape.Channel, "/")
		fmt.Fprintf(w, "%s\t%s\t%s\n", shape.Op, name, strings.Join(shape.Fields, ", "))
	}
	for _, d := range p.Differences {
		differenceLines(w, d)
	}
	for _, change := range p.Changes {
		sign := map[string]string{"add": "+", "remove": "-"}[change.Op]
		if sign == "" {
			sign = "~"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\t%s\t%s\n", sign, change.Group, change.Role, strings.TrimSpace(change.PersonName+" "+change.Person), cmp.Or(change.Ground, change.Cause),
			strings.TrimSpace(signed("+", change.Gains)+signed("-", change.Loses)+signed("less:", change.Lowered)+signed("more:", change.Raised)), strings.Join(change.Reasons, ", "), change.At)
	}
	for _, k := range p.Conflicts {
		fmt.Fprintf(w, "! %s\t%s\t%s\t%s\n", k.Group, k.Role, strings.TrimSpace(k.PersonName+" "+k.Person), k.why())
	}
	for _, u := range p.Unknown {
		fmt.Fprintf(w, "warning: %s\n", u.Text)
	}
	for _, t := range append(p.Groups, p.Grounds...) {
		fmt.Fprintf(w, "%s\t%s\t+%d\t-%d\t~%d\n", t.Name, severalPeople(t.People), t.Added, t.Removed, t.Changed)
	}
	fmt.Fprintf(w, "plan %s: %d groups and channels, %d of %d memberships shown, hash %s\n", p.ID, len(p.Shapes), len(p.Changes), p.Total, p.Hash)
	if len(p.Differences) > 0 && p.Total == 0 {
		fmt.Fprintln(w, "nobody's place changes by it now: it changes what the policy says")
	}
	if losing, _ := p.Summary["losing"].(float64); losing > 0 {
		lowered, _ := p.Summary["lowered"].(float64)
		fmt.Fprintf(w, "%v people lose something by it; %v keep a place and may do less there\n", losing, lowered)
	}
	p.eyes(w)
	if held(p.Verdict) {
		fmt.Fprintln(w, "the guard holds this plan: apply it with --confirm")
	}
}

// eyes says who else has to approve a plan.
func (p plan) eyes(w io.Writer) {
	eyes := p.FourEyes
	left := eyes.People
	for _, g := range eyes.Given {
		if !g.Lapsed {
			left--
		}
	}
	switch {
	case !eyes.Needed:
		return
	case eyes.AuthorGone:
		fmt.Fprintln(w, "whoever made it may not apply a policy any more: make the plan anew")
		return
	case left <= 0:
		return
	}
	who := "a second administrator has to approve it (apply --approve)"
	if eyes.People > 1 {
		who = fmt.Sprintf("a second administrator has to approve it, and a third: nobody is known to have made it (apply --approve; %d to go)", left)
	}
	if len(eyes.Loosens) > 0 {
		fmt.Fprintf(w, "it loosens %s: %s\n", strings.Join(eyes.Loosens, ", "), who)
	}
	if len(eyes.Gives) > 0 {
		fmt.Fprintf(w, "it gives whoever made it a place, or more to see, in %s, which has restricted channels: %s\n", strings.Join(eyes.Gives, ", "), who)
	}
	if losing, _ := p.Summary["losing"].(float64); losing == 0 || eyes.Losing <= eyes.Limit {
		return
	} else if eyes.Losing > int(losing) {
		fmt.Fprintf(w, "with what plans of the last 24 hours took that nobody else approved it takes something from %s\n", severalPeople(eyes.Losing))
	}
	fmt.Fprintf(w, "it takes memberships, channels or rights from more than %s: %s\n", severalPeople(eyes.Limit), who)
}

// signed lists channels that somebody sees, or sees no more.
func signed(sign string, keys []string) string {
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(sign + key + " ")
	}
	return b.String()
}

// held tells whether a verdict, a text or an object with its reasons, is a hold.
func held(verdict json.RawMessage) bool {
	var text string
	if json.Unmarshal(verdict, &text) == nil {
		return text == "held"
	}
	var object struct{ Held bool }
	return json.Unmarshal(verdict, &object) == nil && object.Held
}

// exitWith makes c end with *code after it has written its answer.
func exitWith(c *cobra.Command, code *int) *cobra.Command {
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := inner(c, args); err != nil || *code == 0 {
			return err
		}
		return &exit{*code, errors.New("")}
	}
	return c
}

type explanation struct {
	Allowed bool    `json:"allowed"`
	Action  string  `json:"action"`
	Since   *string `json:"since,omitempty"`
	Path    []step  `json:"path"`
	Missing []step  `json:"missing"`
	Index   *bool   `json:"index,omitempty"`
	OpenFGA *bool   `json:"openfga,omitempty"`
}

type step struct {
	Kind  string            `json:"kind"`
	Text  map[string]string `json:"text"`
	Since *time.Time        `json:"since,omitempty"`
	By    string            `json:"by,omitempty"`
	Named string            `json:"by_name,omitempty"`
}

// line writes a step, with since when and by whom.
func (s step) line(w io.Writer, before string) {
	since, by := "", ""
	if s.Since != nil {
		since = "since " + s.Since.UTC().Format(time.RFC3339Nano) // exact: it is what somebody asks about next, by --at
	}
	if s.By != "" {
		by = "by " + s.By
	}
	if s.Named != "" {
		by = fmt.Sprintf("by %s (%s)", s.Named, s.By)
	}
	fmt.Fprintln(w, strings.TrimRight(strings.Join([]string{before + s.Kind, s.Text["en"], since, by}, "\t"), "\t"))
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{Use: "explain PERSON CHANNEL", Short: "Say why a person can, or cannot, see a channel", Args: cobra.ExactArgs(2)}
	at := c.Flags().String("at", "", "at this instant, past or to come, such as 2026-05-01T08:00:00+08:00")
	return remote(c, func(w io.Writer, e explanation) {
		fmt.Fprintf(w, "%s:\t%v\n", e.Action, map[bool]string{true: "allowed", false: "denied"}[e.Allowed])
		for _, s := range e.Path {
			s.line(w, "")
		}
		for _, s := range e.Missing {
			s.line(w, "missing ")
		}
	}, func(c *cobra.Command, api *client, args []string) (explanation, error) {
		var e explanation
		person, err := personNamed(c.Context(), api, args[0])
		if err != nil {
			return e, err
		}
		channel, err := channelNamed(c.Context(), api, args[1])
		if err != nil {
			return e, err
		}
		return e, api.do(c.Context(), "GET", "/api/v1/access/explain?"+instantQuery(*at, url.Values{"person": {person}, "channel": {channel}}), nil, &e)
	})
}

type listOf[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

type source struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Mode   string `json:"mode,omitempty"`
	Token  string `json:"token,omitempty"`
	Secret string `json:"secret,omitempty"`
	Health *struct {
		State string `json:"state"`
		Holds int    `json:"holds"`
		Error *struct {
			Code     string     `json:"code"`
			Text     string     `json:"text"`
			Failures int        `json:"failures"`
			RetryAt  *time.Time `json:"retry_at,omitempty"`
		} `json:"error,omitempty"`
	} `json:"health,omitempty"`
}

// standing says how a source stands, in columns.
func (s source) standing() string {
	h := s.Health
	if h == nil {
		return ""
	}
	out := "\t" + h.State
	if h.State == "empty" {
		out += ": it is read, and nobody is found in it"
		if s.Kind == "ldap" {
			out += " (look at base and person_classes; rollcall source test " + s.Name + " says more)"
		}
	}
	if h.Holds > 0 {
		out += fmt.Sprintf(", holds that wait: %d", h.Holds)
	}
	if h.Error != nil {
		out += "\t" + h.Error.Code + ": " + h.Error.Text
	}
	return out
}

// ldapIsConfigured is what to do in place of adding a directory: only the configuration knows how to log in to it.
const ldapIsConfigured = `a directory is added in rollcall.yaml, and is there when the server is started again:

ldap:
  - name: %s
    vendor: openldap            # or ad, 389ds, ...: docs/ldap/README.md
    url: ldaps://ldap.corp.example
    base: dc=corp,dc=example
    bind_dn: cn=rollcall,ou=services,dc=corp,dc=example
    password_file: /etc/rollcall/%s.password`

func sourceCommand() *cobra.Command {
	command := &cobra.Command{Use: "source", Short: "The systems that say who works here"}
	row := func(w io.Writer, s source) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", s.ID, s.Kind, s.Name, strings.ReplaceAll(s.Mode, "_", " "), s.standing())
		if secret := s.Token + s.Secret; secret != "" {
			fmt.Fprintf(w, "token, shown this once:\t%s\n", secret)
		}
	}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Every source", Args: cobra.NoArgs},
		func(w io.Writer, l listOf[source]) {
			for _, s := range l.Items {
				row(w, s)
			}
		}, func(c *cobra.Command, api *client, _ []string) (listOf[source], error) {
			var l listOf[source]
			return l, api.do(c.Context(), "GET", "/api/v1/sources", nil, &l)
		}))
	add := &cobra.Command{Use: "add NAME", Short: "Add a source; of a SCIM source the token is shown", Args: cobra.ExactArgs(1)}
	kind := add.Flags().String("kind", "scim", "scim, hrfeed or console; a directory (ldap) is added in rollcall.yaml")
	dry := add.Flags().Bool("dry-run", false, "begin with a dry run: store and answer everything, and let nothing follow until it is taken live (rollcall source live)")
	priority := add.Flags().Int("priority", 0, "the lower wins, per attribute; 0: after those who said one")
	correlate := add.Flags().StringSlice("correlate", nil, "fields by which a record joins a person another source knows: employee_number, external_id")
	command.AddCommand(matchCommand())
	command.AddCommand(remote(add, row, func(c *cobra.Command, api *client, args []string) (source, error) {
		var s source
		if *kind == "ldap" {
			return s, fmt.Errorf(ldapIsConfigured, args[0], args[0])
		}
		if err := api.do(c.Context(), "POST", "/api/v1/sources", map[string]any{"name": args[0], "kind": *kind, "dry_run": *dry, "priority": *priority, "correlate": *correlate}, &s); err != nil || s.Kind != "scim" {
			return s, err
		}
		var t source
		err := api.do(c.Context(), "POST", "/api/v1/sources/"+url.PathEscape(s.ID)+"/tokens", map[string]any{"name": "first"}, &t)
		s.Token, s.Secret = t.Token, t.Secret
		return s, err
	}), configureCommand(), relinkCommand(), previewCommand(), liveCommand(), discardCommand(), feedCommand(), filesCommand(), sourceTokenCommand(), sourceTestCommand(), sourceRequestsCommand())
	return command
}

// syncReport is what one reading found and wrote.
type syncReport struct {
	Run      string           `json:"run"`
	People   int              `json:"people"`
	Units    int              `json:"units"`
	Groups   int              `json:"groups"`
	Written  int              `json:"written"`
	Absent   int              `json:"absent"`
	Seconds  float64          `json:"seconds"`
	Proof    string           `json:"proof"`
	Findings []map[string]any `json:"findings"`
	Held     []directory.Held `json:"held"`
}

func syncCommand() *cobra.Command {
	c := &cobra.Command{Use: "sync SOURCE", Short: "Run a full synchronisation of an LDAP source now", Args: cobra.ExactArgs(1),
		Long: "Run a full synchronisation of an LDAP source now. Where the guard holds something of what the source says, that is told, and the exit code is 3."}
	code := 0
	remote(c, func(w io.Writer, r syncReport) {
		fmt.Fprintf(w, "run\t%s\npeople\t%d\nunits\t%d\ngroups\t%d\nwritten\t%d\nabsent\t%d\nseconds\t%.2f\nproof\t%s\n", r.Run, r.People, r.Units, r.Groups, r.Written, r.Absent, r.Seconds, r.Proof)
		for _, f := range r.Findings {
			fmt.Fprintf(w, "%v\t%v: %v\n", f["severity"], f["code"], f["text"])
		}
		for _, h := range r.Held {
			fmt.Fprintf(w, "held\t%s, by %s: %s; they keep what they have until somebody decides: rollcall hold show %s\n", severalPeople(h.People), h.Cause, h.Reason, h.Hold)
		}
	}, func(c *cobra.Command, api *client, args []string) (r syncReport, err error) {
		defer func() {
			if err == nil && len(r.Held) > 0 {
				code = exitHeld
			}
		}()
		long := *api
		long.http = &http.Client{Timeout: time.Hour}
		work := func() error {
			return long.do(c.Context(), "POST", "/api/v1/sources/"+url.PathEscape(args[0])+"/sync", map[string]any{}, &r)
		}
		out, colour := screen(c.ErrOrStderr())
		if out == nil {
			err = work()
			return r, err
		}
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return r, err
		}
		err = watch(c.Context(), &meter{out: out, colour: colour}, 200*time.Millisecond, func(ctx context.Context) (progress, bool) {
			var at struct {
				Progress *progress `json:"progress"`
			}
			err := api.do(ctx, "GET", path+"/ldap", nil, &at)
			if err != nil || at.Progress == nil {
				return progress{}, false
			}
			return *at.Progress, true
		}, work)
		return r, err
	})
	return exitWith(c, &code)
}
