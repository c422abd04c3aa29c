package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rollcall-im/rollcall/authz"
	"github.com/rollcall-im/rollcall/chat"
	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/hrfeed"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/directory/ldap"
	"github.com/rollcall-im/rollcall/directory/scim"
	"github.com/rollcall-im/rollcall/directory/signals"
	"github.com/rollcall-im/rollcall/directory/signals/transmit"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/audit/outlet"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/bus"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/outbound"
	"github.com/rollcall-im/rollcall/internal/session"
	"github.com/rollcall-im/rollcall/internal/session/replay"
	"github.com/rollcall-im/rollcall/internal/trace"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/approvals"
	"github.com/rollcall-im/rollcall/provisioning/breakglass"
	"github.com/rollcall-im/rollcall/provisioning/drill"
	"github.com/rollcall-im/rollcall/provisioning/erasure"
	"github.com/rollcall-im/rollcall/provisioning/evidence"
	"github.com/rollcall-im/rollcall/provisioning/guests"
	"github.com/rollcall-im/rollcall/provisioning/handover"
	"github.com/rollcall-im/rollcall/provisioning/notices"
	"github.com/rollcall-im/rollcall/provisioning/reviews"
)

// app is everything a server is made of, wired. Nothing outside this package puts two domains together.
type app struct {
	cfg      Config
	log      *slog.Logger
	way      *outbound.Way // to others
	db       *db.DB
	bus      bus.Bus
	returned chan struct{}  // the bus was lost and is back
	barrier  *authz.Barrier // nil where this node is alone
	feed     *feed.Feed
	people   *directory.Store
	tuples   *authz.Store
	index    *authz.Index
	engine   *authz.Engine
	access   *provisioning.Reactor
	chat     *chat.Chat
	watch    *stopwatch
	door     *session.Door
	pass     *passwords // nil where no source has sign_in
	scim     *scim.Handler
	journal  *journal.Journal
	ldap     map[string]*ldap.Syncer // by the source's name
	hr       *hrfeed.Feeds
	heirs    *handover.Engine
	fences   *evidence.Fences
	reviews  *reviews.Engine
	guests   *guests.Engine
	glass    *breakglass.Engine
	asks     *approvals.Engine
	erasure  *erasure.Engine
	drills   *drill.Engine
	signals  *signals.Receiver
	telling  *transmit.Transmitter
	registry *prometheus.Registry
	tracer   *trace.Tracer // nil: nothing is traced
	looks    looks
	unread   atomic.Bool                  // the configuration was to be reloaded, and is wrong
	waiting  atomic.Bool                  // what was changed in it waits for a restart
	restored atomic.Pointer[backup.State] // while nobody but the restorer gets in; else nil

	wait    sync.WaitGroup
	closers []func() error
}

// migrations bring the tables of each package up to date, in their order.
func migrations() []func(context.Context, *db.DB) error {
	return []func(context.Context, *db.DB) error{
		backup.Migrate, feed.Migrate, audit.Migrate, outlet.Migrate, directory.Migrate, ldap.Migrate, journal.Migrate, hrfeed.Migrate, signals.Migrate, transmit.Migrate, authz.Migrate, provisioning.Migrate, notices.Migrate, handover.Migrate, evidence.Migrate, reviews.Migrate, approvals.Migrate, guests.Migrate, breakglass.Migrate, erasure.Migrate, drill.Migrate, session.Migrate, replay.Migrate, chat.Migrate,
	}
}

