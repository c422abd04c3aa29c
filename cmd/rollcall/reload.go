package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/session"
)

// reloadable are the keys, or what they begin with, that hold from a reload on. Every other wants a restart.
var reloadable = []string{"log.level", "outbound.", "scim.rate", "sign_in.", "administration.addresses", "administration.idle", "administration.step_up"}

// reloader reads the configuration again, and knows what of it is in force.
type reloader struct {
	app     *app
	level   *slog.LevelVar
	path    string
	inForce map[string]any // by key
}

// loadKeys is loadConfig, and what it read by key; a list is one value.
func loadKeys(path string, environ []string) (Config, map[string]any, error) {
	cfg, raw, err := loadRaw(path, environ)
	if err != nil {
		return Config{}, nil, err
	}
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(raw, ""), nil); err != nil {
		return Config{}, nil, err
	}
	return cfg, k.All(), nil
}

// watch reloads at every SIGHUP until ctx ends.
func (r *reloader) watch(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
			err := r.reload(ctx)
			r.app.unread.Store(err != nil)
			if err != nil {
				r.app.log.Error("configuration was not reloaded: what was in force goes on", "error", err)
			}
		}
	}
}

// reload puts in force what of the changed configuration can be, all of it or nothing, and says what wants a restart.
func (r *reloader) reload(ctx context.Context) error {
	cfg, now, err := loadKeys(r.path, os.Environ())
	if err != nil {
		return err
	}
	conduct, err := cfg.conduct()
	if err != nil {
		return err
	}
	if err := r.app.way.Change(cfg.Outbound.options()); err != nil { // an authority's file may hold another one under the same name
		return err
	}
	if err := r.app.door.Change(conduct); err != nil {
		return err
	}
	r.app.scim.Slow(cfg.SCIM.Rate)
	r.level.Set(cfg.Log.level())
	applied, restart := []string{}, []string{}
	for key := range union(r.inForce, now) {
		switch {
		case reflect.DeepEqual(r.inForce[key], now[key]):
		case slices.ContainsFunc(reloadable, func(one string) bool { return strings.HasPrefix(key, one) }):
			applied = append(applied, key)
			r.inForce[key] = now[key]
		default:
			restart = append(restart, key)
		}
	}
	slices.Sort(applied)
	slices.Sort(restart)
	r.app.waiting.Store(len(restart) > 0)
	r.app.log.Info("configuration reloaded", "applied", applied, "wait_for_restart", restart)
	if len(applied)+len(restart) == 0 {
		return nil
	}
	if err := r.app.db.Tx(ctx, func(tx *db.Tx) error {
		return audit.Append(tx, audit.Record{At: time.Now(), Actor: "system", Action: "config.reloaded", Subject: "configuration", Public: map[string]any{"node": r.app.cfg.Cluster.node(), "applied": applied, "wait_for_restart": restart}})
	}); err != nil {
		return fmt.Errorf("the configuration is in force, and the audit log does not say so: %w", err)
	}
	return nil
}

func union(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// conduct is what of the configuration holds for those who are signed in.
func (c Config) conduct() (session.Conduct, error) {
	in, admin := c.SignIn, c.Administration
	proxies, err := in.proxies()
	if err != nil {
		return session.Conduct{}, err
	}
	networks, err := networksOf(admin.Addresses)
	return session.Conduct{Tries: session.Tries{Failures: in.Failures, Quiet: in.Quiet, Address: in.AddressFailures}, Proxies: proxies, Forwarded: in.ProxyHeader == headerForwarded,
		AdminNetworks: networks, AdminIdle: admin.Idle, StepUpRequired: admin.StepUp == stepUpRequired}, err
}
