package policies

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Version is the apiVersion of policy files.
const Version = "rollcall/v1"

// maxBytes bounds a policy file; one of 2,000 groups is about 1 MiB.
const maxBytes = 8 << 20

// File is one policy file; its name stands in errors.
type File struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

// Parse reads a policy that is these files together; they are taken in the order of their names. Every error about a text is a *SyntaxError, the
// first one found; nothing is accepted in part.
func Parse(files ...File) (*Policy, error) {
	l, err := newLanguage()
	if err != nil {
		return nil, err
	}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	p := &parser{policy: &Policy{Guard: DefaultGuard(), language: l}, templates: map[string]*template{}, places: map[string]string{}}
	var readers []*reader
	for _, f := range files {
		r, err := p.open(f)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	for _, sections := range []func(*reader) fields{p.first, p.second} {
		for _, r := range readers {
			if err := r.mapping(r.root, sections(r)); err != nil {
				return nil, err
			}
		}
	}
	p.policy.makeIndex()
	for _, check := range p.late {
		if err := check(); err != nil {
			return nil, err
		}
	}
	p.policy.close()
	return p.policy, nil
}

// close takes the groups that are closed out of a policy that was checked with them: what else names one still may.
func (p *Policy) close() {
	if len(p.Closed) == 0 {
		return
	}
	slices.Sort(p.Closed)
	p.Closed = slices.Compact(p.Closed)
	p.Groups = slices.DeleteFunc(p.Groups, func(g Group) bool { return slices.Contains(p.Closed, g.Key) })
	p.makeIndex()
}

// parser puts one policy together.
type parser struct {
	policy    *Policy
	templates map[string]*template
	places    map[string]string // where something that may stand once stands
	late      []func() error    // what can be checked when all is read
}

// open reads the YAML of one file.
func (p *parser) open(f File) (*reader, error) {
	r := &reader{file: f.Name, lines: strings.Split(f.Source, "\n"), language: p.policy.language, mentions: &p.policy.mentions}
	if len(f.Source) > maxBytes {
		return nil, r.start(fmt.Sprintf("file is larger than %d bytes", maxBytes), "")
	}
	if !utf8.ValidString(f.Source) {
		return nil, r.start("file is not UTF-8 text", "")
	}
	var root, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(f.Source)))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, r.yamlError(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, r.at(&second, "a second document begins here", "a policy of several parts is several files")
	} else if !errors.Is(err, io.EOF) {
		return nil, r.yamlError(err)
	}
	if len(root.Content) == 0 {
		return nil, r.start("file is empty", "begin with apiVersion: "+Version)
	}
	r.root = root.Content[0]
	if r.root.Kind == yaml.MappingNode && !slices.ContainsFunc(evens(r.root.Content), func(n *yaml.Node) bool { return n.Value == "apiVersion" }) {
		return nil, r.at(r.root, "apiVersion is missing", "begin with apiVersion: "+Version)
	}
	return r, nil
}

func evens(nodes []*yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for i := 0; i < len(nodes); i += 2 {
		out = append(out, nodes[i])
	}
	return out
}

// sections are the keys of a policy file. Which of them are read, and which passed over, is the difference between first and second.
func (p *parser) sections() []string {
	return []string{"apiVersion", "templates", "groups", "closed", "separation", "approvals", "notifications", "limits", "guests", "guard"}
}

func (p *parser) only(known fields) fields {
	for _, name := range p.sections() {
		if known[name] == nil {
			known[name] = func(*yaml.Node) error { return nil }
		}
	}
	return known
}

// first reads what groups may refer to.
func (p *parser) first(r *reader) fields {
	return p.only(fields{
		"apiVersion": func(n *yaml.Node) error {
			if n.Kind != yaml.ScalarNode || n.Value != Version {
				return r.at(n, fmt.Sprintf("apiVersion %q is not one that is known", n.Value), "write apiVersion: "+Version)
			}
			return nil
		},
		"templates": func(n *yaml.Node) error { return r.sequence(n, func(n *yaml.Node) error { return p.template(r, n) }) },
	})
}

// second reads everything else.
func (p *parser) second(r *reader) fields {
	return p.only(fields{
		"groups":     func(n *yaml.Node) error { return r.sequence(n, func(n *yaml.Node) error { return p.group(r, n) }) },
		"closed":     func(n *yaml.Node) error { return p.closed(r, n) },
		"separation": func(n *yaml.Node) error { return r.sequence(n, func(n *yaml.Node) error { return p.separation(r, n) }) },
		"approvals": func(n *yaml.Node) error {
			return p.once(r, n, "approvals", func() error { return r.approvals(n, &p.policy.Approvals, ApprovalKinds()) })
		},
		"notifications": func(n *yaml.Node) error {
			return p.once(r, n, "notifications", func() error { return r.notifications(n, &p.policy.Notifications, ofPolicy) })
		},
		"limits": func(n *yaml.Node) error {
			return p.once(r, n, "limits", func() error { return r.limits(n, &p.policy.Limits) })
		},
		"guests": func(n *yaml.Node) error {
			return p.once(r, n, "guests", func() error { return r.guests(n, &p.policy.Guests) })
		},
		"guard": func(n *yaml.Node) error {
			return p.once(r, n, "guard", func() error { return r.guard(n, &p.policy.Guard) })
		},
	})
}

// closed reads keys of groups that are closed. One that no file has, or none any more, may stand there: so that a file that closes outlives what it closes.
func (p *parser) closed(r *reader, n *yaml.Node) error {
	if p.policy.Closed == nil {
		p.policy.Closed = []string{} // says that none is
	}
	return r.sequence(n, func(n *yaml.Node) error {
		var key string
		if err := r.key(n, &key); err != nil {
			return err
		}
		p.policy.Closed = append(p.policy.Closed, key)
		return nil
	})
}

// once reads what may stand in one file only.
func (p *parser) once(r *reader, n *yaml.Node, what string, read func() error) error {
	if err := p.claim(r, n, what); err != nil {
		return err
	}
	return read()
}

// claim notes where something stands that may stand once.
func (p *parser) claim(r *reader, n *yaml.Node, what string) error {
	if before := p.places[what]; before != "" {
		return r.at(n, what+" stands twice", "first in "+before)
	}
	p.places[what] = fmt.Sprintf("%s:%d", r.file, n.Line)
	return nil
}
