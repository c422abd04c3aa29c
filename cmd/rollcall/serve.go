package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-im/rollcall/chat/delivery"
	"github.com/rollcall-im/rollcall/internal/trace"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Run the server", Args: cobra.NoArgs}
	path := c.Flags().String("config", "", "path of rollcall.yaml")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, inForce, err := loadKeys(*path, os.Environ())
		if err != nil {
			return err
		}
		log, level := logger(cfg.Log, c.ErrOrStderr())
		if strange := strangeNames(os.Environ()); len(strange) > 0 {
			log.Warn("names in the environment are no keys of the configuration, and without effect", "names", strange)
		}
		cfg.reloads = &reloader{level: level, path: *path, inForce: inForce}
		return serve(c.Context(), cfg, log, nil)
	}
	return c
}

// serve runs a server until ctx ends. ready, where given, is called once it answers requests.
func serve(ctx context.Context, cfg Config, log *slog.Logger, ready func(*app)) error {
	// The port comes first: a taken one is told before anything is touched.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	defer listener.Close()
	cfg.Cluster.reached(listener.Addr())
	a, err := newApp(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer a.close()
	return a.run(ctx, listener, ready)
}

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	farewell      = 10 * time.Second // requests under way may end within it
)

// run serves on listener and runs every follower until ctx ends or one of them fails.
func (a *app) run(ctx context.Context, listener net.Listener, ready func(*app)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx = trace.With(ctx, a.tracer)
	for name, follow := range a.background() {
		a.wait.Go(func() {
			if err := follow(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	server := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return trace.With(context.Background(), a.tracer) },
		ConnContext:       delivery.ConnContext,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.wait.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serve: %w", err))
		}
	})
	a.log.Info("serving", "address", listener.Addr().String(), "version", version())
	if ready != nil {
		ready(a)
	}
	<-ctx.Done()
	a.log.Info("stopping")
	a.chat.Close()
	bye, done := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer done()
	if err := server.Shutdown(bye); err != nil {
		server.Close()
	}
	a.wait.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
