package hrfeed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

// API is the HTTP side of this package.
type API struct{ Feeds *Feeds }

// Limits on the bodies of the routes that take files.
const (
	PostLimit = maxPosted
	HookLimit = maxHook
)

// problemOf turns an error into an answer; nil errors stay nil.
func problemOf(err error) error {
	status := map[string]int{"too_large": http.StatusRequestEntityTooLarge, "implausible": http.StatusConflict, "not_hrfeed": http.StatusConflict}
	switch code := codeOf(err); {
	case errors.Is(err, ErrReplayed):
		return httpapi.NewProblem(http.StatusBadRequest, "replayed", err.Error())
	case code != "" && status[code] != 0:
		return httpapi.NewProblem(status[code], code, err.Error())
	case code != "":
		return httpapi.NewProblem(http.StatusUnprocessableEntity, code, err.Error())
	}
	return err
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, httpapi.NewProblem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
	}
	if err != nil {
		return nil, httpapi.NewProblem(http.StatusBadRequest, "unreadable", "the body breaks off")
	}
	return body, nil
}

// orderOf makes an order of a request: what it says of the file stands in the query, in the words of flags too. A word nobody
// knows, one that stands twice and a flag that is neither true nor false are refused: a preview must never be taken for the file.
func orderOf(r *http.Request, body []byte, origin string, flags ...string) (Order, error) {
	refuse := func(format string, args ...any) (Order, error) {
		return Order{}, httpapi.NewProblem(http.StatusUnprocessableEntity, "invalid_query", fmt.Sprintf(format, args...))
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse("the query cannot be read")
	}
	words := append([]string{"name", "kind", "encoding"}, flags...)
	on := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch values := q[name]; {
		case !slices.Contains(words, name):
			return refuse("%q is not one of %s", cutText(name), strings.Join(words, ", "))
		case len(values) > 1:
			return refuse("%s stands twice", name)
		case !slices.Contains(flags, name):
		case values[0] == "true" || values[0] == "1":
			on[name] = true
		case values[0] != "false" && values[0] != "0":
			return refuse("%s=%s is neither true nor false", name, cutText(values[0]))
		}
	}
	f := File{Name: cutText(q.Get("name")), Data: body, Kind: Kind(q.Get("kind")), Encoding: q.Get("encoding"), Origin: origin}
	return Order{File: f, Preview: on["preview"], Again: on["again"]}, nil
}

// Feed answers POST /api/v1/sources/{id}/feed: a file, from an administrator or with a token of the source that may write.
func (a *API) Feed() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := a.named(r.Context(), r.PathValue("id"))
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		cause, err := a.caller(r, source)
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		body, err := readBody(r)
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		o, err := orderOf(r, body, "post", "preview", "again")
		if err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		o.Source, o.Cause = source, cause
		a.answer(w, r, o)
	})
}

// named answers the source of this id or name; a word that is neither stays, and nobody knows it.
func (a *API) named(ctx context.Context, name string) (id.Source, error) {
	s, err := a.Feeds.Store.SourceByName(ctx, name)
	if errors.Is(err, directory.ErrNotFound) {
		return id.Source(name), nil
	}
	return s.ID, err
}

// caller answers who hands a file in; nobody but an administrator and the source itself may.
func (a *API) caller(r *http.Request, source id.Source) (directory.Cause, error) {
	caller := httpapi.CallerFrom(r.Context())
	if caller.Known() {
		return directory.CauseFrom(r.Context(), ""), httpapi.Require(r.Context(), roles.SourcesWrite)
	}
	if bearer := httpapi.Bearer(r); bearer != "" {
		s, token, err := a.Feeds.Store.CheckSourceToken(r.Context(), bearer)
		switch {
		case err != nil && !errors.Is(err, directory.ErrToken):
			return directory.Cause{}, err
		case err == nil && s.ID == source && token.Scope == directory.ScopeWrite:
			return directory.Cause{Source: source, Token: token.ID, Request: httpapi.RequestFrom(r.Context())}, nil
		case err == nil && s.ID == source:
			return directory.Cause{}, httpapi.NewProblem(http.StatusForbidden, "read_only", "the token may only read")
		}
	}
	return directory.Cause{}, httpapi.NewProblem(http.StatusUnauthorized, "unauthenticated", "send an administrator's token, or one of this source, as Authorization: Bearer")
}

