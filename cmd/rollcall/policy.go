package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/policies"
)

// proposal is what is to be planned: files, or a version that was in force before.
type proposal struct {
	Files   []policies.File `json:"files,omitempty"`
	Version int64           `json:"version,omitempty"`
	Reason  string          `json:"reason,omitempty"`
}

// proposing adds the flags by which a command says what is to be planned; the answer reads them.
func proposing(c *cobra.Command) func(paths []string) (proposal, error) {
	version := c.Flags().Int64("version", 0, "instead of files: go back to this version")
	reason := c.Flags().String("reason", "", "why; it stands beside the version")
	return func(paths []string) (proposal, error) {
		p := proposal{Version: *version, Reason: *reason}
		if (len(paths) == 0) == (p.Version == 0) {
			return p, errors.New("say which policy: files, or --version")
		}
		if p.Version != 0 {
			return p, nil
		}
		var err error
		p.Files, err = readPolicies(paths)
		return p, err
	}
}

// readPolicies reads and checks policy files here, so that a mistake is shown with its place before anything is sent.
func readPolicies(paths []string) ([]policies.File, error) {
	var files []policies.File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, policies.File{Name: path, Source: string(text)})
	}
	policy, err := policies.Parse(files...)
	if err == nil {
		err = policy.Idle()
	}
	return files, err
}

func planCommand() *cobra.Command {
	c := &cobra.Command{Use: "plan FILE…|--version N|PLAN", Short: "Show what a policy would change, or a plan that was made", Args: cobra.ArbitraryArgs}
	read := proposing(c)
	detailed := c.Flags().Bool("detailed-exitcode", false, "exit 2 where there are changes, 3 where the guard holds them")
	most := c.Flags().Int("changes", 2000, "how many changes of memberships to show at most")
	code := 0
	remote(c, planTable, func(c *cobra.Command, api *client, args []string) (p plan, err error) {
		if len(args) == 1 && strings.HasPrefix(args[0], "pln_") {
			err = api.do(c.Context(), "GET", "/api/v1/plans/"+url.PathEscape(args[0])+"?limit=200", nil, &p)
		} else {
			var body proposal
			if body, err = read(args); err == nil {
				err = api.do(c.Context(), "POST", "/api/v1/plans", body, &p)
			}
		}
		if err == nil {
			err = p.complete(c.Context(), api, *most)
		}
		switch {
		case *detailed && held(p.Verdict):
			code = exitHeld
		case *detailed && err == nil && !p.Empty:
			code = exitChanges
		}
		return p, err
	})
	return exitWith(c, &code)
}

// complete asks for further pages of changes, until there are most of them.
func (p *plan) complete(ctx context.Context, api *client, most int) error {
	for p.Next != "" && len(p.Changes) < most {
		var page plan
		if err := api.do(ctx, "GET", "/api/v1/plans/"+url.PathEscape(p.ID)+"?"+url.Values{"cursor": {p.Next}, "limit": {"200"}}.Encode(), nil, &page); err != nil {
			return err
		}
		p.Changes, p.Next = append(p.Changes, page.Changes...), page.Next
	}
	p.Next, p.Changes = "", p.Changes[:min(len(p.Changes), max(most, 0))]
	return nil
}

