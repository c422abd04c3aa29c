// Package bus nudges: it carries short notices between the parts and nodes of one deployment.
// It guarantees nothing about arrival; what must not be lost is read from the database. It never carries
// message bodies, tokens or decisions.
package bus

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Subject is what notices are about and the version of the format they are written in, "NAME/FORMAT"; without one it is 1. It is one more where a
// reader of the version before would misread them: nodes of several versions are on one bus while they are upgraded.
type Subject string

func (s Subject) name() string {
	name, _, _ := strings.Cut(string(s), "/")
	return name
}

func (s Subject) format() string {
	_, format, _ := strings.Cut(string(s), "/")
	return cmp.Or(format, "1")
}

// Bus delivers a notice to every subscriber of its subject that is there at the time.
type Bus interface {
	// Publish returns at once; data must not be changed afterwards.
	Publish(subject Subject, data []byte) error
	// Subscribe calls fn for each notice, one at a time and in order, until stop is called. A notice in another format than subject's comes as nil:
	// something was said that nobody here can read, and what it is stands in the database.
	Subscribe(subject Subject, fn func(data []byte)) (stop func(), err error)
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
func (b *InProcess) Publish(subject Subject, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.subs[subject.name()] {
		select {
		case ch <- data:
		default:
		}
	}
	return nil
}

// Subscribe starts one goroutine per subscription, which ends with stop or Close.
func (b *InProcess) Subscribe(subject Subject, fn func([]byte)) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := subject.name()
	if b.subs[name] == nil {
		b.subs[name] = map[int]chan []byte{}
	}
	key, ch := b.next, make(chan []byte, queued)
	b.next++
	b.subs[name][key] = ch
	b.wait.Go(func() {
		for data := range ch {
			fn(data)
		}
	})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, open := b.subs[name][key]; open {
			delete(b.subs[name], key)
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
