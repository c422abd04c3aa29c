package scim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

const maxOperations = 1000

// operation is one PATCH operation in canonical form: op in lower case, a path, and, unless it removes, a value.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// canonicalised is the body of a PATCH after this stage.
type canonicalised struct {
	known   []operation // typed
	foreign []operation // on attributes that no schema knows: kept raw
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// patchBody reads the body of a PATCH. The library refuses a body without the PatchOp schema; what is checked
// here is only what this stage itself reads.
func patchBody(body resource) (schemas any, operations []any, err error) {
	for _, key := range sortedKeys(body) {
		switch strings.ToLower(key) {
		case "schemas":
			schemas = body[key]
		case "operations":
			list, ok := body[key].([]any)
			if !ok {
				return nil, nil, invalidSyntax("Operations is not a list.")
			}
			operations = list
		}
	}
	if list, ok := schemas.([]any); ok {
		for _, v := range list {
			if s, ok := v.(string); ok && strings.EqualFold(repairURN(s), patchURN) {
				schemas = []any{patchURN}
			}
		}
	}
	if len(operations) > maxOperations {
		return nil, nil, tooMany("A PATCH takes at most %d operations.", maxOperations)
	}
	return schemas, operations, nil
}

// canonicalise brings operations into the one form {op, canonical path, value}: one attribute each, values as
// normalise leaves them, nothing that asks for nothing. Canonical operations stay as they are.
func (k *kind) canonicalise(operations []any) (canonicalised, error) {
	c := canoniser{kind: k}
	for i, o := range operations {
		object, ok := o.(map[string]any)
		if !ok {
			return canonicalised{}, invalidSyntax("Operation %d is not an object.", i+1)
		}
		if err := c.operation(object); err != nil {
			return canonicalised{}, err
		}
	}
	return c.out, nil
}

type canoniser struct {
	kind *kind
	out  canonicalised
}

// given is one operation on its way: explicit means that the client named the path itself rather than as a
// member of an object, and is answered an error for what cannot be changed.
type given struct {
	op       string
	path     string
	value    any
	has      bool // there is a member "value"
	explicit bool
}

func (c *canoniser) operation(object map[string]any) error {
	g := given{explicit: true}
	for _, key := range sortedKeys(object) {
		v := object[key]
		switch strings.ToLower(key) {
		case "op":
			s, _ := v.(string)
			g.op = strings.ToLower(strings.TrimSpace(s))
		case "path":
			s, ok := v.(string)
			if !ok && v != nil {
				return invalidPath("A path is not a text.")
			}
			g.path = strings.TrimSpace(s)
		case "value":
			g.value, g.has = v, true
		}
	}
	switch g.op {
	case "add", "replace", "remove":
	default:
		return invalidSyntax("%q is not an operation.", g.op)
	}
	if g.path == "" {
		return c.pathless(g)
	}
	return c.single(g)
}

// pathless spreads an object over its attributes.
func (c *canoniser) pathless(g given) error {
	if g.op == "remove" {
		return noTarget("A remove operation needs a path.")
	}
	object, ok := g.value.(map[string]any)
	if !ok {
		return invalidValue("An operation without a path needs an object as its value.")
	}
	for _, key := range sortedKeys(object) {
		if strings.TrimSpace(key) == "" {
			continue
		}
		if err := c.single(given{op: g.op, path: key, value: object[key], has: true}); err != nil {
			return err
		}
	}
	return nil
}

func (c *canoniser) single(g given) error {
	p, err := c.kind.parsePath(g.path)
	if err != nil {
		return err
	}
	switch {
	case p.foreign != "":
		return c.foreign(g, p.foreign)
	case p.container != "":
		return c.container(g, p.container)
	case p.attr.Name() == "schemas" && p.urn == "":
		return nil
	case p.readOnly():
		if g.explicit {
			return mutability("%s cannot be changed.", p.path())
		}
		return nil
	case g.op != "remove" && !g.has:
		return invalidValue("The operation on %s has no value.", p.path())
	}
	if p.attr.AttributeType() == "complex" && !p.attr.MultiValued() {
		return c.complex(g, p)
	}
	return c.emit(g, p)
}

// foreign keeps an operation on what no schema knows, unless the client named a core attribute that there is not.
func (c *canoniser) foreign(g given, path string) error {
	if g.explicit && !strings.Contains(path, ":") {
		return invalidPath("%q is no attribute of a %s.", path, c.kind.name)
	}
	o := operation{Op: g.op, Path: path, Value: g.value}
	if g.value == nil {
		o.Op = "remove"
	}
	if o.Op == "remove" {
		o.Value = nil
	}
	c.out.foreign = append(c.out.foreign, o)
	return nil
}

// container spreads an operation on a whole extension over its attributes.
func (c *canoniser) container(g given, urn string) error {
	prefix := urn + ":"
	if urn == c.kind.core.ID {
		prefix = ""
	}
	if g.op == "remove" || g.has && isEmpty(g.value) {
		extension, ok := c.kind.extension(urn)
		if g.op != "remove" {
			return nil
		}
		if !ok {
			return noTarget("The core schema cannot be removed.")
		}
		for _, a := range extension.Attributes {
			if err := c.single(given{op: "remove", path: prefix + a.Name()}); err != nil {
				return err
			}
		}
		return nil
	}
	object, ok := g.value.(map[string]any)
	if !ok {
		return invalidValue("The value of %s is not an object.", urn)
	}
	for _, key := range sortedKeys(object) {
		path := key
		if !strings.Contains(key, ":") {
			path = prefix + key
		}
		if err := c.single(given{op: g.op, path: path, value: object[key], has: true}); err != nil {
			return err
		}
	}
	return nil
}

// complex takes a single-valued complex attribute. One that has a value (manager) is set as a whole; of any other
// (name) the sub-attributes are set one by one, for those that are not named stay (RFC 7644 section 3.5.2.3).
func (c *canoniser) complex(g given, p patchPath) error {
	if _, hasValue := p.attr.SubAttributes().ContainsAttribute("value"); hasValue && !c.kind.custom {
		if p.sub != nil {
			g.value = resource{p.sub.Name(): g.value}
			p.sub = nil
		}
		return c.emit(g, p)
	}
	if p.sub != nil || g.op == "remove" || isEmpty(g.value) {
		return c.emit(g, p)
	}
	v := g.value
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	if text, ok := v.(string); ok {
		v = resource{"formatted": text}
	}
	object, ok := v.(map[string]any)
	if !ok {
		return invalidValue("The value of %s is not an object.", p.path())
	}
	for _, key := range sortedKeys(object) {
		if err := c.single(given{op: g.op, path: p.path() + "." + key, value: object[key], has: true}); err != nil {
			return err
		}
	}
	return nil
}

// emit writes the operation on one attribute.
func (c *canoniser) emit(g given, p patchPath) error {
	isActive := p.urn == "" && p.attr.Name() == "active"
	if g.op == "remove" {
		return c.remove(g, p, isActive)
	}
	a := p.leaf()
	value := g.value
	if p.where != nil && p.sub == nil { // one element
		element, err := c.kind.normaliseValue(a, value)
		if err != nil {
			return err
		}
		list, _ := element.([]any)
		switch len(list) {
		case 0:
			value = nil
		case 1:
			value = list[0]
		default:
			return invalidValue("%s takes one value.", p)
		}
	} else {
		var err error
		if value, err = c.kind.normaliseValue(a, value); err != nil {
			return err
		}
	}
	if err := typed(p, value); err != nil {
		return err
	}
	if list, ok := value.([]any); ok && len(list) == 0 {
		if g.op == "add" {
			return nil
		}
		value = nil
	}
	if value != nil {
		c.out.known = append(c.out.known, operation{Op: g.op, Path: p.String(), Value: value})
		return nil
	}
	switch {
	case isActive: // says nothing: nobody is deactivated or activated by it
		return nil
	case p.leaf().Required() && p.where == nil && !p.attr.MultiValued():
		return invalidValue("%s cannot be empty.", p.path())
	}
	c.out.known = append(c.out.known, operation{Op: "remove", Path: p.String()})
	return nil
}

func (c *canoniser) remove(g given, p patchPath, isActive bool) error {
	if isActive {
		return nil
	}
	if p.where == nil && p.leaf().Required() || p.leaf().Mutability() == "immutable" {
		return mutability("%s cannot be removed.", p.path())
	}
	if g.has && p.where == nil && p.sub == nil && p.attr.MultiValued() && (g.value != nil || p.attr.Name() == "members") {
		return c.removeValues(g, p) // Entra: remove, path "members", value [{"value": "…"}]
	}
	c.out.known = append(c.out.known, operation{Op: "remove", Path: p.String()})
	return nil
}

// typed holds a value to the type of what it is written to, as the library types it.
func typed(p patchPath, value any) error {
	values, several := value.([]any)
	if !several && value != nil {
		values = []any{value}
	}
	for _, v := range values {
		if _, err := p.leaf().ValidateSingular(v); err != nil {
			return invalidValue("The value of %s is not of type %s, or lacks what is required.", p, p.leaf().AttributeType())
		}
	}
	return nil
}

// removeValues turns a list of values to remove into one operation each. An empty list, of members null too,
// removes nothing: it must never be read as "all".
func (c *canoniser) removeValues(g given, p patchPath) error {
	value, ok := valueOf(p.attr)
	if !ok {
		return invalidPath("Values of %s are removed by a value filter.", p.path())
	}
	normal, err := c.kind.normaliseValue(p.attr, g.value)
	if err != nil {
		return err
	}
	list, _ := normal.([]any)
	for _, e := range list {
		if element, ok := e.(map[string]any); ok {
			e = element["value"]
		}
		if number, ok := e.(json.Number); ok {
			e, _ = number.Float64()
		}
		if e == nil {
			return invalidValue("A value of %s to remove has no value.", p.path())
		}
		one := p
		one.where = &expr{op: "eq", at: target{attr: value}, value: e}
		c.out.known = append(c.out.known, operation{Op: "remove", Path: one.String()})
	}
	return nil
}
