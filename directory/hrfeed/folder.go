package hrfeed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/id"
)

// Names in a folder.
const (
	doneFolder   = "done"
	failedFolder = "failed"
	reportEnd    = ".report.json"
	textEnd      = ".report.txt"
)

// Places answers where files of a folder come, and where those that were taken or refused go: each as it really is, behind symbolic links. No two sources
// may share one: a file would be taken by whichever looks first.
func Places(folder string) (in, done, failed string) {
	real := func(path string) string {
		if at, err := filepath.EvalSymlinks(path); err == nil {
			path = at
		}
		if at, err := filepath.Abs(path); err == nil {
			path = at
		}
		return path
	}
	in = real(folder)
	return in, real(filepath.Join(in, doneFolder)), real(filepath.Join(in, failedFolder))
}

// lookEvery is how often a folder is looked at where nothing is said.
const lookEvery = 5 * time.Second

// folder is where the files of one source are dropped. A file is taken when two looks find it the same.
type folder struct {
	*Feeds
	source id.Source
	path   string
	seen   map[string]mark
}

// mark tells whether a file is still being written.
type mark struct {
	size int64
	at   time.Time
}

// Watch takes the files that are dropped for a source, in order of their names, until ctx ends, and answers its error. Of several nodes that
// watch one folder, one takes files at a time. A file is moved to
// done or failed below the folder, with a report beside it; one that could not be taken through no fault of its own stays.
func (f *Feeds) Watch(ctx context.Context, source id.Source) error {
	c := f.Configs[source]
	every := c.Every
	if every <= 0 {
		every = lookEvery
	}
	d := &folder{Feeds: f, source: source, path: c.Folder, seen: map[string]mark{}}
	failing := false
	for {
		err := d.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !failing {
			f.Log.Error("folder of personnel files", "source", c.Name, "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// look takes what is ready. A file that is still being written holds up those behind it: their order counts.
func (d *folder) look(ctx context.Context) error {
	for _, name := range []string{doneFolder, failedFolder} {
		if err := os.MkdirAll(filepath.Join(d.path, name), 0o700); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(d.path) // sorted by name
	if err != nil {
		return err
	}
	seen := map[string]mark{}
	defer func() { d.seen = seen }()
	ready, mine := true, false
	for _, e := range entries {
		if !wanted(e) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		now := mark{info.Size(), info.ModTime()}
		seen[e.Name()] = now
		if before, ok := d.seen[e.Name()]; !ok || before != now {
			ready = false
		}
		if !ready {
			continue
		}
		if !mine {
			release, ok, err := d.DB.Alone(ctx, "hr folder "+string(d.source))
			if err != nil || !ok { // another node is at it
				return err
			}
			defer release()
			mine = true
		}
		switch info, err := os.Lstat(filepath.Join(d.path, e.Name())); {
		case errors.Is(err, fs.ErrNotExist): // another node took it meanwhile
			delete(seen, e.Name())
			continue
		case err != nil:
			return err
		case (mark{info.Size(), info.ModTime()}) != now:
			ready = false
			continue
		}
		if err := d.take(ctx, e.Name(), info.Size()); err != nil {
			return err
		}
		delete(seen, e.Name())
	}
	return nil
}

// wanted tells whether a name is that of a file that was handed in: none that programs write while they copy, and no link.
func wanted(e fs.DirEntry) bool {
	name := strings.ToLower(e.Name())
	if !e.Type().IsRegular() || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") {
		return false
	}
	for _, end := range []string{".csv", ".txt", ".tsv", ".xlsx", ".xls", ".json", ".ndjson", ".jsonl"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// take takes one file and puts it away.
func (d *folder) take(ctx context.Context, name string, size int64) error {
	path := filepath.Join(d.path, name)
	var rep Report
	var err error
	if size > MaxFile {
		err = fmt.Errorf("%w: %d bytes, and %d are the most", ErrTooLarge, size, MaxFile)
		rep = Report{File: name, At: d.now(), Error: err.Error(), Refused: []Finding{}, Notes: []Finding{}, Unknown: []string{}, People: []Diff{}}
	} else {
		data, problem := os.ReadFile(path)
		if problem != nil {
			return problem
		}
		rep, err = d.Take(ctx, Order{Source: d.source, File: File{Name: name, Data: data, Origin: "folder"}})
	}
	if err != nil && !atFault(err) {
		return err
	}
	to := doneFolder
	if err != nil {
		to = failedFolder
	}
	return d.putAway(path, filepath.Join(d.path, to), name, rep)
}

// putAway writes the reports and moves the file, in this order: a crash between the two only writes them again.
func (d *folder) putAway(path, to, name string, rep Report) error {
	target := filepath.Join(to, name)
	if _, err := os.Lstat(target); err == nil {
		target = filepath.Join(to, rep.At.Format("20060102T150405.000000Z")+"-"+name)
	}
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(target+reportEnd, append(text, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(target+textEnd, []byte(rep.Text()), 0o600); err != nil {
		return err
	}
	return os.Rename(path, target)
}
