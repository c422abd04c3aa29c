package authz

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Past answers what the relations said about one channel at an instant: as of the log's last revision up to then, with every window judged at that
// instant. Of an instant to come it is what stands now, judged then. It is the same evaluation as that of the Index, over the log played back; it
// reads the log once, as a whole, and never changes.
type Past struct {
	index   *Index
	channel id.Channel
	rev     int64
	stands  []Evidence
}

// Evidence is a tuple that stood, and by which revision since when.
type Evidence struct {
	Tuple Tuple
	Rev   int64
	At    time.Time
}

// AsOf plays the log back up to at, as far as it concerns channel: the channel, the projects and grants it names, freezes and pauses.
func (s *Store) AsOf(ctx context.Context, channel id.Channel, at time.Time) (*Past, error) {
	p := &Past{channel: channel, index: NewIndex(s)}
	p.index.Now = func() time.Time { return at }
	stands := map[[3]string]Evidence{}
	err := s.db.Snapshot(ctx, func(q handle) error {
		if err := q.Raw("select coalesce(max(seq), 0) from authz_log where at <= ?", db.At(at)).Scan(&p.rev).Error; err != nil {
			return err
		}
		object := typeChannel + ":" + string(channel)
		var named []string
		if err := q.Raw("select distinct user_ref from authz_log where object = ? and seq <= ?", object, p.rev).Scan(&named).Error; err != nil {
			return err
		}
		objects := []string{object}
		for _, user := range named {
			if of, _, set := strings.Cut(user, "#"); set {
				objects = append(objects, of)
			}
		}
		rows, err := q.Raw(`select seq, n, op, user_ref, relation, object, valid_from, valid_until, at from authz_log
			where seq <= ? and (object in ? or object like 'freeze:%' or object like 'pause:%' or object like 'org:%') order by seq, n`, p.rev, objects).Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r logRow
			if err := rows.Scan(&r.Seq, &r.N, &r.Op, &r.UserRef, &r.Relation, &r.Object, &r.ValidFrom, &r.ValidUntil, &r.At); err != nil {
				return err
			}
			key := [3]string{r.Object, r.Relation, r.UserRef}
			if delete(stands, key); r.Op == opWrite {
				stands[key] = Evidence{Tuple: r.change().Tuple, Rev: r.Seq, At: r.At.Time}
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("play the authz log back: %w", err)
	}
	for _, e := range stands {
		p.stands = append(p.stands, e)
	}
	slices.SortFunc(p.stands, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(a.Rev, b.Rev), byKey(Put(a.Tuple), Put(b.Tuple)))
	})
	return p, p.index.fill(ctx, func(put func(Tuple)) (int64, error) {
		for _, e := range p.stands {
			put(e.Tuple)
		}
		return p.rev, nil
	})
}

// fill makes the index hold what load puts, and nothing else.
func (x *Index) fill(ctx context.Context, load func(put func(Tuple)) (int64, error)) error {
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.release()
	return x.build(load)
}

// Revision is the last revision of the log up to the instant: what the answers rest on.
func (p *Past) Revision() int64 { return p.rev }

// Allow answers as Index.Allow would have.
func (p *Past) Allow(person id.Person, action string) (ok bool, historyFrom time.Time) {
	return p.index.Allow(person, p.channel, action)
}

// Audience answers who could see the channel, in order of id.
func (p *Past) Audience() []id.Person { return slices.Sorted(p.index.Audience(p.channel)) }

// Of answers what stood about a person, in order of revision: places, a history from joining, freezes; also what its window did not let count.
func (p *Past) Of(person id.Person) []Evidence {
	var out []Evidence
	for _, e := range p.stands {
		if e.Tuple.User == "user:"+string(person) {
			out = append(out, e)
		}
	}
	return out
}

// Access answers the tuples by which the channel knew roles and people.
func (p *Past) Access() []Evidence {
	var out []Evidence
	for _, e := range p.stands {
		if e.Tuple.Object == typeChannel+":"+string(p.channel) {
			out = append(out, e)
		}
	}
	return out
}

// Covers tells whether the window of the tuple holds at t.
func (e Evidence) Covers(t time.Time) bool {
	return (e.Tuple.From.IsZero() || !t.Before(e.Tuple.From)) && (e.Tuple.Until.IsZero() || t.Before(e.Tuple.Until))
}
