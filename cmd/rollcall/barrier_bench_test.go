package main

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkBarrier offboards people on three nodes on PostgreSQL and NATS, one call at a time and 16 at once: until each call returns, every node has acknowledged it. With one node frozen it waits for that
// node's lease, once.
func BenchmarkBarrier(b *testing.B) {
	const lease, people = 2 * time.Second, 200
	c := newTrio(b)
	links := make([]string, people)
	for i := range links {
		links[i], _ = c.hire(c.nodes[0], fmt.Sprint("leaver", i))
	}
	set := func(i int, active bool) time.Duration {
		n, begin := c.nodes[i%2], time.Now()
		n.must("PATCH", "/scim/v2/Users/"+links[i], n.secret, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":%v}}]}`, active))
		return time.Since(begin)
	}
	var alone, together []time.Duration
	var whole time.Duration
	for b.Loop() {
		for i := range links {
			alone = append(alone, set(i, false))
		}
		for i := range links {
			set(i, true)
		}
		took := make([]time.Duration, people)
		next := make(chan int)
		var wait sync.WaitGroup
		begin := time.Now()
		for range 16 {
			wait.Go(func() {
				for i := range next {
					took[i] = set(i, false)
				}
			})
		}
		for i := range links {
			next <- i
		}
		close(next)
		wait.Wait()
		whole += time.Since(begin)
		together = append(together, took...)
		for i := range links {
			set(i, true)
		}
	}
	quantiles(b, "alone", alone)
	quantiles(b, "16-at-once", together)
	b.ReportMetric(float64(len(together))/whole.Seconds(), "16-at-once/s")
	frozen := c.nodes[2].server.Process
	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		b.Fatal(err)
	}
	first := set(0, false)
	b.ReportMetric(float64(first.Milliseconds()), "frozen-first-ms")
	b.ReportMetric(float64((first - lease).Milliseconds()), "frozen-over-lease-ms")
	b.ReportMetric(float64(set(1, false).Milliseconds()), "frozen-next-ms")
	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		b.Fatal(err)
	}
}