// migrate brings the tables of every package up to date.
func migrate(ctx context.Context, d *db.DB) error {
	for _, one := range migrations() {
		if err := one(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// newApp opens, migrates and wires. What it opened is closed again where it fails.
func newApp(ctx context.Context, cfg Config, log *slog.Logger) (*app, error) {
	way, err := cfg.outward()
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, log: log, way: way, ldap: map[string]*ldap.Syncer{}, registry: prometheus.NewRegistry()}
	if err := a.open(ctx); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *app) open(ctx context.Context) (err error) {
	if err := a.wireTracing(ctx); err != nil {
		return err
	}
	if a.db, err = db.Open(ctx, a.cfg.Database); err != nil {
		return err
	}
	a.closers = append(a.closers, a.db.Close)
	if err := a.db.Limit(a.cfg.Connections); err != nil {
		return err
	}
	if err := a.admit(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, a.db); err != nil {
		return err
	}
	if newer := a.db.Newer(); len(newer) > 0 {
		a.log.Warn("tables are of a later version of the program, which only adds to them: this node goes on with what it knows", "packages", newer)
	}
	if err := a.lookRestored(ctx); err != nil {
		return err
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.looks.db = a.db
	a.feed = feed.New(a.db, a.cfg.Cluster.node(), a.log)
	a.people = directory.New(a.db, a.feed, a.log)
	a.tuples = authz.New(a.db, a.log)
	a.index = authz.NewIndex(a.tuples)
	if err := a.join(ctx); err != nil {
		return err
	}
	a.access = provisioning.New(a.db, a.feed, a.people, a.tuples, a.everywhere(), a.log)
	a.wireDoubt()
	a.watch = newStopwatch(a.access, a.registry)
	a.people.Access, a.people.Held = a.watch, erasure.Held
	a.people.Leave = a.cfg.Leave.rule()
	a.people.Disclosure, a.people.Former = a.cfg.Disclosure.rule(), a.cfg.FormerNames
	if err := a.people.OpenMarks(ctx, a.cfg.key); err != nil {
		return err
	}
	if err := a.openFGA(ctx); err != nil {
		return err
	}
	if err := a.access.EnforceLeaves(ctx); err != nil {
		return err
	}
	if err := a.index.Load(ctx); err != nil {
		return err
	}
	if a.barrier != nil {
		err = a.barrier.Renew(ctx)
	} else {
		err = a.index.AskClock(ctx, a.cfg.ClockLimit, a.endAll)
	}
	if err != nil {
		return err
	}
	if err := a.wireDoor(ctx); err != nil {
		return err
	}
	a.signals = &signals.Receiver{DB: a.db, Log: a.log, People: a.people, Sessions: a.door, Transmitters: a.cfg.Signals, HTTPClient: a.way.Client(10 * time.Second), PublicURL: a.cfg.PublicURL}
	a.wireTransmitter()
	a.wireHandovers()
	a.wireApprovals()
	a.wireGuests()
	if err := a.wireChat(ctx); err != nil {
		return err
	}
	if err := a.wireSCIM(); err != nil {
		return err
	}
	a.wireFences()
	a.wireReviews()
	a.wireErasure()
	a.wireDrills()
	a.measure()
	if err := a.wireHRFeeds(ctx); err != nil {
		return err
	}
	return a.wireLDAP(ctx)
}

// openFGA starts the OpenFGA server in this process, or takes the external one, and makes sure it has our model.
func (a *app) openFGA(ctx context.Context) (err error) {
	config := authz.EngineConfig{URL: a.cfg.OpenFGA.URL, Token: a.cfg.OpenFGA.Token, Node: a.cfg.Cluster.node(), Transport: a.way, Log: a.log}
	if config.URL == "" {
		dsn := a.cfg.OpenFGA.Database
		if dsn == "" {
			dsn = openFGADatabase(a.cfg.Database)
		}
		transport, stop, err := authz.Embedded(ctx, dsn, a.cfg.OpenFGA.Connections, a.log)
		if err != nil {
			return err
		}
		a.closers = append(a.closers, stop)
		config.URL, config.Transport, config.Parallel = authz.EmbeddedURL, transport, authz.Parallel(a.cfg.OpenFGA.Connections)
	}
	if a.engine, err = authz.NewEngine(a.tuples, config); err != nil {
		return err
	}
	return a.engine.Ensure(ctx)
}

// openFGADatabase is where the OpenFGA of this process keeps its tuples where nothing else is said: a file
// beside ours, or a schema of its own in the same PostgreSQL.
func openFGADatabase(dsn string) string {
	path, lite := strings.CutPrefix(dsn, "sqlite:")
	if !lite {
		return dsn
	}
	path = strings.TrimPrefix(path, "//")
	return "sqlite:" + strings.TrimSuffix(path, filepath.Ext(path)) + ".openfga.db"
}

// definitions reads the resource types and extensions that the configuration names.
func (c Config) definitions() (scim.Definitions, error) {
	if c.SCIM.Definitions == "" {
		return scim.Definitions{}, nil
	}
	d, err := scim.LoadDefinitions(os.DirFS(c.SCIM.Definitions))
	if err != nil {
		return d, fmt.Errorf("scim.definitions %s: %w", c.SCIM.Definitions, err)
	}
	return d, nil
}

func (a *app) wireSCIM() (err error) {
	keep := a.cfg.SCIM.RequestLog
	a.journal = journal.New(a.db, journal.Options{Bodies: keep.Bodies, Keep: keep.Keep, Log: a.log})
	a.closers = append(a.closers, a.journal.Close)
	o := scim.Options{Store: a.people, Log: a.log, PublicURL: a.cfg.PublicURL, Missing: scim.AuditMissing(a.db, a.log), Rate: a.cfg.SCIM.Rate, AdvertiseCursor: a.cfg.SCIM.AdvertiseCursor,
		Note: a.journal.Note}
	if o.Definitions, err = a.cfg.definitions(); err != nil {
		return err
	}
	a.scim, err = scim.New(o)
	return err
}

func (a *app) wireLDAP(ctx context.Context) error {
	for _, l := range a.cfg.LDAP {
		source, err := a.sourceNamed(ctx, directory.Source{Name: l.Name, Kind: directory.KindLDAP, Priority: l.Priority, Correlate: l.Correlate, Authority: l.Authority, Mode: l.mode()})
		if err != nil {
			return fmt.Errorf("ldap source %s: %w", l.Name, err)
		}
		if l.DryRun && source.Mode == directory.ModeLive {
			a.log.Warn("source is live already: dry_run in the configuration has no effect", "source", l.Name)
		}
		if err := l.Config.Check(); err != nil {
			return fmt.Errorf("ldap source %s: %w", l.Name, err)
		}
		if err := a.addPasswords(l, source.ID); err != nil {
			return fmt.Errorf("ldap source %s: %w", l.Name, err)
		}
		config, err := ldap.Kept(ctx, a.people, source.ID, l.Config)
		if err == nil {
			err = config.Check()
		}
		if err != nil {
			return fmt.Errorf("ldap source %s, with the mapping that is kept of it: %w", l.Name, err)
		}
		s := &ldap.Syncer{Store: a.people, DB: a.db, Source: source, Config: config, File: ldap.Mapping{Mapping: l.Mapping, Labels: l.Labels}, Log: a.log, Rekeyed: session.MoveTries}
		a.ldap[l.Name] = s
		a.closers = append(a.closers, s.Close)
	}
	return nil
}

// background names everything that runs beside the listener. Each returns when its context ends.
func (a *app) background() map[string]func(context.Context) error {
	work := map[string]func(context.Context) error{
		"lock":       a.db.Guard,
		"index":      a.index.Run,
		"openfga":    a.engine.Run,
		"comparison": func(ctx context.Context) error { return a.engine.Watch(ctx, a.index) },
		"sessions":   a.door.Run,
		"tending":    a.once("tending", a.access.Run),
		"tokens":     a.once("tokens", a.people.WatchTokens),
		"instants":   a.once("instants", a.people.WatchInstants),
		"journal":    a.journal.Run,
		"leaving":    a.once("leaving", a.watchLeaving),
		"handovers":  a.once("handovers", a.heirs.Run),
		"handover":   func(ctx context.Context) error { return a.feed.Run(ctx, a.heirs.Follower()) },
		"fences":     a.fences.Run,
		"reviews":    a.once("reviews", a.reviews.Run),
		"guests":     a.once("guests", a.guests.Run),
		"mail":       a.guests.Post,
		"joined":     func(ctx context.Context) error { return a.feed.Run(ctx, a.guests.Follower()) },
		"approvals":  a.once("approvals", a.asks.Run),
		"glass":      a.once("glass", a.glass.Run),
		"erasure":    a.once("erasure", a.erasure.Run),
		"drills":     a.once("drills", a.drills.Run),
		"signals":    a.once("signals", a.signals.Run),
		"telling":    a.once("telling", a.telling.Run),
		"told":       func(ctx context.Context) error { return a.feed.Run(ctx, a.telling.Follower()) },
		"approval":   func(ctx context.Context) error { return a.feed.Run(ctx, a.asks.Follower()) },
		"sources":    a.once("sources", a.configureSources),
		"reconcile":  func(ctx context.Context) error { return a.feed.Run(ctx, a.access.Follower()) },
		"bursts":     func(ctx context.Context) error { return a.feed.Run(ctx, a.access.Bursts()) },
		"merged":     func(ctx context.Context) error { return a.feed.Run(ctx, a.mergedFollower()) },
		"places":     func(ctx context.Context) error { return a.feed.Run(ctx, a.places().Follower()) },
		"membership": func(ctx context.Context) error { return a.feed.Run(ctx, a.membershipFollower()) },
	}
	for name, s := range a.ldap {
		every := a.cfg.ldapEvery(name)
		work["ldap "+name] = func(ctx context.Context) error { return s.Run(ctx, every) }
	}
	maps.Copy(work, a.hrFolders())
	maps.Copy(work, a.outlets())
	if a.restored.Load() != nil {
		work["restore"] = a.watchRestored
		work["opening"] = a.once("opening", a.opening)
	}
	if a.barrier == nil && a.db.Engine == db.Postgres {
		work["clock"] = func(ctx context.Context) error { return a.index.WatchClock(ctx, a.cfg.ClockLimit, a.endAll) }
	}
	if r := a.cfg.reloads; r != nil {
		r.app = a
		work["reload"] = r.watch
	}
	if a.barrier != nil {
		work["lease"] = a.barrier.Run
		work["missed"] = func(ctx context.Context) error { return a.chat.Follow(ctx, a.returned) }
	}
	return work
}

func (a *app) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil {
			a.log.Error("close", "error", err)
		}
	}
}
