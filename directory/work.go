package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// chunk is how many values one statement carries.
const chunk = 500

// work is one call of Apply inside its transaction. Locks are taken in this order: sources, records by link, groups, people by id, then
// the feed, authz and the audit log. Records are changed in memory first (entries) and written together.
type work struct {
	s       *Store
	r       Reader
	ctx     context.Context
	tx      *db.Tx
	cause   Cause
	now     time.Time
	sources map[id.Source]Source

	index    int // of the change being made
	applied  Applied
	prepared map[int]*prepared
	light    map[reference]lightRow
	entries  map[id.Link]*entry
	byKey    map[reference]*entry
	order    []*entry
	result   map[int]*entry

	fresh    map[id.Person]bool     // made by this call
	touched  map[id.Person]bool     // to be merged again
	changed  map[id.Person]*Changed // what is told of them
	waits    map[id.Person]bool     // a repeated call waits for what stands already; false: only where a freeze does
	console  []consoleOp
	undone   map[id.Person]int             // whose freeze a change undoes: the change
	values   map[id.Source]map[string]bool // members that joined or left a group
	units    map[id.Source]*unitTree
	placedIn map[reference]id.Unit // units that records were placed in without the tree
	live     map[id.Source]int     // records that came to life, less those that died
	stages   map[id.Source]int64   // the changed sources that are not live, with the version of their content

	decisions []decision              // of human beings about who is one
	returned  map[id.Person]bool      // who gets a record back, or is made for one
	rehired   map[id.Person]bool      // whose source made them anew
	idle      map[id.Person]bool      // who stays in a merge and had no access
	erased    []doubt                 // who may be somebody who was erased
	doubts    []doubt                 // correlations that a human being must decide
	contested map[id.Person]id.Source // whom a source calls active against a veto, saying nothing new: read as a whole, or repeated
	repeated  map[id.Person]id.Source // whom a source calls active again, without anything new
	suspects  map[id.Person]id.Source // who may be somebody who is kept out, and by whose word
	succeeded map[[2]id.Unit]bool     // whether the second of two units is what became of the first
	former    map[id.Unit]bool        // units that a succession in force is about
	twin      map[id.Person]bool      // of whom an open work item asks whether they are somebody whom this call terminates

	lost      []Loss // by people, of what their source says of them
	freezes   []FreezeChange
	events    []feed.Event
	audits    []audit.Record
	wrote     bool
	takenBack bool // in the end: then nobody is told, and the audit log says nothing
}

// entry is one record as it was and as it will be.
type entry struct {
	before     Record // Link empty: there was none
	beforeHash string
	after      Record
	hash       string
	index      int // the change that made it what it is
}

type prepared struct {
	record Record
	hash   string
}

// lightRow is enough of a record to see that nothing is to be done.
type lightRow struct {
	Link        id.Link
	SourceID    id.Source
	RecordKey   string
	PersonID    id.Person
	Hash        string
	Active      bool
	Version     int64
	CreatedAt   db.Instant
	UpdatedAt   db.Instant
	AbsentSince db.Instant
	DeletedAt   db.Instant
}

func (e *entry) dirty() bool {
	return e.before.Link == "" || e.beforeHash != e.hash || e.before.Version != e.after.Version || e.before.Person != e.after.Person ||
		!e.before.AbsentSince.Equal(e.after.AbsentSince) || !e.before.DeletedAt.Equal(e.after.DeletedAt) ||
		!e.before.SetAsideUntil.Equal(e.after.SetAsideUntil)
}

func (s *Store) begin(ctx context.Context, tx *db.Tx, cause Cause, n int) (*work, error) {
	w := &work{s: s, r: s.In(tx), ctx: ctx, tx: tx, cause: cause, now: s.clock().Truncate(time.Microsecond), sources: map[id.Source]Source{},
		prepared: map[int]*prepared{}, light: map[reference]lightRow{}, entries: map[id.Link]*entry{}, byKey: map[reference]*entry{},
		result: map[int]*entry{}, fresh: map[id.Person]bool{}, touched: map[id.Person]bool{}, changed: map[id.Person]*Changed{}, waits: map[id.Person]bool{},
		values: map[id.Source]map[string]bool{}, units: map[id.Source]*unitTree{}, placedIn: map[reference]id.Unit{}, stages: map[id.Source]int64{}, undone: map[id.Person]int{},
		returned: map[id.Person]bool{}, rehired: map[id.Person]bool{}, idle: map[id.Person]bool{},
		contested: map[id.Person]id.Source{}, repeated: map[id.Person]id.Source{}, suspects: map[id.Person]id.Source{}, twin: map[id.Person]bool{}}
	w.applied = Applied{Outcomes: make([]Outcome, n), Records: make([]Record, n), Groups: make([]GroupRecord, n), Resources: make([]Resource, n), Freezes: make([]Freeze, n)}
	sources, err := w.r.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, src := range sources {
		w.sources[src.ID] = src
	}
	return w, nil
}

