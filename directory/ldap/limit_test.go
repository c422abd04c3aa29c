package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/ldap/demo"
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

// A server that gives no pages as large as the configuration asks for says so in its own way: with adminLimitExceeded (OpenLDAP, size.pr), with
// unwillingToPerform, or by ending each answer at its limit. The finding names page_size and the largest that the server gives; everybody is counted with that.
func TestProbeNamesThePageSize(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Company{People: 60, Units: 12, Groups: 2, Members: 3}.LDIF())
	s.Stop()
	s.Rewrite(t, "dbnosync", "dbnosync\nlimits * size.pr=23 size.prtotal=unlimited")
	s.Resume(t)
	d, demoConfig := double(t, 5)
	d.SetFaults(demo.Faults{RefusePage: 3})
	for name, c := range map[string]ldap.Config{"openldap": slapdConfig(s), "demo": demoConfig} {
		c.PageSize = 500
		want := map[string]int{"openldap": 23, "demo": 3}[name]
		caps, findings, err := client(t, c).Probe(t.Context())
		if err != nil || caps.PageSize != want || caps.Sample[ldap.ClassPerson] != want || caps.Counts[ldap.ClassPerson] <= want || caps.Part[ldap.ClassPerson] {
			t.Errorf("%s: %+v %v", name, caps, err)
		}
		said := false
		for _, f := range findings {
			said = said || f.Code == "page_size" && f.Severity == ldap.Error && strings.Contains(f.Text, fmt.Sprintf("set page_size to %d,", want))
			if f.Code == "no_people" || f.Code == "limited" || f.Code == "no_paging" {
				t.Errorf("%s: %v", name, f)
			}
		}
		if !said {
			t.Errorf("%s: %v", name, findings)
		}
		c.PageSize = want
		if _, findings, err := client(t, c).Probe(t.Context()); err != nil || slices.ContainsFunc(findings, func(f ldap.Finding) bool { return f.Severity == ldap.Error }) {
			t.Errorf("%s with that: %v %v", name, findings, err)
		}
	}
}
