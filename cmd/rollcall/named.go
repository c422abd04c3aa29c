package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// What commands are about can be said as people say it: somebody by user name, e-mail address, employee number or display name, a group or a channel by key or name. Where that is not one thing, a command
// does nothing and lists which there are.

// candidate is something that a word may mean.
type candidate struct{ id, called string }

// one answers the only candidate; what says what was looked for.
func one(what, word string, found []candidate) (string, error) {
	slices.SortFunc(found, func(a, b candidate) int { return strings.Compare(a.id, b.id) })
	found = slices.Compact(found)
	if len(found) == 1 {
		return found[0].id, nil
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no %s is known as %q", what, word)
	}
	text := fmt.Sprintf("%q may mean %d of them; say which, by the id:", word, len(found))
	for _, c := range found {
		text += "\n  " + c.id + "  " + c.called
	}
	return "", fmt.Errorf("%s", text)
}

// personNamed answers the id of a person: an id itself, or of the one person with a user name, an e-mail address or an employee number, in whatever case; where there is
// none, of the one who is called so.
func personNamed(ctx context.Context, api *client, word string) (string, error) {
	if strings.HasPrefix(word, "per_") {
		return word, nil
	}
	var found, called []candidate
	path := "/api/v1/people?" + url.Values{"limit": {"200"}, "q": {word}}.Encode()
	for cursor := ""; ; {
		var page listOf[struct {
			ID             string `json:"id"`
			DisplayName    string `json:"display_name"`
			UserName       string `json:"user_name"`
			Email          string `json:"email"`
			EmployeeNumber string `json:"employee_number"`
		}]
		if err := api.do(ctx, "GET", path+cursor, nil, &page); err != nil {
			return "", err
		}
		for _, p := range page.Items {
			is := candidate{p.ID, strings.Join([]string{p.DisplayName, p.UserName, p.Email, p.EmployeeNumber}, "  ")}
			if slices.ContainsFunc([]string{p.UserName, p.Email, p.EmployeeNumber}, func(name string) bool { return strings.EqualFold(name, word) }) {
				found = append(found, is)
			} else if strings.EqualFold(p.DisplayName, word) {
				called = append(called, is)
			}
		}
		if page.Next == "" && len(found) == 0 { // what a source keeps apart comes before what people are called
			return one("person", word, called)
		}
		if page.Next == "" {
			return one("person", word, found)
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// namedGroup is a project group with its channels, as a list of groups has them.
type namedGroup struct {
	ID       string            `json:"id"`
	Key      string            `json:"key"`
	Name     map[string]string `json:"name"`
	Channels []struct {
		ID   string            `json:"id"`
		Key  string            `json:"key"`
		Name map[string]string `json:"name"`
	} `json:"channels"`
}

func groupsNamed(ctx context.Context, api *client) ([]namedGroup, error) {
	var all []namedGroup
	for cursor := ""; ; {
		var page listOf[namedGroup]
		if err := api.do(ctx, "GET", "/api/v1/groups?limit=200"+cursor, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// says tells whether a key, or a name in any language, is word.
func says(word, key string, names map[string]string) bool {
	if strings.EqualFold(key, word) {
		return true
	}
	for _, name := range names {
		if strings.EqualFold(name, word) {
			return true
		}
	}
	return false
}

// groupNamed answers the id of a project group: an id itself, or of the one group with a key or a name.
func groupNamed(ctx context.Context, api *client, word string) (string, error) {
	if strings.HasPrefix(word, "grp_") {
		return word, nil
	}
	groups, err := groupsNamed(ctx, api)
	if err != nil {
		return "", err
	}
	var found []candidate
	for _, g := range groups {
		if says(word, g.Key, g.Name) {
			found = append(found, candidate{g.ID, g.Key})
		}
	}
	return one("group", word, found)
}

// channelNamed answers the id of a channel: an id itself, or of the one channel with a key or a name, alone or after that of its group: "apollo/general".
func channelNamed(ctx context.Context, api *client, word string) (string, error) {
	if strings.HasPrefix(word, "chn_") {
		return word, nil
	}
	groups, err := groupsNamed(ctx, api)
	if err != nil {
		return "", err
	}
	of, key, both := strings.Cut(word, "/")
	var found []candidate
	for _, g := range groups {
		for _, c := range g.Channels {
			if says(word, c.Key, c.Name) || both && says(of, g.Key, g.Name) && says(key, c.Key, c.Name) {
				found = append(found, candidate{c.ID, g.Key + "/" + c.Key})
			}
		}
	}
	return one("channel", word, found)
}
