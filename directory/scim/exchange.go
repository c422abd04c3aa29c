package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/directory/journal"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// exchange watches one request and its answer, for the journal. The nil exchange watches nothing.
type exchange struct {
	http.ResponseWriter
	h       *Handler
	r       *http.Request
	entry   journal.Entry
	said    watched // the request's body
	told    watched // the answer's
	partly  string  // how much of a bulk request failed
	trial   bool    // a connection test's, whose errors are what it looks for
	ignored map[string]any
}

// watched keeps what goes by, up to the largest body that is read.
type watched struct {
	bytes.Buffer
	total int64
}

func (b *watched) take(p []byte) {
	b.total += int64(len(p))
	b.Write(p[:min(len(p), max(0, maxBody-b.Len()))])
}

// watch begins to watch a request; its answer goes through what it returns.
func (h *Handler) watch(w http.ResponseWriter, r *http.Request) *exchange {
	if h.note == nil {
		return nil
	}
	x := &exchange{ResponseWriter: w, h: h, r: r, ignored: map[string]any{}}
	x.entry = journal.Entry{ID: httpapi.RequestFrom(r.Context()), At: h.now(), Method: r.Method}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedBody{r.Body, &x.said}
	}
	return x
}

type watchedBody struct {
	io.ReadCloser
	into *watched
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.into.take(p[:n])
	return n, err
}

// Unwrap serves http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.entry.Status == 0 {
		x.entry.Status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.entry.Status == 0 {
		x.entry.Status = http.StatusOK
	}
	x.told.take(p)
	return x.ResponseWriter.Write(p)
}

// by notes whose request it is, also where its token is over.
func (x *exchange) by(source directory.Source, token directory.SourceToken) {
	if x != nil {
		x.entry.Source, x.entry.Token, x.trial = source.ID, token.ID, token.Temporary
	}
}

// ignore notes attributes that nobody understood.
func (x *exchange) ignore(names []string) {
	if x == nil {
		return
	}
	for _, name := range names {
		x.ignored[name] = true
	}
}

// failedPartly notes that some operations of a bulk request failed.
func (x *exchange) failedPartly(detail string) {
	if x != nil {
		x.partly = detail
	}
}

// end hands what was seen to the journal.
func (x *exchange) end() {
	if x == nil {
		return
	}
	e, r, m := &x.entry, x.r, x.h.mask
	e.Took = x.h.now().Sub(e.At)
	e.Path, e.Query = m.text(r.URL.EscapedPath()), m.query(r.URL.RawQuery)
	e.Client = m.text(r.UserAgent())
	e.Ignored = sortedKeys(x.ignored)
	var hidden []string
	e.Request, hidden = m.body(x.said.Bytes())
	answer := x.told.String()
	for _, secret := range hidden { // a refusal may quote what it refuses
		if len(secret) > 2 {
			answer = strings.ReplaceAll(answer, secret, masked)
		}
	}
	e.Answer, _ = m.body([]byte(answer))
	e.RequestBytes, e.AnswerBytes = max(x.said.total, r.ContentLength, 0), x.told.total
	e.Failed, e.Detail = !x.trial && (e.Status >= http.StatusBadRequest || x.partly != ""), x.partly
	if e.Status >= http.StatusBadRequest {
		var refusal struct {
			ScimType string
			Detail   string
		}
		if json.Unmarshal([]byte(e.Answer), &refusal) == nil {
			e.ScimType, e.Detail = refusal.ScimType, refusal.Detail
		}
	}
	if at, err := x.h.route(r); err == nil && !at.search && !at.discovery {
		e.Resource = at.id
	}
	if location := x.Header().Get("Location"); e.Resource == "" && location != "" {
		e.Resource = location[strings.LastIndexByte(location, '/')+1:]
	}
	x.h.note(*e)
}
