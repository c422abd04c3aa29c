package provisioning

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// The kinds of this package's feed events. The subject of a membership event is the membership's id.
const (
	EventMembershipAdded   = "membership.added"
	EventMembershipRemoved = "membership.removed"
	EventMembershipChanged = "membership.changed" // another role
	EventHoldOpened        = "hold.opened"
	EventHoldClosed        = "hold.closed"
	EventPolicyApplied     = "policy.applied"
	EventChannelCreated    = "channel.created"
	EventChannelChanged    = "channel.changed"
	EventChannelArchived   = "channel.archived"
)

// MembershipEvent is the data of a membership event.
type MembershipEvent struct {
	Person   id.Person     `json:"person"`
	Group    id.Group      `json:"group"`
	Role     policies.Role `json:"role"`             // after; of a removal the last one
	Before   policies.Role `json:"before,omitempty"` // of a change
	Channels []id.Channel  `json:"channels"`         // those the role may see
	Lost     []id.Channel  `json:"lost,omitempty"`   // of a change: those it may no longer see
	Gained   []id.Channel  `json:"gained,omitempty"` // of a change: those it may see now
	Cause    Cause         `json:"cause,omitempty"`
	Freeze   id.Freeze     `json:"freeze,omitempty"`  // of a clean-up: the freeze it follows
	Reasons  []string      `json:"reasons,omitempty"` // "rule apollo/rnd@3"
}

// actorOf names in the audit log who is behind a call.
func actorOf(c directory.Cause) string {
	return cmp.Or(c.Actor, string(c.Token), string(c.Source), "system")
}

// String names a reason: "rule apollo/rnd@3".
func (r Reason) String() string {
	text := string(r.Kind) + " " + r.Ref
	if r.Version > 0 {
		text += "@" + strconv.FormatInt(r.Version, 10)
	}
	return text
}

func reasonTexts(reasons []Reason) []string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = r.String()
	}
	slices.Sort(out)
	return out
}

// tell notes the event and the audit record of a step.
func (s *sheet) tell(step step, after Membership) {
	e := MembershipEvent{Person: after.Person, Group: step.Group, Role: after.Role, Cause: step.cause, Freeze: step.freeze,
		Channels: s.catalog.seen(after), Reasons: reasonTexts(after.Reasons)}
	kind := EventMembershipAdded
	switch step.Op {
	case OpRemove:
		kind = EventMembershipRemoved
		e.Role, e.Channels, e.Reasons = step.Before.Role, s.catalog.seen(step.Before), reasonTexts(step.Before.Reasons)
	case OpRole:
		kind, e.Before = EventMembershipChanged, step.Before.Role
		was := s.catalog.seen(step.Before)
		e.Lost, e.Gained = without(was, e.Channels), without(e.Channels, was)
	case OpReasons:
		was := s.catalog.seen(step.Before)
		e.Lost, e.Gained = without(was, e.Channels), without(e.Channels, was)
		if kind = EventMembershipChanged; len(e.Lost)+len(e.Gained) == 0 {
			kind = "" // nobody but the audit log needs to know
		}
	}
	silent := s.ahead(step, after)
	if silent != "" {
		kind = ""
	}
	if kind != "" {
		s.events = append(s.events, feed.Event{At: s.now, Kind: kind, Subject: string(after.ID), Data: mustJSON(e)})
	}
	public := map[string]any{"person": string(e.Person), "group": s.catalog.key(e.Group), "role": string(e.Role), "reasons": e.Reasons, "cause": string(step.cause)}
	if e.Before != "" {
		public["before"] = string(e.Before)
	}
	if step.freeze != "" {
		public["freeze"] = string(step.freeze)
	}
	effective := after.Begins
	switch {
	case step.Op == OpBegin:
		effective = after.Since
	case step.Op == OpRemove && step.cause == CausePlanned:
		effective = closes(step.Before.Reasons)
	case step.Op == OpRole:
		effective = earliest(after.Reasons, after.Role, s.now)
	}
	if !effective.IsZero() && silent == "" {
		public["effective_at"], public["applied_at"] = effective.Format(time.RFC3339Nano), s.now.Format(time.RFC3339Nano)
	} else if !effective.IsZero() {
		public["effective_at"] = effective.Format(time.RFC3339Nano)
	}
	wide := placewide(after.Reasons)
	if until := closes(wide); step.Op != OpRemove && !until.IsZero() {
		public["until"] = until.Format(time.RFC3339Nano)
	}
	if kept := periods(after.Reasons); step.Op != OpRemove && len(wide) == 0 && len(kept) > 0 { // as days: an instant to come is not shown to everybody who reads the log
		public["handover_days"] = int(closes(kept).Sub(kept[0].From) / day)
	}
	s.record(cmp.Or(kind, silent, "membership.reasons"), string(after.ID), public)
}

// ahead names, for the audit log, a step about a membership that is not in force yet: nobody else hears of it.
func (s *sheet) ahead(step step, after Membership) string {
	switch {
	case step.Op == OpRemove && !step.Before.Begins.IsZero():
		return "membership.withdrawn"
	case step.Op != OpRemove && !after.Begins.IsZero():
		return "membership.planned"
	}
	return ""
}

// record notes one line of the audit log on behalf of the run's cause, or of that of the person at hand.
func (s *sheet) record(action, subject string, public map[string]any) {
	cause := s.cause()
	if cause.Source != "" && public != nil { // whose call it was
		public["by_source"] = string(cause.Source)
		if cause.Token != "" {
			public["token"] = string(cause.Token)
		}
	}
	s.records = append(s.records, audit.Record{At: s.now, Actor: actorOf(cause), Action: action, Subject: subject,
		RequestID: string(cause.Request), Public: public})
}

func without[T comparable](all, these []T) []T {
	var out []T
	for _, c := range all {
		if !slices.Contains(these, c) {
			out = append(out, c)
		}
	}
	return out
}

// mustJSON marshals plain data of this package, which cannot fail.
func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
