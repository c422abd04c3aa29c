// Package trial does what a client does when its administrator presses "test connection": for a SCIM source the first
// requests of a real one, from outside, through the public address; for an LDAP source a look around. It says step by step
// what was asked, expected and got, and what to do about it.
//
// It owns no table. A trial changes nobody: the writes it sends are ones that the service provider must refuse, so that
// what is learned is only whether they arrive. No secret stands in a report.
package trial

import (
	"fmt"
	"strings"
	"time"
)

// Step is one thing that was tried.
type Step struct {
	Name     string            `json:"name" doc:"stable"`
	Request  string            `json:"request,omitempty" doc:"what was asked"`
	Expected string            `json:"expected" doc:"empty where the step is something that was noticed"`
	Got      string            `json:"got"`
	Status   int               `json:"status,omitempty" doc:"of the answer, where there was one"`
	Millis   float64           `json:"ms"`
	OK       bool              `json:"ok"`
	Hint     map[string]string `json:"hint,omitempty" doc:"what to do, by language; beside ok: what to know"`
}

// Report is what a trial found.
type Report struct {
	At     time.Time `json:"at"`
	Source string    `json:"source" doc:"its name"`
	Kind   string    `json:"kind"`
	Target string    `json:"target" doc:"the address that was tried"`
	OK     bool      `json:"ok" doc:"every step is"`
	Steps  []Step    `json:"steps" nullable:"false"`
	Text   string    `json:"text" doc:"all of it as plain text, to copy into a ticket"`
}

// finish fills in what follows from the steps; language is en or zh.
func (r *Report) finish(language string) {
	var b strings.Builder
	fmt.Fprintf(&b, "Rollcall connection test: source %s (%s)\n%s, %s\n\n", r.Source, r.Kind, r.At.UTC().Format(time.RFC3339), r.Target)
	passed := 0
	for i, s := range r.Steps {
		mark := "FAILED"
		if s.OK {
			mark = "ok"
			passed++
		}
		fmt.Fprintf(&b, "%2d  %-6s  %s", i+1, mark, s.Name)
		if s.Request != "" {
			fmt.Fprintf(&b, ": %s", s.Request)
		}
		if s.Expected != "" {
			fmt.Fprintf(&b, "\n            expected %s; got %s", s.Expected, s.Got)
		}
		if s.Millis > 0 {
			fmt.Fprintf(&b, " (%.0f ms)", s.Millis)
		}
		b.WriteString("\n")
		if hint := s.Hint[language]; hint != "" {
			fmt.Fprintf(&b, "            %s\n", hint)
		}
	}
	r.OK = passed == len(r.Steps)
	fmt.Fprintf(&b, "\n%d of %d steps passed\n", passed, len(r.Steps))
	r.Text = b.String()
}

func hint(en, zh string) map[string]string { return map[string]string{"en": en, "zh": zh} }
