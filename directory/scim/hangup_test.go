package scim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// raw is a request as it goes over the wire.
func (w *wire) raw(method, path, body string, headers ...string) string {
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	for _, header := range headers {
		if strings.HasPrefix(header, "Transfer-Encoding") || strings.HasPrefix(header, "Content-Length") {
			length = ""
		}
	}
	return method + " " + Root + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + w.secret + "\r\n" + length + strings.Join(append(headers, ""), "\r\n") + "\r\n" + body
}

func (w *wire) dial() *net.TCPConn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// eventually waits for what a call does that nobody waits for.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

// A client that has said its whole request and hangs up, at whatever moment, does not stop the revocation.
func TestHangingUpOverTheWire(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		shapes := []func(link, name string) string{
			func(link, _ string) string {
				return w.raw("PATCH", "/Users/"+link, patch(`{"op":"replace","value":{"active":false}}`))
			},
			func(link, name string) string {
				return w.raw("PUT", "/Users/"+link, `{"schemas":["`+userURN+`"],"userName":"`+name+`","active":false}`)
			},
			func(link, _ string) string { return w.raw("DELETE", "/Users/"+link, "") },
			func(link, _ string) string {
				return w.raw("POST", "/Bulk", bulkBody(0, `{"method":"PATCH","path":"/Users/nobody","data":{"schemas":["`+patchURN+`"],"Operations":[{"op":"replace","path":"active","value":false}]}}`,
					`{"method":"PATCH","path":"/Users/`+link+`","data":{"schemas":["`+patchURN+`"],"Operations":[{"op":"replace","path":"active","value":false}]}}`))
			},
			func(link, _ string) string {
				body := patch(`{"op":"replace","path":"active","value":"False"}`)
				return w.raw("PATCH", "/Users/"+link, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body), "Transfer-Encoding: chunked")
			},
		}
		for round := range 8 {
			for i, shape := range shapes {
				name := fmt.Sprintf("u%d-%d", round, i)
				link := w.user(`"userName":"` + name + `"`).id()
				person, settled := w.record(link).Person, len(w.access.settles())
				conn := w.dial()
				if _, err := io.WriteString(conn, shape(link, name)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(round) * 500 * time.Microsecond)
				conn.Close()
				eventually(t, fmt.Sprintf("shape %d", i), func() bool { return len(w.open(person)) == 1 && len(w.access.settles()) > settled })
			}
		}
	})
}

// What was said in half changes nothing.
func TestHalfARequest(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		link := w.user(`"userName":"u"`).id()
		before := w.written()
		whole := w.raw("PATCH", "/Users/"+link, patch(`{"op":"replace","path":"active","value":false}`))
		for _, cut := range []int{10, len(whole) / 2, len(whole) - 40, len(whole) - 1} {
			conn := w.dial()
			_, _ = io.WriteString(conn, whole[:cut])
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(conn)
			conn.Close()
			if bytes.Contains(answer, []byte(" 200 ")) {
				t.Errorf("cut at %d: %s", cut, answer)
			}
		}
		if got := w.open(w.record(link).Person); len(got) != 0 || w.written() != before {
			t.Errorf("freezes %v, %d audit records", got, w.written()-before)
		}
		if strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("logged: %s", w.log)
		}
	})
}

