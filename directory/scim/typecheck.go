package scim

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"
	filter "github.com/scim2/filter-parser/v2"
)

// expr is a filter whose every attribute is known and whose every value has the attribute's type.
type expr struct {
	op    string // always, never, and, or, not, has, pr, eq, ne, co, sw, ew, gt, ge, lt, le
	kids  []expr // of and, or (two or more), not and has (one)
	at    target // of has and the comparisons
	value any    // string, bool, float64 or time.Time
}

// String writes e as a filter in canonical form.
func (e expr) String() string {
	switch e.op {
	case "always", "never":
		return e.op
	case "and", "or":
		parts := make([]string, len(e.kids))
		for i, kid := range e.kids {
			parts[i] = kid.String()
			if kid.op == "or" || kid.op == "and" {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, " "+e.op+" ")
	case "not":
		return "not (" + e.kids[0].String() + ")"
	case "has":
		return e.at.path() + "[" + e.kids[0].String() + "]"
	case "pr":
		return e.at.path() + " pr"
	}
	return e.at.path() + " " + e.op + " " + literal(e.value)
}

// literal writes a value as the grammar of filters wants it: filter-parser takes upper-case hexadecimal only.
func literal(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return `"` + v.UTC().Format(time.RFC3339Nano) + `"`
	case string:
		var b strings.Builder
		b.WriteByte('"')
		for _, r := range v {
			switch {
			case r == '"' || r == '\\':
				b.WriteByte('\\')
				b.WriteRune(r)
			case r < 0x20:
				b.WriteString(`\u00`)
				b.WriteByte("01"[r>>4])
				b.WriteByte("0123456789ABCDEF"[r&15])
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('"')
		return b.String()
	}
	return "null"
}

// checker turns the parser's tree into an expr; resolve finds what an attribute path names. Texts of the tree are
// numbers into rewritten.values.
type checker struct {
	resolve func(filter.AttributePath) (target, error)
	all     []*kind // in a query over all resource types: those whose attributes may be named too
}

func (c *checker) text(s string, r rewritten) (string, error) {
	i, err := strconv.Atoi(s)
	if err != nil || i < 0 || i >= len(r.values) {
		return "", invalidFilter("A value of the filter is not understood.")
	}
	return r.values[i], nil
}

// resolveFilter finds an attribute that a filter on whole resources may name.
func (k *kind) resolveFilter(p filter.AttributePath) (target, error) {
	full := p.AttributeName
	if p.URI() != "" {
		full = p.URI() + ":" + full
	}
	urn, name, known := k.splitURN(full)
	if !known || name == "" {
		return target{}, invalidFilter("%s names no attribute of this resource type.", p)
	}
	t, ok := k.find(urn, name, p.SubAttributeName())
	if !ok {
		return target{}, invalidFilter("%s names no attribute of this resource type.", p)
	}
	if t.attr.Returned() == "never" || t.leaf().Returned() == "never" {
		return target{}, invalidFilter("%s cannot be asked for.", p)
	}
	return t, nil
}

func (c *checker) check(e filter.Expression, r rewritten) (expr, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		left, err := c.check(e.Left, r)
		if err != nil {
			return expr{}, err
		}
		right, err := c.check(e.Right, r)
		if err != nil {
			return expr{}, err
		}
		return join(string(e.Operator), left, right), nil
	case *filter.NotExpression:
		inner, err := c.check(e.Expression, r)
		if err != nil {
			return expr{}, err
		}
		if inner.op == "not" {
			return inner.kids[0], nil
		}
		return expr{op: "not", kids: []expr{inner}}, nil
	case *filter.ValuePath:
		out, err := c.checkValuePath(e, r)
		if err != nil {
			return c.absent(e, r, err)
		}
		return out, nil
	case *filter.AttributeExpression:
		out, err := c.checkComparison(e, r)
		if err != nil {
			return c.absent(e, r, err)
		}
		return out, nil
	}
	return expr{}, invalidFilter("The filter does not follow the grammar of RFC 7644 section 3.4.2.2.")
}

// join keeps chains of one operator flat: SQL engines limit the depth of an expression, not its width.
func join(op string, kids ...expr) expr {
	out := expr{op: op}
	for _, kid := range kids {
		if kid.op == op {
			out.kids = append(out.kids, kid.kids...)
		} else {
			out.kids = append(out.kids, kid)
		}
	}
	return out
}

func (c *checker) checkValuePath(e *filter.ValuePath, r rewritten) (expr, error) {
	t, err := c.resolve(e.AttributePath)
	if err != nil {
		return expr{}, err
	}
	if t.sub != nil || !t.attr.HasSubAttributes() && (!t.attr.MultiValued() || t.attr.Name() == "schemas") {
		return expr{}, invalidFilter("%s has no values to filter.", e.AttributePath)
	}
	number, ok := e.ValueFilter.(*filter.AttributeExpression)
	if !ok {
		return expr{}, invalidFilter("The value filter of %s is not understood.", e.AttributePath)
	}
	text, _ := number.CompareValue.(string)
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 || i >= len(r.inner) {
		return expr{}, invalidFilter("The value filter of %s is not understood.", e.AttributePath)
	}
	inner := checker{resolve: elementResolver(t)}
	kid, err := inner.parse(r.inner[i])
	if err != nil {
		return expr{}, err
	}
	return expr{op: "has", at: t, kids: []expr{kid}}, nil
}

// elementResolver finds the sub-attributes that the value filter of t may name. The result's path is the
// sub-attribute's bare name.
func elementResolver(t target) func(filter.AttributePath) (target, error) {
	return func(p filter.AttributePath) (target, error) {
		a, ok := t.attr.SubAttributes().ContainsAttribute(p.AttributeName)
		if !t.attr.HasSubAttributes() && strings.EqualFold(p.AttributeName, "value") {
			a, ok = valueOf(t.attr)
		}
		if !ok || p.URI() != "" || p.SubAttributeName() != "" {
			return target{}, invalidFilter("%s names no sub-attribute of %s.", p, t.attr.Name())
		}
		return target{attr: a}, nil
	}
}

// valueOf answers what "value" is in a value filter on a: the sub-attribute, or of simple values the one itself.
func valueOf(a schema.CoreAttribute) (schema.CoreAttribute, bool) {
	if a.HasSubAttributes() {
		return a.SubAttributes().ContainsAttribute("value")
	}
	const name = "value"
	switch a.AttributeType() {
	case "boolean":
		return schema.SimpleCoreAttribute(schema.SimpleBooleanParams(schema.BooleanParams{Name: name})), true
	case "integer":
		return schema.SimpleCoreAttribute(schema.SimpleNumberParams(schema.NumberParams{Name: name, Type: schema.AttributeTypeInteger()})), true
	case "decimal":
		return schema.SimpleCoreAttribute(schema.SimpleNumberParams(schema.NumberParams{Name: name, Type: schema.AttributeTypeDecimal()})), true
	case "dateTime":
		return schema.SimpleCoreAttribute(schema.SimpleDateTimeParams(schema.DateTimeParams{Name: name})), true
	case "binary":
		return schema.SimpleCoreAttribute(schema.SimpleBinaryParams(schema.BinaryParams{Name: name})), true
	}
	return schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{Name: name, CaseExact: a.CaseExact()})), true
}

