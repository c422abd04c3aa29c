package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rollcall-im/rollcall/internal/trace"
)

// Tracing says where the ways of changes are handed to, for OpenTelemetry.
type Tracing struct {
	Endpoint string  `koanf:"endpoint"` // of a collector, OTLP over HTTP; empty: nothing is traced
	Token    string  `koanf:"token"`    // sent there as a bearer token
	Sample   float64 `koanf:"sample"`   // the share of the changes that is traced, from 0 to 1
}

func (t Tracing) check(bad func(key, format string, args ...any)) {
	if t.Endpoint != "" {
		if _, err := trace.Address(t.Endpoint); err != nil {
			bad("tracing.endpoint", "wants the http://host:port or https://host:port of a collector that takes OTLP over HTTP, without a user or a query")
		}
	}
	switch {
	case t.Token != "" && t.Endpoint == "":
		bad("tracing.token", "stands there without tracing.endpoint: nothing would be traced")
	case t.Token != "" && readable(t.Endpoint):
		bad("tracing.token", "would cross the network readable: tracing.endpoint wants https:// for a collector that is not on this machine")
	}
	if !(t.Sample >= 0 && t.Sample <= 1) { // which no NaN is
		bad("tracing.sample", "wants a share from 0 to 1, not %v", t.Sample)
	}
}

// traceTime is how long a node that stops waits for its collector.
const traceTime = 3 * time.Second

// wireTracing makes the tracer of this node. A collector that is not there is told once, and again once it was.
func (a *app) wireTracing(ctx context.Context) (err error) {
	var failed atomic.Bool
	a.tracer, err = trace.New(ctx, trace.Options{Endpoint: a.cfg.Tracing.Endpoint, Token: a.cfg.Tracing.Token, Sample: a.cfg.Tracing.Sample, Client: a.way.Client(0),
		Node: a.cfg.Cluster.node(), Version: version(), Failed: func(err error) {
			if failed.CompareAndSwap(false, true) {
				a.log.Warn("traces are lost: the collector does not take them", "endpoint", a.cfg.Tracing.Endpoint, "error", err)
				time.AfterFunc(time.Hour, func() { failed.Store(false) })
			}
		}})
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	a.closers = append(a.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), traceTime)
		defer cancel()
		if err := a.tracer.Close(ctx); err != nil {
			a.log.Warn("the last traces are lost", "error", err)
		}
		return nil
	})
	return nil
}

// tracing hands the collector nothing, which it has to take.
func (d *doctor) tracing(ctx context.Context) {
	t := d.cfg.Tracing
	if t.Endpoint == "" {
		return
	}
	address, err := trace.Address(t.Endpoint)
	if err != nil {
		return // the configuration was checked
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(nil))
	if err != nil {
		d.say("tracing", stateBad, err.Error(), err.Error())
		return
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if t.Token != "" {
		request.Header.Set("Authorization", "Bearer "+t.Token)
	}
	answer, err := d.way.Client(0).Do(request)
	if err != nil {
		d.say("tracing", stateWarn, "the collector is not reached: "+err.Error(), "无法连接收集器："+err.Error())
		return
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		d.say("tracing", stateWarn, fmt.Sprintf("the collector answers %d", answer.StatusCode), fmt.Sprintf("收集器返回 %d", answer.StatusCode))
		return
	}
	d.say("tracing", stateFine, "the collector takes traces", "收集器接收追踪数据")
}
