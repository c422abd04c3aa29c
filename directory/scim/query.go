package scim

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// column answers the column of the store that holds an attribute; ok is false for what has none. userType and costCenter
// have none: their columns hold what another attribute says where these say nothing.
func (k *kind) column(t target) (directory.Column, bool) {
	path := strings.ToLower(t.path())
	switch everywhere := []string{"id", "externalid", "meta.created", "meta.lastmodified"}; {
	case k.name == "Group" && path == "members.value":
		return directory.ColMember, true
	case k.name == "Group" && path != "displayname" && !slices.Contains(everywhere, path), k.custom && !slices.Contains(everywhere, path):
		return "", false
	}
	switch path {
	case "id":
		return directory.ColID, true
	case "externalid":
		return directory.ColExternalID, true
	case "username":
		return directory.ColUserName, true
	case "displayname":
		return directory.ColDisplayName, true
	case "name.givenname":
		return directory.ColGivenName, true
	case "name.familyname":
		return directory.ColFamilyName, true
	case "title":
		return directory.ColTitle, true
	case "timezone":
		return directory.ColTimeZone, true
	case "active":
		return directory.ColActive, true
	case "meta.created":
		return directory.ColCreated, true
	case "meta.lastmodified":
		return directory.ColModified, true
	case "emails.value":
		return directory.ColEmail, true
	case "emails.type":
		return directory.ColEmailType, true
	case "emails.primary":
		return directory.ColEmailPrimary, true
	case "phonenumbers.value":
		return directory.ColPhone, true
	case "phonenumbers.type":
		return directory.ColPhoneType, true
	case "phonenumbers.primary":
		return directory.ColPhonePrimary, true
	case "groups.value":
		return directory.ColGroup, true
	}
	return extensionColumn(t)
}

func extensionColumn(t target) (directory.Column, bool) {
	name := t.attr.Name()
	if t.sub != nil {
		name += "." + t.sub.Name()
	}
	switch t.urn + ":" + name {
	case enterpriseURN + ":employeeNumber":
		return directory.ColEmployeeNumber, true
	case enterpriseURN + ":organization":
		return directory.ColOrganization, true
	case enterpriseURN + ":division":
		return directory.ColDivision, true
	case enterpriseURN + ":department":
		return directory.ColDepartment, true
	case enterpriseURN + ":manager.value":
		return directory.ColManager, true
	case EmploymentURN + ":company":
		return directory.ColCompany, true
	}
	return "", false
}

// compile turns a checked filter into the store's closed language, which becomes SQL there. What the store has
// no column for is refused: nothing is ever filtered in memory.
func (k *kind) compile(e expr) (directory.Where, error) {
	switch e.op {
	case "always":
		return directory.Always{}, nil
	case "never":
		return directory.Never{}, nil
	case "and", "or":
		kids := make([]directory.Where, len(e.kids))
		for i, kid := range e.kids {
			w, err := k.compile(kid)
			if err != nil {
				return nil, err
			}
			kids[i] = w
		}
		if e.op == "and" {
			return directory.And(kids), nil
		}
		return directory.Or(kids), nil
	case "not":
		w, err := k.compile(e.kids[0])
		if err != nil {
			return nil, err
		}
		return directory.Not{Of: w}, nil
	case "has":
		return k.compileHas(e)
	}
	return k.compileComparison(e)
}

func (k *kind) compileComparison(e expr) (directory.Where, error) {
	path := strings.ToLower(e.at.path())
	switch path {
	case "meta.resourcetype":
		return constant(e, k.name)
	case "schemas":
		if urn, ok := k.namedExtension(e); ok {
			return directory.Compare{Column: directory.RawText(urn), Op: directory.Pr}, nil
		}
		return constant(e, k.core.ID)
	}
	t := e.at
	if e.op == "pr" && t.sub == nil && t.attr.HasSubAttributes() {
		if path == "meta" {
			return directory.Always{}, nil
		}
		if value, ok := t.attr.SubAttributes().ContainsAttribute("value"); ok {
			t.sub = &value
		}
	}
	column, ok := k.column(t)
	if !ok || e.op == "pr" && t.leaf().AttributeType() == "boolean" && t.sub != nil { // primary: false where it is not there
		return k.compileRaw(expr{op: e.op, at: t, value: e.value})
	}
	if at, ok := e.value.(time.Time); ok {
		return compareShown(column, directory.Op(e.op), at), nil
	}
	if column == directory.ColDisplayName && k.name == "User" {
		return compareDisplayName(directory.Op(e.op), e.value), nil
	}
	if word, ok := e.value.(string); ok && column == directory.ColManager && !ours(word) { // one who is not there yet
		e.value = waitingKey(word)
	}
	return directory.Compare{Column: column, Op: directory.Op(e.op), Value: e.value}, nil
}

