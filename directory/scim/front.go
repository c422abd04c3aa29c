package scim

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/schema"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
)

// enter admits a request: it proves whose it is and that the source keeps to its rate.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, x *exchange) (*call, error) {
	secret := httpapi.Bearer(r)
	if secret == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim"`)
		return nil, answer(http.StatusUnauthorized, "The request carries no bearer token of a source.")
	}
	source, token, err := h.store.CheckSourceToken(r.Context(), secret)
	x.by(source, token)
	if errors.Is(err, directory.ErrToken) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim", error="invalid_token"`)
		return nil, answer(http.StatusUnauthorized, "The bearer token is not valid, has expired or was revoked.")
	}
	if err != nil {
		return nil, err
	}
	if !source.SpeaksSCIM() {
		return nil, answer(http.StatusForbidden, "The bearer token is of a source that does not speak SCIM.")
	}
	now := h.now()
	reservation := h.bucket(source.ID).ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		perSecond, _ := h.Limits()
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return nil, answer(http.StatusTooManyRequests, "The source makes more than %d requests per second.", perSecond)
	}
	c := &call{h: h, x: x, source: source, bodies: map[string]resource{}, stamps: map[string]stamp{}, base: h.base(r), readOnly: token.Scope == directory.ScopeRead,
		cause: directory.Cause{Source: source.ID, Token: token.ID, Request: httpapi.RequestFrom(r.Context())}}
	return c, nil
}

func (h *Handler) base(r *http.Request) string {
	if h.public != "" {
		return h.public + Root
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host, Path: Root}).String()
}

// route is where a request goes.
type route struct {
	kind      *kind  // of a resource; nil for discovery
	endpoint  string // "/Users", "/Schemas" …
	id        string // of the resource, the schema or the resource type
	search    bool   // POST …/.search
	discovery bool
	bulk      bool
	root      bool // of all resource types
	list      bool // resources are asked for by a query
}

// route reads the path: its endpoint in any letter case, with or without a trailing slash.
func (h *Handler) route(r *http.Request) (route, error) {
	nowhere := answer(http.StatusNotFound, "There is no such endpoint.")
	var parts []string
	for part := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		if part == "" {
			continue
		}
		plain, err := url.PathUnescape(part)
		if err != nil {
			return route{}, nowhere
		}
		parts = append(parts, plain)
	}
	if len(parts) >= 2 && strings.EqualFold("/"+parts[0]+"/"+parts[1], Root) {
		parts = parts[2:]
	}
	if len(parts) == 0 {
		return route{endpoint: "/", root: true}, nil
	}
	if len(parts) > 2 {
		return route{}, nowhere
	}
	at := route{}
	if len(parts) == 2 {
		at.id = parts[1]
	}
	for _, k := range h.kinds {
		if strings.EqualFold("/"+parts[0], k.endpoint) {
			at.kind, at.endpoint = k, k.endpoint
			at.search = strings.EqualFold(at.id, ".search")
			return at, nil
		}
	}
	for _, name := range []string{"ServiceProviderConfig", "ResourceTypes", "Schemas"} {
		if strings.EqualFold(parts[0], name) && (at.id == "" || name != "ServiceProviderConfig") {
			if name == "Schemas" {
				at.id = h.schemaNamed(at.id)
			}
			at.endpoint, at.discovery = "/"+name, true
			return at, nil
		}
	}
	switch {
	case strings.EqualFold(parts[0], "Me"): // RFC 7644 section 3.11
		return route{}, answer(http.StatusNotImplemented, "A token belongs to a source, not to a user: there is nobody whom /Me could mean.")
	case strings.EqualFold(parts[0], "Bulk") && at.id == "":
		return route{endpoint: "/Bulk", bulk: true}, nil
	case strings.EqualFold(parts[0], ".search") && at.id == "":
		return route{endpoint: "/", root: true, search: true}, nil
	}
	return route{}, nowhere
}

// schemaNamed answers the URN of a schema as it is spelled, whatever the case it is asked for in.
func (h *Handler) schemaNamed(urn string) string {
	for _, k := range h.kinds {
		for _, s := range append([]schema.Schema{k.core}, k.extensions...) {
			if strings.EqualFold(s.ID, urn) {
				return s.ID
			}
		}
	}
	return urn
}

// methods answers what may be done at a route.
func (at route) methods() []string {
	switch {
	case at.discovery, at.root && !at.search:
		return []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	case at.search, at.bulk:
		return []string{http.MethodPost, http.MethodOptions}
	case at.id != "":
		return []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	}
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions}
}

