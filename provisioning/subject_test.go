package provisioning_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

const chainText = `apiVersion: rollcall/v1
groups:
  - key: line
    name: Line
    channels: [{key: general, name: General}]
    rules:
      - {key: below, role: participant, when: 'reports_to("boss")'}
  - key: seniors
    name: Seniors
    channels: [{key: general, name: General}]
    rules:
      - {key: tenure, role: participant, when: 'after(person.start + days(30))'}
  - key: trial
    name: On trial
    channels: [{key: general, name: General}]
    rules:
      - {key: trial, role: participant, when: 'person.start > date("2001-01-01") && before(person.start + days(30))'}
`

// Who reports to whom goes up to the top: a change anywhere above is followed, a planned one written ahead.
func TestManagerChain(t *testing.T) {
	both(t, func(w *world) {
		w.policy(chainText)
		w.put("boss", "")
		w.put("other", "")
		w.put("mid", "manager=boss")
		p := w.put("li", "manager=mid")
		w.want("below two levels", w.sees(p), "line/general seniors/general")
		w.put("mid", "manager=other")
		w.follow()
		w.ok(w.index.Load(ctx)) // nobody waits for what a follower writes
		w.want("the manager moved", w.sees(p), "seniors/general")
		w.put("mid", "manager=boss")
		w.follow()
		w.ok(w.index.Load(ctx)) // nobody waits for what a follower writes
		w.want("and back", w.sees(p), "line/general seniors/general")

		move := w.clock().AddDate(0, 0, 10).Truncate(time.Microsecond)
		r := w.record("mid", "manager=boss")
		r.Planned = planned(move, map[string]string{"manager": "other"})
		w.putRecord(r)
		w.follow()
		w.ok(w.index.Load(ctx)) // nobody waits for what a follower writes
		w.want("before the instant", w.sees(p), "line/general seniors/general")
		w.until(move)
		w.want("at the instant, nobody running", w.sees(p), "seniors/general")
		w.catch()
		w.follow()
		w.ok(w.index.Load(ctx)) // nobody waits for what a follower writes
		w.ok(w.r.Tend(ctx))
		w.want("places", w.places(p), "seniors:participant")
		w.untouched("a second run", func() { _, err := w.r.ReconcileAll(ctx); w.ok(err) })
	})
}

// A rule that asks for the present opens and closes by itself: its windows are written ahead.
func TestRuleInTime(t *testing.T) {
	both(t, func(w *world) {
		w.policy(chainText)
		r := w.record("li", "")
		r.StartAt = w.clock().Truncate(time.Microsecond)
		p := w.putRecord(r)
		w.want("places, one of them planned", w.places(p), "seniors:participant trial:participant")
		w.want("on trial", w.sees(p), "trial/general")
		end := r.StartAt.AddDate(0, 0, 30)
		w.until(end.Add(-time.Microsecond))
		w.want("on the last day", w.sees(p), "trial/general")
		w.until(end)
		w.want("at the instant, nobody running", w.sees(p), "seniors/general")
		w.ok(w.r.Tend(ctx))
		w.want("settled", w.places(p), "seniors:participant")
		w.untouched("a second run", func() { w.ok(w.r.Tend(ctx)); _, err := w.r.ReconcileAll(ctx); w.ok(err) })
		q := w.apply(directory.PutRecord{Record: w.record("wu", "")}).Records[0].Person
		w.want("no start is long ago", w.places(q), "seniors:participant")
	})
}

// A day of a rule begins where the source says for somebody of whom nobody says where they are, and where they are for everybody else.
//
// holds: J30
func TestDaysOfARule(t *testing.T) {
	both(t, func(w *world) {
		w.r.DayZone = func(rec directory.Record) string {
			return map[bool]string{true: "Asia/Shanghai"}[rec.Source == w.source.ID]
		}
		day := w.clock().AddDate(0, 0, 10).UTC().Format(time.DateOnly)
		w.policy(strings.Replace(chainText, `after(person.start + days(30))`, `before(date("`+day+`"))`, 1))
		at := func(zone string) time.Time {
			place, err := time.LoadLocation(zone)
			w.ok(err)
			end, err := time.ParseInLocation(time.DateOnly, day, place)
			w.ok(err)
			return end
		}
		li, bo := w.record("li", ""), w.record("bo", "")
		li.TimeZone, bo.TimeZone = "", "Europe/Berlin"
		here, there := w.putRecord(li), w.putRecord(bo)
		w.until(at("Asia/Shanghai").Add(-time.Microsecond))
		w.want("before it", w.sees(here)+w.sees(there), "seniors/generalseniors/general")
		w.until(at("Asia/Shanghai"))
		w.want("at the source's midnight", w.sees(here), "")
		w.want("who is elsewhere", w.sees(there), "seniors/general")
		w.until(at("Europe/Berlin"))
		w.want("at their own", w.sees(there), "")
	})
}