func (c *checker) checkComparison(e *filter.AttributeExpression, r rewritten) (expr, error) {
	t, err := c.resolve(e.AttributePath)
	if err != nil {
		return expr{}, err
	}
	if e.Operator == filter.PR {
		return expr{op: "pr", at: t}, nil
	}
	if t.leaf().AttributeType() == "complex" { // members eq "x", manager eq "x": Entra means the value
		value, ok := t.attr.SubAttributes().ContainsAttribute("value")
		if !ok {
			return expr{}, invalidFilter("%s cannot be compared as a whole.", e.AttributePath)
		}
		t.sub = &value
	}
	var value any
	if e.CompareValue != nil {
		if value, err = c.typed(t.leaf(), e.Operator, e.CompareValue, r); err != nil {
			return expr{}, err
		}
	}
	present := expr{op: "pr", at: t}
	switch {
	case value != nil && value != "": // RFC 7643 section 2.5: null is unassigned, and so is ""
	case e.Operator == filter.EQ:
		return expr{op: "not", kids: []expr{present}}, nil
	case e.Operator == filter.NE:
		return present, nil
	case value == nil:
		return expr{}, invalidFilter("null can be compared with eq and ne only.")
	}
	return expr{op: string(e.Operator), at: t, value: value}, nil
}

// typed gives a literal the type of the attribute it is compared with.
func (c *checker) typed(a schema.CoreAttribute, op filter.CompareOperator, v any, r rewritten) (any, error) {
	text := ""
	switch v := v.(type) {
	case string:
		var err error
		if text, err = c.text(v, r); err != nil {
			return nil, err
		}
	case bool:
		text = strconv.FormatBool(v)
	case json.Number:
		text = v.String()
	}
	ordered := op == filter.GT || op == filter.GE || op == filter.LT || op == filter.LE
	partial := op == filter.CO || op == filter.SW || op == filter.EW
	switch a.AttributeType() {
	case "boolean":
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil || len(text) < len("true") {
			return nil, invalidFilter("%s is compared with neither true nor false.", a.Name())
		}
		if ordered || partial {
			return nil, invalidFilter("%s takes eq and ne only.", a.Name())
		}
		return b, nil
	case "dateTime":
		at, ok := instantOf(text)
		if !ok || partial {
			return nil, invalidFilter("%s is compared with times only, by order.", a.Name())
		}
		return at, nil
	case "integer", "decimal":
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || partial || math.IsNaN(number) || math.IsInf(number, 0) {
			return nil, invalidFilter("%s is compared with numbers only, by order.", a.Name())
		}
		return number, nil
	case "binary":
		if ordered {
			return nil, invalidFilter("%s has no order.", a.Name())
		}
	}
	return text, nil
}
