package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
)

// call is what the stages of one request tell each other around the library.
type call struct {
	h      *Handler
	x      *exchange
	source directory.Source
	cause  directory.Cause
	base   string

	readOnly bool    // the token's scope is read
	kind     *kind   // nil for discovery
	all      []*kind // of a part of a query over all resource types

	query      query
	projection projection
	where      directory.Where
	sort       directory.Column
	sortTarget target
	from       cursor // where the page begins
	next       string // the cursor of the next page
	ifMatch    []int64
	answers    bool // the client says that it accepts a resource

	known, foreign         resource    // of a POST or PUT: what the schemas know, and what they do not
	operations, foreignOps []operation // of a PATCH, likewise

	managers   map[string]string // the ids of whom the write names as managers, by the words that name them
	newManager bool              // the write names another manager than before
	pending    []string          // members whom nobody answered to before the write

	referred bool // somebody waited for who was written
	fresh    bool // the write made a record whose id nobody can have named yet

	bodies map[string]resource // by resource id: what goes past the library
	stamps map[string]stamp    // by resource id: what the library writes too coarsely or not at all
}

type stamp struct {
	created, modified time.Time
	version           int64
}

type callKey struct{}

func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }

// descending tells the order that sortOrder asks for. Without sortBy the newest comes first: a client that makes a
// resource and lists without paging through thousands finds it.
func (c *call) descending() bool {
	return c.query.sortBy == "" && c.query.sortOrder == "" || strings.EqualFold(c.query.sortOrder, "descending")
}

// serve runs an admitted request through the stages.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	at, err := h.route(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodOptions { // RFC 9110 section 9.3.7
		w.Header().Set("Allow", strings.Join(at.methods(), ", "))
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err := at.check(w, r); err != nil {
		return err
	}
	if c.readOnly && r.Method != http.MethodGet && !at.search {
		return answer(http.StatusForbidden, "The token may only read.")
	}
	switch {
	case at.bulk:
		return h.bulk(w, r, c)
	case at.root:
		return h.root(w, r, c, at.search)
	}
	if c.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return err
	}
	c.kind = at.kind
	switch {
	case at.discovery && c.query.filter != "": // RFC 7644 section 4
		return answer(http.StatusForbidden, "Discovery cannot be filtered.")
	}
	method, body := r.Method, []byte(nil)
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		if body, err = readBody(w, r); err != nil {
			return err
		}
		if at.search { // RFC 7644 section 3.4.3: a GET whose parameters stand in the body
			c.query, err = searchQuery(body)
			at.id, method, body = "", http.MethodGet, nil
		} else {
			body, err = c.prepareBody(method, body)
		}
		if err != nil {
			return err
		}
	}
	if at.kind != nil {
		c.projection = at.kind.projection(c.query)
	}
	if at.list = at.kind != nil && at.id == "" && method == http.MethodGet; at.list {
		if err := c.prepareQuery(); err != nil {
			return err
		}
	}
	if tags, anyVersion := entityTags(r.Header.Values("If-Match")); !anyVersion {
		c.ifMatch = tags
	}
	c.answers = acceptsResource(r.Header)
	inner := at.request(context.WithValue(r.Context(), callKey{}, c), method, c.query, body)
	answer := libraryAnswer{status: http.StatusOK}
	h.library.ServeHTTP(&answer, inner)
	return h.finish(w, r, c, at, &answer)
}

// libraryAnswer takes what the library writes; finish sends it.
type libraryAnswer struct {
	status int
	body   bytes.Buffer
	header http.Header
}

// Header implements http.ResponseWriter. What the library sets there, finish sets anew.
func (a *libraryAnswer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *libraryAnswer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *libraryAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

// prepareBody normalises the body of a POST or PUT and canonicalises that of a PATCH.
func (c *call) prepareBody(method string, body []byte) ([]byte, error) {
	object, err := decode(body)
	if err != nil {
		return nil, err
	}
	if method != http.MethodPatch {
		n, err := c.kind.normalise(object)
		if err != nil {
			return nil, err
		}
		c.known, c.foreign = n.known, n.unknown
		c.cause.Ignored = sortedKeys(n.unknown)
		c.x.ignore(c.cause.Ignored)
		return json.Marshal(n.known)
	}
	schemas, operations, err := patchBody(object)
	if err != nil {
		return nil, err
	}
	if list, ok := schemas.([]any); !ok || !slices.Contains(list, any(patchURN)) || operations == nil { // RFC 7644 section 3.5.2
		return nil, invalidSyntax("The body of a PATCH names the schema %s and has Operations.", patchURN)
	}
	canonical, err := c.kind.canonicalise(operations)
	if err != nil {
		return nil, err
	}
	c.operations, c.foreignOps = canonical.known, canonical.foreign
	for _, o := range canonical.foreign {
		c.cause.Ignored = append(c.cause.Ignored, o.Path)
	}
	slices.Sort(c.cause.Ignored)
	c.x.ignore(c.cause.Ignored)
	inner := []operation{} // the library takes value filters of two terms only: it sees that there is something, and what is asked is typed already
	if len(operations) > 0 {
		inner = append(inner, operation{Op: "remove", Path: "externalId"})
	}
	return json.Marshal(map[string]any{"schemas": schemas, "Operations": inner})
}

// prepareQuery compiles filter and sortBy.
func (c *call) prepareQuery() error {
	if c.query.cursor == nil {
		for name, value := range map[string]string{"startIndex": c.query.startIndex, "count": c.query.count} {
			if _, err := number(name, value, 0); err != nil {
				return err
			}
		}
	}
	if c.query.filter != "" {
		e, err := c.kind.parseFilter(c.query.filter, c.all...)
		if err != nil {
			return err
		}
		if c.where, err = c.kind.compile(e); err != nil {
			return err
		}
	}
	if c.query.sortBy != "" {
		var err error
		if c.sortTarget, c.sort, err = c.kind.sortColumn(c.query.sortBy); err != nil {
			return err
		}
	}
	return c.prepareCursor()
}

// request makes the request that the library sees: a strict path, the parameters it reads, the prepared body.
func (at route) request(ctx context.Context, method string, q query, body []byte) *http.Request {
	path := at.endpoint
	if at.id != "" {
		segment := at.id
		if at.kind != nil {
			segment = url.PathEscape(segment) // the library unescapes it once more
		}
		path += "/" + segment
	}
	params := url.Values{}
	if q.startIndex != "" && !at.discovery { // RFC 7644 section 4: discovery is answered whole
		params.Set("startIndex", q.startIndex)
	}
	if q.count != "" && !at.discovery {
		params.Set("count", q.count)
	}
	inner := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: params.Encode()}, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
	return inner.WithContext(ctx)
}
