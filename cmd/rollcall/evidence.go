package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
)

// wireFences has noted from when on freezes are in force. Whoever is told of losses before it has cut the connections by then.
func (a *app) wireFences() {
	a.fences = evidence.NewFences(a.db, a.people, a.log)
	a.watch.fenced = a.fences.Settled
	a.index.Attach(a.fences.Lost)
}

// evidence is what auditors are given, of everything that is recorded here.
func (a *app) evidence() *evidence.Store {
	return &evidence.Store{DB: a.db, Directory: a.people, Reactor: a.access, Heirs: a.heirs, Sessions: a.door, Accessed: a.accessedSince, Called: a.called, Fences: a.fences,
		Keys: &evidence.Keys{DB: a.db, Seal: a.cfg.key}, Log: a.log}
}

// accessedSince answers for evidence what `rollcall accessed` shows.
func (a *app) accessedSince(ctx context.Context, person id.Person, since time.Time) (evidence.Accessed, error) {
	out := evidence.Accessed{Since: since, Channels: []evidence.AccessedChannel{}, Uses: []evidence.AccessedUse{}, Acts: []evidence.Act{}}
	var channels []AccessedChannel
	if err := a.accessedChannels(ctx, person, since, &channels); err != nil {
		return out, err
	}
	for _, c := range channels {
		out.Channels = append(out.Channels, evidence.AccessedChannel{ID: c.Channel, Names: c.Name, Group: c.Group, Role: string(c.Role), Until: c.Until,
			ReadAt: c.ReadAt, Messages: c.Messages, LastAt: c.LastAt})
	}
	uses, err := a.door.Used(ctx, person, since)
	if err != nil {
		return out, err
	}
	for _, u := range uses {
		out.Uses = append(out.Uses, evidence.AccessedUse{ID: string(u.Session) + string(u.Token), LastAt: u.LastAt})
	}
	records, err := audit.List(ctx, a.db, audit.Filter{Actor: string(person)})
	for _, r := range records {
		if !r.At.Before(since) {
			out.Acts = append(out.Acts, evidence.Act{Seq: r.Seq, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Request: r.RequestID})
		}
	}
	return out, err
}

// fetch copies an answer as it is to w.
func (c *client) fetch(ctx context.Context, path string, w io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := (&http.Client{Timeout: time.Hour}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return problem(answer)
	}
	_, err = io.Copy(w, answer.Body)
	return err
}

// download makes a command whose answer is a document, written to standard output as it is: path answers where it is.
func download(c *cobra.Command, path func(ctx context.Context, api *client, args []string) (string, error)) *cobra.Command {
	c.Long = c.Short + "\n\nThe document is written to standard output. " + serverByEnvironment
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := newClient()
		if err != nil {
			return err
		}
		at, err := path(c.Context(), api, args)
		if err != nil {
			return err
		}
		return api.fetch(c.Context(), at, c.OutOrStdout())
	}
	return c
}

func evidenceCommand() *cobra.Command {
	command := &cobra.Command{Use: "evidence", Short: "What auditors are given: signed records of leavers, reports of a period"}
	leaver := &cobra.Command{Use: "leaver PERSON", Short: "The signed record of a leaver", Args: cobra.ExactArgs(1)}
	at := leaver.Flags().String("at", "", "an instant of the leaving, where somebody left more than once; empty: the last one")
	format, lang := documentFlags(leaver, "json", "json or html")
	command.AddCommand(download(leaver, func(ctx context.Context, api *client, args []string) (string, error) {
		person, err := personNamed(ctx, api, args[0])
		return "/api/v1/people/" + url.PathEscape(person) + "/evidence?" + instantQuery(*at, url.Values{"format": {*format}, "lang": {*lang}}), err
	}), periodCommand(), evidenceVerifyCommand(), evidenceKeysCommand())
	return command
}

