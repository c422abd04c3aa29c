package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/directory"
)

// maxRefused bounds how many changes of one sync the store may refuse before the sync gives up.
const maxRefused = 200

// put applies changes in batches. One the store refuses is set aside, so that it does not keep the others out.
func (s *Syncer) put(ctx context.Context, rep *Report, class Class, changes []directory.Change) error {
	var aside []directory.PutRecord
	refused, done := 0, 0
	for chunk := range slices.Chunk(changes, batch) {
		size := len(chunk)
		chunk = slices.Clone(chunk)
		for len(chunk) > 0 {
			applied, err := s.Store.Apply(ctx, s.cause(rep, ""), chunk...)
			if err == nil {
				rep.count(class, applied)
				s.remember(class, chunk)
				break
			}
			var bad *directory.ChangeError
			if !errors.As(err, &bad) || bad.Index >= len(chunk) || len(aside)+refused >= maxRefused {
				return err
			}
			if person, ok := chunk[bad.Index].(directory.PutRecord); ok && errors.Is(err, directory.ErrExists) {
				aside = append(aside, person)
			} else {
				refused++
				s.Log.Warn("directory entry refused", "source", s.Source.Name, "class", class, "error", bad.Err)
			}
			chunk = slices.Delete(chunk, bad.Index, bad.Index+1)
		}
		done += size
		s.progress(Progress{Phase: "write", Class: class, Done: done, Total: len(changes)})
	}
	if refused > 0 {
		rep.find(Warning, "refused", "%d entries (%s) were refused; the log says why", refused, class)
	}
	return s.putAside(ctx, rep, class, aside)
}

// putAside writes people whose login somebody else has in the store. That may be the old holder of a login who is
// written later in the same sync: so first all without it, then each with it. Who still cannot have it goes without.
func (s *Syncer) putAside(ctx context.Context, rep *Report, class Class, aside []directory.PutRecord) error {
	if len(aside) == 0 {
		return nil
	}
	without := make([]directory.Change, len(aside))
	for i, put := range aside {
		put.Record.UserName = ""
		without[i] = put
	}
	applied, err := s.Store.Apply(ctx, s.cause(rep, ""), without...)
	if err != nil {
		return err
	}
	rep.count(class, applied)
	taken := 0
	for _, put := range aside {
		_, err := s.Store.Apply(ctx, s.cause(rep, ""), put)
		switch {
		case errors.Is(err, directory.ErrExists):
			taken++
		case err != nil:
			return err
		}
	}
	if taken > 0 {
		rep.find(Warning, "login_taken", "%d people have a login that another record of this source still holds; they are kept without it", taken)
	}
	return nil
}

func (r *Report) count(class Class, applied directory.Applied) {
	for _, o := range applied.Outcomes {
		r.tally(class, o, 1)
	}
}

func (r *Report) tally(class Class, o directory.Outcome, n int) {
	if r.Outcomes[class] == nil {
		r.Outcomes[class] = map[directory.Outcome]int{}
	}
	r.Outcomes[class][o] += n
}

// digest stands for the content of one change.
type digest [16]byte

// identify answers under which name a change is remembered, and its content; ok is false for what cannot be remembered.
func identify(class Class, c directory.Change) (name string, content digest, ok bool) {
	var k string
	var passing bool
	switch c := c.(type) {
	case directory.PutUnit:
		k = c.Unit.Key
	case directory.PutRecord:
		k = c.Record.Key
	case directory.PutGroup:
		k, passing = c.Group.Key, c.Members == nil // members that were left alone may be anything
	case directory.RemoveUnit:
		k, passing = c.Key, true
	case directory.DeleteGroup:
		k, passing = c.Key, true
	}
	if name = string(class) + k; passing {
		return name, digest{}, false
	}
	raw, err := json.Marshal(c)
	sum := sha256.Sum256(raw)
	return name, digest(sum[:16]), err == nil
}

// fresh leaves out what this Syncer wrote itself with the same content, unless the person is absent or deleted since.
func (s *Syncer) fresh(rep *Report, class Class, changes []directory.Change, known []directory.RecordKey) []directory.Change {
	if len(s.written) == 0 {
		return changes
	}
	standing := map[string]bool{}
	for _, k := range known {
		standing[k.Key] = k.AbsentSince.IsZero() && k.DeletedAt.IsZero()
	}
	out := make([]directory.Change, 0, 64)
	for _, c := range changes {
		name, content, ok := identify(class, c)
		if put, person := c.(directory.PutRecord); ok && s.written[name] == content && (!person || standing[put.Record.Key]) {
			rep.tally(class, directory.Unchanged, 1)
			continue
		}
		delete(s.written, name) // until the store has taken it
		out = append(out, c)
	}
	return out
}

