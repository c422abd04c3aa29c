package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Difference is one thing that two policies say otherwise.
type Difference struct {
	Op     string       `json:"op"`   // "add", "change", "remove"
	Kind   string       `json:"kind"` // "group", "channel", "rule", "separation", "approval", "notifications", "limits", "guests", "guard"
	Name   string       `json:"name"` // "apollo", "apollo/general", "apollo/rnd", a key, or a kind of request
	Fields []FieldWords `json:"fields"`
}

// FieldWords is what one field of it said and says. A side where it says nothing is null.
type FieldWords struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
	Effect Effect `json:"effect,omitempty" enum:"loosens,tightens,both" doc:"whether it lets more people do something, or fewer; both: in part the one, in part the other, or it cannot be told"`
}

// Effect says whether a difference lets more happen, or less; nothing where it is not about that.
type Effect string

// The effects of a difference.
const (
	Loosens  Effect = "loosens"
	Tightens Effect = "tightens"
	Both     Effect = "both"
)

// item is something in a policy that has a name and is compared by its fields.
type item struct {
	kind, name string
	fields     []FieldWords // only After
}

func (i *item) say(field string, value any) {
	if reflect.ValueOf(value).IsZero() {
		return
	}
	text := encoded(value)
	switch string(text) {
	case "null", "{}", "[]", `""`:
		return
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		panic(err)
	}
	i.fields = append(i.fields, FieldWords{Field: field, After: plain})
}

// Diff answers what after says otherwise than before, in the order of before and then of after; nil says nothing. It is of what
// the files say, with templates written out: what that does to people is for a plan to tell.
func Diff(before, after *Policy) []Difference {
	out := []Difference{}
	old, now := differing(before, after)
	olds, news := old.items(), now.items()
	type name struct{ kind, name string }
	is, was := make(map[name]item, len(news)), make(map[name]bool, len(olds))
	for _, i := range news {
		is[name{i.kind, i.name}] = i
	}
	for _, old := range olds {
		was[name{old.kind, old.name}] = true
		d := Difference{Op: "remove", Kind: old.kind, Name: old.name, Fields: changed(old.fields, nil)}
		if now, stays := is[name{old.kind, old.name}]; stays {
			d.Op, d.Fields = "change", changed(old.fields, now.fields)
		}
		if d.Op == "remove" || len(d.Fields) > 0 {
			out = append(out, d)
		}
	}
	for _, now := range news {
		if !was[name{now.kind, now.name}] {
			out = append(out, Difference{Op: "add", Kind: now.kind, Name: now.name, Fields: changed(nil, now.fields)})
		}
	}
	effects(before, after, out)
	return out
}

// differing answers both without the groups that say the same in both: most of a large policy.
func differing(before, after *Policy) (*Policy, *Policy) {
	if before == nil || after == nil {
		return before, after
	}
	same := map[string]bool{}
	for i := range before.Groups {
		g := after.Group(before.Groups[i].Key)
		if g != nil && bytes.Equal(encoded(&before.Groups[i]), encoded(g)) {
			same[g.Key] = true
		}
	}
	without := func(p *Policy) *Policy {
		out := *p
		out.Groups = slices.DeleteFunc(slices.Clone(p.Groups), func(g Group) bool { return same[g.Key] })
		out.makeIndex()
		return &out
	}
	return without(before), without(after)
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return text
}

// effects says of each field what it does.
func effects(before, after *Policy, list []Difference) {
	if before == nil || after == nil {
		return
	}
	loosened, tightened := eases(before, after), eases(after, before)
	about := func(names []string, path string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return n == path || strings.HasPrefix(n, path+".") })
	}
	for _, d := range list {
		for i, f := range d.Fields {
			path := d.path(f.Field)
			switch looser, tighter := about(loosened, path), about(tightened, path); {
			case looser && tighter:
				d.Fields[i].Effect = Both
			case looser:
				d.Fields[i].Effect = Loosens
			case tighter:
				d.Fields[i].Effect = Tightens
			}
		}
	}
}

// path names a field of a difference as Opens does.
func (d Difference) path(field string) string {
	switch d.Kind {
	case "group":
		return "groups." + d.Name + "." + field
	case "channel", "rule":
		group, key, _ := strings.Cut(d.Name, "/")
		return "groups." + group + "." + d.Kind + "s." + key + "." + field
	case "separation":
		if field == "name" {
			return ""
		}
		return "separation." + d.Name
	case "approval":
		return "approvals." + d.Name + "." + field
	}
	return d.Kind + "." + field
}

