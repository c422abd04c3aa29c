package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// write prints v to standard output as --output asks; table prints it for people.
func write(c *cobra.Command, v any, table func(io.Writer)) error {
	form, err := c.Flags().GetString("output")
	if err != nil {
		return err
	}
	switch form {
	case "json":
		encoder := json.NewEncoder(c.OutOrStdout())
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	case "yaml":
		text, err := json.Marshal(v) // one set of names for both forms
		if err != nil {
			return err
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			return err
		}
		return yaml.NewEncoder(c.OutOrStdout()).Encode(plain)
	case "table":
		var text bytes.Buffer
		table(&text)
		_, err := c.OutOrStdout().Write(bytes.Map(harmless, text.Bytes()))
		return err
	}
	return fmt.Errorf("--output %q is not one of table, json, yaml", form)
}

// harmless leaves out what moves the cursor, colours the screen or turns letters round: names of people may hold anything.
func harmless(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
		return -1
	}
	return r
}
