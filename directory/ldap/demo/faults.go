package demo

import (
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Faults are ways to be a broken server. But for Silent and how attributes look, they touch only searches beneath an entry
// (scope one or sub), so that a client still connects, binds and reads the rootDSE.
type Faults struct {
	Class       string // touch only searches whose filter names this object class; empty touches all
	Empty       bool   // find nothing, with success
	DropAfter   int    // close the connection after so many entries of one search, over all its pages
	ClosePage   int    // close the connection in the middle of this page, counted from 1
	SizeLimit   int    // end with sizeLimitExceeded (4) after so many entries
	SilentAfter int    // after so many entries never send another byte, and keep the connection
	Silent      bool   // read requests and answer none
	Code        int    // answer this result code and no entry
	Referral    string // answer referral (10) to this URL
	Reference   string // add one search continuation reference to this URL
	NoPaging    bool   // ignore the paging control: one answer, and no control in it
	NoIDs       bool   // leave entryUUID out
	SameIDs     bool   // give every entry the same entryUUID
	MaxValues   int    // answer longer attributes in ranges, as Active Directory does from 1,500 values on
	Partial     int    // find only so many entries by a paged search or a refresh, with success
	MaxPage     int    // give pages of so many at most, and end an answer without pages after so many with sizeLimitExceeded
	RefusePage  int    // refuse pages of more than so many with unwillingToPerform (53)
	DirSyncPage int    // tell so many objects at a time by DirSync
	NoDirSync   bool   // refuse DirSync with insufficientAccessRights (50)
	NoNotify    bool   // refuse change notification
	HideDeleted bool   // leave out of DirSync what is deleted
	StreamDrop  int    // close the connection after so many live changes of a content sync
	StreamHush  int    // after so many live changes of a content sync tell no more, and keep the connection
	LieDeletes  bool   // say at the end of a refresh that everything was named, where only what changed was
	EchoSecret  bool   // repeat the presented password in the answer to a bind, which fails
}

// Codes that a server answers to one who follows it, for Faults.Code.
const (
	CodeRefreshRequired = refreshRequired // e-syncRefreshRequired (4096): the cookie is not known any more
	CodeBehind          = unwilling       // 53, as OpenLDAP says that it is behind the cookie
	CodeBusy            = 51
	CodeAdminLimit      = 11
	CodeNoRight         = insufficient // 50
)

// SetFaults replaces all faults; the zero Faults makes a sound server again.
func (d *Directory) SetFaults(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// faultsFor answers the faults that touch a search.
func (d *Directory) faultsFor(q *query) Faults {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.faults
	if q == nil || q.scope != scopeBase && (f.Class == "" || q.names(f.Class)) {
		return f
	}
	return Faults{Silent: f.Silent, NoIDs: f.NoIDs, SameIDs: f.SameIDs, MaxValues: f.MaxValues, MaxPage: f.MaxPage}
}

// names tells whether the filter asks for objectClass=class anywhere.
func (q *query) names(class string) bool {
	var walk func(*ber.Packet) bool
	walk = func(f *ber.Packet) bool {
		if f == nil {
			return false
		}
		if f.Tag == filterEqual && strings.EqualFold(text(child(f, 0)), "objectClass") && strings.EqualFold(text(child(f, 1)), class) {
			return true
		}
		return slices.ContainsFunc(f.Children, walk)
	}
	return walk(q.filter)
}
