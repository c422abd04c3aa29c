package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/directory/signals/transmit"
)

// wireTransmitter has others told what becomes of accounts here.
func (a *app) wireTransmitter() {
	var peers []string
	for _, one := range a.cfg.Signals {
		peers = append(peers, one.Name)
	}
	a.telling = &transmit.Transmitter{DB: a.db, Log: a.log, People: a.people, Seal: a.cfg.key, PublicURL: a.cfg.PublicURL, Issuer: a.cfg.OIDC.Issuer, Peers: peers,
		SubjectAt: a.door.SubjectAt, HTTPClient: a.way.Client(10 * time.Second), Closed: func() bool { return a.restored.Load() != nil }}
	a.door.Ended = a.telling.Ended
}

// toldFigures tell how far each receiver of signals is told.
func toldFigures(a *app) figures {
	return gauges(func(ctx context.Context, say say) error {
		all, err := a.telling.Receivers(ctx)
		for _, r := range all {
			say(0, age(r.Oldest, 0), r.Name)
			say(1, float64(r.Waiting), r.Name)
			say(2, float64(r.Failures), r.Name)
			say(3, float64(r.Refused), r.Name)
			say(4, float64(r.Unnamed), r.Name)
		}
		return err
	},
		described("rollcall_signals_lag_seconds", "Age of the oldest event that a receiver of signals has not acknowledged.", "receiver"),
		described("rollcall_signals_waiting", "Events that a receiver of signals has not acknowledged.", "receiver"),
		described("rollcall_signals_failures", "Attempts in a row in which a receiver of signals could not be told.", "receiver"),
		described("rollcall_signals_refused", "Events that a receiver of signals refused for good.", "receiver"),
		described("rollcall_signals_unnamed", "People of whom a receiver of signals could not be told what became of them: they have no name of the form it wants.", "receiver"))
}

// late is for how long an event may wait before the doctor says so.
const late = 10 * time.Minute

// told looks at who is told what becomes of accounts here.
func (d *doctor) told(ctx context.Context) {
	all, err := (&transmit.Transmitter{DB: d.db}).Receivers(ctx)
	if err != nil {
		d.say("signals", stateBad, err.Error(), err.Error())
		return
	}
	for _, r := range all {
		name := "signals to " + r.Name
		switch {
		case d.cfg.key == nil:
			d.say(name, stateBad, "secrets.identity is missing: nothing can be signed", "缺少 secrets.identity：无法签名")
		case r.Stream == "":
			d.say(name, stateWarn, "the receiver has made no stream yet", "接收方尚未建立事件流")
		case r.Status != "enabled":
			d.say(name, stateWarn, fmt.Sprintf("the stream is %s, %d events wait", r.Status, r.Waiting), fmt.Sprintf("事件流处于 %s，%d 个事件在等待", r.Status, r.Waiting))
		case r.Problem != "":
			d.say(name, stateBad, fmt.Sprintf("%d events wait, since %s: %s", r.Waiting, r.ProblemSince.Format(time.RFC3339), r.Problem), fmt.Sprintf("自 %s 起 %d 个事件在等待：%s", r.ProblemSince.Format(time.RFC3339), r.Waiting, r.Problem))
		case r.Waiting > 0 && time.Since(r.Oldest) > late:
			d.say(name, stateBad, fmt.Sprintf("%d events wait, the first since %s: it does not poll", r.Waiting, r.Oldest.Format(time.RFC3339)), fmt.Sprintf("%d 个事件在等待，最早自 %s 起：接收方没有轮询", r.Waiting, r.Oldest.Format(time.RFC3339)))
		case r.Unnamed > 0:
			d.say(name, stateWarn, fmt.Sprintf("of %d people it was not told what became of them: they have no name as %s", r.Unnamed, r.Subject), fmt.Sprintf("%d 人的变化未能告知：没有 %s 形式的标识", r.Unnamed, r.Subject))
		case r.Refused > 0:
			d.say(name, stateWarn, fmt.Sprintf("it refused %d events; the audit log says which (signal.refused)", r.Refused), fmt.Sprintf("它拒绝了 %d 个事件；审计日志有记录（signal.refused）", r.Refused))
		default:
			d.say(name, stateFine, fmt.Sprintf("%d events wait", r.Waiting), fmt.Sprintf("%d 个事件在等待", r.Waiting))
		}
	}
}