// answer takes the file and answers its report. A file that is refused whole is a problem.
func (a *API) answer(w http.ResponseWriter, r *http.Request, o Order) {
	rep, err := a.Feeds.Take(r.Context(), o)
	if err != nil {
		httpapi.WriteError(w, r, problemOf(err))
		return
	}
	switch masks := directory.Masks(r.Context()); {
	case masks && httpapi.CallerFrom(r.Context()).Known():
		rep = rep.veiled(time.Now())
	case masks: // the source itself: it knows what it said, and not what others did
		rep.Losses, rep.Gains = atOnce(rep.Losses), atOnce(rep.Gains)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(rep); err != nil {
		return // the caller is gone
	}
}

// SourceInPath names an HR source.
type SourceInPath struct {
	ID id.Source `path:"id"`
}

// StatusOutput is how a source's feed stands.
type StatusOutput struct {
	Body struct {
		Mapping    Mapping   `json:"mapping" doc:"in force: the configuration's, and over it the saved one"`
		Saved      Mapping   `json:"saved"`
		SavedAt    time.Time `json:"saved_at,omitzero"`
		Configured bool      `json:"configured" doc:"the source stands in the configuration"`
		Folder     bool      `json:"folder" doc:"files are taken from a folder"`
		Hook       string    `json:"hook,omitempty" doc:"where signed messages go"`
		Files      []Taken   `json:"files" nullable:"false" doc:"the last 50, newest first"`
	}
}

// Status answers GET /api/v1/sources/{id}/feed.
func (a *API) Status(ctx context.Context, in *SourceInPath) (*StatusOutput, error) {
	if err := a.isFeed(ctx, in.ID); err != nil {
		return nil, err
	}
	out := &StatusOutput{}
	b := &out.Body
	var err error
	if b.Mapping, err = a.Feeds.mapping(ctx, in.ID); err != nil && !errors.Is(err, ErrMapping) {
		return nil, err
	}
	if b.Saved, b.SavedAt, err = a.Feeds.saved(ctx, in.ID); err != nil {
		return nil, err
	}
	c, configured := a.Feeds.Configs[in.ID]
	if b.Configured, b.Folder = configured, c.Folder != ""; c.Secret != "" {
		b.Hook = "/hooks/" + string(in.ID)
	}
	b.Files, err = a.Feeds.Files(ctx, in.ID, 50)
	if directory.Masks(ctx) { // what is wrong with a row may say what is to come of somebody
		for i := range b.Files {
			b.Files[i].Findings = veiledFindings(b.Files[i].Findings, time.Now())
		}
	}
	return out, err
}

func (a *API) isFeed(ctx context.Context, source id.Source) error {
	s, err := a.Feeds.Store.SourceByID(ctx, source)
	if err == nil && s.Kind != directory.KindHRFeed {
		err = problemOf(ErrKind)
	}
	return err
}

// MappingInput is a mapping to save.
type MappingInput struct {
	ID   id.Source `path:"id"`
	Body Mapping
}

// MappingOutput is the mapping in force.
type MappingOutput struct{ Body Mapping }

// PutMapping answers PUT /api/v1/sources/{id}/feed/mapping.
func (a *API) PutMapping(ctx context.Context, in *MappingInput) (*MappingOutput, error) {
	if err := a.isFeed(ctx, in.ID); err != nil {
		return nil, err
	}
	caller := httpapi.CallerFrom(ctx)
	if err := a.Feeds.save(ctx, in.ID, in.Body, caller.Actor(), httpapi.RequestFrom(ctx)); err != nil {
		return nil, problemOf(err)
	}
	m, err := a.Feeds.mapping(ctx, in.ID)
	return &MappingOutput{Body: m}, problemOf(err)
}
