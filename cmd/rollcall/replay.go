package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/signals/transmit"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
	"github.com/rollcall-im/rollcall/internal/session"
)

// replaying revokes again what records of the audit log, which were written after a backup, say was revoked.
type replaying struct {
	app   *app
	by    httpapi.Caller
	cause directory.Cause
	left  []backup.Demand
	done  int // what was revoked again
}

// lost is what somebody lost last, of all that happened to it: what was given back later is not lost.
func lost(records []audit.Record) []audit.Record {
	type key struct{ kind, subject, object string }
	last := map[key]audit.Record{}
	for _, r := range records {
		text := func(name string) string { s, _ := r.Public[name].(string); return s }
		switch r.Action {
		case "person.frozen":
			last[key{"freeze", r.Subject, text("slot")}] = r
		case "person.unfrozen", "person.restored":
			delete(last, key{"freeze", r.Subject, text("slot")})
		case "membership.removed", "membership.changed":
			last[key{"place", text("person"), text("group")}] = r
		case "membership.added":
			delete(last, key{"place", text("person"), text("group")})
		case "admin.revoked":
			last[key{"admin", r.Subject, text("role") + " " + text("unit")}] = r
		case "admin.granted":
			delete(last, key{"admin", r.Subject, text("role") + " " + text("unit")})
		case "transmitter.token", "transmitter.removed":
			last[key{"receiver", r.Subject, r.Action}] = r
		case "transmitter.added":
			delete(last, key{"receiver", r.Subject, "transmitter.removed"})
		case "token.revoked", "identity.unlinked", "person.erased", "legal_hold.set", "policy.applied", "plan.applied", "session.ended", "emergency.sealed":
			last[key{r.Action, r.Subject, fmt.Sprint(r.Seq)}] = r
		}
	}
	out := make([]audit.Record, 0, len(last))
	for _, r := range last {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b audit.Record) int { return int(a.Seq - b.Seq) })
	return out
}

// replay revokes what records say. What needs no call because sources say it, and what no call can do, is looked after until the database is opened.
func (p *replaying) replay(ctx context.Context, records []audit.Record) error {
	for _, r := range lost(records) {
		var err error
		switch r.Action {
		case "person.frozen":
			err = p.freeze(ctx, r)
		case "token.revoked":
			err = p.token(ctx, r)
		case "session.ended":
			ids, _ := r.Public["ids"].([]any)
			for _, one := range ids {
				if text, _ := one.(string); strings.HasPrefix(text, "tok_") {
					err = errors.Join(err, p.app.door.EndToken(ctx, p.by, id.Token(text)))
				}
			}
		case "identity.unlinked":
			if err = p.app.door.Unlink(ctx, p.by, id.Person(r.Subject)); errors.Is(err, session.ErrNoIdentity) {
				err = nil
			}
		case "admin.revoked":
			err = p.admin(ctx, r)
		case "transmitter.token", "transmitter.removed":
			err = p.receiver(ctx, r)
		case "membership.removed", "membership.changed":
			person, _ := r.Public["person"].(string)
			group, _ := r.Public["group"].(string)
			before, _ := r.Public["before"].(string)
			p.leave(r, person, group, before)
		default: // somebody has to do it again by hand
			p.leave(r, r.Subject, "", "")
		}
		if err != nil {
			return fmt.Errorf("record %d, %s of %s: %w", r.Seq, r.Action, r.Subject, err)
		}
	}
	return nil
}

func (p *replaying) leave(r audit.Record, subject, object, note string) {
	p.left = append(p.left, backup.Demand{Seq: r.Seq, Kind: r.Action, Subject: subject, Object: object, Note: note})
}

// unknown marks a demand about somebody who was made after the backup, and whom sources make anew under another id.
const unknown = "unknown to the backup"

// freeze sets a freeze of the console again. One of a source is looked after: the source says it again, or says otherwise.
func (p *replaying) freeze(ctx context.Context, r audit.Record) error {
	person := id.Person(r.Subject)
	text := func(name string) string { s, _ := r.Public[name].(string); return s }
	from, until := instant(text("from")), instant(text("until"))
	if !until.IsZero() && !until.After(time.Now()) {
		return nil
	}
	slot := text("slot")
	said := slot != directory.SlotEnded && slot != directory.SlotVeto && slot != directory.SlotSecurity && slot != directory.SlotQuarantine
	if _, err := p.app.people.Person(ctx, person); errors.Is(err, directory.ErrNotFound) {
		if !said || strings.HasPrefix(slot, directory.SlotOf("")) { // nobody says it again, and of nobody whom a source makes anew is it known that it is not them
			p.leave(r, r.Subject, unknown, slot)
		}
		return nil
	} else if err != nil {
		return err
	}
	veto, _ := r.Public["veto"].(bool)
	var change directory.Change = directory.FreezePerson{Person: person, Veto: veto, Until: until}
	switch {
	case said:
		if from.IsZero() || !from.After(time.Now()) {
			p.leave(r, r.Subject, "", slot)
		}
		return nil
	case slot == directory.SlotEnded:
		change = directory.EndPerson{Person: person, At: from}
		if from.IsZero() {
			change = directory.FreezePerson{Person: person}
		}
	case slot == directory.SlotVeto:
		change = directory.Terminate{Person: person, Until: until, Reason: p.cause.Reason}
	}
	p.done++
	_, err := p.app.people.Apply(ctx, p.cause, change)
	return err
}

func (p *replaying) token(ctx context.Context, r audit.Record) error {
	p.done++
	source, _ := r.Public["source"].(string)
	if source == "" {
		return p.app.door.EndToken(ctx, p.by, id.Token(r.Subject))
	}
	err := p.app.people.RevokeSourceToken(ctx, p.cause, id.Source(source), id.Token(r.Subject))
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

// receiver takes a token of a receiver of signals that was exchanged, or the receiver.
func (p *replaying) receiver(ctx context.Context, r audit.Record) (err error) {
	if r.Action == "transmitter.removed" {
		err = p.app.telling.Remove(ctx, p.by.Actor(), r.Subject)
	} else {
		_, err = p.app.telling.Renew(ctx, p.by.Actor(), r.Subject) // nobody knows the new one: it wants another
	}
	if errors.Is(err, transmit.ErrNotFound) {
		return nil
	}
	p.done++
	return err
}

func (p *replaying) admin(ctx context.Context, r audit.Record) error {
	role, _ := r.Public["role"].(string)
	unit, _ := r.Public["unit"].(string)
	err := p.app.door.RevokeAdmin(ctx, p.by, id.Person(r.Subject), roles.Grant{Role: roles.Role(role), Unit: id.Unit(unit)})
	switch {
	case errors.Is(err, session.ErrNotFound):
		return nil
	case errors.Is(err, session.ErrLastAdmin):
		p.leave(r, r.Subject, role, unit)
		return nil
	}
	p.done++
	return err
}

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
