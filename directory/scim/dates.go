package scim

import (
	"time"
	_ "time/tzdata" // dates are days in a person's zone, also where the machine has no zone database

	"github.com/rollcall-im/rollcall/directory"
)

// The dates of an employment. A date is a day, and a time without an offset is what the clock on the wall shows, in the zone of
// the employment (timeZone), else in the person's (timezone), else in the server's. Where a clock shows one time twice, the first is
// meant; where it leaves one out, the instant is what the clock would show had it not been set (RFC 5545 section 3.3.5).

const wallClock = "2006-01-02T15:04:05"

// assertDates reads them into record. Work ends at the earlier of endDate and lastWorkingInstant.
func assertDates(record *directory.Record, r resource, zone *time.Location) error {
	if own, ok := zoneNamed(record.TimeZone); ok {
		zone = own
	}
	if name := text(r, EmploymentURN, "timeZone"); name != "" {
		own, ok := zoneNamed(name)
		if !ok {
			return invalidValue("%s:timeZone is no zone of the IANA database, like Europe/Berlin.", EmploymentURN)
		}
		zone = own
	}
	for _, d := range []struct {
		name string
		end  bool
		into *time.Time
	}{
		{"startDate", false, &record.StartAt},
		{"endDate", true, &record.EndAt},
		{"leaveFrom", false, &record.LeaveFrom},
		{"leaveUntil", true, &record.LeaveUntil},
	} {
		at, err := instant(text(r, EmploymentURN, d.name), zone, d.end)
		if err != nil {
			return invalidValue("%s is neither a date nor an RFC 3339 time.", d.name)
		}
		*d.into = at
	}
	last := text(r, EmploymentURN, "lastWorkingInstant")
	if last == "" {
		return nil
	}
	at, err := timeOf(last, zone)
	if err != nil {
		return invalidValue("lastWorkingInstant is neither an RFC 3339 time nor one without an offset, like 2026-10-31T18:00:00.")
	}
	if record.EndAt.IsZero() || at.Before(record.EndAt) {
		record.EndAt = at
	}
	return nil
}

func zoneNamed(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// instant reads a date or a time. A date is the first instant of that day in zone or, for an end, the first
// instant after it.
func instant(s string, zone *time.Location, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return timeOf(s, zone)
	}
	if end {
		day = day.AddDate(0, 0, 1)
	}
	return inRange(onWall(day, zone))
}

// timeOf reads a time.
func timeOf(s string, zone *time.Location) (time.Time, error) {
	if wall, err := time.Parse(wallClock, s); err == nil {
		return inRange(onWall(wall, zone))
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, err
	}
	return inRange(at)
}

// onWall answers when the clocks of zone first show what wall says in UTC.
func onWall(wall time.Time, zone *time.Location) time.Time {
	_, before := wall.AddDate(0, 0, -1).In(zone).Zone()
	_, after := wall.AddDate(0, 0, 1).In(zone).Zone()
	first, second := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
	shown := func(at time.Time) bool { return at.In(zone).Format(wallClock) == wall.Format(wallClock) }
	if !shown(first) && shown(second) || shown(second) && second.Before(first) {
		return second
	}
	return first
}

// inRange keeps to years that every engine and the authorization model can hold.
func inRange(at time.Time) (time.Time, error) {
	at = at.UTC()
	if at.Year() < 1900 || at.Year() > 9998 {
		return time.Time{}, invalidValue("The year %d is out of range.", at.Year())
	}
	return at, nil
}
