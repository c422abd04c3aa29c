package authz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/openfga/go-sdk"
	"github.com/openfga/go-sdk/client"
	"github.com/openfga/go-sdk/credentials"
	"github.com/openfga/language/pkg/go/transformer"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/id"
)

// EngineConfig says where OpenFGA is and how to ask it.
type EngineConfig struct {
	// URL is the base address: EmbeddedURL or that of an external server.
	URL string
	// Transport reaches the server; nil means HTTP.
	Transport http.RoundTripper
	// Token is the pre-shared key of an external server; may be empty.
	Token string
	// Node names this node: unique among those that run, and best the same after a restart, because a new
	// name waits for the lease of the old one.
	Node string
	// Parallel limits the questions under way; 0 means 8.
	Parallel int
	// Timeout limits one question; 0 means 2 s.
	Timeout time.Duration
	Log     *slog.Logger
}

// Engine is a client of OpenFGA that keeps it equal to our tuples.
type Engine struct {
	store    *Store
	log      *slog.Logger
	node     string
	timeout  time.Duration
	parallel chan struct{}
	fga      *client.OpenFgaClient
	ids      atomic.Pointer[engineIDs]
	unseen   atomic.Bool // OpenFGA was out of reach when Ensure looked
	mu       sync.Mutex  // held by whoever writes to OpenFGA: Run's step, Sweep's repair

	compared, unasked, different [classCount]atomic.Int64
	foreign, missing, models     atomic.Int64

	recording       sync.Mutex
	unwritten       []audit.Record
	mended, rebuilt time.Time                     // Compare's
	told            map[stranger]struct{}         // of whom the audit log was told, Compare's
	drained         struct{ store, token string } // the end of the list of changes the last time, Foreign's

	// Now is the clock of decisions; nil means time.Now.
	Now func() time.Time
}

type engineIDs struct{ store, model string }

// NewEngine makes a client; Ensure must run before it is asked anything.
func NewEngine(s *Store, c EngineConfig) (*Engine, error) {
	if c.Node == "" {
		return nil, errors.New("openfga client: the node has no name")
	}
	e := &Engine{store: s, log: c.Log, node: c.Node, timeout: c.Timeout, told: map[stranger]struct{}{}}
	if e.log == nil {
		e.log = s.log
	}
	if e.timeout <= 0 {
		e.timeout = 2 * time.Second
	}
	if c.Parallel <= 0 {
		c.Parallel = 8
	}
	e.parallel = make(chan struct{}, c.Parallel)
	config := &client.ClientConfiguration{
		ApiUrl:      c.URL,
		HTTPClient:  &http.Client{Transport: c.Transport},
		RetryParams: &sdk.RetryParams{MaxRetry: 1, MinWaitInMs: 50},
	}
	if c.Token != "" {
		config.Credentials = &credentials.Credentials{Method: credentials.CredentialsMethodApiToken, Config: &credentials.Config{ApiToken: c.Token}}
	}
	var err error
	if e.fga, err = client.NewSdkClient(config); err != nil {
		return nil, fmt.Errorf("openfga client: %w", err)
	}
	return e, nil
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func modelHash() string {
	sum := sha256.Sum256([]byte(modelText))
	return hex.EncodeToString(sum[:])
}

// has tells whether the server has the store and the model that row names.
func (e *Engine) has(ctx context.Context, row engineRow) (store, model bool, err error) {
	if row.StoreID == "" {
		return false, false, nil
	}
	if _, err := e.fga.GetStore(ctx).Options(client.ClientGetStoreOptions{StoreId: &row.StoreID}).Execute(); err != nil {
		if isNotFound(err) {
			return false, false, nil
		}
		return false, false, err
	}
	if row.ModelHash != modelHash() {
		return true, false, nil
	}
	if _, err := e.fga.ReadAuthorizationModel(ctx).Options(client.ClientReadAuthorizationModelOptions{StoreId: &row.StoreID, AuthorizationModelId: &row.ModelID}).Execute(); err != nil {
		if isNotFound(err) {
			return true, false, nil
		}
		return true, false, err
	}
	return true, true, nil
}

func (e *Engine) createStore(ctx context.Context) (string, error) {
	made, err := e.fga.CreateStore(ctx).Body(client.ClientCreateStoreRequest{Name: "rollcall"}).Execute()
	if err != nil {
		return "", err
	}
	return made.Id, nil
}

func (e *Engine) writeModel(ctx context.Context, store string) (string, error) {
	text, err := transformer.TransformDSLToJSON(modelText)
	if err != nil {
		return "", err
	}
	var body client.ClientWriteAuthorizationModelRequest
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		return "", err
	}
	made, err := e.fga.WriteAuthorizationModel(ctx).Body(body).Options(client.ClientWriteAuthorizationModelOptions{StoreId: &store}).Execute()
	if err != nil {
		return "", err
	}
	return made.AuthorizationModelId, nil
}

