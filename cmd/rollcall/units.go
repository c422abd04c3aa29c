package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// namingRules answers the rules that name one of these units.
func (a *app) namingRules(ctx context.Context, units []string) ([]directory.NamingRule, error) {
	return a.access.NamingRules(ctx, units)
}

// scopedRoles counts the roles of administrators that are for one of these units.
func (a *app) scopedRoles(ctx context.Context, units []id.Unit) (n int, err error) {
	admins, err := a.door.Admins(ctx)
	for _, one := range admins {
		if slices.Contains(units, one.Unit) {
			n++
		}
	}
	return n, err
}

// planUnits plans what becomes of units, on behalf of the caller.
func (a *app) planUnits(ctx context.Context, change directory.Change, reason string) (id.Plan, string, error) {
	caller := httpapi.CallerFrom(ctx)
	p, err := a.access.PlanUnits(ctx, change, caller.Actor(), caller.Behind(), reason)
	if err != nil {
		return "", "", err
	}
	return p.ID, p.Hash, nil
}

type successionPlan struct {
	Source    string    `json:"source"`
	Effective time.Time `json:"effective_at"`
	Withdraw  bool      `json:"withdraw"`
	Items     []struct {
		Kind     string `json:"kind"`
		Old      string `json:"old"`
		OldName  string `json:"old_name"`
		New      string `json:"new"`
		NewKnown bool   `json:"new_known"`
		People   int    `json:"people"`
		Already  int    `json:"already"`
	} `json:"items"`
	Rules []struct {
		Group string `json:"group"`
		Rule  string `json:"rule"`
		When  string `json:"when"`
		Edit  bool   `json:"edit"`
	} `json:"rules"`
	Scopes  int    `json:"scopes"`
	Plan    string `json:"plan"`
	Hash    string `json:"hash"`
	Details plan   `json:"details"` // the plan itself
}

func (p successionPlan) table(w io.Writer) {
	if p.Withdraw {
		fmt.Fprintf(w, "source %s, no more what was to be from %s on\n", p.Source, p.Effective.Format(time.RFC3339))
	} else {
		fmt.Fprintf(w, "source %s, from %s on\n", p.Source, p.Effective.Format(time.RFC3339))
	}
	for _, i := range p.Items {
		coming := ""
		if !i.NewKnown {
			coming = "\tnot there yet"
		}
		fmt.Fprintf(w, "%s\t%s %s\t-> %s\t%s, %d there already%s\n", i.Kind, i.Old, i.OldName, i.New, severalPeople(i.People), i.Already, coming)
	}
	for _, r := range p.Rules {
		what := "follows"
		if r.Edit {
			what = "edit it: it compares a key"
		}
		fmt.Fprintf(w, "rule %s/%s\t%s\t%s\n", r.Group, r.Rule, what, r.When)
	}
	fmt.Fprintf(w, "%d roles of administrators follow\n", p.Scopes)
	planTable(w, p.Details)
	fmt.Fprintf(w, "apply it: rollcall apply %s --hash %s\n", p.Plan, p.Hash)
}

type declaredSuccession struct {
	ID        string    `json:"id"`
	Source    string    `json:"source"`
	Kind      string    `json:"kind"`
	Old       string    `json:"old"`
	New       string    `json:"new"`
	Effective time.Time `json:"effective_at"`
	InForce   bool      `json:"in_force"`
}

const successionsPath = "/api/v1/units/successions"

func unitsCommand() *cobra.Command {
	units := &cobra.Command{Use: "units", Short: "Units of the organisation"}
	command := &cobra.Command{Use: "succession", Short: "What becomes of units: renumbered, split, merged"}
	command.AddCommand(planSuccessionCommand(), withdrawSuccessionCommand(), remote(&cobra.Command{Use: "list", Short: "What is declared, the latest first", Args: cobra.NoArgs},
		func(w io.Writer, l listOf[declaredSuccession]) {
			for _, s := range l.Items {
				state := "from " + s.Effective.Format(time.RFC3339) + " on"
				if s.InForce {
					state = "in force since " + s.Effective.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s -> %s\t%s\n", s.ID, s.Source, s.Kind, s.Old, s.New, state)
			}
		}, func(c *cobra.Command, api *client, _ []string) (l listOf[declaredSuccession], err error) {
			return l, api.do(c.Context(), "GET", successionsPath, nil, &l)
		}))
	units.AddCommand(command)
	return units
}

// declaring adds the flags that complete a file; the answer reads it.
func declaring(c *cobra.Command) func(path string) (map[string]any, error) {
	source := c.Flags().String("source", "", "name of the source, where the file names none")
	at := c.Flags().String("effective", "", "from when on, where the file does not say: 2027-01-01T00:00:00+08:00")
	return func(path string) (map[string]any, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if _, err := directory.ReadSuccessions(path, string(text)); err != nil { // with its line, before anything is sent
			return nil, err
		}
		body := map[string]any{"name": filepath.Base(path), "text": string(text), "source": *source}
		if *at != "" {
			if body["effective"], err = time.Parse(time.RFC3339, *at); err != nil {
				return nil, fmt.Errorf("--effective: %w", err)
			}
		}
		return body, nil
	}
}

func planSuccessionCommand() *cobra.Command {
	c := &cobra.Command{Use: "plan FILE", Short: "Plan what a file says becomes of units; rollcall apply applies it", Args: cobra.ExactArgs(1)}
	read := declaring(c)
	reason := c.Flags().String("reason", "", "why; it stands in the audit log")
	return remote(c, func(w io.Writer, p successionPlan) { p.table(w) }, func(c *cobra.Command, api *client, args []string) (p successionPlan, err error) {
		body, err := read(args[0])
		if err != nil {
			return p, err
		}
		body["reason"] = *reason
		return p.made(c.Context(), api, successionsPath+"/plan", body)
	})
}

func withdrawSuccessionCommand() *cobra.Command {
	c := &cobra.Command{Use: "withdraw DECLARATION", Short: "Plan to take a declaration back; rollcall apply applies it", Args: cobra.ExactArgs(1)}
	reason := c.Flags().String("reason", "", "why; it stands in the audit log")
	return remote(c, func(w io.Writer, p successionPlan) { p.table(w) }, func(c *cobra.Command, api *client, args []string) (p successionPlan, err error) {
		return p.made(c.Context(), api, successionsPath+"/"+url.PathEscape(args[0])+"/withdraw", map[string]any{"reason": *reason})
	})
}

// made has a plan made, and reads the first of what it does.
func (p successionPlan) made(ctx context.Context, api *client, path string, body map[string]any) (successionPlan, error) {
	if err := api.do(ctx, "POST", path, body, &p); err != nil {
		return p, err
	}
	return p, api.do(ctx, "GET", "/api/v1/plans/"+url.PathEscape(p.Plan)+"?limit=200", nil, &p.Details)
}
