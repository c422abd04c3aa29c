package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/provisioning/evidence"
	"github.com/rollcall-im/rollcall/provisioning/reviews"
)

// wireReviews ties access reviews to who is asked and what is taken.
func (a *app) wireReviews() {
	a.reviews = &reviews.Engine{DB: a.db, Directory: a.people, Reactor: a.access, Admins: a.administrators, Evidence: a.evidence(), Least: a.cfg.Reviews.Least, Names: a.called, Log: a.log}
}

type review struct {
	ID       string     `json:"id"`
	About    string     `json:"about"`
	Ref      string     `json:"ref,omitempty"`
	Reviewer string     `json:"reviewer"`
	Named    string     `json:"named,omitempty"`
	MadeBy   string     `json:"made_by,omitempty"`
	Silence  string     `json:"silence"`
	Until    time.Time  `json:"until"`
	EndsAt   time.Time  `json:"ends_at"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
}

// begunReview is a review with what it names is called.
type begunReview struct {
	review
	Names evidence.Names `json:"names"`
}

// calledIn answers what an id is called in English, or in no language; the id where that is not known.
func calledIn(names evidence.Names, id string) string {
	return cmp.Or(names[id]["en"], names[id][""], names[id]["zh"], id)
}

func (r review) row(w io.Writer, names evidence.Names) {
	state := "open until " + r.EndsAt.Format(time.RFC3339)
	if r.ClosedAt != nil {
		state = "closed " + r.ClosedAt.Format(time.RFC3339)
	}
	by := r.Reviewer
	if r.Named != "" {
		by = calledIn(names, r.Named)
	}
	fmt.Fprintf(w, "%s\t%s\tby %s\tsilence: %s\t%s\t%s\n", r.ID, strings.TrimSpace(r.About+" "+calledIn(names, r.Ref)), by, r.Silence, state, "begun by "+calledIn(names, r.MadeBy))
}

type reviewRecord struct {
	Review review `json:"review"`
	Lines  []struct {
		Person  string `json:"person"`
		Name    string `json:"name"`
		Group   string `json:"group"`
		Role    string `json:"role"`
		Grounds []struct {
			Text struct {
				EN string `json:"en"`
			} `json:"text"`
		} `json:"grounds"`
		OnSilence    string `json:"on_silence"`
		ReviewerName string `json:"reviewer_name,omitempty"`
		Decision     string `json:"decision,omitempty"`
		Outcome      string `json:"outcome,omitempty"`
	} `json:"lines"`
	Added []struct {
		Person string `json:"person"`
		Name   string `json:"name"`
		Group  string `json:"group"`
		Role   string `json:"role"`
		Since  string `json:"since"`
	} `json:"added"`
	Counts map[string]int `json:"counts"`
	Names  evidence.Names `json:"names"`
}

func reviewCommand() *cobra.Command {
	command := &cobra.Command{Use: "review", Short: "Access reviews: who still needs a place"}
	command.AddCommand(remote(&cobra.Command{Use: "list", Short: "Every review, the newest first", Args: cobra.NoArgs}, func(w io.Writer, l reviewList) {
		for _, r := range l.Items {
			r.row(w, l.Names)
		}
	}, func(c *cobra.Command, api *client, _ []string) (reviewList, error) {
		var l reviewList
		return l, api.do(c.Context(), "GET", "/api/v1/reviews", nil, &l)
	}), beginReviewCommand(), remote(&cobra.Command{Use: "show REVIEW", Short: "Its places, and what was said about them", Args: cobra.ExactArgs(1)}, func(w io.Writer, r reviewRecord) {
		r.Review.row(w, r.Names)
		for _, l := range r.Lines {
			var why []string
			for _, g := range l.Grounds {
				why = append(why, g.Text.EN)
			}
			said := cmp.Or(l.Outcome, l.Decision, "no answer: "+l.OnSilence)
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(l.Name, l.Person), calledIn(r.Names, l.Group), l.Role, cmp.Or(l.ReviewerName, "administrators"), said, strings.Join(why, "; "))
		}
		for _, a := range r.Added {
			fmt.Fprintf(w, "%s\t%s\t%s\t\tcame since it began\t%s\n", cmp.Or(a.Name, a.Person), calledIn(r.Names, a.Group), a.Role, a.Since)
		}
		fmt.Fprintf(w, "%d places came since it began\n", len(r.Added))
	}, func(c *cobra.Command, api *client, args []string) (reviewRecord, error) {
		var r reviewRecord
		return r, api.do(c.Context(), "GET", "/api/v1/reviews/"+url.PathEscape(args[0]), nil, &r)
	}))
	evidence := &cobra.Command{Use: "evidence REVIEW", Short: "The evidence of a review: signed JSON, CSV or a page for printing", Args: cobra.ExactArgs(1)}
	format, lang := documentFlags(evidence, "json", "json (signed), csv or html")
	command.AddCommand(download(evidence, func(_ context.Context, _ *client, args []string) (string, error) {
		return "/api/v1/reviews/" + url.PathEscape(args[0]) + "/evidence?" + url.Values{"format": {*format}, "lang": {*lang}}.Encode(), nil
	}))
	return command
}

type reviewList struct {
	listOf[review]
	Names evidence.Names `json:"names"`
}

func beginReviewCommand() *cobra.Command {
	c := &cobra.Command{Use: "begin", Short: "Begin a review: its population is that of this moment", Args: cobra.NoArgs}
	f := c.Flags()
	about := f.String("about", "group", "group, channel, reason (grant, join, approval, keep) or outside (everybody from outside)")
	ref := f.String("ref", "", "the group or the channel, by key, name or id, or the kind of reason")
	reviewer := f.String("reviewer", "owner", "owner (of the project group), manager (of the person) or person")
	named := f.String("named", "", "the person who reviews, by user name, e-mail address, employee number or id")
	silence := f.String("silence", "remove", "what no answer means: remove or keep")
	days := f.Int("days", 14, "within how many days reviewers are to answer")
	grace := f.Int("grace", 7, "how many days after that silence is an answer, and everything takes effect")
	return remote(c, func(w io.Writer, r begunReview) { r.row(w, r.Names) }, func(c *cobra.Command, api *client, _ []string) (begunReview, error) {
		switch {
		case *days < 1:
			return begunReview{}, fmt.Errorf("--days wants a number from 1, not %d: within so many days reviewers answer", *days)
		case *grace < 0:
			return begunReview{}, fmt.Errorf("--grace wants a number from 0, not %d: so many days after --days silence is an answer", *grace)
		case *days+*grace > reviews.MostDays:
			return begunReview{}, fmt.Errorf("--days and --grace are %d days together: a review ends within %d", *days+*grace, reviews.MostDays)
		}
		until := time.Now().AddDate(0, 0, *days).UTC().Truncate(time.Second)
		body := map[string]any{"about": *about, "ref": *ref, "reviewer": *reviewer, "silence": *silence, "until": until, "ends_at": until.AddDate(0, 0, *grace)}
		var r begunReview
		var err error
		switch *about {
		case "group":
			body["ref"], err = groupNamed(c.Context(), api, *ref)
		case "channel":
			body["ref"], err = channelNamed(c.Context(), api, *ref)
		}
		if err == nil && *named != "" {
			body["named"], err = personNamed(c.Context(), api, *named)
		}
		if err != nil {
			return r, err
		}
		return r, flagged(api.do(c.Context(), "POST", "/api/v1/reviews", body, &r), map[string]string{"until": "days", "ends_at": "grace", "about": "about", "ref": "ref", "reviewer": "reviewer", "named": "named", "silence": "silence"})
	})
}

// Reviews is the part of the configuration about access reviews.
type Reviews struct {
	Least time.Duration `koanf:"least"` // how long reviewers have at least before silence is an answer
}

func (r Reviews) check(bad func(key, format string, args ...any)) {
	if r.Least <= 0 || r.Least > reviews.MostLeast {
		bad("reviews.least", "wants a duration above 0s, at most %.0fh (90 days), not %s: a review ends within 400 days, and reviewers answer before; 24h is usual", reviews.MostLeast.Hours(), r.Least)
	}
}
