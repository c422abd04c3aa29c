package policies

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawCondition draws a condition over a few attributes with a few values, so that many of them meet.
func drawCondition(t *rapid.T, depth int) string {
	word := func(name string) string {
		return fmt.Sprintf("%q", rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, name))
	}
	kind := rapid.IntRange(0, 15).Draw(t, "kind")
	if depth == 0 {
		kind %= 12
	}
	switch kind {
	case 0:
		return "person.department == " + word("value")
	case 1:
		return word("value") + " == person.title"
	case 2:
		return "within(" + word("unit") + ")"
	case 3:
		return word("group") + " in person.groups"
	case 4:
		return "person.labels.site == " + word("site")
	case 5:
		return `person.company in [` + word("one") + ", " + word("two") + "]"
	case 6:
		return "reports_to(" + word("manager") + ")"
	case 7:
		return "person.labels[" + word("label") + "] != " + word("value")
	case 8:
		return fmt.Sprintf("after(person.start + days(%d))", rapid.IntRange(0, 40).Draw(t, "days"))
	case 9:
		test := rapid.SampledFrom([]string{"startsWith", "endsWith", "contains"}).Draw(t, "test")
		return "person.title." + test + "(" + rapid.SampledFrom([]string{word("part"), "person.department", "person.labels.site"}).Draw(t, "with") + ")"
	case 10:
		return "person.labels.site.matches(" + rapid.SampledFrom([]string{`"^[ab]?$"`, `"b|c"`, "person.title"}).Draw(t, "pattern") + ")"
	case 11:
		return rapid.SampledFrom([]string{"has(person.labels.site)", "person.title.size() > 0", "person.company.lowerAscii() == person.title", "unit.path.exists(u, u == person.title)"}).Draw(t, "more")
	case 12:
		return "!(" + drawCondition(t, depth-1) + ")"
	case 13:
		return "(" + drawCondition(t, depth-1) + " || " + drawCondition(t, depth-1) + ")"
	}
	return "(" + drawCondition(t, depth-1) + " && " + drawCondition(t, depth-1) + ")"
}

func drawSubject(t *rapid.T) Subject {
	word := func(name string) string { return rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, name) }
	words := func(name string) []string {
		return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(t, name)
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Subject{Department: word("department"), Title: word("title"), Company: word("company"), UnitPath: words("path"), Groups: words("groups"), Managers: words("managers"),
		Labels: map[string]string{}, Start: day, Now: day.AddDate(0, 0, rapid.IntRange(-5, 60).Draw(t, "now"))}
	for _, label := range words("labels") {
		s.Labels[label] = word("label")
	}
	if rapid.Bool().Draw(t, "has site") {
		s.Labels["site"] = word("site")
	}
	return s
}

// Looking only at rules of which somebody has an anchor finds what looking at all finds; twice finds the same; up to Next nothing changes, and
// the order of files changes nothing.
func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var files []File
		for i := range rapid.IntRange(1, 3).Draw(t, "files") {
			var b strings.Builder
			fmt.Fprintf(&b, "apiVersion: rollcall/v1\ngroups:\n  - key: g%d\n    name: G\n    rules:\n", i)
			for j := range rapid.IntRange(1, 5).Draw(t, "rules") {
				fmt.Fprintf(&b, "      - key: r%d\n        role: participant\n        when: |\n          %s\n", j, drawCondition(t, 3))
			}
			files = append(files, File{fmt.Sprintf("%d.yaml", i), b.String()})
		}
		p, err := Parse(files...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(files)
		turned, err := Parse(files...)
		if err != nil || turned.Hash() != p.Hash() {
			t.Fatalf("another order of files: %v", err)
		}
		for range 5 {
			s := drawSubject(t)
			few, err := p.Evaluate(s)
			if err != nil {
				t.Fatal(err)
			}
			all, err := p.EvaluateAll(s)
			if err != nil || cmp.Diff(all.Wanted, few.Wanted) != "" {
				t.Fatalf("%+v: %v, all %v, %v", s, few.Wanted, all.Wanted, err)
			}
			again, err := turned.Evaluate(s)
			if err != nil || cmp.Diff(again, few) != "" {
				t.Fatalf("again: %v, %v", again, err)
			}
			later := s
			if later.Now = few.Next.Add(-time.Microsecond); few.Next.IsZero() {
				later.Now = s.Now.AddDate(20, 0, 0)
			}
			if then, err := p.Evaluate(later); err != nil || cmp.Diff(then, few) != "" {
				t.Fatalf("before %s: %v, not %v, %v", few.Next, then, few, err)
			}
		}
	})
}

