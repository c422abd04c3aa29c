package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	at := time.Unix(0, 0)
	var b bytes.Buffer
	m := &meter{out: &b}
	for _, row := range []struct {
		p     progress
		after time.Duration
		want  string
	}{
		{progress{"read", "unit", 12, 0}, 0, "read  units  12"},
		{progress{"read", "person", 500, 0}, 0, "read  people 500"},
		{progress{"read", "person", 12_500, 0}, 2 * time.Second, "read  people 12,500  6,000/s"},
		{progress{"write", "person", 0, 12_500}, 0, "write people " + strings.Repeat("░", 24) + "   0 %  0 of 12,500"},
		{progress{"write", "person", 6_250, 12_500}, time.Second, "write people " + strings.Repeat("█", 12) + strings.Repeat("░", 12) + "  50 %  6,250 of 12,500  6,250/s"},
		{progress{"write", "person", 13_000, 12_500}, time.Second, "write people " + strings.Repeat("█", 24) + " 100 %  13,000 of 12,500  6,500/s"},
		{progress{"preview", "person", 1_234_567, 0}, 0, "preview people 1,234,567"},
	} {
		b.Reset()
		at = at.Add(row.after)
		m.show(row.p, at)
		if got := b.String(); got != "\r\x1b[K"+row.want {
			t.Errorf("%+v:\n%q\n%q", row.p, got, row.want)
		}
	}
	if line := (&meter{colour: true}).line(progress{"write", "person", 1, 2}, 0); !strings.Contains(line, "\x1b[32m") {
		t.Errorf("no colour: %q", line)
	}
}

func TestProgressOfASource(t *testing.T) {
	before, now := sourceProgress{Records: 100, Staged: 80}, sourceProgress{Records: 130, Staged: 30}
	if p := liveProgress(before, now); p.Done != 100 || p.Total != 130 {
		t.Errorf("%+v", p)
	}
	if p := feedProgress(before, now); p.Done != 30 || p.Total != 0 {
		t.Errorf("%+v", p)
	}
}

func TestProgressIsGoneAtTheEnd(t *testing.T) {
	var b bytes.Buffer
	asked := make(chan struct{}, 100)
	broken := errors.New("broken")
	err := watch(context.Background(), &meter{out: &b}, time.Millisecond, func(context.Context) (progress, bool) {
		asked <- struct{}{}
		return progress{Phase: "read", Class: "person", Done: 1}, true
	}, func() error {
		<-asked
		<-asked
		return broken
	})
	if !errors.Is(err, broken) || !strings.HasSuffix(b.String(), "\r\x1b[K") || !strings.Contains(b.String(), "read  people 1") {
		t.Errorf("%v %q", err, b.String())
	}
}

// Nothing is drawn where nobody looks: in a file, in a buffer, on a dumb terminal.
func TestProgressWantsATerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if out, _ := screen(file); out != nil {
		t.Error("a file is a terminal")
	}
	if out, _ := screen(&bytes.Buffer{}); out != nil {
		t.Error("a buffer is a terminal")
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("skipped: no terminal to be had")
	}
	defer tty.Close()
	for _, row := range []struct {
		term, noColour string
		shown, colour  bool
	}{{"xterm", "", true, true}, {"xterm", "1", true, false}, {"dumb", "", false, false}} {
		t.Setenv("TERM", row.term)
		t.Setenv("NO_COLOR", row.noColour)
		if out, colour := screen(tty); (out != nil) != row.shown || colour != row.colour {
			t.Errorf("%+v: %v %v", row, out != nil, colour)
		}
	}
}
