package httpapi

import (
	"errors"
	"testing"
)

func TestWhatMayBeLogged(t *testing.T) {
	for path, want := range map[string]string{
		"/scim/v2/Users":                 "/scim/v2/Users",
		"/Scim/v2/Users/wei.zhang":       "/Scim/v2/Users/…",
		"/scim/v2/Users/wei@example.com": "/scim/v2/Users/…",
		"/scim/v2/张伟":                    "/scim/v2/…",
		"/scim/v2/Users/.search":         "/scim/v2/Users/.search",
		"/api/v1/people/wei@example.com": "/api/v1/people/…",
		"/api/v1/sources/hr/sync":        "/api/v1/sources/hr/sync",
		"/assets/index-B7.js":            "/assets/index-B7.js",
		"/":                              "/",
		"":                               "",
		"/scim/v2/Users/lnk_06h07z2j7yay9zjg2gc5hndwz0": "/scim/v2/Users/lnk_06h07z2j7yay9zjg2gc5hndwz0",
	} {
		if got := loggedPath(path); got != want {
			t.Errorf("%s is logged as %s", path, got)
		}
	}
	defer func() {
		if got := PanicText(recover()); got != "runtime error: index out of range [3] with length 0" {
			t.Error(got)
		}
	}()
	if got := PanicText(errors.New("wei@example.com")); got != "*errors.errorString" {
		t.Error(got)
	}
	var none []int
	three := 3
	_ = none[three]
}
