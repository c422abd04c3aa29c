package ldap_test

import (
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/ldaptest"
)

// A server that shows no more than its limit is told with the limit, whether it lies within the first page or behind it; what it lets through is never said
// to be all.
func TestProbeUnderALimit(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12, Groups: 2, Members: 3}.LDIF())
	s.Stop()
	s.Rewrite(t, "sizelimit unlimited", "sizelimit 50")
	s.Resume(t)
	for _, page := range []int{17, 500} {
		c := slapdConfig(s)
		c.PageSize = page
		caps, findings, err := client(t, c).Probe(t.Context())
		if err != nil || caps.Counts[ldap.ClassPerson] != 50 || !caps.Part[ldap.ClassPerson] || caps.Part[ldap.ClassGroup] {
			t.Errorf("pages of %d: %+v %v", page, caps, err)
		}
		said := false
		for _, f := range findings {
			said = said || f.Code == "limited" && f.Severity == ldap.Error && strings.Contains(f.Text, "at least 50 entries (person)") && strings.Contains(f.Text, "limit of 50 entries")
			if f.Code == "no_paging" {
				t.Errorf("pages of %d: %v", page, f)
			}
		}
		if !said {
			t.Errorf("pages of %d: %v", page, findings)
		}
	}
}
