package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Mode says whether what a source says has consequences. A source that is not live has staged records: they are answered to the source
// as in production and belong to nobody, so that no person, freeze or membership follows from them. Only "live" is for ever.
type Mode string

// The modes, in the order a source may pass through them.
const (
	ModeDryRun     Mode = "dry_run"    // everything is stored and answered, nothing follows
	ModeDiscarding Mode = "discarding" // a dry run that is being removed
	ModeGoingLive  Mode = "going_live" // its records are being given their people
	ModeLive       Mode = "live"
)

// beginLive ends the dry run of a source, where its content is still that of version.
type beginLive struct {
	source  id.Source
	version int64
}

// placeRecords gives staged records the people that match found for them.
type placeRecords struct {
	source id.Source
	people map[id.Link]id.Person // empty: the record's own new person
}

// finishLive makes a source live once nothing of it is staged.
type finishLive struct{ source id.Source }

// discardPart removes the next part of a source that was never live.
type discardPart struct{ source id.Source }

func (beginLive) change()    {}
func (placeRecords) change() {}
func (finishLive) change()   {}
func (discardPart) change()  {}

// stageChange makes one of the changes above.
func (w *work) stageChange(c Change) (Outcome, error) {
	switch c := c.(type) {
	case beginLive:
		return w.beginLive(c)
	case placeRecords:
		return w.placeRecords(c)
	case finishLive:
		return w.finishLive(c)
	case discardPart:
		return w.discardPart(c)
	}
	return "", fmt.Errorf("%w: unknown change %T", ErrInvalid, c)
}

// sourceOf answers which source a change is of; empty for those of the console.
func sourceOf(c Change) id.Source {
	switch c := c.(type) {
	case PutRecord:
		return c.Record.Source
	case CreateRecord:
		return c.Record.Source
	case EditRecord:
		return c.Source
	case DeleteRecord:
		return c.Source
	case MarkAbsent:
		return c.Source
	case LinkRecord:
		return c.Source
	case PutUnit:
		return c.Unit.Source
	case RemoveUnit:
		return c.Source
	case CreateGroup:
		return c.Group.Source
	case PutGroup:
		return c.Group.Source
	case EditGroup:
		return c.Source
	case DeleteGroup:
		return c.Source
	case PutCursor:
		return c.Source
	case SyncDone:
		return c.Source
	case beginLive:
		return c.source
	case placeRecords:
		return c.source
	case finishLive:
		return c.source
	case discardPart:
		return c.source
	}
	return ""
}

// lockStages locks the changed sources that are not live, so that none of them goes live beneath the call. A live source stays so, and is not locked.
func (w *work) lockStages(changes []Change) error {
	staged := map[id.Source]bool{}
	for _, c := range changes {
		if source, known := w.sources[sourceOf(c)]; known && source.Mode != ModeLive {
			staged[source.ID] = true
		}
	}
	for _, source := range sorted(staged) {
		var rows []sourceRow
		if err := w.tx.ForUpdate().Where("id = ?", source).Find(&rows).Error; err != nil {
			return fmt.Errorf("lock source: %w", err)
		}
		delete(w.sources, source)
		for _, row := range rows {
			w.sources[source], w.stages[source] = row.source(), row.StageVersion
		}
	}
	return nil
}

// moveStages notes that the content of a source that is not live has changed: a look at it from before no longer describes it.
func (w *work) moveStages() error {
	dirty := w.wrote
	for _, e := range w.order {
		dirty = dirty || e.dirty()
	}
	for source := range w.stages {
		if !dirty {
			break
		}
		if err := w.tx.Exec("update sources set stage_version = stage_version + 1 where id = ?", source).Error; err != nil {
			return fmt.Errorf("write source: %w", err)
		}
	}
	return nil
}

// staged tells whether a record of source belongs to nobody yet.
func (w *work) staged(source id.Source, person id.Person) bool {
	return person == "" && w.sources[source].Mode != ModeLive
}

// dry tells whether nothing may follow from what source says.
func (w *work) dry(source id.Source) bool {
	mode := w.sources[source].Mode
	return mode == ModeDryRun || mode == ModeDiscarding
}

// touch has a person merged again; a staged record has none.
func (w *work) touch(p id.Person) {
	if p != "" {
		w.touched[p] = true
	}
}

// ownPerson is the id of the person that a staged record begins: known before there is one, so that what was looked at is what comes.
func ownPerson(link id.Link) id.Person {
	return id.Person("per_" + strings.TrimPrefix(string(link), "lnk_"))
}

// mode answers a source that must be in one of these modes: ErrLive where it is live.
func (w *work) mode(source id.Source, wanted ...Mode) error {
	src, ok := w.sources[source]
	if !ok {
		return fmt.Errorf("source %q: %w", source, ErrNotFound)
	}
	return src.In(wanted...)
}

// In is nil where the source is in one of these modes, ErrLive where it is live, else ErrStage.
func (s Source) In(wanted ...Mode) error {
	for _, m := range wanted {
		if s.Mode == m {
			return nil
		}
	}
	if s.Mode == ModeLive {
		return fmt.Errorf("source %s: %w", s.Name, ErrLive)
	}
	return fmt.Errorf("source %s: %w (it is %s)", s.Name, ErrStage, strings.ReplaceAll(string(s.Mode), "_", " "))
}

// setMode writes the mode and tells of it.
func (w *work) setMode(source id.Source, mode Mode, action string) error {
	if err := w.tx.Exec("update sources set mode = ? where id = ?", mode, source).Error; err != nil {
		return fmt.Errorf("write source: %w", err)
	}
	src := w.sources[source]
	src.Mode = mode
	w.sources[source] = src
	w.wrote = true
	w.note(action, string(source), nil, map[string]any{"name": src.Name})
	return nil
}

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
	for _, p := range c.people {
		if p != "" {
			joined = append(joined, p)
		}
	}
	here, err := w.r.within(w.ctx, c.source, joined)
	if err != nil {
		return "", err
	}
	for _, e := range w.order {
		p, wanted := c.people[e.after.Link]
		if !wanted || e.after.Source != c.source || e.after.Person != "" || !e.after.DeletedAt.IsZero() {
			continue
		}
		if p == "" || here[p] {
			p = ownPerson(e.after.Link)
			w.fresh[p] = true
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
	gone := w.tx.Exec("delete from records where link in (select link from records where source_id = ? and person_id is null and deleted_at is not null limit ?)", c.source, stagePart)
	if gone.Error != nil {
		return "", fmt.Errorf("delete records: %w", gone.Error)
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
		people := map[id.Link]id.Person{}
		for _, l := range links {
			people[l] = m[l].person
		}
		if _, err := s.Apply(ctx, cause, placeRecords{source.ID, people}); err != nil {
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
		"delete from records where link in (select link from records where source_id = ? limit ?)",
		"delete from units where id in (select id from units where source_id = ? limit ?)",
		"delete from resource_values where (attribute, value, type, source_id) in (select attribute, value, type, source_id from resource_values where source_id = ? limit ?)",
		"delete from resources where id in (select id from resources where source_id = ? limit ?)",
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
