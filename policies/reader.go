package policies

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// reader reads the nodes of one file; in a template it has the values of its parameters.
type reader struct {
	file     string
	lines    []string
	root     *yaml.Node
	language *language

	inside     string                       // ` (in group "apollo")`, where a template is read for a group
	parameters map[string]any               // string or []string; nil outside of templates
	named      map[string]map[string]string // by language: the values of parameters that are names
	mentions   *[]Mention                   // what the policy names; nil: not noted
	trial      bool                         // of a template that nobody reads yet: values of parameters are made up
}

type fields map[string]func(*yaml.Node) error

func (r *reader) at(n *yaml.Node, message, hint string) error {
	return &SyntaxError{File: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Message: message + r.inside, Hint: hint}
}

// start is an error about the file as a whole.
func (r *reader) start(message, hint string) error {
	return &SyntaxError{File: r.file, Line: 1, Column: 1, Message: message, Hint: hint}
}

func (r *reader) mapping(n *yaml.Node, known fields) error {
	if n.Kind != yaml.MappingNode {
		return r.at(n, "wants a mapping of "+strings.Join(names(known), ", "), "")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		if !ok {
			return r.at(key, fmt.Sprintf("unknown key %q", key.Value), nearest(key.Value, names(known)))
		}
		if seen[key.Value] {
			return r.at(key, fmt.Sprintf("key %q stands twice", key.Value), "")
		}
		seen[key.Value] = true
		if err := r.plain(value); err != nil {
			return err
		}
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

// plain refuses aliases: a file says what it means where it means it, and none grows when it is read.
func (r *reader) plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		return r.at(n, "aliases are not part of the language", "write the value out, or make a template")
	}
	return nil
}

func names(f fields) []string {
	out := make([]string, 0, len(f))
	for name := range f {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (r *reader) sequence(n *yaml.Node, each func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return r.at(n, "wants a list", `each entry begins with "- "`)
	}
	for _, entry := range n.Content {
		if err := r.plain(entry); err != nil {
			return err
		}
		if err := each(entry); err != nil {
			return err
		}
	}
	return nil
}

// text reads a text; in a template ${name} stands for a parameter.
func (r *reader) text(n *yaml.Node, to *string) error { return r.textIn(n, "", to) }

// textIn reads a text of a language, where parameters may be names.
func (r *reader) textIn(n *yaml.Node, language string, to *string) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		return r.at(n, "wants a text", "")
	}
	*to = n.Value
	if r.parameters == nil {
		return nil
	}
	var err error
	*to = written.ReplaceAllStringFunc(n.Value, func(m string) string {
		name := m[2 : len(m)-1]
		if by, is := r.named[name]; is && language != "" {
			if by[language] != "" {
				return by[language]
			}
			return by[otherLanguage(language)]
		}
		v, known := r.parameters[name]
		if text, ok := v.(string); ok {
			return text
		}
		if known {
			err = r.at(n, fmt.Sprintf("parameter %q is a list", name), "a list stands in conditions: person.department in ${"+name+"}")
		} else if _, is := r.named[name]; is {
			err = r.at(n, fmt.Sprintf("${%s} is a name of two languages", name), "use it in name and description; ${key} is a text")
		} else {
			err = r.at(n, fmt.Sprintf("unknown parameter %q", name), nearest(name, r.known()))
		}
		return m
	})
	return err
}

// known lists the parameters.
func (r *reader) known() []string {
	var out []string
	for name := range r.parameters {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (r *reader) key(n *yaml.Node, to *string) error {
	if err := r.text(n, to); err != nil {
		return err
	}
	if !keyForm.MatchString(*to) && !r.open(n) {
		return r.at(n, fmt.Sprintf("key %q is not valid", *to), "a key is a-z, 0-9 and '-', at most 63, and never changes")
	}
	return nil
}

// open tells whether a value is not known yet.
func (r *reader) open(n *yaml.Node) bool { return r.trial && written.MatchString(n.Value) }

// oneOf reads one of a few words.
func (r *reader) oneOf(n *yaml.Node, to *string, allowed ...string) error {
	if err := r.text(n, to); err != nil {
		return err
	}
	if r.open(n) {
		*to = allowed[0]
	}
	if !slices.Contains(allowed, *to) {
		return r.at(n, fmt.Sprintf("%q is not one of %s", *to, strings.Join(allowed, ", ")), nearest(*to, allowed))
	}
	return nil
}

// role reads a role.
func (r *reader) role(n *yaml.Node, to *Role) error {
	var name string
	err := r.oneOf(n, &name, roleNames()...)
	*to = Role(name)
	return err
}

func roleNames() []string {
	var out []string
	for _, role := range Roles() {
		out = append(out, string(role))
	}
	return out
}

// number reads a whole number within bounds.
func (r *reader) number(n *yaml.Node, to *int, least, most int) error {
	var text string
	err := r.text(n, &text)
	if err == nil && !r.open(n) {
		*to, err = strconv.Atoi(text)
	} else if err == nil {
		*to = least
	}
	if err != nil || *to < least || *to > most {
		wanted := fmt.Sprintf("wants a whole number from %d to %d", least, most)
		return r.at(n, strings.TrimSuffix(wanted, fmt.Sprint(" to ", math.MaxInt32)), "")
	}
	return nil
}

// languages are the languages names are kept in.
var languages = []string{"en", "zh"}

func otherLanguage(language string) string {
	if language == languages[0] {
		return languages[1]
	}
	return languages[0]
}

func (r *reader) names(n *yaml.Node, to *map[string]string) error {
	*to = map[string]string{}
	if n.Kind == yaml.ScalarNode {
		var one string
		err := r.textIn(n, "en", &one)
		(*to)["en"] = one
		return err
	}
	known := fields{}
	for _, language := range languages {
		known[language] = func(n *yaml.Node) error {
			var name string
			err := r.textIn(n, language, &name)
			(*to)[language] = name
			return err
		}
	}
	if err := r.mapping(n, known); err != nil {
		return err
	}
	if len(*to) == 0 {
		return r.at(n, "wants a name", "name: {en: Apollo, zh: 阿波罗}")
	}
	return nil
}

// condition reads an expression: its text is answered with parameters written out.
func (r *reader) condition(n *yaml.Node, to *string, c *condition) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		return r.at(n, "wants a condition", `such as person.department == "R&D"`)
	}
	lists := map[string]bool{}
	for name, v := range r.parameters {
		_, lists[name] = v.([]string)
	}
	program, bad := r.language.compile(n.Value, lists)
	if bad != nil {
		return r.inExpression(n, bad)
	}
	used := map[string]any{}
	*to = written.ReplaceAllStringFunc(n.Value, func(m string) string {
		name := m[2 : len(m)-1]
		used[name] = r.parameters[name]
		return literally(r.parameters[name])
	})
	*c = program.bind(used)
	r.mentioned(n, program.names)
	c.at = fmt.Sprintf("%s:%d:%d", r.file, n.Line, n.Column)
	return nil
}

// literally writes the value of a parameter as an expression does.
func literally(v any) string {
	if text, ok := v.(string); ok {
		return quote(text)
	}
	list, _ := v.([]string)
	parts := make([]string, len(list))
	for i, text := range list {
		parts[i] = quote(text)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
