package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Role is what a person is in a project group.
type Role string

// The roles, from the strongest.
const (
	Owner        Role = "owner"
	Participant  Role = "participant"
	Collaborator Role = "collaborator"
	Vendor       Role = "vendor" // everybody from outside
)

// Roles lists the roles from the strongest to the weakest.
func Roles() []Role { return []Role{Owner, Participant, Collaborator, Vendor} }

// Strength orders roles: the larger is the stronger; 0 is no role.
func (r Role) Strength() int {
	for i, role := range Roles() {
		if r == role {
			return len(Roles()) - i
		}
	}
	return 0
}

// Access is what a role may do in a channel; each includes the ones before it.
type Access string

// The kinds of access.
const (
	None   Access = "none"
	Read   Access = "read"
	Post   Access = "post"
	Manage Access = "manage"
)

// History is how far back a newcomer may read.
type History string

// The kinds of history.
const (
	FullHistory    History = "full"
	JoiningHistory History = "joining"
)

// Policy is a parsed policy set, the same for the same files in whatever order. It is never changed once made.
type Policy struct {
	Groups        []Group                   `json:"groups"` // in the order of the files
	Guard         Guard                     `json:"guard"`
	Separation    []Separation              `json:"separation,omitempty"`
	Approvals     map[ApprovalKind]Approval `json:"approvals,omitempty"`
	Notifications Notifications             `json:"notifications,omitzero"`
	Limits        Limits                    `json:"limits,omitzero"`
	Guests        Guests                    `json:"guests,omitzero"`
	Closed        []string                  `json:"closed,omitempty"` // keys of groups that are not among Groups although a file may have them, in order; nil where nothing is said of it

	language *language
	index    index
	idle     []error   // see Idle
	mentions []Mention // see Mentions
}

// Idle answers what the policy says to no effect, as a label in a separation that no channel has: a *SyntaxError for the first, nil where there is nothing. It is
// for who writes a policy; one that is in force may say such things.
func (p *Policy) Idle() error {
	if len(p.idle) == 0 {
		return nil
	}
	return p.idle[0]
}

// Group is a project group: its key is immutable and is its identity. What a template gives stands here as if it were written out.
type Group struct {
	Key           string                    `json:"key"`
	Names         map[string]string         `json:"names"` // by language tag, at least one of en, zh
	Description   map[string]string         `json:"description,omitempty"`
	Channels      []Channel                 `json:"channels"`
	Rules         []Rule                    `json:"rules"`
	Eligibility   Eligibility               `json:"eligibility,omitzero"`
	Successors    []Successor               `json:"successors,omitempty"` // in the order in which they are tried
	Approvals     map[ApprovalKind]Approval `json:"approvals,omitempty"`  // before those of the policy
	Notifications Notifications             `json:"notifications,omitzero"`

	Template string `json:"-"` // key of the template it was made from
}

// Channel is a channel of a project group; its key is immutable within the group.
type Channel struct {
	Key           string            `json:"key"`
	Names         map[string]string `json:"names"`
	Labels        []string          `json:"labels,omitempty"`
	Access        map[Role]Access   `json:"access"`
	History       History           `json:"history"`
	Handover      Handover          `json:"handover,omitzero"`
	Notifications Notifications     `json:"notifications,omitzero"`
}

// Rule gives Role to every person for whom When is true. Its key is immutable within the group.
type Rule struct {
	Key  string `json:"key"`
	Role Role   `json:"role"`
	When string `json:"when"` // with the parameters of a template written out

	condition
}

// Guard holds the limits over which bulk removals are held, over a rolling window of 24 hours.
type Guard struct {
	Absence Limit `json:"absence"` // people who are missing from a source
	Cleanup Limit `json:"cleanup"` // people who left
	Move    Limit `json:"move"`    // people whose facts give them other places
	// Attribute is of the people of one source, who have another value of one attribute that rules use, or none; Cleared those who have none.
	Attribute Limit `json:"attribute"`
	Cleared   Limit `json:"cleared"`
	// Unit and Group are otherwise: of a unit, or directory group, of People or more so many Percent went.
	Unit  Limit `json:"unit"`
	Group Limit `json:"group"`
}

// Limit is exceeded by more than max(People, Percent of the population).
type Limit struct {
	People  int     `json:"people"`
	Percent float64 `json:"percent"`
}

// DefaultGuard is in force where a policy says nothing.
func DefaultGuard() Guard {
	return Guard{Absence: Limit{People: 10, Percent: 2}, Cleanup: Limit{People: 10, Percent: 5}, Move: Limit{People: 50, Percent: 20},
		Attribute: Limit{People: 50, Percent: 5}, Cleared: Limit{People: 10, Percent: 5}, Unit: Limit{People: 10, Percent: 50}, Group: Limit{People: 10, Percent: 50}}
}

// DefaultAccess is what each role may do in a channel that says nothing of it.
func DefaultAccess() map[Role]Access {
	return map[Role]Access{Owner: Manage, Participant: Post, Collaborator: Post, Vendor: None}
}

// Hash is the SHA-256, in hex, of what the policy means: formatting and comments do not change it.
func (p *Policy) Hash() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain data: cannot fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SyntaxError says where a policy file is wrong. Line and Column count from 1.
type SyntaxError struct {
	File         string
	Line, Column int
	Message      string
	Hint         string // what to do, where that can be told
}

// Error implements error: "file:line:column: message (hint)".
func (e *SyntaxError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}
