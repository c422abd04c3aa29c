package guests

import (
	"archive/zip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// Message is one message of a channel that is archived.
type Message struct {
	ID       id.Message `json:"id"`
	Seq      int64      `json:"seq"`
	At       time.Time  `json:"at"`
	Author   id.Person  `json:"author"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Language string     `json:"language,omitempty"`
	Text     string     `json:"text"`
	Erased   bool       `json:"erased,omitempty"`
}

//go:embed archive.html
var archiveHTML string

// Archive is the archive of a closed project group as one of those who owned it may have it.
type Archive struct {
	Closing  Closing
	Group    provisioning.Group
	engine   *Engine
	channels []archived
}

type archived struct {
	channel provisioning.Channel
	from    time.Time
}

// Name is what the file is called.
func (a *Archive) Name() string {
	return a.Group.Key + "-" + a.Closing.At.UTC().Format("20060102") + ".zip"
}

// Stands tells whether who was given the archive may still have it.
func (a *Archive) Stands() bool { return a.engine.clock().Before(a.Closing.Until()) }

// Archive opens the archive of a closed project group for one of those who owned it when it was closed, and notes in the audit log that they fetch it. It holds what they could read then and nothing
// more: the messages of a channel from when on they saw them. ErrNotFound for anybody else, after 30 days, and where it was opened again.
func (e *Engine) Archive(ctx context.Context, cause directory.Cause, person id.Person, closing id.Closing) (*Archive, error) {
	c, err := e.owned(ctx, person, func(c Closing) bool { return c.ID == closing })
	if err != nil {
		return nil, err
	}
	a := &Archive{Closing: c, engine: e}
	if a.Group, err = e.Reactor.Group(ctx, c.Group); err != nil {
		return nil, err
	}
	var rows []closingReadRow
	if err := e.DB.Read(ctx).Raw("select * from project_closing_reads where closing = ? and person = ? order by channel", closing, person).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read closing: %w", err)
	}
	for _, row := range rows {
		channel, err := e.Reactor.Channel(ctx, row.Channel)
		if err != nil {
			return nil, err
		}
		a.channels = append(a.channels, archived{channel, row.FromAt.Time})
	}
	return a, e.DB.Tx(ctx, func(tx *db.Tx) error {
		return audit.Append(tx, e.record(cause, "project.archive_fetched", string(c.Group), map[string]any{"closing": string(c.ID), "channels": len(a.channels)}))
	})
}

// channelPage is what the page of a channel says.
type channelPage struct {
	Group, Channel map[string]string
	Messages       <-chan Message
}

// Write writes the archive as a zip file: one file of JSON lines (messages, memberships, grants, audit records) each, and pages for people to read. Nothing in it runs, or loads anything.
func (a *Archive) Write(ctx context.Context, w io.Writer) error {
	z := zip.NewWriter(w)
	pages, err := template.New("").Funcs(template.FuncMap{"called": called, "moment": moment}).Parse(archiveHTML)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	members, err := a.engine.Reactor.Attendances(ctx, a.Group.ID)
	if err != nil {
		return err
	}
	invitations, err := a.grants(ctx)
	if err != nil {
		return err
	}
	records, err := a.records(ctx, invitations)
	if err != nil {
		return err
	}
	type channel struct {
		Key, File string
		Names     map[string]string
		Labels    []string
		From      time.Time `json:",omitzero"`
		Messages  int
	}
	list := []channel{}
	for _, c := range a.channels {
		n, err := a.messages(ctx, z, c)
		if err != nil {
			return err
		}
		list = append(list, channel{c.channel.Key, "channels/" + c.channel.Key + ".html", c.channel.Names, c.channel.Labels, c.from, n})
		if err := a.page(ctx, z, pages, c); err != nil {
			return err
		}
	}
	head := map[string]any{"format": "rollcall/project-archive/1", "group": a.Group.ID, "key": a.Group.Key, "names": a.Group.Names, "closing": a.Closing.ID, "plan": a.Closing.Plan, "closed_at": a.Closing.At, "closed_by": a.Closing.MadeBy}
	for _, step := range []error{lines(z, "project.jsonl", []any{head}), lines(z, "memberships.jsonl", members), lines(z, "grants.jsonl", invitations), lines(z, "audit.jsonl", records)} {
		if step != nil {
			return step
		}
	}
	index, err := z.Create("index.html")
	if err == nil {
		err = pages.ExecuteTemplate(index, "index", map[string]any{"Group": a.Group, "Closing": a.Closing, "Channels": list, "Members": members, "Grants": invitations, "Records": len(records)})
	}
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return z.Close()
}

// messages writes the messages of one channel as JSON lines, and answers how many there are.
func (a *Archive) messages(ctx context.Context, z *zip.Writer, c archived) (n int, err error) {
	file, err := z.Create("messages/" + c.channel.Key + ".jsonl")
	if err != nil {
		return 0, fmt.Errorf("write archive: %w", err)
	}
	out := json.NewEncoder(file)
	return n, a.engine.Messages(ctx, c.channel.ID, c.from, func(m Message) error {
		n++
		return out.Encode(m)
	})
}

// page writes the messages of one channel for people to read.
func (a *Archive) page(ctx context.Context, z *zip.Writer, pages *template.Template, c archived) error {
	file, err := z.Create("channels/" + c.channel.Key + ".html")
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	messages, failed := make(chan Message), make(chan error, 1)
	go func() {
		defer close(messages)
		failed <- a.engine.Messages(ctx, c.channel.ID, c.from, func(m Message) error {
			select {
			case messages <- m:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	if err := pages.ExecuteTemplate(file, "channel", channelPage{a.Group.Names, c.channel.Names, messages}); err != nil {
		stop()
		<-failed
		return fmt.Errorf("write archive: %w", err)
	}
	return <-failed
}

// grant is one invitation of a guest, as the archive says it.
type grant struct {
	Invitation id.Invitation `json:"invitation"`
	Guest      id.Guest      `json:"guest"`
	Name       string        `json:"name"`
	Company    string        `json:"company"`
	Channels   []string      `json:"channels"`
	Sponsor    id.Person     `json:"sponsor"`
	SponsorBy  string        `json:"sponsor_name"`
	Reason     string        `json:"reason"`
	Until      time.Time     `json:"until"`
	BoundBy    Bound         `json:"bound_by"`
	State      string        `json:"state"`
	AskedAt    time.Time     `json:"asked_at"`
}

func (a *Archive) grants(ctx context.Context) ([]grant, error) {
	list, err := invitations(a.engine.DB.Read(ctx), "group_id = ? order by asked_at, id", a.Group.ID)
	if err != nil {
		return nil, err
	}
	ids, sponsors := []id.Guest{}, []id.Person{}
	for _, i := range list {
		ids, sponsors = append(ids, i.Guest), append(sponsors, i.Sponsor)
	}
	slices.Sort(ids)
	known, err := a.engine.byID(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	of, err := a.engine.companiesOf(ctx)
	if err != nil {
		return nil, err
	}
	names, err := a.engine.Directory.Names(ctx, sponsors)
	out := make([]grant, len(list))
	for n, i := range list {
		out[n] = grant{i.ID, i.Guest, i.Name, of[known[i.Guest].Company].Key, i.Channels, i.Sponsor, names[i.Sponsor], i.Reason, i.Until, i.BoundBy, i.State, i.AskedAt}
	}
	return out, err
}

// record is one record of the audit log, without what is personal in it.
type record struct {
	Seq     int64          `json:"seq"`
	At      time.Time      `json:"at"`
	Actor   string         `json:"actor"`
	Action  string         `json:"action"`
	Subject string         `json:"subject"`
	Public  map[string]any `json:"public,omitempty"`
}

// records answers what the audit log says of the project group, of the plan that closed it, and of guests in it.
func (a *Archive) records(ctx context.Context, grants []grant) ([]record, error) {
	subjects := []string{string(a.Group.ID), string(a.Closing.Plan)}
	for _, g := range grants {
		subjects = append(subjects, string(g.Guest))
	}
	slices.Sort(subjects)
	out := []record{}
	for _, subject := range slices.Compact(subjects) {
		list, err := audit.List(ctx, a.engine.DB, audit.Filter{Subject: subject})
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if guest := subject != string(a.Group.ID) && subject != string(a.Closing.Plan); guest && r.Public["group"] != string(a.Group.ID) {
				continue // about a guest, of another project group
			}
			out = append(out, record{r.Seq, r.At, r.Actor, r.Action, r.Subject, r.Public})
		}
	}
	slices.SortFunc(out, func(x, y record) int { return int(x.Seq - y.Seq) })
	return out, nil
}

// lines writes one JSON value a line.
func lines[T any](z *zip.Writer, name string, list []T) error {
	file, err := z.Create(name)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	out := json.NewEncoder(file)
	for _, one := range list {
		if err := out.Encode(one); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	return nil
}

// called writes a name in both languages.
func called(names map[string]string) string {
	switch en, zh := names["en"], names["zh"]; {
	case en == "" || en == zh:
		return zh
	case zh == "":
		return en
	default:
		return en + " · " + zh
	}
}
