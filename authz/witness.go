package authz

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/rollcall-im/rollcall/internal/id"
)

// class says why a decision came out as it did.
type class int

const (
	allowed  class = iota
	outside        // no tuple gives it
	untimely       // a tuple gives it at another time
	frozen
	paused
	unknown // there is no such person, or no such channel
	doubted // OpenFGA said otherwise
	byClock // this node's clock is not trusted
	byLease // this node has not heard from the database for too long
	chosen  // nobody was decided about: chosen among all there are
	classCount
)

// classNames are the classes of decisions, as figures and the audit log do.
var classNames = [classCount]string{"allowed", "outside", "window", "frozen", "paused", "unknown", "doubted", "clock", "lease", "sample"}

// String implements fmt.Stringer.
func (k class) String() string { return classNames[k] }

// How many decisions are noted between two comparisons: of what was allowed, and of each way of refusing.
const (
	notedAllowed = 16
	notedRefused = 4
)

// witness notes some of the decisions that Index makes, for Engine to ask OpenFGA the same. A decision that nobody wants costs one read of a word
// that is seldom written; never more are noted than OpenFGA can be asked in the meantime.
type witness struct {
	wanted [classCount]atomic.Int32
	spread atomic.Uint32 // one in so many of what is allowed
	noted  chan question // made before anything is wanted
}

// question is one decision to compare.
type question struct {
	person  id.Person
	channel id.Channel
	action  int
	class   class
}

func (w *witness) wants(k class) bool { return w.wanted[k].Load() > 0 }

// note keeps q for the next comparison. The first deliveries after the last one are not always those noted: of what is allowed it takes one in a
// number that changes.
func (w *witness) note(q question) {
	if q.class == allowed && rand.Uint32N(w.spread.Load()) != 0 || q.class == unknown && !(plain(string(q.person)) && plain(string(q.channel))) {
		return
	}
	if w.wanted[q.class].Add(-1) < 0 {
		return
	}
	select {
	case w.noted <- q:
	default: // the last ones have not been asked yet
	}
}

// take answers what was noted, and wants more. One goroutine at a time may call it.
func (w *witness) take() []question {
	if w.noted == nil {
		w.noted = make(chan question, notedAllowed+int(classCount)*notedRefused)
	}
	var all []question
	for len(w.noted) > 0 {
		all = append(all, <-w.noted)
	}
	w.spread.Store(1 << (3 * rand.Uint32N(4))) // 1, 8, 64, 512
	for k := range chosen {
		n := int32(notedRefused)
		if k == allowed {
			n = notedAllowed
		}
		w.wanted[k].Store(n)
	}
	return all
}

// plain tells whether OpenFGA takes name for an id: what is unknown may be any text.
func plain(name string) bool {
	return name != "" && len(name) <= 64 && strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == '#' || r == '*' || r > '~' }) < 0
}
