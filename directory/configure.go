package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ConfigureSource changes the priority, the authority or the correlation of a source; nil leaves one as it is, a list of nil is the
// authority over everything. By itself it merges nobody anew: Store.Configure does. A record that is there keeps its person: what new
// ones are correlated by joins nobody who was apart (a work item does, where there is one).
type ConfigureSource struct {
	Source    id.Source
	Priority  *int
	Authority *[]string
	Correlate *[]string
}

// refreshed notes up to whom people were merged anew; the empty person: all.
type refreshed struct {
	source id.Source
	upto   id.Person
}

func (ConfigureSource) change() {}
func (refreshed) change()       {}

// normal answers an authority in the order of the groups, each name once; over every group it is the authority over everything, nil.
func normal(authority []string) []string {
	if authority == nil {
		return nil
	}
	groups := AuthorityGroups()
	out := slices.DeleteFunc(groups, func(g string) bool { return !slices.Contains(authority, g) })
	if len(out) == len(authorityGroups()) {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(authority), func(name string) bool { return slices.Contains(out, name) })
	slices.Sort(rest)
	return append(append([]string{}, out...), slices.Compact(rest)...)
}

func (w *work) configureSource(c ConfigureSource) (Outcome, error) {
	src, err := w.source(c.Source)
	if err == nil && src.Kind == KindGuests {
		err = ErrBuiltIn
	}
	if err != nil {
		return "", err
	}
	if w.tx.Engine() == db.Postgres { // what stands beneath the lock is what is compared
		if err := w.tx.Exec("select id from sources where id = ? for update", c.Source).Error; err != nil {
			return "", fmt.Errorf("lock source: %w", err)
		}
		if src, err = w.r.SourceByID(w.ctx, c.Source); err != nil {
			return "", err
		}
	}
	was := src
	if c.Priority != nil {
		src.Priority = *c.Priority
	}
	if c.Authority != nil {
		if err := CheckAuthority(*c.Authority); err != nil {
			return "", err
		}
		src.Authority = normal(*c.Authority)
	}
	if c.Correlate != nil {
		if err := w.recorrelate(&src, *c.Correlate); err != nil {
			return "", err
		}
	}
	if src.Priority == was.Priority && slices.Equal(src.Authority, was.Authority) && (src.Authority == nil) == (was.Authority == nil) {
		if !slices.Equal(src.Correlate, was.Correlate) {
			return Updated, nil
		}
		return Unchanged, nil
	}
	if err := w.tx.Exec("update sources set priority = ?, authority = ?, config_version = config_version + 1, refresh_from = '' where id = ?",
		src.Priority, db.JSON[[]string]{V: src.Authority}, src.ID).Error; err != nil {
		return "", fmt.Errorf("write source: %w", err)
	}
	src.version++
	w.sources[src.ID], w.wrote = src, true
	w.note("source.configured", string(src.ID), nil, map[string]any{"name": src.Name, "priority": []int{was.Priority, src.Priority},
		"authority": [][]string{was.Authority, src.Authority}})
	return Updated, nil
}

// recorrelate changes by what new records of a source join a person.
func (w *work) recorrelate(src *Source, correlate []string) error {
	if err := checkCorrelate(correlate); err != nil {
		return err
	}
	was := src.Correlate
	if slices.Equal(was, correlate) {
		return nil
	}
	if err := w.tx.Exec("update sources set correlate = ? where id = ?", db.JSON[[]string]{V: correlate}, src.ID).Error; err != nil {
		return fmt.Errorf("write source: %w", err)
	}
	src.Correlate = correlate
	w.sources[src.ID], w.wrote = *src, true
	w.note("source.configured", string(src.ID), nil, map[string]any{"name": src.Name, "correlate": [][]string{was, correlate}})
	return nil
}

func checkCorrelate(correlate []string) error {
	for _, by := range correlate {
		if by != CorrelateEmployeeNumber && by != CorrelateExternalID {
			return fmt.Errorf("%w: people are never correlated by %q", ErrInvalid, by)
		}
	}
	return nil
}

