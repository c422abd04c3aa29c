package policies

import (
	"strings"
	"testing"
)

// Comments that name somebody go, and nothing else does: not in a text, not in a block, not a comment that names nobody.
func TestWithoutComments(t *testing.T) {
	const text = "# asked by qanari\ngroups: # of Qanari\n  - key: a # plain\n    name: {en: '# qanari', zh: \"x # qanari\"} # x # qanari's\n    when: |\n      # qanari in a text\n      true\n"
	const want = "#\ngroups: #\n  - key: a # plain\n    name: {en: '# qanari', zh: \"x # qanari\"} #\n    when: |\n      # qanari in a text\n      true\n"
	says := func(s string) bool { return strings.Contains(strings.ToLower(s), "qanari") }
	if got := WithoutComments(File{Name: "p.yaml", Source: text}, says).Source; got != want {
		t.Errorf("%s", got)
	}
	if got := WithoutComments(File{Name: "p.yaml", Source: strings.ReplaceAll(text, "\n", "\r\n")}, says).Source; got != strings.ReplaceAll(want, "\n", "\r\n") {
		t.Errorf("%q", got)
	}
	if got := WithoutComments(File{Source: "a: [\n# qanari\nb: 'x' # qanari\n"}, says).Source; got != "a: [\n#\nb: 'x' # qanari\n" {
		t.Errorf("unreadable: %q", got)
	}
}