func (at route) check(w http.ResponseWriter, r *http.Request) error {
	if allowed := at.methods(); !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return answer(http.StatusMethodNotAllowed, "%s is not possible here.", r.Method)
	}
	return nil
}

// readBody reads a body of at most 1 MiB.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		media, params, err := mime.ParseMediaType(kind)
		charset := strings.ToLower(params["charset"])
		if err != nil || media != "application/scim+json" && media != "application/json" || charset != "" && charset != "utf-8" && charset != "utf8" {
			return nil, answer(http.StatusUnsupportedMediaType, "The body is application/scim+json or application/json, in UTF-8.")
		}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, answer(http.StatusUnsupportedMediaType, "Encoded bodies are not supported.")
	}
	tooLarge := answer(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes.", maxBody)
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var limit *http.MaxBytesError
		if errors.As(err, &limit) {
			return nil, tooLarge
		}
		return nil, invalidSyntax("The body could not be read.")
	}
	return body, nil
}

// query holds the parameters of RFC 7644 table 3. Others (aadOptscim062020 …) are not looked at.
type query struct {
	filter, sortBy, sortOrder      string
	startIndex, count              string
	cursor                         *string // nil: by index (RFC 9865)
	attributes, excludedAttributes []string
}

// parseQuery reads the parameters. It does not use url.ParseQuery, which drops a parameter that holds a
// semicolon: a filter must be understood or refused, never left out.
func parseQuery(raw string) (query, error) {
	var q query
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		into := map[string]*string{"filter": &q.filter, "sortby": &q.sortBy, "sortorder": &q.sortOrder, "startindex": &q.startIndex, "count": &q.count}[strings.ToLower(name)]
		list := map[string]*[]string{"attributes": &q.attributes, "excludedattributes": &q.excludedAttributes}[strings.ToLower(name)]
		paged := strings.EqualFold(name, "cursor")
		if into == nil && list == nil && !paged {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return query{}, refuse(scimerrors.ScimTypeInvalidSyntax, "The parameter %s is not well encoded.", name)
		}
		value = strings.TrimSpace(value)
		if paged {
			q.cursor = &value
		} else if list != nil {
			*list = append(*list, splitList(value)...)
		} else if *into == "" {
			*into = value
		}
	}
	for _, number := range []*string{&q.startIndex, &q.count} {
		*number = strings.TrimRight(*number, "?")
	}
	return q, q.check()
}

func (q query) check() error {
	switch strings.ToLower(q.sortOrder) {
	case "", "ascending", "descending":
		return nil
	}
	return invalidValue("sortOrder is ascending or descending.")
}

// searchQuery reads the body of a POST to .search.
func searchQuery(body []byte) (query, error) {
	object, err := decode(body)
	if err != nil {
		return query{}, err
	}
	var request struct {
		Schemas                        []string
		Filter, SortBy, SortOrder      string
		StartIndex, Count              json.Number
		Attributes, ExcludedAttributes nameList
		Cursor                         *string
	}
	plain, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(plain, &request)
	}
	if err != nil || !slices.Contains(request.Schemas, searchURN) {
		return query{}, invalidSyntax("The body is not a SearchRequest.")
	}
	q := query{filter: request.Filter, sortBy: request.SortBy, sortOrder: request.SortOrder, startIndex: request.StartIndex.String(),
		count: request.Count.String(), attributes: request.Attributes, excludedAttributes: request.ExcludedAttributes, cursor: request.Cursor}
	return q, q.check()
}

// nameList is a list of attribute names, or one text with commas as in a URL.
type nameList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *nameList) UnmarshalJSON(text []byte) error {
	var names string
	if json.Unmarshal(text, &names) == nil {
		*l = splitList(names)
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.Trim(part, " ?"); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// entityTags reads If-Match or If-None-Match: the versions it names; any for "*"; none where the header is absent.
// A tag that is not ours matches nothing: it is read as version -1.
func entityTags(header []string) (versions []int64, anyVersion bool) {
	for part := range strings.SplitSeq(strings.Join(header, ","), ",") {
		part = strings.TrimSpace(part)
		switch part {
		case "":
			continue
		case "*":
			return nil, true
		}
		tag := strings.Trim(strings.TrimPrefix(part, "W/"), `"`)
		version, err := strconv.ParseInt(tag, 10, 64)
		if err != nil {
			version = -1
		}
		versions = append(versions, version)
	}
	return versions, false
}

func entityTag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

func writeError(w http.ResponseWriter, err error) {
	var known scimerrors.ScimError
	if !errors.As(err, &known) {
		known = scimerrors.ScimErrorInternal
	}
	body, _ := json.Marshal(known)
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(known.Status)
	_, _ = w.Write(body)
}

func milliseconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
