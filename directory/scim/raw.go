package scim

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// rawPath is where an attribute stands in the raw form of a record.
func rawPath(t target) []string {
	var path []string
	if t.urn != "" {
		path = append(path, t.urn)
	}
	path = append(path, t.attr.Name())
	if t.sub != nil {
		path = append(path, t.sub.Name())
	}
	return path
}

// rawReadable tells whether the raw form holds what is answered for an attribute: not what is computed, and not what
// nobody may read.
func (k *kind) rawReadable(t target) bool {
	if t.readOnly() && !k.custom || t.leaf().Returned() == "never" || t.attr.Returned() == "never" {
		return false
	}
	if t.urn == "" && slices.Contains([]string{"id", "meta", "schemas", "externalId"}, t.attr.Name()) ||
		t.urn == "" && !k.custom && (t.attr.Name() == "members" || t.attr.Name() == "groups") {
		return false
	}
	return t.urn != enterpriseURN || t.attr.Name() != "manager"
}

// rawColumn answers the column of the raw form for one value of an attribute's type; path ends in the attribute's name, or
// is empty for a value of a list.
func rawColumn(t target, path ...string) (directory.Column, bool) {
	a := t.leaf()
	switch a.AttributeType() {
	case "binary":
		return directory.RawExact(path...), true
	case "string", "reference":
		if a.CaseExact() {
			return directory.RawExact(path...), true
		}
		return directory.RawText(path...), true
	case "boolean":
		return directory.RawBool(path...), true
	case "integer", "decimal":
		return directory.RawNumber(path...), true
	case "dateTime":
		if len(path) > 0 {
			path[len(path)-1] = instantName(a)
		}
		return directory.RawNumber(path...), true
	}
	return "", false
}

// rawList answers where the values of a multi-valued attribute stand, as they are compared.
func rawList(t target) []string {
	path := rawPath(target{urn: t.urn, attr: t.attr})
	path[len(path)-1] = instantName(t.attr)
	return path
}

// rawSortColumn answers the column to sort by: of several values it is the primary one, or the first (RFC 7644 section 3.4.2.3).
func rawSortColumn(t target) (directory.Column, bool) {
	if !t.attr.MultiValued() {
		return rawColumn(t, rawPath(t)...)
	}
	var path []string
	if t.sub != nil {
		path = []string{t.sub.Name()}
	}
	of, ok := rawColumn(t, path...)
	return directory.RawMain(of, rawList(t)...), ok
}

// rawCompare compares one value; instants are compared as numbers.
func rawCompare(column directory.Column, e expr) directory.Compare {
	if at, ok := e.value.(time.Time); ok {
		e.value = float64(at.UnixMicro())
	}
	return directory.Compare{Column: column, Op: directory.Op(e.op), Value: e.value}
}

// compileRaw compares what has no column of its own.
func (k *kind) compileRaw(e expr) (directory.Where, error) {
	t := e.at
	refused := invalidFilter("%s cannot be filtered by.", t.path())
	if !k.rawReadable(t) {
		return nil, refused
	}
	multi := t.attr.MultiValued()
	if e.op == "pr" {
		whole := target{urn: t.urn, attr: t.attr}
		switch {
		case !multi:
			return directory.Compare{Column: directory.RawText(rawPath(t)...), Op: directory.Pr}, nil
		case t.sub == nil:
			return directory.Element{Kind: directory.RawList(rawPath(whole)...), Of: directory.Always{}}, nil
		}
		return directory.Element{Kind: directory.RawList(rawPath(whole)...), Of: directory.Compare{Column: directory.RawText(t.sub.Name()), Op: directory.Pr}}, nil
	}
	path := rawPath(t)
	if multi {
		path = nil
		if t.sub != nil {
			path = []string{t.sub.Name()}
		}
	}
	column, ok := rawColumn(t, path...)
	if !ok {
		return nil, refused
	}
	one := rawCompare(column, e)
	if !multi {
		return one, nil
	}
	none := one.Op == directory.Ne // of many values: none is equal
	if none {
		one.Op = directory.Eq
	}
	list := directory.Element{Kind: directory.RawList(rawList(t)...), Of: one}
	if none {
		return directory.Not{Of: list}, nil
	}
	return list, nil
}

// compileRawElement takes a value filter on a list that has no columns: all of it must hold for one value.
func (k *kind) compileRawElement(e expr) (directory.Where, error) {
	if !k.rawReadable(e.at) || !e.at.attr.MultiValued() {
		return nil, invalidFilter("%s cannot be filtered by.", e.at.path())
	}
	inner, err := k.compileInside(e.kids[0], e.at)
	return directory.Element{Kind: directory.RawList(rawList(e.at)...), Of: inner}, err
}

func (k *kind) compileInside(e expr, list target) (directory.Where, error) {
	kids := make([]directory.Where, len(e.kids))
	for i, kid := range e.kids {
		var err error
		if kids[i], err = k.compileInside(kid, list); err != nil {
			return nil, err
		}
	}
	switch e.op {
	case "and":
		return directory.And(kids), nil
	case "or":
		return directory.Or(kids), nil
	case "not":
		return directory.Not{Of: kids[0]}, nil
	case "pr":
		if !list.attr.HasSubAttributes() {
			return directory.Always{}, nil
		}
		return directory.Compare{Column: directory.RawText(e.at.attr.Name()), Op: directory.Pr}, nil
	}
	path := []string{e.at.attr.Name()}
	if !list.attr.HasSubAttributes() {
		path = nil
	}
	column, ok := rawColumn(e.at, path...)
	if !ok || e.at.attr.Returned() == "never" {
		return nil, invalidFilter("%s.%s cannot be filtered by.", list.path(), e.at.attr.Name())
	}
	return rawCompare(column, e), nil
}

// hasColumns tells whether everything a value filter asks for has a column.
func (k *kind) hasColumns(e expr) bool {
	for _, kid := range e.kids {
		if !k.hasColumns(kid) {
			return false
		}
	}
	if len(e.kids) > 0 {
		return true
	}
	_, ok := k.column(e.at)
	return ok && (e.op != "pr" || e.at.leaf().AttributeType() != "boolean")
}
