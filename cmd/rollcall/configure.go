package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
)

// configureSources gives the sources of the configuration file the priority, the authority and the correlation that stand there.
func (a *app) configureSources(ctx context.Context) error {
	for _, l := range a.cfg.LDAP {
		a.configureSource(ctx, l.Name, l.Priority, l.Authority, l.Correlate)
	}
	for _, h := range a.cfg.HRFeeds {
		a.configureSource(ctx, h.Name, h.Priority, h.Authority, h.Correlate)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (a *app) configureSource(ctx context.Context, name string, priority int, authority, correlate []string) {
	source, err := a.people.SourceByName(ctx, name)
	if err == nil {
		_, err = a.people.Configure(ctx, directory.Cause{Actor: "system", Reason: "configuration"},
			directory.ConfigureSource{Source: source.ID, Priority: &priority, Authority: &authority, Correlate: &correlate})
	}
	if err == nil && !slices.Equal(source.Correlate, correlate) {
		a.log.WarnContext(ctx, "new records of the source are joined by other fields from now on; those that are there keep their person, and pairs that may be one person are work items",
			"source", name, "correlate", correlate, "before", source.Correlate)
	}
	if err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "source keeps its former priority, authority and correlation", "source", name, "error", err)
	}
}

// sourceNamed answers the source of the configuration that has s's name. Where there is none yet it makes s; so may another node at the same moment.
func (a *app) sourceNamed(ctx context.Context, s directory.Source) (directory.Source, error) {
	source, err := a.people.SourceByName(ctx, s.Name)
	if errors.Is(err, directory.ErrNotFound) {
		source, err = a.people.CreateSource(ctx, directory.Cause{Actor: "system", Reason: "configuration"}, s)
	}
	if errors.Is(err, directory.ErrExists) {
		source, err = a.people.SourceByName(ctx, s.Name)
	}
	if err == nil && source.Kind != s.Kind {
		err = fmt.Errorf("a source of this name exists and is of kind %s", source.Kind)
	}
	return source, err
}

// configured names the sources of the configuration file.
func (c Config) configured() []string {
	var names []string
	for _, l := range c.LDAP {
		names = append(names, l.Name)
	}
	for _, h := range c.HRFeeds {
		names = append(names, h.Name)
	}
	return names
}

// configuration is what a change of a source's configuration does, or would do.
type configuration struct {
	DryRun bool           `json:"dry_run"`
	People int            `json:"people"`
	Fields map[string]int `json:"fields"`
	Source struct {
		Name      string   `json:"name"`
		Priority  int      `json:"priority"`
		Authority []string `json:"authority"`
	} `json:"source"`
	Memberships []struct {
		Person string `json:"person"`
		Group  string `json:"group"`
		Op     string `json:"op"`
		Role   string `json:"role"`
	} `json:"memberships"`
	More int    `json:"more,omitempty"`
	Note string `json:"note,omitempty"`
}

func configureCommand() *cobra.Command {
	c := &cobra.Command{Use: "configure SOURCE", Short: "Say what another priority, authority or correlation of a source would change; with --confirm do it", Args: cobra.ExactArgs(1)}
	priority := c.Flags().Int("priority", 0, "the lower wins, among sources of the same authority; 0: as it is")
	authority := c.Flags().StringSlice("authority", nil, "what its word counts for before that of others: employment, org, job, manager, name, login, contact, region, labels, single attributes; everything")
	correlate := c.Flags().StringSlice("correlate", nil, "fields by which a new record joins a person another source knows: employee_number, external_id")
	confirm := c.Flags().Bool("confirm", false, "do it")
	return remote(c, func(w io.Writer, r configuration) {
		for _, m := range r.Memberships {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Op, m.Person, m.Group, m.Role)
		}
		if r.More > 0 {
			fmt.Fprintf(w, "and %d more\n", r.More)
		}
		for _, field := range slices.Sorted(maps.Keys(r.Fields)) {
			fmt.Fprintf(w, "%s\tof %s\n", field, severalPeople(r.Fields[field]))
		}
		if r.Note != "" {
			fmt.Fprintln(w, r.Note)
		}
		verb := "would differ; --confirm does it"
		if !r.DryRun {
			verb = "differ"
		}
		fmt.Fprintf(w, "%s %s\n", severalPeople(r.People), verb)
	}, func(c *cobra.Command, api *client, args []string) (configuration, error) {
		var r configuration
		path, _, err := sourceNamed(c.Context(), api, args[0])
		if err != nil {
			return r, err
		}
		body := map[string]any{"dry_run": !*confirm}
		if *priority != 0 {
			body["priority"] = *priority
		}
		if c.Flags().Changed("authority") {
			if slices.Equal(*authority, []string{"everything"}) {
				*authority = directory.AuthorityGroups()
			}
			body["authority"] = append([]string{}, *authority...)
		}
		if c.Flags().Changed("correlate") {
			body["correlate"] = append([]string{}, *correlate...)
		}
		return r, api.do(c.Context(), "PATCH", path, body, &r)
	})
}
