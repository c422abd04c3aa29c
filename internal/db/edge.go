package db

import "sync/atomic"

// edge is where a writing transaction can be cut off: what AtCommit was given, or nothing.
type edge struct {
	fn atomic.Pointer[func(committed bool)]
}

// AtCommit has fn called at both edges of each writing transaction that does not fail: before its commit, and after it, before anything that waits
// for the commit goes on. A process that ends in fn has ended at the worst moments there are. fn runs in the goroutine of the transaction.
func (d *DB) AtCommit(fn func(committed bool)) { d.edge.fn.Store(&fn) }

func (e *edge) at(committed bool) {
	if fn := e.fn.Load(); fn != nil {
		(*fn)(committed)
	}
}
