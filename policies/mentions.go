package policies

import (
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"go.yaml.in/yaml/v3"
)

// MentionKind says what a policy mentions by a name that is data.
type MentionKind string

// What is mentioned.
const (
	MentionUnit      MentionKind = "unit"      // by key or name
	MentionGroup     MentionKind = "group"     // a directory group, as "<source>/<group>"
	MentionPerson    MentionKind = "person"    // by employee number, user name or id
	MentionApprover  MentionKind = "approver"  // by employee number or user name
	MentionSuccessor MentionKind = "successor" // likewise
)

// Mention is something that a policy names and that only a directory can know. Line and Column count from 1; of what a parameter of a template gives they are those of the template.
type Mention struct {
	Kind         MentionKind
	Value        string
	File         string
	Line, Column int
}

// Mentions answers what the policy names, in the order of the files, each place once.
func (p *Policy) Mentions() []Mention { return slices.Clone(p.mentions) }

// mention is a Mention at a place inside an expression, as a fault is.
type mention struct {
	kind MentionKind
	anchor
	line, column int
}

// mentionsOf finds what an expression compares with names of units, groups and people.
func mentionsOf(root *ast.AST) []mention {
	var out []mention
	add := func(kind MentionKind, e ast.Expr) {
		at := root.SourceInfo().GetStartLocation(e.ID())
		if named, ok := value(e); ok {
			out = append(out, mention{kind, named, max(at.Line(), 1), max(at.Column(), 0)})
		}
	}
	each := func(kind MentionKind, e ast.Expr) {
		if e.Kind() != ast.ListKind {
			add(kind, e)
			return
		}
		for _, one := range e.AsList().Elements() {
			add(kind, one)
		}
	}
	ast.PreOrderVisit(root.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		a, b := e.AsCall().Args()[0], e.AsCall().Args()[1]
		switch e.AsCall().FunctionName() {
		case operators.In:
			if kind := namedIn(b); kind != "" {
				each(kind, a)
			} else if kind := namedBy(a); kind != "" {
				each(kind, b)
			}
		case operators.Equals:
			for _, side := range [][2]ast.Expr{{a, b}, {b, a}} {
				if kind := namedBy(side[0]); kind != "" {
					add(kind, side[1])
				}
			}
		}
	}))
	return out
}

// namedIn answers what a list is of.
func namedIn(e ast.Expr) MentionKind {
	switch name, _ := attribute(e); name {
	case "unit.path":
		return MentionUnit
	case "groups":
		return MentionGroup
	case "managers":
		return MentionPerson
	}
	if ofAffiliation(e, "path") {
		return MentionUnit
	}
	return ""
}

// namedBy answers what a text names.
func namedBy(e ast.Expr) MentionKind {
	switch name, _ := attribute(e); name {
	case "unit.key", "unit.name":
		return MentionUnit
	case "manager":
		return MentionPerson
	}
	if ofAffiliation(e, "unit") {
		return MentionUnit
	}
	return ""
}

// ofAffiliation tells whether an expression is a field of what runs through affiliations.
func ofAffiliation(e ast.Expr, field string) bool {
	if e.Kind() != ast.SelectKind || e.AsSelect().FieldName() != field {
		return false
	}
	of := e.AsSelect().Operand()
	return of.Kind() == ast.IdentKind && of.AsIdent() != "person" && of.AsIdent() != "unit"
}

// mentioned notes what an expression at n names, with the parameters it was given.
func (r *reader) mentioned(n *yaml.Node, list []mention) {
	if r.mentions == nil || r.trial {
		return
	}
	for _, m := range list {
		values := []string{m.Value}
		if m.parameter != "" {
			switch v := r.parameters[m.parameter].(type) {
			case string:
				values = []string{v}
			case []string:
				values = v
			}
		}
		at := r.inExpression(n, &fault{line: m.line, column: m.column})
		for _, value := range values {
			r.mention(m.kind, value, at.Line, at.Column)
		}
	}
}

// mention notes one name.
func (r *reader) mention(kind MentionKind, value string, line, column int) {
	if m := (Mention{kind, value, r.file, line, column}); value != "" && r.mentions != nil && !r.trial && !slices.Contains(*r.mentions, m) {
		*r.mentions = append(*r.mentions, m)
	}
}
