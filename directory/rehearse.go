package directory

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Rehearser is an Access that judges a run which is written in parts as a whole, before the first of them is.
type Rehearser interface {
	Rehearse(cause Cause) Rehearsal
}

// Rehearsal gathers what the parts of one run would come to.
type Rehearsal interface {
	// Look is shown, for each part, who would differ, as tx sees them, and what they would have lost. tx is taken back.
	Look(ctx context.Context, tx *db.Tx, people []id.Person, lost []Loss) error
	// Judge is called after the last part. What it finds too much is held from the first part that is written, until Over.
	Judge(ctx context.Context) error
	Over(ctx context.Context) error
	// Held is called instead of Judge: it answers what would be held, and notes nothing.
	Held(ctx context.Context) ([]Held, error)
}

// Held is what of a run is held, or would be, for one reason.
type Held struct {
	Hold   id.Hold `json:"hold,omitempty" doc:"where to decide; empty of what would be held"`
	Cause  string  `json:"cause"`
	People int     `json:"people"`
	Reason string  `json:"reason" doc:"the limit that is exceeded"`
}

// Holder is an Access that knows what is held.
type Holder interface {
	// HeldOf answers what of a source's word is held: of a run, what it asked for first, and whatever else is held of these people; without one,
	// everything, whatever asked for it.
	HeldOf(ctx context.Context, source id.Source, run id.Request, people []id.Person) ([]Held, error)
}

// HeldOf answers what Holder.HeldOf does; nothing where Access does not hold.
func (s *Store) HeldOf(ctx context.Context, source id.Source, run id.Request, people []id.Person) ([]Held, error) {
	if holder, can := s.Access.(Holder); can {
		return holder.HeldOf(ctx, source, run, people)
	}
	return nil, nil
}

// rehearsedMost is how many changes of a part may be refused before the rest of it is left out.
const rehearsedMost = 50

// Rehearse makes each part of a run and takes it back, and has Access judge all of them together: of a change of many people nothing is to pass
// only because it came first. A change that is refused is left out. Each is told the outcomes of a part, "" of what was left out. The caller
// writes the run, and then calls over. Of a source that is not live nobody follows, and nothing is done.
func (s *Store) Rehearse(ctx context.Context, cause Cause, parts iter.Seq[[]Change], each func([]Outcome)) (over func(context.Context) error, err error) {
	idle := func(context.Context) error { return nil }
	rehearsal, err := s.show(ctx, cause, parts, each)
	if err != nil || rehearsal == nil {
		return idle, err
	}
	if err := rehearsal.Judge(ctx); err != nil {
		return idle, err
	}
	return rehearsal.Over, nil
}

// WouldHold makes each part of a run and takes it back, and answers what of all of them would be held. Nothing is written.
func (s *Store) WouldHold(ctx context.Context, cause Cause, parts iter.Seq[[]Change]) ([]Held, error) {
	rehearsal, err := s.show(ctx, cause, parts, func([]Outcome) {})
	if err != nil || rehearsal == nil {
		return nil, err
	}
	return rehearsal.Held(ctx)
}

// show lets Access see each part of a run; nil where there is nobody to be shown it.
func (s *Store) show(ctx context.Context, cause Cause, parts iter.Seq[[]Change], each func([]Outcome)) (Rehearsal, error) {
	access, can := s.Access.(Rehearser)
	source, err := s.SourceByID(ctx, cause.Source)
	if err != nil || !can || source.Mode != ModeLive {
		return nil, err
	}
	rehearsal := access.Rehearse(cause)
	for part := range parts {
		outcomes, err := s.rehearse(ctx, cause, rehearsal, part)
		if err != nil {
			return nil, err
		}
		each(outcomes)
	}
	return rehearsal, nil
}

func (s *Store) rehearse(ctx context.Context, cause Cause, rehearsal Rehearsal, part []Change) ([]Outcome, error) {
	outcomes, left, at := make([]Outcome, len(part)), slices.Clone(part), make([]int, len(part))
	for i := range at {
		at[i] = i
	}
	for refused := 0; len(left) > 0 && refused < rehearsedMost; refused++ {
		w, err := s.attempt(ctx, cause, func(w *work) error {
			people := make([]id.Person, 0, len(w.applied.Changed))
			for _, c := range w.applied.Changed {
				people = append(people, c.Person)
			}
			return rehearsal.Look(ctx, w.tx, people, w.lost)
		}, left)
		var bad *ChangeError
		switch {
		case errors.Is(err, errDry):
			for i, n := range at {
				outcomes[n] = w.applied.Outcomes[i]
			}
			return outcomes, nil
		case errors.Is(err, errStale):
		case errors.As(err, &bad) && bad.Index >= 0 && bad.Index < len(left):
			left, at = slices.Delete(left, bad.Index, bad.Index+1), slices.Delete(at, bad.Index, bad.Index+1)
		default:
			return nil, err
		}
	}
	return outcomes, nil
}
