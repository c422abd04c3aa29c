// Package evidence owns what an auditor is given: the signed record of one leaver, the report of a period, the keys they are signed with,
// and the instants from which a freeze was in force everywhere, which nobody else keeps.
//
// It guarantees that a signed document names the records of the audit log that it rests on with the proof that they stood in the log of
// that size and root; that whoever has the document and the public key needs nothing else to see that not one letter is another; that a
// report is never held in memory as a whole; that every export stands in the audit log before anybody has it; and that no reason of an
// end and nothing that lies ahead is part of any of them. It decides nothing and delays no freeze.
package evidence

import (
	"context"
	"embed"
	"errors"
	"net/http"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the tables of evidence up to date.
func Migrate(ctx context.Context, d *db.DB) error { return d.Migrate(ctx, "evidence", migrations) }

// The errors of this package.
var (
	// ErrNoLeaving says that a person has not left, at the instant asked for or at all.
	ErrNoLeaving = errors.New("this person has not left")
	// ErrNoSeal says that nothing can be signed: the key is kept sealed, and there is nothing to seal it for.
	ErrNoSeal = errors.New("evidence wants secrets.identity in the configuration: its key is kept sealed")
	// ErrKey says that the key cannot be opened any more: another one has to be made.
	ErrKey = errors.New("the key of evidence was sealed for another secrets.identity: make a new one")
	// ErrSignature says that a document is not the one that was signed, or was signed with another key.
	ErrSignature = errors.New("the signature does not hold")
	// ErrFormat says that a text is no document of this package.
	ErrFormat = errors.New("not a document of evidence")
	// ErrPeriod says that a report was asked for of an interval that is none.
	ErrPeriod = errors.New("a period wants from and to, in this order, at most 400 days apart")
)

// Cases is this package's part of the table of errors.
func Cases() []httpapi.Case {
	return []httpapi.Case{
		{Err: ErrNoLeaving, Status: http.StatusNotFound, Code: "no_leaving"},
		{Err: ErrNoSeal, Status: http.StatusConflict, Code: "no_seal"},
		{Err: ErrKey, Status: http.StatusConflict, Code: "evidence_key"},
		{Err: ErrPeriod, Status: http.StatusUnprocessableEntity, Code: "invalid_period"},
	}
}
