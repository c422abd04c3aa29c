package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *work) beginLive(c beginLive) (Outcome, error) {
	if err := w.mode(c.source, ModeDryRun); err != nil {
		return "", err
	}
	if w.stages[c.source] != c.version {
		return "", ErrStage
	}
	return Updated, w.setMode(c.source, ModeGoingLive, "source.going_live")
}

// placeRecords gives the loaded records their people. One that has a person by now, or is gone, is passed over; a person who has got
// another record of the source meanwhile is no match any more.
func (w *work) placeRecords(c placeRecords) (Outcome, error) {
	if err := w.mode(c.source, ModeGoingLive); err != nil {
		return "", err
	}
	var joined []id.Person
	for _, j := range c.found {
		if j.person != "" {
			joined = append(joined, j.person)
		}
	}
	here, err := w.r.within(w.ctx, c.source, joined)
	if err != nil {
		return "", err
	}
	for _, e := range w.order {
		j, wanted := c.found[e.after.Link]
		if !wanted || e.after.Source != c.source || e.after.Person != "" || !e.after.DeletedAt.IsZero() {
			continue
		}
		p := j.person
		if p == "" || here[p] {
			p = ownPerson(e.after.Link)
			w.fresh[p] = true
			if len(j.people) > 0 {
				w.doubts = append(w.doubts, doubt{e, Hint(j.by), j.people})
			}
		}
		e.after.Person, e.index = p, w.index
	}
	return Updated, nil
}

func (w *work) finishLive(c finishLive) (Outcome, error) {
	if err := w.mode(c.source, ModeGoingLive); err != nil {
		return "", err
	}
	// What was deleted before anybody followed from it never was anybody.
	const nobody = "(select link from records where source_id = ? and person_id is null and deleted_at is not null order by link limit ?)"
	for _, table := range []string{"record_looks", "record_contacts", "records"} { // in this order: the others refer to the last
		if err := w.tx.Exec("delete from "+table+" where link in "+nobody, c.source, stagePart).Error; err != nil {
			return "", fmt.Errorf("delete %s: %w", table, err)
		}
	}
	var left int64
	if err := w.tx.Raw("select count(*) from records where source_id = ? and person_id is null", c.source).Scan(&left).Error; err != nil {
		return "", fmt.Errorf("read records: %w", err)
	}
	if left > 0 {
		return Unchanged, nil
	}
	delete(w.stages, c.source)
	w.events = append(w.events, feed.Event{At: w.now, Kind: "source.live", Subject: string(c.source), Data: []byte("{}")})
	return Updated, w.setMode(c.source, ModeLive, "source.live")
}

// stagePart is how many rows of a stage one transaction deletes.
const stagePart = 2000

// BeginLive ends the dry run of a source; ErrStage where its content is no longer that of version, ErrLive where it is live. GoOn does the rest.
func (s *Store) BeginLive(ctx context.Context, cause Cause, source id.Source, version int64) error {
	_, err := s.Apply(ctx, cause, beginLive{source, version})
	return err
}

// GoOn gives the staged records of a source that is going live their people, in chunks, and makes it live. It may be called again after any
// end of the process, and by several at once. An error of Access does not stop it.
func (s *Store) GoOn(ctx context.Context, cause Cause, source id.Source) error {
	var failed error
	for {
		src, err := s.SourceByID(ctx, source)
		if err != nil || src.Mode == ModeLive {
			return errors.Join(err, failed)
		}
		unsettled, err := s.place(ctx, cause, src)
		if failed = errors.Join(failed, unsettled); err != nil {
			return err
		}
		done, err := s.Apply(ctx, cause, finishLive{source})
		if err != nil {
			return err
		}
		if done.Outcomes[0] == Updated {
			return failed
		}
	}
}

// liveChunk is how many records go live in one transaction: a freeze waits behind no more.
const liveChunk = 100

// place gives everything that is staged now its people. unsettled is what Access could not do: those people are placed, and are tried again by it.
func (s *Store) place(ctx context.Context, cause Cause, source Source) (unsettled, err error) {
	m, err := s.match(ctx, source)
	if err != nil {
		return nil, err
	}
	for before, after := id.Link(""), id.Link(""); ; before = after {
		links, err := s.stagedLinks(ctx, source.ID, before, liveChunk)
		if err != nil || len(links) == 0 {
			return unsettled, err
		}
		after = links[len(links)-1]
		found := map[id.Link]joining{}
		for _, l := range links {
			found[l] = m[l]
		}
		if _, err := s.Apply(ctx, cause, placeRecords{source.ID, found}); err != nil {
			if still, look := s.stagedLinks(ctx, source.ID, before, 1); look != nil || len(still) > 0 && still[0] <= after {
				return unsettled, err
			}
			unsettled = errors.Join(unsettled, err)
		}
	}
}

// Discard removes a source that was never live, with all it said. Its tokens end first; then it goes in parts, and the call may be repeated.
func (s *Store) Discard(ctx context.Context, cause Cause, source id.Source) error {
	for {
		done, err := s.Apply(ctx, cause, discardPart{source})
		if err != nil {
			return err
		}
		if done.Outcomes[0] == Deleted {
			return nil
		}
	}
}

// discardPart removes one part; Deleted says it was the last.
func (w *work) discardPart(c discardPart) (Outcome, error) {
	if err := w.mode(c.source, ModeDryRun, ModeDiscarding); err != nil {
		return "", err
	}
	if w.sources[c.source].Mode == ModeDryRun {
		if err := w.tx.Exec("delete from source_tokens where source_id = ?", c.source).Error; err != nil {
			return "", fmt.Errorf("delete tokens: %w", err)
		}
		return Updated, w.setMode(c.source, ModeDiscarding, "source.discarding")
	}
	delete(w.stages, c.source)
	for _, sql := range []string{
		"delete from group_members where (group_id, value) in (select group_id, value from group_members where source_id = ? limit ?)",
		"delete from directory_groups where id in (select id from directory_groups where source_id = ? limit ?)",
		"delete from record_contacts where link in (select r.link from records r join record_contacts c on c.link = r.link where r.source_id = ? limit ?)",
		"delete from record_looks where link in (select r.link from records r join record_looks l on l.link = r.link where r.source_id = ? limit ?)",
		"delete from records where link in (select link from records where source_id = ? limit ?)",
		"delete from unit_successions where (source_id, old_key, new_key) in (select source_id, old_key, new_key from unit_successions where source_id = ? limit ?)",
		"delete from units where id in (select id from units where source_id = ? limit ?)",
		"delete from resource_values where (attribute, value, type, source_id) in (select attribute, value, type, source_id from resource_values where source_id = ? limit ?)",
		"delete from resources where id in (select id from resources where source_id = ? limit ?)",
		"delete from source_settings where source_id in (select id from sources where id = ? limit ?)",
		"delete from source_runs where id in (select id from source_runs where source_id = ? limit ?)",
	} {
		done := w.tx.Exec(sql, c.source, stagePart)
		if done.Error != nil {
			return "", fmt.Errorf("discard: %w", done.Error)
		}
		if done.RowsAffected > 0 {
			return Updated, nil
		}
	}
	if err := w.tx.Exec("delete from sources where id = ?", c.source).Error; err != nil {
		return "", fmt.Errorf("discard: %w", err)
	}
	w.wrote = true
	w.note("source.discarded", string(c.source), nil, map[string]any{"name": w.sources[c.source].Name})
	return Deleted, nil
}
