package authz

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rollcall-im/rollcall/internal/db/dbtest"
	"github.com/rollcall-im/rollcall/internal/id"
)

// The golden decisions: each testdata/decisions/*.txtar is a small organisation through time. Its parts run in
// order: "write" and "delete" hold tuples ("object relation user [from F] [until U]"), one revision each, and
// "decide INSTANT" holds every decision at that instant: person, channel, what is allowed and from when history is
// visible. go test -update rewrites the decisions. The Index answers and OpenFGA is asked the same.
var update = flag.Bool("update", false, "rewrite the golden decisions")

func TestGoldenDecisions(t *testing.T) {
	files, err := filepath.Glob("testdata/decisions/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	transport := startEmbedded(t, "memory:")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newStore(t, dbtest.SQLite(t))
			e, x := ensured(t, s, transport), NewIndex(s)
			var now time.Time
			x.Now = func() time.Time { return now }
			e.Now = x.Now
			var people, channels []string
			for i, part := range archive.Files {
				what, instant, _ := strings.Cut(part.Name, " ")
				if what != "decide" {
					changes := parseTuples(t, string(part.Data), what == "delete")
					add(t, s, changes...)
					for _, c := range changes {
						people = note(people, "user:", c.Tuple.User)
						channels = note(channels, "channel:", c.Tuple.Object)
					}
					continue
				}
				if now, err = time.Parse(time.RFC3339, instant); err != nil {
					t.Fatal(err)
				}
				if err := x.CatchUp(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				drain(t, e)
				got := decisions(t, x, e, people, channels)
				if *update {
					archive.Files[i].Data = []byte(got)
				} else if got != string(part.Data) {
					t.Errorf("%s: got\n%swant\n%s", part.Name, got, part.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func note(known []string, prefix, ref string) []string {
	if name, ok := strings.CutPrefix(ref, prefix); ok && !slices.Contains(known, name) {
		return append(known, name)
	}
	return known
}

func parseTuples(t *testing.T, text string, remove bool) []Change {
	var changes []Change
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 3 || len(words)%2 == 0 {
			t.Fatalf("cannot read %q", line)
		}
		c := Change{Delete: remove, Tuple: tuple(words[2], words[1], words[0])}
		for i := 3; i < len(words); i += 2 {
			at, err := time.Parse(time.RFC3339, words[i+1])
			if err != nil {
				t.Fatal(err)
			}
			switch words[i] {
			case "from":
				c.Tuple.From = at
			case "until":
				c.Tuple.Until = at
			default:
				t.Fatalf("cannot read %q", line)
			}
		}
		changes = append(changes, c)
	}
	return changes
}

// decisions asks the Index for everything, and complains where OpenFGA, Audience or Channels say otherwise.
func decisions(t *testing.T, x *Index, e *Engine, people, channels []string) string {
	var b strings.Builder
	for _, person := range slices.Sorted(slices.Values(people)) {
		for _, channel := range slices.Sorted(slices.Values(channels)) {
			line := fmt.Sprintf("%-8s %-10s", person, channel)
			for _, action := range []string{View, Post, Manage} {
				ok, from := x.Allow(id.Person(person), id.Channel(channel), action)
				asked, err := e.Check(t.Context(), id.Person(person), id.Channel(channel), action)
				if err != nil || asked != ok {
					t.Errorf("%s %s %s: index %t, openfga %t, %v", person, channel, action, ok, asked, err)
				}
				if ok {
					line += " " + action
				}
				if ok && action == View && !from.IsZero() {
					line += "(since " + from.Format(time.RFC3339) + ")"
				}
				if action == View {
					agree(t, x, id.Person(person), id.Channel(channel), ok)
				}
			}
			if x.Frozen(id.Person(person)) {
				line += " frozen"
			}
			fmt.Fprintln(&b, strings.TrimRight(line, " "))
		}
	}
	return b.String()
}

// agree holds every other way to ask to the same answer.
func agree(t interface{ Errorf(string, ...any) }, x *Index, person id.Person, channel id.Channel, want bool) {
	if got := x.View(channel)(person); got != want {
		t.Errorf("View of %s for %s: %t", channel, person, got)
	}
	if got := slices.Contains(x.Channels(person), channel); got != want {
		t.Errorf("Channels of %s has %s: %t", person, channel, got)
	}
	if got := slices.Contains(slices.Collect(x.Audience(channel)), person); got != want {
		t.Errorf("Audience of %s has %s: %t", channel, person, got)
	}
}

// discard is a log for tests.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func contextFor() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}
