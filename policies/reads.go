package policies

import (
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// Reads is what a condition depends on; what is not among it can change without changing its answer. It may name too much, never too little.
type Reads struct {
	Attributes []string // sorted: "department", "labels.site" or "labels" for any of them, "groups", "managers", "unit.path", "affiliations", …; "person" or "unit" for all of it
	Time       bool     // the present, too
}

// Anchor is one value of one attribute, named as in Reads. Of "unit.path", "groups" and "managers" it is one of the values.
type Anchor struct{ Attribute, Value string }

// anchor is an Anchor whose value a parameter of a template may give.
type anchor struct {
	Anchor
	parameter string
}

// condition is a compiled expression with the parameters it was given. The zero value is true for nobody.
type condition struct {
	program *program
	bound   map[string]any // by the name in the expression
	anchors []Anchor
	at      string // file:line:column of the expression
}

// Reads answers what the condition depends on.
func (c condition) Reads() Reads {
	if c.program == nil {
		return Reads{}
	}
	return c.program.reads
}

// Anchors answers values of which everybody for whom the condition is true has at least one. bounded is false
// where the expression sets no such bound: then it must be asked for everybody.
func (c condition) Anchors() (anchors []Anchor, bounded bool) {
	return c.anchors, c.program == nil || c.program.bounded
}

// bind fills in parameters; each is a string or a []string.
func (p *program) bind(values map[string]any) condition {
	c := condition{program: p}
	for _, a := range p.anchors {
		if a.parameter == "" {
			c.anchors = append(c.anchors, a.Anchor)
			continue
		}
		switch v := values[a.parameter].(type) {
		case string:
			c.anchors = append(c.anchors, Anchor{a.Attribute, v})
		case []string:
			for _, one := range v {
				c.anchors = append(c.anchors, Anchor{a.Attribute, one})
			}
		}
	}
	if len(values) > 0 {
		c.bound = make(map[string]any, len(values))
		for name, v := range values {
			c.bound[parameterBefore+name+parameterAfter] = v
		}
	}
	return c
}

// readsOf walks an expression. Macros are expanded in it.
func readsOf(root ast.Expr) Reads {
	var out Reads
	add := func(name string) {
		if !slices.Contains(out.Attributes, name) {
			out.Attributes = append(out.Attributes, name)
		}
	}
	inner := map[int64]bool{} // part of a path that was taken as a whole
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if name, parts := attribute(e); name != "" && !inner[e.ID()] {
			add(name)
			for _, part := range parts {
				inner[part] = true
			}
		}
		if e.Kind() != ast.IdentKind || inner[e.ID()] {
			return
		}
		switch e.AsIdent() {
		case clockName:
			out.Time = true
		case "person", "unit": // as a whole
			add(e.AsIdent())
		}
	}))
	slices.Sort(out.Attributes)
	return out
}

// attribute answers which attribute an expression is, and the ids of its parts; "" where it is none.
func attribute(e ast.Expr) (string, []int64) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		of := s.Operand()
		if of.Kind() == ast.IdentKind && of.AsIdent() == "person" {
			return s.FieldName(), []int64{of.ID()}
		}
		if of.Kind() == ast.IdentKind && of.AsIdent() == "unit" {
			return "unit." + s.FieldName(), []int64{of.ID()}
		}
		if name, parts := attribute(of); name == "labels" {
			return "labels." + s.FieldName(), append(parts, of.ID())
		}
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != operators.Index || len(c.Args()) != 2 {
			return "", nil
		}
		name, parts := attribute(c.Args()[0])
		if key, ok := literal(c.Args()[1]); ok && name == "labels" {
			return "labels." + key, append(parts, c.Args()[0].ID())
		}
	}
	return "", nil
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().Value().(string)
	return text, ok
}

// value answers the text or the parameter that an expression is.
func value(e ast.Expr) (anchor, bool) {
	if text, ok := literal(e); ok {
		return anchor{Anchor: Anchor{Value: text}}, true
	}
	if e.Kind() == ast.IdentKind {
		if name := e.AsIdent(); inQuotes.MatchString(name) {
			return anchor{parameter: name[len(parameterBefore) : len(name)-len(parameterAfter)]}, true
		}
	}
	return anchor{}, false
}

// anchorsOf answers values of which everybody for whom the expression is true has one.
func anchorsOf(e ast.Expr) ([]anchor, bool) {
	if e.Kind() != ast.CallKind {
		return nil, false
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd:
		a, left := anchorsOf(args[0])
		b, right := anchorsOf(args[1])
		if !left || right && rarity(b) < rarity(a) {
			return b, right
		}
		return a, left
	case operators.LogicalOr:
		a, left := anchorsOf(args[0])
		b, right := anchorsOf(args[1])
		return append(slices.Clone(a), b...), left && right
	case operators.Equals:
		for i := range args {
			name, _ := attribute(args[i])
			if v, ok := value(args[1-i]); ok && single(name) {
				v.Attribute = name
				return []anchor{v}, true
			}
		}
	case operators.In:
		if name, _ := attribute(args[1]); name == "unit.path" || name == "groups" || name == "managers" {
			if v, ok := value(args[0]); ok {
				v.Attribute = name
				return []anchor{v}, true
			}
		}
		return members(args[0], args[1])
	}
	return nil, false
}

// rarity guesses how many people have one of these: the less, the fewer have to be looked at.
func rarity(anchors []anchor) int {
	sum := 0
	for _, a := range anchors {
		switch a.Attribute {
		case "id", "user_name", "email", "employee_number":
			sum++
		case "managers", "manager", "groups", "unit.key", "unit.name", "unit.path":
			sum += 10
		case "department", "cost_center":
			sum += 20
		case "employee_type", "company", "locale", "time_zone", "organization":
			sum += 1000
		default:
			sum += 100
		}
	}
	return sum
}

// members reads an attribute that is one of a list.
func members(e, list ast.Expr) ([]anchor, bool) {
	name, _ := attribute(e)
	if !single(name) {
		return nil, false
	}
	elements := []ast.Expr{list}
	if list.Kind() == ast.ListKind {
		elements = list.AsList().Elements()
	}
	var out []anchor
	for _, element := range elements {
		v, ok := value(element)
		if !ok {
			return nil, false
		}
		v.Attribute = name
		out = append(out, v)
	}
	return out, true
}
