package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// audienceEntry is somebody who sees a channel, or could.
type audienceEntry struct {
	Person struct {
		ID          string `json:"id"`
		DisplayName string `json:"display_name"`
	} `json:"person"`
	Role    string `json:"role"`
	Since   string `json:"since"`
	Reasons []struct {
		Kind          string `json:"kind"`
		Ref           string `json:"ref"`
		PolicyVersion int64  `json:"policy_version,omitempty"`
		Since         string `json:"since"`
	} `json:"reasons"`
	Past *struct {
		Access      string `json:"access"`
		Until       string `json:"until,omitempty"`
		Revision    int64  `json:"revision"`
		AsOf        int64  `json:"as_of"`
		HistoryFrom string `json:"history_from,omitempty"`
	} `json:"past,omitempty"`
}

// instantQuery adds the instant somebody asks about, where there is one.
func instantQuery(at string, query url.Values) string {
	if at != "" {
		query.Set("at", at)
	}
	return query.Encode()
}

// audienceCommand says who sees a channel, or who could at an instant.
func audienceCommand() *cobra.Command {
	c := &cobra.Command{Use: "audience CHANNEL", Short: "Say who sees a channel and why, now or at an instant", Args: cobra.ExactArgs(1)}
	at := c.Flags().String("at", "", "who could see it at this instant, past or to come, such as 2026-05-01T08:00:00+08:00")
	sheet := c.Flags().Bool("csv", false, "print comma-separated values")
	return remote(c, func(w io.Writer, list listOf[audienceEntry]) {
		if *sheet {
			writeAudience(w, list.Items)
			return
		}
		for _, e := range list.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Person.ID, e.Person.DisplayName, e.Role, e.Since, strings.Join(e.reasons(), ", "))
		}
	}, func(c *cobra.Command, api *client, args []string) (listOf[audienceEntry], error) {
		var all listOf[audienceEntry]
		channel, err := channelNamed(c.Context(), api, args[0])
		if err != nil {
			return all, err
		}
		for query := (url.Values{"limit": {"200"}}); ; {
			var page listOf[audienceEntry]
			if err := api.do(c.Context(), "GET", "/api/v1/access/channels/"+url.PathEscape(channel)+"/audience?"+instantQuery(*at, query), nil, &page); err != nil {
				return all, err
			}
			all.Items = append(all.Items, page.Items...)
			if page.Next == "" {
				return all, nil
			}
			query.Set("cursor", page.Next)
		}
	})
}

// reasons names the reasons as an explanation does: "rule apollo/rnd@3".
func (e audienceEntry) reasons() []string {
	out := []string{}
	for _, r := range e.Reasons {
		text := r.Kind + " " + r.Ref
		if r.PolicyVersion > 0 {
			text += "@" + strconv.FormatInt(r.PolicyVersion, 10)
		}
		out = append(out, text)
	}
	return out
}

func writeAudience(w io.Writer, list []audienceEntry) {
	to := csv.NewWriter(w)
	_ = to.Write([]string{"person", "name", "role", "access", "since", "until", "history_from", "revision", "as_of", "reasons"})
	for _, e := range list {
		line := []string{e.Person.ID, e.Person.DisplayName, e.Role, "", e.Since, "", "", "", "", strings.Join(e.reasons(), "; ")}
		if p := e.Past; p != nil {
			line[3], line[5], line[6], line[7], line[8] = p.Access, p.Until, p.HistoryFrom, strconv.FormatInt(p.Revision, 10), strconv.FormatInt(p.AsOf, 10)
		}
		for i, cell := range line {
			if strings.IndexAny(cell, "=+-@\t\r") == 0 { // a name must not be a formula to whoever opens it
				line[i] = "'" + cell
			}
		}
		_ = to.Write(line)
	}
	to.Flush()
}
