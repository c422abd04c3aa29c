package directory

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Attributes read in the quick way are what encoding/json reads, whatever the texts are.
func TestAttributesRead(t *testing.T) {
	for i, field := range reflect.VisibleFields(reflect.TypeFor[personAttributes]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		var a personAttributes
		if to := a.field(name); to == nil {
			if name != "labels" {
				t.Errorf("no field %q", name)
			}
		} else if *to = "v"; reflect.ValueOf(a).Field(i).String() != "v" {
			t.Errorf("%q is another field", name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "R&D", `a "b"`, "\\", "}{,:", "研发"}))
		want := personAttributes{Title: text.Draw(t, "title"), Department: text.Draw(t, "department"), TimeZone: text.Draw(t, "zone")}
		if rapid.Bool().Draw(t, "labels") {
			want.Labels = rapid.MapOfN(text, text, 0, 3).Draw(t, "labels")
		}
		stored, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "changed") { // also what nobody wrote
			stored[rapid.IntRange(0, len(stored)-1).Draw(t, "at")] = rapid.SampledFrom([]byte(`{}":, x\`)).Draw(t, "byte")
		}
		var got, whole personAttributes
		wrong := json.Unmarshal(stored, &whole)
		if err := got.read(stored); (err == nil) != (wrong == nil) || err == nil && cmp.Diff(whole, got) != "" {
			t.Fatalf("%s: %v, %v\n%s", stored, err, wrong, cmp.Diff(whole, got))
		}
	})
}
