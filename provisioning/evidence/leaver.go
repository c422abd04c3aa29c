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
	// Called answers what ids are called, by language; "" stands for every language. Nil: nobody knows.
	Called func(ctx context.Context, ids []string) (map[string]map[string]string, error)
	Fences *Fences
	Keys   *Keys
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
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
		return nil, fmt.Errorf("%s (%s): %w", cmp.Or(p.DisplayName, p.UserName, "person"), person, ErrNoLeaving)
	}
	l := &Leaver{Person: Subject{p.ID, p.DisplayName, p.UserName, p.EmployeeNumber}, Sessions: []Ended{}, Tokens: []Ended{}, Memberships: []Place{},
		Handover: []Step{}, Undone: []Act{}, Acts: []Act{}, subjects: map[string]struct{}{string(person): {}}}
	for _, fill := range []func(context.Context, *Leaver, episode) error{s.freezes, s.leaving, s.access, s.records, s.acts} {
		if err := fill(ctx, l, e); err != nil {
			return nil, err
		}
	}
	if err := s.late(ctx, l); err != nil {
		return nil, err
	}
	if l.Names, err = s.called(ctx, l.ids()...); err != nil {
		return nil, err
	}
	for _, m := range l.Memberships { // a place is called by its group
		l.Names[string(m.ID)] = m.Names
	}
	return l, nil
}

// called answers what these ids are called.
func (s *Store) called(ctx context.Context, ids ...string) (Names, error) {
	if s.Called == nil {
		return Names{}, nil
	}
	slices.Sort(ids)
	return s.Called(ctx, slices.Compact(ids))
}

// ids answers the people, groups and channels that a record names.
func (l *Leaver) ids() []string {
	out := []string{l.Leaving.Actor}
	for _, f := range l.Freezes {
		out = append(out, f.Actor)
	}
	for _, h := range l.Handover {
		out = append(out, h.Thing, string(h.To), h.ClosedBy)
	}
	for _, a := range l.Acts {
		out = append(out, a.Actor, a.Subject)
	}
	return out
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
		if !leaves(f.Cause) && f.Until.After(now(s.Now)) { // the end of a leave lies ahead
			f.Until = time.Time{}
		}
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
	limitAhead   = "records of the audit log that name an instant to come are not cited"
	limitCited   = "more records of the audit log concern this leaving than are cited here"
)

// limitsZH says a limit in Chinese.
func limitsZH(limit string) string {
	return map[string]string{
		limitRead:    "未移动阅读位置的阅读不留痕迹",
		limitForgot:  "结束超过 30 天的会话与令牌仅见于审计日志",
		limitUnnoted: "未记录冻结全面生效的时刻：冻结早于该记录功能",
		limitLate:    "服务器在冻结与记录之间中断：fenced_at 为发现其已生效的时刻",
		limitAhead:   "写有未来时刻的审计记录不予引用",
		limitCited:   "与此次离职有关的审计记录多于此处所引",
	}[limit]
}

// late says what was open after an end that was entered late.
func (s *Store) late(ctx context.Context, l *Leaver) error {
	l.Limits = append(l.Limits, limitRead, limitForgot, limitAhead)
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
