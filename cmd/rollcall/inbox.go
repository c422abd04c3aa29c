package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/guests"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// inboxAPI is the side of notices that people see; names are those of the moment.
func (a *app) inboxAPI() *notices.API {
	return &notices.API{Store: &notices.Store{DB: a.db}, Names: a.called}
}

// called answers what people, sources, groups and channels are called, by language; "" stands for every language.
func (a *app) called(ctx context.Context, ids []string) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	var people []id.Person
	for _, one := range ids {
		switch kind, _, _ := strings.Cut(one, "_"); kind {
		case "per":
			people = append(people, id.Person(one))
		case "src":
			s, err := a.people.SourceByID(ctx, id.Source(one))
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return nil, err
			}
			out[one] = map[string]string{"": s.Name}
		case "grp":
			g, err := a.access.Group(ctx, id.Group(one))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				return nil, err
			}
			out[one] = g.Names
		case "chn":
			c, err := a.access.Channel(ctx, id.Channel(one))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				return nil, err
			}
			out[one] = c.Names
		case "pln":
			p, err := a.access.Plan(ctx, id.Plan(one))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				return nil, err
			}
			if err == nil {
				out[one] = dated("the plan of %s", "%s 的计划", p.CreatedAt)
			}
		case "ers", "lgh":
			person, err := a.erasure.About(ctx, one)
			if err != nil {
				return nil, err
			}
			names, err := a.people.Names(ctx, []id.Person{person})
			if err != nil {
				return nil, err
			}
			if name := names[person]; name != "" {
				out[one] = map[string]string{"": name}
			}
		case "inv":
			name, err := a.guests.Called(ctx, id.Invitation(one))
			if err != nil {
				return nil, err
			}
			if name != "" {
				out[one] = map[string]string{"": name}
			}
		case "gst":
			g, err := a.guests.Guest(ctx, id.Guest(one))
			if err != nil && !errors.Is(err, guests.ErrNotFound) {
				return nil, err
			}
			out[one] = map[string]string{"": g.Name}
		case "tok":
			if one == string(session.BootstrapToken) {
				out[one] = map[string]string{"en": "the token of the configuration", "zh": "配置文件中的令牌"}
			}
		case "hld":
			h, err := a.access.Hold(ctx, id.Hold(one))
			if err != nil && !errors.Is(err, provisioning.ErrNotFound) {
				return nil, err
			}
			if err == nil {
				out[one] = dated("the hold of %s", "%s 的暂缓", h.CreatedAt)
			}
		}
	}
	names, err := a.people.Names(ctx, people)
	for person, name := range names {
		out[string(person)] = map[string]string{"": name}
	}
	return out, err
}

// dated names something by when it was made: what it says is for who may look at it.
func dated(en, zh string, at time.Time) map[string]string {
	day := at.UTC().Format("2006-01-02 15:04 UTC")
	return map[string]string{"en": fmt.Sprintf(en, day), "zh": fmt.Sprintf(zh, day)}
}