// run makes the changes in order, then everything that follows from them.
func (w *work) run(changes []Change) error {
	if err := w.prefetch(changes); err != nil {
		return err
	}
	for i, c := range changes {
		w.index = i
		outcome, err := w.one(c)
		if err != nil {
			return &ChangeError{Index: i, Err: err}
		}
		w.applied.Outcomes[i] = outcome
	}
	for _, step := range []func() error{w.contradictions, w.correlate, w.checkNames, w.follow, w.people, w.members, w.moveStages, w.hints, w.publish} {
		if err := step(); err != nil {
			return err
		}
	}
	for i, e := range w.result {
		w.applied.Records[i] = e.after
	}
	w.applied.Noop = !w.wrote
	return nil
}

func (w *work) one(c Change) (Outcome, error) {
	switch c := c.(type) {
	case PutRecord:
		return w.putRecord()
	case CreateRecord:
		return w.createRecord(c)
	case EditRecord:
		return w.editRecord(c)
	case DeleteRecord:
		return w.deleteRecord(c)
	case MarkAbsent:
		return w.markAbsent(c)
	case LinkRecord:
		return w.linkRecord(c)
	case MergePeople:
		return w.mergePeople(c)
	case SeparatePeople:
		return w.separatePeople(c)
	case SplitRecord:
		return w.splitRecord(c)
	case RefreshPeople:
		for _, p := range c.People {
			w.touch(p)
		}
		return Updated, nil
	case PutUnit:
		return w.putUnit(c)
	case RemoveUnit:
		return w.removeUnit(c)
	case CreateGroup:
		return w.createGroup(c)
	case PutGroup:
		return w.putGroup(c)
	case EditGroup:
		return w.editGroup(c)
	case DeleteGroup:
		return w.deleteGroup(c)
	case CreateResource:
		return w.createResource(c)
	case EditResource:
		return w.editResource(c)
	case DeleteResource:
		return w.deleteResource(c)
	case ErasePerson:
		return w.erase(c)
	case FreezePerson, LiftFreeze, EndPerson:
		return w.consoleChange(c)
	case UndoFreeze:
		return w.undoFreeze(c)
	case Terminate:
		return w.terminate(c)
	case Rekey:
		return w.rekey(c)
	case DeclareSuccessions, WithdrawSuccessions, settleSuccessions:
		return w.successionChange(c)
	case PutCursor:
		return w.putCursor(c)
	case ConfigureSource:
		return w.configureSource(c)
	case refreshed:
		return w.markRefreshed(c)
	case SyncDone:
		return w.syncDone(c)
	case PutRun:
		return w.putRun(c)
	case PutSetting:
		return w.putSetting(c)
	case Alongside:
		return w.alongside(c)
	case beginLive, placeRecords, finishLive, discardPart:
		return w.stageChange(c)
	}
	return "", fmt.Errorf("%w: unknown change %T", ErrInvalid, c)
}

// wait notes that the call changed nothing for p but must not answer before what stands is in force (decision 6).
func (w *work) wait(p id.Person, always bool) {
	if p != "" {
		w.waits[p] = w.waits[p] || always
	}
}

// source answers a known source; ErrNotFound.
func (w *work) source(source id.Source) (Source, error) {
	if src, ok := w.sources[source]; ok && src.Mode != ModeDiscarding {
		return src, nil
	}
	return Source{}, fmt.Errorf("source %q: %w", source, ErrNotFound)
}

