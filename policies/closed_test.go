package policies

import (
	"slices"
	"strings"
	"testing"
)

const closable = `apiVersion: rollcall/v1
groups:
  - key: apollo
    name: {en: Apollo}
    channels: [{key: pad, name: {en: Pad}}]
    rules: [{key: all, role: participant, when: "true"}]
  - key: zeus
    name: {en: Zeus}
    channels: [{key: sky, name: {en: Sky}}]
    rules: [{key: all, role: participant, when: "true"}]
separation:
  - {key: apart, name: {en: Apart}, never_together: [apollo, zeus]}
`

// A group that is closed is not in the policy, whatever else names it; files that say nothing of it differ from those that say that none is.
func TestClosed(t *testing.T) {
	parse := func(files ...string) *Policy {
		t.Helper()
		var list []File
		for i, text := range files {
			list = append(list, File{Name: string(rune('a' + i)), Source: text})
		}
		p, err := Parse(list...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const close = "apiVersion: rollcall/v1\nclosed: "
	p := parse(closable)
	if p.Closed != nil || p.Group("apollo") == nil {
		t.Errorf("nothing is said: %v", p.Closed)
	}
	if q := parse(closable, close+"[]\n"); q.Closed == nil || len(q.Groups) != 2 || q.Hash() != p.Hash() {
		t.Errorf("none is closed: %v", q.Closed)
	}
	q := parse(closable, close+"[zeus, apollo]\n", close+"[gone, zeus]\n")
	if !slices.Equal(q.Closed, []string{"apollo", "gone", "zeus"}) || len(q.Groups) != 0 {
		t.Errorf("two are closed: %v, %d groups", q.Closed, len(q.Groups))
	}
	q = parse(closable, close+"[apollo]\n")
	judged, _ := q.Evaluate(Subject{})
	if q.Group("apollo") != nil || q.Group("zeus") == nil || len(judged.Wanted) != 1 || judged.Wanted[0].Group != "zeus" || q.Hash() == p.Hash() {
		t.Errorf("one is closed: %+v", judged.Wanted)
	}
	if d := Diff(p, q); !slices.ContainsFunc(d, func(d Difference) bool { return d.Op == "remove" && d.Kind == "group" && d.Name == "apollo" }) {
		t.Errorf("it does not say so: %+v", d)
	}
	if _, err := Parse(File{Name: "a", Source: closable}, File{Name: "b", Source: close + "[Apollo!]\n"}); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("a key that is none: %v", err)
	}
}
