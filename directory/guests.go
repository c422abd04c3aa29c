package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-im/rollcall/internal/id"
)

// WithEmail tells whether one of these addresses is that of somebody who has not left and whom another source than that of guests knows.
func (r Reader) WithEmail(ctx context.Context, addresses ...string) (bool, error) {
	folded := make([]string, len(addresses))
	for i, a := range addresses {
		folded[i] = fold(a)
	}
	var people []id.Person
	if err := r.from(ctx).Raw(`select distinct r.person_id from record_contacts c join records r on r.link = c.link join sources s on s.id = r.source_id
		where c.kind = 'email' and c.value_fold in ? and r.deleted_at is null and r.person_id is not null and s.kind <> ?`, folded, KindGuests).Scan(&people).Error; err != nil {
		return false, fmt.Errorf("find address: %w", err)
	}
	found, err := r.PeopleByID(ctx, people)
	return slices.ContainsFunc(found, func(p Person) bool { return !p.Status.Left() }), err
}

// GuestsOut answers, in order, whom a freeze of FreezePerson with Guests keeps out.
func (r Reader) GuestsOut(ctx context.Context) ([]id.Person, error) {
	var people []id.Person
	if err := r.from(ctx).Raw("select distinct person_id from freezes where slot >= 'guests.' and slot < 'guests/' and lifted_at is null order by person_id").Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read freezes: %w", err)
	}
	return people, nil
}
