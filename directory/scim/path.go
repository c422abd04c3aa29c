package scim

import (
	"strings"
)

// patchPath is the path of a PATCH operation (RFC 7644 section 3.5.2), found in the schemas.
type patchPath struct {
	target
	where     *expr  // the value filter
	container string // the URN of a whole schema; nothing else is set then
	foreign   string // the path as sent, where no schema knows it; nothing else is set then
}

// String writes p in its one canonical form.
func (p patchPath) String() string {
	switch {
	case p.foreign != "":
		return p.foreign
	case p.container != "":
		return p.container
	case p.where == nil:
		return p.target.path()
	}
	whole := p.target
	whole.sub = nil
	s := whole.path() + "[" + p.where.String() + "]"
	if p.sub != nil {
		s += "." + p.sub.Name()
	}
	return s
}

// parsePath reads a path. What no schema knows is answered as foreign; the caller says whether that is wrong.
func (k *kind) parsePath(s string) (patchPath, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxFilterBytes || s == "" {
		return patchPath{}, invalidPath("The path is empty or longer than %d bytes.", maxFilterBytes)
	}
	head, inner, tail, filtered, err := cutPath(s)
	if err != nil {
		return patchPath{}, err
	}
	urn, rest, known := k.splitURN(head)
	switch {
	case !known:
		return patchPath{foreign: s}, nil
	case rest == "" && urn != "":
		if filtered {
			return patchPath{}, invalidPath("A schema has no values to filter.")
		}
		return patchPath{container: urn}, nil
	}
	name, sub, dotted := strings.Cut(rest, ".")
	if !isName(name) || dotted && !isName(sub) || filtered && dotted || tail != "" && !isName(tail) {
		return patchPath{}, invalidPath("%q is not an attribute path.", s)
	}
	if tail != "" {
		sub = tail
	}
	t, ok := k.find(urn, name, sub)
	if !ok {
		if _, half := k.find(urn, name, ""); !half && urn != "" && urn != k.core.ID {
			return patchPath{foreign: urn + ":" + rest}, nil // of an extension we know, an attribute we do not
		}
		return patchPath{foreign: rest}, nil
	}
	p := patchPath{target: t}
	if !filtered {
		return p, nil
	}
	whole := t
	whole.sub = nil
	p.where, err = parseValueFilter(whole, inner)
	return p, err
}

// parseValueFilter reads what stands in the brackets behind t.
func parseValueFilter(t target, s string) (*expr, error) {
	if !t.attr.MultiValued() {
		return nil, invalidPath("%s has no values to filter.", t.attr.Name())
	}
	r, err := rewrite(s)
	if err != nil {
		return nil, invalidPath("The value filter of %s is not well formed.", t.attr.Name())
	}
	c := checker{resolve: elementResolver(t)}
	e, err := c.parse(r)
	if err != nil {
		return nil, invalidPath("The value filter of %s is not well formed, or compares what cannot be compared.", t.attr.Name())
	}
	return &e, nil
}

// cutPath parts head[inner].tail; brackets inside texts do not count.
func cutPath(s string) (head, inner, tail string, filtered bool, err error) {
	open := strings.IndexByte(s, '[')
	if open < 0 {
		return s, "", "", false, nil
	}
	end := -1
	for i := open + 1; i < len(s) && end < 0; i++ {
		switch s[i] {
		case '"':
			after := closing(s, i)
			if after < 0 {
				return "", "", "", false, invalidPath("A text of the path is not closed.")
			}
			i = after - 1
		case '[':
			return "", "", "", false, invalidPath("A value filter stands inside another.")
		case ']':
			end = i
		}
	}
	if end < 0 {
		return "", "", "", false, invalidPath("The path leaves a bracket open.")
	}
	tail, dotted := strings.CutPrefix(s[end+1:], ".")
	if s[end+1:] != "" && (!dotted || tail == "") {
		return "", "", "", false, invalidPath("%q does not follow a value filter.", s[end+1:])
	}
	return strings.TrimSpace(s[:open]), s[open+1 : end], tail, true, nil
}

// isName tells whether s is an ATTRNAME of RFC 7643 figure 1, or $ref.
func isName(s string) bool {
	if s == "$ref" {
		return true
	}
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
