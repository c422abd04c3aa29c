package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The events that have an effect. Others are acknowledged, and have none.
const (
	sessionRevoked  = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	accountDisabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	accountPurged   = "https://schemas.openid.net/secevent/risc/event-type/account-purged"
	accountEnabled  = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
)

// subject is a subject identifier (RFC 9493), or a complex one (SSF 1.0 section 3.3).
type subject struct {
	Format  string   `json:"format"`
	Issuer  string   `json:"iss"`
	Subject string   `json:"sub"`
	Email   string   `json:"email"`
	ID      string   `json:"id"`
	User    *subject `json:"user"`
	Session *subject `json:"session"`
}

// act does what an event token says. It returns when that is in force on every node.
func (r *Receiver) act(ctx context.Context, t Transmitter, c claims) error {
	if done, err := r.taken(ctx, t, c.ID); err != nil || done {
		return err
	}
	for _, kind := range order(c.Events) {
		if err := r.event(ctx, t, kind, c); err != nil {
			return err
		}
	}
	return r.take(ctx, t, c.ID)
}

// order sorts the events of a token so that what takes comes last.
func order(events map[string]json.RawMessage) []string {
	var out []string
	for _, kind := range []string{accountEnabled, sessionRevoked, accountDisabled, accountPurged} {
		if _, ok := events[kind]; ok {
			out = append(out, kind)
		}
	}
	return out
}

func (r *Receiver) event(ctx context.Context, t Transmitter, kind string, c claims) error {
	var e struct {
		Subject json.RawMessage `json:"subject"` // of older editions
	}
	if json.Unmarshal(c.Events[kind], &e) != nil {
		return errRequest
	}
	above := c.Subject
	if len(above) == 0 {
		above = e.Subject
	}
	var s subject
	if len(above) == 0 || json.Unmarshal(above, &s) != nil {
		return errSubject
	}
	name := kind[strings.LastIndexByte(kind, '/')+1:]
	if s.Session != nil && kind == sessionRevoked {
		ended, err := r.endSession(ctx, t, *s.Session, name)
		if err != nil || ended {
			return err
		}
	}
	people, err := r.find(ctx, t, s)
	if err != nil {
		return err
	}
	for _, person := range people {
		if err := r.apply(ctx, t, person, kind, name, instant(c.IssuedAt)); err != nil {
			return err
		}
	}
	r.Log.InfoContext(ctx, "signal taken", "transmitter", t.Name, "event", name, "people", len(people))
	return nil
}

// endSession ends the one session that a subject names; false: it is none of ours, and what the rest of the subject names is ended.
func (r *Receiver) endSession(ctx context.Context, t Transmitter, s subject, cause string) (bool, error) {
	for _, issuer := range t.speaksFor() {
		n, err := r.Sessions.EndAt(ctx, issuer, s.ID, t.actor(), cause)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

func (t Transmitter) speaksFor() []string {
	if len(t.SpeaksFor) > 0 {
		return t.SpeaksFor
	}
	return []string{t.Issuer}
}

// find answers whom a subject names: nobody, where that somebody never signed in here.
func (r *Receiver) find(ctx context.Context, t Transmitter, s subject) ([]id.Person, error) {
	if s.User != nil {
		return r.find(ctx, t, *s.User)
	}
	var issuers []string
	sub := s.Subject
	switch s.Format {
	case "iss_sub":
		if !slices.Contains(t.speaksFor(), s.Issuer) {
			return nil, fmt.Errorf("%w: it does not speak for %s", errSubject, s.Issuer)
		}
		issuers = []string{s.Issuer}
	case "opaque":
		issuers, sub = t.speaksFor(), s.ID
	case "email":
		return r.byEmail(ctx, s.Email)
	default:
		return nil, errSubject
	}
	if sub == "" {
		return nil, errSubject
	}
	var people []id.Person
	for _, issuer := range issuers {
		person, err := r.Sessions.PersonAt(ctx, issuer, sub)
		if err != nil {
			return nil, err
		}
		if person != "" && !slices.Contains(people, person) {
			people = append(people, person)
		}
	}
	return people, nil
}

// byEmail answers the people with an address. Taking from one too many does less harm than letting one go on.
func (r *Receiver) byEmail(ctx context.Context, address string) ([]id.Person, error) {
	if address == "" {
		return nil, errSubject
	}
	sources, err := r.People.Sources(ctx)
	if err != nil {
		return nil, err
	}
	var people []id.Person
	for _, source := range sources {
		page, err := r.People.FindRecords(ctx, directory.RecordQuery{Source: source.ID, Limit: 10, NoRaw: true, Where: directory.Compare{Column: directory.ColEmail, Op: directory.Eq, Value: address}})
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			if record.Person != "" && !slices.Contains(people, record.Person) {
				people = append(people, record.Person)
			}
		}
	}
	return people, nil
}

// apply does to a person what an event says. A freeze ends what they have on every node; only a later account-enabled of the same transmitter, or an
// administrator, lifts it, and an administrator alone where the account was purged.
func (r *Receiver) apply(ctx context.Context, t Transmitter, person id.Person, kind, name string, issued time.Time) error {
	if kind == sessionRevoked {
		return r.Sessions.EndPerson(ctx, person, t.actor(), name)
	}
	if late, err := r.latest(ctx, t, person, issued); err != nil || !late && kind != accountPurged {
		return err
	}
	cause := directory.Cause{Actor: t.actor(), Reason: name}
	if kind != accountEnabled {
		if _, err := r.People.Apply(ctx, cause, directory.FreezePerson{Person: person, Signal: t.Name, Veto: kind == accountPurged}); err != nil {
			return err
		}
		return r.spoke(ctx, t, person, issued)
	}
	freezes, err := r.People.Freezes(ctx, person)
	if err != nil {
		return err
	}
	for _, f := range freezes {
		if f.Slot == directory.SlotOf(t.Name) && f.LiftedAt.IsZero() && !f.Veto {
			if _, err := r.People.Apply(ctx, cause, directory.LiftFreeze{Freeze: f.ID}); err != nil {
				return err
			}
		}
	}
	return r.spoke(ctx, t, person, issued)
}
