package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// entry is one event of a channel's log; message is set for what is about one.
type entry struct {
	seq     int64
	kind    string
	subject string
	rev     int64
	at      time.Time
	message *Message
}

// heads answers the newest seq of every channel.
func (s *store) heads(ctx context.Context) (map[id.Channel]int64, error) {
	var rows []channelRow
	if err := s.db.Read(ctx).Raw("select channel, seq from chat_channels").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read channels: %w", err)
	}
	out := make(map[id.Channel]int64, len(rows))
	for _, row := range rows {
		out[row.Channel] = row.Seq
	}
	return out, nil
}

// entries answers up to limit events after a seq, fewer where their messages are large, and the newest seq.
func (s *store) entries(ctx context.Context, channel id.Channel, after int64, limit int) (out []entry, head int64, err error) {
	if err := s.db.Read(ctx).Raw("select seq from chat_channels where channel = ?", channel).Scan(&head).Error; err != nil {
		return nil, 0, fmt.Errorf("read channel: %w", err)
	}
	if head <= after {
		return nil, head, nil
	}
	var events []eventRow
	if err := s.db.Read(ctx).Where("channel = ? and seq > ? and seq <= ?", channel, after, head).Order("seq").Limit(limit).Find(&events).Error; err != nil {
		return nil, 0, fmt.Errorf("read events: %w", err)
	}
	if len(events) == 0 {
		return nil, head, nil
	}
	p, err := s.history(ctx, channel, events[len(events)-1].Seq+1, after, len(events), time.Time{})
	if err != nil {
		return nil, 0, err
	}
	bySeq := make(map[int64]*Message, len(p.messages))
	for i := range p.messages {
		bySeq[p.messages[i].Seq] = &p.messages[i]
	}
	for _, e := range events {
		m := bySeq[e.Seq]
		if e.Type == messageCreated && m == nil {
			break // the page of messages ended before
		}
		out = append(out, entry{seq: e.Seq, kind: e.Type, subject: e.Subject, rev: e.Rev, at: e.At.Time, message: m})
	}
	return out, head, nil
}

// personEntries answers up to limit events of a person's log after a seq, and its newest seq.
func (s *store) personEntries(ctx context.Context, person id.Person, after int64, limit int) (rows []personEventRow, head int64, err error) {
	if err := s.db.Read(ctx).Raw("select seq from chat_people where person = ?", person).Scan(&head).Error; err != nil {
		return nil, 0, fmt.Errorf("read person's log: %w", err)
	}
	if err := s.db.Read(ctx).Where("person = ? and seq > ?", person, after).Order("seq").Limit(limit).Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("read person's log: %w", err)
	}
	return rows, head, nil
}

// standing is where a person stands in a channel.
type standing struct {
	Channel           id.Channel
	Seq, ReadSeq      int64
	Messages, Ordinal int64
}

func (s standing) unread() int64 { return max(0, s.Messages-s.Ordinal) }

// standings answers where person stands in channels that have events. from says from when on a history is open.
func (s *store) standings(ctx context.Context, person id.Person, channels map[id.Channel]time.Time) (map[id.Channel]standing, error) {
	ids := make([]id.Channel, 0, len(channels))
	for channel := range channels {
		ids = append(ids, channel)
	}
	out := make(map[id.Channel]standing, len(ids))
	for part := range slices.Chunk(ids, 500) {
		var rows []standing
		if err := s.db.Read(ctx).Raw(`select c.channel, c.seq, c.messages, coalesce(r.seq, 0) as read_seq, coalesce(e.ordinal, 0) as ordinal
			from chat_channels c
			left join chat_reads r on r.channel = c.channel and r.person = ?
			left join chat_events e on e.channel = r.channel and e.seq = r.seq
			where c.channel in ?`, person, part).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read standings: %w", err)
		}
		for _, row := range rows {
			if from := channels[row.Channel]; !from.IsZero() {
				var hidden int64
				if err := s.db.Read(ctx).Raw("select ordinal from chat_events where channel = ? and seq > ? and at < ? order by seq desc limit 1",
					row.Channel, row.ReadSeq, from.UnixMicro()).Scan(&hidden).Error; err != nil {
					return nil, fmt.Errorf("read standings: %w", err)
				}
				row.Ordinal = max(row.Ordinal, hidden)
			}
			out[row.Channel] = row
		}
	}
	return out, nil
}
