package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/trace"
)

// Store is the write door of the tuples.
type Store struct {
	db       *db.DB
	log      *slog.Logger
	model    func() (*model, error)
	appended signal

	// Lane, where set before use, is another pool of connections to the same database, for what a node's lease depends on: requests that hold every
	// connection of the first do not make the node stale.
	Lane *db.DB
	// Now is the clock of the log's entries and of leases; nil means time.Now.
	Now func() time.Time
	// Notify, where set before use, is called after each commit that appended, to nudge other nodes.
	Notify func(rev int64)
}

// New makes the store on d, which Migrate has prepared.
func New(d *db.DB, log *slog.Logger) *Store {
	return &Store{db: d, log: log, model: sync.OnceValues(func() (*model, error) { return parseModel(modelText) })}
}

func (s *Store) lane() *db.DB {
	if s.Lane != nil {
		return s.Lane
	}
	return s.db
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Wake makes this node's Index and Engine look for new revisions now.
func (s *Store) Wake() { s.appended.fire() }

const chunk = 200 // tuples in one statement

// Append makes changes in tx, as one revision, and answers it; 0 where nothing changed, because writing what
// stands and deleting what does not is dropped. Of several changes of one user, relation and object the last
// counts; another window is a delete and a write in the same revision. A tuple that does not fit the model is
// ErrInvalid and nothing is written.
//
// The counter stays locked until the end of tx: append after the domain rows and the feed, before the audit log.
func (s *Store) Append(tx *db.Tx, changes ...Change) (rev int64, err error) {
	wanted, err := s.fold(changes)
	if err != nil {
		return 0, err
	}
	var log []logRow
	for part := range slices.Chunk(wanted, chunk) {
		for try := 0; len(part) > 0; try++ {
			if try == 3 {
				return 0, errors.New("append tuples: another transaction keeps writing the same tuples")
			}
			var rows []logRow
			if rows, part, err = s.settle(tx, part); err != nil {
				return 0, fmt.Errorf("append tuples: %w", err)
			}
			log = append(log, rows...)
		}
	}
	if len(log) == 0 {
		return 0, nil
	}
	if rev, err = s.next(tx); err != nil {
		return 0, fmt.Errorf("append tuples: %w", err)
	}
	at := db.At(s.now())
	for i := range log {
		log[i].Seq, log[i].N, log[i].At = rev, i, at
	}
	log[0].Trace = trace.Parent(tx.Statement.Context)
	if err := tx.CreateInBatches(log, chunk).Error; err != nil {
		return 0, fmt.Errorf("append tuples: %w", err)
	}
	s.tell(tx, rev)
	return rev, nil
}

// next takes the next revision, which is tx's until its end.
func (s *Store) next(tx *db.Tx) (rev int64, err error) {
	err = tx.Raw("update authz_counter set seq = seq + 1 where id = 1 returning seq").Scan(&rev).Error
	return rev, err
}

// tell has everybody look once rev is committed.
func (s *Store) tell(tx *db.Tx, rev int64) {
	tx.AfterCommit(func() {
		s.Wake()
		if s.Notify != nil {
			s.Notify(rev)
		}
	})
}

func byKey(a, b Change) int {
	return cmp.Or(strings.Compare(a.Tuple.Object, b.Tuple.Object), strings.Compare(a.Tuple.Relation, b.Tuple.Relation), strings.Compare(a.Tuple.User, b.Tuple.User))
}

// fold checks changes and answers the last of each tuple, in the one order in which every transaction locks them.
func (s *Store) fold(changes []Change) ([]Change, error) {
	m, err := s.model()
	if err != nil {
		return nil, err
	}
	sorted := make([]Change, len(changes))
	for i, c := range changes {
		c.Tuple.From, c.Tuple.Until = db.At(c.Tuple.From).Time, db.At(c.Tuple.Until).Time
		if c.Delete {
			c.Tuple.From, c.Tuple.Until = time.Time{}, time.Time{}
		} else if err := m.allows(c.Tuple); err != nil {
			return nil, err
		}
		sorted[i] = c
	}
	slices.SortStableFunc(sorted, byKey)
	last := sorted[:0]
	for i, c := range sorted {
		if i+1 == len(sorted) || byKey(c, sorted[i+1]) != 0 {
			last = append(last, c)
		}
	}
	return last, nil
}

// settle makes changes (at most chunk, sorted, each tuple once), and answers what has to go into the log and
// what has to be tried again because another transaction committed the same tuple in between.
func (s *Store) settle(tx *db.Tx, changes []Change) (log []logRow, again []Change, err error) {
	standing, err := s.standing(tx, changes)
	if err != nil {
		return nil, nil, err
	}
	entry := func(op string, t tupleRow) logRow {
		return logRow{Op: op, UserRef: t.UserRef, Relation: t.Relation, Object: t.Object, ValidFrom: t.ValidFrom, ValidUntil: t.ValidUntil}
	}
	var gone []Change
	var fresh []tupleRow
	for _, c := range changes {
		row := rowOf(c.Tuple)
		old, stands := standing[keyOf(row)]
		switch {
		case c.Delete && stands:
			gone = append(gone, c)
			log = append(log, entry(opDelete, old))
		case c.Delete, stands && old.ValidFrom.Equal(row.ValidFrom.Time) && old.ValidUntil.Equal(row.ValidUntil.Time):
		case stands:
			if err := tx.Exec("update authz_tuples set valid_from = ?, valid_until = ? where user_ref = ? and relation = ? and object = ?",
				row.ValidFrom, row.ValidUntil, row.UserRef, row.Relation, row.Object).Error; err != nil {
				return nil, nil, err
			}
			log = append(log, entry(opDelete, old), entry(opWrite, row))
		default:
			fresh = append(fresh, row)
		}
	}
	if len(gone) > 0 {
		where, args := keys(gone)
		if err := tx.Exec("delete from authz_tuples where "+where, args...).Error; err != nil {
			return nil, nil, err
		}
	}
	if len(fresh) > 0 {
		written, err := insert(tx, fresh)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range fresh {
			if written[keyOf(row)] {
				log = append(log, entry(opWrite, row))
			} else {
				again = append(again, Change{Tuple: row.tuple()})
			}
		}
	}
	return log, again, nil
}

func keyOf(r tupleRow) [3]string { return [3]string{r.Object, r.Relation, r.UserRef} }

func keys(changes []Change) (where string, args []any) {
	for _, c := range changes {
		args = append(args, c.Tuple.Object, c.Tuple.Relation, c.Tuple.User)
	}
	return "(object, relation, user_ref) in (values (?, ?, ?)" + strings.Repeat(", (?, ?, ?)", len(changes)-1) + ")", args
}

// standing reads and locks the rows of changes that are there.
func (s *Store) standing(tx *db.Tx, changes []Change) (map[[3]string]tupleRow, error) {
	where, args := keys(changes)
	lock := ""
	if tx.Engine() == db.Postgres {
		lock = " for update"
	}
	var rows []tupleRow
	if err := tx.Raw("select user_ref, relation, object, valid_from, valid_until from authz_tuples where "+where+
		" order by object, relation, user_ref"+lock, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	found := make(map[[3]string]tupleRow, len(rows))
	for _, r := range rows {
		found[keyOf(r)] = r
	}
	return found, nil
}

func insert(tx *db.Tx, rows []tupleRow) (map[[3]string]bool, error) {
	args := make([]any, 0, 5*len(rows))
	for _, r := range rows {
		args = append(args, r.UserRef, r.Relation, r.Object, r.ValidFrom, r.ValidUntil)
	}
	var written []tupleRow
	if err := tx.Raw("insert into authz_tuples (user_ref, relation, object, valid_from, valid_until) values (?, ?, ?, ?, ?)"+
		strings.Repeat(", (?, ?, ?, ?, ?)", len(rows)-1)+" on conflict do nothing returning user_ref, relation, object", args...).Scan(&written).Error; err != nil {
		return nil, err
	}
	keys := make(map[[3]string]bool, len(written))
	for _, r := range written {
		keys[keyOf(r)] = true
	}
	return keys, nil
}

// Revision answers the newest revision that tx sees: the stamp of what is written in tx.
func (s *Store) Revision(tx *db.Tx) (rev int64, err error) {
	err = tx.Raw("select seq from authz_counter where id = 1").Scan(&rev).Error
	return rev, err
}

func (s *Store) head(ctx context.Context) (rev int64, err error) {
	err = s.lane().Read(ctx).Raw("select seq from authz_counter where id = 1").Scan(&rev).Error
	return rev, err
}

// Filter chooses tuples; an empty field matches all.
type Filter struct{ User, Relation, Object string }

// Tuples answers the tuples that stand and match f, in order of object, relation and user.
func (s *Store) Tuples(ctx context.Context, f Filter) ([]Tuple, error) {
	q := s.db.Read(ctx).Table("authz_tuples").Order("object, relation, user_ref")
	for column, value := range map[string]string{"user_ref": f.User, "relation": f.Relation, "object": f.Object} {
		if value != "" {
			q = q.Where(column+" = ?", value)
		}
	}
	var rows []tupleRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read tuples: %w", err)
	}
	tuples := make([]Tuple, len(rows))
	for i, r := range rows {
		tuples[i] = r.tuple()
	}
	return tuples, nil
}

// load calls fn for every tuple of one state of the database and answers its revision.
func (s *Store) load(ctx context.Context, fn func(Tuple)) (rev int64, err error) {
	return s.read(ctx, fn, "")
}

// read calls fn for the tuples that where chooses of one state of the database and answers its revision.
func (s *Store) read(ctx context.Context, fn func(Tuple), where string, args ...any) (rev int64, err error) {
	err = s.db.Snapshot(ctx, func(tx *gorm.DB) error {
		if err := tx.Raw("select seq from authz_counter where id = 1").Scan(&rev).Error; err != nil {
			return err
		}
		rows, err := tx.Raw("select user_ref, relation, object, valid_from, valid_until from authz_tuples "+where, args...).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r tupleRow
			if err := rows.Scan(&r.UserRef, &r.Relation, &r.Object, &r.ValidFrom, &r.ValidUntil); err != nil {
				return err
			}
			fn(r.tuple())
		}
		return rows.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("load tuples: %w", err)
	}
	return rev, nil
}

// revisions is what some revisions did, in order.
type revisions struct {
	changes []Change
	proofs  []string // that they ended
	last    int64    // of them
	from    []string // the steps that made them, as trace.Parent names them
}

// since reads up to limit revisions after rev; none is rev itself.
func (s *Store) since(ctx context.Context, rev int64, limit int) (revisions, error) {
	r := revisions{last: rev}
	var rows []logRow
	if err := s.lane().Read(ctx).Raw(`select seq, n, op, user_ref, relation, object, valid_from, valid_until, trace from authz_log where seq > ? and seq <= ?
		union all select seq, n, ?, proof, '', '', cast(null as bigint), cast(null as bigint), '' from authz_endings where seq > ? and seq <= ?
		order by seq, n`, rev, rev+int64(limit), opEnd, rev, rev+int64(limit)).Scan(&rows).Error; err != nil { // in one statement, so that both show one state
		return r, fmt.Errorf("read authz log: %w", err)
	}
	for _, row := range rows {
		if r.last = row.Seq; row.Op == opEnd {
			r.proofs = append(r.proofs, row.UserRef)
		} else {
			r.changes = append(r.changes, row.change())
		}
		if row.Trace != "" {
			r.from = append(r.from, row.Trace)
		}
	}
	return r, nil
}