type toldReceiver struct {
	Name     string     `json:"name"`
	Audience string     `json:"audience"`
	Subject  string     `json:"subject"`
	Stream   string     `json:"stream,omitempty"`
	Method   string     `json:"method,omitempty"`
	Endpoint string     `json:"endpoint,omitempty"`
	Status   string     `json:"status"`
	Waiting  int64      `json:"waiting"`
	Oldest   *time.Time `json:"oldest,omitempty"`
	Unnamed  int64      `json:"unnamed"`
	Failures int64      `json:"failures"`
	Problem  string     `json:"problem,omitempty"`
	Refused  int64      `json:"refused"`
}

type transmitterView struct {
	Issuer        string         `json:"issuer"`
	Configuration string         `json:"configuration"`
	Keys          []toldKey      `json:"keys"`
	Items         []toldReceiver `json:"items"`
}

type toldKey struct {
	ID        string     `json:"id"`
	CreatedAt time.Time  `json:"created_at"`
	SignsFrom time.Time  `json:"signs_from"`
	GoneAt    *time.Time `json:"gone_at,omitempty"`
}

type receiverToken struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

func (t receiverToken) print(w io.Writer) {
	fmt.Fprintf(w, "%s\ntoken, shown this once:\t%s\n", t.Name, t.Token)
}

const receiversPath = "/api/v1/transmitter/receivers"

func receiverPath(name string) string { return receiversPath + "/" + url.PathEscape(name) }

// deliveryFlags are how a receiver is told; what they answer goes into a request.
func deliveryFlags(c *cobra.Command) func() (map[string]any, error) {
	push := c.Flags().String("push", "", "push events to this address (RFC 8935)")
	poll := c.Flags().Bool("poll", false, "let it poll (RFC 8936)")
	secret := c.Flags().String("authorization-file", "", "a file with what it wants to see in Authorization, such as Bearer …; kept sealed")
	endpoints := c.Flags().String("endpoints", "", "what addresses begin with that it may have events pushed to by its own word; with --push that address")
	events := c.Flags().StringSlice("event", nil, "session-revoked, account-disabled, account-enabled, account-purged, several with commas; empty: all")
	return func() (map[string]any, error) {
		out := map[string]any{}
		switch {
		case *push != "" && *poll:
			return nil, fmt.Errorf("events are delivered by --push or by --poll, not both")
		case *push != "":
			out["method"], out["endpoint"] = "push", *push
		case *poll:
			out["method"] = "poll"
		}
		if *endpoints != "" {
			out["endpoints"] = *endpoints
		}
		if *secret != "" {
			text, err := os.ReadFile(*secret)
			if err != nil {
				return nil, err
			}
			out["authorization"] = strings.TrimSpace(string(text))
		}
		var kinds []string
		for _, name := range *events {
			kind := name
			for _, known := range transmit.Supported() {
				if strings.HasSuffix(known, "/"+name) {
					kind = known
				}
			}
			kinds = append(kinds, kind)
		}
		if kinds != nil {
			out["events"] = kinds
		}
		return out, nil
	}
}

