package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Activity is what is known of what one person did in one channel: their messages, and the last time they moved their read position. A
// history that was only looked at, or a live message, leaves no trace.
type Activity struct {
	Channel  id.Channel
	Messages int
	First    time.Time // of the messages; zero where there is none
	Last     time.Time
	ReadAt   time.Time // zero: not since
	ReadSeq  int64
}

// ActivityOf answers what a person did since an instant in these channels, in the order of their ids; channels in which nothing is known
// are left out.
func (c *Chat) ActivityOf(ctx context.Context, person id.Person, since time.Time, channels []id.Channel) ([]Activity, error) {
	return c.store.activity(ctx, person, since, channels)
}

func (s *store) activity(ctx context.Context, person id.Person, since time.Time, channels []id.Channel) ([]Activity, error) {
	found := map[id.Channel]*Activity{}
	at := func(channel id.Channel) *Activity {
		if found[channel] == nil {
			found[channel] = &Activity{Channel: channel}
		}
		return found[channel]
	}
	for part := range slices.Chunk(channels, 500) {
		var written []struct {
			Channel     id.Channel
			N           int
			First, Last db.Instant
		}
		if err := s.db.Read(ctx).Raw(`select channel, count(*) as n, min(at) as first, max(at) as last from chat_messages
			where channel in ? and author = ? and at >= ? group by channel`, part, person, db.At(since)).Scan(&written).Error; err != nil {
			return nil, fmt.Errorf("read messages of %s: %w", person, err)
		}
		for _, row := range written {
			a := at(row.Channel)
			a.Messages, a.First, a.Last = row.N, row.First.Time, row.Last.Time
		}
		var read []struct {
			Channel id.Channel
			Seq     int64
			At      db.Instant
		}
		if err := s.db.Read(ctx).Raw("select channel, seq, at from chat_reads where person = ? and channel in ? and at >= ?", person, part, db.At(since)).Scan(&read).Error; err != nil {
			return nil, fmt.Errorf("read positions of %s: %w", person, err)
		}
		for _, row := range read {
			a := at(row.Channel)
			a.ReadAt, a.ReadSeq = row.At.Time, row.Seq
		}
	}
	out := make([]Activity, 0, len(found))
	for _, channel := range slices.Sorted(slices.Values(channels)) {
		if a := found[channel]; a != nil {
			out = append(out, *a)
		}
	}
	return out, nil
}
