package directory

import (
	"testing"
	"time"
)

// A time that a zone's clocks show twice is the first of the two; one that they leave out is what they would show had they not been set.
func TestOnWall(t *testing.T) {
	for _, c := range []struct{ zone, wall, want string }{
		{"Asia/Shanghai", "2027-01-01 00:00:00", "2026-12-31T16:00:00Z"},
		{"America/Santiago", "2027-09-05 00:00:00", "2027-09-05T04:00:00Z"}, // midnight is left out
		{"Europe/London", "2027-10-31 01:30:00", "2027-10-31T00:30:00Z"},
		{"Europe/Berlin", "2027-10-31 02:30:00", "2027-10-31T00:30:00Z"},
		{"Europe/Berlin", "2027-10-31 00:00:00", "2027-10-30T22:00:00Z"},
		{"Europe/Berlin", "2027-11-01 00:00:00", "2027-10-31T23:00:00Z"},
		{"Australia/Sydney", "2027-04-04 02:30:00", "2027-04-03T15:30:00Z"},
		{"America/New_York", "2027-03-14 02:30:00", "2027-03-14T07:30:00Z"},
		{"America/New_York", "2027-11-07 01:30:00", "2027-11-07T05:30:00Z"},
		{"Australia/Lord_Howe", "2027-04-04 01:45:00", "2027-04-03T14:45:00Z"}, // half an hour
		{"UTC", "2027-04-04 02:30:00", "2027-04-04T02:30:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := time.Parse(time.DateTime, c.wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := OnWall(wall, zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.zone, c.wall, got, c.want)
		}
	}
}
