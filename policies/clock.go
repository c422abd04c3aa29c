package policies

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/rollcall-im/rollcall/directory"
)

// Dates that nobody said: far enough away that no rule meets them, near enough that days can be added.
const (
	noStart = 1000 // the year
	noEnd   = 9000
)

// clockType is the type of the one value by which a condition can depend on the present.
var clockType = cel.OpaqueType("clock")

// clock is the present of one evaluation. It can only be asked whether an instant has come, and remembers the first of which it had to say no:
// up to then the same evaluation goes the same way, because nothing else in it depends on time.
type clock struct {
	now  time.Time
	zone *time.Location
	next time.Time // zero: time alone changes nothing
}

func (c *clock) reached(at time.Time) bool {
	if !c.now.Before(at) {
		return true
	}
	if at.Year() < noEnd && (c.next.IsZero() || at.Before(c.next)) {
		c.next = at
	}
	return false
}

// ConvertToNative implements ref.Val; nothing is to be had.
func (c *clock) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("a clock is no value")
}

// ConvertToType implements ref.Val.
func (c *clock) ConvertToType(ref.Type) ref.Val { return types.NewErr("a clock is no value") }

// Equal implements ref.Val.
func (c *clock) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(c)) }

// Type implements ref.Val.
func (c *clock) Type() ref.Type { return clockType }

// Value implements ref.Val.
func (c *clock) Value() any { return c }

// reached is after(t): whether t has come.
func reached(c, at ref.Val) ref.Val {
	now, ok := c.(*clock)
	then, is := at.(types.Timestamp)
	if !ok || !is {
		return types.MaybeNoSuchOverloadErr(at)
	}
	return types.Bool(now.reached(then.Time))
}

// dateOf is date("2026-04-01"): the beginning of that day where the person is.
func dateOf(c, day ref.Val) ref.Val {
	now, ok := c.(*clock)
	text, is := day.(types.String)
	if !ok || !is {
		return types.MaybeNoSuchOverloadErr(day)
	}
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return types.NewErr("%s", wantsDate)
	}
	return types.Timestamp{Time: directory.OnWall(at, now.zone)}
}
