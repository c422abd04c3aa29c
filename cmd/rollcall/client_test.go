package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What stands in back quotes in the text of a flag is shown as its value: a command there reads as if the flag took it.
func TestFlagsShowOneWord(t *testing.T) {
	words := regexp.MustCompile(`(?m)^\s+(-\w, )?--\S+ \S+ \S.*`)
	var look func(*cobra.Command)
	look = func(c *cobra.Command) {
		for _, line := range words.FindAllString(c.LocalFlags().FlagUsages(), -1) {
			t.Errorf("%s: %s", c.CommandPath(), strings.TrimSpace(line))
		}
		for _, child := range c.Commands() {
			look(child)
		}
	}
	look(rootCommand())
}

// A refused request says which fields it was about, each with what is wrong about it.
func TestRefusedFieldsAreNamed(t *testing.T) {
	answer := httptest.NewRecorder()
	answer.WriteHeader(http.StatusUnprocessableEntity)
	answer.WriteString(`{"title":"Unprocessable Entity","status":422,"code":"invalid","detail":"validation failed","problems":["body.about: expected value to be one of \"group, channel\"","body.until: expected string to be RFC 3339 date-time"]}`)
	got := problem(answer.Result()).Error()
	want := "validation failed (invalid)\n  body.about: expected value to be one of \"group, channel\"\n  body.until: expected string to be RFC 3339 date-time"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	answer = httptest.NewRecorder()
	answer.WriteHeader(http.StatusUnprocessableEntity)
	answer.WriteString(`{"code":"policy_invalid","detail":"p.yaml:1:2: no","problems":["p.yaml:1:2: no"]}`)
	if got := problem(answer.Result()).Error(); strings.Count(got, "p.yaml") != 1 {
		t.Errorf("said twice: %s", got)
	}
}
