package main

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// operations are the routes that belong to no domain: they look after the server itself.
type operations struct{ app *app }

// SyncInput names an LDAP source by id or name.
type SyncInput struct {
	ID string `path:"id"`
}

// SyncOutput is what one reading found and wrote.
type SyncOutput struct {
	Body struct {
		Run      id.Run           `json:"run"`
		People   int              `json:"people"`
		Units    int              `json:"units"`
		Groups   int              `json:"groups"`
		Written  int              `json:"written" doc:"rows that changed"`
		Absent   int              `json:"absent" doc:"people newly marked absent"`
		Seconds  float64          `json:"seconds"`
		Proof    string           `json:"proof" doc:"how completeness is known"`
		Findings []ldap.Finding   `json:"findings" nullable:"false"`
		Held     []directory.Held `json:"held" nullable:"false" doc:"what the guard holds of the source's word, whichever run asked for it"`
	}
}

// Sync reads a source in full, now.
func (o *operations) Sync(ctx context.Context, in *SyncInput) (*SyncOutput, error) {
	for name, s := range o.app.ldap {
		if in.ID != name && in.ID != string(s.Source.ID) {
			continue
		}
		report, err := s.Sync(ctx)
		if err != nil {
			return nil, httpapi.NewProblem(http.StatusBadGateway, "sync_failed", err.Error())
		}
		out := &SyncOutput{}
		b := &out.Body
		b.Run, b.Written, b.Absent, b.Findings = report.Run, report.Written(), report.Absent, report.Findings
		b.People, b.Units, b.Groups = report.Proof.Counts[ldap.ClassPerson], report.Proof.Counts[ldap.ClassUnit], report.Proof.Counts[ldap.ClassGroup]
		b.Seconds, b.Proof = report.Duration.Seconds(), report.Proof.Kind
		if b.Findings == nil {
			b.Findings = []ldap.Finding{}
		}
		held, err := o.app.people.HeldOf(ctx, s.Source.ID, "", nil)
		if err != nil {
			return nil, err
		}
		b.Held = append([]directory.Held{}, held...)
		return out, nil
	}
	return nil, httpapi.NewProblem(http.StatusNotFound, "not_found", "no LDAP source of this name or id is configured")
}

// lookAround answers how to look around an LDAP source, and its address; nil where none is configured.
func (a *app) lookAround(source id.Source) (func(context.Context) (ldap.Capabilities, []ldap.Finding, error), string) {
	for _, s := range a.ldap {
		if s.Source.ID == source {
			return s.Probe, s.Config.URL
		}
	}
	return nil, ""
}

// AuditInput chooses records of the audit log.
type AuditInput struct {
	httpapi.Paging
	Actor   string `query:"actor"`
	Action  string `query:"action"`
	Subject string `query:"subject"`
	Without string `query:"without" doc:"an action that is left out, as person.looked_at"`
}

// Audit answers records, newest first.
func (o *operations) Audit(ctx context.Context, in *AuditInput) (*httpapi.Page[audit.Record], error) {
	filter := audit.Filter{Actor: in.Actor, Action: in.Action, Subject: in.Subject, Without: in.Without, Limit: in.Limit}
	if _, err := httpapi.DecodeCursor(in.Cursor, &filter.Before); err != nil {
		return nil, err
	}
	records, err := audit.List(ctx, o.app.db, filter)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(records) == in.Limit && records[len(records)-1].Seq > 0 {
		next = httpapi.Cursor(records[len(records)-1].Seq)
	}
	if records, err = o.app.people.For(ctx).Audited(ctx, records); err != nil {
		return nil, err
	}
	return httpapi.NewPage(ctx, records, next), nil
}

// ProofOutput is what verifying found.
type ProofOutput struct{ Body audit.Report }

// VerifyAudit re-hashes the whole log.
func (o *operations) VerifyAudit(ctx context.Context, _ *struct{}) (*ProofOutput, error) {
	report, err := audit.Verify(ctx, o.app.db, audit.Report{})
	if err != nil {
		return nil, httpapi.NewProblem(http.StatusConflict, "audit_broken", err.Error())
	}
	return &ProofOutput{Body: report}, nil
}

// checkOpenFGA asks OpenFGA beside the index, where it has caught up; an explanation shows both.
func (a *app) checkOpenFGA(ctx context.Context, person id.Person, channel id.Channel, action string) (bool, error) {
	for {
		level, err := a.engine.CaughtUp(ctx)
		if err != nil {
			return false, err
		}
		if level {
			return a.engine.Check(ctx, person, channel, action)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
