package policies

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"go.yaml.in/yaml/v3"
)

// Version is the apiVersion of policy files.
const Version = "rollcall/v1"

// maxBytes bounds a policy file; one of 2,000 groups is about 1 MiB.
const maxBytes = 8 << 20

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Parse reads one policy file. name stands in errors. Every error about the text is a *SyntaxError, the
// first one found; nothing is accepted in part.
func Parse(name string, src []byte) (*Policy, error) {
	r := &reader{file: name, lines: strings.Split(string(src), "\n")}
	if len(src) > maxBytes {
		return nil, &SyntaxError{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("file is larger than %d bytes", maxBytes)}
	}
	if !utf8.Valid(src) {
		return nil, &SyntaxError{File: name, Line: 1, Column: 1, Message: "file is not UTF-8 text"}
	}
	var root, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, r.yamlError(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, r.at(&second, "a second document begins here", "a policy of several parts is several files")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.yamlError(err)
	}
	if len(root.Content) == 0 {
		return nil, &SyntaxError{File: name, Line: 1, Column: 1, Message: "file is empty", Hint: "begin with apiVersion: " + Version}
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("policy language: %w", err)
	}
	r.env = env
	p := &Policy{Guard: DefaultGuard()}
	version := false
	err = r.mapping(root.Content[0], fields{
		"apiVersion": func(n *yaml.Node) error { version = true; return r.oneOf(n, new(string), Version) },
		"groups": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error { return r.group(n, p) })
		},
		"guard": func(n *yaml.Node) error {
			return r.mapping(n, fields{
				"absence":   func(n *yaml.Node) error { return r.limit(n, &p.Guard.Absence) },
				"cleanup":   func(n *yaml.Node) error { return r.limit(n, &p.Guard.Cleanup) },
				"move":      func(n *yaml.Node) error { return r.limit(n, &p.Guard.Move) },
				"attribute": func(n *yaml.Node) error { return r.limit(n, &p.Guard.Attribute) },
				"cleared":   func(n *yaml.Node) error { return r.limit(n, &p.Guard.Cleared) },
				"unit":      func(n *yaml.Node) error { return r.limit(n, &p.Guard.Unit) },
				"group":     func(n *yaml.Node) error { return r.limit(n, &p.Guard.Group) },
			})
		},
	})
	if err != nil {
		return nil, err
	}
	if !version {
		return nil, r.at(root.Content[0], "apiVersion is missing", "begin with apiVersion: "+Version)
	}
	return p, nil
}

type reader struct {
	file  string
	lines []string
	env   *cel.Env
}

type fields map[string]func(*yaml.Node) error

func (r *reader) at(n *yaml.Node, message, hint string) error {
	return &SyntaxError{File: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Message: message, Hint: hint}
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
		if value.Kind == yaml.AliasNode {
			return r.at(value, "aliases are not part of the language", "write the value out")
		}
		if err := read(value); err != nil {
			return err
		}
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
		if err := each(entry); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) text(n *yaml.Node, to *string) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || strings.TrimSpace(n.Value) == "" {
		return r.at(n, "wants a text", "")
	}
	*to = n.Value
	return nil
}

func (r *reader) key(n *yaml.Node, to *string) error {
	if err := r.text(n, to); err != nil {
		return err
	}
	if !keyForm.MatchString(*to) {
		return r.at(n, fmt.Sprintf("key %q is not valid", *to), "a key is a-z, 0-9 and '-', at most 63, and never changes")
	}
	return nil
}

func (r *reader) oneOf(n *yaml.Node, to *string, allowed ...string) error {
	if err := r.text(n, to); err != nil {
		return err
	}
	if !slices.Contains(allowed, *to) {
		return r.at(n, fmt.Sprintf("%q is not one of %s", *to, strings.Join(allowed, ", ")), nearest(*to, allowed))
	}
	return nil
}

// languages are the languages names are kept in.
var languages = []string{"en", "zh"}