// A body that is too large is refused by what its head says, or where it passes the limit; nobody who is not known is asked
// for a body.
func TestBodiesOverTheWire(t *testing.T) {
	w := connect(start(t, dbtest.SQLite(t)))
	ask := func(request string) (*http.Response, string) {
		t.Helper()
		conn := w.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%.200s: %v", request, err)
		}
		text, _ := io.ReadAll(answer.Body)
		return answer, string(text)
	}
	huge := fmt.Sprintf("Content-Length: %d", 30<<20)
	for name, request := range map[string]string{
		"Expect":  w.raw("POST", "/Users", "", "Expect: 100-continue", huge),
		"length":  w.raw("POST", "/Users", "{", huge),
		"chunked": w.raw("POST", "/Users", fmt.Sprintf("%x\r\n%s\r\n", 2*maxBody, strings.Repeat("x", 2*maxBody)), "Transfer-Encoding: chunked"),
	} {
		if answer, text := ask(request); answer.StatusCode != 413 || !strings.Contains(text, "urn:ietf:params:scim:api:messages:2.0:Error") || !answer.Close {
			t.Errorf("%s: %d %s, close %v", name, answer.StatusCode, text, answer.Close)
		}
	}
	stranger := strings.Replace(w.raw("POST", "/Users", "", "Expect: 100-continue", "Content-Length: 10"), w.secret, "nobody", 1)
	if answer, text := ask(stranger); answer.StatusCode != 401 || !strings.Contains(text, "scim:api:messages:2.0:Error") {
		t.Errorf("a stranger: %d %s", answer.StatusCode, text)
	}
	body := `{"schemas":["` + userURN + `"],"userName":"u"}`
	conn := w.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, w.raw("POST", "/Users", "", "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", len(body))))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = in.ReadString('\n')
	_, _ = io.WriteString(conn, body)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != 201 {
		t.Errorf("%v, %v", answer, err)
	}
}

// HTTP/2: the same answers, and a stream that is given up does not stop the revocation.
func TestHTTP2(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		s := start(t, d)
		server := httptest.NewUnstartedServer(s.h)
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		client := server.Client()
		client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS12
		link := s.user(`"userName":"u"`).id()
		gate, waiting := make(chan struct{}), s.access.entered()
		s.access.hold(gate)
		ctx, giveUp := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, "PATCH", server.URL+Root+"/Users/"+link, strings.NewReader(patch(`{"op":"replace","path":"active","value":false}`)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.secret)
		done := make(chan error, 1)
		go func() { _, err := client.Do(r); done <- err }()
		eventually(t, "the call stands before the barrier", func() bool { return s.access.entered() > waiting })
		giveUp()
		if err := <-done; err == nil {
			t.Error("answered before the barrier")
		}
		settled := len(s.access.settles())
		close(gate)
		eventually(t, "the barrier", func() bool { return len(s.access.settles()) > settled })
		if got := s.open(s.record(link).Person); len(got) != 1 {
			t.Errorf("freezes %v", got)
		}
		get, _ := http.NewRequest("GET", server.URL+Root+"/Users/"+link, nil)
		get.Header.Set("Authorization", "Bearer "+s.secret)
		answer, err := client.Do(get)
		if err != nil || answer.ProtoMajor != 2 || answer.StatusCode != 200 {
			t.Fatalf("%v, %v", answer, err)
		}
		answer.Body.Close()
	})
}

// A token that is taken away in the middle of a connection is refused by its next request.
//
// holds: attack scim-07
func TestTokenEndsWithinAConnection(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		w := connect(start(t, d))
		second, token, err := w.store.IssueSourceToken(context.Background(), directory.Cause{}, w.source.ID, "second", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		conn := w.dial()
		defer conn.Close()
		in := bufio.NewReader(conn)
		ask := func(secret, query string) int {
			t.Helper()
			_, _ = io.WriteString(conn, strings.Replace(w.raw("GET", "/Users"+query, ""), w.secret, secret, 1))
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			return answer.StatusCode
		}
		if a, b := ask(w.secret, ""), ask(second, ""); a != 200 || b != 200 {
			t.Fatalf("%d %d", a, b)
		}
		for i, gone := range []struct {
			secret string
			revoke func() error
		}{
			{w.secret, func() error {
				return w.store.RevokeSourceToken(context.Background(), directory.Cause{}, w.source.ID, w.token)
			}},
			{second, func() error {
				return w.store.RevokeSourceToken(context.Background(), directory.Cause{}, w.source.ID, token.ID)
			}},
		} {
			if err := gone.revoke(); err != nil {
				t.Fatal(err)
			}
			if a := ask(gone.secret, ""); a != 401 {
				t.Errorf("revoked: %d", a)
			}
			if a := ask("", "?access_token="+second); a != 401 {
				t.Errorf("in the address: %d", a)
			}
			if a := ask(second, ""); i == 0 && a != 200 {
				t.Errorf("the other token: %d", a)
			}
		}
	})
}
