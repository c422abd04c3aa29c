package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	scimerrors "github.com/elimity-com/scim/errors"
)

// A bulk request (RFC 7644 section 3.7) is a list of requests, each of which goes through all stages on its own: one
// change and one answer each, nothing is undone. They are done in the order they stand in, except that what another
// refers to by its bulkId is done before it.

const (
	bulkURN         = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// bulkOperation is one operation as sent.
type bulkOperation struct {
	method, id, path, version string
	data                      any
	bad                       string // why it cannot be done, where it cannot be read
}

// bulkRequest is a bulk request that can be carried out.
type bulkRequest struct {
	operations   []bulkOperation
	failOnErrors int            // stop at so many; 0: never
	byID         map[string]int // the operation that makes what a bulkId stands for
}

// parseBulk reads the body of a bulk request. What is wrong with one operation is answered for that one; what is wrong
// with the whole refuses it before anything is done.
func parseBulk(body []byte) (bulkRequest, error) {
	object, err := decode(body)
	if err != nil {
		return bulkRequest{}, err
	}
	b := bulkRequest{byID: map[string]int{}}
	var list []any
	named := false
	for _, key := range sortedKeys(object) {
		v := object[key]
		ok := true
		switch strings.ToLower(key) {
		case "schemas":
			schemas, _ := v.([]any)
			for _, s := range schemas {
				s, _ := s.(string)
				named = named || strings.EqualFold(repairURN(s), bulkURN)
			}
		case "operations":
			list, ok = v.([]any)
		case "failonerrors":
			ok = v == nil
			if number, isNumber := v.(json.Number); isNumber {
				b.failOnErrors, err = strconv.Atoi(number.String())
				ok = err == nil && b.failOnErrors >= 0
			}
		}
		if !ok {
			return bulkRequest{}, invalidSyntax("The value of %s is not understood.", key)
		}
	}
	if !named || len(list) == 0 {
		return bulkRequest{}, invalidSyntax("The body is not a BulkRequest with one operation or more.")
	}
	if len(list) > maxOperations { // RFC 7644 section 3.7.4
		return bulkRequest{}, answer(http.StatusRequestEntityTooLarge, "The bulk request has more than maxOperations (%d) operations.", maxOperations)
	}
	for i, e := range list {
		o := parseBulkOperation(e)
		if o.method == http.MethodPost && o.id != "" {
			if _, twice := b.byID[o.id]; twice {
				return bulkRequest{}, invalidSyntax("The bulkId %q is given twice.", o.id)
			}
			b.byID[o.id] = i
		}
		b.operations = append(b.operations, o)
	}
	return b, nil
}

func parseBulkOperation(e any) bulkOperation {
	object, ok := e.(map[string]any)
	if !ok {
		return bulkOperation{bad: "The operation is not an object."}
	}
	var o bulkOperation
	for _, key := range sortedKeys(object) {
		into := map[string]*string{"method": &o.method, "bulkid": &o.id, "path": &o.path, "version": &o.version}[strings.ToLower(key)]
		if strings.EqualFold(key, "data") {
			o.data = object[key]
		}
		if s, isText := object[key].(string); into != nil && isText {
			*into = s
		} else if into != nil && object[key] != nil {
			o.bad = key + " is not a text."
		}
	}
	o.method = strings.ToUpper(o.method)
	switch {
	case o.bad != "":
	case o.method != http.MethodPost && o.method != http.MethodPut && o.method != http.MethodPatch && o.method != http.MethodDelete:
		o.bad = "The method is POST, PUT, PATCH or DELETE."
	case o.method == http.MethodPost && o.id == "":
		o.bad = "A POST needs a bulkId."
	case o.path == "":
		o.bad = "The operation has no path."
	case o.data == nil && o.method != http.MethodDelete:
		o.bad = "The operation has no data."
	}
	return o
}

// bulkRun carries a bulk request out.
type bulkRun struct {
	bulkRequest
	h       *Handler
	c       *call
	r       *http.Request
	state   []bulkState
	results []resource // by operation; nil where it was not done
	ids     []string   // of what a POST made
	again   []int      // POSTs of a circle: made without some references, to be completed
	errors  int
}

type bulkState int

const (
	bulkWaiting bulkState = iota
	bulkRunning
	bulkDone
)

// bulk answers POST /Bulk.
func (h *Handler) bulk(w http.ResponseWriter, r *http.Request, c *call) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	b, err := parseBulk(body)
	if err != nil {
		return err
	}
	n := len(b.operations)
	_, burst := h.Limits()
	h.bucket(c.source.ID).ReserveN(h.now(), min(n, burst)) // what it costs is taken off what may follow
	run := bulkRun{bulkRequest: b, h: h, c: c, r: r, state: make([]bulkState, n), results: make([]resource, n), ids: make([]string, n)}
	for i := range b.operations {
		run.do(i)
	}
	for _, i := range run.again {
		run.complete(i)
	}
	if run.errors > 0 {
		c.x.failedPartly(fmt.Sprintf("%d of %d operations failed", run.errors, n))
	}
	results := []any{}
	for _, result := range run.results {
		if result != nil {
			results = append(results, result)
		}
	}
	out, err := json.Marshal(resource{"schemas": []string{bulkResponseURN}, "Operations": results})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(out)
	return nil
}

