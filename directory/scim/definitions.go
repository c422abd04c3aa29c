package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/elimity-com/scim/schema"
)

// ErrDefinition is wrapped by every error of a schema or resource type that cannot be loaded.
var ErrDefinition = errors.New("schema definition")

const (
	schemaURN       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	resourceTypeURN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
)

// Definitions are schema extensions from configuration and the resource types, User and Group, that have them. The zero
// value defines nothing. What they describe is validated, kept, answered, projected, changed by PATCH and compared by
// filters like what is built in; nothing else in the product looks at it.
type Definitions struct {
	schemas []schema.Schema
	types   []typeDefinition
}

// typeDefinition is a resource type in the form of RFC 7643 section 6.
type typeDefinition struct {
	Name             string
	Schema           string
	SchemaExtensions []struct {
		Schema   string
		Required bool
	}
}

// LoadDefinitions reads every *.json of a folder; see ParseDefinitions.
func LoadDefinitions(folder fs.FS) (Definitions, error) {
	var d Definitions
	files, err := fs.Glob(folder, "*.json")
	for _, file := range files {
		body, readErr := fs.ReadFile(folder, file)
		if readErr != nil {
			return Definitions{}, fmt.Errorf("read definitions: %w", readErr)
		}
		more, parseErr := ParseDefinitions(file, body)
		if parseErr != nil {
			return Definitions{}, parseErr
		}
		d.schemas, d.types = append(d.schemas, more.schemas...), append(d.types, more.types...)
	}
	return d, err
}

// ParseDefinitions reads schemas (RFC 7643 section 7) and resource types (section 6): one object, a list of them, or a
// ListResponse as /Schemas and /ResourceTypes answer. name is the file, for errors, which wrap ErrDefinition.
func ParseDefinitions(name string, body []byte) (Definitions, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		var response struct{ Resources []json.RawMessage }
		if err := json.Unmarshal(body, &response); err != nil {
			return Definitions{}, fmt.Errorf("%w: %s: %w", ErrDefinition, name, err)
		}
		if list = response.Resources; list == nil {
			list = []json.RawMessage{body}
		}
	}
	var d Definitions
	for i, one := range list {
		if err := d.add(one); err != nil {
			return Definitions{}, fmt.Errorf("%w: %s: object %d: %w", ErrDefinition, name, i+1, err)
		}
	}
	return d, nil
}

func (d *Definitions) add(body json.RawMessage) error {
	var head struct{ Schemas []string }
	if err := json.Unmarshal(body, &head); err != nil {
		return err
	}
	switch {
	case slices.Contains(head.Schemas, resourceTypeURN):
		var t typeDefinition
		if err := json.Unmarshal(body, &t); err != nil {
			return err
		}
		d.types = append(d.types, t)
		return nil
	case len(head.Schemas) == 0 || slices.Contains(head.Schemas, schemaURN):
		var s schema.Schema
		if err := json.Unmarshal(body, &s); err != nil {
			return err
		}
		d.schemas = append(d.schemas, s)
		return checkSchema(s)
	}
	return fmt.Errorf("%v is neither a Schema nor a ResourceType", head.Schemas)
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
			return fmt.Errorf("the attribute %s stands twice", a.Name())
		} else {
			seen[name] = true
		}
		if err := checkAttribute(a); err != nil {
			return err
		}
		for _, sub := range a.SubAttributes() {
			if err := checkAttribute(sub); err != nil {
				return fmt.Errorf("%s: %w", a.Name(), err)
			}
			if sub.Returned() != "default" && sub.Returned() != "always" || sub.Mutability() != "readWrite" {
				return fmt.Errorf("%s.%s: a sub-attribute is readWrite and returned with its attribute", a.Name(), sub.Name())
			}
		}
	}
	return nil
}

