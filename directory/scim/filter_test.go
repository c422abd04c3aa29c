package scim

import (
	"errors"
	"os"
	"strings"
	"testing"

	scimerrors "github.com/elimity-com/scim/errors"
)

func TestFilterDialects(t *testing.T) {
	for _, tc := range []struct{ kind, in, want string }{
		{"User", `userName eq "wei@example.com"`, `userName eq "wei@example.com"`},
		{"User", `USERNAME Eq "x"`, `userName eq "x"`},
		{"User", `userName  eq	"x"`, `userName eq "x"`},
		{"User", `userName eq"x"`, `userName eq "x"`},
		{"User", `userName eq 'x y'`, `userName eq "x y"`},
		{"User", `userName eq "x"&`, `userName eq "x"`},
		{"User", `userName eq "x"?`, `userName eq "x"`},
		{"User", `userName eq "a;b & (c) [d] \"e\" \\ \u5f20\u4F1F"`, `userName eq "a;b & (c) [d] \"e\" \\ 张伟"`},
		{"User", `emails[type eq "work"].value eq "x@y"`, `emails[type eq "work" and value eq "x@y"]`},
		{"User", `emails[type eq work].value eq x@y.cn`, `emails[type eq "work" and value eq "x@y.cn"]`},
		{"User", `emails[type eq "work" or (primary eq "True" and value co "x")].value pr`, `emails[(type eq "work" or (primary eq true and value co "x")) and value pr]`},
		{"User", `emails[type eq "work" and value co "@y" and primary eq true]`, `emails[type eq "work" and value co "@y" and primary eq true]`},
		{"User", `id eq lnk_1 and manager eq lnk_2`, `id eq "lnk_1" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "lnk_2"`},
		{"User", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department sw "R&D"`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department sw "R&D"`},
		{"User", `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x"`, `userName eq "x"`},
		{"User", `employeeNumber eq 0701984`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "0701984"`},
		{"User", `active eq "False" or active ne TRUE`, `active eq false or active ne true`},
		{"User", `title eq null`, `not (title pr)`},
		{"User", `title ne null`, `title pr`},
		{"User", `roles eq ""`, `not (roles.value pr)`},
		{"User", `emails[type ne "" and display co ""]`, `emails[type pr and display co ""]`},
		{"User", `not(not (title pr))`, `title pr`},
		{"User", `meta.lastModified gt "2026-01-02T03:04:05+08:00"`, `meta.lastModified gt "2026-01-01T19:04:05Z"`},
		{"User", `(userName sw "a" and userName ew "z") or (active eq true)`, `(userName sw "a" and userName ew "z") or active eq true`},
		{"User", `userName eq "a" or userName eq "b" or userName eq "c"`, `userName eq "a" or userName eq "b" or userName eq "c"`},
		{"User", `groups eq "dgr_1"`, `groups.value eq "dgr_1"`},
		{"Group", `members eq "x"`, `members.value eq "x"`},
		{"Group", `id eq "g" and members[value eq "x"]`, `id eq "g" and members[value eq "x"]`},
		{"Group", `displayName eq "研发部"`, `displayName eq "研发部"`},
	} {
		e, err := kindNamed(tc.kind).parseFilter(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if got := e.String(); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.in, got, tc.want)
		}
		again, err := kindNamed(tc.kind).parseFilter(e.String())
		if err != nil || again.String() != e.String() {
			t.Errorf("%s: not stable: %s, %v", e, again, err)
		}
		if _, err := kindNamed(tc.kind).compile(e); err != nil {
			t.Errorf("%s: compile: %v", e, err)
		}
	}
}

func kindNamed(name string) *kind {
	if name == "Group" {
		return groupKind()
	}
	return userKind()
}

// fuzzKinds are the resource types that stages are fuzzed with: those built in and one from configuration.
func fuzzKinds(t testing.TB) []*kind {
	t.Helper()
	definitions, err := LoadDefinitions(os.DirFS("testdata/custom"))
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := definitions.kinds()
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// holds: attack scim-04
func TestFilterRefused(t *testing.T) {
	user := userKind() // made once, as a Handler does
	for _, in := range []string{
		``, ` `, `userName`, `userName eq`, `eq "x"`, `userName xx "x"`, `userName eq "x`, `userName eq 'x`, `userName eq "x" and`,
		`userName eq "x" userName eq "y"`, `(userName eq "x"`, `userName eq "x")`, `emails[type eq "work"`, `emails[type eq "work"]]`,
		`emails[emails[type eq "work"]]`, `bogus eq "x"`, `emails.bogus eq "x"`, `emails[bogus eq "x"]`, `urn:unknown:x eq "y"`, `password eq "x"`,
		`active eq "banana"`, `active gt true`, `active co "t"`, `meta.created eq "yesterday"`, `meta.created co "2026"`, `name eq "x"`,
		`title gt null`, `title[value eq "x"]`, `userName.x eq "y"`, `userName eq "\x"`, "userName eq \"a\x00b\"", "userName eq \"\xff\"",
		`userName eq "\u0000"`, `members[value eq "x"].../../`, strings.Repeat("(", 10000) + `userName eq "x"` + strings.Repeat(")", 10000),
		strings.Repeat("(", 4000) + `id pr` + strings.Repeat(")", 4000), strings.Repeat("not (", 60) + `userName eq "x"` + strings.Repeat(")", 60), `userName eq "` + strings.Repeat("x", 9000) + `"`,
		strings.Repeat(`a pr and `, 900) + `a pr`, strings.Repeat("a", 8000) + ` pr`, `not userName eq "x"`, `)(`, `[]`, `and`, `userName pr pr`,
		`schemas[value eq "x"]`, `userName eq (x)`,
	} {
		_, err := user.parseFilter(in)
		// What is allocated stands for the work: a clock would measure what else the machine does.
		if n := testing.AllocsPerRun(1, func() { _, _ = user.parseFilter(in) }); n > float64(len(in))+5000 {
			t.Errorf("%.40q of %d bytes takes %v allocations", in, len(in), n)
		}
		var known scimerrors.ScimError
		if !errors.As(err, &known) || known.ScimType != scimerrors.ScimTypeInvalidFilter || known.Status != 400 {
			t.Errorf("%.60q: answered %v", in, err)
		}
	}
}

func TestFilterNotCompiled(t *testing.T) {
	for _, in := range []string{`meta.version eq "1"`, `groups[type eq "direct"]`, `groups[value eq "a" and value eq "b"]`, `schemas co "enterprise"`, `manager.displayName eq "x"`} {
		e, err := userKind().parseFilter(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if _, err := userKind().compile(e); err == nil {
			t.Errorf("%s: compiled", in)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`userName eq "x"`, `emails[type eq work].value eq x@y`, `not (a eq 'b') or id pr`, `members eq "x"`, `((((`, `a eq "\u00e9\""`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "x"`, `emails[(type eq "work") or not (primary eq true)]`, "a eq \"\x00", `active eq False and meta.created gt "2026-01-01T00:00:00Z"`,
		`tags[value sw "a"] or bought le "2026-01-02T03:04:05.123456+08:00"`, `interfaces[seen ge "2026-03-01T00:00:00" and not (primary eq true)].type pr and price lt 1e3`, `URN:example:params:scim:schemas:extension:asset:1.0:DEVICE:number ne null`} {
		f.Add(seed)
	}
	kinds := fuzzKinds(f)
	f.Fuzz(func(t *testing.T, in string) {
		for _, k := range kinds {
			e, err := k.parseFilter(in)
			if err != nil {
				mustRefuse(t, err)
				continue
			}
			again, err := k.parseFilter(e.String())
			if err != nil && len(e.String()) <= maxFilterBytes && strings.Count(e.String(), "(")+strings.Count(e.String(), "[") <= maxFilterDepth {
				t.Fatalf("%q became %q: %v", in, e, err)
			}
			if err == nil && again.String() != e.String() {
				t.Fatalf("%q became %q, then %q", in, e, again)
			}
			if _, err := k.compile(e); err != nil {
				mustRefuse(t, err)
			}
		}
	})
}

// mustRefuse holds an error to being an answer of 4xx.
func mustRefuse(t *testing.T, err error) {
	t.Helper()
	var known scimerrors.ScimError
	if !errors.As(err, &known) || known.Status < 400 || known.Status >= 500 {
		t.Fatalf("not an answer of 4xx: %v", err)
	}
}
