package directory

import (
	"testing"
	"time"
)

func TestPassedMark(t *testing.T) {
	ends := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		last, now time.Duration // before the end; last 0: the start
		want      bool
	}{{0, 20 * day, false}, {0, 14 * day, true}, {0, 2 * time.Hour, true}, {14 * day, 13 * day, false}, {14*day + 1, 14 * day, true},
		{5 * day, 3 * day, true}, {3 * day, 25 * time.Hour, false}, {25 * time.Hour, 23 * time.Hour, true}, {23 * time.Hour, time.Minute, false}} {
		last := time.Time{}
		if c.last != 0 {
			last = ends.Add(-c.last)
		}
		if got := passedMark(ends, last, ends.Add(-c.now)); got != c.want {
			t.Errorf("%s after %s left: %v", c.now, c.last, got)
		}
	}
	if passedMark(time.Time{}, time.Time{}, ends) {
		t.Error("a token without an end ends")
	}
}
