package chat

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the chat tables up to date.
func Migrate(ctx context.Context, d *db.DB) error {
	return d.Migrate(ctx, "chat", migrations)
}

// The types of events.
const (
	messageCreated = "message.created"
	memberJoined   = "member.joined"
	memberLeft     = "member.left"
	readMoved      = "read.moved"
	channelJoined  = "channel.joined"
	channelLeft    = "channel.left"
)

// store reads and writes the chat tables. In a transaction it locks chat_channels, then chat_reads, then
// chat_people, then the feed.
type store struct {
	db       *db.DB
	feed     *feed.Feed
	revision func(tx *db.Tx) (int64, error)
	now      func() time.Time
}

// errRepeat rolls back a transaction that found its effect in place.
var errRepeat = errors.New("this was written before")

// next moves a channel's counter. The row stays locked until the end of tx, so that the order of seq is the
// order of commits; at never goes back.
func (s *store) next(tx *db.Tx, channel id.Channel, messages int) (row channelRow, err error) {
	err = tx.Raw(`insert into chat_channels (channel, seq, messages, at) values (?, 1, ?, ?)
		on conflict (channel) do update set seq = chat_channels.seq + 1, messages = chat_channels.messages + excluded.messages,
			at = case when chat_channels.at > excluded.at then chat_channels.at else excluded.at end
		returning channel, seq, messages, at`, channel, messages, db.At(s.now())).Scan(&row).Error
	return row, err
}

// post writes a checked draft. allowed is asked in the transaction, after the revision was read; its error
// rolls back. fresh is false where the message stood already.
func (s *store) post(ctx context.Context, author id.Person, d Draft, html string, allowed func(rev int64) error) (m Message, fresh bool, err error) {
	var row messageRow
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		at, err := s.next(tx, d.Channel, 1)
		if err != nil {
			return err
		}
		found := tx.Where("channel = ? and author = ? and client_id = ?", d.Channel, author, d.ClientID).Limit(1).Find(&row)
		if found.Error != nil {
			return found.Error
		}
		if found.RowsAffected > 0 {
			return errRepeat
		}
		rev, err := s.revision(tx)
		if err != nil {
			return err
		}
		if err := allowed(rev); err != nil {
			return err
		}
		row = messageRow{ID: id.New[id.Message](), Channel: d.Channel, Seq: at.Seq, Author: author, ClientID: d.ClientID, Kind: d.Kind,
			Body: d.Text, Language: d.Language, HTML: html, Rev: rev, At: at.At}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if err := tx.Create(&eventRow{Channel: d.Channel, Seq: at.Seq, Type: messageCreated, Subject: string(row.ID), Ordinal: at.Messages, Rev: rev, At: at.At}).Error; err != nil {
			return err
		}
		if _, err := s.moveRead(tx, author, d.Channel, at.Seq); err != nil { // what one wrote one has read
			return err
		}
		data, err := json.Marshal(map[string]any{"channel": row.Channel, "seq": row.Seq, "author": row.Author})
		if err != nil {
			return err
		}
		_, err = s.feed.Append(tx, feed.Event{At: row.At.Time, Kind: messageCreated, Subject: string(row.ID), Data: data})
		return err
	})
	switch {
	case err == nil:
		return row.message(), true, nil
	case errors.Is(err, errRepeat) && row.Body == d.Text && row.Kind == d.Kind && row.Language == d.Language:
		return row.message(), false, nil
	case errors.Is(err, errRepeat):
		return Message{}, false, ErrReused
	}
	return Message{}, false, err
}

// moveRead moves a read cursor forward; false where it stood there or beyond.
func (s *store) moveRead(tx *db.Tx, person id.Person, channel id.Channel, seq int64) (bool, error) {
	done := tx.Exec(`insert into chat_reads (person, channel, seq, at) values (?, ?, ?, ?)
		on conflict (person, channel) do update set seq = excluded.seq, at = excluded.at where chat_reads.seq < excluded.seq`,
		person, channel, seq, db.At(s.now()))
	return done.RowsAffected > 0, done.Error
}

// personEvent appends to a person's log.
func (s *store) personEvent(tx *db.Tx, person id.Person, kind string, channel id.Channel, value int64) error {
	var seq int64
	if err := tx.Raw(`insert into chat_people (person, seq) values (?, 1)
		on conflict (person) do update set seq = chat_people.seq + 1 returning seq`, person).Scan(&seq).Error; err != nil {
		return err
	}
	return tx.Create(&personEventRow{Person: person, Seq: seq, Type: kind, Channel: channel, Value: value, At: db.At(s.now())}).Error
}

