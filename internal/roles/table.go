package roles

import "slices"

// The permissions. A new one wants a line in Table, and a route that needs it wants its name in cmd/rollcall/routes.go.
const (
	PeopleRead        Permission = "people.read"
	PeopleFreeze      Permission = "people.freeze"
	PeopleOffboard    Permission = "people.offboard" // terminate at once
	PeopleRestore     Permission = "people.restore"
	PeopleLink        Permission = "people.link"        // who is one and who is two
	PeopleImpersonate Permission = "people.impersonate" // dev.impersonation
	ReasonsRead       Permission = "reasons.read"       // why somebody was frozen or ended
	FutureRead        Permission = "future.read"        // ends, moves and leaves to come, before they are disclosed
	SessionsRead      Permission = "sessions.read"
	SessionsEnd       Permission = "sessions.end"
	IdentitiesRead    Permission = "identities.read"
	IdentitiesUnlink  Permission = "identities.unlink"
	MembershipsRead   Permission = "memberships.read" // of a person
	GroupsRead        Permission = "groups.read"      // project groups, who is in them and who sees their channels
	AccessExplain     Permission = "access.explain"
	SourcesRead       Permission = "sources.read"
	SourcesWrite      Permission = "sources.write"
	SourcesTraffic    Permission = "sources.traffic" // requests with their bodies, samples of a directory
	SourcesTokens     Permission = "sources.tokens"
	SourcesLive       Permission = "sources.live"
	PoliciesRead      Permission = "policies.read"
	PoliciesPlan      Permission = "policies.plan"
	PoliciesApply     Permission = "policies.apply"
	PlansRead         Permission = "plans.read"
	HoldsRead         Permission = "holds.read"
	HoldsDecide       Permission = "holds.decide"
	RunsUndo          Permission = "runs.undo"
	AuditRead         Permission = "audit.read"
	EvidenceRead      Permission = "evidence.read" // records of leavers, reports of a period
	ReviewsRead       Permission = "reviews.read"
	ReviewsWrite      Permission = "reviews.write"
	EvidenceKeys      Permission = "evidence.keys"
	AdminsRead        Permission = "admins.read"
	AdminsWrite       Permission = "admins.write"
	TokensRead        Permission = "tokens.read"
	TokensWrite       Permission = "tokens.write"
	MetricsRead       Permission = "metrics.read"
	RequestsRead      Permission = "requests.read"    // what people ask for and who decides it
	BreakGlassRead    Permission = "break_glass.read" // ask to read a channel that one has no place in, decide that for others, read
	BreakGlassEnd     Permission = "break_glass.end"
	PeopleErase       Permission = "people.erase" // for ever; two people
	LegalHoldsRead    Permission = "legal_holds.read"
	LegalHoldsWrite   Permission = "legal_holds.write"
	DrillsRead        Permission = "drills.read"
	DrillsHold        Permission = "drills.hold"
	SignalsRead       Permission = "signals.read" // who is told what became of accounts here
	SignalsWrite      Permission = "signals.write"
	RestoreOpen       Permission = "restore.open" // a restored database
	GuestsRead        Permission = "guests.read"  // companies and their people
	GuestsWrite       Permission = "guests.write" // let them in, end and suspend them
	GuestsClose       Permission = "guests.close" // keep all of them out
)

// Table answers who holds what, besides owners, who hold everything.
func Table() []Line { return slices.Clone(table) }

const dangerous = true

// table is built once: every request looks something up in it.
var table = []Line{
	{PeopleRead, false, []Role{System, Security, HR, Helpdesk, Auditor}},
	{PeopleFreeze, false, []Role{Security, HR}},
	{PeopleOffboard, dangerous, []Role{Security, HR}},
	{PeopleRestore, false, []Role{Security, HR}},
	{PeopleLink, dangerous, []Role{HR}},
	{PeopleImpersonate, dangerous, nil},
	{ReasonsRead, false, []Role{Security, HR}},
	{FutureRead, false, []Role{Security, HR}},
	{SessionsRead, false, []Role{Security, Helpdesk, Auditor}},
	{SessionsEnd, false, []Role{Security, Helpdesk}},
	{IdentitiesRead, false, []Role{Security, Helpdesk, Auditor}},
	{IdentitiesUnlink, dangerous, []Role{Security, Helpdesk}},
	{MembershipsRead, false, []Role{Security, HR, Helpdesk, Auditor}},
	{GroupsRead, false, []Role{Security, Auditor, GroupOwner}},
	{AccessExplain, false, []Role{Security, HR, Helpdesk, Auditor, GroupOwner}},
	{SourcesRead, false, []Role{System, Security, Auditor}},
	{SourcesWrite, false, []Role{System}},
	{SourcesTraffic, false, []Role{System}},
	{SourcesTokens, dangerous, []Role{System}},
	{SourcesLive, dangerous, []Role{System}},
	{PoliciesRead, false, []Role{Security, Auditor}},
	{PoliciesPlan, false, []Role{Security}},
	{PoliciesApply, dangerous, []Role{Security}},
	{PlansRead, false, []Role{Security, Auditor}},
	{HoldsRead, false, []Role{Security, Auditor}},
	{HoldsDecide, dangerous, []Role{Security}},
	{RunsUndo, dangerous, []Role{Security}},
	{AuditRead, false, []Role{Auditor}},
	{EvidenceRead, false, []Role{HR, Auditor}},
	{ReviewsRead, false, []Role{Security, HR, Auditor}},
	{ReviewsWrite, dangerous, []Role{Security, HR}},
	{EvidenceKeys, dangerous, []Role{Security}},
	{AdminsRead, false, []Role{Security, Auditor}},
	{AdminsWrite, dangerous, []Role{Security}},
	{TokensRead, false, []Role{Security, Auditor}},
	{TokensWrite, dangerous, []Role{Security}},
	{MetricsRead, false, []Role{System, Auditor}},
	{PeopleErase, dangerous, []Role{HR}},
	{LegalHoldsRead, false, []Role{Security, Auditor}},
	{LegalHoldsWrite, dangerous, []Role{Security}},
	{RestoreOpen, dangerous, nil},
	{RequestsRead, false, []Role{Security, HR, Auditor}},
	{BreakGlassRead, dangerous, []Role{Security}},
	{BreakGlassEnd, false, []Role{Security}},
	{DrillsRead, false, []Role{System, Security, Auditor}},
	{DrillsHold, false, []Role{Security}},
	{SignalsRead, false, []Role{System, Security, Auditor}},
	{SignalsWrite, dangerous, []Role{Security}},
	{GuestsRead, false, []Role{Security, HR, Helpdesk, Auditor}},
	{GuestsWrite, false, []Role{Security, HR}},
	{GuestsClose, dangerous, []Role{Security}},
}
