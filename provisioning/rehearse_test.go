package provisioning_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// A run that is written in parts is judged as a whole before the first of them: of a change that is too much nobody passes because they came first.
// What is within the limit passes, and the word about a run ends with it.
func TestRehearsedRun(t *testing.T) {
	both(t, func(w *world) {
		w.policy(unitPolicy)
		n := 1200
		w.crowd(n, always(""), always("Engineer"))
		run := func(id id.Request, until int, title string) {
			w.Helper()
			cause := directory.Cause{Source: w.source.ID, Request: id}
			var changes []directory.Change
			for i := range until {
				r := w.record(fmt.Sprintf("p%04d", i), "")
				r.Title = title
				changes = append(changes, directory.PutRecord{Record: r})
			}
			parts := slices.Collect(slices.Chunk(changes, 50))
			before, told := w.content(), 0
			over, err := w.people.Rehearse(ctx, cause, slices.Values(parts), func(outcomes []directory.Outcome) { told += len(outcomes) })
			w.ok(err)
			if told != until {
				w.Errorf("told of %d of %d", told, until)
			}
			for table, rows := range w.content() {
				if table != "foreseen" && rows != before[table] {
					w.Errorf("a rehearsal wrote to %s", table)
				}
			}
			for i, part := range parts {
				_, err := w.people.Apply(ctx, cause, part...)
				w.ok(err)
				if i == 0 && until > 60 && w.members("engineers") != n {
					w.Errorf("the first part passed: %d members", w.members("engineers"))
				}
			}
			w.ok(over(ctx))
		}
		run("run_a", 200, "Artist") // more than 5 % of 1200: 60
		held := 0
		for _, h := range w.holds(provisioning.HoldOpen) {
			held += len(h.Removals)
		}
		if held != 200 || w.members("engineers") != n {
			t.Fatalf("%d held, %d members: %s", held, w.members("engineers"), w.reason())
		}
		w.want("why", w.reason(), "attribute title changed of 200 of the source's 1200 people within 24 hours, the limit is 60")
		run("run_b", 200, "Engineer") // back
		w.want("back", w.reason(), "")
		w.pass(25 * time.Hour)
		run("run_c", 55, "Artist")
		if got := w.members("engineers"); got != n-55 {
			t.Errorf("within the limit: %d members, %s", got, w.reason())
		}
		if n := w.count()["foreseen"]; n != 0 {
			t.Errorf("%d runs are not over", n)
		}
	})
}

// A change that is refused is left out of the rehearsal, and a source that is not live is rehearsed by nobody.
func TestRehearsalRefusal(t *testing.T) {
	both(t, func(w *world) {
		w.policy(unitPolicy)
		w.crowd(3, always(""), always("Engineer"))
		taken := w.record("p0001", "title=Artist")
		taken.UserName = "p0000"
		parts := [][]directory.Change{{directory.PutRecord{Record: w.record("p0000", "title=Engineer")}, directory.PutRecord{Record: taken}, directory.PutRecord{Record: w.record("p0002", "title=Artist")}}}
		var got []directory.Outcome
		_, err := w.people.Rehearse(context.Background(), directory.Cause{Source: w.source.ID, Request: "run_a"}, slices.Values(parts), func(o []directory.Outcome) { got = o })
		w.ok(err)
		if len(got) != 3 || got[0] != directory.Unchanged || got[1] != "" || got[2] != directory.Updated {
			t.Errorf("outcomes %v", got)
		}
		dry, err := w.people.CreateSource(ctx, directory.Cause{}, directory.Source{Name: "dry", Kind: directory.KindLDAP, Priority: 20, Mode: directory.ModeDryRun})
		w.ok(err)
		_, err = w.people.Rehearse(ctx, directory.Cause{Source: dry.ID, Request: "run_b"}, slices.Values(parts), func([]directory.Outcome) { t.Error("rehearsed") })
		w.ok(err)
	})
}

// BenchmarkRehearsal changes the department of 5,000 people, which no rule asks for, in parts of 500: what judging the run as a whole takes before it, beside writing it.
//
//	go test ./provisioning -run xxx -bench Rehearsal -benchtime 3x
func BenchmarkRehearsal(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			w := newWorld(b, dbtest.Open(b, dbtest.DSN(b, engine)))
			w.policy(unitPolicy)
			const n = 5000
			w.crowd(n, always(""), always("Engineer"))
			var judged, written time.Duration
			for round := range b.N {
				cause := directory.Cause{Source: w.source.ID, Request: id.Request(fmt.Sprintf("run_%d", round))}
				var changes []directory.Change
				for i := range n {
					r := w.record(fmt.Sprintf("p%04d", i), fmt.Sprintf("title=Engineer dept=D%d", round))
					changes = append(changes, directory.PutRecord{Record: r})
				}
				parts := slices.Collect(slices.Chunk(changes, 500))
				began := time.Now()
				over, err := w.people.Rehearse(ctx, cause, slices.Values(parts), func([]directory.Outcome) {})
				w.ok(err)
				judged += time.Since(began)
				began = time.Now()
				for _, part := range parts {
					_, err := w.people.Apply(ctx, cause, part...)
					w.ok(err)
				}
				written += time.Since(began)
				w.ok(over(ctx))
			}
			b.ReportMetric(judged.Seconds()/float64(b.N), "s/judged")
			b.ReportMetric(written.Seconds()/float64(b.N), "s/written")
			b.ReportMetric(0, "ns/op")
		})
	}
}
