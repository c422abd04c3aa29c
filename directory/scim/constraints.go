package scim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/elimity-com/scim/schema"
	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-im/rollcall/directory"
)

// What the schemas say of a resource as a whole (RFC 7643 sections 2.2 and 7): what is required is there, what is immutable
// stays, of several values one is primary, and what is unique is told to the store.

// check holds a resource, about to be written, to its schemas; before is empty where it is new.
func (k *kind) check(before, after resource) error {
	for _, urn := range k.required {
		if isEmpty(after[urn]) {
			return missing(urn, before[urn])
		}
	}
	if err := checkAttributes("", k.core.Attributes, before, after); err != nil {
		return err
	}
	for _, extension := range k.extensions {
		was, _ := before[extension.ID].(map[string]any)
		is, _ := after[extension.ID].(map[string]any)
		if err := checkAttributes(extension.ID+":", extension.Attributes, was, is); err != nil {
			return err
		}
	}
	return nil
}

// missing refuses to do without what is required; to take it away is another mistake than never to give it (RFC 7644 section 3.5.2.2).
func missing(name string, was any) error {
	if !isEmpty(was) {
		return mutability("%s is required and cannot be removed.", name)
	}
	return invalidValue("%s is required.", name)
}

// checkAttributes checks one object of values, which may be nil.
func checkAttributes(prefix string, attributes schema.Attributes, was, is resource) error {
	for _, a := range attributes {
		name, old, now := prefix+a.Name(), was[a.Name()], is[a.Name()]
		switch {
		case a.Mutability() == "readOnly":
			continue
		case a.Mutability() == "immutable" && !isEmpty(old) && !sameJSON(old, now):
			return mutability("%s cannot be changed.", name)
		case a.Required() && is != nil && isEmpty(now):
			return missing(name, old)
		}
		if err := checkValues(name, a, old, now); err != nil {
			return err
		}
	}
	return nil
}

// checkValues looks into a complex value, or each of several.
func checkValues(name string, a schema.CoreAttribute, old, now any) error {
	if !a.HasSubAttributes() {
		return nil
	}
	if is, ok := now.(map[string]any); ok {
		was, _ := old.(map[string]any)
		return checkAttributes(name+".", a.SubAttributes(), was, is)
	}
	list, _ := now.([]any)
	for _, e := range list {
		is, _ := e.(map[string]any)
		if err := checkAttributes(name+".", a.SubAttributes(), nil, is); err != nil {
			return err
		}
	}
	if primary(list) > 1 { // RFC 7643 section 2.4
		return invalidValue("More than one value of %s is primary.", name)
	}
	return nil
}

// carryOver keeps, on a PUT that does not name them, what nobody could have read before writing it back, and what
// cannot be changed (RFC 7644 section 3.5.1 clears readWrite attributes only).
func (k *kind) carryOver(before, after resource) {
	carryAttributes(k.core.Attributes, before, after)
	for _, extension := range k.extensions {
		was, _ := before[extension.ID].(map[string]any)
		is, given := after[extension.ID].(map[string]any)
		if !given {
			is = resource{}
		}
		carryAttributes(extension.Attributes, was, is)
		if !given && len(is) > 0 {
			after[extension.ID] = is
		}
	}
}

func carryAttributes(attributes schema.Attributes, was, is resource) {
	for _, a := range attributes {
		old, kept := was[a.Name()]
		now, given := is[a.Name()]
		if kept && !given && (a.Mutability() == "immutable" || a.Mutability() == "writeOnly" || a.Returned() == "never") {
			is[a.Name()] = old
		}
		inner, single := now.(map[string]any)
		if outer, ok := old.(map[string]any); ok && single {
			carryAttributes(a.SubAttributes(), outer, inner)
		}
	}
}

// uniqueValues answers what no other resource may have, by attribute.
func (k *kind) uniqueValues(r resource) map[string][]string {
	out := map[string][]string{}
	collectUnique(out, "", k.core.Attributes, r)
	for _, extension := range k.extensions {
		if inner, ok := r[extension.ID].(map[string]any); ok {
			collectUnique(out, extension.ID+":", extension.Attributes, inner)
		}
	}
	return out
}

func collectUnique(out map[string][]string, prefix string, attributes schema.Attributes, holder resource) {
	for _, a := range attributes {
		values, several := holder[a.Name()].([]any)
		if !several {
			values = []any{holder[a.Name()]}
		}
		for _, v := range values {
			if inner, ok := v.(map[string]any); ok {
				collectUnique(out, prefix+a.Name()+".", a.SubAttributes(), inner)
			} else if key := uniqueKey(a, v); key != "" && isUnique(a) {
				out[prefix+a.Name()] = append(out[prefix+a.Name()], key)
			}
		}
	}
}

func isUnique(a schema.CoreAttribute) bool {
	return a.Uniqueness() != "none" && a.AttributeType() != "complex" && a.AttributeType() != "boolean"
}

// uniqueKey is a value in the form it compares in: two spellings of one value have one key, and a long one fits an index.
func uniqueKey(a schema.CoreAttribute, v any) string {
	key := ""
	switch v := v.(type) {
	case string:
		key = v
		if at, ok := instantOf(v); ok && a.AttributeType() == "dateTime" {
			key = strconv.FormatInt(at.UnixMicro(), 10)
		} else if a.AttributeType() == "string" || a.AttributeType() == "reference" {
			key = norm.NFC.String(v)
			if !a.CaseExact() {
				key = directory.Fold(v)
			}
		}
	case json.Number:
		key = v.String()
		if number, err := v.Float64(); err == nil && a.AttributeType() == "decimal" {
			key = strconv.FormatFloat(number, 'g', -1, 64)
		}
	}
	if len(key) > maxKeyBytes {
		sum := sha256.Sum256([]byte(key))
		key = "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
