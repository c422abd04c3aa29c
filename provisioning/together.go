package provisioning

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// together lets calls of Settle that come at the same time be one transaction: the first one leads, those that come
// while it runs are the next run, and one of them leads that. Nobody waits for company. Each call is told of its own
// people only, in its own name; what the guard must judge, and what could not be done in company, each call
// does alone, so that no call decides what becomes of another's.
type together struct {
	mu      sync.Mutex // guards the rest
	waiting []*settling
	busy    bool
}

// settling is one call of Settle.
type settling struct {
	cause  directory.Cause
	people []id.Person
	turn   chan struct{} // told once: to lead, or that it is over

	lead   bool
	done   bool // else: to be done alone
	result Result
}

// settleTime bounds a run in company.
const settleTime = 5 * time.Minute

// settle reconciles people, in company where others come at the same time.
func (r *Reactor) settle(ctx context.Context, cause directory.Cause, people []id.Person) (Result, error) {
	people = distinct(people)
	if len(people) == 0 || len(people) > directMost {
		return r.Reconcile(ctx, cause, people)
	}
	call := &settling{cause: cause, people: people, turn: make(chan struct{}, 1)}
	if t := &r.together; t.join(call) {
		r.lead(ctx, call)
	} else if <-call.turn; call.lead {
		r.lead(ctx, call)
	}
	if call.done {
		return call.result, nil
	}
	return r.Reconcile(ctx, cause, people)
}

// join queues call; true says that it leads.
func (t *together) join(call *settling) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, call)
	if t.busy {
		return false
	}
	t.busy = true
	return true
}

// take adds to the calls of a run those that wait, as many as one transaction does.
func (t *together) take(calls []*settling) []*settling {
	t.mu.Lock()
	defer t.mu.Unlock()
	people := 0
	for _, call := range calls {
		people += len(call.people)
	}
	for len(t.waiting) > 0 && people+len(t.waiting[0].people) <= directMost {
		calls = append(calls, t.waiting[0])
		people += len(t.waiting[0].people)
		t.waiting = t.waiting[1:]
	}
	return calls
}

// over tells the calls of a run that it is over, and makes one of those that came meanwhile lead.
func (t *together) over(calls []*settling, leader *settling) {
	for _, call := range calls {
		if call != leader {
			call.turn <- struct{}{}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.busy = false
		return
	}
	t.waiting[0].lead = true
	t.waiting[0].turn <- struct{}{}
}

// lead runs the calls that wait, own first among them. Those that come until the transaction has its turn take part.
func (r *Reactor) lead(ctx context.Context, own *settling) {
	calls := r.together.take(nil)
	defer func() { r.together.over(calls, own) }()
	// Each call has its own end; this is the end of all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	var result Result
	alone := map[id.Person]bool{}
	err := r.db.Brief(ctx, func(tx *db.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil { // whose panic it is, that call finds out alone
				err = fmt.Errorf("reconcile: %v", p)
			}
		}()
		calls = r.together.take(calls)
		clear(alone)
		result, err = r.company(ctx, tx, calls, alone)
		return err
	})
	if err != nil {
		return // each alone finds out whose trouble it is
	}
	for _, call := range calls {
		call.result, call.done = Result{Rev: result.Rev}, true
		for _, p := range call.people {
			call.done = call.done && !alone[p]
		}
	}
	if len(calls) == 1 {
		own.result = result
	}
}

// company reconciles the people of calls, and notes those with whom each call has to deal alone: the guard judges them, or they
// cannot be judged. Of a single call it leaves nobody out.
func (r *Reactor) company(ctx context.Context, tx *db.Tx, calls []*settling, alone map[id.Person]bool) (Result, error) {
	run := &run{cause: calls[0].cause, causes: map[id.Person]directory.Cause{}}
	var people []id.Person
	for _, call := range calls {
		for _, p := range call.people {
			if _, twice := run.causes[p]; !twice {
				run.causes[p] = call.cause
				people = append(people, p)
			}
		}
	}
	c, err := r.locked(tx, false)
	if err != nil {
		return Result{}, err
	}
	list, err := r.gather(tx, run, c, distinct(people), true)
	if err != nil {
		return Result{}, err
	}
	if len(calls) > 1 {
		list = slices.DeleteFunc(list, func(a assessment) bool {
			alone[a.person] = len(a.vanished) > 0 || a.guarded()
			return alone[a.person]
		})
	}
	return r.write(ctx, tx, run, c, list)
}

// guarded tells whether the guard has to judge anything of a person.
func (a assessment) guarded() bool {
	return slices.ContainsFunc(a.steps, func(s step) bool { return s.guarded })
}
