package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Whoever changes their name is looked for by the old one for a while: in the search of administrators, and nowhere else. Nobody is ever shown it.

const (
	formerMost = 20 // former names of a person that are kept
	formerRows = 200
)

// formerRow is what somebody was called until at, folded as People looks for it.
type formerRow struct {
	PersonID id.Person
	Words    string
	At       db.Instant
}

// rename notes by what a person is not called any more.
func (p *writing) rename(s *subject, fields []Field) {
	if p.w.r.former == nil || *p.w.r.former <= 0 {
		return
	}
	if !slices.ContainsFunc(fields, func(f Field) bool {
		return slices.Contains([]string{"display_name", "given_name", "family_name", "user_name", "email"}, f.Name) && !empty(f.Before) && fold(text(f.Before)) != fold(text(f.Now))
	}) {
		return
	}
	old := s.old.person()
	p.former = append(p.former, formerRow{s.id, fold(strings.Join([]string{old.DisplayName, old.FamilyName + old.GivenName, old.GivenName, old.UserName, old.Email}, "\n")), db.At(p.w.now)})
}

func (p *writing) flushFormer() error {
	for part := range slices.Chunk(p.former, formerRows) {
		args, people := []any{}, []id.Person{}
		for _, row := range part {
			args, people = append(args, row.PersonID, row.Words, row.At), append(people, row.PersonID)
		}
		if err := p.w.tx.Exec("insert into former_names (person_id, words, at) values "+strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(part)), ", ")+
			" on conflict (person_id, words) do update set at = excluded.at", args...).Error; err != nil {
			return fmt.Errorf("note former names: %w", err)
		}
		if err := p.w.tx.Exec(`delete from former_names where person_id in ? and (select count(*) from former_names o where o.person_id = former_names.person_id
			and (o.at > former_names.at or o.at = former_names.at and o.words > former_names.words)) >= ?`, db.Pad(people), formerMost).Error; err != nil {
			return fmt.Errorf("note former names: %w", err)
		}
	}
	return nil
}

// formerSince answers since when former names count.
func (r Reader) formerSince() db.Instant { return db.At(r.now().Add(-*r.former)) }

// ForgetNames forgets at once by what a person was called before: no search finds them by it. ErrNotFound where there is no such person.
func (s *Store) ForgetNames(ctx context.Context, cause Cause, person id.Person) error {
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		if _, err := s.In(tx).Person(ctx, person); err != nil {
			return err
		}
		if kept, err := s.held(tx, person); err != nil {
			return err
		} else if kept {
			return ErrKept
		}
		done := tx.Exec("delete from former_names where person_id = ?", person)
		if done.Error != nil {
			return fmt.Errorf("forget names: %w", done.Error)
		}
		if done.RowsAffected == 0 {
			return nil
		}
		return audit.Append(tx, audit.Record{At: s.clock(), Actor: cause.actor(), Action: "person.names_forgotten", Subject: string(person), RequestID: string(cause.Request),
			Public: map[string]any{"names": done.RowsAffected}})
	})
}

func (s *Store) held(tx *db.Tx, person id.Person) (bool, error) {
	if s.Held == nil {
		return false, nil
	}
	return s.Held(tx, person)
}

// forgetOldNames deletes the names that count no more, but of whom all has to be kept. It writes nothing where there is none.
func (s *Store) forgetOldNames(ctx context.Context) error {
	before := s.formerSince()
	var old []int
	if err := s.db.Read(ctx).Raw("select 1 from former_names where at <= ? limit 1", before).Scan(&old).Error; err != nil || len(old) == 0 {
		return err
	}
	return s.db.Tx(ctx, func(tx *db.Tx) error {
		var people []id.Person
		if err := tx.Raw("select distinct person_id from former_names where at <= ? order by person_id", before).Scan(&people).Error; err != nil {
			return err
		}
		for _, person := range people {
			kept, err := s.held(tx, person)
			if err == nil && !kept {
				err = tx.Exec("delete from former_names where at <= ? and person_id = ?", before, person).Error
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// FormerNames is how long people are found by former names where nothing else is set.
const FormerNames = 365 * 24 * time.Hour
