package policies

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var parameterForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// template is what several groups have in common. It stays the text it was: each group reads it with the values of its parameters.
type template struct {
	key        string
	parameters []parameter
	reader     *reader // of the file it stands in
	node       *yaml.Node
}

// parameter is one value that groups give to a template; byDefault is nil where they must.
type parameter struct {
	key       string
	list      bool
	byDefault any // string or []string
}

// Parameters that every template has.
const (
	ownKey  = "key"  // of the group
	ownName = "name" // of the group, in names and descriptions
)

// template reads a template, and reads it once with values in the place of its parameters, so that mistakes are found where nobody uses it yet.
func (p *parser) template(r *reader, n *yaml.Node) error {
	t := &template{reader: r, node: n}
	known := r.groupFields(&Group{})
	for name := range known {
		known[name] = func(*yaml.Node) error { return nil }
	}
	known["key"] = func(n *yaml.Node) error { return r.key(n, &t.key) }
	known["parameters"] = func(n *yaml.Node) error {
		return r.sequence(n, func(n *yaml.Node) error { return t.parameter(r, n) })
	}
	if err := r.mapping(n, known); err != nil {
		return err
	}
	if t.key == "" {
		return r.at(n, "template has no key", "")
	}
	if err := p.claim(r, n, fmt.Sprintf("template %q", t.key)); err != nil {
		return err
	}
	p.templates[t.key] = t
	values := map[string]any{ownKey: "key"}
	for _, q := range t.parameters {
		if values[q.key] = strings.ReplaceAll(q.key, "_", "-"); q.list {
			values[q.key] = []string{q.key}
		}
	}
	return t.read(&Group{Key: "key", Names: map[string]string{"en": ownName, "zh": ownName}}, values, "")
}

func (t *template) parameter(r *reader, n *yaml.Node) error {
	q := parameter{}
	var value *yaml.Node
	var kind string
	err := r.mapping(n, fields{
		"key": func(n *yaml.Node) error {
			if err := r.text(n, &q.key); err != nil {
				return err
			}
			if !parameterForm.MatchString(q.key) || q.key == ownKey || q.key == ownName {
				return r.at(n, fmt.Sprintf("parameter %q is not valid", q.key), "a parameter is a-z, 0-9 and '_', and neither key nor name, which every template has")
			}
			return nil
		},
		"type":        func(n *yaml.Node) error { return r.oneOf(n, &kind, "text", "list") },
		"default":     func(n *yaml.Node) error { value = n; return nil },
		"description": func(n *yaml.Node) error { return r.names(n, &map[string]string{}) },
	})
	switch {
	case err != nil:
		return err
	case q.key == "":
		return r.at(n, "parameter has no key", "")
	case slices.ContainsFunc(t.parameters, func(o parameter) bool { return o.key == q.key }):
		return r.at(n, fmt.Sprintf("parameter %q stands twice", q.key), "")
	}
	q.list = kind == "list"
	if value != nil {
		if q.byDefault, err = r.argument(value, q); err != nil {
			return err
		}
	}
	t.parameters = append(t.parameters, q)
	return nil
}

// argument reads the value of a parameter.
func (r *reader) argument(n *yaml.Node, q parameter) (any, error) {
	if !q.list {
		var text string
		err := r.text(n, &text)
		return text, err
	}
	list := []string{}
	err := r.sequence(n, func(n *yaml.Node) error {
		var text string
		err := r.text(n, &text)
		list = append(list, text)
		return err
	})
	return list, err
}

// instance is how a group uses a template.
type instance struct {
	at    *yaml.Node // the template's key
	block *yaml.Node // of the arguments
	with  map[string]*yaml.Node
	names map[string]*yaml.Node
}

func (i *instance) read(r *reader, n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return r.at(n, "wants a mapping of parameters", "with: {unit: rnd}")
	}
	i.block, i.names = n, map[string]*yaml.Node{}
	for j := 0; j+1 < len(n.Content); j += 2 {
		key, value := n.Content[j], n.Content[j+1]
		if i.with[key.Value] != nil {
			return r.at(key, fmt.Sprintf("key %q stands twice", key.Value), "")
		}
		if err := r.plain(value); err != nil {
			return err
		}
		i.with[key.Value], i.names[key.Value] = value, key
	}
	return nil
}

// expand reads a template for one group.
func (p *parser) expand(r *reader, call *instance, g *Group) error {
	t := p.templates[g.Template]
	if t == nil {
		return r.at(call.at, fmt.Sprintf("no template has the key %q", g.Template), nearest(g.Template, slices.Sorted(maps.Keys(p.templates))))
	}
	values := map[string]any{ownKey: g.Key}
	var known []string
	for _, q := range t.parameters {
		known = append(known, q.key)
		n := call.with[q.key]
		if n == nil {
			if q.byDefault == nil {
				return r.at(call.at, fmt.Sprintf("parameter %q of template %q has no value", q.key, t.key), fmt.Sprintf("with: {%s: …}", q.key))
			}
			values[q.key] = q.byDefault
			continue
		}
		v, err := r.argument(n, q)
		if err != nil {
			return err
		}
		values[q.key] = v
	}
	for _, name := range slices.Sorted(maps.Keys(call.with)) {
		if !slices.Contains(known, name) {
			return r.at(call.names[name], fmt.Sprintf("template %q has no parameter %q", t.key, name), nearest(name, known))
		}
	}
	return t.read(g, values, fmt.Sprintf(" (in group %q)", g.Key))
}

// read reads the template into g.
func (t *template) read(g *Group, values map[string]any, inside string) error {
	r := *t.reader
	r.parameters, r.inside, r.trial, r.named = values, inside, inside == "", map[string]map[string]string{ownName: g.Names}
	if g.Names == nil {
		r.named = nil
	}
	known := r.groupFields(g)
	for _, name := range []string{"key", "parameters"} {
		known[name] = func(*yaml.Node) error { return nil }
	}
	return r.mapping(t.node, known)
}

// quote writes a text as a literal of an expression.
func quote(text string) string {
	if strconv.CanBackquote(text) && !strings.ContainsAny(text, "\\\"") {
		return `"` + text + `"`
	}
	return strconv.QuoteToASCII(text)
}