func transmitterCommand() *cobra.Command {
	command := &cobra.Command{Use: "transmitter", Short: "Who is told what becomes of accounts here: Shared Signals"}
	list := remote(&cobra.Command{Use: "list", Short: "The receivers, and how far each is told", Args: cobra.NoArgs}, func(w io.Writer, v transmitterView) {
		fmt.Fprintf(w, "configuration\t%s\n", v.Configuration)
		for _, k := range v.Keys {
			fmt.Fprintf(w, "key\t%s\tsigns from %s\n", k.ID, k.SignsFrom.Format(time.RFC3339))
		}
		for _, r := range v.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d waiting\t%d refused\t%d without a name\t%s\n", r.Name, r.Method, r.Status, r.Subject, r.Waiting, r.Refused, r.Unnamed, r.Problem)
		}
	}, func(c *cobra.Command, api *client, _ []string) (v transmitterView, err error) {
		return v, api.do(c.Context(), "GET", "/api/v1/transmitter", nil, &v)
	})

	add := &cobra.Command{Use: "add NAME", Short: "Tell somebody else. Its token, by which it makes or polls its stream, is shown once", Args: cobra.ExactArgs(1)}
	audience := add.Flags().String("audience", "", "aud of its tokens: the receiver says what it wants there")
	subject := add.Flags().String("subject", "email", "how it is told who is meant: email, iss_sub, opaque (the id here) or external_id")
	issuer := add.Flags().String("issuer", "", "of iss_sub; empty: where people sign in")
	source := add.Flags().String("source", "", "of external_id: the source whose id it is")
	peer := add.Flags().String("peer", "", "a transmitter in signals of the configuration that is the same party: what it says is not said back")
	how := deliveryFlags(add)
	remote(add, func(w io.Writer, t receiverToken) { t.print(w) }, func(c *cobra.Command, api *client, args []string) (t receiverToken, err error) {
		in, err := how()
		if err != nil {
			return t, err
		}
		in["name"], in["audience"], in["subject"] = args[0], *audience, *subject
		for key, value := range map[string]string{"issuer": *issuer, "source": *source, "peer": *peer} {
			if value != "" {
				in[key] = value
			}
		}
		return t, api.do(c.Context(), "POST", receiversPath, in, &t)
	})

	none := func(io.Writer, struct{}) {}
	set := &cobra.Command{Use: "set NAME", Short: "Change how a receiver is told", Args: cobra.ExactArgs(1)}
	status := set.Flags().String("status", "", "enabled, paused (what happens waits) or disabled (it is not told, now or later)")
	reason := set.Flags().String("reason", "", "of the status; the receiver is told")
	changed := deliveryFlags(set)
	remote(set, none, func(c *cobra.Command, api *client, args []string) (out struct{}, err error) {
		in, err := changed()
		if err != nil {
			return out, err
		}
		if *status != "" {
			in["status"], in["reason"] = *status, *reason
		}
		return out, api.do(c.Context(), "PATCH", receiverPath(args[0]), in, nil)
	})

	rotate := &cobra.Command{Use: "rotate", Short: "Make a new key that signs; receivers have a day to read it, and believe the former one a week longer", Args: cobra.NoArgs}
	atOnce := rotate.Flags().Bool("at-once", false, "somebody else may have the key: the new one signs now, and nobody is to believe the others any more")
	remote(rotate, none, func(c *cobra.Command, api *client, _ []string) (out struct{}, err error) {
		return out, api.do(c.Context(), "POST", "/api/v1/transmitter/keys", map[string]any{"at_once": *atOnce}, nil)
	})

	command.AddCommand(list, add, set, rotate,
		remote(&cobra.Command{Use: "token NAME", Short: "Make a new token for a receiver; the one before is good no more", Args: cobra.ExactArgs(1)}, func(w io.Writer, t receiverToken) { t.print(w) },
			func(c *cobra.Command, api *client, args []string) (t receiverToken, err error) {
				return t, api.do(c.Context(), "POST", receiverPath(args[0])+"/token", nil, &t)
			}),
		remote(&cobra.Command{Use: "verify NAME", Short: "Send a receiver an event that says nothing", Args: cobra.ExactArgs(1)}, none,
			func(c *cobra.Command, api *client, args []string) (out struct{}, err error) {
				return out, api.do(c.Context(), "POST", receiverPath(args[0])+"/verify", nil, nil)
			}),
		remote(&cobra.Command{Use: "remove NAME", Short: "Tell a receiver no more; what waits for it is forgotten", Args: cobra.ExactArgs(1)}, none,
			func(c *cobra.Command, api *client, args []string) (out struct{}, err error) {
				return out, api.do(c.Context(), "DELETE", receiverPath(args[0]), nil, nil)
			}))
	return command
}
