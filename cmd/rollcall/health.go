package main

import (
	"context"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/id"
)

// quietAfter is when a source that pushes is said to be quiet: providers that are in step call at least every hour.
const quietAfter = 24 * time.Hour

// freshFor is for how long a directory that is followed or polled may go without being verified.
const freshFor = 2 * time.Minute

// health fills in how sources stand: what their reader says, on whichever node it runs, and what waits for somebody.
func (a *app) health(ctx context.Context, sources []directory.Source, of map[id.Source]*directory.SourceHealth) error {
	holds, err := a.access.OpenHoldsOf(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, s := range sources {
		h := of[s.ID]
		h.Holds = holds[s.ID]
		switch s.Kind {
		case directory.KindLDAP:
			if err := a.ldapHealth(ctx, s, h, now); err != nil {
				return err
			}
		case directory.KindHRFeed:
			fileHealth(s, h)
		case directory.KindGuests: // it speaks when somebody lets a guest in
			h.Follows, h.State = "push", directory.HealthOK
		default:
			if err := a.pushHealth(ctx, s, h, now); err != nil {
				return err
			}
		}
		if h.State == directory.HealthOK && s.Kind != directory.KindGuests && empty(s, h) {
			h.State = directory.HealthEmpty
		}
	}
	return nil
}

// empty tells whether nobody is found in a source. Of one that is tried out nothing is counted but what a whole reading found.
func empty(s directory.Source, h *directory.SourceHealth) bool {
	if s.Mode == directory.ModeLive {
		return s.Records == 0
	}
	return h.LastRun != nil && h.LastRun.Kind == "full" && h.LastRun.Counts[string(ldap.ClassPerson)]+h.LastRun.Counts["rows"] == 0
}

// ldapHealth says how a directory stands that is read, by whichever node.
func (a *app) ldapHealth(ctx context.Context, s directory.Source, h *directory.SourceHealth, now time.Time) error {
	reader := a.syncerOf(s.ID)
	if reader == nil {
		h.State, h.Follows = directory.HealthUnconfigured, "interval"
		return nil
	}
	st, err := reader.Stands(ctx)
	if err != nil {
		return err
	}
	h.Follows, h.VerifiedAt, h.ChangedAt, h.LagMillis = "interval", st.VerifiedAt, st.ChangedAt, float64(st.Lag.Microseconds())/1000
	patience := 2 * a.ldapInterval(s.Name)
	switch {
	case st.Mode == "live" || st.Mode == "catching up":
		h.Follows, patience = "stream", freshFor
	case st.Mode == "standby":
		h.Follows = "standby"
	case st.Live:
		h.Follows, patience = "poll", freshFor
	}
	if st.LastError != "" {
		h.Error = &directory.SourceError{Code: st.LastCode, Text: st.LastError, Failures: st.Failures, RetryAt: st.RetryAt}
		if !st.RetryAt.IsZero() {
			h.Error.Text += "; the login is tried again at " + st.RetryAt.UTC().Format(time.RFC3339) + ", or at once by a sync"
		}
	}
	switch {
	case st.LastError != "":
		h.State = directory.HealthFailing
	case st.VerifiedAt.IsZero():
		h.State = directory.HealthNever
	case now.Sub(st.VerifiedAt) > patience:
		h.State = directory.HealthStale
	default:
		h.State = directory.HealthOK
	}
	return nil
}

// ldapInterval is how often a directory is read in full.
func (a *app) ldapInterval(name string) time.Duration {
	if every := a.cfg.ldapEvery(name); every > 0 {
		return every
	}
	return time.Hour
}

// fileHealth says how a source stands that comes in files: there is no clock it could be late by.
func fileHealth(s directory.Source, h *directory.SourceHealth) {
	h.Follows, h.State, h.VerifiedAt = "files", directory.HealthNever, s.SyncedAt
	if run := h.LastRun; run != nil {
		h.State = directory.HealthOK
		if run.OK && run.EndedAt.After(h.VerifiedAt) { // a delta says when something came, too
			h.VerifiedAt = run.EndedAt
		}
		if !run.OK {
			h.State, h.Error = directory.HealthFailing, &directory.SourceError{Code: "file", Text: run.Error, Failures: 1}
		}
	}
}

// pushHealth says how a source stands that calls by itself.
func (a *app) pushHealth(ctx context.Context, s directory.Source, h *directory.SourceHealth, now time.Time) error {
	tokens, err := a.people.SourceTokens(ctx, s.ID)
	if err != nil {
		return err
	}
	h.Follows, h.VerifiedAt = "push", s.SyncedAt
	for _, t := range tokens {
		if t.LastUsedAt.After(h.VerifiedAt) {
			h.VerifiedAt = t.LastUsedAt
		}
	}
	switch {
	case h.VerifiedAt.IsZero():
		h.State = directory.HealthNever
	case now.Sub(h.VerifiedAt) > quietAfter:
		h.State = directory.HealthQuiet
	default:
		h.State = directory.HealthOK
	}
	return nil
}

// syncerOf answers who keeps an LDAP source in step on this node; nil where none is configured.
func (a *app) syncerOf(source id.Source) *ldap.Syncer {
	for _, s := range a.ldap {
		if s.Source.ID == source {
			return s
		}
	}
	return nil
}
