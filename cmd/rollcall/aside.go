package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// wireDoubt ties what followers set aside to access: whom it is about is denied everything where the follower decides about that.
func (a *app) wireDoubt() {
	a.feed.Person = personOf
	a.feed.Doubt = func(tx *db.Tx, d feed.Doubt) error {
		turn, action := a.access.Trust, "event.handled"
		if d.Begins {
			turn, action = a.access.Doubt, "event.set_aside"
		}
		if d.Closes {
			if err := turn(tx, id.Person(d.Person)); err != nil {
				return err
			}
		}
		public := map[string]any{"follower": d.Follower, "kind": d.Kind, "denies": d.Closes}
		if d.Person != "" && d.Person != d.Subject {
			public["person"] = d.Person
		}
		return audit.Append(tx, audit.Record{Actor: "system", Action: action, Subject: d.Subject, Public: public})
	}
}

// personOf answers whom an event is about.
func personOf(e feed.Event) string {
	if strings.HasPrefix(e.Kind, "person.") {
		return e.Subject
	}
	var of struct{ Person string }
	if json.Unmarshal(e.Data, &of) != nil {
		return ""
	}
	return of.Person
}

// AsideOutput is what waits to be tried again.
type AsideOutput struct {
	Body struct {
		Items []feed.SetAside `json:"items" nullable:"false"`
	}
}

// Aside answers what followers could not handle.
func (o *operations) Aside(ctx context.Context, _ *struct{}) (*AsideOutput, error) {
	out := &AsideOutput{}
	var err error
	out.Body.Items, err = o.app.feed.Aside(ctx)
	return out, err
}

// RetryInput names what was set aside.
type RetryInput struct {
	Follower string `path:"follower"`
	Subject  string `path:"subject"`
}

// Retry has it tried again now.
func (o *operations) Retry(ctx context.Context, in *RetryInput) (*struct{}, error) {
	found, err := o.app.feed.RetryNow(ctx, in.Follower, in.Subject)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, httpapi.NewProblem(http.StatusNotFound, "not_found", "nothing of this is set aside")
	}
	return nil, nil
}

// setAside tells how much each follower could not handle, when it is asked.
type setAside struct{ app *app }

func (setAside) descs() (subjects, denied *prometheus.Desc) {
	return prometheus.NewDesc("rollcall_set_aside", "Subjects of which a follower of the feed could not handle an event; they are tried again.", []string{"follower"}, nil),
		prometheus.NewDesc("rollcall_set_aside_denied", "People who are denied everything because of that.", nil, nil)
}

// Describe implements prometheus.Collector.
func (s setAside) Describe(out chan<- *prometheus.Desc) {
	subjects, denied := s.descs()
	out <- subjects
	out <- denied
}

// Collect implements prometheus.Collector.
func (s setAside) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	subjects, denied := s.descs()
	list, err := s.app.feed.Aside(ctx)
	lags, other := s.app.feed.Lags(ctx)
	if err = errors.Join(err, other); err != nil {
		out <- prometheus.NewInvalidMetric(subjects, err)
		return
	}
	of, people := map[string]int{}, map[string]bool{}
	for _, l := range lags {
		of[l.Follower] = 0
	}
	for _, one := range list {
		if of[one.Follower]++; one.Closed {
			people[one.Person] = true
		}
	}
	for follower, n := range of {
		out <- prometheus.MustNewConstMetric(subjects, prometheus.GaugeValue, float64(n), follower)
	}
	out <- prometheus.MustNewConstMetric(denied, prometheus.GaugeValue, float64(len(people)))
}