func (s *Syncer) remember(class Class, changes []directory.Change) {
	if s.written == nil {
		s.written = map[string]digest{}
	}
	for _, c := range changes {
		if name, content, ok := identify(class, c); ok {
			s.written[name] = content
		}
	}
}

// forget makes the next sync compare everything with the store.
func (s *Syncer) forget() {
	s.running.Lock()
	defer s.running.Unlock()
	s.written = nil
}

// absent marks those whom a complete reading did not contain and whom the server does not know when asked by id: an
// entry may slip from one page to another while it is renamed. All are marked in one call, so that whoever guards
// against mass removal sees the whole of it.
func (s *Syncer) absent(ctx context.Context, rep *Report, st *stage, known []directory.RecordKey, reader Reader) error {
	var missing []string
	for _, k := range known {
		if _, ok := st.people[k.Key]; !ok && k.AbsentSince.IsZero() && k.DeletedAt.IsZero() {
			missing = append(missing, k.Key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := reader.Lookup(ctx, ClassPerson, missing)
	if err != nil {
		return fmt.Errorf("%w: %d absences could not be confirmed: %w", ErrIncomplete, len(missing), err)
	}
	if len(found) > 0 {
		rep.find(Info, "slipped", "%d people were missed by the pages and found by their id", len(found))
		there := map[string]bool{}
		for _, o := range found {
			there[o.Key] = true
		}
		missing = slices.DeleteFunc(missing, func(k string) bool { return there[k] })
	}
	if len(missing) == 0 {
		return nil
	}
	rep.Absent = len(missing)
	rep.find(Warning, "absent", "%d people are no longer in the directory", len(missing))
	if _, err := s.Store.Apply(ctx, s.cause(rep, ""), directory.MarkAbsent{Source: s.Source.ID, Keys: missing, Proof: rep.Proof.text()}); err != nil {
		return fmt.Errorf("mark absent: %w", err)
	}
	return nil
}

// remove takes units and groups away that a complete reading did not contain. A class of which nothing was read, but
// something is known, stays: rights to read it are lost more often than all of it.
func (s *Syncer) remove(ctx context.Context, rep *Report, st *stage) error {
	units, err := s.Store.UnitsOf(ctx, s.Source.ID)
	if err != nil {
		return err
	}
	var gone, goneGroups []directory.Change
	mine := 0
	for _, u := range slices.Backward(units) { // children before parents
		mine++
		if _, ok := st.units[u.Key]; !ok {
			gone = append(gone, directory.RemoveUnit{Source: s.Source.ID, Key: u.Key})
		}
	}
	if len(st.units) == 0 && mine > 0 {
		rep.find(Warning, "units_hidden", "no unit was found, and %d are known; they stay", mine)
		gone = nil
	}
	groups, err := s.groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if _, ok := st.groups[g.Key]; !ok {
			goneGroups = append(goneGroups, directory.DeleteGroup{Source: s.Source.ID, Key: g.Key})
		}
	}
	if len(st.groups) == 0 && len(groups) > 0 {
		rep.find(Warning, "groups_hidden", "no group was found, and %d are known; they stay", len(groups))
		goneGroups = nil
	}
	if err := s.put(ctx, rep, ClassUnit, s.fresh(rep, ClassUnit, gone, nil)); err != nil {
		return fmt.Errorf("remove units: %w", err)
	}
	if err := s.put(ctx, rep, ClassGroup, s.fresh(rep, ClassGroup, goneGroups, nil)); err != nil {
		return fmt.Errorf("remove groups: %w", err)
	}
	return nil
}

func (s *Syncer) groups(ctx context.Context) (all []directory.GroupRecord, err error) {
	for after := (directory.GroupQuery{Source: s.Source.ID, Limit: batch, NoTotal: true, NoRaw: true}); ; {
		page, err := s.Store.FindGroups(ctx, after)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Groups...)
		if len(page.Groups) < batch {
			return all, nil
		}
		after.After = page.Groups[len(page.Groups)-1].ID
	}
}
