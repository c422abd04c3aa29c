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

// Open opens it although something is not proven. Whoever was frozen by a source after the backup and is not now is frozen first, until somebody
// lifts it.
func (s *restoring) Open(ctx context.Context, in *ReasonInput) (*StandingOutput, error) {
	if _, err := s.closed(ctx); err != nil {
		return nil, err
	}
	standing, err := s.app.standing(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range standing.Left {
		if d.Kind != "person.frozen" {
			continue
		}
		if _, err := s.app.people.Apply(ctx, directory.CauseFrom(ctx, "frozen after the backup that was restored"), directory.FreezePerson{Person: id.Person(d.Subject)}); err != nil {
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
