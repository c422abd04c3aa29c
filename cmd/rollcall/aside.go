package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

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
