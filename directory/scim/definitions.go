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

// Definitions are resource types and schemas from configuration: extensions of User and Group, and further types with an
// endpoint of their own. The zero value defines nothing. What they describe is validated, kept, answered, projected, changed
// by PATCH, sorted and compared by filters like what is built in; nothing else in the product looks at it.
type Definitions struct {
	schemas []schema.Schema
	types   []typeDefinition
}

// typeDefinition is a resource type in the form of RFC 7643 section 6.
type typeDefinition struct {
	Name             string
	Description      string
	Endpoint         string
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
		s, err := readSchema(body)
		d.schemas = append(d.schemas, s)
		return err
	}
	return fmt.Errorf("%v is neither a Schema nor a ResourceType", head.Schemas)
}

// kinds answers all resource types: User, Group, then those from configuration in their order.
func (d Definitions) kinds() ([]*kind, error) {
	kinds := []*kind{userKind(), groupKind()}
	used := map[string]bool{}
	for _, t := range d.types {
		k, err := d.kindOf(t, &kinds, used)
		for i := 0; err == nil && i < len(t.SchemaExtensions); i++ {
			err = d.attach(k, t.SchemaExtensions[i].Schema, t.SchemaExtensions[i].Required, used)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: resource type %q: %w", ErrDefinition, t.Name, err)
		}
	}
	for _, s := range d.schemas {
		if !used[strings.ToLower(s.ID)] {
			return nil, fmt.Errorf("%w: %s is no resource type's: name it as the schema or an extension of one", ErrDefinition, s.ID)
		}
	}
	return kinds, nil
}

// kindOf finds the built-in resource type that a definition extends, or makes the one that it defines.
func (d Definitions) kindOf(t typeDefinition, kinds *[]*kind, used map[string]bool) (*kind, error) {
	for _, k := range *kinds {
		switch {
		case !strings.EqualFold(k.name, t.Name) && !strings.EqualFold(k.endpoint, endpointOf(t)):
		case k.custom:
			return nil, errors.New("the name or the endpoint is that of another resource type")
		case strings.EqualFold(k.name, t.Name) && (t.Schema == "" || strings.EqualFold(t.Schema, k.core.ID)) && (t.Endpoint == "" || strings.EqualFold(k.endpoint, endpointOf(t))):
			return k, nil
		default:
			return nil, fmt.Errorf("%s is at %s with the schema %s and can only be extended", k.name, k.endpoint, k.core.ID)
		}
	}
	k := &kind{name: t.Name, endpoint: endpointOf(t), about: t.Description, common: schema.CommonAttributes(), custom: true}
	if !isName(t.Name) {
		return nil, errors.New("the name is a letter, then letters, digits, - and _")
	}
	if reserved := []string{"", "serviceproviderconfig", "resourcetypes", "schemas", "me", "bulk", "v2"}; !isName(k.endpoint[1:]) || slices.Contains(reserved, strings.ToLower(k.endpoint[1:])) {
		return nil, fmt.Errorf("the endpoint %q is not a path of one name that is free, like /Devices", t.Endpoint)
	}
	core, err := d.schema(t.Schema)
	if err != nil {
		return nil, err
	}
	k.core, k.dated = core, dated(core.Attributes)
	used[strings.ToLower(core.ID)] = true
	*kinds = append(*kinds, k)
	return k, nil
}

func endpointOf(t typeDefinition) string { return "/" + strings.Trim(t.Endpoint, "/") }

// schema answers the one schema of a URN.
func (d Definitions) schema(urn string) (schema.Schema, error) {
	same := func(s schema.Schema) bool { return strings.EqualFold(s.ID, urn) }
	i := slices.IndexFunc(d.schemas, same)
	if i < 0 {
		return schema.Schema{}, fmt.Errorf("the schema %q is not defined: add it to a file of the folder", urn)
	}
	if slices.ContainsFunc(d.schemas[i+1:], same) || slices.Contains([]string{strings.ToLower(userURN), strings.ToLower(groupURN)}, strings.ToLower(urn)) {
		return schema.Schema{}, fmt.Errorf("the schema %s is defined twice", urn)
	}
	return d.schemas[i], nil
}

func (d Definitions) attach(k *kind, urn string, required bool, used map[string]bool) error {
	if own, ok := k.extension(urn); ok && !used[strings.ToLower(urn)] { // built in; it may be made required
		k.require(own.ID, required)
		return nil
	}
	if strings.EqualFold(urn, k.core.ID) || slices.ContainsFunc(k.extensions, func(s schema.Schema) bool { return strings.EqualFold(s.ID, urn) }) {
		return fmt.Errorf("the schema %s stands twice", urn)
	}
	extension, err := d.schema(urn)
	if err != nil {
		return err
	}
	if name := uniqueIn(extension.Attributes); name != "" && !k.custom {
		return fmt.Errorf("%s: %s: uniqueness is kept on resource types of your own only: say \"none\"", urn, name)
	}
	k.extensions = append(k.extensions, extension)
	k.dated = k.dated || dated(extension.Attributes)
	used[strings.ToLower(urn)] = true
	k.require(extension.ID, required)
	return nil
}

func (k *kind) require(urn string, required bool) {
	if required {
		k.required = append(k.required, urn)
	}
}
