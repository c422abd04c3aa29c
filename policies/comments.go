package policies

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// WithoutComments answers a file of a policy without those comments that says names, each with nothing in its place but the mark; what the policy means stays as it is. Where the file
// cannot be read by itself, only comments that are lines are taken.
func WithoutComments(file File, says func(text string) bool) File {
	lines := strings.Split(file.Source, "\n")
	meaning := meaningOf(file)
	for n, line := range lines {
		for at := 0; at < len(line); at++ {
			if line[at] != '#' || at > 0 && line[at-1] != ' ' && line[at-1] != '\t' || !says(line[at:]) {
				continue
			}
			if meaning == "" && strings.TrimSpace(line[:at]) != "" {
				continue
			}
			lines[n] = line[:at] + "#"
			if strings.HasSuffix(line, "\r") {
				lines[n] += "\r"
			}
			if then := (File{file.Name, strings.Join(lines, "\n")}); meaning == "" || meaningOf(then) == meaning {
				break
			}
			lines[n] = line // it was no comment but a text
		}
	}
	file.Source = strings.Join(lines, "\n")
	return file
}

// meaningOf answers what a file says, whether or not the policy needs others beside it; empty where it cannot be read.
func meaningOf(file File) string {
	var out any
	if err := yaml.Unmarshal([]byte(file.Source), &out); err != nil {
		return ""
	}
	return fmt.Sprintf("%#v", out)
}
