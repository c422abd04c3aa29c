package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/hrfeed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/webhook"
)

// HRFeed is one source of personnel files.
type HRFeed struct {
	Priority      int      `koanf:"priority"`  // the lower wins, per attribute
	Correlate     []string `koanf:"correlate"` // fields by which a record joins a person another source knows
	Authority     []string `koanf:"authority"` // what its word counts for before that of others; nil: everything
	hrfeed.Config `koanf:",squash"`
}

// checkHRFeeds tells what of the list of HR sources cannot be used. names are taken by other sources.
func checkHRFeeds(list []HRFeed, names map[string]bool, bad func(key, format string, args ...any)) {
	folders := map[string]string{} // whose they are
	for i, h := range list {
		key := func(name string) string { return fmt.Sprintf("hr_feeds[%d].%s", i, name) }
		if h.Name == "" {
			bad(key("name"), "is missing")
		} else if err := directory.CheckSourceName(h.Name); err != nil {
			bad(key("name"), "%v", err)
		}
		if h.Priority < 0 {
			bad(key("priority"), "wants a number from 0, not %d", h.Priority)
		}
		if names[h.Name] {
			bad(key("name"), "%q stands twice", h.Name)
		}
		names[h.Name] = true
		if err := directory.CheckAuthority(h.Authority); err != nil {
			bad(key("authority"), "%v", err)
		}
		for _, field := range h.Correlate {
			if field != directory.CorrelateEmployeeNumber && field != directory.CorrelateExternalID {
				bad(key("correlate"), "%q is not one of %s, %s", field, directory.CorrelateEmployeeNumber, directory.CorrelateExternalID)
			}
		}
		if h.Every != 0 && h.Every < 100*time.Millisecond {
			bad(key("every"), "wants a duration of 100ms or more, as 5s, not %s", h.Every)
		}
		if h.Folder != "" {
			if info, err := os.Stat(h.Folder); err != nil || !info.IsDir() {
				bad(key("folder"), "%s is no folder", h.Folder)
			}
			in, done, failed := hrfeed.Places(h.Folder)
			for n, at := range []string{in, done, failed} {
				if other, taken := folders[at]; taken {
					written := filepath.Join(h.Folder, []string{"", "done", "failed"}[n])
					if written != at {
						written += " (that is " + at + ")"
					}
					bad(key("folder"), "%s is a folder of the source %s too: each needs its own, beside its done and failed", written, other)
					break
				}
			}
			for _, at := range []string{in, done, failed} {
				folders[at] = cmp.Or(folders[at], h.Name)
			}
		}
		if _, err := time.LoadLocation(h.Zone); err != nil || h.Zone == "" || h.Zone == "Local" {
			bad(key("time_zone"), "wants where days begin, as Asia/Shanghai, not %q", h.Zone)
		}
		if h.Secret != "" {
			if _, err := webhook.Secret(h.Secret); err != nil {
				bad(key("secret"), "%v", err)
			}
		}
		if err := h.Mapping.Check(); err != nil {
			bad(key("mapping"), "%v", err)
		}
	}
}

// wireHRFeeds makes the HR sources of the configuration. A new one begins with a dry run: what it says is looked at before it has effect.
func (a *app) wireHRFeeds(ctx context.Context) error {
	a.hr = &hrfeed.Feeds{Store: a.people, DB: a.db, Log: a.log, Foresee: a.directoryAPI().Foresee, Configs: map[id.Source]hrfeed.Config{}}
	for _, h := range a.cfg.HRFeeds {
		source, err := a.sourceNamed(ctx, directory.Source{Name: h.Name, Kind: directory.KindHRFeed, Priority: h.Priority, Correlate: h.Correlate, Authority: h.Authority, Mode: directory.ModeDryRun})
		if err != nil {
			return fmt.Errorf("hr source %s: %w", h.Name, err)
		}
		a.hr.Configs[source.ID] = h.Config
	}
	return nil
}