// stopped tells whether nothing more is begun: too many errors, or no time left.
func (b *bulkRun) stopped() bool {
	return b.failOnErrors > 0 && b.errors >= b.failOnErrors || b.r.Context().Err() != nil
}

// do carries out operation i, and before it what it refers to.
func (b *bulkRun) do(i int) {
	if b.state[i] != bulkWaiting || b.stopped() {
		return
	}
	b.state[i] = bulkRunning
	defer func() { b.state[i] = bulkDone }()
	o := b.operations[i]
	if o.bad != "" {
		b.fail(i, invalidSyntax("%s", o.bad))
		return
	}
	circle := false
	for name := range bulkReferences(o) {
		at, known := b.byID[name]
		if !known {
			b.fail(i, answer(http.StatusConflict, "No operation has the bulkId %q.", name))
			return
		}
		if b.do(at); b.state[at] == bulkRunning && b.ids[at] == "" {
			circle = true
			continue
		}
		if b.stopped() {
			b.state[i] = bulkDone
			return
		}
		if b.ids[at] == "" {
			b.fail(i, answer(http.StatusConflict, "The operation of the bulkId %q failed.", name))
			return
		}
	}
	if circle { // RFC 7644 section 3.7.1: made without the reference, completed when all are made
		if o.method != http.MethodPost {
			b.fail(i, answer(http.StatusConflict, "The references of the operation form a circle."))
			return
		}
		b.again = append(b.again, i)
	}
	b.send(i, o)
}

// complete gives a resource that was made without some of its references the whole of its data.
func (b *bulkRun) complete(i int) {
	if b.ids[i] == "" || b.r.Context().Err() != nil {
		return
	}
	o := b.operations[i]
	for name := range bulkReferences(o) {
		if at, known := b.byID[name]; !known || b.ids[at] == "" {
			b.fail(i, answer(http.StatusConflict, "The operation of the bulkId %q failed; the resource exists without it.", name))
			return
		}
	}
	o.method, o.path = http.MethodPut, o.path+"/"+b.ids[i]
	b.send(i, o)
	if code := b.results[i]["status"]; code == "200" {
		b.results[i]["status"] = "201"
	}
}

// send puts one operation through the stages and notes its result.
func (b *bulkRun) send(i int, o bulkOperation) {
	o, inner, err := b.request(o)
	if err != nil {
		b.fail(i, err)
		return
	}
	from := &libraryAnswer{status: http.StatusOK}
	at, err := b.h.route(inner)
	if err == nil && (at.kind == nil || at.search) {
		err = answer(http.StatusNotFound, "%q is no path of a resource.", o.path)
	}
	if err == nil {
		err = b.h.serve(from, inner, b.c.fork(nil))
	}
	if err != nil {
		from = &libraryAnswer{}
		writeError(from, b.h.outside(inner, at.id, err))
	}
	result := b.result(i, strconv.Itoa(from.status))
	location := from.Header().Get("Location")
	if location == "" && at.kind != nil && at.id != "" {
		location = b.c.base + at.endpoint + "/" + at.id
	}
	if location != "" {
		result["location"] = location
	}
	if tag := from.Header().Get("Etag"); tag != "" {
		result["version"] = tag
	}
	if from.status >= http.StatusMultipleChoices {
		b.errors++
		result["response"] = json.RawMessage(from.body.Bytes())
		return
	}
	if b.operations[i].method == http.MethodPost {
		b.ids[i] = location[strings.LastIndexByte(location, '/')+1:]
	}
}

// request makes the request that an operation stands for, its references resolved.
func (b *bulkRun) request(o bulkOperation) (bulkOperation, *http.Request, error) {
	data, _ := b.resolve(o.data)
	o.path = b.resolvePath(o.path)
	u, err := url.Parse(strings.TrimPrefix(o.path, "/"))
	if err != nil || u.IsAbs() || u.Host != "" {
		return o, nil, invalidSyntax("The path %q is not relative to the service provider.", o.path)
	}
	u.Path, u.RawPath = Root+"/"+u.Path, ""
	inner := (&http.Request{Method: o.method, URL: u, Host: b.r.Host, Header: http.Header{}, Body: http.NoBody}).WithContext(b.r.Context())
	if o.version != "" {
		inner.Header.Set("If-Match", o.version)
	}
	if o.method != http.MethodDelete {
		body, err := json.Marshal(data)
		if err != nil {
			return o, nil, err
		}
		inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return o, inner, nil
}

func (b *bulkRun) result(i int, status string) resource {
	o := b.operations[i]
	result := resource{"method": o.method, "status": status}
	if o.id != "" {
		result["bulkId"] = o.id
	}
	b.results[i] = result
	return result
}

func (b *bulkRun) fail(i int, why error) {
	var err scimerrors.ScimError
	if !errors.As(why, &err) {
		err = scimerrors.ScimErrorInternal
	}
	b.errors++
	result := b.result(i, strconv.Itoa(err.Status))
	result["response"] = err
	if id := b.ids[i]; id != "" {
		result["location"] = b.c.base + b.operations[i].path + "/" + id
	}
}
