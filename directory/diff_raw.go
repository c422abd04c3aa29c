package directory

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxRaw bounds one value of a raw form in the audit log: photos and certificates are only named.
const maxRaw = 2 << 10

// rawFields answers what differs between two raw forms beyond what fields tell already: members, and members of extensions, of
// attributes that nobody but their source understands. A raw form that is new tells nothing: its record is.
func rawFields(before, now any, fields []Field) []Field {
	was, is := members(before), members(now)
	if was == nil || is == nil {
		return nil
	}
	told := map[string]bool{"meta": true, "schemas": true}
	for _, f := range fields {
		told[strings.ReplaceAll(f.Name, "_", "")] = true
	}
	var out []Field
	for _, name := range everyKey(was, is) {
		if strings.HasPrefix(strings.ToLower(name), "urn:") {
			inner, other := members(was[name]), members(is[name])
			for _, sub := range everyKey(inner, other) {
				out = appendRaw(out, name+":"+sub, told[strings.ToLower(sub)], inner[sub], other[sub])
			}
			continue
		}
		out = appendRaw(out, name, told[strings.ToLower(name)], was[name], is[name])
	}
	return out
}

func appendRaw(out []Field, name string, told bool, before, now json.RawMessage) []Field {
	if told || bytes.Equal(before, now) {
		return out
	}
	return append(out, Field{Name: "raw." + name, Before: short(before), Now: short(now)})
}

func short(v json.RawMessage) any {
	switch {
	case v == nil:
		return nil
	case len(v) > maxRaw:
		return "…"
	}
	return v
}

// members reads a raw form; nil where it is none.
func members(v any) map[string]json.RawMessage {
	form, ok := v.(json.RawMessage)
	var out map[string]json.RawMessage
	if !ok || json.Unmarshal(form, &out) != nil {
		return nil
	}
	return out
}

func everyKey(a, b map[string]json.RawMessage) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
