package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// declare declares successions "kind old new", from at on.
func (w *world) declare(at time.Time, list ...string) error {
	c := directory.DeclareSuccessions{Source: w.source.ID, At: at}
	for i, text := range list {
		part := strings.Fields(text)
		c.List = append(c.List, directory.Succession{Kind: directory.SuccessionKind(part[0]), Old: part[1], New: part[2], Line: i + 1})
	}
	_, err := w.people.Apply(ctx, directory.Cause{Actor: "test"}, c)
	return err
}

// A declared renumbering, split or merge changes nobody's places and holds nothing, whenever the source moves them; the same without a declaration is
// held. Declared afterwards the hold goes by itself.
//
// holds: J12
func TestSuccession(t *testing.T) {
	for name, c := range map[string]struct {
		list []string
		to   func(int) string
	}{
		"renumber": {[]string{"renumber lab L2"}, always("L2")},
		"split":    {[]string{"split lab L2", "split lab L3"}, first(100, "L2", "L3")},
		"merge":    {[]string{"merge lab L2", "merge ops L2"}, always("L2")},
		"chain":    {[]string{"renumber lab mid"}, always("L2")},
		"below":    {[]string{"renumber lab L2"}, always("L2.1")},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				w.policy(unitPolicy)
				w.units("lab", "ops", "mid")
				people := w.crowd(200, always("lab"), always("Clerk"))
				w.ok(w.declare(w.clock().Add(time.Hour), c.list...))
				if name == "chain" {
					w.ok(w.declare(w.clock().Add(time.Hour), "renumber mid L2"))
				}
				w.until(w.clock().Add(time.Hour))
				w.catch()
				w.units("L2", "L3")
				w.apply(directory.PutUnit{Unit: directory.Unit{Source: w.source.ID, Key: "L2.1", Name: "L2.1", ParentKey: "L2"}})
				w.crowd(200, c.to, always("Clerk"))
				w.want("no hold", w.reason(), "")
				w.want("first", w.places(people[0]), "lab:participant")
				w.want("last", w.places(people[199]), "lab:participant")
				var lost int
				w.ok(w.db.Read(ctx).Raw("select count(*) from fact_losses where field = 'unit'").Scan(&lost).Error)
				if n := w.members("lab"); n != 200 || lost != 0 {
					t.Errorf("%d members, %d losses", n, lost)
				}
			})
		})
	}
}

func TestSuccessionDeclaredLate(t *testing.T) {
	both(t, func(w *world) {
		w.policy(unitPolicy)
		w.units("lab", "L2")
		people := w.crowd(200, always("lab"), always("Clerk"))
		w.crowd(200, always("L2"), always("Clerk"))
		w.want("held", w.places(people[0]), "lab:participant!")
		if !strings.Contains(w.reason(), "200") {
			t.Errorf("reason %q", w.reason())
		}
		w.ok(w.declare(w.clock().Add(time.Hour), "renumber lab L2"))
		w.want("not yet", w.places(people[0]), "lab:participant!")
		w.until(w.clock().Add(time.Hour))
		w.catch()
		w.want("in force", w.places(people[0])+w.reason(), "lab:participant")
		if n := w.members("lab"); n != 200 {
			t.Errorf("%d members", n)
		}
		list, err := w.people.Successions(ctx, w.source.ID)
		w.ok(err)
		if len(list) != 1 || list[0].SettledAt.IsZero() {
			t.Fatalf("%+v", list)
		}
		w.apply(directory.WithdrawSuccessions{Source: w.source.ID, ID: list[0].ID})
		w.want("taken back: the guard holds again", w.places(people[0]), "lab:participant!")
	})
}

// A merge gives those of the new unit what rules give the old ones, and an edit of a rule finds them by the old name.
func TestSuccessionGives(t *testing.T) {
	both(t, func(w *world) {
		w.policy(unitPolicy)
		w.units("lab", "ops", "L2")
		w.crowd(2, always("lab"), always("Clerk"))
		people := w.crowd(6, first(2, "lab", "L2"), always("Clerk"))
		w.ok(w.declare(w.clock(), "merge lab L2", "merge ops L2"))
		w.want("gained", w.places(people[5]), "lab:participant")
		w.policy(strings.Replace(unitPolicy, `person.title == "Engineer"`, `within("ops")`, 1))
		w.want("found by an edit", w.places(people[5]), "engineers:participant lab:participant")
		var in map[id.Person]bool
		w.ok(w.db.Tx(ctx, func(tx *db.Tx) (err error) {
			in, err = w.people.In(tx).Among(ctx, roles.Scope{Units: []id.Unit{w.unitID("ops")}}, people)
			return err
		}))
		if !in[people[5]] || in[people[0]] {
			t.Errorf("scope %v", in)
		}
	})
}

