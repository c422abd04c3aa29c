package scim

import (
	"encoding/json"
	"slices"
	"strings"

	engine "github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
)

// The schemas of this service provider.
const (
	userURN       = schema.UserSchema
	groupURN      = schema.GroupSchema
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	// EmploymentURN names our extension of HR dates: startDate, endDate, lastWorkingInstant, timeZone, leaveFrom,
	// leaveUntil, disclosureDate, employmentType, company, costCenter.
	EmploymentURN = "urn:ietf:params:scim:schemas:extension:rollcall:employment:1.0:User"

	patchURN  = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
)

// kind is one resource type as every stage of the pipeline sees it.
type kind struct {
	name       string // "User": meta.resourceType
	endpoint   string // "/Users"
	core       schema.Schema
	extensions []schema.Schema
	required   []string          // the URNs of the extensions that every resource has
	common     schema.Attributes // id, externalId, meta, schemas
	custom     bool              // from configuration: no dialect of real clients is known for it
	dated      bool              // some attribute is a dateTime
	about      string            // for people
}

func userKind() *kind {
	return &kind{name: "User", endpoint: "/Users", core: truthful(schema.CoreUserSchema()),
		extensions: []schema.Schema{truthful(schema.ExtensionEnterpriseUser()), employmentSchema()}, common: schema.CommonAttributes()}
}

func groupKind() *kind {
	return &kind{name: "Group", endpoint: "/Groups", core: truthful(schema.CoreGroupSchema()), common: schema.CommonAttributes()}
}

// truthful makes a schema of the standard say what is done here: ids compare byte for byte, and no two groups of a
// source have one name. The library's schemas can be changed in their JSON form only; where that fails they stay as they are.
func truthful(s schema.Schema) schema.Schema {
	plain, err := json.Marshal(s)
	if err != nil {
		return s
	}
	var form struct {
		Attributes []resource `json:"attributes"`
	}
	if json.Unmarshal(plain, &form) != nil {
		return s
	}
	for _, a := range form.Attributes {
		switch name := a["name"]; {
		case name == "members" || name == "groups" || name == "manager":
			for _, sub := range elements(a, "subAttributes") {
				if sub["name"] == "value" {
					sub["caseExact"] = true
				}
			}
		case name == "displayName" && s.ID == groupURN:
			a["uniqueness"] = "server"
		}
	}
	changed, err := json.Marshal(form.Attributes)
	if err != nil {
		return s
	}
	out := schema.Schema{}
	whole, err := json.Marshal(map[string]any{"id": s.ID, "name": s.Name.Value(), "description": s.Description.Value(), "attributes": json.RawMessage(changed)})
	if err != nil || json.Unmarshal(whole, &out) != nil {
		return s
	}
	return out
}

// resourceType is the library's view of k.
func (k *kind) resourceType(handler engine.ResourceHandler) engine.ResourceType {
	t := engine.ResourceType{ID: optional.NewString(k.name), Name: k.name, Description: optional.NewString(k.about), Endpoint: k.endpoint, Schema: k.core, Handler: handler}
	for _, extension := range k.extensions {
		t.SchemaExtensions = append(t.SchemaExtensions, engine.SchemaExtension{Schema: extension, Required: slices.Contains(k.required, extension.ID)})
	}
	return t
}

// employmentSchema is our extension. Its dates are strings, not of type dateTime, because a source may send a
// plain date: the start of that day, or for an end its end, in the person's time zone. The suggested values show
// both forms: a client that makes a value up from the schema alone has nothing else to go by.
func employmentSchema() schema.Schema {
	text := func(name, description string, forms ...string) schema.CoreAttribute {
		return schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{Name: name, Description: optional.NewString(description), CanonicalValues: forms}))
	}
	const day, instant = "2026-01-31", "2026-01-31T18:00:00+08:00"
	return schema.Schema{
		ID:          EmploymentURN,
		Name:        optional.NewString("Employment"),
		Description: optional.NewString("The dates and terms of an employment or contract."),
		Attributes: schema.Attributes{
			text("startDate", "First day of work, as a date or an RFC 3339 time.", day, instant),
			text("endDate", "Last day of work: a date is its end in the person's time zone, an RFC 3339 time is that instant.", day, instant),
			text("lastWorkingInstant", "When work and access end on the last day, to the second: an RFC 3339 time, or without an offset the clock on the wall in timeZone. The earlier of it and endDate counts.", instant),
			text("timeZone", "The IANA zone in which the dates and times of this employment are read; without it the user's timezone.", "Asia/Shanghai", "Europe/Berlin"),
			text("leaveFrom", "First day of a leave of absence, as a date or an RFC 3339 time.", day, instant),
			text("leaveUntil", "Last day of a leave of absence: a date is its end, an RFC 3339 time is that instant.", day, instant),
			text("disclosureDate", "From when on an end or a leave to come may be told to others than security and personnel: a date or an RFC 3339 time. Without it the server's rule says.", day, instant),
			text("employmentType", "employee, contractor, intern or another word of the source."),
			text("company", "The employing company."),
			text("costCenter", "The cost centre of the employment."),
		},
	}
}

