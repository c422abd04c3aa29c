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
	gauge("rollcall_authz_divergence_total", "Differences found between the index and OpenFGA.", func() float64 { return float64(a.engine.Divergences()) })
	gauge("rollcall_clock_skew_seconds", "How far this node's clock is ahead of PostgreSQL's.", func() float64 { return a.index.Skew().Seconds() })
	gauge("rollcall_clock_trusted", "Whether this node's clock is near enough to PostgreSQL's; 0: whatever has a beginning or an end is denied here.", func() float64 {
		if a.index.ClockTrusted() {
			return 1
		}
		return 0
	})
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
	a.registry.MustRegister(openHolds{a}, followerLags{a}, setAside{a}, sourceFreshness{a}, outletFigures{a})
	counted("rollcall_openfga_behind", "Authorization revisions that OpenFGA has not been told yet", a.engine.Behind)
	counted("rollcall_unjudged_people", "People for whom a rule of the policy could not be judged, and gives nothing", a.access.Unjudged)
	if a.barrier != nil {
		gauge("rollcall_bus_connected", "Whether a server of the bus between the nodes is reached; without one they look for themselves.", func() float64 {
			if a.onBus() {
				return 1
			}
			return 0
		})
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

// openHolds tells how many holds of each cause wait for somebody, when it is asked; a burst is one of them.
type openHolds struct{ app *app }

// Describe implements prometheus.Collector.
func (h openHolds) Describe(out chan<- *prometheus.Desc) { out <- h.desc() }

// Collect implements prometheus.Collector.
func (h openHolds) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	open, err := h.app.access.OpenHolds(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(h.desc(), err)
		return
	}
	for _, cause := range []provisioning.Cause{provisioning.CauseAbsence, provisioning.CauseCleanup, provisioning.CauseMove, provisioning.CausePolicy, provisioning.CauseBurst} {
		out <- prometheus.MustNewConstMetric(h.desc(), prometheus.GaugeValue, float64(open[cause]), string(cause))
	}
}

func (h openHolds) desc() *prometheus.Desc {
	return prometheus.NewDesc("rollcall_holds_open", "Holds that wait for somebody; cause burst: a source disabled or deleted many people.", []string{"cause"}, nil)
}

// followerLags tells how far each follower of the feed is behind, when it is asked.
type followerLags struct{ app *app }

func (followerLags) descs() (seconds, events *prometheus.Desc) {
	label := []string{"follower"}
	return prometheus.NewDesc("rollcall_follower_lag_seconds", "Age of the oldest event that a follower of the feed has not handled.", label, nil),
		prometheus.NewDesc("rollcall_follower_lag_events", "Events that a follower of the feed has not handled.", label, nil)
}

// Describe implements prometheus.Collector.
func (f followerLags) Describe(out chan<- *prometheus.Desc) {
	seconds, events := f.descs()
	out <- seconds
	out <- events
}

// Collect implements prometheus.Collector.
func (f followerLags) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	seconds, events := f.descs()
	lags, err := f.app.feed.Lags(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(seconds, err)
		return
	}
	for _, l := range lags {
		age := 0.0
		if !l.Since.IsZero() {
			age = max(time.Since(l.Since).Seconds(), 0)
		}
		out <- prometheus.MustNewConstMetric(seconds, prometheus.GaugeValue, age, l.Follower)
		out <- prometheus.MustNewConstMetric(events, prometheus.GaugeValue, float64(l.Events), l.Follower)
	}
}

// sourceFreshness tells how sources stand, when it is asked.
type sourceFreshness struct{ app *app }

func (sourceFreshness) descs() (age, ok *prometheus.Desc) {
	labels := []string{"source", "kind"}
	return prometheus.NewDesc("rollcall_source_verified_age_seconds", "Since when it is not known that a source says what stands here; NaN: it never was.", labels, nil),
		prometheus.NewDesc("rollcall_source_ok", "Whether a source stands as it should.", labels, nil)
}

// Describe implements prometheus.Collector.
func (s sourceFreshness) Describe(out chan<- *prometheus.Desc) {
	age, ok := s.descs()
	out <- age
	out <- ok
}

// Collect implements prometheus.Collector.
func (s sourceFreshness) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), asked)
	defer cancel()
	ageDesc, okDesc := s.descs()
	sources, err := s.app.people.Sources(ctx)
	of := map[id.Source]*directory.SourceHealth{}
	for _, one := range sources {
		of[one.ID] = &directory.SourceHealth{}
	}
	if err == nil {
		err = s.app.health(ctx, sources, of)
	}
	if err != nil {
		out <- prometheus.NewInvalidMetric(ageDesc, err)
		return
	}
	for _, one := range sources {
		h, age, ok := of[one.ID], math.NaN(), 0.0
		if !h.VerifiedAt.IsZero() {
			age = max(time.Since(h.VerifiedAt).Seconds(), 0)
		}
		if h.State == directory.HealthOK {
			ok = 1
		}
		out <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age, one.Name, string(one.Kind))
		out <- prometheus.MustNewConstMetric(okDesc, prometheus.GaugeValue, ok, one.Name, string(one.Kind))
	}
}
