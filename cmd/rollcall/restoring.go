package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// restoring are the routes by which a restored database comes to be open.
type restoring struct{ app *app }

// StandingOutput is how a restored database stands.
type StandingOutput struct{ Body standing }

// Show answers what is proven and what keeps it closed.
func (s *restoring) Show(ctx context.Context, _ *struct{}) (*StandingOutput, error) {
	standing, err := s.app.standing(ctx)
	return &StandingOutput{standing}, err
}

// ReplayInput is an export of the audit log.
type ReplayInput struct {
	RawBody []byte `contentType:"application/octet-stream"`
}

// closed is an error where there is nothing to open.
func (s *restoring) closed(ctx context.Context) (backup.State, error) {
	state, err := backup.Read(ctx, s.app.db)
	if err == nil && !state.Closed() {
		err = httpapi.NewProblem(http.StatusConflict, "not_closed", "this database is not closed")
	}
	return state, err
}

// Replay revokes again what was revoked after the backup. The export has to go on exactly where the backup's audit log ends.
func (s *restoring) Replay(ctx context.Context, in *ReplayInput) (*StandingOutput, error) {
	state, err := s.closed(ctx)
	if err != nil {
		return nil, err
	}
	export, err := audit.ReadExport(bytes.NewReader(in.RawBody))
	if err == nil {
		err = export.Continues(ctx, s.app.db, state.AuditSize)
	}
	var records []audit.Record
	if err == nil {
		records, err = export.Records(state.AuditSize)
	}
	if err != nil {
		return nil, httpapi.NewProblem(http.StatusUnprocessableEntity, "export_refused", err.Error())
	}
	caller := httpapi.CallerFrom(ctx)
	p := &replaying{app: s.app, by: caller, cause: directory.CauseFrom(ctx, "revoked after the backup that was restored")}
	if err := p.replay(ctx, records); err != nil {
		return nil, err
	}
	if err := s.app.db.Tx(ctx, func(tx *db.Tx) error {
		return backup.Replayed(tx, time.Now(), caller.Actor(), export.Size, p.left)
	}); err != nil {
		return nil, err
	}
	return s.told(ctx)
}

// ReasonInput says why.
type ReasonInput struct {
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000"`
	}
}

// Unknown says that there is no export: then every token of people and administrators ends, for any of them may have been revoked.
func (s *restoring) Unknown(ctx context.Context, in *ReasonInput) (*StandingOutput, error) {
	if _, err := s.closed(ctx); err != nil {
		return nil, err
	}
	caller := httpapi.CallerFrom(ctx)
	if err := s.app.door.EndAllTokens(ctx, caller); err != nil {
		return nil, err
	}
	if err := s.app.db.Tx(ctx, func(tx *db.Tx) error {
		return backup.Replayed(tx, time.Now(), caller.Actor(), 0, []backup.Demand{{Kind: "unknown", Subject: "audit", Note: in.Body.Reason}})
	}); err != nil {
		return nil, err
	}
	return s.told(ctx)
}

// VouchInput names a source by its name or id.
type VouchInput struct {
	Source string `path:"source"`
	ReasonInput
}

// Vouch says that a source has told everything anew, where nothing proves it.
func (s *restoring) Vouch(ctx context.Context, in *VouchInput) (*StandingOutput, error) {
	if _, err := s.closed(ctx); err != nil {
		return nil, err
	}
	source, err := s.app.people.SourceByName(ctx, in.Source)
	if errors.Is(err, directory.ErrNotFound) {
		source, err = s.app.people.SourceByID(ctx, id.Source(in.Source))
	}
	if err != nil {
		return nil, err
	}
	if err := backup.Vouch(ctx, s.app.db, time.Now(), string(source.ID), httpapi.CallerFrom(ctx).Actor(), in.Body.Reason); err != nil {
		return nil, err
	}
	return s.told(ctx)
}

// OpenInput says why, and what is known to be missing.
type OpenInput struct {
	Body struct {
		Reason  string `json:"reason" minLength:"1" maxLength:"2000"`
		Missing string `json:"missing" maxLength:"100" doc:"missing of the answer that lists what is not proven; another one, and nothing is opened"`
	}
}

// Open opens it although something is not proven, for whoever has seen what: what it is now. Frozen first, until somebody lifts it, is whoever a source
// froze after the backup and who is not now; and, where somebody was frozen by hand whom the backup does not know, everybody whom sources made since:
// each of them may be the one.
func (s *restoring) Open(ctx context.Context, in *OpenInput) (*StandingOutput, error) {
	state, err := s.closed(ctx)
	if err != nil {
		return nil, err
	}
	standing, err := s.app.standing(ctx)
	if err != nil {
		return nil, err
	}
	if in.Body.Missing != standing.Missing {
		return nil, httpapi.NewProblem(http.StatusConflict, "restore_unseen", "what is not proven has to be seen first, as it is now: rollcall restore status")
	}
	var doubtful []id.Person
	strangers := false
	for _, d := range standing.Left {
		switch {
		case d.Kind == "person.frozen" && d.Object == unknown:
			strangers = true
		case d.Kind == "person.frozen":
			doubtful = append(doubtful, id.Person(d.Subject))
		}
	}
	if strangers {
		made, err := s.app.people.MadeSince(ctx, state.RestoredAt)
		if err != nil {
			return nil, err
		}
		doubtful = append(doubtful, made...)
	}
	for _, person := range doubtful {
		if _, err := s.app.people.Apply(ctx, directory.CauseFrom(ctx, "frozen after the backup that was restored"), directory.FreezePerson{Person: person}); err != nil {
			return nil, err
		}
	}
	if err := backup.Unlock(ctx, s.app.db, time.Now(), httpapi.CallerFrom(ctx).Actor(), in.Body.Reason, standing.Unproven); err != nil {
		return nil, err
	}
	return s.told(ctx)
}

func (s *restoring) told(ctx context.Context) (*StandingOutput, error) {
	if err := s.app.lookRestored(ctx); err != nil {
		return nil, err
	}
	return s.Show(ctx, nil)
}
