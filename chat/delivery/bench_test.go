package delivery

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/rollcall-im/rollcall/chat/chattest"
)

const receiversEnv = "ROLLCALL_TEST_RECEIVERS"

// The receivers of the benchmark are a process of their own, so that getrusage counts the server alone.
func TestMain(m *testing.M) {
	if address := os.Getenv(receiversEnv); address != "" {
		if err := receive(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// receive opens connections, says when all are live, and then reads until its input ends; it answers each line
// of its input with the number of bytes read so far.
func receive(address string) error {
	address, text, _ := strings.Cut(address, " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	var total atomic.Int64
	for _, person := range people(n) {
		p, err := stream(address, person, 0)
		if err != nil {
			return err
		}
		if err := p.send(`{"op":"resume"}`); err != nil {
			return err
		}
		r := bufio.NewReaderSize(p.conn, 512)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if line == "\r\n" {
				break
			}
		}
		for live := false; !live; {
			f, err := readFrame(r)
			if err != nil {
				return err
			}
			live = strings.Contains(string(f.Payload), "resumed")
		}
		go func() {
			buf := make([]byte, 8<<10)
			for {
				n, err := p.conn.Read(buf)
				if err != nil {
					return
				}
				total.Add(int64(n))
			}
		}()
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(total.Load())
	}
	return nil
}

type receivers struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startReceivers(b *testing.B, w *world, n int) *receivers {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", receiversEnv, w.url, n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	r := &receivers{in, bufio.NewScanner(out)}
	if !r.out.Scan() || r.out.Text() != "ready" {
		b.Fatal("the receivers did not come up")
	}
	return r
}

func (r *receivers) bytes(b *testing.B) int64 {
	fmt.Fprintln(r.in, "?")
	if !r.out.Scan() {
		b.Fatal("the receivers are gone")
	}
	n, err := strconv.ParseInt(r.out.Text(), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFanout writes messages of 200 bytes to WebSockets on loopback, with the check on, one
// message at a time and 16 in flight, and in the same run, in turns, the floor: one write(2) of the same
// frame per message and receiver, with nothing around it. It reports server CPU per delivery.
func BenchmarkFanout(b *testing.B) {
	for _, receivers := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(receivers), func(b *testing.B) { fanout(b, receivers) })
	}
}

func fanout(b *testing.B, receivers int) {
	w := newWorld(b, nil)
	w.gate.Let(main, chattest.Grant{}, people(receivers)...)
	peers := startReceivers(b, w, receivers)
	eventually(b, func() bool { return w.hub.Stats().Connections == int64(receivers) }, func() string { return "all are there" })
	var fds []int
	for _, c := range w.hub.all() {
		fds = append(fds, c.fd)
	}
	text := strings.Repeat("x", 100)
	frame := appendFrame(nil, ws.OpText, w.log.write(main, 1, text).Data)
	w.hub.Nudge(main, 1)
	<-w.hub.room(main).delivered(1)
	want := peers.bytes(b)
	for ; want < int64(receivers*len(frame)); want = peers.bytes(b) {
		time.Sleep(time.Millisecond)
	}
	settle := func() { // everybody has read everything before the next turn begins
		b.Helper()
		for end := time.Now().Add(20 * time.Second); peers.bytes(b) < want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				b.Fatalf("the receivers have %d of %d bytes", peers.bytes(b), want)
			}
		}
	}
	floor := func(n int) {
		for range n {
			for _, fd := range fds {
				for {
					if _, err := syscall.Write(fd, frame); err != syscall.EAGAIN {
						break
					}
				}
			}
			want += int64(len(frame) * receivers)
		}
	}
	single := func(n int) {
		for range n {
			e := w.post(main, text)
			want += int64(len(appendFrame(nil, ws.OpText, e.Data)) * receivers)
			<-w.hub.room(main).delivered(e.Seq)
		}
	}
	flight := func(n int) {
		var wait sync.WaitGroup
		var next, bytes atomic.Int64
		for range 16 {
			wait.Go(func() {
				for next.Add(1) <= int64(n) {
					e := w.post(main, text)
					bytes.Add(int64(len(appendFrame(nil, ws.OpText, e.Data)) * receivers))
					<-w.hub.room(main).delivered(e.Seq)
				}
			})
		}
		wait.Wait()
		want += bytes.Load()
	}
	var spent [3]time.Duration
	messages := [3]int{}
	turn := func(i, n int, fn func(int)) {
		began := cpu()
		fn(n)
		spent[i] += cpu() - began
		messages[i] += n
		settle()
	}
	for b.Loop() {
		turn(0, 10, floor)
		turn(1, 10, single)
		turn(2, 64, flight)
	}
	per := func(i int) float64 {
		return float64(spent[i].Nanoseconds()) / 1000 / float64(messages[i]*receivers)
	}
	b.ReportMetric(per(0), "floor-µs/delivery")
	b.ReportMetric(per(1), "single-µs/delivery")
	b.ReportMetric(per(2), "flight16-µs/delivery")
	b.ReportMetric(per(1)/per(0), "single/floor")
	b.ReportMetric(per(2)/per(0), "flight16/floor")
	b.ReportMetric(float64(len(frame)), "bytes/frame")
	if n := w.hub.Stats().Overflows; n > 0 {
		b.Fatalf("%d receivers overflowed", n)
	}
}

// BenchmarkIdleConnection reports what one live connection holds in memory: heap and stacks.
func BenchmarkIdleConnection(b *testing.B) {
	for _, n := range []int{1000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var files syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
				b.Fatal(err)
			}
			n := min(n, int(files.Max)-100) // the rest of the process wants some
			for b.Loop() {
				w := newWorld(b, nil)
				w.gate.Let(main, chattest.Grant{}, people(n)...)
				before := memoryInUse()
				startReceivers(b, w, n)
				eventually(b, func() bool { return w.hub.Stats().Connections == int64(n) }, func() string { return "all are there" })
				time.Sleep(100 * time.Millisecond)
				after := memoryInUse()
				b.ReportMetric(float64(after.heap-before.heap)/float64(n), "heap-bytes/connection")
				b.ReportMetric(float64(after.stack-before.stack)/float64(n), "stack-bytes/connection")
				b.ReportMetric(float64(n), "connections")
			}
		})
	}
}

type usage struct{ heap, stack int64 }

func memoryInUse() usage {
	var m runtime.MemStats
	for range 4 { // stacks shrink by a half at each collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return usage{int64(m.HeapAlloc), int64(m.StackInuse)}
}
