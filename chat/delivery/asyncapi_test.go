package delivery

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// members lists what a struct is called in JSON.
func members(v any) (names []string) {
	for field := range reflect.TypeOf(v).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The AsyncAPI document names every member that a client's frame or an error may have, and its examples hold no other.
func TestAsyncAPIMembers(t *testing.T) {
	raw, err := os.ReadFile("../asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct {
				Payload  struct{ Properties map[string]any }
				Examples []struct{ Payload json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		messages []string
		frame    any
	}{{[]string{"resume", "send", "read", "ack", "typing", "ping"}, frameIn{}}, {[]string{"error"}, frameError{}}} {
		described := map[string]bool{}
		for _, name := range c.messages {
			m := doc.Components.Messages[name]
			for property := range m.Payload.Properties {
				described[property] = true
			}
			for _, example := range m.Examples {
				d := json.NewDecoder(bytes.NewReader(example.Payload))
				d.DisallowUnknownFields()
				if err := d.Decode(reflect.New(reflect.TypeOf(c.frame)).Interface()); err != nil {
					t.Errorf("%s: %s: %v", name, example.Payload, err)
				}
			}
		}
		if got, want := slices.Sorted(maps.Keys(described)), members(c.frame); !slices.Equal(got, want) {
			t.Errorf("%v: the document has %v, the code %v", c.messages, got, want)
		}
	}
}
