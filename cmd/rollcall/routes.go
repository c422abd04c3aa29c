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
	"github.com/rollcall-im/rollcall/directory/trial"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/internal/session/replay"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

const (
	anybody = httpapi.Public
	people  = httpapi.People
	admins  = httpapi.Admins
	sources = httpapi.Sources
	known   = httpapi.Known
)

// routes is every door there is, and who may go through it. A handler checks only what depends on the thing
// asked for: whose it is, which channel.
func (a *app) routes() []httpapi.Route {
	dir := a.directoryAPI()
	prov := &provisioning.API{Reactor: a.access, Directory: a.people, Index: a.index, Check: a.checkOpenFGA}
	sess := &session.API{Door: a.door, Profile: a.profile, Impersonation: a.cfg.Dev.Impersonation}
	talk := &chat.API{Chat: a.chat}
	ops := &operations{app: a}
	try := &trial.API{Store: a.people, PublicURL: a.cfg.PublicURL, LDAP: a.lookAround}
	personnel := &hrfeed.API{Feeds: a.hr}
	rate, burst := a.scim.Limits()
	tree := &ldap.API{Store: a.people, Syncer: a.syncerOf, Foresee: a.foresee}
	inbox := a.inboxAPI()
	seen := &journal.API{Journal: a.journal, Store: a.people, Rate: rate, Burst: burst}
	return []httpapi.Route{
		httpapi.Plain("GET", "/healthz", anybody, "Whether the process lives", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })),
		httpapi.Plain("GET", "/readyz", anybody, "Whether this node may serve", http.HandlerFunc(a.ready)),
		httpapi.Plain("GET", "/metrics", admins, "Figures for Prometheus", httpapi.Metrics(a.registry)),
		httpapi.Plain("GET", "/", anybody, "The web app", console.Handler()),

		httpapi.Plain("", "/scim/v2/", sources, "SCIM 2.0", a.scim),

		httpapi.Plain("GET", "/auth/login", anybody, "Sign in at the identity provider", http.HandlerFunc(a.door.Login)),
		httpapi.Plain("GET", "/auth/callback", anybody, "Back from the identity provider", http.HandlerFunc(a.door.Callback)),
		httpapi.Plain("GET", "/auth/methods", anybody, "How people sign in here", http.HandlerFunc(a.door.Methods)),
		httpapi.Plain("POST", "/auth/password", anybody, "Sign in with a directory's password", http.HandlerFunc(a.door.Password)),
		httpapi.Plain("POST", "/auth/logout", anybody, "Sign out", http.HandlerFunc(a.door.Logout)),
		httpapi.Plain("POST", "/auth/backchannel-logout", anybody, "The identity provider signs somebody out", http.HandlerFunc(a.door.BackchannelLogout)),

		httpapi.Op("GET", "/api/v1/me", known, "Who am I", sess.Me),
		httpapi.Op("GET", "/api/v1/me/sessions", people, "My sessions", sess.ListSessions),
		httpapi.Op("DELETE", "/api/v1/me/sessions/{id}", people, "End a session of mine", sess.EndSession),
		httpapi.Op("GET", "/api/v1/me/tokens", people, "My API tokens", sess.ListMyTokens),
		httpapi.Op("POST", "/api/v1/me/tokens", people, "Make an API token of my own", sess.CreateMyToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/me/tokens/{id}", people, "End an API token of mine", sess.RevokeMyToken),
		httpapi.Op("GET", "/api/v1/inbox", people, "What I am told", inbox.List),
		httpapi.Op("POST", "/api/v1/inbox/read", people, "I have read it up to here", inbox.ReadAll),
		httpapi.Op("POST", "/api/v1/inbox/{id}/read", people, "I have read one notice", inbox.Read),

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

		httpapi.Op("GET", "/api/v1/people", admins, "People", dir.ListPeople),
		httpapi.Op("GET", "/api/v1/people/{id}", admins, "One person", dir.GetPerson),
		httpapi.Op("POST", "/api/v1/people/{id}/freeze", admins, "Freeze a person", dir.Freeze),
		httpapi.Op("POST", "/api/v1/people/{id}/terminate", admins, "End a person's access at once, whatever sources say", dir.Terminate),
		httpapi.Op("POST", "/api/v1/people/{id}/unfreeze", admins, "Lift a freeze of the console", dir.Unfreeze),
		httpapi.Op("POST", "/api/v1/people/{id}/restore", admins, "Undo for 14 days that a source disabled or deleted a person", prov.RestorePerson),
		httpapi.Op("GET", "/api/v1/people/{id}/memberships", admins, "A person's memberships with their reasons", prov.PersonMemberships),
		httpapi.Op("GET", "/api/v1/people/{id}/former-grants", admins, "What was given to a person by hand and is over", prov.FormerGrants),
		httpapi.Op("POST", "/api/v1/people/{id}/records/{link}/split", admins, "Take a record from a person", dir.Split),
		httpapi.Op("GET", "/api/v1/people/{id}/sessions", admins, "A person's sessions", sess.ListPersonSessions),
		httpapi.Op("DELETE", "/api/v1/people/{id}/sessions", admins, "End a person's sessions", sess.EndPersonSessions),
		httpapi.Op("POST", "/api/v1/people/{id}/tokens", admins, "Make a person's token (dev.impersonation)", sess.CreatePersonToken).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/people/{id}/identities", admins, "Who a person is at the identity provider", sess.ListIdentities),
		httpapi.Op("DELETE", "/api/v1/people/{id}/identities", admins, "Forget who a person is there", sess.Unlink),
		httpapi.Op("GET", "/api/v1/admins", admins, "Administrators", sess.ListAdmins),
		httpapi.Op("PUT", "/api/v1/admins/{id}", admins, "Make a person administrator", sess.GrantAdmin),
		httpapi.Op("DELETE", "/api/v1/admins/{id}", admins, "End it", sess.RevokeAdmin),
		httpapi.Op("GET", "/api/v1/tokens", admins, "Administrators' tokens", sess.ListTokens),
		httpapi.Op("POST", "/api/v1/tokens", admins, "Make an administrators' token", sess.CreateToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/tokens/{id}", admins, "End an administrators' token", sess.RevokeToken),

		httpapi.Op("GET", "/api/v1/work-items", admins, "People who may be one", dir.ListWorkItems),
		httpapi.Op("GET", "/api/v1/work-items/groups", admins, "How many, by source and what they have in common", dir.WorkItemGroups),
		httpapi.Op("POST", "/api/v1/work-items/link", admins, "Link many pairs at once", dir.BulkLink),
		httpapi.Op("GET", "/api/v1/work-items/{id}", admins, "Two people side by side", dir.GetWorkItem),
		httpapi.Op("POST", "/api/v1/work-items/{id}/link", admins, "They are one", dir.Link),
		httpapi.Op("POST", "/api/v1/work-items/{id}/separate", admins, "They are two", dir.Separate),

		httpapi.Op("GET", "/api/v1/units", admins, "The organisation", dir.ListUnits),
		httpapi.Op("GET", "/api/v1/directory-groups", admins, "Groups as the sources have them", dir.ListDirectoryGroups),
		httpapi.Op("GET", "/api/v1/directory-groups/{id}/members", admins, "Who is in one of them", dir.ListMembers),
		httpapi.Op("GET", "/api/v1/sources", admins, "Sources", dir.ListSources),
		httpapi.Op("POST", "/api/v1/sources", admins, "Add a source", dir.CreateSource),
		httpapi.Op("GET", "/api/v1/sources/{id}", admins, "One source, and how much it has told", dir.GetSource),
		httpapi.Op("PATCH", "/api/v1/sources/{id}", admins, "Change a source's priority and authority, or look at what that would do", dir.Configure),
		httpapi.Op("POST", "/api/v1/sources/{id}/tokens", admins, "Make a source's token", dir.IssueToken).Unrepeatable(),
		httpapi.Op("DELETE", "/api/v1/sources/{id}/tokens/{token}", admins, "End a source's token", dir.RevokeToken),
		httpapi.Op("GET", "/api/v1/sources/{id}/requests", admins, "A source's last requests", seen.ListRequests),
		httpapi.Op("GET", "/api/v1/sources/{id}/requests/{request}", admins, "One of them, with its bodies", seen.GetRequest),
		httpapi.Op("GET", "/api/v1/sources/{id}/traffic", admins, "What came of a source within a day", seen.GetTraffic),
		httpapi.Op("GET", "/api/v1/sources/{id}/preview", admins, "What would happen if a source in its dry run went live", prov.PreviewSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/live", admins, "Take a source out of its dry run", prov.GoLive),
		httpapi.Op("DELETE", "/api/v1/sources/{id}", admins, "Remove a source in its dry run, with all it sent", ops.DiscardSource),
		httpapi.Op("POST", "/api/v1/sources/{id}/test", admins, "Try a source's connection", try.Test).Unrepeatable(),
		httpapi.Op("GET", "/api/v1/sources/{id}/runs", admins, "A source's last runs", dir.ListRuns),
		httpapi.Op("GET", "/api/v1/sources/{id}/ldap", admins, "How a directory is read, and how far a reading has come", tree.Get),
		httpapi.Op("POST", "/api/v1/sources/{id}/probe", admins, "Look around a directory", tree.Probe).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/sources/{id}/samples", admins, "People of a directory beside what is made of them", tree.Samples).Unrepeatable(),
		httpapi.Op("POST", "/api/v1/sources/{id}/mapping/preview", admins, "What another mapping would change", tree.PreviewMapping).Unrepeatable(),
		httpapi.Op("PUT", "/api/v1/sources/{id}/mapping", admins, "Put a mapping in force that was previewed", tree.ApplyMapping),
		httpapi.Op("POST", "/api/v1/sources/{id}/sync", admins, "Read an LDAP source in full, now", ops.Sync),
		httpapi.Plain("POST", "/api/v1/sources/{id}/feed", anybody, "Hand a personnel file in: an administrator, or a token of the source", personnel.Feed()).Limit(hrfeed.PostLimit),
		httpapi.Op("GET", "/api/v1/sources/{id}/feed", admins, "How an HR source is read, and its last files", personnel.Status),
		httpapi.Op("PUT", "/api/v1/sources/{id}/feed/mapping", admins, "Say how the columns of an HR source are read", personnel.PutMapping),
		httpapi.Plain("POST", "/hooks/{id}", anybody, "A signed message: a personnel file of the source", personnel.Hook()).Limit(hrfeed.HookLimit),

		httpapi.Op("GET", "/api/v1/groups", admins, "Project groups", prov.ListGroups),
		httpapi.Op("GET", "/api/v1/memberships", admins, "Who is in a project group", prov.ListMemberships),
		httpapi.Op("GET", "/api/v1/access/explain", admins, "Why somebody sees a channel, or not", prov.Explain),
		httpapi.Op("GET", "/api/v1/access/channels/{id}/audience", admins, "Who sees a channel, and why", prov.ChannelAudience),
		httpapi.Op("GET", "/api/v1/policies", admins, "Versions of the policy", prov.ListPolicies),
		httpapi.Op("GET", "/api/v1/policies/{version}", admins, "One version", prov.GetPolicy),
		httpapi.Op("POST", "/api/v1/plans", admins, "What a policy would change", prov.CreatePlan).Limit(16 << 20),
		httpapi.Op("GET", "/api/v1/plans/{id}", admins, "A plan", prov.GetPlan),
		httpapi.Op("POST", "/api/v1/plans/{id}/apply", admins, "Apply a plan", prov.ApplyPlan),
		httpapi.Op("GET", "/api/v1/holds", admins, "What the guard holds", prov.ListHolds),
		httpapi.Op("GET", "/api/v1/holds/{id}", admins, "One hold", prov.GetHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/release", admins, "Let it happen", prov.ReleaseHold),
		httpapi.Op("POST", "/api/v1/holds/{id}/reject", admins, "Keep everybody", prov.RejectHold),
		httpapi.Op("POST", "/api/v1/runs/{id}/undo", admins, "Undo what a run of a source, a plan or a call took: give back for 14 days", prov.UndoRun),
		httpapi.Op("POST", "/api/v1/holds/{id}/restore", admins, "Undo it: give back for 14 days", prov.RestoreHold),
		httpapi.Op("GET", "/api/v1/audit", admins, "The audit log", ops.Audit),
		httpapi.Op("GET", "/api/v1/audit/proof", admins, "Verify the audit log", ops.VerifyAudit),
	}
}

// handler is the whole HTTP side. Answers that carry what a person may lose are cut at a revocation.
func (a *app) handler() http.Handler {
	server := &httpapi.Server{Log: a.log, Authenticate: a.door.Authenticate, Version: version(), Errors: cases(),
		TrustedOrigins: []string{a.cfg.PublicURL}, Registry: a.registry, Replays: &replay.Store{DB: a.db}}
	return a.chat.Hub().Exits().Handler(server.Handler(a.routes()))
}

// cases is the table of errors.
func cases() []httpapi.Case {
	out := append(chat.Cases(), session.Cases()...)
	out = append(append(out, provisioning.Cases()...), notices.Cases()...)
	return append(out, directoryCases()...)
}

func directoryCases() []httpapi.Case {
	return []httpapi.Case{
		{Err: directory.ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: directory.ErrExists, Status: http.StatusConflict, Code: "exists"},
		{Err: directory.ErrVersion, Status: http.StatusPreconditionFailed, Code: "version_mismatch"},
		{Err: directory.ErrInvalid, Status: http.StatusUnprocessableEntity, Code: "invalid"},
		{Err: directory.ErrCycle, Status: http.StatusConflict, Code: "unit_cycle"},
		{Err: directory.ErrDecided, Status: http.StatusConflict, Code: "decided"},
		{Err: directory.ErrSourceFreeze, Status: http.StatusConflict, Code: "source_freeze"},
		{Err: journal.ErrNotFound, Status: http.StatusNotFound, Code: "not_found"},
		{Err: directory.ErrConfigured, Status: http.StatusConflict, Code: "configured"},
		{Err: directory.ErrLive, Status: http.StatusConflict, Code: "live"},
		{Err: directory.ErrStage, Status: http.StatusConflict, Code: "stage"},
		{Err: directory.ErrTokens, Status: http.StatusConflict, Code: "too_many_tokens"},
	}
}