func periodCommand() *cobra.Command {
	c := &cobra.Command{Use: "period", Short: "Every joiner, mover and leaver between two instants, with delays and exceptions", Args: cobra.NoArgs}
	from := c.Flags().String("from", "", "RFC 3339, such as 2026-05-01T00:00:00+08:00")
	to := c.Flags().String("to", "", "exclusive")
	kinds := c.Flags().StringSlice("kind", nil, "joiner, mover, leaver, returned, several with commas; empty: all")
	only := c.Flags().Bool("exceptions", false, "only rows with an exception")
	format, lang := documentFlags(c, "csv", "csv, json or html")
	for _, name := range []string{"from", "to"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // it is declared above
		}
	}
	return download(c, func(context.Context, *client, []string) (string, error) {
		query := url.Values{"from": {*from}, "to": {*to}, "format": {*format}, "lang": {*lang}}
		if len(*kinds) > 0 {
			query.Set("kind", strings.Join(*kinds, ","))
		}
		if *only {
			query.Set("exceptions", "true")
		}
		return "/api/v1/evidence/period?" + query.Encode(), nil
	})
}

func documentFlags(c *cobra.Command, usual, forms string) (format, lang *string) {
	return c.Flags().String("format", usual, forms), c.Flags().String("lang", "en", "of a page: en or zh-CN")
}

func evidenceVerifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "verify FILE", Short: "Hold a signed document against its signature, and the records it cites against the root of the audit log", Args: cobra.ExactArgs(1)}
	c.Long = c.Short + "\n\nIt asks nobody: the document and the key are enough. `rollcall audit verify --size SIZE --root ROOT` then holds the log itself against the document."
	key := c.Flags().String("key", "", "the public key, or a file of it, as rollcall evidence keys printed it; without it only that the document is whole is known")
	c.RunE = func(c *cobra.Command, args []string) error {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		var public ed25519.PublicKey
		if *key != "" {
			given := *key
			if file, err := os.ReadFile(given); err == nil {
				given = string(file)
			}
			if public, err = evidence.ParseKey(given); err != nil {
				return err
			}
		}
		v, err := evidence.Verify(text, public)
		if errors.Is(err, evidence.ErrSignature) || errors.Is(err, audit.ErrBroken) {
			return fmt.Errorf("%s is not what was signed: %w", args[0], err)
		}
		if err != nil {
			return err
		}
		return write(c, v, func(w io.Writer) {
			fmt.Fprintf(w, "%s is whole: %s, made at %s, key %s\n", args[0], v.Kind, v.MadeAt.Format(time.RFC3339), v.Fingerprint)
			if !v.Given {
				fmt.Fprintln(w, "the key is the document's own word: give --key to know whose it is")
			}
			fmt.Fprintf(w, "it cites %d records of the audit log; hold the log against it with: rollcall audit verify --size %d --root %s\n", v.Records, v.Size, v.Root)
		})
	}
	return c
}

type evidenceKeys struct {
	Items []struct {
		ID          string     `json:"id"`
		Public      string     `json:"public"`
		Fingerprint string     `json:"fingerprint"`
		CreatedAt   string     `json:"created_at"`
		RetiredAt   *time.Time `json:"retired_at,omitempty"`
	} `json:"items"`
}

func evidenceKeysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "The public keys that evidence is signed with, the newest first", Args: cobra.NoArgs}
	rotate := c.Flags().Bool("rotate", false, "make a new one")
	return remote(c, func(w io.Writer, keys evidenceKeys) {
		for _, k := range keys.Items {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Public, k.Fingerprint, k.CreatedAt, map[bool]string{true: "signs", false: "retired"}[k.RetiredAt == nil])
		}
	}, func(c *cobra.Command, api *client, _ []string) (evidenceKeys, error) {
		var keys evidenceKeys
		if *rotate {
			return keys, api.do(c.Context(), "POST", "/api/v1/evidence/keys", nil, &keys)
		}
		return keys, api.do(c.Context(), "GET", "/api/v1/evidence/keys", nil, &keys)
	})
}
