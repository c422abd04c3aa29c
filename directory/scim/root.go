package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// A query at the root (RFC 7644 section 3.4.2.1) is one over the resource types in their order: users, then groups. It
// is asked of each through all stages, and the answers are put together.

const listURN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

// root answers GET / and POST /.search.
func (h *Handler) root(w http.ResponseWriter, r *http.Request, c *call, search bool) error {
	var err error
	if c.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if search {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		if c.query, err = searchQuery(body); err != nil {
			return err
		}
	}
	switch {
	case c.query.sortBy != "":
		return invalidValue("Resources of all types cannot be sorted: ask one endpoint.")
	case c.query.cursor != nil:
		return invalidValue("Resources of all types are paged by startIndex: ask one endpoint for pages by cursor.")
	}
	start, err := number("startIndex", c.query.startIndex, 1)
	if err != nil {
		return err
	}
	count, err := number("count", c.query.count, maxResults)
	if err != nil {
		return err
	}
	start, count = max(start, 1), min(max(count, 0), maxResults)
	total, resources := 0, []any{}
	for _, k := range h.kinds {
		list, err := h.part(r, c, k, max(start-total, 1), count-len(resources))
		if err != nil {
			return err
		}
		n, _ := list["totalResults"].(json.Number)
		found, _ := n.Int64()
		total += int(found)
		part, _ := list["Resources"].([]any)
		resources = append(resources, part...)
	}
	out, err := json.Marshal(resource{"schemas": []string{listURN}, "totalResults": total, "startIndex": start, "itemsPerPage": len(resources), "Resources": resources})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(out)
	return nil
}

// number reads a number of the query.
func number(name, s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, invalidValue("%s is not a number.", name)
	}
	return n, nil
}

// part asks one resource type.
func (h *Handler) part(r *http.Request, c *call, k *kind, start, count int) (resource, error) {
	params := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
	for name, value := range map[string]string{"filter": c.query.filter, "sortOrder": c.query.sortOrder,
		"attributes": strings.Join(c.query.attributes, ","), "excludedAttributes": strings.Join(c.query.excludedAttributes, ",")} {
		if value != "" {
			params.Set(name, value)
		}
	}
	inner := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: Root + k.endpoint, RawQuery: params.Encode()}, Host: r.Host, Header: http.Header{}, Body: http.NoBody}).WithContext(r.Context())
	from := &libraryAnswer{status: http.StatusOK}
	if err := h.serve(from, inner, c.fork(h.kinds)); err != nil {
		return nil, err
	}
	list, err := decodeAnswer(from.body.Bytes())
	if err == nil && from.status != http.StatusOK {
		err = answer(from.status, "%s", text(list, "detail"))
	}
	return list, err
}

// fork makes the call of a request inside this one. all are the resource types whose attributes a filter may name.
func (c *call) fork(all []*kind) *call {
	return &call{h: c.h, x: c.x, source: c.source, base: c.base, bodies: map[string]resource{}, stamps: map[string]stamp{}, cause: c.cause, all: all}
}

// absent takes a part of a filter that names an attribute which only another resource type has: here it has no value.
func (c *checker) absent(e filter.Expression, r rewritten, why error) (expr, error) {
	for _, k := range c.all {
		other := checker{resolve: k.resolveFilter}
		if is, err := other.check(e, r); err == nil {
			if is.op == "ne" || is.op == "not" {
				return expr{op: "always"}, nil
			}
			return expr{op: "never"}, nil
		}
	}
	return expr{}, why
}
