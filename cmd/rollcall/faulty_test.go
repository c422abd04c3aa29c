package main

import (
	"net"
	"sync"
	"testing"
)

// faulty stands before a server and can cut the network to it: connections stay open and nothing comes through, as where packets are dropped.
type faulty struct {
	address string

	mu    sync.Mutex
	pass  chan struct{} // closed while bytes come through
	conns []net.Conn
}

func newFaulty(t testing.TB, target string) *faulty {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{address: l.Addr().String(), pass: make(chan struct{})}
	close(f.pass)
	t.Cleanup(func() {
		l.Close()
		f.heal()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range f.conns {
			c.Close()
		}
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go f.join(in, target)
		}
	}()
	return f
}

func (f *faulty) join(in net.Conn, target string) {
	out, err := net.Dial("tcp", target)
	if err != nil {
		in.Close()
		return
	}
	f.mu.Lock()
	f.conns = append(f.conns, in, out)
	f.mu.Unlock()
	go f.copy(out, in)
	f.copy(in, out)
}

// copy carries bytes one way while the network is whole.
func (f *faulty) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			f.mu.Lock()
			pass := f.pass
			f.mu.Unlock()
			<-pass
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (f *faulty) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pass = make(chan struct{})
}

func (f *faulty) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.pass:
	default:
		close(f.pass)
	}
}
