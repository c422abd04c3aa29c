package replay

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Erase forgets every kept answer that names one of these words. They are kept for a day at most.
func Erase(tx *db.Tx, words []string) (int64, error) {
	var rows []struct {
		Actor, Key, Body string
		BeganAt          db.Instant
	}
	if err := tx.Raw("select actor, key, body, began_at from replay_answers where began_at > ?", db.At(time.Unix(0, 0))).Scan(&rows).Error; err != nil {
		return 0, fmt.Errorf("read kept answers: %w", err)
	}
	var n int64
	for _, r := range rows {
		body := r.Body
		if raw, err := base64.StdEncoding.DecodeString(r.Body); err == nil {
			body = string(raw)
		}
		body = strings.ToLower(body)
		for _, word := range words {
			if !strings.Contains(body, strings.ToLower(word)) && r.Actor != word {
				continue
			}
			if err := tx.Exec("delete from replay_answers where actor = ? and key = ?", r.Actor, r.Key).Error; err != nil {
				return n, fmt.Errorf("erase kept answers: %w", err)
			}
			n++
			break
		}
	}
	return n, nil
}
