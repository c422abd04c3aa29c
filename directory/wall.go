package directory

import (
	"time"
	_ "time/tzdata" // dates are days in a person's zone, also where the machine has no zone database
)

// OnWall answers when the clocks of zone show what wall says in UTC. Where they show it twice, the first is meant; where they leave
// it out, the instant is what they would show had they not been set (RFC 5545 section 3.3.5).
func OnWall(wall time.Time, zone *time.Location) time.Time {
	_, before := wall.AddDate(0, 0, -1).In(zone).Zone()
	_, after := wall.AddDate(0, 0, 1).In(zone).Zone()
	first, second := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
	shown := func(at time.Time) bool { return at.In(zone).Format(time.DateTime) == wall.Format(time.DateTime) }
	if !shown(first) && shown(second) || shown(second) && second.Before(first) {
		return second
	}
	return first
}