// changed compares fields.
func changed(before, after []FieldWords) []FieldWords {
	out := []FieldWords{}
	for _, b := range before {
		w := FieldWords{Field: b.Field, Before: b.After}
		if at := slices.IndexFunc(after, func(a FieldWords) bool { return a.Field == b.Field }); at >= 0 {
			w.After = after[at].After
		}
		if !equal(w.Before, w.After) {
			out = append(out, w)
		}
	}
	for _, a := range after {
		if !slices.ContainsFunc(before, func(b FieldWords) bool { return b.Field == a.Field }) {
			out = append(out, a)
		}
	}
	return out
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) } // both are what JSON makes of them

// Words writes a value of a Difference on one line, as a policy file would say it: "{by: [owners, {admins: security}], people: 2}", "[apollo/general, vault]". A text that is the whole value stands as it is.
func Words(v any) string {
	if text, is := v.(string); is {
		return strings.Join(strings.Fields(text), " ")
	}
	return flow(v)
}

// unquoted is what a text looks like that needs no quotes within brackets.
var unquoted = regexp.MustCompile(`^[\pL\pN_./-]+(?: [\pL\pN_./-]+)*$`)

func flow(v any) string {
	switch v := v.(type) {
	case string:
		text := strings.Join(strings.Fields(v), " ")
		if unquoted.MatchString(text) {
			return text
		}
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case float64: // as JSON has every number
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, flow(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		if word, is := oneWord(v); is {
			return flow(word)
		}
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name != "kind" { // the others say which
				parts = append(parts, name+": "+flow(v[name]))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// oneWord answers what a policy file says in another form than JSON does: an approver or a successor by its kind, a place as a path.
func oneWord(v map[string]any) (any, bool) {
	kind, _ := v["kind"].(string)
	group, _ := v["group"].(string)
	channel, _ := v["channel"].(string)
	switch {
	case kind != "" && len(v) == 1:
		return kind, true
	case kind == string(SuccessorMember):
		return map[string]any{kind: v["role"]}, true
	case group != "" && (len(v) == 1 || len(v) == 2 && channel != ""):
		return Place{group, channel}.String(), true
	}
	return nil, false
}

// items lists everything a policy says.
func (p *Policy) items() []item {
	if p == nil {
		return nil
	}
	var out []item
	for _, g := range p.Groups {
		i := item{kind: "group", name: g.Key}
		i.say("name", g.Names)
		i.say("description", g.Description)
		i.say("eligibility", g.Eligibility)
		i.say("successors", g.Successors)
		i.say("approvals", g.Approvals)
		i.say("notifications", g.Notifications)
		out = append(out, i)
		for _, c := range g.Channels {
			i := item{kind: "channel", name: g.Key + "/" + c.Key}
			i.say("name", c.Names)
			i.say("labels", c.Labels)
			i.say("access", c.Access)
			i.say("default_history", c.History)
			i.say("handover", c.Handover)
			i.say("notifications", c.Notifications)
			out = append(out, i)
		}
		for _, r := range g.Rules {
			i := item{kind: "rule", name: g.Key + "/" + r.Key}
			i.say("role", r.Role)
			i.say("when", r.When)
			out = append(out, i)
		}
	}
	for _, s := range p.Separation {
		i := item{kind: "separation", name: s.Key}
		i.say("name", s.Names)
		i.say("never_together", s.NeverTogether)
		i.say("never", s.Never)
		out = append(out, i)
	}
	for _, kind := range ApprovalKinds() {
		if a, ok := p.Approvals[kind]; ok {
			i := item{kind: "approval", name: string(kind)}
			i.say("by", a.By)
			i.say("people", a.People)
			i.say("lapse_days", a.LapseDays)
			i.say("most_days", a.MostDays)
			out = append(out, i)
		}
	}
	for _, whole := range []struct {
		kind  string
		value any
	}{{"notifications", p.Notifications}, {"limits", p.Limits}, {"guests", p.Guests}, {"guard", p.Guard}} {
		i := item{kind: whole.kind, name: whole.kind}
		i.say(whole.kind, whole.value)
		if len(i.fields) > 0 {
			i.fields = parts(i.fields[0].After)
			out = append(out, i)
		}
	}
	return out
}

// parts takes an object apart into fields, in the order of their names.
func parts(v any) []FieldWords {
	object, _ := v.(map[string]any)
	var out []FieldWords
	for name, value := range object {
		out = append(out, FieldWords{Field: name, After: value})
	}
	slices.SortFunc(out, func(a, b FieldWords) int { return strings.Compare(a.Field, b.Field) })
	return out
}
