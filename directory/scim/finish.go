package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	engine "github.com/elimity-com/scim"
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
			list[i] = c.finishResource(text(element, "id"))
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
		object = c.finishResource(name)
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
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object resource
	err := d.Decode(&object)
	return object, err
}

func (c *call) location(name string) string { return c.base + c.kind.endpoint + "/" + name }

// carry takes a resource past the library, which is given its id only: it would write the body, for this stage to read and write it
// once more.
func (c *call) carry(name string, body resource, s stamp) engine.Resource {
	body["id"] = name
	c.bodies[name], c.stamps[name] = body, s
	return engine.Resource{ID: name, Attributes: engine.ResourceAttributes{"id": name}} // without attributes it would answer a PATCH with 204
}

// finishResource completes one resource and keeps of it what the client asked for.
func (c *call) finishResource(name string) resource {
	r, s := c.bodies[name], c.stamps[name]
	r["meta"] = resource{"resourceType": c.kind.name, "created": milliseconds(s.created), "lastModified": milliseconds(s.modified),
		"location": c.location(name), "version": entityTag(s.version)}
	c.kind.dropUnasked(r, func(t target) bool { return c.projection.named(t) || c.asserts(t) })
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

func isNotFound(err error) bool {
	known, ok := err.(scimerrors.ScimError)
	return ok && known.Status == http.StatusNotFound
}
