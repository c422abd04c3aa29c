package httpapi

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
)

// loggedPath is a path as it may stand in the log: what a client puts where an id belongs may be an address or a name.
func loggedPath(path string) string {
	parts := strings.Split(path, "/")
	scim := len(parts) > 1 && strings.EqualFold(parts[1], "scim")
	for i, part := range parts {
		word := strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
		if !word || scim && i > 3 && !idShape(part) && !strings.EqualFold(part, ".search") {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

func idShape(s string) bool { return regexp.MustCompile(`^[a-z]{3}_[0-9a-z]{26}$`).MatchString(s) }

// PanicText is what may be logged of a panic: the runtime's own words, of any other value its type only.
func PanicText(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", cause)
}