func applyCommand() *cobra.Command {
	c := &cobra.Command{Use: "apply PLAN|FILE…|--version N", Short: "Apply a plan, now or at an instant, or approve somebody else's", Args: cobra.ArbitraryArgs}
	confirm := c.Flags().Bool("confirm", false, "apply although the guard holds it")
	hash := c.Flags().String("hash", "", "the plan's hash, as plan printed it; needed for a plan's id")
	approve := c.Flags().Bool("approve", false, "only find right what somebody else wants to apply")
	at := c.Flags().String("at", "", "apply at this instant, such as 2026-05-01T08:00:00+08:00; what has changed by then is refused")
	cancel := c.Flags().Bool("cancel", false, "take --at back")
	c.MarkFlagsMutuallyExclusive("approve", "at", "cancel")
	read, done := proposing(c), "applied"
	return remote(c, func(w io.Writer, p plan) {
		for _, u := range p.Unknown {
			fmt.Fprintf(w, "warning: %s\n", u.Text)
		}
		fmt.Fprintf(w, "%s plan %s\n", done, p.ID)
	},
		func(c *cobra.Command, api *client, args []string) (plan, error) {
			p := plan{Hash: *hash}
			if len(args) > 0 && strings.HasPrefix(args[0], "pln_") {
				if p.ID = args[0]; *hash == "" && !*cancel {
					return plan{}, errors.New("apply of a plan wants --hash, so that what was looked at is what is applied")
				}
			} else {
				body, err := read(args)
				if err != nil {
					return plan{}, err
				}
				if err := api.do(c.Context(), "POST", "/api/v1/plans", body, &p); err != nil {
					return plan{}, err
				}
			}
			path := "/api/v1/plans/" + url.PathEscape(p.ID)
			switch {
			case *approve:
				done = "approved"
				return p, api.do(c.Context(), "POST", path+"/approve", map[string]any{"hash": p.Hash}, nil)
			case *at != "":
				done = "scheduled"
				return p, api.do(c.Context(), "PUT", path+"/schedule", map[string]any{"hash": p.Hash, "confirm": *confirm, "at": *at}, nil)
			case *cancel:
				done = "no longer scheduled:"
				return p, api.do(c.Context(), "DELETE", path+"/schedule", nil, nil)
			}
			return p, api.do(c.Context(), "POST", path+"/apply", map[string]any{"hash": p.Hash, "confirm": *confirm}, nil)
		})
}

// comparison is what two policies say otherwise and, where that was asked for, the plan that tells what it does to whom.
type comparison struct {
	listOf[policies.Difference]
	Plan *plan `json:"plan,omitempty"`
}

// diffCommand says what policy files, or a version, say otherwise than another version, and what that does to whom.
func diffCommand() *cobra.Command {
	c := &cobra.Command{Use: "diff FILE…|--to N", Short: "Show what policy files say otherwise than the policy in force", Args: cobra.ArbitraryArgs}
	from := c.Flags().Int64("from", 0, "the version to compare with; nothing: the one in force")
	to := c.Flags().Int64("to", 0, "instead of files: this version")
	people := c.Flags().Bool("people", false, "show what that does to whom, too: it makes a plan, as plan does")
	most := c.Flags().Int("changes", 2000, "with --people: how many changes of memberships to show at most")
	detailed := c.Flags().Bool("detailed-exitcode", false, "exit 2 where there are differences; with --people 3 where the guard would hold them")
	c.MarkFlagsMutuallyExclusive("people", "from")
	code := 0
	remote(c, diffTable, func(c *cobra.Command, api *client, args []string) (out comparison, err error) {
		body := proposal{Version: *to}
		switch {
		case (len(args) == 0) == (*to == 0):
			return out, errors.New("say what to compare: files, or --to")
		case *to != 0:
			err = api.do(c.Context(), "GET", fmt.Sprintf("/api/v1/policies/%d/diff?from=%d", *to, *from), nil, &out.listOf)
		default:
			if body.Files, err = readPolicies(args); err != nil {
				return out, err
			}
			err = api.do(c.Context(), "POST", "/api/v1/policies/diff", map[string]any{"files": body.Files, "from": *from}, &out.listOf)
		}
		if err == nil && *people {
			out.Plan = &plan{}
			if err = api.do(c.Context(), "POST", "/api/v1/plans", body, out.Plan); err == nil {
				err = out.Plan.complete(c.Context(), api, *most)
			}
		}
		switch {
		case err != nil || !*detailed:
		case out.Plan != nil && held(out.Plan.Verdict):
			code = exitHeld
		case len(out.Items) > 0 || out.Plan != nil && !out.Plan.Empty:
			code = exitChanges
		}
		return out, err
	})
	return exitWith(c, &code)
}

