package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/guests"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// wireDoor ties sign-in to the directory: a subject is found by a claim, and whoever is frozen is nobody.
func (a *app) wireDoor(ctx context.Context) (err error) {
	o, admin := a.cfg.OIDC, a.cfg.Administration
	conduct, err := a.cfg.conduct()
	if err != nil {
		return err
	}
	a.door, err = session.New(session.Options{
		DB: a.db, Log: a.log, HTTPClient: a.way.Client(10 * time.Second), Standing: a.index, PublicURL: a.cfg.PublicURL,
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, AnyLogoutType: o.AnyLogoutType, Scopes: o.Scopes,
		Resolve: a.resolve, BootstrapToken: a.cfg.BootstrapToken,
		Companies: atCompanies{a}, Outsiders: a.access.Outsiders,
		Turned: func(w http.ResponseWriter, r *http.Request, person id.Person, c session.Claims) bool {
			return (&guests.Door{Engine: a.guests}).Turn(w, r, person, c)
		},
		Passwords: a.wirePasswords(), Conduct: conduct, Separation: admin.Separation, Key: a.cfg.key, Alarm: alarm,
		OnEnd:      func(s id.Session, _ id.Person) { a.ended(a.chat.EndSession(context.Background(), s)) },
		OnEndToken: func(t id.Token, _ id.Person) { a.ended(a.chat.EndToken(context.Background(), t)) },
		Spread:     a.spread(),
		Closed:     func() bool { return a.restored.Load() != nil },
	})
	if err == nil {
		err = a.door.CheckRestoring()
	}
	if err != nil {
		return err
	}
	a.access.Admins, a.access.TellPlan, a.access.TellMoved = a.door.AdminsTx, tellPlan, a.tellMoved
	a.access.MayApply = func(tx *db.Tx, person id.Person) (bool, error) {
		return a.door.HoldsTx(tx, person, roles.PoliciesApply)
	}
	if admin.Separation && a.restored.Load() == nil {
		return a.door.CheckSeparation(ctx)
	}
	return nil
}

// ended logs what failed after the streams of a session or token were cut: its tickets are left, and each is
// judged again when it is used.
func (a *app) ended(err error) {
	if err != nil {
		a.log.Error("stream tickets could not be dropped", "error", err)
	}
}

// resolve finds who a subject of the identity provider is: by the configured claim, never by an e-mail address.
func (a *app) resolve(ctx context.Context, claims session.Claims) (id.Person, error) {
	value, ok := claims.All[a.cfg.OIDC.Claim].(string)
	if !ok || value == "" {
		return "", fmt.Errorf("claim %s: %w", a.cfg.OIDC.Claim, session.ErrNoPerson)
	}
	sources, err := a.people.Sources(ctx)
	if err != nil {
		return "", err
	}
	found := map[id.Person]bool{}
	for _, source := range sources {
		if a.cfg.OIDC.Source != "" && source.Name != a.cfg.OIDC.Source {
			continue
		}
		page, err := a.people.FindRecords(ctx, directory.RecordQuery{Source: source.ID, Limit: 2, NoRaw: true,
			Where: directory.Compare{Column: directory.Column(a.cfg.OIDC.Match), Op: directory.Eq, Value: value}})
		if err != nil {
			return "", err
		}
		for _, record := range page.Records {
			if record.Person != "" { // else the source is in its dry run
				found[record.Person] = true
			}
		}
	}
	if len(found) != 1 { // nobody, or a value that does not tell people apart
		return "", session.ErrNoPerson
	}
	return slices.Collect(maps.Keys(found))[0], nil
}

func (a *app) profile(ctx context.Context, person id.Person) (session.Profile, error) {
	p, err := a.people.Person(ctx, person)
	if errors.Is(err, directory.ErrNotFound) {
		return session.Profile{}, session.ErrNoPerson
	}
	return session.Profile{ID: p.ID, DisplayName: p.DisplayName, UserName: p.UserName, Email: p.Email, Title: p.Title,
		Department: p.Department, Locale: p.Locale, TimeZone: p.TimeZone}, err
}

