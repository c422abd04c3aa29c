package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// sealedKinds are what stands sealed in the database. Of a kind that is needed to start a node nothing may be unreadable.
var sealedKinds = []struct {
	what, chin string
	query      string
	toStart    bool
}{
	{"what the erased are known by", "已删除人员的识别密钥", "select secret from erased_key", true},
	{"second factors", "第二因素", "select secret from session_factors", false},
	{"the key of evidence", "证据签名密钥", "select sealed from evidence_keys where retired_at is null", false},
	{"the keys of signals", "信号签名密钥", "select sealed from transmit_keys where gone_at is null", false},
	{"what receivers of signals want to see", "信号接收方的凭据", "select sealed from transmit_receivers where sealed <> ''", false},
}

// unreadable is what is sealed in a database and cannot be opened.
type unreadable struct {
	english, chinese []string
	stuck            bool // no node starts
}

func (u unreadable) String() string { return strings.Join(u.english, ", ") }

// unreadableIn answers what key, which may be nil, does not open in d.
func unreadableIn(ctx context.Context, d *db.DB, key *seal.Key) (unreadable, error) {
	var out unreadable
	for _, kind := range sealedKinds {
		var texts []string
		if err := d.Read(ctx).Raw(kind.query).Scan(&texts).Error; err != nil {
			return out, err
		}
		lost := 0
		for _, text := range texts {
			if !seal.Sealed(text) {
				continue
			}
			if key != nil {
				if _, err := key.Open(text); err == nil {
					continue
				}
			}
			lost++
		}
		if lost > 0 {
			out.english, out.chinese = append(out.english, fmt.Sprintf("%s (%d)", kind.what, lost)), append(out.chinese, fmt.Sprintf("%s（%d）", kind.chin, lost))
			out.stuck = out.stuck || kind.toStart
		}
	}
	return out, nil
}
