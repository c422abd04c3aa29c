package main

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// asked is how long a figure may take that is read when it is asked for.
const asked = 2 * time.Second

// measure registers what an operator wants to see of this node.
func (a *app) measure() {
	gauge := func(name, help string, value func() float64) {
		a.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("rollcall_authz_revision", "Authorization revision in force on this node.", func() float64 { return float64(a.index.Revision()) })
	gauge("rollcall_authz_doubted", "Pairs of a person and a channel of whom OpenFGA says otherwise than the index: they are denied here until both agree.", func() float64 { return float64(a.index.Doubted()) })
	gauge("rollcall_clock_skew_seconds", "How far this node's clock is ahead of PostgreSQL's.", func() float64 { return a.index.Skew().Seconds() })
	whether := func(name, help string, is func() bool) {
		gauge(name, help, func() float64 {
			if is() {
				return 1
			}
			return 0
		})
	}
	whether("rollcall_clock_trusted", "Whether this node's clock is near enough to PostgreSQL's; 0: whatever has a beginning or an end is denied here.", a.index.ClockTrusted)
	counted := func(name, help string, count func(context.Context) (int, error)) {
		gauge(name, help+"; NaN: not known.", func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), asked)
			defer cancel()
			n, err := count(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		})
	}
	a.registry.MustRegister(comparisonFigures(a), holdFigures(a), followerFigures(a), sourceFigures(a), outletFigures(a), toldFigures(a))
	counted("rollcall_openfga_behind", "Authorization revisions that OpenFGA has not been told yet", a.engine.Behind)
	counted("rollcall_unjudged_people", "People for whom a rule of the policy could not be judged, and gives nothing", a.access.Unjudged)
	if a.barrier != nil {
		whether("rollcall_bus_connected", "Whether a server of the bus between the nodes is reached; without one they look for themselves.", a.onBus)
		gauge("rollcall_lease_seconds", "How long this node may go on to answer without hearing from the database; 0: it answers nothing.", func() float64 { return a.barrier.Left().Seconds() })
		counted("rollcall_nodes", "Nodes whose lease holds", func(ctx context.Context) (n int, err error) {
			nodes, err := a.barrier.Nodes(ctx)
			for _, node := range nodes {
				if node.Ago < 0 {
					n++
				}
			}
			return n, err
		})
	}
	gauge("rollcall_stream_connections", "Open streams.", func() float64 { return float64(a.chat.Hub().Stats().Connections) })
}

// figures are numbers that are read together, when they are asked for.
type figures struct {
	descs []*prometheus.Desc
	kind  prometheus.ValueType
	read  func(context.Context, say) error
}

// say tells the value of one of descs.
type say func(of int, value float64, labels ...string)

// described is one of them: its name, what it says, and the names of its labels.
func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (f figures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range f.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (f figures) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	if err := f.read(ctx, func(of int, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(f.descs[of], f.kind, value, labels...)
	}); err != nil {
		out <- prometheus.NewInvalidMetric(f.descs[0], err)
	}
}

// gauges are figures that go up and down.
func gauges(read func(context.Context, say) error, descs ...*prometheus.Desc) figures {
	return figures{descs, prometheus.GaugeValue, read}
}

// comparisonFigures tell what the index and OpenFGA were compared in.
func comparisonFigures(a *app) figures {
	return figures{
		kind: prometheus.CounterValue,
		descs: []*prometheus.Desc{
			described("rollcall_authz_compared_total", "Decisions that OpenFGA was asked about as well, by why they came out as they did; sample: nobody had asked.", "class"),
			described("rollcall_authz_uncompared_total", "Decisions that OpenFGA was to be asked about and did not answer in time.", "class"),
			described("rollcall_authz_divergence_total", "Decisions on which the index and OpenFGA differed: they are denied until both agree.", "class"),
			described("rollcall_authz_foreign_tuples_total", "Tuples that others wrote to OpenFGA. They granted nothing, and are removed."),
			described("rollcall_authz_missing_tuples_total", "Tuples that others deleted from OpenFGA. They are written again."),
			described("rollcall_authz_foreign_models_total", "Authorization models that others wrote to OpenFGA. Nothing of ours asks by them."),
		},
		read: func(_ context.Context, say say) error {
			f := a.engine.Figures()
			for of, counts := range []map[string]int64{f.Compared, f.Unasked, f.Different} {
				for class, n := range counts {
					say(of, float64(n), class)
				}
			}
			say(3, float64(f.Foreign))
			say(4, float64(f.Missing))
			say(5, float64(f.Models))
			return nil
		},
	}
}

