package evidence

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/handover"
)

// Store makes evidence of what others recorded. Its fields are set once.
type Store struct {
	DB        *db.DB
	Directory *directory.Store
	Reactor   *provisioning.Reactor
	Heirs     *handover.Engine
	Sessions  interface {
		EndedSince(ctx context.Context, person id.Person, since time.Time) ([]session.Ending, error)
	}
	// Accessed answers what was open to a person since an instant, and what is known of what they did.
	Accessed func(ctx context.Context, person id.Person, since time.Time) (Accessed, error)
	Fences   *Fences
	Keys     *Keys
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger
}

// Leaver is the record of one leaving of one person.
type Leaver struct {
	Person      Subject             `json:"person"`
	Leaving     Leaving             `json:"leaving"`
	Freezes     []Freeze            `json:"freezes"`
	Sessions    []Ended             `json:"sessions"`
	Tokens      []Ended             `json:"tokens"`
	Memberships []Place             `json:"memberships"`
	Handover    []Step              `json:"handover"`
	Accessed    *Accessed           `json:"accessed,omitempty"` // after an end that was entered late
	Undone      []Act               `json:"undone"`
	Acts        []Act               `json:"acts"` // what the audit log says, in its order; each is cited
	Limits      []string            `json:"limits"`
	subjects    map[string]struct{} // whose records of the audit log belong to it
}

// Subject is who left.
type Subject struct {
	ID             id.Person `json:"id"`
	DisplayName    string    `json:"display_name"`
	UserName       string    `json:"user_name,omitempty"`
	EmployeeNumber string    `json:"employee_number,omitempty"`
}

// The instants that a source's own instant is taken from.
const (
	SaidEnd       = "end_date"     // the end of the employment
	SaidEffective = "effective_at" // since when an immediate termination holds
	SaidCall      = "call"         // none was said: when the call, or the run of the source, arrived
)

// Leaving is how somebody left.
type Leaving struct {
	Cause      directory.FreezeCause `json:"cause"`
	Source     SourceRef             `json:"source,omitzero"` // none: the console
	Actor      string                `json:"actor,omitempty"`
	Request    id.Request            `json:"request,omitempty"`
	SourceAt   time.Time             `json:"source_at"`           // the instant that the source named
	SourceSaid string                `json:"source_said"`         // where that is from
	ArrivedAt  time.Time             `json:"arrived_at"`          // the call, to the millisecond
	RecordedAt time.Time             `json:"recorded_at"`         // its transaction
	FencedAt   time.Time             `json:"fenced_at,omitzero"`  // in force everywhere
	FencedBy   How                   `json:"fenced_by,omitempty"` // how that is known
	DelayUS    int64                 `json:"delay_us"`            // from the later of source_at and arrived_at to fenced_at, in microseconds
	LateUS     int64                 `json:"late_us"`             // by how much the call came after source_at
	OverAt     time.Time             `json:"over_at,omitzero"`    // since when the person had access again
	Veto       bool                  `json:"veto"`
}

// SourceRef names a source.
type SourceRef struct {
	ID   id.Source            `json:"id"`
	Name string               `json:"name"`
	Kind directory.SourceKind `json:"kind"`
}

// Freeze is one reason why the person had no access.
type Freeze struct {
	ID          id.Freeze             `json:"id"`
	Cause       directory.FreezeCause `json:"cause"`
	Source      id.Source             `json:"source,omitempty"`
	Actor       string                `json:"actor,omitempty"`
	Request     id.Request            `json:"request,omitempty"`
	Veto        bool                  `json:"veto"`
	CreatedAt   time.Time             `json:"created_at"`
	From        time.Time             `json:"from,omitzero"`
	Until       time.Time             `json:"until,omitzero"`
	LiftedAt    time.Time             `json:"lifted_at,omitzero"`
	Revision    int64                 `json:"revision"`
	FencedAt    time.Time             `json:"fenced_at,omitzero"`
	FencedBy    How                   `json:"fenced_by,omitempty"`
	ContestedAt time.Time             `json:"contested_at,omitzero"` // since when a source says active although it is a veto
	ContestedBy id.Source             `json:"contested_by,omitempty"`
}

// Ended is a session or a token that ended.
type Ended struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	LastAt    time.Time `json:"last_at,omitzero"` // to the minute
	EndedAt   time.Time `json:"ended_at"`
	Cause     string    `json:"cause"`
}

// Place is a membership that the person had when they left.
type Place struct {
	ID        id.Membership     `json:"id"`
	Group     string            `json:"group"` // its key
	Names     map[string]string `json:"names"`
	Role      string            `json:"role"`
	Since     time.Time         `json:"since"`
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	Cause     string            `json:"cause,omitempty"`
	Suspended bool              `json:"suspended"` // it stands, behind the freeze
	Hold      id.Hold           `json:"hold,omitempty"`
}

