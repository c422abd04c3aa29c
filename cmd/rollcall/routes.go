package main

import (
	"fmt"
	"net/http"

	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/console"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/hrfeed"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/signals"
	"github.com/rollcall-im/rollcall/directory/signals/transmit"
	"github.com/rollcall-im/rollcall/directory/trial"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/internal/session/replay"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/breakglass"
	"github.com/rollcall-im/rollcall/provisioning/drill"
	"github.com/rollcall-im/rollcall/provisioning/erasure"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
	"github.com/rollcall-im/rollcall/provisioning/guests"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
	"github.com/rollcall-im/rollcall/provisioning/reviews"
)

const (
	anybody = httpapi.Public
	people  = httpapi.People
	sources = httpapi.Sources
	known   = httpapi.Known
)

// routes is every door there is, and who may go through it: for administrators the permission that they need. A handler checks only what
// depends on the thing asked for: whose it is, which channel. Who has a permission for a part of the organisation, or as the owner of a
// project group, is let in where a line says OfPerson, Units or Groups.
func (a *app) routes() []httpapi.Route {
	dir := a.directoryAPI()
	prov := &provisioning.API{Reactor: a.access, Directory: a.people, Index: a.index, Check: a.checkOpenFGA, Agree: a.agree}
	sess := &session.API{Door: a.door, Profile: a.profile, Unit: a.unitName, Owned: a.access.OwnedGroups, Impersonation: a.cfg.Dev.Impersonation}
	talk := &chat.API{Chat: a.chat}
	ops, shut := &operations{app: a}, &restoring{app: a}
	try := &trial.API{Store: a.people, PublicURL: a.cfg.PublicURL, Roots: a.way.Roots, LDAP: a.lookAround}
	personnel := &hrfeed.API{Feeds: a.hr}
	tree := &ldap.API{Store: a.people, Syncer: a.syncerOf, Foresee: a.foresee}
	inbox := a.inboxAPI()
	hand := &handover.API{Engine: a.heirs, Names: a.called}
	check := &reviews.API{Engine: a.reviews}
	proof := &evidence.API{Store: a.evidence()}
	ask := &approvals.API{Engine: a.asks, Groups: approvals.Groups{Reactor: a.access}, Names: a.called, Guarded: guarded}
	glass := a.breakGlassAPI()
	gone := &erasure.API{Engine: a.erasure, Names: a.called}
	rehearse := &drill.API{Engine: a.drills}
	tell := &transmit.API{Transmitter: a.telling}
	outside, door := &guests.API{Engine: a.guests, Names: a.called, Enter: a.chat.Hub().Exits().EnterOn}, &guests.Door{Engine: a.guests}
	seen := &journal.API{Journal: a.journal, Store: a.people, Limits: a.scim.Limits}
	return []httpapi.Route{
		httpapi.Plain("GET", "/healthz", anybody, "Whether the process lives", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })),
		httpapi.Plain("GET", "/readyz", anybody, "Whether this node may serve", http.HandlerFunc(a.ready)),
		httpapi.Plain("GET", "/metrics", metricsRead, "Figures for Prometheus", httpapi.Metrics(a.registry)),
		httpapi.Plain("GET", "/", anybody, "The web app", console.Handler()),

		httpapi.Plain("", "/scim/v2/", sources, "SCIM 2.0", a.scim),

		httpapi.Plain("GET", "/auth/login", anybody, "Sign in at the identity provider", http.HandlerFunc(a.door.Login)),
		httpapi.Plain("GET", "/auth/callback", anybody, "Back from the identity provider", http.HandlerFunc(a.door.Callback)),
		httpapi.Plain("GET", "/auth/callback/{company}", anybody, "Back from the identity provider of a company", http.HandlerFunc(a.door.Callback)),
		httpapi.Plain("GET", "/auth/methods", anybody, "How people sign in here", http.HandlerFunc(a.door.Methods)),
		httpapi.Plain("POST", "/auth/password", anybody, "Sign in with a directory's password", http.HandlerFunc(a.door.Password)),
		httpapi.Plain("POST", "/auth/logout", anybody, "Sign out", http.HandlerFunc(a.door.Logout)),
		httpapi.Plain("GET", "/auth/emergency", anybody, "The emergency account", http.HandlerFunc(a.door.EmergencyPage)),
		httpapi.Plain("POST", "/auth/emergency", anybody, "Give one half of the emergency account", http.HandlerFunc(a.door.OpenEmergency)).Limit(4 << 10),
		httpapi.Plain("GET", "/auth/guest", anybody, "Guests: what a link opens, or the form to sign in again", http.HandlerFunc(door.Page)),
		httpapi.Plain("POST", "/auth/guest", anybody, "Use a link", http.HandlerFunc(door.Open)).Limit(4 << 10),
		httpapi.Plain("POST", "/auth/guest/sign-in", anybody, "Have a link sent to an address", http.HandlerFunc(door.Ask)).Limit(4 << 10),
		httpapi.Plain("POST", "/auth/guest/code", anybody, "Give the code that was sent with it", http.HandlerFunc(door.Code)).Limit(4 << 10),
		httpapi.Plain("GET", "/auth/guest/wait", anybody, "How far this browser is", http.HandlerFunc(door.Wait)),
		httpapi.Plain("POST", "/auth/guest/enter", anybody, "Come in", http.HandlerFunc(door.Enter)).Limit(4 << 10),
		httpapi.Plain("POST", "/auth/backchannel-logout", anybody, "The identity provider signs somebody out", http.HandlerFunc(a.door.BackchannelLogout)),

		httpapi.Plain("POST", "/auth/signals", anybody, "The identity provider says what became of a session or an account: a signed event (RFC 8935)", http.HandlerFunc(a.signals.Push)).Limit(128 << 10),
		httpapi.Plain("POST", signals.RevocationPath, anybody, "The identity provider ends everything that somebody has", http.HandlerFunc(a.signals.Revoke)).Limit(128 << 10),

		httpapi.Plain("GET", transmit.ConfigurationPath, anybody, "What there is to know of the transmitter of signals (Shared Signals 1.0)", http.HandlerFunc(a.telling.Configuration)),
		httpapi.Plain("GET", transmit.ConfigurationPath+"/{path...}", anybody, "The same, of an issuer with a path", http.HandlerFunc(a.telling.Configuration)),
		httpapi.Plain("GET", transmit.KeysPath, anybody, "The keys that signals are signed with", http.HandlerFunc(a.telling.KeySet)),
		httpapi.Plain("POST", transmit.StreamPath, anybody, "A receiver of signals makes its stream", a.telling.For(a.telling.MakeStream)),
		httpapi.Plain("GET", transmit.StreamPath, anybody, "It reads how its stream is configured", a.telling.For(a.telling.ShowStream)),
		httpapi.Plain("PATCH", transmit.StreamPath, anybody, "It updates that", a.telling.For(a.telling.ChangeStream)),
		httpapi.Plain("PUT", transmit.StreamPath, anybody, "It replaces that", a.telling.For(a.telling.ChangeStream)),
		httpapi.Plain("DELETE", transmit.StreamPath, anybody, "It deletes its stream", a.telling.For(a.telling.DropStream)),
		httpapi.Plain("GET", transmit.StatusPath, anybody, "It reads how its stream stands", a.telling.For(a.telling.ShowStatus)),
		httpapi.Plain("POST", transmit.StatusPath, anybody, "It enables, pauses or disables its stream", a.telling.For(a.telling.ChangeStatus)),
		httpapi.Plain("POST", transmit.VerifyPath, anybody, "It asks for an event that says nothing", a.telling.For(a.telling.VerifyStream)),
		httpapi.Plain("POST", transmit.PollPath+"{stream}", anybody, "It polls for events, and acknowledges them (RFC 8936)", a.telling.For(a.telling.Poll)),

		httpapi.Op("GET", "/api/v1/me", known, "Who am I", sess.Me),
		httpapi.Op("GET", "/api/v1/me/sessions", people, "My sessions", sess.ListSessions),
		httpapi.Op("DELETE", "/api/v1/me/sessions/{id}", people, "End a session of mine", sess.EndSession),
		httpapi.Op("GET", "/api/v1/me/tokens", people, "My API tokens", sess.ListMyTokens),
		httpapi.Op("POST", "/api/v1/me/tokens", people, "Make an API token of my own", sess.CreateMyToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/me/tokens/{id}", people, "End an API token of mine", sess.RevokeMyToken),
		httpapi.Op("GET", "/api/v1/inbox", people, "What I am told", inbox.List),
		httpapi.Op("POST", "/api/v1/inbox/read", people, "I have read it up to here", inbox.ReadAll),
		httpapi.Op("POST", "/api/v1/inbox/{id}/read", people, "I have read one notice", inbox.Read),
		httpapi.Op("GET", "/api/v1/me/handovers", people, "What I am asked to take over", hand.Mine),
		httpapi.Op("POST", "/api/v1/me/handovers/{id}/accept", people, "I take it over", hand.Accept),
		httpapi.Op("POST", "/api/v1/me/handovers/{id}/refuse", people, "I do not", hand.Refuse),
		httpapi.Op("GET", "/api/v1/me/groups", people, "Project groups that I may join, ask for or leave", ask.Places),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/join", people, "I join it", ask.Join),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/leave", people, "I give up what I joined or asked for", ask.Leave),
		httpapi.Op("GET", "/api/v1/me/requests", people, "What I asked for", ask.Mine),
		httpapi.Op("POST", "/api/v1/me/requests", people, "Ask for something", ask.Ask),
		httpapi.Op("POST", "/api/v1/me/requests/{id}/withdraw", people, "I take it back", ask.Withdraw),
		httpapi.Op("GET", "/api/v1/me/approvals", people, "What waits for me to decide", ask.ForMe),
		httpapi.Op("POST", "/api/v1/me/approvals/{id}/approve", people, "I agree", ask.Approve),
		httpapi.Op("POST", "/api/v1/me/approvals/{id}/refuse", people, "I do not agree", ask.Refuse),

		httpapi.Op("GET", "/api/v1/me/reviews", people, "Whose places I am asked about", check.Mine),
		httpapi.Op("POST", "/api/v1/me/reviews/{id}/decide", people, "Whether they still need them", check.DecideMine),

		httpapi.Op("GET", "/api/v1/me/guests", people, "Guests whom I answer for", outside.Mine),
		httpapi.Op("POST", "/api/v1/me/guests", people, "Let somebody into channels of a project group that I own", outside.InviteMine),
		httpapi.Op("GET", "/api/v1/me/guests/doors", people, "What I may let guests into, and whose people", outside.MyDoors),
		httpapi.Op("GET", "/api/v1/me/guests/{id}", people, "One whom I answer for, with what was asked about them", outside.ShowMine),
		httpapi.Op("GET", "/api/v1/me/groups/{id}/guests", people, "Who from outside is in a project group that I own", outside.InProject),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/guests/preview", people, "What extending or ending several of them would do", outside.LookBulk),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/guests/apply", people, "Do that, as it was shown", outside.Bulk),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/closing/preview", people, "What closing a project group that I own would end, or opening one again would give", outside.LookMyClosing),
		httpapi.Op("POST", "/api/v1/me/groups/{id}/closing", people, "Do that, as it was shown", outside.CloseMine),
		httpapi.Op("GET", "/api/v1/me/closings", people, "Project groups of mine that were closed", outside.MyClosings),
		httpapi.Op("GET", "/api/v1/me/closings/{id}/archive", people, "The archive of one, a zip file", outside.Archive),
		httpapi.Op("POST", "/api/v1/me/guests/import/preview", people, "What would become of a file of people to let in", outside.LookImportMine),
		httpapi.Op("POST", "/api/v1/me/guests/import", people, "Let them in, as it was shown", outside.ImportMine),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/renew", people, "Have a guest of mine stay longer, or shorter", outside.RenewMine),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/end", people, "End everything a guest of mine has, at once", outside.EndMine),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/resume", people, "Let a guest of mine in again who was not seen for 30 days", outside.WakeMine),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/link", people, "A link to pass on, by which a guest of mine comes in once", outside.MakeMyLink).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/mail", people, "Send a guest of mine the invitation again", outside.SendMyLink),
		httpapi.Op("POST", "/api/v1/me/guests/{id}/confirm", people, "It is my guest who waits with this code", outside.ConfirmMine).Unrepeatable(),

		httpapi.Op("GET", "/api/v1/me/stay", people, "Guests: until when I am let in, and whom to ask", outside.Stay),
		httpapi.Op("POST", "/api/v1/me/stay", people, "Guests: tell who answers for me that I ask to stay longer", outside.AskToStay),

		httpapi.Op("GET", "/api/v1/me/plans", people, "Plans that would change who is in a project group of mine", prov.OwnedPlans),
		httpapi.Op("GET", "/api/v1/me/plans/{id}", people, "Whom one would change there", prov.OwnedChanges),

		httpapi.Op("GET", "/api/v1/me/factor", people, "How my second factor stands", sess.MyFactor),
		httpapi.Op("POST", "/api/v1/me/factor", people, "Make a second factor", sess.Enrol).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/me/factor/confirm", people, "Show its first code", sess.Confirm).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/me/step-up", people, "Prove my second factor, for ten minutes of dangerous acts", sess.StepUp).Unrepeatable(),

		httpapi.Op("GET", "/api/v1/channels", people, "My channels", talk.ListChannels),
		httpapi.Op("GET", "/api/v1/channels/{id}", people, "One channel", talk.Channel),
		httpapi.Op("GET", "/api/v1/channels/{id}/messages", people, "Its history", talk.History),
		httpapi.Op("POST", "/api/v1/channels/{id}/messages", people, "Write a message", talk.Post).Unrepeatable(), // client_id makes it exactly-once; a kept answer would pass no gate
		httpapi.Op("POST", "/api/v1/channels/{id}/read", people, "Move my read position", talk.Read).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/messages/{id}", people, "One message", talk.Message),
		httpapi.Op("POST", "/api/v1/stream/tickets", people, "A ticket that opens one stream", talk.Ticket).Unrepeatable(),
		httpapi.Plain("GET", "/api/v1/stream", anybody, "The stream, by WebSocket: cookie with Origin, ticket or token", talk.Stream()),
		httpapi.Plain("GET", "/api/v1/events", anybody, "The stream, by server-sent events", talk.Events()),
		httpapi.Plain("GET", "/asyncapi.json", anybody, "The stream's frames, as AsyncAPI 3.0", talk.AsyncAPI()),

		httpapi.Op("GET", "/api/v1/people", peopleRead, "People", dir.ListPeople).Units(),
		httpapi.Op("GET", "/api/v1/people/{id}", peopleRead, "One person", dir.GetPerson).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/freeze", peopleFreeze, "Freeze a person", dir.Freeze).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/terminate", peopleOffboard, "End a person's access at once, whatever sources say", dir.Terminate).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/unfreeze", peopleFreeze, "Lift a freeze of the console", dir.Unfreeze).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/restore", peopleRestore, "Undo for 14 days that a source disabled or deleted a person", prov.RestorePerson).OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/memberships", membershipsRead, "A person's memberships with their reasons", prov.PersonMemberships).OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/unjudged", membershipsRead, "What of the policy cannot be judged for a person", prov.PersonUnjudged).OfPerson(),
		httpapi.Op("GET", "/api/v1/unjudged", membershipsRead, "For whom something of the policy cannot be judged", prov.ListUnjudged),
		httpapi.Op("GET", "/api/v1/people/{id}/handover", membershipsRead, "What a person answers for, and to whom went what they left", hand.Sheet).OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/accessed", auditRead, "What was open to a person since an end that was entered late", ops.Accessed),
		httpapi.Op("GET", "/api/v1/people/{id}/evidence", evidenceRead, "The signed record of a leaver", proof.Leaver).OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/erasure", peopleErase, "What would be erased of a person who has left", gone.Show).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/erasure", peopleErase, "Ask for a person who has left to be erased", gone.Ask).OfPerson(),
		httpapi.Op("DELETE", "/api/v1/people/{id}/erasure", peopleErase, "Take that back", gone.Withdraw).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/erasure/confirm", peopleErase, "Erase a person for ever, as the second administrator", gone.Confirm).OfPerson(),
		httpapi.Op("PUT", "/api/v1/people/{id}/legal-hold", legalHoldsWrite, "Keep what is known of a person from being erased", gone.SetHold),
		httpapi.Op("DELETE", "/api/v1/people/{id}/legal-hold", legalHoldsWrite, "Ask for the end of that, or agree to it", gone.LiftHold),
		httpapi.Op("GET", "/api/v1/legal-holds", legalHoldsRead, "Legal holds that stand", gone.Holds),
		httpapi.Op("GET", "/api/v1/people/{id}/former-grants", membershipsRead, "What was given to a person by hand and is over", prov.FormerGrants).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/records/{link}/split", peopleLink, "Take a record from a person", dir.Split),
		httpapi.Op("DELETE", "/api/v1/people/{id}/former-names", peopleLink, "Forget by what a person was called before", dir.ForgetNames).OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/sessions", sessionsRead, "A person's sessions", sess.ListPersonSessions).OfPerson(),
		httpapi.Op("DELETE", "/api/v1/people/{id}/sessions", sessionsEnd, "End a person's sessions", sess.EndPersonSessions).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/unlock", sessionsEnd, "Forget the wrong passwords that were given for a person", sess.ForgiveTries).OfPerson(),
		httpapi.Op("POST", "/api/v1/people/{id}/tokens", peopleImpersonate, "Make a person's token (dev.impersonation)", sess.CreatePersonToken).Unrepeatable().OfPerson(),
		httpapi.Op("GET", "/api/v1/people/{id}/identities", identitiesRead, "Who a person is at the identity provider", sess.ListIdentities).OfPerson(),
		httpapi.Op("DELETE", "/api/v1/people/{id}/identities", identitiesUnlink, "Forget who a person is there", sess.Unlink).OfPerson(),
		httpapi.Op("GET", "/api/v1/admins", adminsRead, "Administrators", sess.ListAdmins),
		httpapi.Op("PUT", "/api/v1/admins/{id}", adminsWrite, "Give a person a role", sess.GrantAdmin),
		httpapi.Op("DELETE", "/api/v1/admins/{id}", adminsWrite, "Take a role, or all", sess.RevokeAdmin),
		httpapi.Op("POST", "/api/v1/admins/{id}/unlock", adminsWrite, "Let an administrator try their second factor again", sess.Unlock),
		httpapi.Op("DELETE", "/api/v1/admins/{id}/factor", adminsWrite, "Take a second factor away that was lost", sess.ForgetFactor),
		httpapi.Op("GET", "/api/v1/emergency", adminsRead, "How the emergency account stands", sess.Emergency),
		httpapi.Op("POST", "/api/v1/emergency/seal", adminsWrite, "Seal the emergency account anew: two halves for two people", sess.SealEmergency).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/roles", adminsRead, "The roles there are, and what they hold", sess.ListRoles),
		httpapi.Op("GET", "/api/v1/tokens", tokensRead, "Administrators' tokens", sess.ListTokens),
		httpapi.Op("POST", "/api/v1/tokens", tokensWrite, "Make an administrators' token", sess.CreateToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/tokens/{id}", tokensWrite, "End an administrators' token", sess.RevokeToken),

		httpapi.Op("GET", "/api/v1/handovers", peopleRead, "What nobody answers for, and what is offered to somebody", hand.List),
		httpapi.Op("POST", "/api/v1/handovers/{id}/assign", holdsDecide, "Say who answers for it", hand.Assign),

		httpapi.Op("GET", "/api/v1/approvals", requestsRead, "What people asked for", ask.List),
		httpapi.Op("GET", "/api/v1/approvals/{id}", requestsRead, "One request, and who may decide it", ask.Show),
		httpapi.Op("GET", "/api/v1/break-glass", requestsRead, "Who asked to read a channel without a place there, and what came of it", glass.List),
		httpapi.Op("POST", "/api/v1/break-glass", breakGlassRead, "Ask for that", glass.Ask),
		httpapi.Op("POST", "/api/v1/break-glass/{id}/approve", breakGlassRead, "Agree to somebody else's", glass.Approve),
		httpapi.Op("GET", "/api/v1/break-glass/{id}/messages", breakGlassRead, "Read, while it is open", (&glassReader{a.glass, talk}).Messages),
		httpapi.Op("POST", "/api/v1/break-glass/{id}/end", breakGlassEnd, "End it before its time", glass.End),

		httpapi.Op("GET", "/api/v1/work-items", peopleRead, "People who may be one", dir.ListWorkItems),
		httpapi.Op("GET", "/api/v1/work-items/groups", peopleRead, "How many, by source and what they have in common", dir.WorkItemGroups),
		httpapi.Op("POST", "/api/v1/work-items/link", peopleLink, "Link many pairs at once", dir.BulkLink),
		httpapi.Op("GET", "/api/v1/work-items/{id}", peopleRead, "Two people side by side", dir.GetWorkItem),
		httpapi.Op("POST", "/api/v1/work-items/{id}/link", peopleLink, "They are one", dir.Link),
		httpapi.Op("POST", "/api/v1/work-items/{id}/separate", peopleLink, "They are two", dir.Separate),

		httpapi.Op("GET", "/api/v1/units", peopleRead, "The organisation", dir.ListUnits).Units(),
		httpapi.Op("GET", "/api/v1/units/successions", policiesRead, "What becomes of units", dir.ListSuccessions),
		httpapi.Op("POST", "/api/v1/units/successions/plan", policiesPlan, "Plan what becomes of units", dir.PlanSuccessions).Limit(2 << 20).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/units/successions/{id}/withdraw", policiesPlan, "Plan to take a declaration back", dir.PlanWithdrawal).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/directory-groups", peopleRead, "Groups as the sources have them", dir.ListDirectoryGroups),
		httpapi.Op("GET", "/api/v1/directory-groups/{id}/members", peopleRead, "Who is in one of them", dir.ListMembers),
		httpapi.Op("GET", "/api/v1/sources", sourcesRead, "Sources", dir.ListSources),
		httpapi.Op("POST", "/api/v1/sources", sourcesWrite, "Add a source", dir.CreateSource),
		httpapi.Op("GET", "/api/v1/sources/{id}", sourcesRead, "One source, and how much it has told", dir.GetSource),
		httpapi.Op("PATCH", "/api/v1/sources/{id}", sourcesWrite, "Change a source's priority and authority, or look at what that would do", dir.Configure),
		httpapi.Op("POST", "/api/v1/sources/{id}/tokens", sourcesTokens, "Make a source's token", dir.IssueToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/sources/{id}/tokens/{token}", sourcesTokens, "End a source's token", dir.RevokeToken),
		httpapi.Op("GET", "/api/v1/sources/{id}/requests", sourcesTraffic, "A source's last requests", seen.ListRequests),
		httpapi.Op("GET", "/api/v1/sources/{id}/requests/{request}", sourcesTraffic, "One of them, with its bodies", seen.GetRequest),
		httpapi.Op("GET", "/api/v1/sources/{id}/traffic", sourcesRead, "What came of a source within a day", seen.GetTraffic),
		httpapi.Op("GET", "/api/v1/sources/{id}/preview", sourcesTraffic, "What would happen if a source in its dry run went live", prov.PreviewSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/live", sourcesLive, "Take a source out of its dry run", prov.GoLive),
		httpapi.Op("DELETE", "/api/v1/sources/{id}", sourcesLive, "Remove a source in its dry run, with all it sent", ops.DiscardSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/test", sourcesWrite, "Try a source's connection", try.Test).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/sources/{id}/runs", sourcesRead, "A source's last runs", dir.ListRuns),
		httpapi.Op("GET", "/api/v1/sources/{id}/ldap", sourcesRead, "How a directory is read, and how far a reading has come", tree.Get),
		httpapi.Op("POST", "/api/v1/sources/{id}/probe", sourcesTraffic, "Look around a directory", tree.Probe).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/sources/{id}/samples", sourcesTraffic, "People of a directory beside what is made of them", tree.Samples).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/sources/{id}/mapping/preview", sourcesTraffic, "What another mapping would change", tree.PreviewMapping).Unrepeatable(),
		httpapi.Op("PUT", "/api/v1/sources/{id}/mapping", sourcesWrite, "Put a mapping in force that was previewed", tree.ApplyMapping),
		httpapi.Op("POST", "/api/v1/sources/{id}/relink/preview", sourcesTraffic, "Who has another id in a directory", tree.PreviewRelink).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/sources/{id}/relink", sourcesWrite, "Link them anew, as it was previewed", tree.Relink),
		httpapi.Op("POST", "/api/v1/sources/{id}/sync", sourcesWrite, "Read an LDAP source in full, now", ops.Sync),
		httpapi.Plain("POST", "/api/v1/sources/{id}/feed", anybody, "Hand a personnel file in: an administrator, or a token of the source", personnel.Feed()).Limit(hrfeed.PostLimit),
		httpapi.Op("GET", "/api/v1/sources/{id}/feed", sourcesRead, "How an HR source is read, and its last files", personnel.Status),
		httpapi.Op("PUT", "/api/v1/sources/{id}/feed/mapping", sourcesWrite, "Say how the columns of an HR source are read", personnel.PutMapping),
		httpapi.Plain("POST", "/hooks/{id}", anybody, "A signed message: a personnel file of the source", personnel.Hook()).Limit(hrfeed.HookLimit),

		httpapi.Op("GET", "/api/v1/groups", groupsRead, "Project groups", prov.ListGroups).Groups(),
		httpapi.Op("GET", "/api/v1/memberships", groupsRead, "Who is in a project group", prov.ListMemberships).Groups(),
		httpapi.Op("GET", "/api/v1/access/explain", accessExplain, "Why somebody sees a channel, or not", prov.Explain).Units().Groups(),
		httpapi.Op("GET", "/api/v1/access/channels/{id}/audience", groupsRead, "Who sees a channel, and why", prov.ChannelAudience).Groups(),
		httpapi.Op("GET", "/api/v1/policies", policiesRead, "Versions of the policy", prov.ListPolicies),
		httpapi.Op("GET", "/api/v1/policies/{version}", policiesRead, "One version", prov.GetPolicy),
		httpapi.Op("POST", "/api/v1/policies/diff", policiesRead, "What policy files say otherwise than a version", prov.DiffFiles).Limit(16 << 20),
		httpapi.Op("GET", "/api/v1/policies/{version}/diff", policiesRead, "What a version says otherwise than another", prov.DiffVersions),
		httpapi.Plain("GET", "/policy.schema.json", anybody, "The JSON schema of policy files, for editors", prov.PolicySchema()),
		httpapi.Op("POST", "/api/v1/plans", policiesPlan, "What a policy would change", prov.CreatePlan).Limit(16 << 20),
		httpapi.Op("GET", "/api/v1/plans", plansRead, "Plans", prov.ListPlans),
		httpapi.Op("GET", "/api/v1/plans/{id}", plansRead, "A plan", prov.GetPlan),
		httpapi.Op("POST", "/api/v1/plans/{id}/apply", policiesApply, "Apply a plan", prov.ApplyPlan),
		httpapi.Op("POST", "/api/v1/plans/{id}/approve", policiesApply, "Find somebody else's plan right", prov.ApprovePlan),
		httpapi.Op("PUT", "/api/v1/plans/{id}/schedule", policiesApply, "Have a plan applied at an instant", prov.SchedulePlan),
		httpapi.Op("DELETE", "/api/v1/plans/{id}/schedule", policiesApply, "Take that back", prov.UnschedulePlan),
		httpapi.Op("GET", "/api/v1/holds", holdsRead, "What the guard holds", prov.ListHolds),
		httpapi.Op("GET", "/api/v1/holds/{id}", holdsRead, "One hold", prov.GetHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/release", holdsDecide, "Let it happen", prov.ReleaseHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/reject", holdsDecide, "Keep everybody", prov.RejectHold),
		httpapi.Op("POST", "/api/v1/runs/{id}/undo", runsUndo, "Undo what a run of a source, a plan or a call took: give back for 14 days", prov.UndoRun),
		httpapi.Op("POST", "/api/v1/holds/{id}/restore", holdsDecide, "Undo it: give back for 14 days", prov.RestoreHold),
		httpapi.Op("GET", "/api/v1/reviews", reviewsRead, "Access reviews", check.List),
		httpapi.Op("POST", "/api/v1/reviews", reviewsWrite, "Begin one", check.Begin),
		httpapi.Op("GET", "/api/v1/reviews/{id}", reviewsRead, "One, with its places", check.Show),
		httpapi.Op("GET", "/api/v1/reviews/{id}/evidence", reviewsRead, "Its evidence", check.Document),
		httpapi.Op("POST", "/api/v1/reviews/{id}/decide", reviewsWrite, "Decide about places in place of a reviewer", check.Decide),
		httpapi.Op("POST", "/api/v1/groups/{id}/closing/preview", policiesPlan, "What closing a project group would end, or opening it again would give", outside.LookClosing),
		httpapi.Op("POST", "/api/v1/groups/{id}/closing", policiesApply, "Do that, as it was shown", outside.CloseProject),
		httpapi.Op("GET", "/api/v1/closings", policiesRead, "Project groups that were closed", outside.Closings),
		httpapi.Op("GET", "/api/v1/companies", guestsRead, "Companies whose people may be let in", outside.Companies),
		httpapi.Op("POST", "/api/v1/companies", guestsWrite, "Add one", outside.AddCompany),
		httpapi.Op("GET", "/api/v1/companies/{id}", guestsRead, "One, by id or key", outside.Company),
		httpapi.Op("PATCH", "/api/v1/companies/{id}", guestsWrite, "Change one: a contract that ends earlier shortens what its guests have", outside.ChangeCompany),
		httpapi.Op("GET", "/api/v1/companies/{id}/provider", guestsRead, "The identity provider by which its guests sign in", outside.Provider),
		httpapi.Op("PUT", "/api/v1/companies/{id}/provider", guestsWrite, "Set it", outside.SetProvider),
		httpapi.Op("DELETE", "/api/v1/companies/{id}/provider", guestsWrite, "Its guests sign in there no more", outside.DropProvider),
		httpapi.Op("POST", "/api/v1/companies/{id}/suspend", guestsWrite, "Keep all its guests out, at once", outside.SuspendCompany),
		httpapi.Op("POST", "/api/v1/companies/{id}/resume", guestsWrite, "Let them in again as they were", outside.ResumeCompany),
		httpapi.Op("GET", "/api/v1/guest-terms", guestsRead, "What guests have to accept, every version", outside.Terms),
		httpapi.Op("POST", "/api/v1/guest-terms", guestsWrite, "Have every guest accept this before they see anything more", outside.PublishTerms),
		httpapi.Op("GET", "/api/v1/guest-terms/acceptances", guestsRead, "Who accepted what, when, from where, in which language", outside.Acceptances),
		httpapi.Op("GET", "/api/v1/guests", guestsRead, "Guests", outside.List),
		httpapi.Op("POST", "/api/v1/guests", guestsWrite, "Let somebody in, in the name of a sponsor", outside.Invite),
		httpapi.Op("POST", "/api/v1/guests/close", guestsClose, "Keep everybody from outside out, at once", outside.Close),
		httpapi.Op("POST", "/api/v1/guests/open", guestsClose, "Let them in again as they were", outside.Open),
		httpapi.Op("GET", "/api/v1/guests/summary", guestsRead, "How many there are, by company", outside.Summary),
		httpapi.Op("GET", "/api/v1/guests/waiting", guestsRead, "Invitations that others have to agree to", outside.Waiting),
		httpapi.Op("GET", "/api/v1/guests/doors", guestsRead, "Channels that guests may be let into, and whose people", outside.Doors),
		httpapi.Op("POST", "/api/v1/guests/import/preview", guestsWrite, "What would become of a file of people to let in", outside.LookImport),
		httpapi.Op("POST", "/api/v1/guests/import", guestsWrite, "Let them in, as it was shown", outside.Import),
		httpapi.Op("GET", "/api/v1/guests/{id}", guestsRead, "One, with what was asked about them", outside.Show),
		httpapi.Op("POST", "/api/v1/guests/{id}/renew", guestsWrite, "Have one stay longer, or shorter", outside.Renew),
		httpapi.Op("POST", "/api/v1/guests/{id}/end", guestsWrite, "End everything one has, at once", outside.End),
		httpapi.Op("POST", "/api/v1/guests/{id}/link", guestsWrite, "A link to pass on, by which one comes in once", outside.MakeLink).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/guests/{id}/mail", guestsWrite, "Send one the invitation again", outside.SendLink),
		httpapi.Op("POST", "/api/v1/guests/{id}/confirm", guestsWrite, "It is this guest who waits with this code", outside.Confirm).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/guests/{id}/suspend", guestsWrite, "Keep one out, at once", outside.Suspend),
		httpapi.Op("POST", "/api/v1/guests/{id}/resume", guestsWrite, "Let one in again as they were", outside.Resume),
		httpapi.Op("GET", "/api/v1/evidence/period", evidenceRead, "Joiners, movers and leavers between two instants", proof.Period).Units(),
		httpapi.Op("GET", "/api/v1/evidence/keys", anybody, "The public keys that evidence is signed with", proof.Keys),
		httpapi.Op("POST", "/api/v1/evidence/keys", evidenceKeysMake, "Make a new one", proof.Rotate),
		httpapi.Op("GET", "/api/v1/drills", drillsRead, "Rehearsals of an offboarding, the newest first", rehearse.List),
		httpapi.Op("POST", "/api/v1/drills", drillsHold, "Hold one: some seconds", rehearse.Hold).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/drills/{id}", drillsRead, "What one showed", rehearse.Show),
		httpapi.Op("GET", "/api/v1/transmitter", signalsRead, "Who is told what became of accounts here, and how far", tell.List),
		httpapi.Op("POST", "/api/v1/transmitter/receivers", signalsWrite, "Tell somebody else", tell.Add).Unrepeatable(),
		httpapi.Op("PATCH", "/api/v1/transmitter/receivers/{name}", signalsWrite, "Change how one is told, pause or disable it", tell.Set),
		httpapi.Op("DELETE", "/api/v1/transmitter/receivers/{name}", signalsWrite, "Tell one no more", tell.Remove),
		httpapi.Op("POST", "/api/v1/transmitter/receivers/{name}/token", signalsWrite, "Make a new token for one", tell.Renew).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/transmitter/receivers/{name}/verify", signalsWrite, "Send one an event that says nothing", tell.Verify),
		httpapi.Op("POST", "/api/v1/transmitter/keys", signalsWrite, "Make a new key that signals are signed with", tell.Rotate),
		httpapi.Op("GET", "/api/v1/restore", restoreOpen, "How a restored database stands", shut.Show),
		httpapi.Op("POST", "/api/v1/restore/replay", restoreOpen, "Revoke again what the audit log's export says was revoked after the backup", shut.Replay).Limit(1 << 30).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/restore/unknown", restoreOpen, "Nobody knows what was revoked after the backup", shut.Unknown),
		httpapi.Op("POST", "/api/v1/restore/sources/{source}/vouch", restoreOpen, "A source has told everything anew", shut.Vouch),
		httpapi.Op("POST", "/api/v1/restore/open", restoreOpen, "Open it all the same", shut.Open),
		httpapi.Op("GET", "/api/v1/set-aside", metricsRead, "What followers could not handle, and try again", ops.Aside),
		httpapi.Op("POST", "/api/v1/set-aside/{follower}/{subject}/retry", sourcesWrite, "Try it again now", ops.Retry),
		httpapi.Op("GET", "/api/v1/audit", auditRead, "The audit log", ops.Audit),
		httpapi.Op("GET", "/api/v1/audit/proof", auditRead, "Verify the audit log", ops.VerifyAudit),
		httpapi.Op("GET", "/api/v1/audit/outlets", auditRead, "Where the audit log is carried to, and how far", ops.Outlets),
	}
}

