package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/provisioning/evidence"
)

type terms struct {
	Version  int       `json:"version"`
	SHA256   string    `json:"sha256"`
	MadeAt   time.Time `json:"made_at"`
	Accepted int       `json:"accepted"`
	Asked    int       `json:"asked,omitempty"`
}

func (t terms) row(w io.Writer) {
	fmt.Fprintf(w, "%d\t%s\t%s\taccepted by %d\n", t.Version, t.MadeAt.Format(time.RFC3339), t.SHA256, t.Accepted)
	if t.Asked > 0 {
		fmt.Fprintf(w, "%d guests have to accept it before they see anything more\n", t.Asked)
	}
}

type acceptance struct {
	Version  int       `json:"version"`
	Guest    string    `json:"guest"`
	Name     string    `json:"name"`
	Company  string    `json:"company"`
	Language string    `json:"language"`
	Address  string    `json:"address"`
	At       time.Time `json:"at"`
}

func termsCommand() *cobra.Command {
	command := &cobra.Command{Use: "terms", Short: "What guests have to accept before they see anything"}
	publish := &cobra.Command{Use: "publish", Short: "Have every guest accept a new version, those who are in too", Args: cobra.NoArgs}
	en, zh := publish.Flags().String("en", "", "a file with the text in English"), publish.Flags().String("zh", "", "a file with the text in Chinese")
	command.AddCommand(remote(publish, func(w io.Writer, t terms) { t.row(w) }, func(c *cobra.Command, api *client, _ []string) (out terms, err error) {
		body := map[string]string{}
		for language, path := range map[string]string{"en": *en, "zh": *zh} {
			if path == "" {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return out, err
			}
			body[language] = string(text)
		}
		return out, api.do(c.Context(), "POST", "/api/v1/guest-terms", body, &out)
	}), remote(&cobra.Command{Use: "list", Short: "Every version, the newest first", Args: cobra.NoArgs}, func(w io.Writer, l listOf[terms]) {
		for _, t := range l.Items {
			t.row(w)
		}
	}, func(c *cobra.Command, api *client, _ []string) (listOf[terms], error) {
		var l listOf[terms]
		return l, api.do(c.Context(), "GET", "/api/v1/guest-terms", nil, &l)
	}), remote(&cobra.Command{Use: "accepted", Short: "Who accepted what, as CSV", Args: cobra.NoArgs}, func(w io.Writer, list []acceptance) {
		to := csv.NewWriter(w)
		_ = to.Write([]string{"version", "guest", "name", "company", "language", "address", "at"})
		for _, a := range list {
			_ = to.Write(evidence.Cells(strconv.Itoa(a.Version), a.Guest, a.Name, a.Company, a.Language, a.Address, a.At.Format(time.RFC3339)))
		}
		to.Flush()
	}, func(c *cobra.Command, api *client, _ []string) (all []acceptance, err error) {
		all = []acceptance{}
		for query := (url.Values{"limit": {"200"}}); ; {
			var page listOf[acceptance]
			if err := api.do(c.Context(), "GET", "/api/v1/guest-terms/acceptances?"+query.Encode(), nil, &page); err != nil {
				return nil, err
			}
			all = append(all, page.Items...)
			if page.Next == "" {
				return all, nil
			}
			query.Set("cursor", page.Next)
		}
	}))
	return command
}