func (r *reader) names(n *yaml.Node, to *map[string]string) error {
	*to = map[string]string{}
	if n.Kind == yaml.ScalarNode {
		var one string
		err := r.text(n, &one)
		(*to)["en"] = one
		return err
	}
	known := fields{}
	for _, language := range languages {
		known[language] = func(n *yaml.Node) error {
			var name string
			err := r.text(n, &name)
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

func (r *reader) group(n *yaml.Node, p *Policy) error {
	g := Group{}
	err := r.mapping(n, fields{
		"key":  func(n *yaml.Node) error { return r.key(n, &g.Key) },
		"name": func(n *yaml.Node) error { return r.names(n, &g.Names) },
		"channels": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error { return r.channel(n, &g) })
		},
		"rules": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error { return r.rule(n, &g) })
		},
	})
	switch {
	case err != nil:
		return err
	case g.Key == "":
		return r.at(n, "group has no key", "")
	case g.Names == nil:
		return r.at(n, fmt.Sprintf("group %q has no name", g.Key), "name: {en: Apollo, zh: 阿波罗}")
	case slices.ContainsFunc(p.Groups, func(o Group) bool { return o.Key == g.Key }):
		return r.at(n, fmt.Sprintf("group %q stands twice", g.Key), "")
	}
	p.Groups = append(p.Groups, g)
	return nil
}

func (r *reader) channel(n *yaml.Node, g *Group) error {
	c := Channel{Access: DefaultAccess(), History: FullHistory}
	access := fields{}
	for _, role := range Roles() {
		access[string(role)] = func(n *yaml.Node) error {
			var a string
			err := r.oneOf(n, &a, string(None), string(Read), string(Post), string(Manage))
			c.Access[role] = Access(a)
			return err
		}
	}
	err := r.mapping(n, fields{
		"key":    func(n *yaml.Node) error { return r.key(n, &c.Key) },
		"name":   func(n *yaml.Node) error { return r.names(n, &c.Names) },
		"access": func(n *yaml.Node) error { return r.mapping(n, access) },
		"labels": func(n *yaml.Node) error {
			return r.sequence(n, func(n *yaml.Node) error {
				var label string
				err := r.key(n, &label)
				c.Labels = append(c.Labels, label)
				return err
			})
		},
		"default_history": func(n *yaml.Node) error {
			var h string
			err := r.oneOf(n, &h, string(FullHistory), string(JoiningHistory))
			c.History = History(h)
			return err
		},
	})
	switch {
	case err != nil:
		return err
	case c.Key == "":
		return r.at(n, "channel has no key", "")
	case c.Names == nil:
		return r.at(n, fmt.Sprintf("channel %q has no name", c.Key), "name: {en: General, zh: 综合}")
	case slices.ContainsFunc(g.Channels, func(o Channel) bool { return o.Key == c.Key }):
		return r.at(n, fmt.Sprintf("channel %q stands twice in its group", c.Key), "")
	}
	g.Channels = append(g.Channels, c)
	return nil
}

func (r *reader) rule(n *yaml.Node, g *Group) error {
	rule := Rule{}
	var role string
	var when *yaml.Node
	allowed := []string{}
	for _, known := range Roles() {
		allowed = append(allowed, string(known))
	}
	err := r.mapping(n, fields{
		"key":  func(n *yaml.Node) error { return r.key(n, &rule.Key) },
		"role": func(n *yaml.Node) error { return r.oneOf(n, &role, allowed...) },
		"when": func(n *yaml.Node) error { when = n; return r.text(n, &rule.When) },
	})
	rule.Role = Role(role)
	switch {
	case err != nil:
		return err
	case rule.Key == "":
		return r.at(n, "rule has no key", "")
	case role == "":
		return r.at(n, fmt.Sprintf("rule %q has no role", rule.Key), "one of "+strings.Join(allowed, ", "))
	case when == nil:
		return r.at(n, fmt.Sprintf("rule %q has no when", rule.Key), `when: person.department == "R&D"`)
	case slices.ContainsFunc(g.Rules, func(o Rule) bool { return o.Key == rule.Key }):
		return r.at(n, fmt.Sprintf("rule %q stands twice in its group", rule.Key), "")
	}
	program, bad := compile(r.env, rule.When)
	if bad != nil {
		return r.inExpression(when, bad)
	}
	rule.program = program
	g.Rules = append(g.Rules, rule)
	return nil
}

func (r *reader) limit(n *yaml.Node, to *Limit) error {
	return r.mapping(n, fields{
		"people": func(n *yaml.Node) error {
			if err := n.Decode(&to.People); err != nil || to.People < 0 {
				return r.at(n, "wants a whole number from 0", "")
			}
			return nil
		},
		"percent": func(n *yaml.Node) error {
			if err := n.Decode(&to.Percent); err != nil || to.Percent < 0 || to.Percent > 100 {
				return r.at(n, "wants a number from 0 to 100", "")
			}
			return nil
		},
	})
}
