package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is no YAML is told the line and the column of the mistake, and what to do.
func TestLayout(t *testing.T) {
	const good = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: Apollo
    channels:
      - {key: general, name: General} # it's "general"
      - key: ops
        name: 'Oper''s'
    rules:
      - key: rnd
        role: participant
        when: |
          person.department == "R&D" &&
            person.title == "x: [y"
      - {key: more, role: owner, when: 'person.title == "Head"'}
    successors: [manager]
separation:
- key: apart
  name: Apart
  never_together: [apollo/general,
    apollo/ops]
`
	if _, err := Parse(File{Name: "p.yaml", Source: good}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ old, new, want string }{
		"too little":         {"    channels:", "   channels:", "p.yaml:5:4: this line begins in a column in which nothing of what is above it can go on (let it begin in column 5, as line 4, or in column 3, as line 3)"},
		"too much":           {"    name: Apollo", "     name: Apollo", "p.yaml:4:6: this line begins in a column in which nothing of what is above it can go on (let it begin in column 5, as line 3)"},
		"below a value":      {"    channels:", "      channels:", "p.yaml:5:7: this line begins in a column in which nothing of what is above it can go on (let it begin in column 5, as line 4)"},
		"an entry":           {"      - key: ops", "     - key: ops", "p.yaml:7:6: this line begins in a column in which nothing of what is above it can go on (let it begin in column 7, as line 6, or in column 5, as line 5)"},
		"a key of an entry":  {"        name: 'Oper''s'", "       name: 'Oper''s'", "p.yaml:8:8: this line begins in a column in which nothing of what is above it can go on (let it begin in column 9, as line 7, or in column 7, as line 7)"},
		"after a block":      {"      - {key: more", "     - {key: more", "p.yaml:15:6: this line begins in a column in which nothing of what is above it can go on (let it begin in column 7, as line 10, or in column 5, as line 9)"},
		"no dash":            {"    successors: [manager]", "  successors: [manager]", `p.yaml:16:3: this line begins in a column in which nothing of what is above it can go on (let it begin in column 5, as line 9, or in column 3, as line 3)`},
		"in the last part":   {"  never_together: [apollo/general,", " never_together: [apollo/general,", "p.yaml:20:2: this line begins in a column in which nothing of what is above it can go on (let it begin in column 3, as line 19, or in column 1, as line 18)"},
		"a tab":              {"    name: Apollo", "\tname: Apollo", "p.yaml:4:1: a tab stands before the text (YAML is indented by spaces)"},
		"a bracket":          {"name: General}", "name: General]", "p.yaml:6:37: ']' closes nothing that is open ('{' of line 6, column 9 is closed first)"},
		"no bracket":         {"    apollo/ops]", "    apollo/ops", "p.yaml:20:19: '[' is opened here and not closed (close it with ']')"},
		"no quote":           {`'person.title == "Head"'`, `'person.title == "Head"`, "p.yaml:15:40: a text in quotes begins here and does not end (end it with the same quote)"},
		"a colon":            {"name: Apollo\n", "name: Apollo: all\n", `p.yaml:4:5: mapping values are not allowed in this context (a text with ": " in it stands in quotes)`},
		"no colon":           {"name: Apollo\n", "name Apollo\n", `p.yaml:4:5: could not find expected ':' (a key is followed by ": ")`},
		"a sign":             {"name: Apollo\n", "name: @Apollo\n", `p.yaml:4:5: found character that cannot start any token (a text that begins so stands in quotes)`},
		"another apiVersion": {"rollcall/v1", "rollcall/v2", `p.yaml:1:13: apiVersion "rollcall/v2" is not one that is known (write apiVersion: rollcall/v1)`},
		"a successor":        {"[manager]", "[boss]", `p.yaml:16:18: unknown successor "boss" (a successor is manager, {member: ROLE} or {person: NUMBER})`},
		"almost a successor": {"[manager]", "[mangaer]", `p.yaml:16:18: unknown successor "mangaer" (did you mean "manager"?)`},
		"a role":             {"[manager]", "[owner]", `p.yaml:16:18: unknown successor "owner" (did you mean {member: owner}?)`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatal(what)
		}
		for end, text := range map[string]string{"": text, " with the ends of lines of Windows": strings.ReplaceAll(text, "\n", "\r\n")} {
			if _, err := Parse(File{Name: "p.yaml", Source: text}); err == nil || err.Error() != c.want {
				t.Errorf("%s%s: %v, want %s", what, end, err, c.want)
			}
		}
	}
}

// What YAML takes the layout has nothing against.
func TestLayoutTakesYAML(t *testing.T) {
	files, err := filepath.Glob("../examples/policies/*.yaml")
	stories, more := filepath.Glob("../cmd/rollcall/testdata/script/*.txtar")
	if err != nil || more != nil || len(files) == 0 || len(stories) == 0 {
		t.Fatal(len(files), len(stories), err, more)
	}
	n := 0
	for _, name := range append(files, stories...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n-- ") {
			_, source, _ := strings.Cut(part, "\n")
			if !strings.HasPrefix(source, "apiVersion: rollcall/v1") {
				continue
			}
			r := &reader{file: name, lines: strings.Split(source, "\n")}
			if n++; r.misplaced() != nil {
				t.Errorf("%s: %v", name, r.misplaced())
			}
		}
	}
	if n < 50 {
		t.Errorf("looked at %d policies", n)
	}
}
