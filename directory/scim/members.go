package scim

import (
	"net/http"
	"slices"
)

// memberValues reads the values of a list of members, each once.
func memberValues(v any) ([]string, error) {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	seen := map[string]bool{}
	for _, e := range list {
		element, _ := e.(map[string]any)
		value := text(element, "value")
		switch {
		case value == "":
			return nil, invalidValue("A member has no value.")
		case len(value) > maxKeyBytes:
			return nil, invalidValue("The value of a member is longer than %d bytes.", maxKeyBytes)
		case !seen[value]:
			seen[value] = true
			out = append(out, value)
		}
	}
	return out, nil
}

// members reads a list of members and finds those that are named by their externalId.
func (c *call) members(r *http.Request, list any) ([]string, error) {
	values, err := memberValues(list)
	if err != nil {
		return nil, err
	}
	m := memberEdit{add: values}
	if err := m.resolve(r.Context(), c); err != nil {
		return nil, c.h.outside(r, "", err)
	}
	return m.add, nil
}

// memberEdit is what the operations of one PATCH, in their order, do to the members.
type memberEdit struct {
	add, remove []string
	replace     *[]string
}

func (m *memberEdit) take(op string, p patchPath, value any) error {
	if p.sub != nil {
		return mutability("A member is added or removed as a whole.")
	}
	if p.where != nil {
		values, ok := filteredValues(*p.where)
		switch {
		case !ok:
			return invalidPath("Members are chosen by value eq only.")
		case op == "remove":
			m.drop(values)
		default:
			return mutability("A member is added or removed as a whole.")
		}
		return nil
	}
	values, err := memberValues(value)
	if err != nil {
		return err
	}
	switch op {
	case "add":
		m.put(values)
	case "replace":
		*m = memberEdit{replace: &values}
	case "remove":
		*m = memberEdit{replace: &[]string{}}
	}
	return nil
}

// put and drop keep add and remove apart: of two operations on one member the later counts.
func (m *memberEdit) put(values []string) {
	if m.replace != nil {
		*m.replace = append(without(*m.replace, values), values...)
		return
	}
	m.remove = without(m.remove, values)
	m.add = append(without(m.add, values), values...)
}

func (m *memberEdit) drop(values []string) {
	if m.replace != nil {
		*m.replace = without(*m.replace, values)
		return
	}
	m.add = without(m.add, values)
	m.remove = append(without(m.remove, values), values...)
}

func without(list, values []string) []string {
	if len(list) == 0 {
		return list
	}
	drop := make(map[string]bool, len(values))
	for _, v := range values {
		drop[v] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return drop[v] })
}

// filteredValues reads value eq "…", or any of several.
func filteredValues(e expr) ([]string, bool) {
	if e.op == "or" {
		var out []string
		for _, kid := range e.kids {
			values, ok := filteredValues(kid)
			if !ok {
				return nil, false
			}
			out = append(out, values...)
		}
		return out, true
	}
	value, ok := e.value.(string)
	return []string{value}, ok && e.op == "eq" && e.at.attr.Name() == "value"
}
