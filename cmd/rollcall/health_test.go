package main

import (
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// When the last file came is said of a delta, too; one that was refused is no word of the source.
func TestLastFile(t *testing.T) {
	full, delta := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		run  directory.RunView
		want time.Time
	}{"delta": {directory.RunView{Kind: "delta", OK: true, EndedAt: delta}, delta}, "refused": {directory.RunView{Kind: "delta", EndedAt: delta}, full}} {
		h := &directory.SourceHealth{LastRun: &c.run}
		if fileHealth(directory.Source{SyncedAt: full}, h); !h.VerifiedAt.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, h.VerifiedAt, c.want)
		}
	}
}
