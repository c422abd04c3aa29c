package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

const (
	directMost = 64  // people up to whom one transaction does everything
	chunkMost  = 500 // people of one chunk
	chunkLeast = 8
	chunkTime  = 50 * time.Millisecond // what a writing chunk should take
)

// Reconcile makes the memberships of these people what facts, policy and time want, as of now. One to 64
// people are one transaction; more are surveyed first, judged by the guard once and written in chunks. A
// person who cannot be judged is in Result.Failed, is remembered and tried again by Tend, and keeps what
// stands; an error says that nobody knows what was done beyond the chunks before. It does not wait for Result.Rev.
func (r *Reactor) Reconcile(ctx context.Context, cause directory.Cause, people []id.Person) (Result, error) {
	return r.reconcile(ctx, &run{cause: cause}, people)
}

// ReconcileAll reconciles everybody the directory knows, after finishing a policy whose application was interrupted.
func (r *Reactor) ReconcileAll(ctx context.Context) (Result, error) {
	result, done, err := r.finish(ctx)
	if err != nil || done {
		return result, err
	}
	return r.all(ctx, &run{})
}

// all surveys everybody at once, and writes as bulk does.
func (r *Reactor) all(ctx context.Context, run *run) (Result, error) {
	var busy []id.Person
	var rev int64
	batch := Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}}
	err := r.look(ctx, func(tx *db.Tx, c *catalog) (err error) {
		if rev, err = r.authz.Revision(tx); err != nil {
			return fmt.Errorf("read revision: %w", err)
		}
		if err := r.scan(tx, run, c, nil, func(a assessment, _ bool) error {
			busy = append(busy, a.person)
			batch.collect(a)
			return nil
		}); err != nil {
			return err
		}
		run.added, run.later = batch.Added, batch.Later
		return r.foretell(ctx, tx, run, c, &batch)
	})
	if err != nil {
		return Result{}, err
	}
	result, err := r.chunks(ctx, run, distinct(busy))
	result.Rev = max(result.Rev, rev)
	return result, err
}

func (r *Reactor) reconcile(ctx context.Context, run *run, people []id.Person) (Result, error) {
	people = distinct(people)
	switch n := len(people); {
	case n == 0:
		return Result{}, nil
	case n <= directMost:
		return r.chunk(ctx, run, people)
	}
	return r.bulk(ctx, run, people)
}

func distinct(people []id.Person) []id.Person {
	people = append([]id.Person{}, people...)
	slices.Sort(people)
	return slices.Compact(people)
}

// bulk surveys people without a lock, has the guard judge everything at once, and writes only those for whom
// there is something to do.
func (r *Reactor) bulk(ctx context.Context, run *run, people []id.Person) (Result, error) {
	var result Result
	busy, rev, err := r.survey(ctx, run, distinct(people))
	if err != nil {
		return result, err
	}
	result, err = r.chunks(ctx, run, busy)
	result.Rev = max(result.Rev, rev) // somebody else may have written what this run would have: then that must be in force
	return result, err
}

// chunks writes these people in parts.
func (r *Reactor) chunks(ctx context.Context, run *run, busy []id.Person) (Result, error) {
	var result Result
	for size := chunkMost / 10; len(busy) > 0; {
		n := min(size, len(busy))
		began := time.Now()
		part, err := r.chunk(ctx, run, busy[:n])
		result.add(part)
		if err != nil {
			return result, err
		}
		busy = busy[n:]
		if time.Since(began) > chunkTime {
			size = max(size/2, chunkLeast)
		} else {
			size = min(size*2, chunkMost)
		}
		// A bulk run goes no faster than the index follows: a freeze never waits behind it.
		if part.Written > 0 && len(busy) > 0 {
			if err := r.wait(ctx, part.Rev); err != nil {
				return result, err
			}
		}
	}
	return result, nil
}

