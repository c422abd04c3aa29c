package policies

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const apollo = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - key: general
        name: {en: General, zh: 综合}
        labels: [internal]
        access: {vendor: read}
    rules:
      - key: rnd
        role: participant
        when: person.department == "R&D" && within("rnd")
      - key: leads
        role: owner
        when: |
          person.title.startsWith("Director")
            && "hr/leads" in person.groups
      - key: site
        role: collaborator
        when: person.labels["site"] == "shanghai"
guard: {absence: {people: 3}}
`

func parse(src string) (*Policy, error) { return Parse(File{"p.yaml", src}) }

func TestEvaluate(t *testing.T) {
	p, err := parse(apollo)
	if err != nil {
		t.Fatal(err)
	}
	if p.Guard.Absence != (Limit{People: 3, Percent: 2}) || p.Guard.Cleanup != (Limit{People: 10, Percent: 5}) {
		t.Errorf("guard %+v", p.Guard)
	}
	want := map[Role]Access{Owner: Manage, Participant: Post, Collaborator: Post, Vendor: Read}
	if diff := cmp.Diff(want, p.Groups[0].Channels[0].Access); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct {
		subject Subject
		want    []Wanted
	}{
		"nobody":      {Subject{}, nil},
		"in the unit": {Subject{Department: "R&D", UnitPath: []string{"u7", "rnd", "root"}}, []Wanted{{"apollo", Participant, "rnd", ""}}},
		"other unit":  {Subject{Department: "R&D", UnitPath: []string{"sales"}}, nil},
		"two reasons": {Subject{Department: "R&D", UnitPath: []string{"rnd"}, Title: "Director, R&D", Groups: []string{"hr/leads"}},
			[]Wanted{{"apollo", Participant, "rnd", ""}, {"apollo", Owner, "leads", ""}}},
		"label": {Subject{Labels: map[string]string{"site": "shanghai"}}, []Wanted{{"apollo", Collaborator, "site", ""}}},
	} {
		got, err := p.Evaluate(c.subject)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got.Wanted); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Every mistake is answered with its place and, where it can be told, what to do.
func TestSyntaxErrors(t *testing.T) {
	in := func(old, new string) string { return strings.Replace(apollo, old, new, 1) }
	for name, c := range map[string]struct{ src, want string }{
		"empty":            {"", "p.yaml:1:1: file is empty (begin with apiVersion: rollcall/v1)"},
		"broken yaml":      {"apiVersion: rollcall/v1\n  groups: [", "p.yaml:2:3: this line begins in a column in which nothing of what is above it can go on (let it begin in column 1, as line 1)"},
		"version":          {in("rollcall/v1", "rollcall/v2"), `p.yaml:1:13: apiVersion "rollcall/v2" is not one that is known (write apiVersion: rollcall/v1)`},
		"no version":       {in("apiVersion: rollcall/v1\n", ""), `p.yaml:1:1: apiVersion is missing (begin with apiVersion: rollcall/v1)`},
		"unknown key":      {in("channels:", "chanels:"), `p.yaml:5:5: unknown key "chanels" (did you mean "channels"?)`},
		"twice":            {in("    rules:", "    key: b\n    rules:"), `p.yaml:10:5: key "key" stands twice`},
		"bad key":          {in("key: apollo", "key: Apollo 1"), `p.yaml:3:10: key "Apollo 1" is not valid (a key is a-z, 0-9 and '-', at most 63, and never changes)`},
		"bad role":         {in("role: participant", "role: member"), `p.yaml:12:15: "member" is not one of owner, participant, collaborator, vendor (known: owner, participant, collaborator, vendor)`},
		"unknown field":    {in("person.department", "person.departmnt"), `p.yaml:13:21: undefined field 'departmnt' (did you mean "department"?)`},
		"unknown variable": {in("person.department", "user.department"), `p.yaml:13:15: undeclared reference to 'user' (known: person, unit, within, reports_to, after, before, date, days)`},
		"not a condition":  {in(`person.department == "R&D" && within("rnd")`, "person.department"), `p.yaml:13:15: rule must be true or false, this one is string`},
		"block text":       {in(`"hr/leads" in person.groups`, `"hr/leads" in person.grups`), `p.yaml:18:36: undefined field 'grups' (did you mean "groups"?)`},
		"negative limit":   {in("people: 3", "people: -3"), `p.yaml:22:27: wants a whole number from 0`},
		"folded":           {in("when: person.department == \"R&D\" && within(\"rnd\")", "when: >-\n          person.department == \"R&D\"\n          && within(\"rnd\") && person.grups == []"), `p.yaml:15:37: undefined field 'grups' (did you mean "groups"?)`},
		"double quotes":    {in("when: person.department == \"R&D\" && within(\"rnd\")", `when: "person.department == \"R&D\" && person.grups == []"`), `p.yaml:13:54: undefined field 'grups' (did you mean "groups"?)`},
		"second document":  {apollo + "---\napiVersion: rollcall/v1\n", `p.yaml:23:1: a second document begins here (a policy of several parts is several files)`},
		"not text":         {"\xff\xfe", `p.yaml:1:1: file is not UTF-8 text`},
		"alias":            {"apiVersion: rollcall/v1\ngroups: &a []\nguard: *a\n", `p.yaml:3:8: aliases are not part of the language (write the value out, or make a template)`},
	} {
		_, err := Parse(File{"p.yaml", c.src})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
		if s := (*SyntaxError)(nil); !errors.As(err, &s) {
			t.Errorf("%s: not a SyntaxError", name)
		}
	}
}

// A comprehension nested over a list is stopped by its cost, not by patience.
//
// holds: attack console-02
func TestCostBomb(t *testing.T) {
	bomb := "person.groups.all(a, person.groups.all(b, person.groups.all(c, person.groups.all(d, a + b + c + d != 'x'))))"
	p, err := parse(strings.Replace(apollo, `person.department == "R&D" && within("rnd")`, bomb, 1))
	if err != nil {
		t.Fatal(err)
	}
	groups := make([]string, 200)
	for i := range groups {
		groups[i] = "hr/g"
	}
	begin := time.Now()
	if _, err = p.Evaluate(Subject{Groups: groups}); !errors.Is(err, ErrCost) || !strings.Contains(err.Error(), "apollo/rnd") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// Files make one policy, in whatever order; what may stand once stands in one of them.
func TestSeveralFiles(t *testing.T) {
	zeus := strings.Replace(strings.Replace(apollo, "key: apollo", "key: zeus", 1), "guard: {absence: {people: 3}}", "", 1)
	a, b := File{"a.yaml", apollo}, File{"b.yaml", zeus}
	one, err := Parse(a, b)
	if err != nil || len(one.Groups) != 2 || one.Guard.Absence.People != 3 {
		t.Fatalf("%+v, %v", one, err)
	}
	other, err := Parse(b, a)
	if err != nil || other.Hash() != one.Hash() {
		t.Errorf("the order of files changed the hash: %v", err)
	}
	for _, c := range []struct {
		second File
		want   string
	}{
		{File{"b.yaml", apollo}, `b.yaml:3:5: group "apollo" stands twice (first in a.yaml:3)`},
		{File{"b.yaml", "apiVersion: rollcall/v1\nguard: {move: {people: 9}}\n"}, `b.yaml:2:8: guard stands twice (first in a.yaml:22)`},
	} {
		if _, err := Parse(a, c.second); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	commented, err := parse("# a comment\n" + strings.Replace(apollo, "{en: Apollo, zh: 阿波罗}", "{zh: 阿波罗, en: Apollo}", 1))
	alone, err2 := parse(apollo)
	if err != nil || err2 != nil || commented.Hash() != alone.Hash() {
		t.Errorf("formatting changed the hash: %v", err)
	}
	if alone.Hash() == one.Hash() {
		t.Error("two policies with one hash")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(apollo))
	f.Add([]byte(projects))
	f.Add([]byte(apart))
	f.Add([]byte("apiVersion: rollcall/v1\ngroups: [{key: a, name: b, rules: [{key: c, role: owner, when: \"1 == 1\"}]}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := Parse(File{"f.yaml", string(src)})
		if (p == nil) == (err == nil) {
			t.Fatalf("policy %v, error %v", p, err)
		}
		if p != nil {
			p.Hash()
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	p, err := parse(apollo)
	if err != nil {
		b.Fatal(err)
	}
	s := Subject{Department: "R&D", UnitPath: []string{"rnd"}, Title: "Director", Groups: []string{"hr/leads"}}
	for b.Loop() {
		if _, err := p.Evaluate(s); err != nil {
			b.Fatal(err)
		}
	}
}