func checkAttribute(a schema.CoreAttribute) error {
	switch {
	case !isName(a.Name()):
		return fmt.Errorf("%q is no attribute name", a.Name())
	case a.Uniqueness() != "none":
		return fmt.Errorf("%s: uniqueness %q cannot be kept", a.Name(), a.Uniqueness())
	case a.Mutability() == "readOnly":
		return fmt.Errorf("%s: nobody would set a readOnly attribute", a.Name())
	case a.Mutability() == "writeOnly" && a.Returned() != "never":
		return fmt.Errorf("%s: a writeOnly attribute is never returned", a.Name())
	case a.AttributeType() == "complex" && len(a.SubAttributes()) == 0:
		return fmt.Errorf("%s: a complex attribute has sub-attributes", a.Name())
	}
	return nil
}

// extend gives kinds the extensions that the definitions name for them.
func (d Definitions) extend(kinds []*kind) error {
	used := map[string]bool{}
	for _, t := range d.types {
		i := slices.IndexFunc(kinds, func(k *kind) bool {
			return strings.EqualFold(k.name, t.Name) && (t.Schema == "" || strings.EqualFold(t.Schema, k.core.ID))
		})
		if i < 0 {
			return fmt.Errorf("%w: resource type %q: only User and Group can be extended", ErrDefinition, t.Name)
		}
		for _, e := range t.SchemaExtensions {
			if err := d.attach(kinds[i], e.Schema, e.Required, used); err != nil {
				return fmt.Errorf("%w: resource type %s: %w", ErrDefinition, t.Name, err)
			}
		}
	}
	for _, s := range d.schemas {
		if !used[strings.ToLower(s.ID)] {
			return fmt.Errorf("%w: %s extends no resource type", ErrDefinition, s.ID)
		}
	}
	return nil
}

func (d Definitions) attach(k *kind, urn string, required bool, used map[string]bool) error {
	if own, ok := k.extension(urn); ok && !used[strings.ToLower(urn)] { // built in; it may be made required
		k.require(own.ID, required)
		return nil
	}
	same := func(s schema.Schema) bool { return strings.EqualFold(s.ID, urn) }
	if strings.EqualFold(urn, k.core.ID) || slices.ContainsFunc(k.extensions, same) {
		return fmt.Errorf("%s stands twice", urn)
	}
	i := slices.IndexFunc(d.schemas, same)
	if i < 0 {
		return fmt.Errorf("the schema %s is not defined", urn)
	}
	if slices.ContainsFunc(d.schemas[i+1:], same) || slices.Contains([]string{strings.ToLower(userURN), strings.ToLower(groupURN)}, strings.ToLower(urn)) {
		return fmt.Errorf("the schema %s is defined twice", urn)
	}
	k.extensions = append(k.extensions, d.schemas[i])
	used[strings.ToLower(urn)] = true
	k.require(d.schemas[i].ID, required)
	return nil
}

func (k *kind) require(urn string, required bool) {
	if required {
		k.required = append(k.required, urn)
	}
}

// checkExtensions holds a resource, about to be written, to what its extensions say beyond the types of values: those
// that are required are there, and what is immutable stays what it was (RFC 7643 section 7).
func (k *kind) checkExtensions(before, after resource) error {
	for _, urn := range k.required {
		if isEmpty(after[urn]) {
			return invalidValue("The extension %s is required.", urn)
		}
	}
	for _, extension := range k.extensions {
		was, _ := before[extension.ID].(map[string]any)
		is, _ := after[extension.ID].(map[string]any)
		for _, a := range extension.Attributes {
			if a.Mutability() == "immutable" && was[a.Name()] != nil && !sameJSON(was[a.Name()], is[a.Name()]) {
				return mutability("%s:%s cannot be changed.", extension.ID, a.Name())
			}
			if a.Required() && is != nil && isEmpty(is[a.Name()]) {
				return invalidValue("%s:%s is required.", extension.ID, a.Name())
			}
		}
	}
	return nil
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
