package scim

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"

	"github.com/rollcall-im/rollcall/directory"
)

// apply carries out canonical operations on r. It changes r in place and keeps no part of the operations' values, so that
// it can be called again on a fresh copy. An error leaves r half changed.
func (k *kind) apply(r resource, operations []operation) error {
	for _, o := range operations {
		p, err := k.parsePath(o.Path)
		if err != nil {
			return err
		}
		if err := k.applyOne(r, o.Op, p, clone(o.Value)); err != nil {
			return err
		}
	}
	return nil
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case int64: // as it comes back from the raw form
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return v
}

func (k *kind) applyOne(r resource, op string, p patchPath, value any) error {
	holder := r
	if p.urn != "" {
		inner, ok := r[p.urn].(map[string]any)
		if !ok {
			inner = resource{}
		}
		holder = inner
		defer func() {
			if len(holder) > 0 {
				r[p.urn] = holder
			} else {
				delete(r, p.urn)
			}
		}()
	}
	if p.attr.MultiValued() {
		return k.applyMulti(holder, op, p, value)
	}
	name := p.attr.Name()
	if p.sub == nil {
		if op == "remove" {
			delete(holder, name)
		} else {
			holder[name] = value
		}
		return nil
	}
	inner, ok := holder[name].(map[string]any)
	if !ok {
		inner = resource{}
	}
	setSub(inner, op, p.sub.Name(), value)
	if len(inner) == 0 {
		delete(holder, name)
	} else {
		holder[name] = inner
	}
	return nil
}

func setSub(element resource, op, sub string, value any) {
	if op == "remove" {
		delete(element, sub)
	} else {
		element[sub] = value
	}
}

// applyMulti carries an operation out on a multi-valued attribute of holder.
func (k *kind) applyMulti(holder resource, op string, p patchPath, value any) error {
	name := p.attr.Name()
	list, _ := holder[name].([]any)
	touched := map[int]bool{} // the elements the operation wrote
	switch {
	case p.where != nil || p.sub != nil:
		var err error
		if list, err = k.applyElements(list, op, p, value, touched); err != nil {
			return err
		}
	case op == "remove":
		list = nil
	case op == "replace":
		list, _ = value.([]any)
	default:
		added, _ := value.([]any)
		for _, e := range added {
			if !slices.ContainsFunc(list, func(have any) bool { return reflect.DeepEqual(have, e) }) {
				touched[len(list)] = true
				list = append(list, e)
			}
		}
		if primary(added) > 1 { // the request contradicts itself: checkValues refuses it
			clear(touched)
		}
	}
	onePrimary(list, touched)
	if len(list) == 0 {
		delete(holder, name)
	} else {
		holder[name] = list
	}
	return nil
}

// applyElements changes the elements that the value filter chooses; without a filter, all.
func (k *kind) applyElements(list []any, op string, p patchPath, value any, touched map[int]bool) ([]any, error) {
	_, hasValue := p.attr.SubAttributes().ContainsAttribute("value")
	hasValue = hasValue && !k.custom
	var out []any
	matched := false
	for _, e := range list {
		element, ok := e.(map[string]any)
		if !p.attr.HasSubAttributes() {
			element, ok = resource{"value": e}, true
		}
		if !ok || p.where != nil && !matches(*p.where, element) {
			out = append(out, e)
			continue
		}
		matched = true
		if op == "remove" && p.sub == nil {
			continue
		}
		if !p.attr.HasSubAttributes() {
			out = append(out, value)
			continue
		}
		was := maps.Clone(element)
		if p.sub != nil {
			setSub(element, op, p.sub.Name(), value)
		} else if whole, ok := value.(map[string]any); ok && op == "add" {
			maps.Copy(element, clone(whole).(map[string]any)) // what it does not name stays
		} else if ok {
			element = clone(whole).(map[string]any)
			for sub, literal := range equalities(p.where) {
				if _, given := element[sub]; !given {
					element[sub] = literal
				}
			}
		}
		empty := func(e resource) bool { return e["value"] == nil && e["$ref"] == nil }
		if len(element) == 0 || hasValue && empty(element) && !empty(was) {
			continue // what has no value any more is no element
		}
		for _, sub := range p.attr.SubAttributes() {
			if sub.Mutability() == "immutable" && was[sub.Name()] != nil && !sameJSON(was[sub.Name()], element[sub.Name()]) {
				return nil, mutability("%s.%s cannot be changed.", p.attr.Name(), sub.Name())
			}
		}
		touched[len(out)] = true
		out = append(out, element)
	}
	if matched || op == "remove" {
		return out, nil
	}
	if !p.attr.HasSubAttributes() {
		return nil, noTarget("No value of %s matches the filter.", p.attr.Name())
	}
	element, err := create(op, p, value)
	if err != nil {
		return nil, err
	}
	touched[len(out)] = true
	return append(out, element), nil
}

