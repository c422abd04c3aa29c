package scim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// When an employment begins and ends, where clocks are set too.
func TestDates(t *testing.T) {
	for name, c := range map[string]struct{ zone, dates, start, end string }{
		"a day ends with it":                        {"Asia/Shanghai", `"startDate":"2026-10-01","endDate":"2026-10-31"`, "2026-09-30T16:00:00Z", "2026-10-31T16:00:00Z"},
		"to the second, in the person's zone":       {"Asia/Shanghai", `"lastWorkingInstant":"2026-10-31T18:00:00"`, "", "2026-10-31T10:00:00Z"},
		"with an offset":                            {"Asia/Shanghai", `"lastWorkingInstant":"2026-10-31T18:00:00-05:00"`, "", "2026-10-31T23:00:00Z"},
		"in the employment's zone":                  {"Asia/Shanghai", `"lastWorkingInstant":"2026-10-31T18:00:00","timeZone":"Europe/Berlin"`, "", "2026-10-31T17:00:00Z"},
		"days are read in the employment's zone":    {"Asia/Shanghai", `"endDate":"2026-10-31","timeZone":"Europe/Berlin"`, "", "2026-10-31T23:00:00Z"},
		"the instant is earlier than the day's end": {"UTC", `"endDate":"2026-10-31","lastWorkingInstant":"2026-10-31T18:00:00"`, "", "2026-10-31T18:00:00Z"},
		"the day's end is earlier":                  {"UTC", `"endDate":"2026-10-30","lastWorkingInstant":"2026-10-31T18:00:00"`, "", "2026-10-31T00:00:00Z"},
		"the day before clocks go back":             {"Europe/Berlin", `"lastWorkingInstant":"2026-10-24T18:00:00"`, "", "2026-10-24T16:00:00Z"},
		"the day after":                             {"Europe/Berlin", `"lastWorkingInstant":"2026-10-26T18:00:00"`, "", "2026-10-26T17:00:00Z"},
		"a time that is shown twice is the first":   {"Europe/Berlin", `"lastWorkingInstant":"2026-10-25T02:30:00"`, "", "2026-10-25T00:30:00Z"},
		"a time that is left out":                   {"Europe/Berlin", `"lastWorkingInstant":"2026-03-29T02:30:00"`, "", "2026-03-29T01:30:00Z"},
		"a midnight that is left out":               {"America/Asuncion", `"startDate":"2023-10-01","endDate":"2023-09-30"`, "2023-10-01T04:00:00Z", "2023-10-01T04:00:00Z"},
		"a midnight that is shown twice":            {"America/Havana", `"endDate":"2026-10-31"`, "", "2026-11-01T04:00:00Z"},
		"a day that never was":                      {"Pacific/Apia", `"startDate":"2011-12-30"`, "2011-12-30T10:00:00Z", ""},
		"nothing":                                   {"UTC", `"employmentType":"intern"`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := decode([]byte(`{"` + EmploymentURN + `":{` + c.dates + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			record := directory.Record{Attributes: directory.Attributes{TimeZone: c.zone}}
			if err := assertDates(&record, body, time.UTC); err != nil {
				t.Fatal(err)
			}
			for want, got := range map[string]time.Time{"start " + c.start: record.StartAt, "end " + c.end: record.EndAt} {
				if text := got.UTC().Format(time.RFC3339); !strings.HasSuffix(want, text) && (!got.IsZero() || !strings.HasSuffix(want, " ")) {
					t.Errorf("%s, got %s", want, text)
				}
			}
		})
	}
	for _, bad := range []string{`"lastWorkingInstant":"2026-10-31"`, `"lastWorkingInstant":"18:00"`, `"lastWorkingInstant":"0001-01-01T00:00:00Z"`, `"timeZone":"Nowhere/Land"`, `"timeZone":"Local"`, `"endDate":"2026-02-30"`} {
		body, err := decode([]byte(`{"` + EmploymentURN + `":{` + bad + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := assertDates(&directory.Record{}, body, time.UTC); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// A person works to 17:59:59 of the last day where they live, and not at 18:00:00; who moves to another zone before takes the
// clock on the wall along.
func TestLastWorkingInstant(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		now := time.Date(2026, 10, 31, 9, 0, 0, 0, time.UTC)
		s.store.Now = func() time.Time { return now }
		made := s.user(`"userName":"u","timezone":"Asia/Shanghai","` + EmploymentURN + `":{"endDate":"2026-10-31","lastWorkingInstant":"2026-10-31T18:00:00"}`)
		if got := text(made.body, EmploymentURN, "lastWorkingInstant"); got != "2026-10-31T18:00:00" {
			t.Errorf("answered %q", got)
		}
		at := func(clock string, zone string, frozen bool) {
			t.Helper()
			place, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			if now, err = time.ParseInLocation(wallClock, clock, place); err != nil {
				t.Fatal(err)
			}
			if p := s.person(made.id()); p.Frozen != frozen || (p.Status == directory.StatusTerminated) != frozen {
				t.Errorf("%s %s: frozen %v, %s", clock, zone, p.Frozen, p.Status)
			}
		}
		at("2026-10-31T17:59:59", "Asia/Shanghai", false)
		at("2026-10-31T18:00:00", "Asia/Shanghai", true)
		at("2026-10-30T18:00:00", "Asia/Shanghai", false)
		s.want(200, s.do(http.MethodPatch, "/Users/"+made.id(), patch(`{"op":"replace","path":"timezone","value":"America/New_York"}`)))
		at("2026-10-31T18:00:00", "Asia/Shanghai", false)
		at("2026-10-31T17:59:59", "America/New_York", false)
		at("2026-10-31T18:00:00", "America/New_York", true)
		for filter, want := range map[string]string{`lastWorkingInstant eq "2026-10-31T18:00:00"`: "1", `lastWorkingInstant sw "2026-11"`: "0", EmploymentURN + `:timeZone pr`: "0", `lastWorkingInstant ge "2026-10-01"`: "1"} {
			if n := s.total("/Users", filter); n != want {
				t.Errorf("%s finds %s, want %s", filter, n, want)
			}
		}
		s.wantError(400, "invalidValue", s.do(http.MethodPatch, "/Users/"+made.id(), patch(`{"op":"add","path":"`+EmploymentURN+`:timeZone","value":"Mars/Olympus"}`)))
	})
}
