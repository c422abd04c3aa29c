package directory

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

// note adds an audit record: differences are split into what stays and what can be erased; more is added to what stays.
func (w *work) note(action, subject string, fields []Field, more map[string]any) {
	forever, personal := auditHalves(fields)
	if fields == nil {
		delete(forever, "fields")
	}
	for k, v := range more {
		forever[k] = v
	}
	if w.cause.Source != "" {
		forever["by_source"] = w.cause.Source
	}
	if w.cause.Token != "" {
		forever["token"] = w.cause.Token
	}
	if len(w.cause.Ignored) > 0 && (strings.HasPrefix(action, "record.") || strings.HasPrefix(action, "group.") || strings.HasPrefix(action, "resource.")) {
		forever["ignored"] = plainNames(w.cause.Ignored)
	}
	if w.cause.Reason != "" {
		personal["reason"] = w.cause.Reason
	}
	w.audits = append(w.audits, audit.Record{At: w.now, Actor: w.cause.actor(), Action: action, Subject: subject, Cause: string(w.cause.Source),
		RequestID: string(w.cause.Request), Public: forever, Personal: personal})
}

// plainNames answers names of attributes without the values of filters in them, which may be personal.
func plainNames(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i], _, _ = strings.Cut(path, "[")
	}
	return names
}

func (c Cause) actor() string {
	switch {
	case c.Actor != "":
		return c.Actor
	case c.Token != "":
		return string(c.Token)
	case c.Source != "":
		return string(c.Source)
	}
	return "system"
}

// publish appends the events, then the revocation, then the audit records: the order of locks.
func (w *work) publish() error {
	for _, source := range slices.Sorted(maps.Keys(w.live)) { // a row that every writer of the source wants: last of all
		if n := w.live[source]; n != 0 {
			if err := w.tx.Exec("update sources set live_records = live_records + ? where id = ?", n, source).Error; err != nil {
				return fmt.Errorf("count records: %w", err)
			}
		}
	}
	w.applied.Changed, w.events = slices.Grow(w.applied.Changed, len(w.changed)), slices.Grow(w.events, len(w.changed))
	told := map[string]json.RawMessage{} // a group tells the same of everybody in it
	for _, p := range slices.Sorted(maps.Keys(w.changed)) {
		c := *w.changed[p]
		w.applied.Changed = append(w.applied.Changed, c)
		same := fmt.Sprint(c.Created, c.Fields)
		data := told[same]
		if data == nil {
			var err error
			if data, err = json.Marshal(map[string]any{"created": c.Created, "fields": c.Fields, "source": w.cause.Source, "request": w.cause.Request}); err != nil {
				return err
			}
			told[same] = data
		}
		w.events = append(w.events, feed.Event{At: w.now, Kind: "person.changed", Subject: string(c.Person), Data: data})
	}
	w.wrote = w.wrote || len(w.events)+len(w.audits) > 0
	if w.takenBack {
		w.events, w.audits = nil, nil
	}
	if len(w.events) > 0 {
		seq, err := w.s.feed.Append(w.tx, w.events...)
		if err != nil {
			return err
		}
		w.applied.Seq = seq
	}
	if len(w.freezes) > 0 {
		if err := w.revoke(); err != nil {
			return err
		}
	}
	if len(w.audits) == 0 {
		return nil
	}
	return audit.Append(w.tx, w.audits...)
}

func (w *work) revoke() error {
	rev, err := w.s.Access.Revoke(w.tx, w.freezes)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	if rev == 0 {
		return nil
	}
	w.applied.Rev = rev
	var ids []id.Freeze
	for _, f := range w.freezes {
		ids = append(ids, f.Freeze.ID)
	}
	for part := range slices.Chunk(ids, chunk) {
		if err := w.tx.Exec("update freezes set rev = ? where id in ?", rev, part).Error; err != nil {
			return fmt.Errorf("write freezes: %w", err)
		}
	}
	for i := range w.applied.Freezes {
		if slices.Contains(ids, w.applied.Freezes[i].ID) {
			w.applied.Freezes[i].Rev = rev
		}
	}
	return nil
}
