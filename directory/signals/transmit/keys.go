package transmit

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/seal"
)

const (
	bits      = 2048                // of RS256, as the CAEP interoperability profile wants it (section 2.6)
	ageOfKeys = 90 * 24 * time.Hour // then there is a new one
	announced = 24 * time.Hour      // a new key stands in the key set before it signs: receivers keep what they read for a while
	kept      = 7 * 24 * time.Hour  // and the former one after it
)

// Key is the public half of a key.
type Key struct {
	ID        string
	CreatedAt time.Time
	SignsFrom time.Time
	GoneAt    time.Time // from then on receivers are not told to believe it; zero: no later key is there
}

type keyRow struct {
	ID, Public, Sealed           string
	CreatedAt, SignsFrom, GoneAt db.Instant
}

func (t *Transmitter) keyRows(ctx context.Context) ([]keyRow, error) {
	var rows []keyRow
	err := t.DB.Read(ctx).Raw("select id, public, sealed, created_at, signs_from, gone_at from transmit_keys where gone_at is null or gone_at > ? order by signs_from desc, id", db.At(t.clock())).Scan(&rows).Error
	return rows, err
}

// Keys answers the keys that receivers are told to believe, the latest first.
func (t *Transmitter) Keys(ctx context.Context) ([]Key, error) {
	rows, err := t.keyRows(ctx)
	out := make([]Key, len(rows))
	for i, r := range rows {
		out[i] = Key{r.ID, r.CreatedAt.Time, r.SignsFrom.Time, r.GoneAt.Time}
	}
	return out, err
}

// keySet answers them as RFC 7517 has it.
func (t *Transmitter) keySet(ctx context.Context) (jose.JSONWebKeySet, error) {
	rows, err := t.keyRows(ctx)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, r := range rows {
		var key jose.JSONWebKey
		if err := json.Unmarshal([]byte(r.Public), &key); err != nil {
			return set, fmt.Errorf("key %s: %w", r.ID, err)
		}
		set.Keys = append(set.Keys, key)
	}
	return set, err
}

// Rotate makes a new key. It signs a day later, and the former ones are believed a week longer. atOnce is for when somebody else may have a former
// one: the new key signs now, and nobody is to believe the others any more.
func (t *Transmitter) Rotate(ctx context.Context, by string, atOnce bool) error {
	if t.Seal == nil {
		return ErrNoSeal
	}
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	sealed, err := seal.Seal(base64.StdEncoding.EncodeToString(der), t.Seal.Recipients()...)
	if err != nil {
		return fmt.Errorf("seal key of signals: %w", err)
	}
	kid := rand.Text()
	public, err := json.Marshal(jose.JSONWebKey{Key: &private.PublicKey, KeyID: kid, Algorithm: string(jose.RS256), Use: "sig"})
	if err != nil {
		return err
	}
	return t.DB.Tx(ctx, func(tx *db.Tx) error {
		now := t.clock()
		if err := tx.Exec("update transmit_keys set id = id").Error; err != nil { // one new key at a time
			return err
		}
		var latest keyRow
		if err := tx.Raw("select id, created_at, signs_from from transmit_keys where gone_at is null or gone_at > ? order by signs_from desc limit 1", db.At(now)).Scan(&latest).Error; err != nil {
			return err
		}
		if !atOnce && latest.ID != "" && by == bySystem && now.Sub(latest.CreatedAt.Time) < ageOfKeys { // another node was faster
			return nil
		}
		from, gone := now.Add(announced), now.Add(announced+kept)
		if latest.ID == "" || atOnce {
			from, gone = now, now
		}
		if err := tx.Exec("update transmit_keys set gone_at = ? where gone_at is null or gone_at > ?", db.At(gone), db.At(gone)).Error; err != nil {
			return err
		}
		if err := tx.Exec("insert into transmit_keys (id, public, sealed, made_by, created_at, signs_from) values (?, ?, ?, ?, ?, ?)", kid, string(public), sealed, by, db.At(now), db.At(from)).Error; err != nil {
			return fmt.Errorf("write key of signals: %w", err)
		}
		return audit.Append(tx, audit.Record{At: now, Actor: by, Action: "transmitter.key", Subject: kid, Public: map[string]any{"signs_from": from.Format(time.RFC3339), "at_once": atOnce}})
	})
}

// bySystem is who makes keys when their time has come.
const bySystem = "system"

// tend makes the first key, and the next one when the latest is old.
func (t *Transmitter) tend(ctx context.Context) error {
	rows, err := t.keyRows(ctx)
	if err != nil || len(rows) > 0 && t.clock().Sub(rows[0].CreatedAt.Time) < ageOfKeys {
		return err
	}
	return t.Rotate(ctx, bySystem, false)
}

// signer answers what signs with the key of now.
func (t *Transmitter) signer(ctx context.Context) (jose.Signer, error) {
	if t.Seal == nil {
		return nil, ErrNoSeal
	}
	rows, err := t.keyRows(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.SignsFrom.After(t.clock()) {
			continue
		}
		return t.signerOf(r)
	}
	return nil, errNoKey
}

// signed answers claims as a security event token (RFC 8417).
func signed(s jose.Signer, claims string) (string, error) {
	token, err := s.Sign([]byte(claims))
	if err != nil {
		return "", err
	}
	return token.CompactSerialize()
}

var errNoKey = errors.New("there is no key yet that signs signals")

func (t *Transmitter) signerOf(r keyRow) (jose.Signer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.keys[r.ID]; ok {
		return s, nil
	}
	text, err := t.Seal.Open(r.Sealed)
	if errors.Is(err, seal.ErrOther) {
		return nil, ErrKey
	}
	if err != nil {
		return nil, fmt.Errorf("open key of signals: %w", err)
	}
	der, err := base64.StdEncoding.DecodeString(text)
	private, more := x509.ParsePKCS8PrivateKey(der)
	if err = cmp.Or(err, more); err != nil {
		return nil, ErrKey
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: r.ID}}, (&jose.SignerOptions{}).WithType("secevent+jwt"))
	if err != nil {
		return nil, ErrKey
	}
	if t.keys == nil {
		t.keys = map[string]jose.Signer{}
	}
	t.keys[r.ID] = s
	return s, nil
}
