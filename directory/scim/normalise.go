package scim

import (
	"net/url"
	"path"
	"strings"

	"github.com/elimity-com/scim/schema"
)

// resource is a JSON object of SCIM.
type resource = map[string]any

// normalised is the body of a POST or PUT after this stage: what the schemas know, in the one form the library
// takes, and what they do not know, which is kept but never interpreted.
type normalised struct {
	known   resource
	unknown resource
}

// normalise brings the body of a POST or PUT into the form the schemas describe: names in their letter case,
// null and "" dropped (RFC 7643 section 2.5: unassigned), booleans that came as text, a complex value that came
// as a text, a list of one for a single value, and flat "urn:…:attribute" keys nested.
func (k *kind) normalise(body resource) (normalised, error) {
	n := normalised{known: resource{}, unknown: resource{}}
	schemas := k.normaliseSchemas(body)
	for _, key := range sortedKeys(body) {
		if err := k.place(&n, key, body[key]); err != nil {
			return normalised{}, err
		}
	}
	if schemas != nil {
		n.known["schemas"] = schemas
	}
	return n, nil
}

// normaliseSchemas keeps of "schemas" what this resource type has. A body that names only a legacy core schema
// is taken as naming ours; one that names none is left for the library to refuse.
func (k *kind) normaliseSchemas(body resource) any {
	var list []any
	for key, v := range body {
		if strings.EqualFold(key, "schemas") {
			switch v := v.(type) {
			case []any:
				list = v
			case string:
				list = []any{v}
			}
		}
	}
	var out []any
	seen := map[string]bool{}
	for _, v := range list {
		s, _ := v.(string)
		urn, _, known := k.splitURN(repairURN(s))
		if k.legacyCore(s) {
			urn, known = k.core.ID, true
		}
		if known && strings.Contains(urn, ":") && !seen[urn] {
			seen[urn] = true
			out = append(out, urn)
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// place puts one member of the body where it belongs.
func (k *kind) place(n *normalised, key string, value any) error {
	urn, rest, known := k.splitURN(key)
	if known && urn != "" && rest == "" { // the container of a schema
		return k.placeContainer(n, urn, value)
	}
	if !known {
		if value != nil {
			n.unknown[key] = value
		}
		return nil
	}
	name, sub, _ := strings.Cut(rest, ".")
	t, ok := k.find(urn, name, sub)
	if !ok {
		if value != nil {
			n.unknown[key] = value
		}
		return nil
	}
	if t.readOnly() || t.attr.Name() == "schemas" {
		return nil // RFC 7644 section 3.3: read-only attributes are ignored
	}
	if t.sub != nil && t.attr.MultiValued() {
		n.unknown[key] = value
		return nil
	}
	v, err := k.normaliseValue(t.leaf(), value)
	if err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	return put(n.known, t, v)
}

func (k *kind) placeContainer(n *normalised, urn string, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		if isEmpty(value) {
			return nil
		}
		return invalidValue("The value of %s is not an object.", urn)
	}
	for _, key := range sortedKeys(object) {
		qualified := key
		if !strings.Contains(key, ":") {
			qualified = urn + ":" + key
		}
		if err := k.place(n, qualified, object[key]); err != nil {
			return err
		}
	}
	return nil
}

// put writes v at t in r. Naming one attribute twice is refused (RFC 7643 section 2.1: names ignore case).
func put(r resource, t target, v any) error {
	if t.urn != "" {
		inner, ok := r[t.urn].(map[string]any)
		if !ok {
			inner = resource{}
			r[t.urn] = inner
		}
		r = inner
	}
	name := t.attr.Name()
	if t.sub != nil {
		inner, ok := r[name].(map[string]any)
		if !ok {
			inner = resource{}
			r[name] = inner
		}
		r, name = inner, t.sub.Name()
	}
	if _, twice := r[name]; twice {
		return invalidSyntax("The attribute %s is given twice.", t.path())
	}
	r[name] = v
	return nil
}

// normaliseValue brings one value into the form of a; nil means that it asserts nothing.
func (k *kind) normaliseValue(a schema.CoreAttribute, v any) (any, error) {
	if !a.MultiValued() {
		if list, ok := v.([]any); ok {
			switch len(list) {
			case 0:
				return nil, nil
			case 1:
				v = list[0]
			default:
				return nil, invalidValue("%s takes one value.", a.Name())
			}
		}
		return k.normaliseSingle(a, v)
	}
	list, ok := v.([]any)
	if !ok {
		if isEmpty(v) {
			return nil, nil
		}
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		single, err := k.normaliseSingle(a, e)
		if err != nil {
			return nil, err
		}
		if single != nil {
			out = append(out, single)
		}
	}
	if len(list) > 0 && len(out) == 0 && a.Name() == "members" {
		return nil, invalidValue("No member has a value.") // must not be read as "no members"
	}
	return out, nil
}

func (k *kind) normaliseSingle(a schema.CoreAttribute, v any) (any, error) {
	if v == nil || v == "" {
		return nil, nil
	}
	switch a.AttributeType() {
	case "boolean":
		return normaliseBoolean(a.Name(), v)
	case "complex":
		return k.normaliseComplex(a, v)
	case "dateTime":
		if s, ok := v.(string); ok {
			if _, ok := instantOf(s); !ok {
				return nil, invalidValue("The value of %s is not a dateTime of the years 0001 to 9999.", a.Name())
			}
		}
	case "binary":
		if s, ok := v.(string); ok { // RFC 7643 section 2.3.6: padding may be left out
			return s + strings.Repeat("=", (4-len(s)%4)%4), nil
		}
	case "reference":
		if s, ok := v.(string); ok && k.custom { // RFC 7643 section 2.3.7
			if _, err := url.Parse(s); err != nil {
				return nil, invalidValue("The value of %s is not a URI.", a.Name())
			}
		}
	}
	return v, nil
}

func normaliseBoolean(name string, v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string: // Entra without aadOptscim062020 sends "True" and "False"
		switch {
		case strings.EqualFold(v, "true"):
			return true, nil
		case strings.EqualFold(v, "false"):
			return false, nil
		}
	}
	return nil, invalidValue("The value of %s is neither true nor false.", name)
}

func (k *kind) normaliseComplex(a schema.CoreAttribute, v any) (any, error) {
	subs := a.SubAttributes()
	_, hasValue := subs.ContainsAttribute("value")
	bare := k.custom // a value without its "value" says something all the same
	object, ok := v.(map[string]any)
	if !ok {
		text, isText := v.(string)
		_, hasFormatted := subs.ContainsAttribute("formatted")
		switch {
		case isText && hasValue:
			return resource{"value": text}, nil
		case isText && hasFormatted:
			return resource{"formatted": text}, nil
		}
		return nil, invalidValue("A value of %s is not an object.", a.Name())
	}
	out := resource{}
	for _, key := range sortedKeys(object) {
		sub, known := subs.ContainsAttribute(key)
		if !known || sub.Mutability() == "readOnly" {
			continue
		}
		single, err := k.normaliseValue(sub, object[key])
		if err != nil {
			return nil, err
		}
		if single == nil {
			continue
		}
		if _, twice := out[sub.Name()]; twice {
			return nil, invalidSyntax("The attribute %s.%s is given twice.", a.Name(), sub.Name())
		}
		out[sub.Name()] = single
	}
	if ref, ok := out["$ref"].(string); ok && hasValue && !bare && out["value"] == nil {
		if last := path.Base(strings.TrimRight(ref, "/")); last != "." && last != "/" {
			out["value"] = last
		}
	}
	if len(out) == 0 || hasValue && !bare && out["value"] == nil {
		return nil, nil // {"value": ""} and {"value": null} say that there is none
	}
	return out, nil
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
