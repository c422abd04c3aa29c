package policies

import (
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// truth is what a part of a condition is: an error, as of a label that somebody does not have, takes part in && and || as CEL says.
type truth int8

const (
	no truth = iota
	yes
	unknown
)

func truthOf(is bool) truth {
	if is {
		return yes
	}
	return no
}

// plain is a condition that needs no interpreter: comparisons of texts, membership in lists, and what joins them. Most rules are plain.
// It answers what CEL would; a test holds the two together.
type plain func(s *Subject, bound map[string]any) truth

// plainly makes an expression plain; nil where it is more than that.
func plainly(e ast.Expr) plain {
	if e.Kind() == ast.LiteralKind {
		if is, ok := e.AsLiteral().Value().(bool); ok {
			return func(*Subject, map[string]any) truth { return truthOf(is) }
		}
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := e.AsCall().Args()
	if e.AsCall().IsMemberFunction() {
		return tested(e.AsCall())
	}
	switch name := e.AsCall().FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		a, b := plainly(args[0]), plainly(args[1])
		if a == nil || b == nil {
			return nil
		}
		decides := no
		if name == operators.LogicalOr {
			decides = yes
		}
		return func(s *Subject, bound map[string]any) truth {
			left := a(s, bound)
			if left == decides {
				return left
			}
			if right := b(s, bound); right == decides || left != unknown {
				return right
			}
			return unknown
		}
	case operators.LogicalNot:
		if a := plainly(args[0]); a != nil {
			return func(s *Subject, bound map[string]any) truth {
				switch a(s, bound) {
				case yes:
					return no
				case no:
					return yes
				}
				return unknown
			}
		}
	case operators.Equals, operators.NotEquals:
		a, b := textOf(args[0]), textOf(args[1])
		if a == nil || b == nil {
			return nil
		}
		return func(s *Subject, bound map[string]any) truth {
			left, has := a(s, bound)
			right, also := b(s, bound)
			if !has || !also {
				return unknown
			}
			return truthOf((left == right) == (name == operators.Equals))
		}
	case operators.In:
		a, list := textOf(args[0]), listOf(args[1])
		if a == nil || list == nil {
			return nil
		}
		return func(s *Subject, bound map[string]any) truth {
			one, has := a(s, bound)
			if !has {
				return unknown
			}
			return truthOf(slices.Contains(list(s, bound), one))
		}
	}
	return nil
}

// tested makes a question about one text plain: what it begins with, ends with, contains or looks like.
func tested(call ast.CallExpr) plain {
	if len(call.Args()) != 1 {
		return nil
	}
	a, b := textOf(call.Target()), textOf(call.Args()[0])
	var test func(a, b string) bool
	switch call.FunctionName() {
	case "startsWith":
		test = strings.HasPrefix
	case "endsWith":
		test = strings.HasSuffix
	case "contains":
		test = strings.Contains
	case "matches":
		text, fixed := literal(call.Args()[0])
		pattern, err := regexp.Compile(text)
		if !fixed || err != nil {
			return nil
		}
		test = func(a, _ string) bool { return pattern.MatchString(a) }
	}
	if a == nil || b == nil || test == nil {
		return nil
	}
	return func(s *Subject, bound map[string]any) truth {
		left, has := a(s, bound)
		right, also := b(s, bound)
		if !has || !also {
			return unknown
		}
		return truthOf(test(left, right))
	}
}

// textOf answers the text that an expression is of a subject; nil where it is no such text.
func textOf(e ast.Expr) func(*Subject, map[string]any) (string, bool) {
	if text, ok := literal(e); ok {
		return func(*Subject, map[string]any) (string, bool) { return text, true }
	}
	if e.Kind() == ast.IdentKind && inQuotes.MatchString(e.AsIdent()) {
		name := e.AsIdent()
		return func(_ *Subject, bound map[string]any) (string, bool) {
			text, ok := bound[name].(string)
			return text, ok
		}
	}
	if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
		return nil
	}
	name, _ := attribute(e)
	if label, is := strings.CutPrefix(name, "labels."); is {
		return func(s *Subject, _ map[string]any) (string, bool) {
			v, has := s.Labels[label]
			return v, has
		}
	}
	if !single(name) {
		return nil
	}
	return func(s *Subject, _ map[string]any) (string, bool) { return s.text(name) }
}

// listOf answers the list that an expression is of a subject.
func listOf(e ast.Expr) func(*Subject, map[string]any) []string {
	if e.Kind() == ast.IdentKind && inQuotes.MatchString(e.AsIdent()) {
		name := e.AsIdent()
		return func(_ *Subject, bound map[string]any) []string {
			list, _ := bound[name].([]string)
			return list
		}
	}
	if e.Kind() == ast.ListKind {
		var fixed []string
		for _, element := range e.AsList().Elements() {
			text, ok := literal(element)
			if !ok {
				return nil
			}
			fixed = append(fixed, text)
		}
		return func(*Subject, map[string]any) []string { return fixed }
	}
	switch name, _ := attribute(e); name {
	case "unit.path", "groups", "managers":
		return func(s *Subject, _ map[string]any) []string { return s.values(name) }
	}
	return nil
}
