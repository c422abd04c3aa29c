package main

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// personal are the permissions whose routes show administrators what is personal of others.
var personal = []httpapi.Who{peopleRead, membershipsRead, sessionsRead, identitiesRead, groupsRead, accessExplain, evidenceRead, auditRead, sourcesTraffic, holdsRead, plansRead, reviewsRead, requestsRead, legalHoldsRead, peopleErase}

var anID = regexp.MustCompile(`^[a-z]{3}_[0-9a-z]+$`)

// impersonal are routes with one of these permissions that show nobody.
var impersonal = []string{"/api/v1/audit/proof", "/api/v1/audit/outlets"}

const (
	lookAgain = 10 * time.Minute // within it a second look of the same caller at the same thing is the same look
	mostLooks = 10_000           // that are remembered
)

// looks notes in the audit log who looked at whom, before anything is shown.
type looks struct {
	db *db.DB

	mu   sync.Mutex
	last map[look]time.Time
}

type look struct{ actor, route, subject string }

// note is httpapi.Server.Look.
func (l *looks) note(r *http.Request, route httpapi.Route, caller httpapi.Caller) error {
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !slices.Contains(personal, route.Who) || slices.Contains(impersonal, route.Path) || !reading && route.Who != sourcesTraffic {
		return nil
	}
	subject := cmp.Or(r.PathValue("id"), r.URL.Query().Get("person"))
	if !anID.MatchString(subject) { // no word that somebody typed, which might be a name, stands in the log for ever
		subject = "everybody"
	}
	if subject == string(caller.Person) {
		return nil
	}
	actor := caller.Actor()
	key, now := look{actor, route.Path, subject}, time.Now()
	if l.seen(key, now) {
		return nil
	}
	record := audit.Record{At: now, Actor: actor, Action: audit.Looked, Subject: subject, RequestID: string(httpapi.RequestFrom(r.Context())), Public: map[string]any{"route": route.Path}}
	if err := l.db.Tx(r.Context(), func(tx *db.Tx) error {
		return audit.Append(tx, record)
	}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) >= mostLooks {
		l.last = nil
	}
	if l.last == nil {
		l.last = map[look]time.Time{}
	}
	l.last[key] = now
	return nil
}

func (l *looks) seen(key look, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	then, ok := l.last[key]
	return ok && now.Sub(then) < lookAgain && !now.Before(then)
}
