// Package ldap reads people, units and groups from an LDAP server or Active Directory, follows what the server tells of them, and
// writes them through directory.Store.Apply. It owns the connector space: what the directory showed last of each entry and what
// of it was written, who follows a source, and what is still to be looked at again (ldap_objects, ldap_runners, ldap_doubts). A
// row of it, the record it led to and the cursor are written in one transaction: a crash at any point repeats, and loses nothing.
//
// It guarantees that nobody is noted as absent without a positive Proof that the reading was complete: the last
// page with an empty cookie and success, no limit, no reference to elsewhere, and an id on every entry. A reading
// without Proof changes nobody, but for accounts it shows disabled: those freeze at once. Identity is the
// immutable id of the entry; names, logins and e-mail addresses are attributes. Every operation has a deadline,
// so a silent server ends a sync. TLS is verified, StartTLS never falls back, referrals are never followed, and
// the password is in no error and no log.
//
// It never deletes a person, never decides who loses access by absence, and filters by object class only: who is
// in scope of what is a rule's matter, because servers do not report entries that leave a filter.
package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class is the kind of an entry.
type Class string

// The classes, in the order they are read.
const (
	ClassUnit   Class = "unit"
	ClassPerson Class = "person"
	ClassGroup  Class = "group"
)

var allClasses = []Class{ClassUnit, ClassPerson, ClassGroup}

// Object is one entry as the server showed it. Names of attributes are in lower case.
type Object struct {
	Class Class
	Key   string // the immutable id, as text
	DN    string
	Attrs map[string][]string
}

// Proof says whether a reading was complete, and how that is known.
type Proof struct {
	Kind     string        // "page_end": each last page came with an empty cookie and success
	Counts   map[Class]int // entries read
	Cursor   Cursor        // from where to follow after a Snapshot; empty: from the beginning, which tells everything once
	Position string        // the freshness mark from before the reading; empty where the server has none
	Moved    bool          // the server was written to during the reading, or cannot tell
	Missing  []string      // why there is no proof; empty where there is
}

// Complete tells whether what was not read is not there.
func (p Proof) Complete() bool { return p.Kind != "" && len(p.Missing) == 0 }

// Severity weighs a Finding.
type Severity string

// The severities. An error means that a sync would fail or fall short.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Finding is something an administrator should know. It names no person.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // stable
	Text     string   `json:"text"`
}

// Capabilities is what a server said about itself.
type Capabilities struct {
	Vendor      string         `json:"vendor"` // as quirks.go names it: openldap, 389, ad, demo, other
	IDAttribute string         `json:"id_attribute"`
	TLS         string         `json:"tls"` // version, or "none"
	Position    string         `json:"position"`
	Paging      bool           `json:"paging"`
	ContentSync bool           `json:"content_sync"` // RFC 4533
	PageSize    int            `json:"page_size"`    // that of the configuration, or the largest that the server gives where it refuses that
	Sample      map[Class]int  `json:"sample"`       // entries on the first page
	Counts      map[Class]int  `json:"counts"`       // entries there are; of a large directory, as many as were counted in time
	Part        map[Class]bool `json:"part"`         // of these classes there may be more: the server, or the time, ended the counting
	Latency     time.Duration  `json:"latency"`      // of one small search
}

// Reader is a directory that can be read. Client is the one over the network.
type Reader interface {
	// Probe connects, logs in and looks around: it reads one page of each class, and counts the rest by their ids for some seconds. The findings stand also where it fails.
	Probe(ctx context.Context) (Capabilities, []Finding, error)
	// Snapshot reads everything. emit is called page by page, never at the same time. After an error or with an incomplete
	// Proof what was emitted is true, but what was not emitted means nothing.
	Snapshot(ctx context.Context, emit func([]Object) error) (Proof, error)
	// Lookup reads again those of these keys that exist.
	Lookup(ctx context.Context, class Class, keys []string) ([]Object, error)
	// Position answers a cheap mark that moves with each write to the server; empty where the server has none.
	Position(ctx context.Context) (string, error)
}

// What can go wrong. Texts of the errors that wrap these say what to do, and never hold the password.
var (
	ErrUnreachable = errors.New("ldap server cannot be reached")
	ErrTimeout     = errors.New("ldap server does not answer")
	ErrTLS         = errors.New("ldap connection cannot be secured")
	ErrLogin       = errors.New("ldap login refused")
	ErrServer      = errors.New("ldap server refused")
	ErrClosed      = errors.New("ldap server closed the connection")
	ErrIncomplete  = errors.New("directory was not read completely") // nobody was marked absent
	ErrImplausible = errors.New("directory is not believed")         // nothing was changed
	// ErrReborn is an ErrImplausible: people who are known come under other ids.
	ErrReborn = fmt.Errorf("%w: who is known comes under another id", ErrImplausible)
)
