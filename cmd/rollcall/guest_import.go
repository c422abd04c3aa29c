package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// batch is what a file of guests does, or would.
type batch struct {
	At    time.Time  `json:"at"`
	Basis string     `json:"basis"`
	Rows  []batchRow `json:"rows"`

	applied bool
}

type batchRow struct {
	Line     int       `json:"line,omitempty"`
	Op       string    `json:"op"`
	Name     string    `json:"name"`
	Email    string    `json:"email"`
	Company  string    `json:"company"`
	Group    string    `json:"group"`
	Channels []string  `json:"channels"`
	Until    time.Time `json:"until,omitzero"`
	BoundBy  string    `json:"bound_by,omitempty"`
	Waiting  bool      `json:"waiting,omitempty"`
	Code     string    `json:"code,omitempty"`
	Problem  string    `json:"problem,omitempty"`
}

func (b batch) print(w io.Writer) {
	counts := map[string]int{}
	for _, r := range b.Rows {
		counts[r.Op]++
		what := r.Problem
		if what == "" {
			what = "until " + r.Until.Format(time.RFC3339) + map[string]string{"policy": ", as long as the policy allows", "contract": ", when the contract ends"}[r.BoundBy]
			if r.Waiting {
				what += ", when others agree"
			}
		}
		fmt.Fprintf(w, "line %d\t%s\t%s\t%s\t%s/%s\t%s\n", r.Line, r.Op, cmp.Or(r.Email, r.Name), r.Company, r.Group, strings.Join(r.Channels, ","), what)
	}
	fmt.Fprintf(w, "%d let in, %d stay longer, %d have it already, %d refused\n", counts["invite"], counts["extend"], counts["same"], counts["refused"])
	if !b.applied {
		fmt.Fprintln(w, "nothing was written: --apply does it")
	}
}

func guestImport() *cobra.Command {
	one := &cobra.Command{Use: "import FILE", Short: "Say what would become of a file of people to let in, line by line, or let them in", Args: cobra.ExactArgs(1),
		Long: "The file is comma-separated values whose first line names the columns, in any order:\ncompany, email, name, group, channels, until, reason, sponsor\nChannels have a space between them; until is a day or an instant."}
	apply := one.Flags().Bool("apply", false, "let them in, unless it would do something else by then than was shown")
	return remote(one, func(w io.Writer, b batch) { b.print(w) }, func(c *cobra.Command, api *client, args []string) (out batch, err error) {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return out, err
		}
		body := map[string]any{"file": string(text)}
		if err := api.do(c.Context(), "POST", "/api/v1/guests/import/preview", body, &out); err != nil || !*apply {
			return out, err
		}
		body["at"], body["basis"] = out.At, out.Basis
		out = batch{applied: true}
		return out, api.do(c.Context(), "POST", "/api/v1/guests/import", body, &out)
	})
}
