package chat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// asyncDocument is the parts of the AsyncAPI document that the tests hold against the code.
type asyncDocument struct {
	AsyncAPI string
	Channels map[string]struct {
		Address  string
		Messages map[string]any
		Closes   map[string]string `json:"x-close-codes"`
	}
	Operations map[string]struct {
		Action   string
		Messages []struct {
			Ref string `json:"$ref"`
		}
	}
	Components struct {
		Messages map[string]asyncMessage
		Schemas  map[string]asyncSchema
	}
}

type asyncMessage struct {
	Payload  asyncSchema
	Examples []struct{ Payload json.RawMessage }
}

func readDocument(t *testing.T) *asyncDocument {
	t.Helper()
	doc := &asyncDocument{}
	if err := json.Unmarshal(asyncAPI, doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// way answers the names of the messages that a channel's operations of an action carry.
func (d *asyncDocument) way(channel, action string) (names []string) {
	for _, op := range d.Operations {
		for _, m := range op.Messages {
			if name, ok := strings.CutPrefix(m.Ref, "#/channels/"+channel+"/messages/"); ok && op.Action == action {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// asyncSchema is as much of JSON Schema as the document uses.
type asyncSchema struct {
	Ref        string `json:"$ref"`
	AllOf      []asyncSchema
	Type       string
	Const      string
	Enum       []string
	Format     string
	Minimum    *float64
	MinLength  int
	MaxLength  *int
	Required   []string
	Properties map[string]asyncSchema
	Additional *asyncSchema `json:"additionalProperties"`
}

// fits tells what is wrong with v; also what the schema does not name is wrong here. used takes the properties met.
func (d *asyncDocument) fits(s asyncSchema, v any, path string, used map[string]bool) (wrong []string) {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.fits(d.Components.Schemas[name], v, path, used)
	}
	for _, part := range s.AllOf {
		wrong = append(wrong, d.fits(part, v, path, used)...)
	}
	bad := func(ok bool, why string) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s: %v is not %s", path, v, why))
		}
	}
	switch s.Type {
	case "string":
		text, ok := v.(string)
		bad(ok, "a string")
		bad(s.Const == "" || text == s.Const, s.Const)
		bad(s.Enum == nil || slices.Contains(s.Enum, text), "one of "+strings.Join(s.Enum, ", "))
		bad(len(text) >= s.MinLength && (s.MaxLength == nil || len(text) <= *s.MaxLength), "of that length")
		bad(s.Format != "date-time" || strings.HasSuffix(text, "Z") && json.Unmarshal(fmt.Appendf(nil, "{\"at\":%q}", text), &frame{}) == nil, "an instant in UTC")
	case "integer":
		n, ok := v.(float64)
		bad(ok && n == float64(int64(n)) && (s.Minimum == nil || n >= *s.Minimum), "such a number")
	case "object":
		object, ok := v.(map[string]any)
		bad(ok, "an object")
		for _, name := range s.Required {
			_, ok := object[name]
			bad(ok, "with "+name)
		}
		for name, value := range object {
			if property, ok := s.Properties[name]; ok {
				used[path+"."+name] = true
				wrong = append(wrong, d.fits(property, value, path+"."+name, used)...)
			} else if bad(s.Additional != nil, "without "+name); s.Additional != nil {
				wrong = append(wrong, d.fits(*s.Additional, value, path+"."+name, used)...)
			}
		}
	}
	return wrong
}

// paths lists every property that a schema names.
func (d *asyncDocument) paths(s asyncSchema, path string) (out []string) {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.paths(d.Components.Schemas[name], path)
	}
	for name, property := range s.Properties {
		out = append(append(out, path+"."+name), d.paths(property, path+"."+name)...)
	}
	return out
}

// name finds the one message of names that a frame is.
func (d *asyncDocument) name(t *testing.T, names []string, raw []byte, used map[string]bool) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	var found []string
	var wrong []string
	for _, name := range names {
		met := map[string]bool{}
		if faults := d.fits(d.Components.Messages[name].Payload, v, name, met); len(faults) > 0 {
			wrong = append(wrong, faults...)
			continue
		}
		maps.Copy(used, met)
		found = append(found, name)
	}
	if len(found) != 1 {
		t.Fatalf("%s is described by %v\n%s", raw, found, strings.Join(wrong, "\n"))
	}
	return found[0]
}
