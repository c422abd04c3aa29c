package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/drill"
)

// wireDrills ties drills to what they rehearse.
func (a *app) wireDrills() {
	a.drills = &drill.Engine{DB: a.db, Stage: stage{a}, Nodes: a.nodes, Log: a.log, Roots: a.way.Roots}
}

// nodes answers the nodes that answer now, and where.
func (a *app) nodes(ctx context.Context) ([]drill.Node, error) {
	if a.barrier == nil {
		return []drill.Node{{Name: a.cfg.Cluster.node(), URL: a.cfg.Cluster.Address}}, nil
	}
	found, err := a.barrier.Nodes(ctx)
	var out []drill.Node
	for _, n := range found {
		if n.Ago < 0 {
			out = append(out, drill.Node{Name: n.Node, URL: n.Address})
		}
	}
	return out, err
}

// stage is what a drill plays on.
type stage struct{ *app }

func (s stage) Open(ctx context.Context, c drill.Cast) error {
	return s.access.Stage(ctx, c.Channel, c.Leaver, c.Witness)
}

func (s stage) Token(ctx context.Context, person id.Person) (string, error) {
	return s.door.StagedToken(ctx, person, 5*time.Minute)
}

func (s stage) Post(ctx context.Context, author id.Person, channel id.Channel, clientID, text string) error {
	_, _, err := s.chat.Post(ctx, author, chat.Draft{Channel: channel, ClientID: clientID, Text: text})
	return err
}

func (s stage) Take(ctx context.Context, leaver id.Person) error {
	return s.access.TakeStaged(ctx, leaver)
}

func (s stage) Strike(tx *db.Tx, c drill.Cast) error {
	if err := chat.Strike(tx, c.Channel); err != nil {
		return err
	}
	if err := s.door.StrikeTx(tx, c.Leaver, c.Witness); err != nil {
		return err
	}
	return s.access.StrikeStage(tx, c.Channel, c.Leaver, c.Witness)
}

type drillView struct {
	ID        string  `json:"id"`
	StartedAt string  `json:"started_at"`
	EndedAt   string  `json:"ended_at,omitempty"`
	Verdict   string  `json:"verdict,omitempty"`
	TookMS    float64 `json:"took_ms"`
	Before    int     `json:"before"`
	After     int     `json:"after"`
	Nodes     []struct {
		Node    string   `json:"node"`
		URL     string   `json:"url"`
		Heard   int      `json:"heard"`
		CutMS   int64    `json:"cut_ms"`
		Late    int      `json:"late"`
		Open    []string `json:"open"`
		Witness int      `json:"witness"`
		Fault   string   `json:"fault,omitempty"`
	} `json:"nodes"`
	Fault string `json:"fault,omitempty"`
}

func (d drillView) table(w io.Writer) {
	if d.Fault != "" {
		fmt.Fprintf(w, "%s: %s\n", d.Verdict, d.Fault)
		return
	}
	fmt.Fprintf(w, "NODE\tHEARD BEFORE\tSTREAMS CUT\tWRITTEN AFTER, ARRIVED\tDOORS\tWHO STAYS GOT\n")
	for _, n := range d.Nodes {
		if n.Fault != "" {
			fmt.Fprintf(w, "%s\tnot watched: %s\n", n.Node, n.Fault)
			continue
		}
		doors := "shut"
		if len(n.Open) > 0 {
			doors = "OPEN: " + strings.Join(n.Open, ", ")
		}
		fmt.Fprintf(w, "%s\t%d\tafter %d ms\t%d\t%s\t%d of %d\n", n.Node, n.Heard-n.Late, n.CutMS, n.Late, doors, n.Witness, d.After)
	}
	fmt.Fprintf(w, "\n%s: the offboarding returned after %.1f ms; %d messages were written before that, %d after\n", d.Verdict, d.TookMS, d.Before, d.After)
}

func drillCommand() *cobra.Command {
	var verdict drill.Verdict
	command := remote(&cobra.Command{Use: "drill", Short: "Offboard somebody who does not exist while messages flow to them, on every node", Args: cobra.NoArgs},
		func(w io.Writer, d drillView) { d.table(w) },
		func(c *cobra.Command, api *client, _ []string) (d drillView, err error) {
			err = api.do(c.Context(), "POST", "/api/v1/drills", map[string]any{}, &d)
			verdict = drill.Verdict(d.Verdict)
			return d, err
		})
	hold := command.RunE
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := hold(c, args); err != nil {
			return err
		}
		if verdict != drill.Passed {
			return &exit{exitError, fmt.Errorf("the drill is %s", verdict)}
		}
		return nil
	}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Drills that were held, the newest first", Args: cobra.NoArgs}, func(w io.Writer, l listOf[drillView]) {
		for _, d := range l.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%.1f ms\t%d nodes\n", d.ID, d.StartedAt, d.Verdict, d.TookMS, len(d.Nodes))
		}
	}, func(c *cobra.Command, api *client, _ []string) (l listOf[drillView], err error) {
		return l, api.do(c.Context(), "GET", "/api/v1/drills", nil, &l)
	}))
	return command
}
