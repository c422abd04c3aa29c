package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// AccessedInput says of whom, and since when.
type AccessedInput struct {
	ID    id.Person `path:"id"`
	Since time.Time `query:"since" doc:"absent: the end of the employment, where that lies in the past"`
}

// AccessedChannel is one channel that was open to a person, and what they are known to have done there.
type AccessedChannel struct {
	Channel  id.Channel        `json:"channel"`
	Name     map[string]string `json:"name"`
	Labels   []string          `json:"labels,omitempty"`
	Group    string            `json:"group,omitempty" doc:"its key; absent: a direct channel"`
	Role     policies.Role     `json:"role"`
	Until    time.Time         `json:"until,omitzero" doc:"when the place ended; absent: it stands, behind the freeze"`
	ReadAt   time.Time         `json:"read_at,omitzero" doc:"when the read position was moved last"`
	Messages int               `json:"messages" doc:"that the person wrote"`
	LastAt   time.Time         `json:"last_message_at,omitzero"`
}

// AccessedUse is a session or a token that was used.
type AccessedUse struct {
	Session   id.Session `json:"session,omitempty"`
	Token     id.Token   `json:"token,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	LastAt    time.Time  `json:"last_at" doc:"to the minute"`
	EndedAt   time.Time  `json:"ended_at,omitzero"`
}

// AccessedOutput says what was open to a person since an instant, and what is known of what they did.
type AccessedOutput struct {
	Body struct {
		Person   id.Person         `json:"person"`
		Since    time.Time         `json:"since"`
		FrozenAt time.Time         `json:"frozen_at,omitzero" doc:"when the freeze that stands was put in force; absent: there is none"`
		Channels []AccessedChannel `json:"channels" nullable:"false" doc:"open to the person in between"`
		Uses     []AccessedUse     `json:"uses" nullable:"false" doc:"sessions and tokens"`
		Actions  []audit.Record    `json:"actions" nullable:"false" doc:"of the person, in the audit log; the last 200"`
		Limits   string            `json:"limits" doc:"what this cannot know"`
	}
}

// Accessed answers GET /api/v1/people/{id}/accessed: after an end that was entered late, what was open to the person since.
func (o *operations) Accessed(ctx context.Context, in *AccessedInput) (*AccessedOutput, error) {
	a := o.app
	p, err := a.people.Person(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	since := in.Since
	if since.IsZero() {
		if since = p.EndsAt; since.IsZero() || p.Status != directory.StatusTerminated {
			return nil, httpapi.NewProblem(http.StatusUnprocessableEntity, "since_missing", "no end of this person lies in the past: say since when")
		}
	}
	out := &AccessedOutput{}
	b := &out.Body
	b.Person, b.Since = in.ID, since.UTC()
	b.Limits = "what was read without moving the read position leaves no trace"
	standing, err := a.people.StandingFreezes(ctx, []id.Person{in.ID})
	if err != nil {
		return nil, err
	}
	for _, f := range standing[in.ID] {
		if at := f.CreatedAt; f.OpenAt(time.Now()) && (b.FrozenAt.IsZero() || at.Before(b.FrozenAt)) {
			b.FrozenAt = at
		}
	}
	if err := a.accessedChannels(ctx, in.ID, since, &b.Channels); err != nil {
		return nil, err
	}
	uses, err := a.door.Used(ctx, in.ID, since)
	if err != nil {
		return nil, err
	}
	b.Uses, b.Actions = []AccessedUse{}, []audit.Record{}
	for _, u := range uses {
		b.Uses = append(b.Uses, AccessedUse(u))
	}
	records, err := audit.List(ctx, a.db, audit.Filter{Actor: string(in.ID)})
	if err == nil {
		records, err = a.people.For(ctx).Audited(ctx, records)
	}
	for _, r := range records {
		if !r.At.Before(since) {
			r.Personal = nil
			b.Actions = append(b.Actions, r)
		}
	}
	return out, err
}

func (a *app) accessedChannels(ctx context.Context, person id.Person, since time.Time, to *[]AccessedChannel) error {
	places, err := a.access.HadSince(ctx, person, since)
	if err != nil {
		return err
	}
	*to = []AccessedChannel{}
	var channels []id.Channel
	at := map[id.Channel]int{}
	for _, p := range places {
		if _, twice := at[p.Channel.ID]; !twice {
			at[p.Channel.ID] = len(*to)
			channels = append(channels, p.Channel.ID)
			*to = append(*to, AccessedChannel{Channel: p.Channel.ID})
		}
		c := &(*to)[at[p.Channel.ID]] // of several times the last
		c.Name, c.Labels, c.Group, c.Role, c.Until = p.Channel.Names, p.Channel.Labels, p.Group.Key, p.Role, p.Until
	}
	done, err := a.chat.ActivityOf(ctx, person, since, channels)
	for _, d := range done {
		c := &(*to)[at[d.Channel]]
		c.ReadAt, c.Messages, c.LastAt = d.ReadAt, d.Messages, d.Last
	}
	return err
}

type accessed struct {
	Since    string `json:"since"`
	FrozenAt string `json:"frozen_at,omitempty"`
	Channels []struct {
		Channel  string            `json:"channel"`
		Name     map[string]string `json:"name"`
		Group    string            `json:"group,omitempty"`
		Role     string            `json:"role"`
		ReadAt   string            `json:"read_at,omitempty"`
		Messages int               `json:"messages"`
	} `json:"channels"`
	Uses    []map[string]any `json:"uses"`
	Actions []map[string]any `json:"actions"`
}

func accessedCommand() *cobra.Command {
	command := &cobra.Command{Use: "accessed PERSON", Short: "Say what was open to a person since an end that was entered late, and what is known of what they did", Args: cobra.ExactArgs(1)}
	since := command.Flags().String("since", "", "RFC 3339; empty: since the end of the employment")
	return remote(command, func(w io.Writer, a accessed) {
		fmt.Fprintf(w, "since %s, frozen %s: %d channels were open, %d sessions and tokens used, %d actions\n", a.Since, a.FrozenAt, len(a.Channels), len(a.Uses), len(a.Actions))
		for _, c := range a.Channels {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d messages\tread %s\n", c.Channel, c.Group, c.Role, c.Messages, c.ReadAt)
		}
	}, func(c *cobra.Command, api *client, args []string) (accessed, error) {
		var a accessed
		person, err := personNamed(c.Context(), api, args[0])
		if err != nil {
			return a, err
		}
		query := url.Values{}
		if *since != "" {
			query.Set("since", *since)
		}
		return a, api.do(c.Context(), "GET", "/api/v1/people/"+url.PathEscape(person)+"/accessed?"+query.Encode(), nil, &a)
	})
}