// create makes the element that a value filter describes but did not find. An add always creates; a replace only
// where the filter says plainly what the element is: equalities alone, and a type out of the schema's words.
func create(op string, p patchPath, value any) (resource, error) {
	literals := equalities(p.where)
	plain := p.where == nil || literals != nil
	if op == "replace" && p.where != nil {
		kind, ok := p.attr.SubAttributes().ContainsAttribute("type")
		word, _ := literals["type"].(string)
		plain = plain && ok && slices.ContainsFunc(kind.CanonicalValues(), func(c string) bool { return strings.EqualFold(c, word) })
	}
	if !plain {
		return nil, noTarget("No value of %s matches the filter.", p.attr.Name())
	}
	element := resource{}
	maps.Copy(element, literals)
	if p.sub != nil {
		element[p.sub.Name()] = value
	} else if whole, ok := value.(map[string]any); ok {
		maps.Copy(element, whole)
	}
	return element, nil
}

// equalities answers what a filter says by eq alone, nil where it says anything else.
func equalities(e *expr) map[string]any {
	if e == nil {
		return nil
	}
	out := map[string]any{}
	kids := []expr{*e}
	if e.op == "and" {
		kids = e.kids
	}
	for _, kid := range kids {
		if kid.op != "eq" {
			return nil
		}
		out[kid.at.attr.Name()] = kid.value
		if at, ok := kid.value.(time.Time); ok {
			out[kid.at.attr.Name()] = at.Format(time.RFC3339Nano)
		}
	}
	return out
}

// onePrimary makes a newly primary element the only one (RFC 7644 section 3.5.2).
func onePrimary(list []any, touched map[int]bool) {
	chosen := -1
	for i, e := range list {
		if element, ok := e.(map[string]any); ok && touched[i] && element["primary"] == true {
			chosen = i
		}
	}
	if chosen < 0 {
		return
	}
	for i, e := range list {
		if element, ok := e.(map[string]any); ok && i != chosen && element["primary"] == true {
			element["primary"] = false
		}
	}
}

// matches tells whether an element satisfies a value filter.
func matches(e expr, element resource) bool {
	switch e.op {
	case "and":
		return !slices.ContainsFunc(e.kids, func(kid expr) bool { return !matches(kid, element) })
	case "or":
		return slices.ContainsFunc(e.kids, func(kid expr) bool { return matches(kid, element) })
	case "not":
		return !matches(e.kids[0], element)
	case "pr":
		return !isEmpty(element[e.at.attr.Name()])
	}
	return compare(e, element[e.at.attr.Name()])
}

func compare(e expr, have any) bool {
	if want, ok := e.value.(bool); ok {
		is := have == true // RFC 7643 section 2.4: primary is false where it is not given
		return (is == want) == (e.op == "eq")
	}
	if want, ok := e.value.(float64); ok {
		return compareNumber(e.op, have, want)
	}
	if want, ok := e.value.(time.Time); ok {
		text, _ := have.(string)
		at, ok := instantOf(text)
		if !ok {
			return e.op == "ne"
		}
		return compareNumber(e.op, at.UnixMicro(), float64(want.UnixMicro()))
	}
	want, _ := e.value.(string)
	text, ok := have.(string)
	if !ok {
		return e.op == "ne"
	}
	return compareText(e.at.attr, e.op, text, want)
}

func compareNumber(op string, have any, want float64) bool {
	number, err := strconv.ParseFloat(fmt.Sprint(have), 64)
	if err != nil {
		return op == "ne"
	}
	switch op {
	case "eq":
		return number == want
	case "ne":
		return number != want
	case "gt":
		return number > want
	case "ge":
		return number >= want
	case "lt":
		return number < want
	}
	return op == "le" && number <= want
}

func compareText(a schema.CoreAttribute, op, have, want string) bool {
	if !a.CaseExact() {
		have, want = directory.Fold(have), directory.Fold(want)
	}
	switch op {
	case "eq":
		return have == want
	case "ne":
		return have != want
	case "co":
		return strings.Contains(have, want)
	case "sw":
		return strings.HasPrefix(have, want)
	case "ew":
		return strings.HasSuffix(have, want)
	case "gt":
		return have > want
	case "ge":
		return have >= want
	case "lt":
		return have < want
	case "le":
		return have <= want
	}
	return false
}
