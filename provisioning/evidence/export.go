package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// ActionExported is what the audit log says of every document and report that somebody was given.
const ActionExported = "evidence.exported"

// Sign makes a signed document of a record that cites these records of the audit log, notes in the audit log that by was given it, and
// answers it with its text. about is what the export is of.
func (s *Store) Sign(ctx context.Context, by, kind, about string, record any, cites []int64, format string) (*Document, []byte, error) {
	key, err := s.Keys.signer(ctx)
	if err != nil {
		return nil, nil, err
	}
	d := &Document{Kind: kind, MadeAt: now(s.Now), MadeBy: by, Record: record}
	if d.Audit, err = audit.Cite(ctx, s.DB, cites); err != nil {
		return nil, nil, err
	}
	text, err := d.sign(key)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(text)
	return d, text, s.exported(ctx, by, about, map[string]any{"kind": kind, "format": format, "sha256": hex.EncodeToString(sum[:]), "key": string(key.id)})
}

// exported notes in the audit log that somebody is given something.
func (s *Store) exported(ctx context.Context, by, about string, what map[string]any) error {
	return s.DB.Tx(ctx, func(tx *db.Tx) error {
		return audit.Append(tx, audit.Record{At: now(s.Now), Actor: by, Action: ActionExported, Subject: about, RequestID: string(httpapi.RequestFrom(ctx)), Public: what})
	})
}

// SignedLeaver answers the record of a leaver as it is given away, as JSON or as a page of lang; errors are those of Leaver and Sign.
func (s *Store) SignedLeaver(ctx context.Context, by string, person id.Person, at time.Time, page bool, lang Lang) ([]byte, error) {
	l, err := s.Leaver(ctx, person, at)
	if err != nil {
		return nil, err
	}
	cites := make([]int64, len(l.Acts))
	for i, a := range l.Acts {
		cites[i] = a.Seq
	}
	format := "json"
	if page {
		format = "html"
	}
	d, text, err := s.Sign(ctx, by, KindLeaver, string(person), l, cites, format)
	if err != nil || !page {
		return text, err
	}
	made, err := s.called(ctx, by)
	if err != nil {
		return nil, err
	}
	maps.Copy(l.Names, made)
	var b bytes.Buffer
	err = writeLeaver(&b, lang, d, l)
	return b.Bytes(), err
}
