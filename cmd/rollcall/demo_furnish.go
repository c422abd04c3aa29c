package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/cmd/rollcall/demo"
	"github.com/rollcall-im/rollcall/cmd/rollcall/idp"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
)

// furnish fills an empty database: the policy first, then the company over real SCIM and LDAP, an administrator,
// some talk. A database that was furnished before only gets a new source token.
func (d *demoServer) furnish(ctx context.Context, cfg Config, hr net.Listener) error {
	cause := directory.Cause{Actor: "system", Reason: "demo"}
	// The administrator is appointed last: where there is none, an earlier start was interrupted, and
	// what it did is done again.
	appointed, err := d.app.door.Admins(ctx)
	if err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	fresh := len(appointed) == 0
	source, err := d.app.people.SourceByName(ctx, hrSource)
	if errors.Is(err, directory.ErrNotFound) {
		source, err = d.app.people.CreateSource(ctx, cause, directory.Source{Name: hrSource, Kind: directory.KindSCIM, Priority: 10})
	}
	if err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if d.ready.SCIMToken, err = d.sourceToken(ctx, cause, source.ID); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if fresh {
		if _, err := d.app.people.Apply(ctx, cause, hrUnits(source.ID)...); err != nil {
			return fmt.Errorf("furnish the demo: %w", err)
		}
		if _, err := d.app.access.SetPolicy(ctx, cause, []provisioning.File{{Name: "aurora.yaml", Source: string(demo.Policy())}}); err != nil {
			return fmt.Errorf("furnish the demo: %w", err)
		}
		push := &idp.SCIM{URL: d.ready.SCIMURL, Token: d.ready.SCIMToken}
		if _, err := push.Push(ctx, d.hrPeople(), nil); err != nil {
			return fmt.Errorf("furnish the demo: %w", err)
		}
	}
	if err := d.serveHR(ctx, cfg, hr); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if !fresh {
		return d.hr.Recover(ctx)
	}
	if _, err := d.app.ldap[ldapSource].Sync(ctx); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if err := d.talk(ctx); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if err := d.letIn(ctx, cause); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	if err := d.appoint(ctx); err != nil {
		return fmt.Errorf("furnish the demo: %w", err)
	}
	return nil
}

// hrUnits are the units of the company with their names in both languages; SCIM itself carries one name only.
func hrUnits(source id.Source) []directory.Change {
	var out []directory.Change
	keys := map[string]string{}
	for _, u := range demo.Units() {
		if u.Plant() {
			continue // the LDAP directory's
		}
		parent := keys[u.Parent]
		keys[u.Key] = strings.TrimPrefix(parent+"/"+u.English, "/")
		out = append(out, directory.PutUnit{Unit: directory.Unit{Source: source, Key: keys[u.Key], Name: u.English,
			Names: map[string]string{"en": u.English, "zh": u.Chinese}}, ParentKey: parent})
	}
	return out
}

// sourceToken makes a token for the HR page; the oldest goes where two are live already.
func (d *demoServer) sourceToken(ctx context.Context, cause directory.Cause, source id.Source) (string, error) {
	secret, _, err := d.app.people.IssueSourceToken(ctx, cause, source, "hr page", time.Time{})
	if !errors.Is(err, directory.ErrTokens) {
		return secret, err
	}
	tokens, err := d.app.people.SourceTokens(ctx, source)
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		if t.RevokedAt.IsZero() {
			if err := d.app.people.RevokeSourceToken(ctx, cause, source, t.ID); err != nil {
				return "", err
			}
			break
		}
	}
	secret, _, err = d.app.people.IssueSourceToken(ctx, cause, source, "hr page", time.Time{})
	return secret, err
}

// find answers the person of an employee number.
func (d *demoServer) find(ctx context.Context, number string) (id.Person, error) {
	return d.app.resolve(ctx, session.Claims{All: map[string]any{"sub": number}})
}

func (d *demoServer) appoint(ctx context.Context) error {
	boss, err := d.find(ctx, d.boss().Number)
	if err != nil {
		return err
	}
	return d.app.door.GrantAdmin(ctx, httpapi.Caller{Token: session.BootstrapToken, Grants: roles.Everything(), Stepped: true}, boss, roles.Grant{Role: roles.Owner})
}

// talk writes a few messages, so that nobody meets an empty room.
func (d *demoServer) talk(ctx context.Context) error {
	groups, err := d.app.access.Groups(ctx)
	if err != nil {
		return err
	}
	for i, line := range demo.Talk() {
		for _, g := range groups {
			for _, c := range g.Channels {
				if g.Key+"/"+c.Key != line.Channel {
					continue
				}
				author, err := d.speaker(ctx, line)
				if err != nil {
					return err
				}
				draft := chat.Draft{Channel: c.ID, ClientID: fmt.Sprint("demo-", i), Kind: line.Kind, Language: line.Language, Text: line.Text}
				if _, _, err := d.app.chat.Post(ctx, author, draft); err != nil {
					return fmt.Errorf("talk in %s: %w", line.Channel, err)
				}
			}
		}
	}
	return nil
}

// speaker finds the nth person of a department.
func (d *demoServer) speaker(ctx context.Context, line demo.Line) (id.Person, error) {
	n := line.Speaker
	for _, e := range d.company {
		if e.Department != line.Department {
			continue
		}
		if n == 0 {
			return d.find(ctx, e.Number)
		}
		n--
	}
	return "", fmt.Errorf("nobody speaks in %s", line.Department)
}
