package outlet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// checkpointLine is a checkpoint among records, in files and objects.
type checkpointLine struct {
	Checkpoint string `json:"checkpoint"`
}

// lines is a part as one JSON text a line: {"seq":…,"leaf":…} and {"checkpoint":…}.
func (p Part) lines() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, l := range p.Records {
		if err := enc.Encode(l); err != nil {
			return nil, err
		}
	}
	if p.Checkpoint != "" {
		if err := enc.Encode(checkpointLine{p.Checkpoint}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// folder holds a file a day (UTC) that is only ever appended to, so that it may be marked so (chattr +a).
type folder struct {
	taken
	path   string
	linger time.Duration
	now    func() time.Time
	file   *os.File
}

func openFile(path string, linger time.Duration, now func() time.Time) (*folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", path)
	}
	return &folder{path: path, linger: linger, now: now}, nil
}

// Linger implements sink.
func (f *folder) Linger() time.Duration { return f.linger }

// Send implements sink: it answers after the bytes are on the disk.
func (f *folder) Send(_ context.Context, p Part) error {
	text, err := p.lines()
	if err != nil {
		return err
	}
	name := filepath.Join(f.path, "audit-"+f.now().UTC().Format(time.DateOnly)+".jsonl")
	if f.file == nil || f.file.Name() != name {
		if err := f.Close(); err != nil {
			return err
		}
		if f.file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o640); err != nil {
			return err
		}
		if err := mend(f.file); err != nil {
			return err
		}
	}
	if _, err := f.file.Write(text); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.note(p)
	return nil
}

// mend ends a line that a crash cut: what it should have held follows, whole.
func mend(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.Write([]byte("\n"))
	return err
}

// Close implements sink.
func (f *folder) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
