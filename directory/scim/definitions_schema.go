package scim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/elimity-com/scim/schema"
)

// readSchema reads one schema. Attributes that every resource has are left out of it, and what is writeOnly is said to be
// returned never, so that discovery says what is done (RFC 7643 sections 3.1 and 7).
func readSchema(body json.RawMessage) (schema.Schema, error) {
	var form map[string]any
	if err := json.Unmarshal(body, &form); err != nil {
		return schema.Schema{}, err
	}
	var kept []any
	for _, a := range elements(form, "attributes") {
		name := text(a, "name")
		if slices.Contains([]string{"id", "externalid", "meta", "schemas"}, strings.ToLower(name)) {
			continue
		}
		for _, one := range append(elements(a, "subAttributes"), a) {
			if returned := text(one, "returned"); one["mutability"] == "writeOnly" && (returned == "" || returned == "default") {
				one["returned"] = "never"
			}
		}
		kept = append(kept, a)
		alone, err := json.Marshal(resource{"id": "x", "attributes": []any{a}})
		if err == nil {
			err = json.Unmarshal(alone, new(schema.Schema))
		}
		if err != nil {
			return schema.Schema{}, fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	form["attributes"] = kept
	var s schema.Schema
	whole, err := json.Marshal(form)
	if err == nil {
		err = json.Unmarshal(whole, &s)
	}
	if err != nil {
		return schema.Schema{}, err
	}
	return s, checkSchema(s)
}

// checkSchema refuses what would be answered by discovery but not be done.
func checkSchema(s schema.Schema) error {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._-"
	if !strings.HasPrefix(strings.ToLower(s.ID), "urn:") || strings.Trim(s.ID, plain) != "" {
		return fmt.Errorf("the id %q is not a URN of letters, digits and \":._-\"", s.ID)
	}
	if len(s.Attributes) == 0 {
		return fmt.Errorf("%s has no attributes", s.ID)
	}
	seen := map[string]bool{}
	for _, a := range s.Attributes {
		if name := strings.ToLower(a.Name()); seen[name] {
			return fmt.Errorf("%s: the attribute %s stands twice", s.ID, a.Name())
		} else {
			seen[name] = true
		}
		if err := checkAttribute(a); err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		for _, sub := range a.SubAttributes() {
			if err := checkAttribute(sub); err != nil {
				return fmt.Errorf("%s: %s.%w", s.ID, a.Name(), err)
			}
			if sub.AttributeType() == "complex" { // RFC 7643 section 2.3.8
				return fmt.Errorf("%s: %s.%s: a sub-attribute is not complex itself", s.ID, a.Name(), sub.Name())
			}
		}
	}
	return nil
}

func checkAttribute(a schema.CoreAttribute) error {
	switch {
	case !isName(a.Name()):
		return fmt.Errorf("%q is no attribute name", a.Name())
	case a.Mutability() == "writeOnly" && a.Returned() != "never":
		return fmt.Errorf("%s: a writeOnly attribute is never returned: say \"returned\": \"never\"", a.Name())
	case a.AttributeType() == "complex" && len(a.SubAttributes()) == 0:
		return fmt.Errorf("%s: a complex attribute has subAttributes", a.Name())
	case a.Uniqueness() != "none" && (a.AttributeType() == "complex" || a.AttributeType() == "boolean"):
		return fmt.Errorf("%s: a %s attribute has no uniqueness: say \"none\"", a.Name(), a.AttributeType())
	}
	return nil
}

// uniqueIn names an attribute that is unique.
func uniqueIn(attributes schema.Attributes) string {
	for _, a := range attributes {
		if isUnique(a) {
			return a.Name()
		}
		if sub := uniqueIn(a.SubAttributes()); sub != "" {
			return a.Name() + "." + sub
		}
	}
	return ""
}
