package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// sourceToken is a token of a source; its secret is there once.
type sourceToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	Secret     string     `json:"secret,omitempty"`
}

func (t sourceToken) state(now time.Time) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked"
	case t.ExpiresAt != nil && !t.ExpiresAt.After(now):
		return "expired"
	}
	return "live"
}

// sourceNamed answers the path of the source of a name or an id, and its tokens.
func sourceNamed(ctx context.Context, api *client, name string) (string, []sourceToken, error) {
	var l listOf[struct {
		ID     string        `json:"id"`
		Name   string        `json:"name"`
		Tokens []sourceToken `json:"tokens"`
	}]
	if err := api.do(ctx, "GET", "/api/v1/sources", nil, &l); err != nil {
		return "", nil, err
	}
	for _, s := range l.Items {
		if s.Name == name || s.ID == name {
			return "/api/v1/sources/" + url.PathEscape(s.ID), s.Tokens, nil
		}
	}
	return "", nil, fmt.Errorf("there is no source %q (rollcall source list)", name)
}

// period reads a duration that may be in days: 90d, 12h.
func period(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no time to come: say 90d or 12h", text)
}

func sourceTokenCommand() *cobra.Command {
	c := &cobra.Command{Use: "token SOURCE", Short: "Make a source's token and show it, once; two are live at a time", Args: cobra.ExactArgs(1)}
	expires := c.Flags().String("expires", "", "how long it lives, as 90d; nothing: until it is revoked")
	scope := c.Flags().String("scope", "write", "read or write")
	label := c.Flags().String("label", "", "a name for it")
	remote(c, func(w io.Writer, t sourceToken) {
		fmt.Fprintf(w, "%s\t%s\t%s\ntoken, shown this once:\t%s\n", t.ID, t.Scope, when(t.ExpiresAt, "does not expire"), t.Secret)
	}, func(c *cobra.Command, api *client, args []string) (sourceToken, error) {
		var t sourceToken
		body := map[string]any{"name": *label, "scope": *scope}
		if *expires != "" {
			d, err := period(*expires)
			if err != nil {
				return t, err
			}
			body["expires_at"] = time.Now().Add(d).UTC().Format(time.RFC3339)
		}
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return t, err
		}
		return t, api.do(c.Context(), "POST", path+"/tokens", body, &t)
	})
	c.AddCommand(remote(&cobra.Command{Use: "list SOURCE", Short: "A source's tokens, and when each was last used", Args: cobra.ExactArgs(1)},
		func(w io.Writer, l listOf[sourceToken]) {
			for _, t := range l.Items {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Scope, t.state(time.Now()), when(t.LastUsedAt, "never used"), when(t.ExpiresAt, "does not expire"))
			}
		}, func(c *cobra.Command, api *client, args []string) (listOf[sourceToken], error) {
			_, tokens, err := sourceNamed(c.Context(), api, args[0])
			return listOf[sourceToken]{Items: tokens}, err
		}), remote(&cobra.Command{Use: "revoke SOURCE TOKEN", Short: "End a token at once", Args: cobra.ExactArgs(2)},
		func(w io.Writer, t sourceToken) { fmt.Fprintf(w, "%s: revoked\n", t.ID) },
		func(c *cobra.Command, api *client, args []string) (sourceToken, error) {
			t := sourceToken{ID: args[1]}
			path, _, err := sourceNamed(c.Context(), api, args[0])
			if err != nil {
				return t, err
			}
			return t, api.do(c.Context(), "DELETE", path+"/tokens/"+url.PathEscape(t.ID), nil, nil)
		}))
	return c
}

// when answers an instant for people.
func when(at *time.Time, otherwise string) string {
	if at == nil {
		return otherwise
	}
	return at.Local().Format("2006-01-02 15:04")
}

// trialReport is what a connection test found.
type trialReport struct {
	OK    bool             `json:"ok"`
	Steps []map[string]any `json:"steps"`
	Text  string           `json:"text"`
}

func sourceTestCommand() *cobra.Command {
	c := &cobra.Command{Use: "test SOURCE", Short: "Try a source's connection, as its client would", Args: cobra.ExactArgs(1)}
	language := c.Flags().String("lang", "en", "en or zh")
	code := 0
	remote(c, func(w io.Writer, r trialReport) { fmt.Fprint(w, r.Text) }, func(c *cobra.Command, api *client, args []string) (trialReport, error) {
		var r trialReport
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return r, err
		}
		if err = api.do(c.Context(), "POST", path+"/test", map[string]any{"lang": *language}, &r); err == nil && !r.OK {
			code = exitError
		}
		return r, err
	})
	return exitWith(c, &code)
}

// seenRequest is one request of a source.
type seenRequest struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"`
	Status   int       `json:"status"`
	Failed   bool      `json:"failed"`
	ScimType string    `json:"scim_type,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Millis   float64   `json:"ms"`
	Resource string    `json:"resource,omitempty"`
	Token    string    `json:"token,omitempty"`
	Ignored  []string  `json:"ignored,omitempty"`
	Client   string    `json:"client,omitempty"`
}

func sourceRequestsCommand() *cobra.Command {
	c := &cobra.Command{Use: "requests SOURCE", Short: "The last requests of a SCIM source, and what they were answered", Args: cobra.ExactArgs(1)}
	failed := c.Flags().Bool("failed", false, "only those that failed")
	limit := c.Flags().Int("limit", 50, "how many, 200 at most")
	return remote(c, func(w io.Writer, l listOf[seenRequest]) {
		for _, r := range l.Items {
			fmt.Fprintf(w, "%s\t%d\t%s %s\t%.0f ms\t%s\t%s\n", r.At.Local().Format("15:04:05"), r.Status, r.Method, r.Path, r.Millis, r.ID, strings.TrimSpace(r.ScimType+" "+r.Detail))
		}
	}, func(c *cobra.Command, api *client, args []string) (listOf[seenRequest], error) {
		var l listOf[seenRequest]
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return l, err
		}
		if *limit < 1 || *limit > 200 {
			return l, errors.New("--limit is a number from 1 to 200")
		}
		query := url.Values{"limit": {strconv.Itoa(*limit)}}
		if *failed {
			query.Set("status", "failed")
		}
		return l, api.do(c.Context(), "GET", path+"/requests?"+query.Encode(), nil, &l)
	})
}