// handler is the whole HTTP side. Answers that carry what a person may lose are cut at a revocation.
func (a *app) handler() http.Handler {
	server := &httpapi.Server{Log: a.log, Authenticate: a.door.Authenticate, Version: version(), Errors: cases(),
		TrustedOrigins: []string{a.cfg.PublicURL}, Registry: a.registry, Replays: &replay.Store{DB: a.db},
		Owned: a.access.OwnedGroups, Reach: a.reach, Place: a.door.Place, Look: a.looks.note}
	return a.behindRestore(a.chat.Hub().Exits().Handler(server.Handler(a.routes())))
}

// cases is the table of errors.
func cases() []httpapi.Case {
	out := append(chat.Cases(), session.Cases()...)
	out = append(append(out, provisioning.Cases()...), notices.Cases()...)
	out = append(append(out, handover.Cases()...), evidence.Cases()...)
	out = append(out, reviews.Cases()...)
	out = append(out, guests.Cases()...)
	out = append(out, erasure.Cases()...)
	out = append(out, approvals.Cases()...)
	out = append(out, breakglass.Cases()...)
	out = append(out, drill.Cases()...)
	out = append(out, transmit.Cases()...)
	return append(out, directoryCases()...)
}

func directoryCases() []httpapi.Case {
	return []httpapi.Case{
		{Err: directory.ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: directory.ErrExists, Status: http.StatusConflict, Code: "exists"},
		{Err: directory.ErrVersion, Status: http.StatusPreconditionFailed, Code: "version_mismatch"},
		{Err: directory.ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid"},
		{Err: directory.ErrNotUndone, Status: http.StatusUnprocessableEntity, Code: "not_undone"},
		{Err: directory.ErrCycle, Status: http.StatusConflict, Code: "unit_cycle"},
		{Err: directory.ErrDecided, Status: http.StatusConflict, Code: "decided"},
		{Err: directory.ErrSourceFreeze, Status: http.StatusConflict, Code: "source_freeze"},
		{Err: directory.ErrGuestFreeze, Status: http.StatusConflict, Code: "guest_freeze"},
		{Err: directory.ErrBuiltIn, Status: http.StatusConflict, Code: "built_in_source"},
		{Err: journal.ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: directory.ErrConfigured, Status: http.StatusConflict, Code: "configured"},
		{Err: directory.ErrLive, Status: http.StatusConflict, Code: "live"},
		{Err: directory.ErrKept, Status: http.StatusConflict, Code: "legal_hold"},
		{Err: directory.ErrStage, Status: http.StatusConflict, Code: "stage"},
		{Err: directory.ErrAhead, Status: http.StatusForbidden, Code: "future_hidden"},
		{Err: directory.ErrTokens, Status: http.StatusConflict, Code: "too_many_tokens"},
	}
}
