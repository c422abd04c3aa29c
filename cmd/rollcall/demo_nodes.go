package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// maxDemoNodes is how many nodes fit into one process sensibly.
const maxDemoNodes = 9

func (f demoFlags) checkNodes() error {
	if f.nodes < 1 || f.nodes > maxDemoNodes {
		return fmt.Errorf("--nodes %d: from 1 to %d", f.nodes, maxDemoNodes)
	}
	if f.nodes > 1 && f.postgres == "" {
		return errors.New("--nodes above 1 wants --postgres: nodes share a database, and SQLite is a file of one process")
	}
	return nil
}

// cluster makes cfg the configuration of the first of several nodes, with a bus in this process.
func (d *demoServer) cluster(f demoFlags, cfg *Config) (stop func(), err error) {
	if f.nodes <= 1 {
		return func() {}, nil
	}
	cfg.Cluster.Node, cfg.Cluster.Deployment = "node-1", "demo"
	cfg.Cluster.Bus, stop, err = bus.Embedded("127.0.0.1:0")
	return stop, err
}

// ownDatabase is an error where the database holds anything that is not a demo's, which it marks.
func (f demoFlags) ownDatabase(ctx context.Context) error {
	if f.postgres == "" {
		return nil
	}
	d, err := db.Open(ctx, f.postgres)
	if err != nil {
		return err
	}
	defer d.Close()
	empty, err := d.Empty(ctx)
	if err != nil {
		return err
	}
	if !empty {
		if d.Read(ctx).Exec("select 1 from "+db.DemoTable).Error != nil {
			return errors.New("--postgres: the database is not empty, and what it holds is no demo's; give it an empty one")
		}
		return nil
	}
	return d.Tx(ctx, func(tx *db.Tx) error {
		return tx.Exec("create table if not exists " + db.DemoTable + " (id integer not null, constraint rollcall_demo_pk primary key (id))").Error
	})
}

// moreNodes starts the others, each as it would run in a process of its own, and returns once all answer. They take the ports after the
// directory's.
func (d *demoServer) moreNodes(ctx context.Context, f demoFlags, first Config, log *slog.Logger, screen io.Writer, wait *sync.WaitGroup, fail func(error)) error {
	var urls []string
	for n := 2; n <= f.nodes; n++ {
		listener, err := demoListener(ctx, f.listen, n+1)
		if err != nil {
			return err
		}
		cfg := first
		cfg.Cluster.Node = fmt.Sprint("node-", n)
		cfg.Cluster.reached(listener.Addr())
		node, err := newApp(ctx, cfg, log)
		if err != nil {
			listener.Close()
			return fmt.Errorf("%s: %w", cfg.Cluster.Node, err)
		}
		node.watch.revoked = func(person id.Person, took time.Duration) { d.announce(ctx, screen, person, took) }
		up := make(chan struct{})
		wait.Go(func() {
			defer node.close()
			defer listener.Close()
			if err := node.run(ctx, listener, func(*app) { close(up) }); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("%s: %w", cfg.Cluster.Node, err))
			}
		})
		select {
		case <-up:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		urls = append(urls, "http://"+listener.Addr().String())
	}
	d.ready.NodeURLs = strings.Join(urls, ",")
	return nil
}

// demoListener opens the port that stands so many after the demo's first.
func demoListener(ctx context.Context, address string, after int) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--listen wants host:port, not %q", address)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("--listen wants host:port, not %q", address)
	}
	at := net.JoinHostPort(host, "0")
	if number != 0 {
		at = net.JoinHostPort(host, strconv.Itoa(number+after))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, err)
	}
	return l, nil
}
