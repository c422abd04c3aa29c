// Package id owns the identifiers of Rollcall: opaque, immutable, sortable by time of making, safe as
// OpenFGA object ids (no blank, ':' or '#'), as URL path segments and as SCIM ids.
// It guarantees that an id never carries meaning: no name, e-mail or foreign key of a source is ever part of it.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

type (
	// Person is one human being, for ever: it survives renames, re-hires and changes of source.
	Person string
	// Link ties one record of one source to a person; it is the SCIM `id` of that record.
	Link string
	// Source is a system that says who works here.
	Source string
	// Unit is a node of the organisation tree.
	Unit string
	// Affiliation is one employment or contract of a person at a unit.
	Affiliation string
	// Freeze is one reason why a person has no access at all.
	Freeze string
	// DirectoryGroup is a group as a source knows it.
	DirectoryGroup string
	// Resource is something of a type from configuration that a source keeps here.
	Resource string
	// Group is a project group.
	Group string
	// Channel is a place for messages.
	Channel string
	// Message is one message in a channel.
	Message string
	// Membership is a person's place in a project group.
	Membership string
	// Reason is one ground on which a membership stands.
	Reason string
	// Plan is a computed, not yet applied change.
	Plan string
	// Hold is a batch of removals the guard stopped.
	Hold string
	// Token is a bearer secret's public name.
	Token string
	// Session is a browser session's public name.
	Session string
	// Request is one call from outside.
	Request string
	// Run is one synchronisation of one source.
	Run string
	// WorkItem is a question to a human being about two people who may be one.
	WorkItem string
	// Notice is one thing that somebody is told by the product itself.
	Notice string
	// Review is one access review.
	Review string
	// EvidenceKey is a key that evidence is signed with.
	EvidenceKey string
	// Handover is one step of the succession of a thing that somebody answered for.
	Handover string
	// LegalHold keeps what is known of somebody from being erased.
	LegalHold string
	// Erasure is that somebody is to be erased, or was.
	Erasure string
	// Ask is a request that somebody else has to decide.
	Ask string
	// Succession is one declaration of what units become.
	Succession string
	// Drill is one rehearsal of an offboarding.
	Drill string
	// Company is an organisation whose people are guests.
	Company string
	// Guest is somebody from outside who was let in, as one company knows them.
	Guest string
	// Invitation is that a guest is to be let into channels.
	Invitation string
	// GuestLink is a link that lets a guest in, once.
	GuestLink string
	// Arrival is a browser that showed such a link.
	Arrival string
	// Closing is that a project group was closed.
	Closing string
)

func (Person) prefix() string         { return "per_" }
func (Link) prefix() string           { return "lnk_" }
func (Source) prefix() string         { return "src_" }
func (Unit) prefix() string           { return "unt_" }
func (Affiliation) prefix() string    { return "aff_" }
func (Freeze) prefix() string         { return "frz_" }
func (DirectoryGroup) prefix() string { return "dgr_" }
func (Resource) prefix() string       { return "res_" }
func (Group) prefix() string          { return "grp_" }
func (Channel) prefix() string        { return "chn_" }
func (Message) prefix() string        { return "msg_" }
func (Membership) prefix() string     { return "mem_" }
func (Reason) prefix() string         { return "rsn_" }
func (Plan) prefix() string           { return "pln_" }
func (Hold) prefix() string           { return "hld_" }
func (Token) prefix() string          { return "tok_" }
func (Session) prefix() string        { return "ses_" }
func (Request) prefix() string        { return "req_" }
func (Run) prefix() string            { return "run_" }
func (WorkItem) prefix() string       { return "wki_" }
func (Notice) prefix() string         { return "ntc_" }
func (Handover) prefix() string       { return "hdv_" }
func (Review) prefix() string         { return "rvw_" }
func (EvidenceKey) prefix() string    { return "evk_" }
func (Ask) prefix() string            { return "ask_" }
func (LegalHold) prefix() string      { return "lgh_" }
func (Erasure) prefix() string        { return "ers_" }
func (Succession) prefix() string     { return "suc_" }
func (Drill) prefix() string          { return "drl_" }
func (Company) prefix() string        { return "cmp_" }
func (Guest) prefix() string          { return "gst_" }
func (Invitation) prefix() string     { return "inv_" }
func (GuestLink) prefix() string      { return "gln_" }
func (Arrival) prefix() string        { return "arr_" }
func (Closing) prefix() string        { return "cls_" }

// Typed is any id of this package.
type Typed interface {
	~string
	prefix() string
}

var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// New makes a fresh id: a prefix that names the type, 48 bits of milliseconds and 80 random bits.
func New[T Typed]() T {
	var raw [16]byte
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(time.Now().UnixMilli()))
	copy(raw[:6], stamp[2:])
	rand.Read(raw[6:]) // never fails: crypto/rand ends the process instead
	var none T
	return T(none.prefix() + alphabet.EncodeToString(raw[:]))
}

// MadeAt answers when New made an id, to the millisecond; the zero time for what is none.
func MadeAt[T ~string](one T) time.Time {
	_, text, _ := strings.Cut(string(one), "_")
	raw, err := alphabet.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return time.Time{}
	}
	var stamp [8]byte
	copy(stamp[2:], raw[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:]))).UTC()
}
