package roles_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

var update = flag.Bool("update", false, "write the golden file anew")

// Who holds what, for people to read. A role or a permission that changes turns this red.
func TestTable(t *testing.T) {
	columns := append(roles.All(), roles.GroupOwner)
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s", "# permission")
	for _, role := range columns {
		fmt.Fprintf(&b, " %-11s", role)
	}
	seen := map[roles.Permission]bool{}
	for _, line := range roles.Table() {
		if seen[line.Permission] {
			t.Errorf("%s stands twice", line.Permission)
		}
		seen[line.Permission] = true
		fmt.Fprintf(&b, "\n%-20s", line.Permission)
		for _, role := range columns {
			word := "-"
			switch {
			case role.Has(line.Permission) && line.Dangerous:
				word = "dangerous"
			case role.Has(line.Permission):
				word = "yes"
			}
			fmt.Fprintf(&b, " %-11s", word)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/roles.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("who holds what is another one (go test ./internal/roles -update writes it anew): %v\n%s", err, got)
	}
}

// Under the separation of powers nobody does by one of the three roles what another of them is for.
func TestTheThreeDoNotMeet(t *testing.T) {
	writes := func(r roles.Role) (out []roles.Permission) {
		for _, p := range r.Permissions() {
			if !strings.HasSuffix(string(p), ".read") && p != roles.AccessExplain && p != roles.SourcesTraffic {
				out = append(out, p)
			}
		}
		return out
	}
	if list := writes(roles.Auditor); len(list) > 0 {
		t.Errorf("an auditor changes: %v", list)
	}
	for _, p := range writes(roles.System) {
		if slices.Contains(writes(roles.Security), p) {
			t.Errorf("system and security both hold %s", p)
		}
	}
	if roles.System.Has(roles.AuditRead) || roles.Security.Has(roles.AuditRead) {
		t.Error("only an auditor reads the audit log under the separation of powers")
	}
}

func TestGrants(t *testing.T) {
	part := roles.Grants{{Role: roles.HR, Unit: "unt_sh"}, {Role: roles.Helpdesk, Unit: "unt_bj"}, {Role: roles.Auditor}}
	for p, want := range map[roles.Permission]string{
		roles.PeopleRead:     "all",
		roles.PeopleOffboard: "[unt_sh]",
		roles.SessionsEnd:    "[unt_bj]",
		roles.AdminsWrite:    "[]",
		"no.such":            "[]",
	} {
		got := part.Scope(p)
		text := fmt.Sprint(got.Units)
		if got.All {
			text = "all"
		}
		if text != want || got.Empty() != (want == "[]") {
			t.Errorf("%s: %s, want %s", p, text, want)
		}
	}
	for grant, want := range map[roles.Grant]bool{
		{Role: roles.HR, Unit: "unt_sh"}: true, {Role: roles.HR, Unit: "unt_bj"}: false, {Role: roles.HR}: false,
		{Role: roles.Auditor}: true, {Role: roles.Auditor, Unit: id.Unit("unt_x")}: true, {Role: roles.Owner}: false,
	} {
		if part.Covers(grant) != want {
			t.Errorf("covers %v: %v", grant, !want)
		}
		if !roles.Everything().Covers(grant) {
			t.Errorf("an owner does not cover %v", grant)
		}
	}
}
