package scim

import (
	"slices"

	"github.com/elimity-com/scim/schema"
)

// projection is what attributes or excludedAttributes ask for (RFC 7644 section 3.9). Where a client sends both,
// attributes counts.
type projection struct {
	kind    *kind
	only    bool
	targets []patchPath
}

// projection reads the parameters; names that nothing is called are not looked at. A value filter behind a name,
// which Microsoft's tests send, asks for the whole attribute.
func (k *kind) projection(q query) projection {
	p := projection{kind: k, only: len(q.attributes) > 0}
	names := q.excludedAttributes
	if p.only {
		names = q.attributes
	}
	for _, name := range names {
		if path, err := k.parsePath(name); err == nil && path.foreign == "" {
			path.where = nil
			p.targets = append(p.targets, path)
		}
	}
	return p
}

// wants tells whether a core attribute is asked for, so that it is worth reading.
func (p projection) wants(name string) bool {
	for _, t := range p.targets {
		if t.container == "" && t.urn == "" && t.attr.Name() == name {
			return p.only || t.sub != nil
		}
	}
	return !p.only
}

// named tells whether the client asked for an attribute by its name, or for the whole extension it is of.
func (p projection) named(of target) bool {
	for _, t := range p.targets {
		if !p.only || t.container != of.urn && (t.container != "" || t.urn != of.urn || t.attr.Name() != of.attr.Name()) {
			continue
		}
		if of.sub == nil || t.container == "" && t.sub != nil && t.sub.Name() == of.sub.Name() {
			return true
		}
	}
	return false
}

// asserts tells whether the body of a write names an attribute: it is then answered even where it is returned on request
// only (RFC 7643 section 7).
func (c *call) asserts(t target) bool {
	for _, o := range c.operations {
		if p, err := c.kind.parsePath(o.Path); err == nil && p.urn == t.urn && p.attr.Name() == t.attr.Name() {
			return true
		}
	}
	holder := c.known
	if t.urn != "" {
		holder, _ = c.known[t.urn].(map[string]any)
	}
	return holder[t.attr.Name()] != nil
}

// dropUnasked removes what is returned only on request and was not asked for.
func (k *kind) dropUnasked(r resource, asked func(target) bool) {
	dropAttributes("", k.core.Attributes, r, asked)
	for _, extension := range k.extensions {
		inner, ok := r[extension.ID].(map[string]any)
		dropAttributes(extension.ID, extension.Attributes, inner, asked)
		if ok && len(inner) == 0 {
			delete(r, extension.ID)
		}
	}
}

func dropAttributes(urn string, attributes schema.Attributes, holder resource, asked func(target) bool) {
	for _, a := range attributes {
		t := target{urn: urn, attr: a}
		if a.Returned() == "request" && !asked(t) {
			delete(holder, a.Name())
		}
		for _, sub := range a.SubAttributes() {
			if t.sub = &sub; sub.Returned() == "request" && !asked(t) {
				dropSub(holder, t)
			}
		}
	}
}

// dropSub removes a sub-attribute from the value, or from each of several; a value of which nothing is left goes.
func dropSub(holder resource, t target) {
	switch v := holder[t.attr.Name()].(type) {
	case map[string]any:
		delete(v, t.sub.Name())
	case []any:
		for _, e := range v {
			if element, ok := e.(map[string]any); ok {
				delete(element, t.sub.Name())
			}
		}
	}
}

// keepAlways puts into out what is returned whatever the client asks for.
func (k *kind) keepAlways(out, r resource) {
	keep := func(urn string, attributes schema.Attributes) {
		for _, a := range attributes {
			t := target{urn: urn, attr: a}
			if a.Returned() == "always" {
				include(out, r, patchPath{target: t})
			}
			for _, sub := range a.SubAttributes() {
				if t.sub = &sub; sub.Returned() == "always" {
					include(out, r, patchPath{target: t})
				}
			}
		}
	}
	keep("", k.core.Attributes)
	for _, extension := range k.extensions {
		keep(extension.ID, extension.Attributes)
	}
}

// project answers the part of r that is asked for. id and schemas are always in it.
func (p projection) project(r resource) resource {
	if !p.only {
		for _, t := range p.targets {
			p.exclude(r, t)
		}
		return r
	}
	out := resource{"id": r["id"]}
	for _, t := range p.targets {
		include(out, r, t)
	}
	p.kind.keepAlways(out, r)
	return out
}

// members of r that t is about: the object that holds the attribute, and its name there.
func holderOf(r resource, t patchPath) (resource, string) {
	if t.urn == "" {
		return r, t.attr.Name()
	}
	inner, _ := r[t.urn].(map[string]any)
	return inner, t.attr.Name()
}

func (p projection) exclude(r resource, t patchPath) {
	if t.container != "" {
		if extension, ok := p.kind.extension(t.container); ok {
			for _, a := range extension.Attributes {
				p.exclude(r, patchPath{target: target{urn: extension.ID, attr: a}})
			}
		}
		return
	}
	holder, name := holderOf(r, t)
	if holder == nil || t.urn == "" && (name == "id" || name == "schemas") || t.leaf().Returned() == "always" {
		return
	}
	always := func(a schema.CoreAttribute) bool { return a.Returned() == "always" }
	switch subs := t.attr.SubAttributes(); {
	case t.sub != nil:
		dropSub(holder, t.target)
	case slices.ContainsFunc(subs, always): // RFC 7643 section 7: whatever is excluded
		for _, sub := range subs {
			if !always(sub) {
				dropSub(holder, target{urn: t.urn, attr: t.attr, sub: &sub})
			}
		}
	default:
		delete(holder, name)
	}
	if t.urn != "" && len(holder) == 0 {
		delete(r, t.urn)
	}
}

func include(out, r resource, t patchPath) {
	if t.container != "" {
		if v, ok := r[t.container]; ok {
			out[t.container] = v
		}
		return
	}
	holder, name := holderOf(r, t)
	v, ok := holder[name]
	if !ok {
		return
	}
	if t.urn != "" {
		inner, ok := out[t.urn].(map[string]any)
		if !ok {
			inner = resource{}
			out[t.urn] = inner
		}
		out = inner
	}
	if t.sub == nil {
		out[name] = v
		return
	}
	sub := t.sub.Name()
	switch v := v.(type) {
	case map[string]any:
		if e, ok := v[sub]; ok {
			inner, ok := out[name].(map[string]any)
			if !ok {
				inner = resource{}
				out[name] = inner
			}
			inner[sub] = e
		}
	case []any:
		list, ok := out[name].([]any)
		if !ok {
			list = make([]any, len(v))
			for i := range list {
				list[i] = resource{}
			}
			out[name] = list
		}
		for i, e := range v {
			element, _ := e.(map[string]any)
			if value, ok := element[sub]; ok && i < len(list) {
				if kept, ok := list[i].(map[string]any); ok {
					kept[sub] = value
				}
			}
		}
	}
}
