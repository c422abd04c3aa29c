package main

import (
	"context"
	"errors"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
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
		}
	}
	names, err := a.people.Names(ctx, people)
	for person, name := range names {
		out[string(person)] = map[string]string{"": name}
	}
	return out, err
}
