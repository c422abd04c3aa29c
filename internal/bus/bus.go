// Package bus nudges: it carries short notices between the parts and nodes of one deployment.
// It guarantees nothing about arrival; what must not be lost is read from the database. It never carries
// message bodies, tokens or decisions.
package bus

import (
	"maps"
	"slices"
	"sync"
)

// Bus delivers a notice to every subscriber of its subject that is there at the time.
type Bus interface {
	// Publish returns at once; data must not be changed afterwards.
	Publish(subject string, data []byte) error
	// Subscribe calls fn for each notice, one at a time and in order, until stop is called.
	Subscribe(subject string, fn func(data []byte)) (stop func(), err error)
	Close() error
}

// InProcess is the bus of a deployment of one node.
type InProcess struct {
	mu   sync.Mutex
	next int
	subs map[string]map[int]chan []byte
	wait sync.WaitGroup
}

// NewInProcess makes a bus for one process.
func NewInProcess() *InProcess { return &InProcess{subs: map[string]map[int]chan []byte{}} }

const queued = 1024

// Publish hands data to every subscriber; a subscriber that is 1,024 notices behind loses this one, as it
// may on any bus: nudges are repeated by the followers' poll.
func (b *InProcess) Publish(subject string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.subs[subject] {
		select {
		case ch <- data:
		default:
		}
	}
	return nil
}

// Subscribe starts one goroutine per subscription, which ends with stop or Close.
func (b *InProcess) Subscribe(subject string, fn func([]byte)) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[subject] == nil {
		b.subs[subject] = map[int]chan []byte{}
	}
	key, ch := b.next, make(chan []byte, queued)
	b.next++
	b.subs[subject][key] = ch
	b.wait.Go(func() {
		for data := range ch {
			fn(data)
		}
	})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, open := b.subs[subject][key]; open {
			delete(b.subs[subject], key)
			close(ch)
		}
	}, nil
}

// Close ends every subscription and waits for the calls under way.
func (b *InProcess) Close() error {
	b.mu.Lock()
	for _, subject := range slices.Collect(maps.Keys(b.subs)) {
		for _, ch := range b.subs[subject] {
			close(ch)
		}
		delete(b.subs, subject)
	}
	b.mu.Unlock()
	b.wait.Wait()
	return nil
}