// holdFigures tell how many holds of each cause wait for somebody; a burst is one of them.
func holdFigures(a *app) figures {
	return gauges(func(ctx context.Context, say say) error {
		open, err := a.access.OpenHolds(ctx)
		if err != nil {
			return err
		}
		for _, cause := range []provisioning.Cause{provisioning.CauseAbsence, provisioning.CauseCleanup, provisioning.CauseMove, provisioning.CausePolicy, provisioning.CauseBurst} {
			say(0, float64(open[cause]), string(cause))
		}
		return nil
	}, described("rollcall_holds_open", "Holds that wait for somebody; cause burst: a source disabled or deleted many people.", "cause"))
}

// followerFigures tell how far each follower of the feed is behind, and how much it could not handle.
func followerFigures(a *app) figures {
	return gauges(func(ctx context.Context, say say) error {
		lags, err := a.feed.Lags(ctx)
		if err != nil {
			return err
		}
		aside, err := a.feed.Aside(ctx)
		if err != nil {
			return err
		}
		of, people := map[string]int{}, map[string]bool{}
		for _, one := range aside {
			if of[one.Follower]++; one.Closed {
				people[one.Person] = true
			}
		}
		for _, l := range lags {
			say(0, age(l.Since, 0), l.Follower)
			say(1, float64(l.Events), l.Follower)
			say(2, float64(of[l.Follower]), l.Follower)
			delete(of, l.Follower)
		}
		for follower, n := range of {
			say(2, float64(n), follower)
		}
		say(3, float64(len(people)))
		return nil
	},
		described("rollcall_follower_lag_seconds", "Age of the oldest event that a follower of the feed has not handled.", "follower"),
		described("rollcall_follower_lag_events", "Events that a follower of the feed has not handled.", "follower"),
		described("rollcall_set_aside", "Subjects of which a follower of the feed could not handle an event; they are tried again.", "follower"),
		described("rollcall_set_aside_denied", "People who are denied everything because of that."))
}

// age is how long ago t was, in seconds; none where t is zero.
func age(t time.Time, none float64) float64 {
	if t.IsZero() {
		return none
	}
	return max(time.Since(t).Seconds(), 0)
}

// sourceFigures tell how sources stand.
func sourceFigures(a *app) figures {
	return gauges(func(ctx context.Context, say say) error {
		sources, err := a.people.Sources(ctx)
		if err != nil {
			return err
		}
		of := map[id.Source]*directory.SourceHealth{}
		for _, one := range sources {
			of[one.ID] = &directory.SourceHealth{}
		}
		if err := a.health(ctx, sources, of); err != nil {
			return err
		}
		for _, one := range sources {
			h, ok := of[one.ID], 0.0
			if h.State == directory.HealthOK {
				ok = 1
			}
			say(0, age(h.VerifiedAt, math.NaN()), one.Name, string(one.Kind))
			say(1, ok, one.Name, string(one.Kind))
		}
		return nil
	},
		described("rollcall_source_verified_age_seconds", "Since when it is not known that a source says what stands here; NaN: it never was.", "source", "kind"),
		described("rollcall_source_ok", "Whether a source stands as it should.", "source", "kind"))
}

// outletFigures tell how the outlets of the audit log stand.
func outletFigures(a *app) figures {
	return gauges(func(ctx context.Context, say say) error {
		_, states, err := a.outletStates(ctx)
		for _, s := range states {
			fine := 1.0
			if s.Problem != "" {
				fine = 0
			}
			say(0, float64(s.Behind), s.Name)
			say(1, fine, s.Name)
		}
		return err
	},
		described("rollcall_audit_outlet_behind_records", "Records of the audit log that may not have reached an outlet.", "outlet"),
		described("rollcall_audit_outlet_ok", "Whether the audit log reaches an outlet, and is the one that its last checkpoint was about.", "outlet"))
}
