package main

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// Administration says how administrators work.
type Administration struct {
	Separation bool          `koanf:"separation"` // of powers: system, security and audit administrator are three people, and nobody is an owner
	StepUp     string        `koanf:"step_up"`    // whose dangerous acts want a second factor: enrolled (who has one) or required (everybody's)
	Idle       time.Duration `koanf:"idle"`       // how long their sessions live without a request; 0: as others
	Addresses  []string      `koanf:"addresses"`  // networks they work from; empty: everywhere

	BreakGlassNotice time.Duration `koanf:"break_glass_notice"` // after what time those are told whose channel was read
}

const (
	stepUpEnrolled = "enrolled"
	stepUpRequired = "required"

	mostGlassNotice = 365 * 24 * time.Hour
)

func (a Administration) check(bad func(key, format string, args ...any)) {
	if a.StepUp != stepUpEnrolled && a.StepUp != stepUpRequired {
		bad("administration.step_up", "%q is not one of %s, %s", a.StepUp, stepUpEnrolled, stepUpRequired)
	}
	if a.Idle < 0 || a.Idle > 0 && a.Idle < time.Minute {
		bad("administration.idle", "wants a duration of a minute or more, or 0s, not %s", a.Idle)
	}
	if a.BreakGlassNotice < 0 || a.BreakGlassNotice > mostGlassNotice {
		bad("administration.break_glass_notice", "wants a duration of 0s to %s, not %s", mostGlassNotice, a.BreakGlassNotice)
	}
	if _, err := networksOf(a.Addresses); err != nil {
		bad("administration.addresses", "%v", err)
	}
}

// noticeEmergency tells administrators that the emergency account was opened: about session, at.
const noticeEmergency notices.Kind = "emergency.opened"

func alarm(tx *db.Tx, people []id.Person, opened id.Session, at time.Time) error {
	list := make([]notices.Notice, len(people))
	for i, p := range people {
		list[i] = notices.Notice{Person: p, Kind: noticeEmergency, Key: "emergency:" + string(opened), At: at,
			About: map[string]string{"session": string(opened), "at": at.UTC().Format(time.RFC3339)}}
	}
	return notices.Tell(tx, list...)
}
