package policies

const (
	handoverDays = 14           // where a channel has a handover period and does not say how long
	restricted   = "restricted" // the label of channels whose period is only what they say
)

// Handover is how long somebody who moved away, and no longer belongs into a channel, keeps it, and as what. The zero value is no handover.
type Handover struct {
	Days int  `json:"days"`
	Role Role `json:"role"` // of those who had a stronger one
}

// Eligibility says who may become a member without a rule or a grant. Both conditions are over the same words as rules; empty: nobody.
type Eligibility struct {
	Join string `json:"join,omitempty"` // who may join by themselves
	Ask  string `json:"ask,omitempty"`  // who may ask, which wants an approval of kind "join"
	Role Role   `json:"role,omitempty"` // that they get

	join, ask condition
}

// SuccessorKind says where a successor is looked for.
type SuccessorKind string

// The kinds of successors.
const (
	SuccessorManager SuccessorKind = "manager" // of the leaver, else the next one above
	SuccessorMember  SuccessorKind = "member"  // of the group in that role, the longest first
	SuccessorPerson  SuccessorKind = "person"  // by employee number or user name
)

// Successor is where an owner is looked for when the last one leaves: only somebody who is active and no outsider.
type Successor struct {
	Kind   SuccessorKind `json:"kind"`
	Role   Role          `json:"role,omitempty"`   // of SuccessorMember
	Person string        `json:"person,omitempty"` // of SuccessorPerson
}

// Separation keeps access apart: what it forbids is not given, whatever rules and grants say. See Policy.Separate.
type Separation struct {
	Key           string            `json:"key"`
	Names         map[string]string `json:"names"`
	NeverTogether []Place           `json:"never_together,omitempty"` // nobody is in two of these
	Never         *Never            `json:"never,omitempty"`
}

// Place is a group, or one channel of it.
type Place struct {
	Group   string `json:"group"`
	Channel string `json:"channel,omitempty"`
}

// String is the place as policy files write it: "apollo" or "apollo/general".
func (p Place) String() string {
	if p.Channel == "" {
		return p.Group
	}
	return p.Group + "/" + p.Channel
}

// Never keeps people out of channels with a label: those in Role, or those for whom When is true.
type Never struct {
	Role  Role   `json:"role,omitempty"`
	When  string `json:"when,omitempty"`
	Label string `json:"label"`

	condition
}

// ApprovalKind is a kind of request.
type ApprovalKind string

// The kinds of requests.
const (
	ApproveJoin       ApprovalKind = "join"        // to join a group by Eligibility.Ask
	ApproveGuest      ApprovalKind = "guest"       // to invite or extend a guest
	ApproveElevation  ApprovalKind = "elevation"   // a stronger role for some time
	ApprovePlan       ApprovalKind = "plan"        // to apply a plan over Limits.FourEyes
	ApproveRelease    ApprovalKind = "release"     // to let go what the guard holds
	ApproveBreakGlass ApprovalKind = "break_glass" // to read what one may not
	ApproveRetention  ApprovalKind = "retention"   // a legal hold, or an erasure
	ApproveFile       ApprovalKind = "file"        // an exception for a file
)

// ApprovalKinds lists the kinds of requests.
func ApprovalKinds() []ApprovalKind {
	return []ApprovalKind{ApproveJoin, ApproveGuest, ApproveElevation, ApprovePlan, ApproveRelease, ApproveBreakGlass, ApproveRetention, ApproveFile}
}

// ApproverKind says who may decide a request.
type ApproverKind string

// The kinds of approvers. Nobody decides their own request.
const (
	ApproverOwners  ApproverKind = "owners"  // of the group
	ApproverManager ApproverKind = "manager" // of who asks
	ApproverSponsor ApproverKind = "sponsor" // of the guest
	ApproverPerson  ApproverKind = "person"  // by employee number or user name
	ApproverAdmins  ApproverKind = "admins"  // administrators of that role
)

// Approver is one kind of people who may decide.
type Approver struct {
	Kind   ApproverKind `json:"kind"`
	Person string       `json:"person,omitempty"` // of ApproverPerson
	Admins string       `json:"admins,omitempty"` // of ApproverAdmins: owner, security, hr, helpdesk or auditor
}

// Approval says how requests of one kind are decided.
type Approval struct {
	By        []Approver `json:"by"`                  // anybody of these
	People    int        `json:"people"`              // how many must agree
	LapseDays int        `json:"lapse_days"`          // after so many days without a decision it is refused
	MostDays  int        `json:"most_days,omitempty"` // what is given ends after so many days; 0: no end
}

// Level is what somebody is notified of.
type Level string

// The levels, from the least.
const (
	NotifyNone     Level = "none"
	NotifyMentions Level = "mentions"
	NotifyAll      Level = "all"
)

// Notifications says what people are notified of. Said of a channel it goes before its group, that before the policy. Empty fields say nothing.
type Notifications struct {
	Default       Level `json:"default,omitempty"`        // of who chose nothing
	Floor         Level `json:"floor,omitempty"`          // nobody chooses less
	Ceiling       Level `json:"ceiling,omitempty"`        // nobody gets more
	BeforeEndDays []int `json:"before_end_days,omitzero"` // of the policy only: so many days before a planned end the manager is told
	Tell          Tell  `json:"tell,omitzero"`            // not of a channel
}

// Told is somebody who is told of a place in a group, in the inbox.
type Told string

// Who can be told.
const (
	ToldPerson  Told = "person"  // whose place it is
	ToldOwners  Told = "owners"  // of the group
	ToldManager Told = "manager" // of the person
)

// Tell says who finds what in the inbox. What a group says goes before the policy, what neither says is by default; an empty list is nobody.
type Tell struct {
	Joined   []Told   `json:"joined,omitzero"`   // somebody came into a group; nobody
	Left     []Told   `json:"left,omitzero"`     // somebody is in it no more; nobody
	Handover []Told   `json:"handover,omitzero"` // somebody moved away and keeps a channel for some days; person and owners
	Held     []string `json:"held,omitzero"`     // of the policy only: which administrators hear that the guard holds something, of owner and security; both
}

// IsZero tells whether it says nothing.
func (t Tell) IsZero() bool {
	return t.Joined == nil && t.Left == nil && t.Handover == nil && t.Held == nil
}

// Limits are what one person may not do alone.
type Limits struct {
	FourEyes Limit `json:"four_eyes,omitzero"` // a plan that changes more than this wants the approval "plan"; zero: none does
}
