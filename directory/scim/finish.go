package scim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	scimerrors "github.com/elimity-com/scim/errors"
)

// finish turns the library's answer into ours: absolute locations, milliseconds, schemas of what is there,
// projection, ETag.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, c *call, at route, from *libraryAnswer) error {
	header := w.Header()
	header.Set("Content-Type", "application/scim+json")
	status, body := from.status, from.body.Bytes()
	if status >= http.StatusBadRequest || len(body) == 0 {
		if s, ok := c.stamps[at.id]; ok && status < http.StatusBadRequest {
			header.Set("Etag", entityTag(s.version))
		}
		if len(body) == 0 {
			header.Del("Content-Type")
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
		return nil
	}
	object, err := decodeAnswer(body)
	if err != nil {
		return err
	}
	switch {
	case at.discovery:
		h.finishDiscovery(object, at, c.base)
	case at.list:
		list, _ := object["Resources"].([]any)
		if list == nil {
			list = []any{}
		}
		for i, e := range list {
			element, _ := e.(map[string]any)
			list[i] = c.finishResource(element)
		}
		object["Resources"], object["itemsPerPage"] = list, len(list)
		if c.query.cursor != nil {
			delete(object, "startIndex")
		}
		if c.next != "" {
			object["nextCursor"] = c.next
		}
	default:
		name := text(object, "id")
		stamp := c.stamps[name]
		header.Set("Etag", entityTag(stamp.version))
		if r.Method == http.MethodPost {
			header.Set("Location", c.location(name))
		}
		if tags, every := entityTags(r.Header.Values("If-None-Match")); r.Method == http.MethodGet && (every || slices.Contains(tags, stamp.version)) {
			header.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		object = c.finishResource(object)
	}
	out, err := json.Marshal(object)
	if err != nil {
		return err
	}
	w.WriteHeader(status)
	_, _ = w.Write(out)
	return nil
}

func decodeAnswer(body []byte) (resource, error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var object resource
	err := d.Decode(&object)
	return object, err
}

func (c *call) location(name string) string { return c.base + c.kind.endpoint + "/" + name }

// finishResource completes one resource and keeps of it what the client asked for.
func (c *call) finishResource(r resource) resource {
	name := text(r, "id")
	s := c.stamps[name]
	r["meta"] = resource{"resourceType": c.kind.name, "created": milliseconds(s.created), "lastModified": milliseconds(s.modified),
		"location": c.location(name), "version": entityTag(s.version)}
	c.kind.dropUnasked(r, c.projection)
	r = c.projection.project(r)
	schemas := []string{c.kind.core.ID}
	for _, extension := range c.kind.extensions {
		if _, there := r[extension.ID]; there {
			schemas = append(schemas, extension.ID)
		}
	}
	r["schemas"] = schemas
	return r
}

// projection is what attributes or excludedAttributes ask for (RFC 7644 section 3.9). Where a client sends both,
// attributes counts.
type projection struct {
	kind    *kind
	only    bool
	targets []patchPath
}

// projection reads the parameters; names that nothing is called are not looked at.
func (k *kind) projection(q query) projection {
	p := projection{kind: k, only: len(q.attributes) > 0}
	names := q.excludedAttributes
	if p.only {
		names = q.attributes
	}
	for _, name := range names {
		if path, err := k.parsePath(name); err == nil && path.foreign == "" && path.where == nil {
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

// named tells whether the client asked for an attribute of an extension by its name, or for the whole extension.
func (p projection) named(urn, name string) bool {
	for _, t := range p.targets {
		if t.container == urn || t.container == "" && t.urn == urn && t.attr.Name() == name {
			return p.only
		}
	}
	return false
}

// dropUnasked removes what is returned only on request (RFC 7643 section 7).
func (k *kind) dropUnasked(r resource, p projection) {
	for _, extension := range k.extensions {
		inner, ok := r[extension.ID].(map[string]any)
		for _, a := range extension.Attributes {
			if a.Returned() == "request" && !p.named(extension.ID, a.Name()) {
				delete(inner, a.Name())
			}
		}
		if ok && len(inner) == 0 {
			delete(r, extension.ID)
		}
	}
}

// keepAlways puts into out what is returned whatever the client asks for.
func (k *kind) keepAlways(out, r resource) {
	for _, extension := range k.extensions {
		for _, a := range extension.Attributes {
			if a.Returned() == "always" {
				include(out, r, patchPath{target: target{urn: extension.ID, attr: a}})
			}
		}
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
	if holder == nil || t.urn == "" && (name == "id" || name == "schemas") || t.attr.Returned() == "always" {
		return
	}
	switch v := holder[name].(type) {
	case map[string]any:
		if t.sub != nil {
			delete(v, t.sub.Name())
		}
	case []any:
		for _, e := range v {
			if element, ok := e.(map[string]any); ok && t.sub != nil {
				delete(element, t.sub.Name())
			}
		}
	}
	if t.sub == nil {
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

func isNotFound(err error) bool {
	known, ok := err.(scimerrors.ScimError)
	return ok && known.Status == http.StatusNotFound
}
