package evidence

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// Keys are what documents are signed with. Seal opens and seals their secret halves; nil: nothing can be signed.
type Keys struct {
	DB   *db.DB
	Seal *seal.Key
	Now  func() time.Time // nil: time.Now
}

// Key is one key's public half.
type Key struct {
	ID        id.EvidenceKey
	Public    string // base64
	CreatedAt time.Time
	RetiredAt time.Time // zero: it signs
}

// signer is a key with its secret half.
type signer struct {
	id      id.EvidenceKey
	private ed25519.PrivateKey
}

func (s signer) public() ed25519.PublicKey { return s.private.Public().(ed25519.PublicKey) }

func now(clock func() time.Time) time.Time {
	if clock == nil {
		clock = time.Now
	}
	return clock().UTC().Truncate(time.Microsecond)
}

// List answers every key there ever was, the newest first: a document of long ago was signed with the key of its time.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	rows, err := k.rows(ctx)
	out := make([]Key, len(rows))
	for i, row := range rows {
		out[i] = Key{ID: row.ID, Public: row.Public, CreatedAt: row.CreatedAt.Time, RetiredAt: row.RetiredAt.Time}
	}
	return out, err
}

// signer answers the key that signs now, and makes the first one.
func (k *Keys) signer(ctx context.Context) (signer, error) {
	if k.Seal == nil {
		return signer{}, ErrNoSeal
	}
	rows, err := k.rows(ctx)
	if err != nil {
		return signer{}, err
	}
	for _, row := range rows {
		if !row.RetiredAt.IsZero() {
			continue
		}
		text, err := k.Seal.Open(row.Sealed)
		if errors.Is(err, seal.ErrOther) {
			return signer{}, ErrKey
		}
		if err != nil {
			return signer{}, fmt.Errorf("open key of evidence: %w", err)
		}
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != ed25519.SeedSize {
			return signer{}, ErrKey
		}
		return signer{row.ID, ed25519.NewKeyFromSeed(raw)}, nil
	}
	return k.rotate(ctx, "system")
}

// Rotate makes a new key, with which everything is signed from now on; the former stays readable.
func (k *Keys) Rotate(ctx context.Context, by string) error {
	_, err := k.rotate(ctx, by)
	return err
}

func (k *Keys) rotate(ctx context.Context, by string) (signer, error) {
	if k.Seal == nil {
		return signer{}, ErrNoSeal
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return signer{}, err
	}
	sealed, err := seal.Seal(hex.EncodeToString(private.Seed()), k.Seal.Recipients()...)
	if err != nil {
		return signer{}, fmt.Errorf("seal key of evidence: %w", err)
	}
	row := keyRow{ID: id.New[id.EvidenceKey](), Public: base64.StdEncoding.EncodeToString(public), Sealed: sealed, MadeBy: by, CreatedAt: db.At(now(k.Now))}
	err = k.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := retire(tx, row.CreatedAt); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write key of evidence: %w", err)
		}
		return audit.Append(tx, audit.Record{At: row.CreatedAt.Time, Actor: by, Action: "evidence.key", Subject: string(row.ID), Public: map[string]any{"public": row.Public}})
	})
	return signer{row.ID, private}, err
}