// hrFolders are the folders to watch, by what the task is called.
func (a *app) hrFolders() map[string]func(context.Context) error {
	work := map[string]func(context.Context) error{}
	for source, c := range a.hr.Configs {
		if c.Folder != "" {
			work["hr folder "+c.Name] = func(ctx context.Context) error { return a.hr.Watch(ctx, source) }
		}
	}
	return work
}

// feedCommand hands a file in.
func feedCommand() *cobra.Command {
	c := &cobra.Command{Use: "feed SOURCE FILE", Short: "Hand a personnel file in: CSV, .xlsx or JSON", Args: cobra.ExactArgs(2),
		Long: "Hand a personnel file in: CSV, .xlsx or JSON. A file says whether it is full, so that whoever is not in it is missing, or a delta: by its name " +
			"(people.full.csv), by itself (JSON) or by --full or --delta. A row that is wrong is told, and stops nothing else; then the exit code is 1. " +
			"Where the guard holds something of it, or with --preview would hold it, that is told, and the exit code is 3."}
	full := c.Flags().Bool("full", false, "the file is full: whoever is not in it is missing")
	delta := c.Flags().Bool("delta", false, "the file says only what it names")
	preview := c.Flags().Bool("preview", false, "say what would happen, and write nothing")
	again := c.Flags().Bool("again", false, "although the same file was taken before")
	encoding := c.Flags().String("encoding", "", "of a CSV file: utf-8, utf-16, gb18030; else it is found out")
	c.MarkFlagsMutuallyExclusive("full", "delta")
	code := 0
	remote(c, func(w io.Writer, r hrfeed.Report) { fmt.Fprint(w, r.Text()) }, func(c *cobra.Command, api *client, args []string) (hrfeed.Report, error) {
		var r hrfeed.Report
		source, err := sourceID(c.Context(), api, args[0])
		if err != nil {
			return r, err
		}
		data, err := os.ReadFile(args[1])
		if err != nil {
			return r, err
		}
		q := url.Values{"name": {filepath.Base(args[1])}}
		for name, on := range map[string]bool{"preview": *preview, "again": *again} {
			if on {
				q.Set(name, "true")
			}
		}
		if *full {
			q.Set("kind", string(hrfeed.Full))
		}
		if *delta {
			q.Set("kind", string(hrfeed.Delta))
		}
		if *encoding != "" {
			q.Set("encoding", *encoding)
		}
		err = patiently(c, api, source, feedProgress, func(api *client) error {
			return api.send(c.Context(), "POST", "/api/v1/sources/"+source+"/feed?"+q.Encode(), "application/octet-stream", bytes.NewReader(data), &r)
		})
		switch {
		case err != nil:
		case r.Counts.Refused > 0:
			code = exitError
		case len(r.Held) > 0:
			code = exitHeld
		}
		return r, err
	})
	return exitWith(c, &code)
}

// hrConfigured tells whether the configuration names a source.
func (a *app) hrConfigured(source id.Source) bool {
	_, ok := a.hr.Configs[source]
	return ok
}

// feedStatus is how an HR source stands.
type feedStatus struct {
	Mapping hrfeed.Mapping `json:"mapping"`
	Files   []hrfeed.Taken `json:"files"`
}

// filesCommand lists what was handed in.
func filesCommand() *cobra.Command {
	return remote(&cobra.Command{Use: "files SOURCE", Short: "The last personnel files of an HR source, and what became of them", Args: cobra.ExactArgs(1)},
		func(w io.Writer, s feedStatus) {
			for _, f := range s.Files {
				state := "taken"
				if !f.Applied {
					state = "refused: " + f.Error
				}
				c := f.Counts
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d rows\t%d refused\t+%d ~%d -%d\t%d missing\n", f.At.Local().Format("2006-01-02 15:04:05"), f.Origin, f.Kind, f.Name, state,
					c.Rows, c.Refused, c.New, c.Changed, c.Ended+c.Deleted, c.Absent)
			}
		}, func(c *cobra.Command, api *client, args []string) (feedStatus, error) {
			var s feedStatus
			source, err := sourceID(c.Context(), api, args[0])
			if err != nil {
				return s, err
			}
			return s, api.do(c.Context(), "GET", "/api/v1/sources/"+source+"/feed", nil, &s)
		})
}
