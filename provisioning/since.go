package provisioning

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/policies"
)

// HadPlace is a channel in which a person had a place for some time since an instant.
type HadPlace struct {
	Channel Channel
	Group   Group // zero: a direct channel
	Role    policies.Role
	From    time.Time
	Until   time.Time // zero: the place stands
}

// HadSince answers the channels in which a person had a place since an instant, as the policy in force has them, the longest first.
func (r *Reactor) HadSince(ctx context.Context, person id.Person, since time.Time) ([]HadPlace, error) {
	c, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	q := r.db.Read(ctx)
	var rows []membershipRow
	if err := q.Raw("select * from memberships where person = ? and (ended_at is null or ended_at >= ?) and since <= ? order by since, id",
		person, db.At(since), db.At(r.clock())).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	narrow, err := narrowSince(q, rows, since)
	if err != nil {
		return nil, err
	}
	var out []HadPlace
	for _, m := range rows {
		only, some := narrow[m.ID]
		for _, channel := range c.channels[m.GroupID] {
			if relationOf(channel.Access[m.Role]) != "" && (!some || slices.Contains(only, channel.Key)) {
				out = append(out, HadPlace{Channel: channel, Group: c.groups[m.GroupID], Role: m.Role, From: m.Since.Time, Until: m.EndedAt.Time})
			}
		}
	}
	direct, err := directOf(q, person)
	for _, p := range direct {
		out = append(out, HadPlace{Channel: p.Channel, Role: p.Role, From: p.Since})
	}
	return out, err
}

// narrowSince answers, of memberships that have given nothing but single channels since an instant, which.
func narrowSince(q reader, places []membershipRow, since time.Time) (map[id.Membership][]string, error) {
	ids := make([]id.Membership, len(places))
	for i, m := range places {
		ids[i] = m.ID
	}
	out, wide := map[id.Membership][]string{}, map[id.Membership]bool{}
	for part := range slices.Chunk(ids, chunkMost) {
		var rows []reasonRow
		if err := q.Raw("select * from reasons where membership in ? and (ended_at is null or ended_at >= ?)", part, db.At(since)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read reasons: %w", err)
		}
		for _, row := range rows {
			r := row.reason()
			if wide[row.Membership] = wide[row.Membership] || !r.Kind.narrow(); r.Kind.narrow() {
				out[row.Membership] = append(out[row.Membership], r.Ref)
			}
		}
	}
	for m := range wide {
		if wide[m] {
			delete(out, m)
		}
	}
	return out, nil
}
