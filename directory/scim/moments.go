package scim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"
)

// A dateTime has many spellings and is kept as it was sent. Beside each one the raw form holds its instant, as a number of
// microseconds: "issued" by "$issued". That is what filters and sorting look at; no attribute's name can begin so.
const instantMark = "$"

// instantOf reads a dateTime (RFC 7643 section 2.3.5); one without an offset is UTC.
func instantOf(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// stampName is the member of the raw form that an attribute is compared by.
func instantName(a schema.CoreAttribute) string {
	if a.AttributeType() == "dateTime" {
		return instantMark + a.Name()
	}
	return a.Name()
}

func dated(attributes schema.Attributes) bool {
	for _, a := range attributes {
		if a.AttributeType() == "dateTime" || dated(a.SubAttributes()) {
			return true
		}
	}
	return false
}

// writeRaw makes the raw form of a resource.
func (k *kind) writeRaw(r resource) (json.RawMessage, error) {
	if k.dated {
		addInstants(r, k.core.Attributes)
		for _, extension := range k.extensions {
			if inner, ok := r[extension.ID].(map[string]any); ok {
				addInstants(inner, extension.Attributes)
			}
		}
	}
	return json.Marshal(r)
}

// readRaw reads it back.
func (k *kind) readRaw(raw json.RawMessage) (resource, error) {
	r, err := parseRaw(raw)
	if k.dated {
		dropInstants(r)
	}
	return r, err
}

func addInstants(holder resource, attributes schema.Attributes) {
	for _, a := range attributes {
		switch v := holder[a.Name()].(type) {
		case string:
			if at, ok := instantOf(v); ok && a.AttributeType() == "dateTime" {
				holder[instantName(a)] = json.Number(strconv.FormatInt(at.UnixMicro(), 10))
			}
		case map[string]any:
			addInstants(v, a.SubAttributes())
		case []any:
			listInstants(holder, a, v)
		}
	}
}

func listInstants(holder resource, a schema.CoreAttribute, list []any) {
	var instants []any
	for _, e := range list {
		switch e := e.(type) {
		case map[string]any:
			addInstants(e, a.SubAttributes())
		case string:
			if at, ok := instantOf(e); ok && a.AttributeType() == "dateTime" {
				instants = append(instants, json.Number(strconv.FormatInt(at.UnixMicro(), 10)))
			}
		}
	}
	if instants != nil {
		holder[instantName(a)] = instants
	}
}

func dropInstants(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if strings.HasPrefix(name, instantMark) && name != "$ref" {
				delete(v, name)
			} else {
				dropInstants(e)
			}
		}
	case []any:
		for _, e := range v {
			dropInstants(e)
		}
	}
}
