package provisioning

import (
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// doubtSlot is the slot of those of whom it is not known what they may do: something that was said of them could not be handled yet.
const doubtSlot = "doubt"

// Doubt denies a person everything from tx's commit on, without a freeze in the directory: nobody decided it, and no source lifts it.
func (r *Reactor) Doubt(tx *db.Tx, person id.Person) error {
	var changes []authz.Change
	for _, t := range doubtTuples(person) {
		changes = append(changes, authz.Put(t))
	}
	if _, err := r.authz.Append(tx, changes...); err != nil {
		return fmt.Errorf("doubt: %w", err)
	}
	return nil
}

// Trust ends what Doubt began.
func (r *Reactor) Trust(tx *db.Tx, person id.Person) error {
	if _, err := r.authz.Append(tx, authz.Remove(doubtTuples(person)[1])); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	return nil
}

// doubted says that somebody is denied everything because something that was said of them could not be handled yet.
func (x *explainer) doubted() error {
	tuple := doubtTuples(x.fact.Person.ID)[1]
	standing, err := x.reactor.authz.Tuples(x.ctx, authz.Filter{User: tuple.User, Relation: tuple.Relation, Object: tuple.Object})
	if err != nil || len(standing) == 0 {
		return err
	}
	x.Missing = append(x.Missing, Line{Kind: "freeze", Text: Text{"Something that was said of the person could not be handled yet, and is tried again: until then it is not known what they may do", "关于此人的某条记录暂时无法处理，正在重试；在此之前无法确定其权限"}},
		tupleLine(tuple, time.Time{}))
	return nil
}

func doubtTuples(person id.Person) []authz.Tuple {
	return freezeTuples(directory.Freeze{Person: person, Slot: doubtSlot}, directory.LeaveRule{}, time.Time{})
}
