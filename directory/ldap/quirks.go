package ldap

import (
	"encoding/hex"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// way is how changes are heard of.
type way string

// The ways.
const (
	bySync   way = "sync"   // content synchronization (RFC 4533)
	byDomain way = "domain" // DirSync or the numbers of updates of Active Directory
	byStamp  way = "stamp"  // the times of modification, and inventories
)

// quirks is one kind of server: everything in which it differs from the others stands here, and nowhere else.
type quirks struct {
	vendor string                              // as Capabilities names it
	is     func(root map[string][]string) bool // by the rootDSE
	follow way

	id        string   // the attribute that identifies an entry, in lower case
	people    []string // object classes of people, where the configuration names none
	notPeople string   // an object class that makes a person of none of them
	groups    []string
	marks     []string // attributes of the suffix or the rootDSE that move with each write
	markOf    []string // attributes that say whose marks they are

	strayReferences bool                // each subtree search names other partitions: references say nothing about completeness
	syncKey         func(string) string // the key in the 16 bytes that name an entry in RFC 4533
	markIsCookie    bool                // its marks make a sync cookie, so that following can begin where a reading began
	deletesOnly     bool                // its refresh names what is gone; where it claims to have named all that is there, it did not
	bareResume      bool                // a resumed sync leaves out operational attributes, though named: a locked account looks unlocked
	changeOf        string              // the attribute that numbers the newest change of an entry: after a crash it resumes without some of the last changes, and says nothing
	firstChange     string              // the attribute of the rootDSE that names the oldest change it remembers: it leaves out older ones, and says nothing
	gap             bool                // a search that persists listens later than its cookie says, and tells nothing of what was written between: it is asked once more
	omits           bool                // a resumed sync leaves out some of what is gone: each 51st entry, and who came and went since the cookie although that was told
	aheadCookies    bool                // the cookie of a change may be ahead of changes that are still to be told
	ownCookies      bool                // a sync cookie is good for the server that gave it only
}

// vendors lists the servers that are told apart; the first row that fits counts, and the last fits every server.
//
// No row trusts the end of a refresh that does not persist: 389 says there that it named everything, when it named
// only what changed. A search that persists says it correctly, so all are followed that way, and left after the refresh.
var vendors = []quirks{
	{
		vendor: "ad", // Active Directory, and Samba as its double
		is: func(root map[string][]string) bool {
			return slices.Contains(root["supportedcapabilities"], oidActiveDirectory)
		},
		follow: byDomain, id: "objectguid", people: []string{"user"}, notPeople: "computer" /* is a user there, too */, groups: []string{"group"},
		marks: []string{"highestCommittedUSN"}, markOf: []string{"dsServiceName"}, strayReferences: true,
	},
	{
		vendor: "389", // and FreeIPA, Red Hat Directory Server
		is: func(root map[string][]string) bool {
			name := strings.ToLower(strings.Join(root["vendorname"], " "))
			return strings.Contains(name, "389") || strings.Contains(name, "red hat")
		},
		follow: bySync, id: "nsuniqueid" /* imported entries have no entryUUID, later ones may have both */, people: []string{"inetOrgPerson"}, groups: standardGroups,
		marks: []string{"lastChangeNumber"}, syncKey: uniqueID, deletesOnly: true, bareResume: true, firstChange: "firstChangeNumber", gap: true, omits: true, aheadCookies: true, ownCookies: true,
	},
	{
		vendor: "openldap",
		is: func(root map[string][]string) bool {
			return slices.ContainsFunc(root["objectclass"], func(s string) bool { return strings.EqualFold(s, "OpenLDAProotDSE") })
		},
		follow: bySync, id: "entryuuid", people: []string{"inetOrgPerson"}, groups: standardGroups,
		marks: []string{"contextCSN"}, syncKey: uuid, markIsCookie: true, changeOf: "entrycsn",
	},
	{
		vendor: "demo", // of this project
		is: func(root map[string][]string) bool {
			return slices.Contains(root["vendorname"], "Rollcall demo directory")
		},
		follow: bySync, id: "entryuuid", people: []string{"inetOrgPerson"}, groups: standardGroups,
		marks: []string{"contextCSN"}, syncKey: uuid, markIsCookie: true,
	},
	{
		vendor: "other", is: func(map[string][]string) bool { return true },
		follow: bySync, id: "entryuuid", people: []string{"inetOrgPerson"}, groups: standardGroups,
		marks: []string{"contextCSN", "highestCommittedUSN", "lastChangeNumber"}, markOf: []string{"dsServiceName"}, syncKey: uuid, ownCookies: true,
	},
}

// oidActiveDirectory is LDAP_CAP_ACTIVE_DIRECTORY_OID ([MS-ADTS] section 3.1.1.3.4.3.1).
const oidActiveDirectory = "1.2.840.113556.1.4.800"

var standardGroups = []string{"groupOfNames", "groupOfUniqueNames", "groupOfMembers", "posixGroup"}

// quirksOf finds the row of a server.
func quirksOf(root map[string][]string) quirks {
	for _, q := range vendors {
		if q.is(root) {
			if q.follow == bySync && !slices.Contains(root["supportedcontrol"], goldap.ControlTypeSyncRequest) {
				q.follow = byStamp
			}
			return q
		}
	}
	return quirks{}
}

// uuid writes an entryUUID as text (RFC 4530); empty where raw is none.
func uuid(raw string) string {
	if len(raw) != 16 {
		return ""
	}
	h := hex.EncodeToString([]byte(raw))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// uniqueID writes the same bytes as 389 writes an nsUniqueId.
func uniqueID(raw string) string {
	if len(raw) != 16 {
		return ""
	}
	h := hex.EncodeToString([]byte(raw))
	return h[:8] + "-" + h[8:16] + "-" + h[16:24] + "-" + h[24:]
}

// guid writes an objectGUID as Microsoft does: the first three groups are little-endian.
func guid(raw string) string {
	if len(raw) != 16 {
		return ""
	}
	b := []byte(raw)
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return uuid(string(b))
}
