package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
	"github.com/rollcall-im/rollcall/provisioning/breakglass"
)

// wireBreakGlass ties break-glass reading to who may, to whom it concerns and to the answers under way.
func (a *app) wireBreakGlass() {
	a.glass = &breakglass.Engine{DB: a.db, Log: a.log, Delay: a.cfg.Administration.BreakGlassNotice, Holders: a.door.HoldersTx, Audience: a.index.Audience,
		Cut: func(person id.Person) { a.chat.Hub().Exits().Judge(person) },
		Decides: func(tx *db.Tx) (policies.Approval, bool, error) {
			return a.access.Decides(tx, "", policies.ApproveBreakGlass)
		}}
}

func (a *app) breakGlassAPI() *breakglass.API {
	return &breakglass.API{Engine: a.glass, Asks: a.asks, Names: a.called, Channel: func(ctx context.Context, channel id.Channel) error {
		_, err := a.access.Channel(ctx, channel)
		return err
	}}
}

// glassReader answers messages by break-glass.
type glassReader struct {
	engine *breakglass.Engine
	talk   *chat.API
}

// GlassInput names a request that was granted, and a part of the channel's messages.
type GlassInput struct {
	ID id.Ask `path:"id"`
	chat.Window
}

// Messages answers GET /api/v1/break-glass/{id}/messages. The read is in the audit log before anything of it is answered, and every piece of the
// answer is given only while the reading is open and the reader has the permission.
func (g *glassReader) Messages(ctx context.Context, in *GlassInput) (*chat.HistoryOutput, error) {
	me, err := breakglass.Reader(ctx)
	if err != nil {
		return nil, err
	}
	pass, err := g.engine.Open(ctx, me, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := g.talk.HistoryOn(ctx, pass.Channel, &in.Window, g.engine.Ground(ctx, pass))
	if err != nil {
		return nil, err
	}
	part := breakglass.Part{Messages: len(out.Body.Items)}
	for i, m := range out.Body.Items {
		if i == 0 {
			part.From = m.Seq
		}
		part.To = m.Seq
		part.Authors = append(part.Authors, m.Author.ID)
	}
	return out, g.engine.Note(ctx, directory.CauseFrom(ctx, ""), pass, part)
}

type glassView struct {
	ID       string `json:"id"`
	Person   string `json:"person"`
	Channel  string `json:"channel"`
	Minutes  int    `json:"minutes"`
	Reason   string `json:"reason"`
	State    string `json:"state"`
	LapsesAt string `json:"lapses_at"`
	Until    string `json:"until,omitempty"`
	Reads    int    `json:"reads"`
}

// glassList are readings with what they name is called.
type glassList struct {
	Items []glassView                  `json:"items"`
	Next  string                       `json:"next,omitempty"`
	Names map[string]map[string]string `json:"names"`
}

func (v glassView) row(w io.Writer, names map[string]map[string]string) {
	until := "lapses " + v.LapsesAt
	if v.Until != "" {
		until = "until " + v.Until
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d minutes\t%s\tread %d times\t%s\n", v.ID, v.State, calledIn(names, v.Person), calledIn(names, v.Channel), v.Minutes, until, v.Reads, v.Reason)
}

type glassPage struct {
	Items []struct {
		Seq    int64     `json:"seq"`
		At     time.Time `json:"at"`
		Text   string    `json:"text"`
		Author struct {
			ID   string `json:"id"`
			Name string `json:"name,omitempty"`
		} `json:"author"`
	} `json:"items"`
	Next string `json:"next,omitempty"`
}

func breakGlassCommand() *cobra.Command {
	command := &cobra.Command{Use: "break-glass", Short: "Read a channel that you have no place in, after somebody else agreed"}
	list := &cobra.Command{Use: "list", Short: "Who asked for that, the newest first", Args: cobra.NoArgs}
	command.AddCommand(glassAskCommand(), glassReadCommand(), remote(list, func(w io.Writer, l glassList) {
		for _, v := range l.Items {
			v.row(w, l.Names)
		}
		if l.Next != "" {
			fmt.Fprintln(w, "and more")
		}
	}, func(c *cobra.Command, api *client, _ []string) (glassList, error) {
		var l glassList
		return l, api.do(c.Context(), "GET", "/api/v1/break-glass?limit=200", nil, &l)
	}))
	for verb, short := range map[string]string{"approve": "Agree that somebody else reads", "end": "End it before its time"} {
		c := &cobra.Command{Use: verb + " REQUEST", Short: short, Args: cobra.ExactArgs(1)}
		command.AddCommand(remote(c, func(w io.Writer, v glassView) { fmt.Fprintf(w, "%s: done\n", v.ID) }, func(c *cobra.Command, api *client, args []string) (glassView, error) {
			return glassView{ID: args[0]}, api.do(c.Context(), "POST", "/api/v1/break-glass/"+url.PathEscape(args[0])+"/"+verb, map[string]any{}, nil)
		}))
	}
	return command
}

func glassAskCommand() *cobra.Command {
	ask := &cobra.Command{Use: "ask CHANNEL", Short: "Ask to read a channel", Args: cobra.ExactArgs(1)}
	minutes := ask.Flags().Int("minutes", 60, "for how long, from the decision on: 1 to 240")
	reason := ask.Flags().String("reason", "", "why; who decides reads it")
	return remote(ask, func(w io.Writer, v glassView) { v.row(w, nil) }, func(c *cobra.Command, api *client, args []string) (glassView, error) {
		var v glassView
		channel, err := channelNamed(c.Context(), api, args[0])
		if err != nil {
			return v, err
		}
		return v, api.do(c.Context(), "POST", "/api/v1/break-glass", map[string]any{"channel": channel, "minutes": *minutes, "reason": *reason}, &v)
	})
}

func glassReadCommand() *cobra.Command {
	read := &cobra.Command{Use: "read REQUEST", Short: "Read the channel; every read is audited", Args: cobra.ExactArgs(1)}
	before := read.Flags().Int64("before", 0, "only messages before this number")
	limit := read.Flags().Int("limit", 50, "how many messages at most")
	return remote(read, func(w io.Writer, p glassPage) {
		for _, m := range p.Items {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", m.Seq, m.At.Format(time.RFC3339), m.Author.Name, m.Text)
		}
		if p.Next != "" {
			fmt.Fprintf(w, "and more: --before %s\n", p.Next)
		}
	}, func(c *cobra.Command, api *client, args []string) (glassPage, error) {
		var p glassPage
		query := url.Values{"limit": {strconv.Itoa(*limit)}}
		if *before > 0 {
			query.Set("before", strconv.FormatInt(*before, 10))
		}
		return p, api.do(c.Context(), "GET", "/api/v1/break-glass/"+url.PathEscape(args[0])+"/messages?"+query.Encode(), nil, &p)
	})
}