// differenceLines writes one thing that two policies say otherwise, and whether that loosens or tightens it.
func differenceLines(w io.Writer, d policies.Difference) {
	fmt.Fprintf(w, "%s %s %s\n", map[string]string{"add": "+", "remove": "-", "change": "~"}[d.Op], d.Kind, d.Name)
	for _, f := range d.Fields {
		if f.Before != nil {
			fmt.Fprintf(w, "    - %s: %s\n", f.Field, policies.Words(f.Before))
		}
		if f.After != nil {
			fmt.Fprintf(w, "    + %s: %s\n", f.Field, policies.Words(f.After))
		}
		if said := map[policies.Effect]string{policies.Loosens: "loosens", policies.Tightens: "tightens", policies.Both: "loosens in part, tightens in part"}[f.Effect]; said != "" {
			fmt.Fprintf(w, "      %s: %s\n", f.Field, said)
		}
	}
}

func diffTable(w io.Writer, list comparison) {
	for _, d := range list.Items {
		differenceLines(w, d)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no difference")
	}
	if list.Plan != nil {
		p := *list.Plan
		p.Differences = nil // they stand above
		planTable(w, p)
	} else if len(list.Items) > 0 {
		fmt.Fprintln(w, "what that does to whom: rollcall diff --people, or rollcall plan")
	}
}

// policyVersion is one version of the policy.
type policyVersion struct {
	Version int64           `json:"version"`
	Hash    string          `json:"hash"`
	Author  string          `json:"author"`
	Plan    string          `json:"plan"`
	At      string          `json:"at"`
	InForce bool            `json:"in_force"`
	Reason  string          `json:"reason,omitempty"`
	BackTo  int64           `json:"back_to,omitempty"`
	Files   []policies.File `json:"source,omitempty"`
}

func policyCommand() *cobra.Command {
	command := &cobra.Command{Use: "policy", Short: "Versions of the policy, and the schema of policy files"}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Every version, newest first", Args: cobra.NoArgs}, func(w io.Writer, list listOf[policyVersion]) {
		for _, v := range list.Items {
			mark := map[bool]string{true: "in force"}[v.InForce]
			if v.BackTo != 0 {
				mark = strings.TrimSpace(fmt.Sprintf("%s back to %d", mark, v.BackTo))
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", v.Version, v.At, v.Author, mark, v.Reason)
		}
	}, func(c *cobra.Command, api *client, _ []string) (listOf[policyVersion], error) {
		var all listOf[policyVersion]
		for path := "/api/v1/policies?limit=200"; path != ""; {
			var page listOf[policyVersion]
			if err := api.do(c.Context(), "GET", path, nil, &page); err != nil {
				return all, err
			}
			all.Items = append(all.Items, page.Items...)
			if path = ""; page.Next != "" {
				path = "/api/v1/policies?limit=200&cursor=" + url.QueryEscape(page.Next)
			}
		}
		return all, nil
	}), remote(&cobra.Command{Use: "show VERSION", Short: "The files of one version", Args: cobra.ExactArgs(1)}, func(w io.Writer, v policyVersion) {
		for _, f := range v.Files {
			fmt.Fprintf(w, "# %s\n%s", f.Name, f.Source)
		}
	}, func(c *cobra.Command, api *client, args []string) (policyVersion, error) {
		var v policyVersion
		return v, api.do(c.Context(), "GET", "/api/v1/policies/"+url.PathEscape(args[0]), nil, &v)
	}), &cobra.Command{Use: "schema", Short: "The JSON schema of policy files, for editors", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_, err := c.OutOrStdout().Write(policies.Schema())
		return err
	}}, &cobra.Command{Use: "check FILE…", Short: "Read policy files and tell the first mistake, without a server", Args: cobra.MinimumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		_, err := readPolicies(args)
		return err
	}})
	return command
}
