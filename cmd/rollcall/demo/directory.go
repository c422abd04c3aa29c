package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	ldapdemo "github.com/rollcall-im/rollcall/directory/ldap/demo"
)

// Plant tells whether the person is known to the LDAP directory and not to HR.
func (e Employee) Plant() bool { return e.Department == "Suzhou Plant" }

// Directory makes the LDAP directory of the plant. The same people always have the same entryUUID.
func Directory(suffix, bindDN, password string, people []Employee) (*ldapdemo.Directory, error) {
	d := ldapdemo.New(suffix, bindDN, password)
	place := func(dn string, attributes map[string][]string) error {
		attributes["entryUUID"] = []string{uuid(dn)}
		return d.Add(ldapdemo.Entry{DN: dn, Attributes: attributes})
	}
	unit := "ou=Suzhou Plant," + suffix
	if err := place(unit, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"Suzhou Plant"}, "description": {"苏州工厂"}}); err != nil {
		return nil, err
	}
	members, names := []string{}, map[string]string{}
	for _, e := range people {
		if !e.Plant() {
			continue
		}
		dn := fmt.Sprintf("uid=%s,%s", e.UserName, unit)
		names[e.Number] = dn
		members = append(members, dn)
		attributes := map[string][]string{"objectClass": {"top", "person", "organizationalPerson", "inetOrgPerson"}, "uid": {e.UserName}, "cn": {e.DisplayName},
			"sn": {e.FamilyName}, "givenName": {e.GivenName}, "displayName": {e.DisplayName}, "mail": {e.Email}, "title": {e.Title},
			"departmentNumber": {e.Department}, "employeeNumber": {e.Number}, "employeeType": {e.Type}, "preferredLanguage": {e.Locale}}
		if boss := names[e.Manager]; boss != "" {
			attributes["manager"] = []string{boss}
		}
		if err := place(dn, attributes); err != nil {
			return nil, err
		}
	}
	return d, place("cn=plant-all,"+suffix, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"plant-all"}, "member": members})
}

func uuid(name string) string {
	sum := sha256.Sum256([]byte(name))
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:32]
}
