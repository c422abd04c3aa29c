package scim

import (
	"slices"

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
	if t.readOnly() || t.leaf().Returned() == "never" || t.attr.Returned() == "never" {
		return false
	}
	if t.urn == "" && slices.Contains([]string{"id", "meta", "schemas", "members", "groups", "externalId"}, t.attr.Name()) {
		return false
	}
	return t.urn != enterpriseURN || t.attr.Name() != "manager"
}

// rawColumn answers the column of the raw form for one value of an attribute's type.
func rawColumn(t target, path ...string) (directory.Column, bool) {
	a := t.leaf()
	switch a.AttributeType() {
	case "string", "reference", "binary":
		if a.CaseExact() {
			return directory.RawExact(path...), true
		}
		return directory.RawText(path...), true
	case "boolean":
		return directory.RawBool(path...), true
	case "integer", "decimal":
		return directory.RawNumber(path...), true
	}
	return "", false // instants have too many spellings to be compared as text
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
	one := directory.Compare{Column: column, Op: directory.Op(e.op), Value: e.value}
	if !multi {
		return one, nil
	}
	none := one.Op == directory.Ne // of many values: none is equal
	if none {
		one.Op = directory.Eq
	}
	list := directory.Element{Kind: directory.RawList(rawPath(target{urn: t.urn, attr: t.attr})...), Of: one}
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
	return directory.Element{Kind: directory.RawList(rawPath(e.at)...), Of: inner}, err
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
		return directory.Compare{Column: directory.RawText(e.at.attr.Name()), Op: directory.Pr}, nil
	}
	column, ok := rawColumn(e.at, e.at.attr.Name())
	if !ok || e.at.attr.Returned() == "never" {
		return nil, invalidFilter("%s.%s cannot be filtered by.", list.path(), e.at.attr.Name())
	}
	return directory.Compare{Column: column, Op: directory.Op(e.op), Value: e.value}, nil
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
	return ok
}