func TestSuccessionRefused(t *testing.T) {
	both(t, func(w *world) {
		w.units("a", "b", "c", "d")
		w.ok(w.declare(w.clock().Add(time.Hour), "renumber a b"))
		for want, list := range map[string][]string{
			`:2: unit "x" is not known in this source`:  {"renumber c d", "renumber x d"},
			":1: b to a closes a circle":                {"renumber b a"},
			":2: d to c closes a circle":                {"renumber c d", "renumber d c"},
			":1: a has a successor already":             {"renumber a d"},
			":2: c has a successor already: d (line 1)": {"renumber c d", "renumber c e"},
			":2: e succeeds c already (line 1)":         {"renumber c e", "renumber d e"},
			":1: b succeeds a already (declared, suc_":  {"renumber c b"},
			":1: c to itself":                           {"renumber c c"},
			":2: c to d stands twice":                   {"split c d", "split c d"},
		} {
			err := w.declare(w.clock(), list...)
			if !errors.Is(err, directory.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v, want %s", list, err, want)
			}
		}
		w.ok(w.declare(w.clock(), "split c c", "split c e"))
	})
}

func TestReadSuccessions(t *testing.T) {
	f, err := directory.ReadSuccessions("x.yaml", "source: hr\neffective: 2027-01-01T00:00:00+08:00\nunits:\n  - renumber: D1\n    to: D2\n  - {split: D3, to: [D4, D5]}\n  - {merge: [D6, D7], to: D8}\n")
	if err != nil || f.Source != "hr" || len(f.List) != 5 || f.List[1].Line != 6 || f.At.UTC().Hour() != 16 {
		t.Errorf("%+v %v", f, err)
	}
	if f, err := directory.ReadSuccessions("x.csv", "kind,old,new\nrenumber,D1,D2\nsplit,D3,D4\n"); err != nil || len(f.List) != 2 || f.List[1].Line != 3 {
		t.Errorf("%+v %v", f, err)
	}
	for text, want := range map[string]string{
		"units:\n- {renumber: D1, to: [D2, D3]}": "x.yaml:2: D1 has two successors",
		"units:\n- {merge: [D1], to: D2}":        "x.yaml:2: a merge is of two",
		"units:\n- {split: D1, to: D2}":          "x.yaml:2: a split has two",
		"effective: tomorrow":                    "x.yaml:1: effective",
		"units:\n- {move: D1, to: D2}":           "x.yaml:2: \"move\" is none of",
		"a: [":                                   "x.yaml:1: ",
		"{}":                                     "x.yaml:1: no unit",
	} {
		var wrong *directory.SuccessionError
		if _, err := directory.ReadSuccessions("x.yaml", text); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An explanation says by what somebody is in a unit that the rule calls by what it was: since when, and who declared it.
func TestSuccessionIsExplained(t *testing.T) {
	both(t, func(w *world) {
		w.policy(unitPolicy)
		w.units("lab", "L2")
		people := w.crowd(2, always("L2"), always("Clerk"))
		at := w.clock().Truncate(time.Microsecond)
		w.ok(w.declare(at, "renumber lab L2"))
		w.catch()
		e, err := w.r.Explain(ctx, people[0], w.channel("lab", "general").ID)
		w.ok(err)
		n := 0
		for _, line := range e.Path {
			if line.Kind != "succession" {
				continue
			}
			n++
			if !strings.Contains(line.Text.EN, `"lab" was renumbered to "L2"`) || line.Since.Before(at) || line.Since.After(w.clock()) || line.By != "test" || line.Ref == "" {
				t.Errorf("%+v", line)
			}
		}
		if n != 1 || !e.Allowed {
			t.Errorf("%d lines say it, allowed %v: %+v", n, e.Allowed, e.Path)
		}
	})
}
