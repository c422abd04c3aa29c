package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// provider is a SCIM service provider in a process of its own.
type provider struct {
	tb      testing.TB
	name    string
	base    string
	token   string
	process *exec.Cmd
}

// serveScimmy installs and starts the server of testdata/scimmy; the benchmark is skipped where npm is missing.
func serveScimmy(b *testing.B) *provider {
	b.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		b.Skip("skipped: npm is not installed")
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "scimmy"))); err != nil {
		b.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		b.Skipf("skipped: npm ci: %v\n%s", err, out)
	}
	p := &provider{tb: b, name: "scimmy", token: "bench", process: exec.Command("node", "server.js")}
	p.process.Dir, p.process.Stderr = dir, os.Stderr
	p.process.Env = append(os.Environ(), "TOKEN=bench", "NODE_ENV=production")
	out, err := p.process.StdoutPipe()
	if err == nil {
		err = p.process.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("scimmy says nothing: %v", err)
	}
	p.base = strings.TrimSpace(line) + "/scim/v2"
	return p
}

// ready waits until path answers.
func (p *provider) ready(path string) {
	for range 600 {
		if answer, err := http.Get(p.base + path); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.tb.Fatalf("%s is not ready", p.name)
}

// stop ends the process.
func (p *provider) stop() {
	p.process.Process.Signal(os.Interrupt)
	p.process.Wait()
}

var benchTransport = &http.Transport{MaxIdleConnsPerHost: 256}

// must makes a call that has to succeed and answers the body.
func (p *provider) must(method, path, body string) map[string]any {
	request, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/scim+json")
		if strings.HasPrefix(path, "/api/") {
			request.Header.Set("Content-Type", "application/json")
		}
	}
	answer, err := benchTransport.RoundTrip(request)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		p.tb.Fatalf("%s %s: %d %s %v", method, path, answer.StatusCode, text, err)
	}
	out := map[string]any{}
	if len(text) > 0 && json.Unmarshal(text, &out) != nil {
		p.tb.Fatalf("%s %s: %s", method, path, text)
	}
	return out
}

func text(object map[string]any, name string) string {
	value, _ := object[name].(string)
	return value
}

// many makes n calls by all clients and answers how many a second.
func (p *provider) many(n int, call func(i int)) float64 {
	var next atomic.Int64
	var wait sync.WaitGroup
	begin := time.Now()
	for range *benchClients {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !p.tb.Failed(); i = int(next.Add(1)) - 1 {
				call(i)
			}
		})
	}
	wait.Wait()
	return float64(n) / time.Since(begin).Seconds()
}

// read gets n times, one after the other, and puts the median and the 99th percentile.
func (p *provider) read(c *column, what string, n int, path func(i int) string) {
	p.must(http.MethodGet, path(0), "")
	p.timed(c, what, n, func(i int) { p.must(http.MethodGet, path(i), "") })
}

func (p *provider) timed(c *column, what string, n int, call func(i int)) {
	took := make([]float64, n)
	for i := range took {
		begin := time.Now()
		call(i)
		took[i] = float64(time.Since(begin).Microseconds()) / 1000
	}
	slices.Sort(took)
	c.put(what+", p50 ms", took[n/2])
	c.put(what+", p99 ms", took[n*99/100])
}

// peak answers the most memory the process ever had resident, in MB.
func (p *provider) peak() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kB, _ := strconv.ParseFloat(fields[1], 64)
			return kB / 1024
		}
	}
	return 0
}

// column is what was measured of one provider.
type column struct {
	name  string
	lines []figure
}

type figure struct {
	what  string
	value float64
}

func (c *column) put(what string, value float64) { c.lines = append(c.lines, figure{what, value}) }

// printTable prints what was measured side by side.
func printTable(title string, columns []*column) {
	if len(columns) == 0 {
		return
	}
	fmt.Printf("\n%-48s", title)
	for _, c := range columns {
		fmt.Printf(" %18s", c.name)
	}
	fmt.Println()
	for i, line := range columns[0].lines {
		fmt.Printf("%-48s", line.what)
		for _, c := range columns {
			fmt.Printf(" %18.2f", c.lines[i].value)
		}
		fmt.Println()
	}
	fmt.Println()
}
