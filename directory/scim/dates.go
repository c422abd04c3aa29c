package scim

import (
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// The dates of an employment. A date is a day, and a time without an offset is what the clock on the wall shows, in the zone of
// the employment (timeZone), else in the person's (timezone), else in the server's.

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
		{"disclosureDate", false, &record.DiscloseAt},
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
	return inRange(directory.OnWall(day, zone))
}

// timeOf reads a time.
func timeOf(s string, zone *time.Location) (time.Time, error) {
	if wall, err := time.Parse(wallClock, s); err == nil {
		return inRange(directory.OnWall(wall, zone))
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, err
	}
	return inRange(at)
}

// inRange keeps to years that every engine and the authorization model can hold.
func inRange(at time.Time) (time.Time, error) {
	at = at.UTC()
	if at.Year() < 1900 || at.Year() > 9998 {
		return time.Time{}, invalidValue("The year %d is out of range.", at.Year())
	}
	return at, nil
}
