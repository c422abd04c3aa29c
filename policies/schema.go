package policies

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema answers the JSON schema of policy files, for editors. It accepts every file that Parse does; what it refuses Parse refuses too.
// What only the whole policy can tell, and what conditions say, it does not judge.
func Schema() []byte { return slices.Clone(schema) }
