package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func printStanding(w io.Writer, s standing) {
	if !s.IsClosed {
		fmt.Fprintln(w, "open")
		return
	}
	fmt.Fprintf(w, "closed\trestored at %s from a backup of %s\n", s.RestoredAt.Format(time.RFC3339), s.TakenAt.Format(time.RFC3339))
	for _, one := range s.Sources {
		fmt.Fprintf(w, "source %s\t%s\n", one.Name, one.State)
	}
	for _, d := range s.Left {
		fmt.Fprintf(w, "%s\t%s %s %s (record %d)\n", d.Kind, d.Subject, d.Object, d.Note, d.Seq)
	}
	for _, one := range s.Unproven {
		fmt.Fprintf(w, "not proven\t%s\n", one)
	}
	if s.Missing != "" {
		fmt.Fprintf(w, "missing\t%s\n", s.Missing)
	}
}

func restoreStatusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Say what keeps a restored database closed", Args: cobra.NoArgs}
	return remote(c, printStanding, func(c *cobra.Command, api *client, _ []string) (s standing, err error) {
		return s, api.do(c.Context(), "GET", "/api/v1/restore", nil, &s)
	})
}

func restoreReplayCommand() *cobra.Command {
	c := &cobra.Command{Use: "replay [EXPORT]", Short: "Revoke again what an export of the audit log says was revoked after the backup", Args: cobra.MaximumNArgs(1)}
	unknown := c.Flags().Bool("unknown", false, "there is no export: nobody knows, and every token ends")
	reason := c.Flags().String("reason", "", "with --unknown: why, for the audit log")
	return remote(c, printStanding, func(c *cobra.Command, api *client, args []string) (s standing, err error) {
		if *unknown != (len(args) == 0) || *unknown != (*reason != "") {
			return s, errors.New("say an export, or --unknown with --reason")
		}
		if *unknown {
			return s, api.do(c.Context(), "POST", "/api/v1/restore/unknown", map[string]string{"reason": *reason}, &s)
		}
		file, err := os.Open(args[0])
		if err != nil {
			return s, err
		}
		defer file.Close()
		return s, api.send(c.Context(), "POST", "/api/v1/restore/replay", "application/octet-stream", file, &s)
	})
}

func restoreVouchCommand() *cobra.Command {
	c := &cobra.Command{Use: "vouch SOURCE", Short: "Say that a source that proves nothing by itself has told everything anew", Args: cobra.ExactArgs(1)}
	reason := c.Flags().String("reason", "", "how that is known, for the audit log")
	return remote(c, printStanding, func(c *cobra.Command, api *client, args []string) (s standing, err error) {
		return s, api.do(c.Context(), "POST", "/api/v1/restore/sources/"+url.PathEscape(args[0])+"/vouch", map[string]string{"reason": *reason}, &s)
	})
}

func restoreOpenCommand() *cobra.Command {
	c := &cobra.Command{Use: "open", Short: "Open a restored database although something is not proven", Args: cobra.NoArgs,
		Long: "Without --missing it lists what is not proven, under a name, and opens nothing. With that name it opens, if nothing else has come to be missing since."}
	reason := c.Flags().String("reason", "", "why, for the audit log")
	seen := c.Flags().String("missing", "", "the name under which what is missing was listed")
	return remote(c, printStanding, func(c *cobra.Command, api *client, _ []string) (s standing, err error) {
		if *seen == "" {
			if err = api.do(c.Context(), "GET", "/api/v1/restore", nil, &s); err == nil && s.Missing != "" {
				columns := tabwriter.NewWriter(c.ErrOrStderr(), 0, 4, 2, ' ', 0)
				printStanding(columns, s)
				columns.Flush()
				err = fmt.Errorf("nothing was opened: say --missing %s to open although all of this is not proven", s.Missing)
			}
			return s, err
		}
		return s, api.do(c.Context(), "POST", "/api/v1/restore/open", map[string]string{"reason": *reason, "missing": *seen}, &s)
	})
}
