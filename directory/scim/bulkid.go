package scim

import (
	"strings"
)

// bulkPrefix begins a reference to what another operation of the same bulk request makes (RFC 7644 section 3.7.2).
const bulkPrefix = "bulkId:"

// bulkReferences answers the bulkIds that an operation refers to.
func bulkReferences(o bulkOperation) map[string]bool {
	found := map[string]bool{}
	if name, ok := pathReference(o.path); ok {
		found[name] = true
	}
	if o.data != nil {
		eachReference(o.data, func(name string) { found[name] = true })
	}
	return found
}

// pathReference finds the bulkId in "/Users/bulkId:x", of a path or a $ref.
func pathReference(path string) (name string, ok bool) {
	_, last, ok := strings.Cut(path, "/"+bulkPrefix)
	return last, ok && last != ""
}

// eachReference finds references in values: a text that is one, the end of a $ref, and literals of a value filter.
func eachReference(v any, found func(string)) {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, bulkPrefix); ok && name != "" {
			found(name)
		} else if name, ok := pathReference(v); ok {
			found(name)
		}
	case []any:
		for _, e := range v {
			eachReference(e, found)
		}
	case map[string]any:
		for key, e := range v {
			if path, ok := e.(string); ok && strings.EqualFold(key, "path") {
				for _, name := range quotedReferences(path) {
					found(name)
				}
				continue
			}
			eachReference(e, found)
		}
	}
}

// quotedReferences finds the bulkIds in the value filter of a PATCH path: members[value eq "bulkId:x"].
func quotedReferences(path string) []string {
	var out []string
	for {
		_, rest, ok := strings.Cut(path, `"`+bulkPrefix)
		if !ok {
			return out
		}
		name, after, closed := strings.Cut(rest, `"`)
		if !closed {
			return out
		}
		out, path = append(out, name), after
	}
}

// made answers the id of what a bulkId stands for, empty while it is not made.
func (b *bulkRun) made(name string) string {
	if at, known := b.byID[name]; known {
		return b.ids[at]
	}
	return ""
}

func (b *bulkRun) resolvePath(path string) string {
	if name, ok := pathReference(path); ok {
		if made := b.made(name); made != "" {
			return strings.Replace(path, bulkPrefix+name, made, 1)
		}
	}
	return path
}

// resolve puts ids in the place of references. An object or an element that refers to what is not made yet is left
// out: known is false then.
func (b *bulkRun) resolve(v any) (resolved any, known bool) {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, bulkPrefix); ok && name != "" {
			made := b.made(name)
			return made, made != ""
		}
		if name, ok := pathReference(v); ok {
			return b.resolvePath(v), b.made(name) != ""
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e, known := b.resolve(e); known {
				out = append(out, e)
			}
		}
		return out, true
	case map[string]any:
		return b.resolveObject(v)
	}
	return v, true
}

func (b *bulkRun) resolveObject(v resource) (any, bool) {
	out := make(resource, len(v))
	_, element := v["value"]
	for key, e := range v {
		if path, ok := e.(string); ok && strings.EqualFold(key, "path") {
			for _, name := range quotedReferences(path) {
				if made := b.made(name); made != "" {
					path = strings.ReplaceAll(path, `"`+bulkPrefix+name+`"`, `"`+made+`"`)
				}
			}
			out[key] = path
			continue
		}
		e, known := b.resolve(e)
		switch {
		case known:
			out[key] = e
		case element && (key == "value" || key == "$ref"):
			return nil, false
		}
	}
	return out, true
}