// write makes changes, at most 100 and each of another tuple, in one transaction of OpenFGA. What is there or
// gone already is ignored.
func (e *Engine) write(ctx context.Context, changes []Change) error {
	ids := e.ids.Load()
	if ids == nil {
		return errNotReady
	}
	var body client.ClientWriteRequest
	for _, c := range changes {
		if c.Delete {
			body.Deletes = append(body.Deletes, client.ClientTupleKeyWithoutCondition{User: c.Tuple.User, Relation: c.Tuple.Relation, Object: c.Tuple.Object})
		} else {
			body.Writes = append(body.Writes, keyFor(c.Tuple))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := e.fga.Write(ctx).Body(body).Options(client.ClientWriteOptions{
		StoreId: &ids.store, AuthorizationModelId: &ids.model,
		Conflict: client.ClientWriteConflictOptions{
			OnDuplicateWrites: client.CLIENT_WRITE_REQUEST_ON_DUPLICATE_WRITES_IGNORE,
			OnMissingDeletes:  client.CLIENT_WRITE_REQUEST_ON_MISSING_DELETES_IGNORE,
		},
	}).Execute()
	return err
}

// read answers one page of the tuples that OpenFGA holds (all of them, or the one with only's key).
func (e *Engine) read(ctx context.Context, only *Tuple, page string) (found []held, next string, err error) {
	ids := e.ids.Load()
	if ids == nil {
		return nil, "", errNotReady
	}
	var body client.ClientReadRequest
	if only != nil {
		body = client.ClientReadRequest{User: &only.User, Relation: &only.Relation, Object: &only.Object}
	}
	options := client.ClientReadOptions{StoreId: &ids.store, PageSize: new(int32(writeTuples)), Consistency: sdk.CONSISTENCYPREFERENCE_HIGHER_CONSISTENCY.Ptr()}
	if page != "" {
		options.ContinuationToken = &page
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := e.fga.Read(ctx).Body(body).Options(options).Execute()
	if err != nil {
		return nil, "", err
	}
	for _, t := range answer.Tuples {
		found = append(found, heldFrom(t.Key))
	}
	return found, answer.ContinuationToken, nil
}

// changes answers one page of OpenFGA's list of changes, oldest first, and the position behind it; the same as page at its end.
func (e *Engine) changes(ctx context.Context, page string) (found []heldChange, next string, err error) {
	ids := e.ids.Load()
	if ids == nil {
		return nil, "", errNotReady
	}
	options := client.ClientReadChangesOptions{StoreId: &ids.store, PageSize: new(int32(writeTuples))}
	if page != "" {
		options.ContinuationToken = &page
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := e.fga.ReadChanges(ctx).Options(options).Execute()
	if err != nil {
		return nil, "", err
	}
	for _, c := range answer.Changes {
		found = append(found, heldChange{heldFrom(c.TupleKey), c.Operation == sdk.TUPLEOPERATION_DELETE})
	}
	return found, answer.GetContinuationToken(), nil
}

// modelList answers one page of the ids of the authorization models in our store, newest first, and the position behind it; "" at its end.
func (e *Engine) modelList(ctx context.Context, page string) (ids []string, next string, err error) {
	ours := e.ids.Load()
	if ours == nil {
		return nil, "", errNotReady
	}
	options := client.ClientReadAuthorizationModelsOptions{StoreId: &ours.store, PageSize: new(int32(10))}
	if page != "" {
		options.ContinuationToken = &page
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := e.fga.ReadAuthorizationModels(ctx).Options(options).Execute()
	if err != nil {
		return nil, "", err
	}
	for _, m := range answer.AuthorizationModels {
		ids = append(ids, m.Id)
	}
	return ids, answer.GetContinuationToken(), nil
}

// Check asks OpenFGA whether person has relation to channel now; an action ("view") stands for its relation.
// It never takes a cached answer and gives up after the configured time.
func (e *Engine) Check(ctx context.Context, person id.Person, channel id.Channel, relation string) (bool, error) {
	ids := e.ids.Load()
	if ids == nil {
		return false, errNotReady
	}
	if a := actionNumber(relation); a != noAction {
		relation = actions()[a]
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	select {
	case e.parallel <- struct{}{}:
		defer func() { <-e.parallel }()
	case <-ctx.Done():
		return false, fmt.Errorf("ask openfga: %w", ctx.Err())
	}
	answer, err := e.fga.Check(ctx).Body(client.ClientCheckRequest{
		User: typeUser + ":" + string(person), Relation: relation, Object: typeChannel + ":" + string(channel),
		Context: &map[string]any{"current_time": e.now().UTC().Format(time.RFC3339Nano)},
	}).Options(client.ClientCheckOptions{
		StoreId: &ids.store, AuthorizationModelId: &ids.model,
		Consistency: sdk.CONSISTENCYPREFERENCE_HIGHER_CONSISTENCY.Ptr(),
	}).Execute()
	if err != nil {
		return false, fmt.Errorf("ask openfga: %w", err)
	}
	return answer.GetAllowed(), nil
}

const (
	openFrom  = "0001-01-01T00:00:00Z" // an open end of a window, as OpenFGA keeps it
	openUntil = "9999-12-31T23:59:59Z"
)

func keyFor(t Tuple) client.ClientTupleKey {
	key := client.ClientTupleKey{User: t.User, Relation: t.Relation, Object: t.Object}
	if t.From.IsZero() && t.Until.IsZero() {
		return key
	}
	from, until := openFrom, openUntil
	if !t.From.IsZero() {
		from = t.From.UTC().Format(time.RFC3339Nano)
	}
	if !t.Until.IsZero() {
		until = t.Until.UTC().Format(time.RFC3339Nano)
	}
	key.Condition = &sdk.RelationshipCondition{Name: condition, Context: &map[string]any{"valid_from": from, "valid_until": until}}
	return key
}

// held is a tuple as OpenFGA holds it; strange where its condition is none of ours.
type held struct {
	Tuple
	strange bool
}

func heldFrom(key sdk.TupleKey) held {
	h := held{Tuple: Tuple{User: key.User, Relation: key.Relation, Object: key.Object}}
	if key.Condition == nil {
		return h
	}
	if key.Condition.Name != condition || key.Condition.Context == nil {
		h.strange = true
		return h
	}
	read := func(name, open string) time.Time {
		text, _ := (*key.Condition.Context)[name].(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		h.strange = h.strange || err != nil
		if text == open {
			return time.Time{}
		}
		return at.UTC()
	}
	h.From, h.Until = read("valid_from", openFrom), read("valid_until", openUntil)
	return h
}

func isNotFound(err error) bool {
	var missing sdk.FgaApiNotFoundError
	return errors.As(err, &missing)
}

// isRefused tells whether OpenFGA understood the request and will refuse it again: it is invalid, or collides
// with what is there.
func isRefused(err error) bool {
	var invalid sdk.FgaApiValidationError
	var other sdk.FgaApiError
	return errors.As(err, &invalid) || errors.As(err, &other) && other.ResponseStatusCode() == http.StatusConflict
}