// prefetch cleans new contents, locks the sources that are read as a whole, and reads and locks, in order of link, the records that will be written.
func (w *work) prefetch(changes []Change) error {
	keys, links, pulled := map[id.Source][]string{}, map[id.Link]bool{}, map[id.Source]bool{}
	full := map[reference]bool{}
	for i, c := range changes {
		switch c := c.(type) {
		case PutRecord:
			rec := c.Record
			if rec.Key == "" {
				return &ChangeError{Index: i, Err: fmt.Errorf("%w: a record needs its key", ErrInvalid)}
			}
			if err := clean(&rec); err != nil {
				return &ChangeError{Index: i, Err: err}
			}
			hash, err := contentHash(rec)
			if err != nil {
				return &ChangeError{Index: i, Err: err}
			}
			w.prepared[i] = &prepared{rec, hash}
			keys[rec.Source], pulled[rec.Source] = append(keys[rec.Source], rec.Key), true
		case EditRecord:
			if c.Link != "" {
				links[c.Link] = true
				continue
			}
			keys[c.Source], full[reference{c.Source, c.Key}] = append(keys[c.Source], c.Key), true
		case LinkRecord:
			links[c.Link] = true
		case placeRecords:
			for link := range c.found {
				links[link] = true
			}
		case UndoFreeze:
			if err := w.undoLinks(c, links); err != nil {
				return &ChangeError{Index: i, Err: err}
			}
		case MergePeople, SplitRecord:
			if err := w.prepare(c, links); err != nil {
				return err
			}
		case DeleteRecord:
			if c.Link != "" {
				links[c.Link] = true
				continue
			}
			keys[c.Source], full[reference{c.Source, c.Key}] = append(keys[c.Source], c.Key), true
		case Terminate:
			if c.Person != "" {
				continue
			}
			keys[c.Source], full[reference{c.Source, c.Key}] = append(keys[c.Source], c.Key), true
		case MarkAbsent:
			keys[c.Source] = append(keys[c.Source], c.Keys...)
			for _, k := range c.Keys {
				full[reference{c.Source, k}] = true
			}
		case DeclareSuccessions:
			pulled[c.Source] = true
		case WithdrawSuccessions:
			pulled[c.Source] = true
		case settleSuccessions:
			pulled[c.source] = true
		case PutUnit:
			pulled[c.Unit.Source] = true
		case RemoveUnit:
			pulled[c.Source] = true
		case PutGroup:
			pulled[c.Group.Source] = true
		case Rekey:
			pulled[c.Source] = true
		case PutCursor:
			pulled[c.Source] = true
		case SyncDone:
			pulled[c.Source] = true
		}
	}
	if err := w.lockStages(changes); err != nil {
		return err
	}
	if err := w.lockSources(pulled); err != nil {
		return err
	}
	for source, list := range keys {
		if err := w.loadLight(source, list); err != nil {
			return err
		}
	}
	for i := range changes {
		if p, ok := w.prepared[i]; ok {
			ref := reference{p.record.Source, p.record.Key}
			if l, ok := w.light[ref]; ok && (l.Hash != p.hash || !l.AbsentSince.IsZero() || !l.DeletedAt.IsZero()) {
				full[ref] = true
			}
		}
	}
	for ref := range full {
		if l, ok := w.light[ref]; ok {
			links[l.Link] = true
		}
	}
	return w.load(links)
}

// lockSources lets one reader of a whole source write at a time: what one adds and another refers to is then seen by the later one.
func (w *work) lockSources(pulled map[id.Source]bool) error {
	if w.tx.Engine() != db.Postgres {
		return nil
	}
	for _, source := range sorted(pulled) {
		if err := w.tx.Exec("select pg_advisory_xact_lock(hashtextextended(?, 7))", string(source)).Error; err != nil {
			return fmt.Errorf("lock source: %w", err)
		}
	}
	return nil
}

func (w *work) loadLight(source id.Source, keys []string) error {
	for part := range slices.Chunk(keys, chunk) {
		var rows []lightRow
		if err := w.tx.Raw(`select link, source_id, record_key, person_id, hash, active, version, created_at, updated_at, absent_since, deleted_at
			from records where source_id = ? and record_key in ?`, source, part).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, row := range rows {
			w.light[reference{row.SourceID, row.RecordKey}] = row
		}
	}
	return nil
}

// load reads records for writing and keeps them locked.
func (w *work) load(links map[id.Link]bool) error {
	for part := range slices.Chunk(sorted(links), chunk) {
		var rows []recordRow
		if err := w.tx.ForUpdate().Where("link in ?", part).Order("link").Find(&rows).Error; err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, row := range rows {
			w.keep(&entry{before: row.record(), beforeHash: row.Hash, after: row.record(), hash: row.Hash})
		}
	}
	return nil
}

func (w *work) keep(e *entry) {
	if w.entries[e.after.Link] != nil {
		return
	}
	w.entries[e.after.Link] = e
	w.byKey[reference{e.after.Source, e.after.Key}] = e
	w.order = append(w.order, e)
}

func sorted[K ~string](set map[K]bool) []K {
	list := make([]K, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