// What cannot be a policy is refused, quickly and with a place, however large or deep it is.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("apiVersion: rollcall/v1\ngroups:\n  - &a0 [x, x]\n")
	for i := range 40 {
		fmt.Fprintf(&aliases, "  - &a%d [*a%d, *a%d]\n", i+1, i, i)
	}
	rule := func(when string) string {
		return "apiVersion: rollcall/v1\ngroups: [{key: a, name: A, rules: [{key: r, role: owner, when: '" + when + "'}]}]\n"
	}
	for name, src := range map[string]string{
		"aliases":         aliases.String(),
		"nested flow":     "apiVersion: rollcall/v1\ngroups: " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000),
		"nested maps":     "apiVersion: rollcall/v1\ngroups: " + strings.Repeat("{a: ", 10000) + strings.Repeat("}", 10000),
		"nested lines":    "apiVersion: rollcall/v1\ngroups:\n  " + strings.Repeat("- ", 20000) + "a\n",
		"merge":           "apiVersion: rollcall/v1\ngroups: [{<<: {key: a}, name: A}]\n",
		"nested brackets": rule(strings.Repeat("(", 5000) + "true" + strings.Repeat(")", 5000)),
		"nested lists":    rule(strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + " == []"),
		"huge":            rule(strings.Repeat("person.id == person.id && ", 100000) + "true"),
		"too large":       strings.Repeat("# x\n", 3<<20),
	} {
		begin := time.Now()
		_, err := parse(src)
		if err == nil || !strings.HasPrefix(err.Error(), "p.yaml:") || len(err.Error()) > 2000 {
			t.Errorf("%s: %.300v", name, err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// BenchmarkMany is one person under 2,000 groups with 500 distinct rules among 4,000: by anchors, and by looking at every rule.
func BenchmarkMany(b *testing.B) {
	src := "apiVersion: rollcall/v1\ntemplates:\n  - key: p\n    parameters: [{key: unit}]\n    rules:\n      - {key: team, role: participant, when: 'within(${unit})'}\n" +
		"      - {key: leads, role: owner, when: 'person.title == \"Head\" && within(${unit})'}\ngroups:\n"
	for i := range 2000 {
		src += fmt.Sprintf("  - {key: g%d, name: G, template: p, with: {unit: u%d}}\n", i, i%500)
	}
	begin := time.Now()
	p, err := parse(src)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("parsed in %s", time.Since(begin))
	s := Subject{Title: "Head", UnitPath: []string{"u7", "root"}}
	for name, evaluate := range map[string]func(Subject) (Judgement, error){"anchors": p.Evaluate, "every rule": p.EvaluateAll} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got, err := evaluate(s); err != nil || len(got.Wanted) != 8 {
					b.Fatal(len(got.Wanted), err)
				}
			}
		})
	}
}

// Every text of a person is one to rules, whoever evaluates them.
func TestEveryText(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[person]()) {
		if field.Type.Kind() != reflect.String {
			continue
		}
		name := field.Tag.Get("cel")
		p, err := parse(fmt.Sprintf(inGroup, `rules: [{key: r, role: owner, when: 'person.`+name+` == "v"'}]`))
		if err != nil {
			t.Fatal(err)
		}
		var s Subject
		reflect.ValueOf(&s).Elem().FieldByName(field.Name).SetString("v")
		for _, evaluate := range []func(Subject) (Judgement, error){p.Evaluate, p.EvaluateAll} {
			if got, err := evaluate(s); err != nil || len(got.Wanted) != 1 {
				t.Errorf("%s: %v, %v", name, got.Wanted, err)
			}
		}
	}
}
