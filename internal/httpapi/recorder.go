package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// recorder remembers what was answered. It hands on flushing, hijacking and deadlines, which the stream needs.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) written() bool { return w.status != 0 }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// Unwrap serves http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	http.NewResponseController(w.ResponseWriter).Flush() // an error says that nothing can be flushed
}

// Hijack implements http.Hijacker.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func stack() string { return string(debug.Stack()) }

// timedBody sets the connection's read deadline at the first read and takes it away with the body's end.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	allow   time.Duration
	set     bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if !b.set {
		b.set = true
		b.control.SetReadDeadline(time.Now().Add(b.allow)) // not every writer can; then the server's own limits hold
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.clear()
	}
	return n, err
}

func (b *timedBody) Close() error {
	b.clear()
	return b.ReadCloser.Close()
}

func (b *timedBody) clear() {
	if b.set {
		b.control.SetReadDeadline(time.Time{})
	}
}
