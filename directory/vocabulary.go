package directory

import (
	"context"
	"fmt"
	"slices"
)

// UnitWords answers every word by which a rule may name a unit: keys and names of units, and of those that were succeeded; sorted, each once.
func (r Reader) UnitWords(ctx context.Context) ([]string, error) {
	var rows []unitRow
	if err := r.from(ctx).Raw("select * from units").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read units: %w", err)
	}
	var old []successionRow
	if err := r.from(ctx).Raw("select * from unit_successions").Scan(&old).Error; err != nil {
		return nil, fmt.Errorf("read successions: %w", err)
	}
	var out []string
	for _, u := range rows {
		out = append(out, u.UnitKey, u.Name)
		for _, name := range u.Names.V {
			out = append(out, name)
		}
	}
	for _, s := range old {
		out = append(out, s.OldKey, s.OldName)
		for _, name := range s.OldNames.V {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// GroupWords answers every word by which a rule may name a directory group, as Person.Groups has them.
func (r Reader) GroupWords(ctx context.Context) ([]string, error) {
	list, err := groupsNamed(r.from(ctx))
	var out []string
	for _, g := range list {
		out = append(out, g.names()...)
	}
	return out, err
}

// Known answers those of some words by which a record names somebody, or a person is named: an employee number, a user name or an id.
func (r Reader) Known(ctx context.Context, words []string) (map[string]bool, error) {
	out := map[string]bool{}
	for part := range slices.Chunk(words, chunk) {
		folded := make([]string, len(part))
		for i, word := range part {
			folded[i] = fold(word)
		}
		var rows []string
		if err := r.from(ctx).Raw(`select id from persons where id in ? union select employee_number from records where deleted_at is null and employee_number in ?
			union select user_name_fold from records where deleted_at is null and user_name_fold in ?`, part, part, folded).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("look for people: %w", err)
		}
		for i, word := range part {
			out[word] = slices.Contains(rows, word) || slices.Contains(rows, folded[i])
		}
	}
	return out, nil
}