// read moves a read cursor to seq, at most to the channel's newest event, and answers where it stands.
func (s *store) read(ctx context.Context, person id.Person, channel id.Channel, seq int64) (stands int64, moved bool, err error) {
	err = s.db.Tx(ctx, func(tx *db.Tx) error {
		moved = false
		var head int64
		if err := tx.Raw("select seq from chat_channels where channel = ?", channel).Scan(&head).Error; err != nil {
			return err
		}
		if seq = min(seq, head); seq > 0 {
			if moved, err = s.moveRead(tx, person, channel, seq); err != nil {
				return err
			}
		}
		if moved {
			stands = seq
			return s.personEvent(tx, person, readMoved, channel, seq)
		}
		stands = 0
		return tx.Raw("select seq from chat_reads where person = ? and channel = ?", person, channel).Scan(&stands).Error
	})
	return stands, moved, err
}

// membership writes that a person joined or left into the logs; fresh is false where the newest entry about the
// person says the same already.
func (s *store) membership(tx *db.Tx, m Move) (seq int64, fresh bool, err error) {
	kind, mine := memberLeft, channelLeft
	if m.Joined {
		kind, mine = memberJoined, channelJoined
	}
	var newest string
	if err := tx.Raw("select type from chat_events where channel = ? and subject = ? and type in ('member.joined', 'member.left') order by seq desc limit 1",
		m.Channel, m.Person).Scan(&newest).Error; err != nil || newest == kind {
		return 0, false, err
	}
	at, err := s.next(tx, m.Channel, 0)
	if err != nil {
		return 0, false, err
	}
	if err := tx.Create(&eventRow{Channel: m.Channel, Seq: at.Seq, Type: kind, Subject: string(m.Person), Ordinal: at.Messages, Rev: m.Rev, At: at.At}).Error; err != nil {
		return 0, false, err
	}
	if m.Joined { // what was said before is not unread
		if err := tx.Exec("insert into chat_reads (person, channel, seq, at) values (?, ?, ?, ?) on conflict (person, channel) do nothing",
			m.Person, m.Channel, at.Seq, at.At).Error; err != nil {
			return 0, false, err
		}
	}
	return at.Seq, true, s.personEvent(tx, m.Person, mine, m.Channel, at.Seq)
}

const pageBytes = 1 << 20

// page is a part of a channel's messages in order of seq.
type page struct {
	messages []Message
	more     bool
}

// history answers up to limit messages: the newest, those before a seq, or those after one (from 0, -1: not); fewer where they
// are large. Messages older than from are not there.
func (s *store) history(ctx context.Context, channel id.Channel, before, after int64, limit int, from time.Time) (page, error) {
	q := s.db.Read(ctx).Table("chat_messages").Where("channel = ?", channel)
	order := "seq desc"
	if before > 0 {
		q = q.Where("seq < ?", before)
	}
	if after >= 0 {
		q, order = q.Where("seq > ?", after), "seq"
	}
	if !from.IsZero() {
		q = q.Where("at >= ?", from.UnixMicro())
	}
	rows, err := q.Order(order).Limit(limit + 1).Rows()
	if err != nil {
		return page{}, fmt.Errorf("read history: %w", err)
	}
	defer rows.Close()
	var p page
	for size := 0; rows.Next(); {
		var row messageRow
		if err := s.db.Read(ctx).ScanRows(rows, &row); err != nil {
			return page{}, fmt.Errorf("read history: %w", err)
		}
		if size += len(row.Body) + len(row.HTML); len(p.messages) == limit || size > pageBytes && len(p.messages) > 0 {
			p.more = true
			break
		}
		p.messages = append(p.messages, row.message())
	}
	if order == "seq desc" {
		for i, j := 0, len(p.messages)-1; i < j; i, j = i+1, j-1 {
			p.messages[i], p.messages[j] = p.messages[j], p.messages[i]
		}
	}
	return p, rows.Err()
}

// message answers one message; ErrNotFound where there is none.
func (s *store) message(ctx context.Context, message id.Message) (Message, error) {
	var row messageRow
	err := s.db.Read(ctx).Where("id = ?", message).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Message{}, ErrNotFound
	}
	return row.message(), err
}