// target is an attribute of a resource, found in a schema: attr, or its sub-attribute sub.
type target struct {
	urn  string // of the extension; empty for the core schema and the common attributes
	attr schema.CoreAttribute
	sub  *schema.CoreAttribute
}

// path writes t in its one canonical form.
func (t target) path() string {
	p := t.attr.Name()
	if t.urn != "" {
		p = t.urn + ":" + p
	}
	if t.sub != nil {
		p += "." + t.sub.Name()
	}
	return p
}

// leaf is the attribute that holds the value: the sub-attribute where there is one.
func (t target) leaf() schema.CoreAttribute {
	if t.sub != nil {
		return *t.sub
	}
	return t.attr
}

func (t target) readOnly() bool {
	return t.attr.Mutability() == "readOnly" || t.sub != nil && t.sub.Mutability() == "readOnly"
}

// find looks an attribute up, whatever its letter case (RFC 7643 section 2.1). Without a URN it looks in the
// core schema, the common attributes and then the extensions, for clients leave the URN out.
func (k *kind) find(urn, name, sub string) (target, bool) {
	t, ok := k.findAttribute(urn, name)
	if !ok || sub == "" {
		return t, ok
	}
	found, ok := t.attr.SubAttributes().ContainsAttribute(sub)
	if !ok {
		return target{}, false
	}
	t.sub = &found
	return t, true
}

func (k *kind) findAttribute(urn, name string) (target, bool) {
	if urn == "" || urn == k.core.ID {
		if a, ok := k.core.Attributes.ContainsAttribute(name); ok {
			return target{attr: a}, true
		}
		if a, ok := k.common.ContainsAttribute(name); ok {
			return target{attr: a}, true
		}
	}
	for _, extension := range k.extensions {
		if urn != "" && urn != extension.ID {
			continue
		}
		if a, ok := extension.Attributes.ContainsAttribute(name); ok {
			return target{urn: extension.ID, attr: a}, true
		}
	}
	return target{}, false
}

// extension answers the extension schema named urn.
func (k *kind) extension(urn string) (schema.Schema, bool) {
	i := slices.IndexFunc(k.extensions, func(s schema.Schema) bool { return s.ID == urn })
	if i < 0 {
		return schema.Schema{}, false
	}
	return k.extensions[i], true
}

// splitURN parts a qualified name: the schema it names, in its canonical spelling, and what follows. A URN we
// do not know is answered as it stands with known false; a plain name has no URN and is known.
func (k *kind) splitURN(name string) (urn, rest string, known bool) {
	if !strings.Contains(name, ":") {
		return "", name, true
	}
	name = repairURN(name)
	for _, s := range append([]schema.Schema{k.core}, k.extensions...) {
		if strings.EqualFold(name, s.ID) {
			return s.ID, "", true
		}
		if len(name) > len(s.ID) && name[len(s.ID)] == ':' && strings.EqualFold(name[:len(s.ID)], s.ID) {
			return s.ID, name[len(s.ID)+1:], true
		}
	}
	return name, "", false
}

// repairURN undoes what clients do to URNs: blanks inside, and "2.0User" for "2.0:User" (Entra's own template
// of the enterprise extension).
func repairURN(name string) string {
	name = strings.Join(strings.Fields(name), "")
	const broken, right = "extension:enterprise:2.0User", "extension:enterprise:2.0:User"
	for i := range len(name) - len(broken) + 1 { // in lower case a text may be longer or shorter
		if strings.EqualFold(name[i:i+len(broken)], broken) {
			return name[:i] + right + name[i+len(broken):]
		}
	}
	return name
}

// legacyCore are the schema URNs under which older clients (OneLogin) send core resources.
func (k *kind) legacyCore(urn string) bool {
	return strings.EqualFold(urn, "urn:scim:schemas:core:1.0") || strings.EqualFold(urn, "urn:scim:schemas:core:2.0:"+k.name) ||
		strings.EqualFold(urn, "urn:ietf:params:scim:schemas:core:1.0:"+k.name)
}
