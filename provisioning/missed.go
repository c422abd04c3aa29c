package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// missing answers what Batch.Missed is.
func (r *Reactor) missing(ctx context.Context, tx *db.Tx) func(id.Source) ([]id.Person, error) {
	return func(source id.Source) ([]id.Person, error) {
		return r.directory.In(tx).Missed(ctx, r.clock().Add(-Window), source)
	}
}

// confirm notes in tx that somebody found a hold right: whom it holds something of, and everybody else whom its limit counted, for that many were
// named. For no limit do they count any more; what comes from now on does.
func (r *Reactor) confirm(ctx context.Context, tx *db.Tx, h Hold) error {
	since, in := r.clock().Add(-Window), r.directory.In(tx)
	people, b := h.people(), h.Breach
	var more []id.Person
	var err error
	switch s, alike := b.sign(); {
	case b.Admin:
	case alike:
		more, err = in.WhoLost(ctx, since, s.Source, s.Field, s.Was)
	case b.Group != "":
		more, err = goneFrom(tx.DB, since, "group_id = ?", b.Group)
	case b.Cause == CauseAbsence:
		more, err = in.Missed(ctx, since, b.Source)
	default:
		more, err = goneFrom(tx.DB, since, "cause = ?", b.Cause)
	}
	if err != nil {
		return fmt.Errorf("confirm hold %s: %w", h.ID, err)
	}
	people = distinct(append(people, more...))
	for part := range slices.Chunk(people, chunkMost) {
		if err := tx.Exec("delete from removals where at > ? and person in ?", db.At(since), db.Pad(part)).Error; err != nil {
			return fmt.Errorf("confirm hold %s: %w", h.ID, err)
		}
	}
	return r.directory.Confirm(tx, people)
}

// goneFrom answers who lost a place since that the guard counts.
func goneFrom(q reader, since time.Time, where string, args ...any) (people []id.Person, err error) {
	err = q.Raw("select distinct person from removals where at > ? and "+where, append([]any{db.At(since)}, args...)...).Scan(&people).Error
	return people, err
}

// missed says since when no source shows the person any more, and which one missed them last.
func (x *explainer) missed() Line {
	var last directory.Record
	for _, r := range x.fact.Records {
		if r.DeletedAt.IsZero() && r.AbsentSince.After(last.AbsentSince) {
			last = r
		}
	}
	line := Line{Kind: "person", Since: last.AbsentSince, By: x.sourceName(last.Source), Text: Text{"No source knows the person any more", "所有来源都已不再包含此人"}}
	if !last.AbsentSince.IsZero() {
		at := momentText(last.AbsentSince)
		line.Text.EN += ", since " + at
		line.Text.ZH += "，自 " + at + " 起"
	}
	return line
}