// Step is one step of the succession of a thing that the person answered for.
type Step struct {
	ID       id.Handover    `json:"id"`
	Kind     string         `json:"kind"`
	Thing    string         `json:"thing"`
	To       id.Person      `json:"to,omitempty"`
	Why      string         `json:"why,omitempty"`
	State    handover.State `json:"state"`
	OpenedAt time.Time      `json:"opened_at"`
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	ClosedBy string         `json:"closed_by,omitempty"`
}

// Accessed is what was open to a person between an end and the call that told of it.
type Accessed struct {
	Since    time.Time         `json:"since"`
	Channels []AccessedChannel `json:"channels"`
	Uses     []AccessedUse     `json:"uses"` // sessions and tokens
	Acts     []Act             `json:"acts"` // of the person
}

// AccessedChannel is one channel that was open.
type AccessedChannel struct {
	ID       id.Channel        `json:"id"`
	Names    map[string]string `json:"names"`
	Group    string            `json:"group,omitempty"`
	Role     string            `json:"role"`
	Until    time.Time         `json:"until,omitzero"`
	ReadAt   time.Time         `json:"read_at,omitzero"`
	Messages int               `json:"messages"`
	LastAt   time.Time         `json:"last_message_at,omitzero"`
}

// AccessedUse is a session or a token that was used.
type AccessedUse struct {
	ID     string    `json:"id"`
	LastAt time.Time `json:"last_at"`
}

// Act is one record of the audit log.
type Act struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Request string    `json:"request,omitempty"`
}

func actOf(r audit.Record) Act {
	return Act{Seq: r.Seq, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject, Request: r.RequestID}
}

// citedMost bounds the records of the audit log that one document cites.
const citedMost = 2000

// Leaver answers the record of the leaving of a person that ran at an instant, or of the last one where it is zero. ErrNoLeaving where
// there is none.
func (s *Store) Leaver(ctx context.Context, person id.Person, at time.Time) (*Leaver, error) {
	if err := s.Fences.Flush(ctx); err != nil {
		return nil, err
	}
	p, err := s.Directory.Person(ctx, person)
	if err != nil {
		return nil, err
	}
	all, err := s.Directory.Freezes(ctx, person)
	if err != nil {
		return nil, err
	}
	e, ok := episodeAt(all, at, now(s.Now))
	if !ok {
		return nil, fmt.Errorf("person %s: %w", person, ErrNoLeaving)
	}
	l := &Leaver{Person: Subject{p.ID, p.DisplayName, p.UserName, p.EmployeeNumber}, Sessions: []Ended{}, Tokens: []Ended{}, Memberships: []Place{},
		Handover: []Step{}, Undone: []Act{}, Acts: []Act{}, subjects: map[string]struct{}{string(person): {}}}
	for _, fill := range []func(context.Context, *Leaver, episode) error{s.freezes, s.leaving, s.access, s.records, s.acts} {
		if err := fill(ctx, l, e); err != nil {
			return nil, err
		}
	}
	return l, s.late(ctx, l)
}

func (s *Store) freezes(ctx context.Context, l *Leaver, e episode) error {
	var ids []id.Freeze
	for _, f := range e.freezes {
		ids = append(ids, f.ID)
	}
	fences, err := fencesOf(s.DB, ctx, ids)
	if err != nil {
		return err
	}
	for _, f := range e.freezes {
		fence := fences[f.ID]
		l.Freezes = append(l.Freezes, Freeze{ID: f.ID, Cause: f.Cause, Source: f.Source, Actor: f.Actor, Request: f.Request, Veto: f.Veto, CreatedAt: f.CreatedAt, From: f.From,
			Until: f.Until, LiftedAt: f.LiftedAt, Revision: f.Rev, FencedAt: fence.At.Time, FencedBy: fence.How, ContestedAt: f.ContestedAt, ContestedBy: f.ContestedBy})
		l.Leaving.Veto = l.Leaving.Veto || f.Veto
	}
	return nil
}

