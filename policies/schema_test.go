package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// checker judges a document by a JSON schema: as much of the standard as ours uses, and an unknown word is an error.
type checker struct{ defs map[string]any }

func (c checker) check(s map[string]any, v any, at string) error {
	if to, ok := s["$ref"].(string); ok {
		return c.check(c.defs[strings.TrimPrefix(to, "#/$defs/")].(map[string]any), v, at)
	}
	for word, want := range s {
		if err := c.word(word, want, s, v, at); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) word(word string, want any, s map[string]any, v any, at string) error {
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	bad := func() error { return fmt.Errorf("%s: %v is not %s %v", at, v, word, want) }
	switch word {
	case "$schema", "title", "description", "$defs", "properties":
	case "type":
		types, ok := want.([]any)
		if !ok {
			types = []any{want}
		}
		if !slices.Contains(types, kindOf(v)) && !(kindOf(v) == "integer" && slices.Contains(types, any("number"))) {
			return bad()
		}
	case "enum":
		if !slices.Contains(want.([]any), v) {
			return bad()
		}
	case "pattern":
		if isText && !regexp.MustCompile(want.(string)).MatchString(text) {
			return bad()
		}
	case "minLength":
		if isText && strings.TrimSpace(text) == "" {
			return bad()
		}
	case "minimum":
		if isNumber && number < want.(float64) {
			return bad()
		}
	case "maximum":
		if isNumber && number > want.(float64) {
			return bad()
		}
	case "minItems":
		if list != nil && len(list) < int(want.(float64)) {
			return bad()
		}
	case "minProperties":
		if object != nil && len(object) < int(want.(float64)) {
			return bad()
		}
	case "required":
		for _, name := range want.([]any) {
			if _, has := object[name.(string)]; object != nil && !has {
				return bad()
			}
		}
	case "additionalProperties":
		properties, _ := s["properties"].(map[string]any)
		for name, value := range object {
			sub, known := properties[name].(map[string]any)
			if !known {
				if sub, known = want.(map[string]any); !known {
					return fmt.Errorf("%s: unknown key %q", at, name)
				}
			}
			if err := c.check(sub, value, at+"."+name); err != nil {
				return err
			}
		}
	case "items":
		for i, value := range list {
			if err := c.check(want.(map[string]any), value, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case "anyOf":
		for _, one := range want.([]any) {
			if c.check(one.(map[string]any), v, at) == nil {
				return nil
			}
		}
		return bad()
	default:
		return fmt.Errorf("the schema has a word this test does not know: %s", word)
	}
	return nil
}

func kindOf(v any) any {
	switch v := v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return "null"
}

func ourSchema(t *testing.T) (map[string]any, checker) {
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root, checker{root["$defs"].(map[string]any)}
}

// bySchema judges a YAML text.
func bySchema(t *testing.T, src string) error {
	var v any
	if err := yaml.Unmarshal([]byte(src), &v); err != nil {
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	root, c := ourSchema(t)
	return c.check(root, v, "")
}

// The examples are real: parser and schema accept each of them.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../examples/policies/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d examples, %v", len(paths), err)
	}
	paths = append(paths, "../cmd/rollcall/demo/policy.yaml")
	var shared []File
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := bySchema(t, string(src)); err != nil {
			t.Errorf("%s, by the schema: %v", path, err)
		}
		if f := (File{filepath.Base(path), string(src)}); strings.HasPrefix(f.Name, "company-") {
			shared = append(shared, f)
		} else if _, err := Parse(f); err != nil {
			t.Error(err)
		}
	}
	if _, err := Parse(shared...); err != nil || len(shared) < 2 {
		t.Errorf("the company's %d files together: %v", len(shared), err)
	}
	for name, src := range map[string]string{"apollo": apollo, "projects": projects, "written out": writtenOut} {
		if err := bySchema(t, src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const (
	inGroup   = "apiVersion: rollcall/v1\ngroups: [{key: a, name: A, %s}]\n"
	inChannel = "apiVersion: rollcall/v1\ngroups: [{key: a, name: A, channels: [{key: b, name: B, %s}]}]\n"
	inFile    = "apiVersion: rollcall/v1\n%s\n"
	inModel   = "apiVersion: rollcall/v1\ntemplates: [{key: a, %s}]\n"
)

// Parser and schema know the same keys in every place.
func TestSchemaKeys(t *testing.T) {
	root, c := ourSchema(t)
	of := func(path string) map[string]any {
		s := root
		for _, name := range strings.Split(path, "/") {
			if to, ok := s["$ref"].(string); ok {
				s = c.defs[strings.TrimPrefix(to, "#/$defs/")].(map[string]any)
			}
			switch {
			case name == "":
			case name == "[]":
				s = s["items"].(map[string]any)
			case strings.HasPrefix(name, "@"):
				s = c.defs[name[1:]].(map[string]any)
			default:
				s = s["properties"].(map[string]any)[name].(map[string]any)
			}
		}
		if to, ok := s["$ref"].(string); ok {
			s = c.defs[strings.TrimPrefix(to, "#/$defs/")].(map[string]any)
		}
		return s["properties"].(map[string]any)
	}
	for path, src := range map[string]string{
		"":                           fmt.Sprintf(inFile, "qqqqqqqqqqqq: 1"),
		"templates/[]":               fmt.Sprintf(inModel, "qqqqqqqqqqqq: 1"),
		"templates/[]/parameters/[]": fmt.Sprintf(inModel, "parameters: [{qqqqqqqqqqqq: 1}]"),
		"groups/[]":                  fmt.Sprintf(inGroup, "qqqqqqqqqqqq: 1"),
		"@channel":                   fmt.Sprintf(inChannel, "qqqqqqqqqqqq: 1"),
		"@channel/access":            fmt.Sprintf(inChannel, "access: {qqqqqqqqqqqq: 1}"),
		"@channel/handover":          fmt.Sprintf(inChannel, "handover: {qqqqqqqqqqqq: 1}"),
		"@channel/notifications":     fmt.Sprintf(inChannel, "notifications: {qqqqqqqqqqqq: 1}"),
		"@rule":                      fmt.Sprintf(inGroup, "rules: [{qqqqqqqqqqqq: 1}]"),
		"@eligibility":               fmt.Sprintf(inGroup, "eligibility: {qqqqqqqqqqqq: 1}"),
		"@in_group":                  fmt.Sprintf(inGroup, "notifications: {qqqqqqqqqqqq: 1}"),
		"groups/[]/approvals":        fmt.Sprintf(inGroup, "approvals: {qqqqqqqqqqqq: 1}"),
		"@approval":                  fmt.Sprintf(inGroup, "approvals: {join: {qqqqqqqqqqqq: 1}}"),
		"separation/[]":              fmt.Sprintf(inFile, "separation: [{qqqqqqqqqqqq: 1}]"),
		"separation/[]/never":        fmt.Sprintf(inFile, "separation: [{never: {qqqqqqqqqqqq: 1}}]"),
		"approvals":                  fmt.Sprintf(inFile, "approvals: {qqqqqqqqqqqq: 1}"),
		"notifications":              fmt.Sprintf(inFile, "notifications: {qqqqqqqqqqqq: 1}"),
		"notifications/tell":         fmt.Sprintf(inFile, "notifications: {tell: {qqqqqqqqqqqq: 1}}"),
		"@in_group/tell":             fmt.Sprintf(inGroup, "notifications: {tell: {qqqqqqqqqqqq: 1}}"),
		"limits":                     fmt.Sprintf(inFile, "limits: {qqqqqqqqqqqq: 1}"),
		"guests":                     fmt.Sprintf(inFile, "guests: {qqqqqqqqqqqq: 1}"),
		"guests/limits":              fmt.Sprintf(inFile, "guests: {limits: {qqqqqqqqqqqq: 1}}"),
		"guard":                      fmt.Sprintf(inFile, "guard: {qqqqqqqqqqqq: 1}"),
		"@limit":                     fmt.Sprintf(inFile, "guard: {move: {qqqqqqqqqqqq: 1}}"),
	} {
		_, err := parse(src)
		if err == nil || !strings.Contains(err.Error(), "(known: ") {
			t.Errorf("%s: %v", path, err)
			continue
		}
		_, list, _ := strings.Cut(strings.TrimSuffix(err.Error(), ")"), "(known: ")
		if want := strings.Join(slices.Sorted(maps.Keys(of(path))), ", "); list != want {
			t.Errorf("%s: the parser knows %s, the schema %s", path, list, want)
		}
		if bySchema(t, src) == nil {
			t.Errorf("%s: the schema lets an unknown key pass", path)
		}
	}
}

// What is wrong in its shape is wrong for both.
func TestWrongFiles(t *testing.T) {
	for _, src := range []string{
		"groups: []\n", "apiVersion: rollcall/v2\n", fmt.Sprintf(inFile, "groups: {}"), fmt.Sprintf(inFile, "groups: [{name: A}]"),
		fmt.Sprintf(inGroup, "channels: [{key: b}]"), fmt.Sprintf(inGroup, "channels: [{name: B}]"), fmt.Sprintf(inGroup, "channels: [{key: B B, name: B}]"),
		fmt.Sprintf(inChannel, "access: {vendor: write}"), fmt.Sprintf(inChannel, "access: {guest: read}"), fmt.Sprintf(inChannel, "default_history: none"),
		fmt.Sprintf(inChannel, "labels: restricted"), fmt.Sprintf(inChannel, "handover: {role: vendor}"), fmt.Sprintf(inChannel, "handover: {days: 0}"),
		fmt.Sprintf(inChannel, "handover: {days: 14, role: owner}"), fmt.Sprintf(inChannel, "notifications: {floor: loud}"),
		fmt.Sprintf(inGroup, "rules: [{key: r, role: participant}]"), fmt.Sprintf(inGroup, "rules: [{key: r, when: 'true'}]"), fmt.Sprintf(inGroup, "rules: [{key: r, role: guest, when: 'true'}]"),
		fmt.Sprintf(inGroup, "eligibility: {role: participant}"), fmt.Sprintf(inGroup, "eligibility: {join: 'true', role: owner}"), fmt.Sprintf(inGroup, "successors: [nobody]"),
		fmt.Sprintf(inGroup, "successors: [{member: vendor}]"), fmt.Sprintf(inGroup, "approvals: {plan: {by: [owners]}}"), fmt.Sprintf(inGroup, "approvals: {join: {people: 1}}"),
		fmt.Sprintf(inFile, "approvals: {join: {by: []}}"), fmt.Sprintf(inFile, "approvals: {join: {by: [{admins: root}]}}"), fmt.Sprintf(inFile, "approvals: {join: {by: [owners], people: 9}}"),
		fmt.Sprintf(inFile, "separation: [{key: a, name: A}]"), fmt.Sprintf(inFile, "separation: [{key: a, name: A, never_together: [b]}]"),
		fmt.Sprintf(inFile, "separation: [{key: a, name: A, never: {label: x}}]"), fmt.Sprintf(inFile, "separation: [{key: a, name: A, never: {role: vendor}}]"),
		fmt.Sprintf(inFile, "notifications: {before_end_days: [0]}"), fmt.Sprintf(inFile, "limits: {four_eyes: {percent: 101}}"), fmt.Sprintf(inFile, "guard: {move: {people: -1}}"),
		fmt.Sprintf(inFile, "guests: {most_days: 0}"), fmt.Sprintf(inFile, "guests: {limits: {company: many}}"), fmt.Sprintf(inFile, "guests: {sponsor: [owners]}"),
		fmt.Sprintf(inFile, "notifications: {tell: {joined: [everybody]}}"), fmt.Sprintf(inFile, "notifications: {tell: {left: [owners, owners]}}"),
		fmt.Sprintf(inFile, "notifications: {tell: {held: [owners]}}"), fmt.Sprintf(inGroup, "notifications: {tell: {held: [owner]}}"), fmt.Sprintf(inChannel, "notifications: {tell: {left: [owners]}}"),
		fmt.Sprintf(inModel, "parameters: [{key: A}]"), fmt.Sprintf(inModel, "parameters: [{key: a, type: map}]"), fmt.Sprintf(inModel, "with: {}"),
	} {
		if _, err := parse(src); err == nil {
			t.Errorf("the parser accepts %s", src)
		}
		if bySchema(t, src) == nil {
			t.Errorf("the schema accepts %s", src)
		}
	}
}
