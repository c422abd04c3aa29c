package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning/drill"
)

// otherwise is the stage of a product with a fault.
type otherwise struct {
	drill.Stage
	take  func(ctx context.Context, leaver id.Person) error
	token func() error
}

func (o otherwise) Take(ctx context.Context, leaver id.Person) error {
	if o.take == nil {
		return o.Stage.Take(ctx, leaver)
	}
	return o.take(ctx, leaver)
}

func (o otherwise) Token(ctx context.Context, person id.Person) (string, error) {
	if o.token != nil {
		return "", o.token()
	}
	return o.Stage.Token(ctx, person)
}

// A drill passes where nothing reaches the leaver, fails where something does, says so where it could not be held, and leaves nothing behind in either
// case, nor where its node died.
func TestDrill(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			if testing.Short() && engine == db.Postgres {
				t.Skip("needs PostgreSQL")
			}
			b := newBench(t, engine)
			e, sound := b.app.drills, b.app.drills.Stage
			hold := func(o otherwise) drill.Drill {
				t.Helper()
				o.Stage = sound
				e.Stage = o
				d, err := e.Hold(t.Context(), "system")
				if err != nil {
					t.Fatal(err)
				}
				b.none(slices.Concat(stagedRights, stagedWords))
				return d
			}
			for range 3 {
				d := hold(otherwise{})
				if d.Verdict != drill.Passed || len(d.Nodes) != 1 || d.Nodes[0].Heard < 40 || d.Nodes[0].Witness < 100 || d.After < 100 || d.Took <= 0 {
					t.Errorf("%+v", d)
				}
			}
			d := hold(otherwise{take: func(context.Context, id.Person) error { return nil }})
			if d.Verdict != drill.Failed || d.Nodes[0].Late == 0 || !slices.Equal(d.Nodes[0].Open, []drill.Way{drill.Events, drill.History, drill.WebSocket}) {
				t.Errorf("nobody was taken out: %+v", d)
			}
			d = hold(otherwise{take: func(ctx context.Context, leaver id.Person) error {
				time.AfterFunc(200*time.Millisecond, func() { _ = sound.Take(ctx, leaver) })
				return nil
			}})
			if d.Verdict != drill.Failed || d.Nodes[0].Late == 0 || len(d.Nodes[0].Open) > 0 {
				t.Errorf("it returned too early: %+v", d)
			}
			d = hold(otherwise{token: func() error { return errors.New("no tokens today") }})
			if d.Verdict != drill.Incomplete || d.Fault != "no tokens today" {
				t.Errorf("without tokens: %+v", d)
			}
			d = hold(otherwise{take: func(context.Context, id.Person) error { return errors.New("no word from the barrier") }})
			if d.Verdict != drill.Incomplete || d.Fault != "no word from the barrier" {
				t.Errorf("not taken out: %+v", d)
			}
			e.Stage = sound
			b.brokenOff(e)
		})
	}
}

// What a drill may leave: rights, and what was said.
var (
	stagedRights = []string{"channels where kind = 'adhoc'", "channel_people", "session_tokens where name = 'drill'", "fences where slot = 'drill'",
		"authz_tuples where object = 'freeze:drill'", "authz_tuples where relation = 'writer' and user_ref like 'user:%'", "drills where running = 1"}
	stagedWords = []string{"chat_channels", "chat_messages", "chat_events"}
)

// none says that there are no such rows.
func (b *bench) none(rows []string) {
	b.tb.Helper()
	for _, rows := range rows {
		var n int
		if err := b.app.db.Read(context.Background()).Raw("select count(*) from " + rows).Scan(&n).Error; err != nil || n != 0 {
			b.tb.Errorf("%d left of %s (%v)", n, rows, err)
		}
	}
}

// brokenOff holds a drill whose node dies in the middle: nobody else holds one meanwhile, and later its stage is struck.
func (b *bench) brokenOff(e *drill.Engine) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	died, free := make(chan struct{}), make(chan struct{})
	e.Stage = otherwise{Stage: e.Stage, take: func(context.Context, id.Person) error { close(died); <-free; return errors.New("dead") }}
	dead := make(chan error, 1)
	go func() { _, err := e.Hold(ctx, "system"); dead <- err }()
	<-died
	if _, err := e.Hold(ctx, "system"); !errors.Is(err, drill.ErrRunning) {
		b.tb.Errorf("a second one: %v", err)
	}
	later := &drill.Engine{DB: e.DB, Stage: stage{b.app}, Nodes: e.Nodes, Log: e.Log, Now: func() time.Time { return time.Now().Add(time.Hour) }}
	d, err := later.Hold(ctx, "system")
	if err != nil || d.Verdict != drill.Passed {
		b.tb.Errorf("after an hour: %+v, %v", d, err)
	}
	b.none(stagedRights)
	close(free) // it was not dead: what it wrote while it was being cleared away goes too
	if err := <-dead; err != nil {
		b.tb.Error(err)
	}
	b.none(slices.Concat(stagedRights, stagedWords))
	all, err := e.List(ctx, 2)
	if err != nil || len(all) != 2 || all[1].Verdict != drill.Incomplete || all[1].Fault == "dead" {
		b.tb.Errorf("the one whose node died: %+v, %v", all, err)
	}
}

// A drill watches each node from its own address; one that is frozen makes it incomplete, not passed.
func TestDrillOnNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	c := newTrio(t)
	verdict := func() (string, []any) {
		t.Helper()
		d := c.nodes[0].must("POST", "/api/v1/drills", crashToken, "{}")
		text, _ := d["verdict"].(string)
		nodes, _ := d["nodes"].([]any)
		t.Logf("%s in %v ms: %v", text, d["took_ms"], nodes)
		return text, nodes
	}
	for range 3 {
		if got, nodes := verdict(); got != string(drill.Passed) || len(nodes) != 3 {
			t.Errorf("%s, %d nodes", got, len(nodes))
		}
	}
	there := c.nodes[2].server.Process
	if err := there.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	got, nodes := verdict()
	if err := there.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got != string(drill.Incomplete) || len(nodes) != 3 {
		t.Errorf("with a frozen node: %s, %d nodes", got, len(nodes))
	}
	c.awaitReady(c.nodes[2])
	if got, _ := verdict(); got != string(drill.Passed) {
		t.Errorf("with a node that is back: %s", got)
	}
}
