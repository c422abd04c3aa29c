package hrfeed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// While one node takes files another leaves them; when it is done, or gone, the next look takes what is there.
func TestFolderIsTakenByOne(t *testing.T) {
	run(t, func(w *world) {
		if w.db.Engine != db.Postgres {
			return // one process
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "1.full.csv"), []byte(roster), 0o600); err != nil {
			t.Fatal(err)
		}
		release, ok, err := w.db.Alone(t.Context(), "hr folder "+string(w.source))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		d := &folder{Feeds: w.f, source: w.source, path: dir, seen: map[string]mark{}}
		for range 3 {
			if err := d.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, err = os.Stat(filepath.Join(dir, "1.full.csv"))
		same(t, "left", err == nil, true)
		release()
		for try := 0; ; try++ { // the server hears of the end of a session by itself
			if err := d.look(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err = os.Stat(filepath.Join(dir, "done", "1.full.csv")); err == nil {
				break
			}
			if try == 2000 {
				t.Fatal("never taken")
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// Two nodes that watch one folder take each file once, and neither complains.
func TestFolderOfTwoNodes(t *testing.T) {
	run(t, func(w *world) {
		if w.db.Engine != db.Postgres {
			return
		}
		dir := t.TempDir()
		const files = 12
		for i := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.full.csv", i)), fmt.Appendf(nil, "%s00%d,Person %d,,\n", roster, 500+i, i), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := w.f.Configs[w.source]
		c.Folder, c.Every = dir, time.Millisecond
		w.f.Configs[w.source] = c
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for range 2 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if err := w.f.Watch(ctx, w.source); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}()
		}
		gone := func() int {
			done, _ := filepath.Glob(filepath.Join(dir, "done", "*.csv"))
			failed, _ := filepath.Glob(filepath.Join(dir, "failed", "*.csv"))
			return len(done) + len(failed)
		}
		for try := 0; gone() < files && try < 6000; try++ {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		wait.Wait()
		same(t, "put away", gone(), files)
		var taken int64
		if err := w.db.Read(t.Context()).Raw("select count(*) from hr_files").Scan(&taken).Error; err != nil {
			t.Fatal(err)
		}
		same(t, "taken", taken, files)
		if log := w.log.String(); strings.Contains(log, "folder of personnel files") {
			t.Error(log)
		}
	})
}