// compareShown compares an instant as it is answered: in whole milliseconds, which the store's are not.
func compareShown(column directory.Column, op directory.Op, at time.Time) directory.Where {
	whole := at.Truncate(time.Millisecond)
	since := directory.Compare{Column: column, Op: directory.Ge, Value: whole}
	after := directory.Compare{Column: column, Op: directory.Ge, Value: whole.Add(time.Millisecond)}
	if !whole.Equal(at) { // nothing is shown at this instant
		since = after
	}
	switch op {
	case directory.Eq:
		return directory.And{since, directory.Not{Of: after}}
	case directory.Ne:
		return directory.Or{directory.Not{Of: since}, after}
	case directory.Gt:
		return after
	case directory.Ge:
		return since
	case directory.Lt:
		return directory.Not{Of: since}
	case directory.Le:
		return directory.Not{Of: after}
	}
	return directory.Compare{Column: column, Op: op, Value: at}
}

// compareDisplayName compares the column, which has an index, where the source gives a displayName; where it gives
// none, the column holds the parts of the name instead.
func compareDisplayName(op directory.Op, value any) directory.Where {
	given := directory.Compare{Column: directory.RawText("displayName"), Op: directory.Pr}
	switch {
	case op == directory.Pr:
		return given
	case op == directory.Eq && value == "":
		return directory.Not{Of: given}
	case op == directory.Ne:
		return directory.Not{Of: compareDisplayName(directory.Eq, value)}
	}
	return directory.And{directory.Compare{Column: directory.ColDisplayName, Op: op, Value: value}, given}
}

// constant answers a comparison with what is the same for all resources of a type.
func constant(e expr, is string) (directory.Where, error) {
	want, _ := e.value.(string)
	if e.op == "pr" || compareText(e.at.leaf(), e.op, is, want) {
		return directory.Always{}, nil
	}
	if strings.HasPrefix(is, "urn:") && e.op != "eq" {
		return nil, invalidFilter("schemas takes eq only.")
	}
	return directory.Never{}, nil
}

// namedExtension answers the extension that schemas eq "…" asks for: a resource has it where it says anything of it.
func (k *kind) namedExtension(e expr) (string, bool) {
	want, _ := e.value.(string)
	for _, extension := range k.extensions {
		if e.op == "eq" && strings.EqualFold(want, extension.ID) {
			return extension.ID, true
		}
	}
	return "", false
}

// compileHas takes a value filter: on e-mails and phones all of it must hold for one of them; members, groups and
// manager have one thing to ask for, their value.
func (k *kind) compileHas(e expr) (directory.Where, error) {
	lifted := lift(e.kids[0], e.at)
	if !k.hasColumns(lifted) {
		return k.compileRawElement(e)
	}
	inner, err := k.compile(lifted)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(e.at.path()) {
	case "emails":
		return directory.Element{Kind: directory.ColEmail, Of: inner}, nil
	case "phonenumbers":
		return directory.Element{Kind: directory.ColPhone, Of: inner}, nil
	}
	if e.at.attr.MultiValued() && !plainValues(e.kids[0]) {
		return nil, invalidFilter("%s can be asked for values only.", e.at.path())
	}
	return inner, nil
}

// plainValues tells whether a value filter means the same asked of one element and of the list: one comparison of
// value, or any of several.
func plainValues(e expr) bool {
	if e.op == "or" {
		for _, kid := range e.kids {
			if !plainValues(kid) {
				return false
			}
		}
		return true
	}
	return e.op == "eq" || e.op == "pr"
}

// lift makes the sub-attributes of a value filter sub-attributes of what it filters.
func lift(e expr, t target) expr {
	if len(e.kids) > 0 {
		kids := make([]expr, len(e.kids))
		for i, kid := range e.kids {
			kids[i] = lift(kid, t)
		}
		e.kids = kids
		return e
	}
	sub := e.at.attr
	e.at = target{urn: t.urn, attr: t.attr, sub: &sub}
	return e
}

// sortColumn answers what sortBy names and its column (RFC 7644 section 3.4.2.3). Of several values the primary or
// first one counts, of a complex one its value.
func (k *kind) sortColumn(by string) (target, directory.Column, error) {
	refused := invalidValue("Resources cannot be sorted by %s.", by)
	p, err := k.parsePath(by)
	if err != nil {
		return target{}, "", err
	}
	if p.foreign != "" || p.container != "" || p.where != nil {
		return target{}, "", refused
	}
	t := p.target
	if value, ok := t.attr.SubAttributes().ContainsAttribute("value"); ok && t.sub == nil {
		t.sub = &value
	}
	column, ok := k.column(t)
	if !ok && k.rawReadable(t) && t.leaf().AttributeType() != "binary" {
		column, ok = rawSortColumn(t)
	}
	if ok {
		column, ok = sortable(column)
	}
	if !ok {
		return target{}, "", refused
	}
	return t, column, nil
}