// leaving says by what the person left: by the freeze that began first.
func (s *Store) leaving(ctx context.Context, l *Leaver, e episode) error {
	f := e.first
	at := slices.IndexFunc(l.Freezes, func(o Freeze) bool { return o.ID == f.ID })
	g := &l.Leaving
	g.Cause, g.Actor, g.Request, g.RecordedAt, g.OverAt = f.Cause, f.Actor, f.Request, f.CreatedAt, e.until
	g.FencedAt, g.FencedBy = l.Freezes[at].FencedAt, l.Freezes[at].FencedBy
	if g.ArrivedAt = id.MadeAt(f.Request); g.ArrivedAt.IsZero() || g.ArrivedAt.After(f.CreatedAt) {
		g.ArrivedAt = f.CreatedAt
	}
	g.SourceAt, g.SourceSaid = g.ArrivedAt, SaidCall
	if f.Cause == directory.CauseEnded && !f.From.IsZero() {
		g.SourceAt, g.SourceSaid = f.From, SaidEnd
	}
	if f.Source != "" {
		src, err := s.Directory.SourceByID(ctx, f.Source)
		if err != nil {
			return err
		}
		g.Source = SourceRef{src.ID, src.Name, src.Kind}
	}
	said, err := audit.About(ctx, s.DB, []string{string(l.Person.ID)}, f.CreatedAt.Add(-time.Minute), citedMost)
	if err != nil {
		return err
	}
	for _, r := range said {
		text, _ := r.Public["effective_at"].(string)
		if effective, err := time.Parse(time.RFC3339Nano, text); err == nil && r.Action == "person.terminated" && r.RequestID == string(f.Request) {
			g.SourceAt, g.SourceSaid = effective.UTC(), SaidEffective
		}
	}
	if !g.FencedAt.IsZero() {
		g.DelayUS = g.FencedAt.Sub(later(g.SourceAt, g.ArrivedAt)).Microseconds()
	}
	g.LateUS = max(g.ArrivedAt.Sub(g.SourceAt).Microseconds(), 0)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// access says which sessions, tokens and memberships the person had, and what became of them.
func (s *Store) access(ctx context.Context, l *Leaver, e episode) error {
	ended, err := s.Sessions.EndedSince(ctx, l.Person.ID, e.from)
	if err != nil {
		return err
	}
	for _, one := range ended {
		if !e.holds(one.EndedAt) {
			continue
		}
		row := Ended{ID: cmp.Or(string(one.Session), string(one.Token)), CreatedAt: one.CreatedAt, LastAt: one.LastAt, EndedAt: one.EndedAt, Cause: one.Cause}
		if one.Session != "" {
			l.Sessions = append(l.Sessions, row)
		} else {
			l.Tokens = append(l.Tokens, row)
		}
	}
	places, err := s.Reactor.PlacesSince(ctx, l.Person.ID, e.from)
	if err != nil {
		return err
	}
	for _, p := range places {
		if !e.until.IsZero() && p.Since.After(e.until) {
			continue
		}
		l.subjects[string(p.Membership)] = struct{}{}
		l.Memberships = append(l.Memberships, Place{ID: p.Membership, Group: p.Key, Names: p.Names, Role: string(p.Role), Since: p.Since, EndedAt: p.EndedAt,
			Cause: p.EndCause, Suspended: p.EndedAt.IsZero() && e.until.IsZero(), Hold: p.Hold})
		if p.Hold != "" {
			l.subjects[string(p.Hold)] = struct{}{}
		}
	}
	steps, err := s.Heirs.Of(ctx, l.Person.ID)
	if err != nil {
		return err
	}
	slices.Reverse(steps)
	for _, step := range steps {
		if e.holds(step.OpenedAt) {
			l.subjects[step.Thing] = struct{}{}
			l.Handover = append(l.Handover, Step{ID: step.ID, Kind: step.Kind, Thing: step.Thing, To: step.To, Why: step.Why, State: step.State,
				OpenedAt: step.OpenedAt, ClosedAt: step.ClosedAt, ClosedBy: step.ClosedBy})
		}
	}
	return nil
}

func (s *Store) records(ctx context.Context, l *Leaver, e episode) error {
	records, err := s.Directory.Records(ctx, l.Person.ID)
	for _, r := range records {
		l.subjects[string(r.Link)] = struct{}{}
	}
	for _, f := range e.freezes {
		if f.Request != "" {
			l.subjects[string(f.Request)] = struct{}{}
		}
	}
	return err
}

// The limits of a record, as it says them.
const (
	limitRead    = "what was read without moving the read position leaves no trace"
	limitForgot  = "sessions and tokens that ended more than 30 days ago are known from the audit log alone"
	limitUnnoted = "when the freeze was in force everywhere was not noted: it came before such instants were"
	limitLate    = "the server ended between the freeze and its note: fenced_at is when it was found in force"
	limitCited   = "more records of the audit log concern this leaving than are cited here"
)

// limitsZH says a limit in Chinese.
func limitsZH(limit string) string {
	return map[string]string{
		limitRead:    "未移动阅读位置的阅读不留痕迹",
		limitForgot:  "结束超过 30 天的会话与令牌仅见于审计日志",
		limitUnnoted: "未记录冻结全面生效的时刻：冻结早于该记录功能",
		limitLate:    "服务器在冻结与记录之间中断：fenced_at 为发现其已生效的时刻",
		limitCited:   "与此次离职有关的审计记录多于此处所引",
	}[limit]
}

// late says what was open after an end that was entered late.
func (s *Store) late(ctx context.Context, l *Leaver) error {
	l.Limits = append(l.Limits, limitRead, limitForgot)
	if l.Leaving.FencedAt.IsZero() {
		l.Limits = append(l.Limits, limitUnnoted)
	}
	if l.Leaving.FencedBy == Late {
		l.Limits = append(l.Limits, limitLate)
	}
	if l.Leaving.SourceSaid == SaidCall || l.Leaving.LateUS == 0 {
		return nil
	}
	found, err := s.Accessed(ctx, l.Person.ID, l.Leaving.SourceAt)
	l.Accessed = &found
	return err
}