// wireChat ties messages to the gate. The order of those who are told of a loss: streams first, sessions after.
func (a *app) wireChat(ctx context.Context) error {
	a.chat = chat.New(chat.Config{
		DB: a.db, Feed: a.feed, Gate: a.index, Channels: channels{a.access}, People: names{a.people},
		Revision: a.tuples.Revision, Log: a.log, Bus: a.bus,
		Frozen: a.index.Frozen, Visible: a.index.Channels, Fresh: a.index.Fresh, Alive: a.door.Alive, Origins: []string{a.cfg.PublicURL},
	})
	a.index.Attach(a.door.Revoked)
	if err := a.door.Sweep(ctx); err != nil {
		return fmt.Errorf("sweep sessions: %w", err)
	}
	return a.chat.Start(ctx)
}

// channels shows provisioning's channels to chat.
type channels struct{ access *provisioning.Reactor }

func (c channels) Channel(ctx context.Context, channel id.Channel) (chat.ChannelInfo, error) {
	found, err := c.access.Channel(ctx, channel)
	if errors.Is(err, provisioning.ErrNotFound) {
		return chat.ChannelInfo{}, chat.ErrNotFound
	}
	if err != nil {
		return chat.ChannelInfo{}, err
	}
	group := provisioning.Group{}
	if found.Group != "" {
		if group, err = c.access.Group(ctx, found.Group); err != nil {
			return chat.ChannelInfo{}, err
		}
	}
	return channelInfo(found, group, ""), nil
}

func (c channels) Of(ctx context.Context, person id.Person) ([]chat.ChannelInfo, error) {
	places, err := c.access.ChannelsOf(ctx, person)
	out := make([]chat.ChannelInfo, len(places))
	for i, p := range places {
		out[i] = channelInfo(p.Channel, p.Group, string(p.Role))
		out[i].Until = p.Until
	}
	return out, err
}

func channelInfo(c provisioning.Channel, g provisioning.Group, role string) chat.ChannelInfo {
	return chat.ChannelInfo{ID: c.ID, Key: c.Key, Kind: string(c.Kind), Name: c.Names, Labels: c.Labels, Role: role,
		Group: chat.GroupInfo{ID: g.ID, Key: g.Key, Name: g.Names}}
}

// names shows the directory's people to chat.
type names struct{ people *directory.Store }

func (n names) Names(ctx context.Context, people []id.Person) (map[id.Person]chat.Profile, error) {
	found, err := n.people.Names(ctx, people)
	out := make(map[id.Person]chat.Profile, len(found))
	for person, name := range found {
		out[person] = chat.Profile{Name: name}
	}
	return out, err
}

// membershipFollower puts who came and who went into the channels' logs. It decides nothing: the index did before.
func (a *app) membershipFollower() feed.Follower {
	return feed.Follower{Name: "membership", Linger: 50 * time.Millisecond, HandleTx: func(_ context.Context, tx *db.Tx, events []feed.Event) error {
		var moves []chat.Move
		// The events were committed together with their authz revisions, so what is committed now includes them. It may not be in force here
		// yet: another node may have written it.
		rev, err := a.tuples.Revision(tx)
		if err != nil {
			return err
		}
		for _, e := range events {
			var m provisioning.MembershipEvent
			gained, lost := &m.Gained, &m.Lost
			switch e.Kind {
			case provisioning.EventMembershipAdded:
				gained = &m.Channels
			case provisioning.EventMembershipRemoved:
				lost = &m.Channels
			case provisioning.EventMembershipChanged:
			default:
				continue
			}
			if err := json.Unmarshal(e.Data, &m); err != nil {
				return err
			}
			for _, channel := range *lost {
				moves = append(moves, chat.Move{Channel: channel, Person: m.Person, Rev: rev})
			}
			for _, channel := range *gained {
				moves = append(moves, chat.Move{Channel: channel, Person: m.Person, Joined: true, Rev: rev})
			}
		}
		return a.chat.RecordMemberships(tx, moves)
	}}
}

// kindPlanDue is the notice to whoever stands behind a plan that was to be applied at an instant: about plan, state and, where it was refused, why.
const kindPlanDue notices.Kind = "plan.due"

func tellPlan(tx *db.Tx, person id.Person, s provisioning.Schedule) error {
	about := map[string]string{"plan": string(s.Plan), "state": string(s.State)}
	if s.Problem != "" {
		about["problem"] = s.Problem
	}
	return notices.Tell(tx, notices.Notice{Person: person, Kind: kindPlanDue, About: about, Key: string(s.Plan) + "/" + s.At.UTC().Format(time.RFC3339), At: s.EndedAt})
}
