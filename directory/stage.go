package directory

import (
	"fmt"
	"strings"

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

// placeRecords gives staged records the people that match found for them; where it found none, their own new ones.
type placeRecords struct {
	source id.Source
	found  map[id.Link]joining
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
	case ConfigureSource:
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
