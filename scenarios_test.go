package rollcall

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	caseLine  = regexp.MustCompile(`^\| ([^|]+?) \| (held|open) \| (.*) \|$`)
	holdsLine = regexp.MustCompile(`(?m)^\s*(?://|#) ?holds: (.+)$`)
	testName  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)`)
	storyName = regexp.MustCompile(`^([A-Z]\d+)\b`)
)

// holders finds, for every case, the tests that say they hold it.
func holders(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	add := func(list, by string) {
		for _, name := range strings.Split(list, ",") {
			name = strings.TrimSpace(name)
			out[name] = append(out[name], by)
		}
	}
	for _, f := range goFiles(t) {
		if !f.test {
			continue
		}
		text, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range holdsLine.FindAllSubmatchIndex(text, -1) {
			by := f.dir
			if name := testName.FindSubmatch(text[at[1]:]); name != nil {
				by += "." + string(name[1])
			}
			add(string(text[at[2]:at[3]]), by)
		}
	}
	stories, err := filepath.Glob("cmd/rollcall/testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, story := range stories {
		name := filepath.Base(story)
		if m := storyName.FindStringSubmatch(strings.TrimSuffix(name, ".txtar")); m != nil {
			add(m[1], name)
		}
		text, err := os.ReadFile(story)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range holdsLine.FindAllSubmatch(text, -1) {
			add(string(m[1]), name)
		}
	}
	return out
}

// Each case that is marked as held has a test; no test claims a case that does not exist. The tests
// themselves run in the same `make test`, where what they need is installed and skipping is a failure.
func TestScenarios(t *testing.T) {
	text, err := os.ReadFile("docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	by := holders(t)
	known := map[string]bool{}
	held := 0
	for _, line := range strings.Split(string(text), "\n") {
		m := caseLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, state, what := m[1], m[2], m[3]
		known[name] = true
		tests := by[name]
		slices.Sort(tests)
		tests = slices.Compact(tests)
		switch {
		case state == "held" && len(tests) == 0:
			t.Errorf("%s is marked as held and no test holds it: %s", name, what)
		case state == "open" && len(tests) > 0:
			t.Errorf("%s is marked as open but held by %s: mark it", name, strings.Join(tests, ", "))
		case state == "held":
			held++
		}
		by := "-"
		if len(tests) > 0 {
			by = strings.Join(tests, ", ")
		}
		t.Logf("%-22s %s", name, by)
	}
	for name, tests := range by {
		if !known[name] {
			t.Errorf("%s holds %q, which docs/scenarios.md does not know", strings.Join(tests, ", "), name)
		}
	}
	t.Logf("%d of %d cases are held", held, len(known))
}
