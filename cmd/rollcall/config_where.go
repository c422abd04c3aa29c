package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// fault is what is wrong with one key of the configuration.
type fault struct{ key, text string }

func (f fault) Error() string { return "configuration: " + f.key + ": " + f.text }

// placedFault is a fault and where its key was given: FILE:LINE, or a variable of the environment.
type placedFault struct {
	fault
	at string
}

func (f placedFault) Error() string { return "configuration " + f.at + ": " + f.key + ": " + f.text }

// placed answers err with the place of every fault in it, where one is known; path and environ are what was read.
func placed(path string, environ []string, err error) error {
	var file yamlv3.Node
	if text, unread := os.ReadFile(path); unread == nil && yamlv3.Unmarshal(text, &file) != nil {
		file = yamlv3.Node{}
	}
	return eachFault(err, func(f fault) error {
		if name := variableOf(f.key, environ); name != "" {
			return placedFault{f, name}
		}
		if line := lineOf(&file, f.key); line > 0 {
			return placedFault{f, path + ":" + strconv.Itoa(line)}
		}
		return f
	})
}

// eachFault answers err with fn of every fault that was joined into it.
func eachFault(err error, fn func(fault) error) error {
	switch e := err.(type) {
	case fault:
		return fn(e)
	case interface{ Unwrap() []error }:
		all := make([]error, 0, len(e.Unwrap()))
		for _, one := range e.Unwrap() {
			all = append(all, eachFault(one, fn))
		}
		return joined(all)
	}
	return err
}

// joined is errors.Join of errors that are not joined themselves.
type joined []error

func (j joined) Unwrap() []error { return j }

func (j joined) Error() string {
	lines := make([]string, len(j))
	for i, err := range j {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// variableOf answers which variable of the environment gives a key; "" where none does.
func variableOf(key string, environ []string) string {
	name := envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	for _, entry := range environ {
		if set, _, _ := strings.Cut(entry, "="); set == name || set == name+"_FILE" {
			return set
		}
	}
	return ""
}

// lineOf answers the line of a key, as ldap[0].inventory, or of the nearest that it should stand in; 0 where none is there.
func lineOf(node *yamlv3.Node, key string) (line int) {
	switch node.Kind {
	case yamlv3.DocumentNode:
		return lineOf(node.Content[0], key)
	case yamlv3.AliasNode:
		return lineOf(node.Alias, key)
	case yamlv3.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i]
			if key == name.Value || key+"_file" == name.Value {
				return name.Line
			}
			if rest, inside := strings.CutPrefix(key, name.Value); inside && (rest[0] == '.' || rest[0] == '[') {
				line = name.Line
				if deeper := lineOf(node.Content[i+1], strings.TrimPrefix(rest, ".")); deeper > 0 {
					line = deeper
				}
			}
		}
	case yamlv3.SequenceNode:
		var at int
		if _, err := fmt.Sscanf(key, "[%d]", &at); err != nil || at >= len(node.Content) {
			return 0
		}
		_, rest, _ := strings.Cut(key, "]")
		line = node.Content[at].Line
		if deeper := lineOf(node.Content[at], strings.TrimPrefix(rest, ".")); deeper > 0 {
			line = deeper
		}
	}
	return line
}