func (w *work) markRefreshed(c refreshed) (Outcome, error) {
	upto := &c.upto
	if c.upto == "" {
		upto = nil
	}
	if err := w.tx.Exec("update sources set refresh_from = ? where id = ? and refresh_from is not null", upto, c.source).Error; err != nil {
		return "", fmt.Errorf("write source: %w", err)
	}
	return Updated, nil
}

// peopleOf answers whom a source has a record of, tombstones too, in order.
func (r Reader) peopleOf(ctx context.Context, source id.Source) ([]id.Person, error) {
	var out []id.Person
	if err := r.from(ctx).Raw("select distinct person_id from records where source_id = ? and person_id is not null order by person_id", source).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read people of a source: %w", err)
	}
	return out, nil
}

// Configure changes the priority or the authority of a source, merges everybody of it anew, in parts, and returns when what follows is in
// force. Where the process ends half-way FinishConfigure goes on. What stands already is no change.
func (s *Store) Configure(ctx context.Context, cause Cause, c ConfigureSource) (Source, error) {
	if _, err := s.Apply(ctx, cause, c); err != nil {
		return Source{}, err
	}
	s.configuring.Lock()
	defer s.configuring.Unlock()
	if err := s.refresh(context.WithoutCancel(ctx), cause, c.Source); err != nil {
		return Source{}, err
	}
	return s.SourceByID(ctx, c.Source)
}

// FinishConfigure goes on where Configure was interrupted.
func (s *Store) FinishConfigure(ctx context.Context) error {
	var open []id.Source
	if err := s.db.Read(ctx).Raw("select id from sources where refresh_from is not null order by id").Scan(&open).Error; err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	if len(open) == 0 || !s.configuring.TryLock() {
		return nil
	}
	defer s.configuring.Unlock()
	for _, source := range open {
		if err := s.refresh(ctx, Cause{Actor: "system"}, source); err != nil {
			return err
		}
	}
	return nil
}

// refresh merges the people of a source anew from where that was left off.
func (s *Store) refresh(ctx context.Context, cause Cause, source id.Source) error {
	var rows []sourceRow
	if err := s.db.Read(ctx).Where("id = ?", source).Find(&rows).Error; err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	if len(rows) == 0 || rows[0].RefreshFrom == nil {
		return nil
	}
	people, err := s.peopleOf(ctx, source)
	if err != nil {
		return err
	}
	people = slices.DeleteFunc(people, func(p id.Person) bool { return p <= *rows[0].RefreshFrom })
	for part := range slices.Chunk(people, chunk) {
		if _, err := s.Apply(ctx, cause, RefreshPeople{People: part}, refreshed{source, part[len(part)-1]}); err != nil {
			return fmt.Errorf("merge people of source %s: %w", source, err)
		}
	}
	_, err = s.Apply(ctx, cause, refreshed{source: source})
	return err
}

// TryConfigure lets look see, part by part, what would stand of the people of a source if it were configured so, and takes everything
// back. applied says of each part who would differ.
func (s *Store) TryConfigure(ctx context.Context, cause Cause, c ConfigureSource, look func(tx *db.Tx, people []id.Person) error, each func(Applied)) error {
	people, err := s.peopleOf(ctx, c.Source)
	if err != nil {
		return err
	}
	parts := slices.Collect(slices.Chunk(people, chunk))
	if len(parts) == 0 { // the change itself is checked all the same
		parts = append(parts, nil)
	}
	for _, part := range parts {
		changes := []Change{c, RefreshPeople{People: part}}
		applied, err := s.Try(ctx, cause, func(tx *db.Tx) error { return look(tx, part) }, changes...)
		var refused *ChangeError
		if errors.As(err, &refused) {
			return refused.Err
		}
		if err != nil {
			return err
		}
		each(applied)
	}
	return nil
}
