package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progress is how far a reading has come, as the server tells it.
type progress struct {
	Phase string `json:"phase"`
	Class string `json:"class"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// screen answers standard error where it is a terminal that a line can be rewritten on; else nil, and nothing is shown.
func screen(w io.Writer) (out io.Writer, colour bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil, false
	}
	return file, os.Getenv("NO_COLOR") == "" // https://no-color.org
}

// meter rewrites one line of a terminal.
type meter struct {
	out    io.Writer
	colour bool
	phase  progress  // the first that was seen of the phase and class shown
	since  time.Time // when
	shown  bool
}

const barCells = 24

// show draws p, seen at now.
func (m *meter) show(p progress, now time.Time) {
	if p.Phase != m.phase.Phase || p.Class != m.phase.Class || p.Done < m.phase.Done {
		m.phase, m.since = p, now
	}
	rate := 0.0
	if took := now.Sub(m.since).Seconds(); took > 0 {
		rate = float64(p.Done-m.phase.Done) / took
	}
	fmt.Fprint(m.out, "\r\x1b[K"+m.line(p, rate))
	m.shown = true
}

func (m *meter) line(p progress, rate float64) string {
	var b strings.Builder
	classes := map[string]string{"person": "people", "unit": "units", "group": "groups"}
	name := classes[p.Class]
	if name == "" {
		name = p.Class
	}
	fmt.Fprintf(&b, "%-5s %-6s ", p.Phase, name)
	if p.Total > 0 {
		full := min(barCells, barCells*p.Done/p.Total)
		bar := strings.Repeat("█", full)
		if m.colour {
			bar = "\x1b[32m" + bar + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s%s %3d %%  %s of %s", bar, strings.Repeat("░", barCells-full), min(100, 100*p.Done/p.Total), thousands(p.Done), thousands(p.Total))
	} else {
		b.WriteString(thousands(p.Done))
	}
	if rate >= 1 {
		fmt.Fprintf(&b, "  %s/s", thousands(int(rate)))
	}
	return b.String()
}

// clear takes the line away again.
func (m *meter) clear() {
	if m.shown {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// watch shows on the terminal, while work is under way, what ask answers every so often; what ask cannot tell is left out. It answers
// when work is done and the line is gone.
func watch(ctx context.Context, m *meter, every time.Duration, ask func(context.Context) (progress, bool), work func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if p, ok := ask(ctx); ok && ctx.Err() == nil {
				m.show(p, time.Now())
			}
		}
	}()
	err := work()
	cancel()
	<-watched
	m.clear()
	return err
}

// sourceProgress is how much a source has told, and what of it is staged.
type sourceProgress struct{ Records, Staged int }

// liveProgress tells how many staged people have become somebody.
func liveProgress(_, now sourceProgress) progress {
	return progress{Phase: "live", Class: "person", Done: now.Records - now.Staged, Total: now.Records}
}

// feedProgress tells how many people a file has brought so far.
func feedProgress(before, now sourceProgress) progress {
	return progress{Phase: "new", Class: "person", Done: max(0, now.Records-before.Records)}
}

// patiently does work that may take minutes on a source, and shows on a terminal how far it has come. source is the id, escaped.
func patiently(c *cobra.Command, api *client, source string, as func(before, now sourceProgress) progress, work func(*client) error) error {
	long := *api
	long.http = &http.Client{Timeout: time.Hour}
	out, colour := screen(c.ErrOrStderr())
	if out == nil {
		return work(&long)
	}
	counts := func(ctx context.Context) (sourceProgress, error) {
		var s struct {
			Counts sourceProgress `json:"counts"`
		}
		err := api.do(ctx, "GET", "/api/v1/sources/"+source, nil, &s)
		return s.Counts, err
	}
	before, err := counts(c.Context())
	if err != nil { // who may write may not look: then nothing is shown
		return work(&long)
	}
	return watch(c.Context(), &meter{out: out, colour: colour}, time.Second, func(ctx context.Context) (progress, bool) {
		now, err := counts(ctx)
		return as(before, now), err == nil
	}, func() error { return work(&long) })
}
