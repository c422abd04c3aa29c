package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// request is something that somebody asked for, as the server says it.
type request struct {
	ID        string   `json:"id"`
	Kind      string   `json:"kind"`
	Requester string   `json:"requester"`
	Subject   string   `json:"subject"`
	Object    string   `json:"object"`
	Role      string   `json:"role,omitempty"`
	State     string   `json:"state"`
	AskedAt   string   `json:"asked_at"`
	LapsesAt  string   `json:"lapses_at"`
	Until     string   `json:"until,omitempty"`
	Reason    string   `json:"reason"`
	Obstacle  string   `json:"obstacle,omitempty"`
	Approvers []string `json:"approvers,omitempty"`
}

type requestList struct {
	Items []request                    `json:"items"`
	Next  string                       `json:"next,omitempty"`
	Names map[string]map[string]string `json:"names"`
}

func requestsCommand() *cobra.Command {
	command := &cobra.Command{Use: "requests", Short: "What people ask for, and what of it you may decide"}
	list := &cobra.Command{Use: "list", Short: "What people asked for, the newest first", Args: cobra.NoArgs}
	state := list.Flags().String("state", "waiting", "waiting, granted, refused, withdrawn, lapsed, or empty for all")
	kind := list.Flags().String("kind", "", "only of this kind: join, guest, elevation, plan, release, break_glass, retention")
	mine := list.Flags().Bool("mine", false, "what waits for you to decide: the token is one of your own")
	command.AddCommand(remote(list, printRequests, func(c *cobra.Command, api *client, _ []string) (requestList, error) {
		var l requestList
		if *mine {
			return l, api.do(c.Context(), "GET", "/api/v1/me/approvals", nil, &l)
		}
		query := url.Values{"limit": {"200"}}
		for name, value := range map[string]string{"state": *state, "kind": *kind} {
			if value != "" {
				query.Set(name, value)
			}
		}
		return l, api.do(c.Context(), "GET", "/api/v1/approvals?"+query.Encode(), nil, &l)
	}))
	command.AddCommand(askCommand())
	for verb, short := range map[string]string{"approve": "Agree to a request that is yours to decide", "refuse": "Refuse a request that is yours to decide"} {
		decide := &cobra.Command{Use: verb + " REQUEST", Short: short, Args: cobra.ExactArgs(1)}
		comment := decide.Flags().String("comment", "", "what there is to say about it; who asked can read it")
		command.AddCommand(remote(decide, func(w io.Writer, r request) { fmt.Fprintf(w, "%s: done\n", r.ID) },
			func(c *cobra.Command, api *client, args []string) (request, error) {
				return request{ID: args[0]}, api.do(c.Context(), "POST", "/api/v1/me/approvals/"+url.PathEscape(args[0])+"/"+verb, map[string]any{"comment": *comment}, nil)
			}))
	}
	return command
}

// askCommand asks for something with a token of one's own.
func askCommand() *cobra.Command {
	ask := &cobra.Command{Use: "ask KIND OBJECT", Short: "Ask for something: join or elevation of a project group, plan for the approval of a plan of yours, release for that of a hold, retention for an erasure or the end of a legal hold that you asked for", Args: cobra.ExactArgs(2)}
	reason := ask.Flags().String("reason", "", "why; who decides reads it")
	role := ask.Flags().String("role", "", "of an elevation: owner, participant")
	days := ask.Flags().Int("days", 0, "for how many days, from the decision on; 0: as long as the policy lets")
	return remote(ask, func(w io.Writer, r request) { fmt.Fprintf(w, "%s: waits until %s\n", r.ID, r.LapsesAt) },
		func(c *cobra.Command, api *client, args []string) (request, error) {
			object, err := ownGroupNamed(c.Context(), api, args[0], args[1])
			if err != nil {
				return request{}, err
			}
			body := map[string]any{"kind": args[0], "object": object, "reason": *reason}
			if *role != "" {
				body["role"] = *role
			}
			if *days > 0 {
				body["days"] = *days
			}
			var r request
			return r, api.do(c.Context(), "POST", "/api/v1/me/requests", body, &r)
		})
}

// ownGroupNamed answers the id of a project group that somebody may do something about, by its key or name; of other kinds than those about groups, the word itself.
func ownGroupNamed(ctx context.Context, api *client, kind, word string) (string, error) {
	if kind != "join" && kind != "elevation" || strings.HasPrefix(word, "grp_") {
		return word, nil
	}
	var groups listOf[namedGroup]
	if err := api.do(ctx, "GET", "/api/v1/me/groups", nil, &groups); err != nil {
		return "", err
	}
	var found []candidate
	for _, g := range groups.Items {
		if says(word, g.Key, g.Name) {
			found = append(found, candidate{g.ID, g.Key})
		}
	}
	return one("group", word, found)
}

func printRequests(w io.Writer, l requestList) {
	for _, r := range l.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\tlapses %s\t%s\n", r.ID, r.State, r.Kind, calledIn(l.Names, r.Subject), calledIn(l.Names, r.Object), r.Role, r.LapsesAt, r.Reason)
	}
	if l.Next != "" {
		fmt.Fprintln(w, "and more")
	}
}
