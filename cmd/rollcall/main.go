// Command rollcall is the whole of Rollcall in one binary: the server, the demo company and the tools that
// talk to a server. It is the only place that wires the packages together; it holds no rule of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, part of the outside contract.
const (
	exitError   = 1
	exitChanges = 2 // plan --detailed-exitcode: there is something to apply
	exitHeld    = 3 // the guard holds it
	exitDenied  = 4 // the server refused the caller
)

// exit is an error that asks for its own exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main without the process: it answers the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var e *exit
	code := exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "rollcall: "+text)
	}
	return code
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "rollcall",
		Short:         "Who works here decides who can see what.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().String("output", "table", "json, yaml or table")
	root.AddCommand(
		demoCommand(), serveCommand(), migrateCommand(), readyCommand(), doctorCommand(), backupCommand(), restoreBackupCommand(), configCommand(), auditCommand(), versionCommand(),
		planCommand(), applyCommand(), diffCommand(), policyCommand(), explainCommand(), accessedCommand(), unitsCommand(), unlockCommand(), audienceCommand(), evidenceCommand(), reviewCommand(), companyCommand(), guestCommand(), projectCommand(), holdCommand(), requestsCommand(), breakGlassCommand(), eraseCommand(), legalHoldCommand(), drillCommand(), transmitterCommand(),
		restoreCommand("undo RUN|PLAN|REQUEST|HOLD [PERSON…]", "Undo what a run, a plan, a call or a hold took, for 14 days"), sourceCommand(), syncCommand(), adminCommand(), emergencyCommand(),
	)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return write(c, map[string]string{"version": version()}, func(w io.Writer) { fmt.Fprintln(w, "rollcall", version()) })
		},
	}
}

// release is set by the linker at a release.
const development = "devel"

var release = development

func version() string {
	if release != development {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return development
}

// logger writes JSON lines to w, at the level of cfg.
func logger(cfg Log, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(cfg.level())
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}
