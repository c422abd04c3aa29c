package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// edgeEnv names the file that a server under test writes the edges of its transactions to. Beside it, with ".kill" behind its name, stands the edge at
// which the server kills itself.
const edgeEnv = "ROLLCALL_TEST_EDGES"

// main of a server under test: the same as the product's, watched at the edges of its transactions where a test asks for it.
func watchedMain() {
	path, at := os.Getenv(edgeEnv), slices.Index(os.Args, "--config")
	if path == "" || at < 0 || os.Args[1] != "serve" {
		main()
		return
	}
	if err := watched(os.Args[at+1], path); err != nil {
		fmt.Fprintln(os.Stderr, "rollcall: "+err.Error())
		os.Exit(exitError)
	}
}

func watched(config, path string) error {
	cfg, err := loadConfig(config, os.Environ())
	if err != nil {
		return err
	}
	seen, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer seen.Close()
	var mu sync.Mutex
	met := 0 // how often the edge was passed
	return serve(context.Background(), cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), func(a *app) {
		a.db.AtCommit(func(committed bool) {
			name := edgeName(committed)
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(seen, name)
			if kill, err := os.ReadFile(path + ".kill"); err != nil {
				met = 0
			} else if number, at, _ := strings.Cut(string(kill), " "); at == name {
				if passes, err := strconv.Atoi(number); err == nil && met >= passes {
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
					select {}
				}
				met++
			}
		})
	})
}

// edgeName names an edge by the function that asked for the transaction: "directory.Store.Apply committed".
func edgeName(committed bool) string {
	pcs := make([]uintptr, 40)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		name, ours := strings.CutPrefix(f.Function, "github.com/rollcall-im/rollcall/")
		if !ours || strings.HasPrefix(name, "internal/db.") || strings.HasPrefix(name, "cmd/rollcall.watched") {
			continue
		}
		name, _, _ = strings.Cut(name, ".func")
		name, _, _ = strings.Cut(name, "-range")
		return strings.NewReplacer("(*", "", ")", "").Replace(name) + map[bool]string{true: " committed", false: " written"}[committed]
	}
	return "unknown"
}
