package rollcall

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// takesAway is what a node of the version before could not live with on a table that it knows: something is gone, has another name, must be filled in or
// is refused. What is new altogether may be as it likes.
var takesAway = []struct {
	what string
	said *regexp.Regexp
}{
	{"drops a table", regexp.MustCompile(`^drop table`)},
	{"renames", regexp.MustCompile(`^alter table \S+ rename`)},
	{"drops a column or a constraint", regexp.MustCompile(`^alter table \S+ drop`)},
	{"changes a column", regexp.MustCompile(`^alter table \S+ alter`)},
	{"adds a constraint", regexp.MustCompile(`^alter table \S+ add constraint`)},
	{"adds a column that must be filled in", regexp.MustCompile(`^alter table \S+ add (column )?.*not null(?:[^d]|d[^e])*$`)},
	{"adds a unique index", regexp.MustCompile(`^create unique index`)},
}

// before names what was written while no node of an earlier version ran anywhere. Nothing is added to it.
var before = map[string]bool{
	"directory/migrations/00009_authority.sql":    true,
	"directory/migrations/00021_duplicate.sql":    true,
	"directory/migrations/00024_erased.sql":       true,
	"internal/session/migrations/00003_roles.sql": true,
	"provisioning/migrations/00004_scope.sql":     true,
	"provisioning/migrations/00015_handover.sql":  true,
}

// Nodes of two versions serve together while they are upgraded one by one, and an upgrade can be taken back: a migration only adds. A column goes in the
// version after the last one that knows it.
func TestMigrationsOnlyAdd(t *testing.T) {
	looked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Base(filepath.Dir(path)) != "migrations" || !strings.HasSuffix(path, ".sql") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for _, what := range takenAway(string(text)) {
			if !before[filepath.ToSlash(path)] {
				t.Errorf("%s %s", path, what)
			}
		}
		return nil
	})
	if err != nil || looked < 40 {
		t.Errorf("%d migrations, %v", looked, err)
	}
}

// takenAway answers what the upward half of a migration takes from tables that it does not make itself.
func takenAway(text string) (found []string) {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	var lines []string
	for _, line := range strings.Split(up, "\n") {
		line, _, _ = strings.Cut(line, "--")
		lines = append(lines, line)
	}
	made := map[string]bool{}
	for _, statement := range strings.Split(strings.Join(lines, " "), ";") {
		words := strings.Fields(strings.ToLower(statement))
		if len(words) < 3 {
			continue
		}
		one := strings.Join(words, " ")
		if strings.HasPrefix(one, "create table ") {
			made[words[2]] = true
		}
		if words[0] == "alter" && made[words[2]] || words[0] == "create" && words[1] == "unique" && len(words) > 5 && made[strings.TrimRight(words[5], "(")] {
			continue
		}
		for _, rule := range takesAway {
			if rule.said.MatchString(one) {
				found = append(found, rule.what+": "+one)
			}
		}
	}
	return found
}

// The rules see what they are for.
func TestTakenAwayIsSeen(t *testing.T) {
	for text, want := range map[string]int{
		"alter table t add column a text not null;": 1, "alter table t add column a text not null default '';": 0, "alter table t add column a text;": 0, "alter table t drop column a;": 1,
		"drop table t;": 1, "create table t (a text not null); create unique index u on t (a);": 0, "create unique index u on t (a);": 1, "alter table t rename to u;": 1,
		"create table t (a text);\n-- +goose Down\ndrop table t;": 0,
	} {
		if got := takenAway(text); len(got) != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