// survey is the first pass: it reads only, fills in run's verdict, and answers the people who need the second and
// the newest revision it saw.
func (r *Reactor) survey(ctx context.Context, run *run, people []id.Person) (busy []id.Person, rev int64, err error) {
	batch := Batch{Added: map[id.Group]int{}, Later: map[id.Group]int{}}
	for part := range slices.Chunk(people, chunkMost) {
		err := r.look(ctx, func(tx *db.Tx, c *catalog) error {
			list, err := r.gather(tx, run, c, part, false)
			if err != nil {
				return err
			}
			if rev, err = r.authz.Revision(tx); err != nil {
				return fmt.Errorf("read revision: %w", err)
			}
			for _, a := range list {
				if !a.idle() {
					busy = append(busy, a.person)
				}
				batch.collect(a)
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	run.added, run.later = batch.Added, batch.Later
	if len(batch.Removals) == 0 {
		return busy, rev, nil
	}
	err = r.look(ctx, func(tx *db.Tx, c *catalog) error { return r.foretell(ctx, tx, run, c, &batch) })
	return busy, rev, err
}

// foretell has the guard judge a whole run at once.
func (r *Reactor) foretell(ctx context.Context, tx *db.Tx, run *run, c *catalog, batch *Batch) error {
	if len(batch.Removals) == 0 {
		return nil
	}
	if err := r.complete(ctx, tx, c, batch); err != nil {
		return err
	}
	var err error
	run.counts = batch.Counts
	run.verdict, err = Guard{guardOf(c)}.Check(*batch)
	return err
}

// collect puts what the guard must judge about one person into the batch.
func (b *Batch) collect(a assessment) {
	for _, s := range a.steps {
		switch {
		case s.guarded:
			b.Removals = append(b.Removals, s.removal(a.person))
		case (s.Op == OpAdd || s.Op == OpBegin) && s.Begins.IsZero() && b.Added != nil:
			b.Added[s.Group]++
		case s.Op == OpAdd && b.Later != nil:
			b.Later[s.Group]++
		}
	}
}

// complete fills in what the guard needs beside the removals.
func (r *Reactor) complete(ctx context.Context, tx *db.Tx, c *catalog, b *Batch) error {
	var err error
	if b.Signs, err = r.signs(ctx, tx, c, b.Removals, b.Counts); err != nil {
		return err
	}
	if b.Recent, err = recent(tx.DB, r.clock()); err != nil {
		return err
	}
	var groups []id.Group
	for _, removal := range b.Removals {
		groups = append(groups, removal.Group)
	}
	slices.Sort(groups)
	if b.Members, err = countMembers(tx.DB, slices.Compact(groups)); err != nil {
		return err
	}
	b.Population, b.Missed = r.population(ctx, tx), r.missing(ctx, tx)
	return nil
}

// population answers what Batch.Population is.
func (r *Reactor) population(ctx context.Context, tx *db.Tx) func(Cause, id.Source) (int, error) {
	return func(cause Cause, source id.Source) (int, error) {
		if cause != CauseAbsence || source == "" {
			return countPlaced(tx.DB)
		}
		return r.directory.In(tx).Shown(ctx, r.clock().Add(-Window), source)
	}
}

// look runs fn on one consistent state, for reading only.
func (r *Reactor) look(ctx context.Context, fn func(*db.Tx, *catalog) error) error {
	return r.db.Snapshot(ctx, func(q reader) error {
		c, err := r.catalogIn(q)
		if err != nil {
			return err
		}
		return fn(&db.Tx{DB: q}, c)
	})
}

// policyOf answers the policy in force; an empty one where there is none.
func policyOf(c *catalog) *policies.Policy {
	if c.policy == nil {
		return &policies.Policy{}
	}
	return c.policy
}

func guardOf(c *catalog) policies.Guard {
	if c.policy == nil {
		return policies.DefaultGuard()
	}
	return c.policy.Guard
}

// chunk writes people in one transaction. Where that fails each of them is tried alone, so that one person's
// trouble is not everybody's.
func (r *Reactor) chunk(ctx context.Context, run *run, people []id.Person) (Result, error) {
	result, err := r.attempt(ctx, run, people)
	if err == nil {
		return result, nil
	}
	if ctx.Err() != nil {
		return Result{}, err
	}
	if len(people) > 1 {
		result = Result{}
		for _, p := range people {
			part, err := r.chunk(ctx, run, []id.Person{p})
			if err != nil {
				return result, err
			}
			result.add(part)
		}
		return result, nil
	}
	r.log.ErrorContext(ctx, "person could not be reconciled", "person", people[0], "error", err)
	failure := Result{Failed: map[id.Person]error{people[0]: err}}
	if err := r.db.Tx(ctx, func(tx *db.Tx) error { return r.remember(tx, people[0], err) }); err != nil {
		return failure, fmt.Errorf("remember failure: %w", err) // the database itself is in trouble
	}
	return failure, nil
}

func (r *Reactor) attempt(ctx context.Context, run *run, people []id.Person) (Result, error) {
	var result Result
	err := r.db.Tx(ctx, func(tx *db.Tx) error {
		c, err := r.locked(tx, false)
		if err != nil {
			return err
		}
		list, err := r.gather(tx, run, c, people, true)
		if err != nil {
			return err
		}
		result, err = r.write(ctx, tx, run, c, list)
		return err
	})
	return result, err
}

// remember notes that a person could not be reconciled.
func (r *Reactor) remember(tx *db.Tx, person id.Person, failure error) error {
	return tx.Exec(`insert into failures (person, error, since, attempts) values (?, ?, ?, 1)
		on conflict (person) do update set error = excluded.error, rules = '', attempts = failures.attempts + 1`,
		person, failure.Error(), db.At(r.clock())).Error
}
