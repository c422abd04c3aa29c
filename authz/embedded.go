package authz

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	openfgav1 "github.com/openfga/api/proto/openfga/v1"
	"github.com/openfga/language/pkg/go/transformer"
	httpmiddleware "github.com/openfga/openfga/pkg/middleware/http"
	"github.com/openfga/openfga/pkg/server"
	serverErrors "github.com/openfga/openfga/pkg/server/errors"
	"github.com/openfga/openfga/pkg/storage"
	"github.com/openfga/openfga/pkg/storage/memory"
	"github.com/openfga/openfga/pkg/storage/migrate"
	"github.com/openfga/openfga/pkg/storage/postgres"
	"github.com/openfga/openfga/pkg/storage/sqlcommon"
	"github.com/openfga/openfga/pkg/storage/sqlite"
	"google.golang.org/grpc/status"
)

// EmbeddedURL is the base address to give NewEngine with the transport of Embedded.
const EmbeddedURL = "http://openfga.embedded"

// EmbeddedConns is how many connections to its database the server in this process holds where nothing else is said.
const EmbeddedConns = 16

const (
	serverTuplesPerWrite = 1000
	perCheck             = 4 // connections: a Check holds one while it asks for more
	postgresSchema       = "openfga"
	postgresLock         = 0x726f6c6c63616c6c // "rollcall": one node at a time migrates
)

// Embedded starts an OpenFGA server inside this process and answers the transport that reaches it: no port is
// opened. stop ends it and closes its database. dsn is one of
//
//	sqlite:PATH     a file of its own, not the application's
//	postgres://…    its tables live in the schema that search_path names, "openfga" where it names none; the
//	                schema is made if it is missing, so the server and database may be the application's
//	memory:         nothing is kept, and every question scans all tuples: for tests
//
// It holds up to conns connections to that; 0: EmbeddedConns. Give NewEngine Parallel(conns).
func Embedded(ctx context.Context, dsn string, conns int, log *slog.Logger) (transport http.RoundTripper, stop func() error, err error) {
	if conns <= 0 {
		conns = EmbeddedConns
	}
	store, err := openDatastore(ctx, dsn, conns)
	if err != nil {
		return nil, nil, fmt.Errorf("start openfga: %w", err)
	}
	options := []server.OpenFGAServiceV1Option{
		server.WithDatastore(store),
		server.WithListObjectsMaxResults(0), // no silent truncation
		server.WithListUsersMaxResults(0),
		server.WithRequestTimeout(30 * time.Second),
	}
	if !strings.HasPrefix(dsn, "memory:") {
		options = append(options, server.WithContinuationTokenSerializer(sqlcommon.NewSQLContinuationTokenSerializer()))
	}
	fga, err := server.NewServerWithOpts(options...)
	if err != nil {
		store.Close()
		return nil, nil, fmt.Errorf("start openfga: %w", err)
	}
	mux := runtime.NewServeMux(
		runtime.WithForwardResponseOption(httpmiddleware.HTTPResponseModifier),
		runtime.WithErrorHandler(func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			code := serverErrors.ConvertToEncodedErrorCode(status.Convert(err))
			httpmiddleware.CustomHTTPErrorHandler(ctx, w, r, serverErrors.NewEncodedError(code, err.Error()))
		}),
	)
	if err := openfgav1.RegisterOpenFGAServiceHandlerServer(ctx, mux, fga); err != nil {
		fga.Close()
		return nil, nil, fmt.Errorf("start openfga: %w", err)
	}
	return &inProcess{mux, log}, func() error { fga.Close(); return nil }, nil
}

// Parallel is how many questions at once a server with conns connections answers without one waiting for another's.
func Parallel(conns int) int { return min(max(conns/perCheck, 1), 8) }

func openDatastore(ctx context.Context, dsn string, conns int) (storage.OpenFGADatastore, error) {
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "memory":
		return memory.New(memory.WithMaxTuplesPerWrite(serverTuplesPerWrite)), nil
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"), conns)
	case "postgres", "postgresql":
		return openPostgres(ctx, dsn, conns)
	default:
		return nil, fmt.Errorf("its database address must begin with sqlite: or postgres://, not %q", scheme+":")
	}
}

func openSQLite(ctx context.Context, path string, conns int) (storage.OpenFGADatastore, error) {
	if path == "" {
		return nil, errors.New("sqlite: wants the path of a file")
	}
	// Nobody else may read it; the files beside it take over its rights.
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		file.Close() // what is wrong with it, opening it as a database tells better
	}
	// FULL: applied_seq is kept in another database and must never be ahead of this one.
	uri := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)&_txlock=immediate"
	if err := migrate.RunMigrations(migrate.MigrationConfig{Engine: "sqlite", URI: uri, Timeout: 10 * time.Second, PingTimeout: 5 * time.Second}); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", uri)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	// The server's own index stops before user_object_id: without the next line a Check reads every member of a role.
	if _, err := pool.ExecContext(ctx, `create index if not exists rollcall_by_user
		on tuple (store, object_type, relation, user_object_type, user_object_id, object_id)`); err != nil {
		pool.Close()
		return nil, err
	}
	store, err := sqlite.NewWithDB(pool, sqlcommon.NewConfig(sqlcommon.WithMaxTuplesPerWrite(serverTuplesPerWrite)))
	if err != nil {
		pool.Close()
		return nil, err
	}
	return store, nil
}

func openPostgres(ctx context.Context, dsn string, conns int) (storage.OpenFGADatastore, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the database address cannot be parsed") // err repeats the password
	}
	query := u.Query()
	if query.Get("search_path") == "" {
		query.Set("search_path", postgresSchema)
		u.RawQuery = query.Encode()
	}
	if err := migratePostgres(ctx, u.String(), query.Get("search_path")); err != nil {
		return nil, err
	}
	store, err := postgres.New(u.String(), sqlcommon.NewConfig(
		sqlcommon.WithMaxTuplesPerWrite(serverTuplesPerWrite),
		sqlcommon.WithMaxOpenConns(conns),
		sqlcommon.WithMaxIdleConns(conns/2)))
	if err != nil {
		return nil, errors.New("its database cannot be opened")
	}
	return store, nil
}

func migratePostgres(ctx context.Context, uri, schema string) error {
	pool, err := sql.Open("pgx", uri)
	if err != nil {
		return errors.New("the database address cannot be used")
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return errors.New("its database does not answer")
	}
	defer conn.Close()
	if err := alone(ctx, conn); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", int64(postgresLock))
	if _, err := conn.ExecContext(ctx, `create schema if not exists "`+strings.ReplaceAll(schema, `"`, `""`)+`"`); err != nil {
		return err
	}
	return migrate.RunMigrations(migrate.MigrationConfig{Engine: "postgres", URI: uri, Timeout: 30 * time.Second, PingTimeout: 5 * time.Second})
}

// alone waits until no other node brings the tables up to date. It asks again and again: a statement that waited for the lock would be one that the
// node which has it waits for, where that builds an index beside other work.
func alone(ctx context.Context, conn *sql.Conn) error {
	for {
		var mine bool
		if err := conn.QueryRowContext(ctx, "select pg_try_advisory_lock($1)", int64(postgresLock)).Scan(&mine); err != nil || mine {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// inProcess hands requests straight to a handler.
type inProcess struct {
	handler http.Handler
	log     *slog.Logger
}

// RoundTrip implements http.RoundTripper.
func (p *inProcess) RoundTrip(r *http.Request) (response *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := &answer{header: http.Header{}}
	defer func() {
		if cause := recover(); cause != nil { // what net/http does for a server behind a port
			p.log.Error("openfga panicked", "path", r.URL.Path, "cause", cause)
			response, err = nil, fmt.Errorf("openfga panicked: %v", cause)
		}
	}()
	p.handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.code), StatusCode: w.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

type answer struct {
	code   int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// parseModel reads a model in OpenFGA's language into the tree that Index evaluates.
func parseModel(text string) (*model, error) {
	parsed, err := transformer.TransformDSLToProto(text)
	if err != nil {
		return nil, fmt.Errorf("model.fga: %w", err)
	}
	for name, c := range parsed.GetConditions() {
		if name != condition || strings.Join(strings.Fields(c.GetExpression()), " ") != conditionText {
			return nil, fmt.Errorf("model.fga: condition %s is not the one the index evaluates", name)
		}
	}
	m := &model{types: map[string]*typeDef{}}
	for _, def := range parsed.GetTypeDefinitions() {
		t := &typeDef{name: def.GetType(), number: map[string]int{}}
		for _, name := range slices.Sorted(maps.Keys(def.GetRelations())) {
			w, err := rewriteOf(def.GetRelations()[name])
			if err != nil {
				return nil, fmt.Errorf("model.fga: %s#%s: %w", t.name, name, err)
			}
			r := &relation{name: name, rewrite: w}
			for _, user := range def.GetMetadata().GetRelations()[name].GetDirectlyRelatedUserTypes() {
				if user.GetWildcard() != nil {
					return nil, fmt.Errorf("model.fga: %s#%s: no wildcards beside exclusions", t.name, name)
				}
				r.direct = append(r.direct, restriction{typ: user.GetType(), relation: user.GetRelation(), windowed: user.GetCondition() != ""})
			}
			t.number[name] = len(t.relations)
			t.relations = append(t.relations, r)
		}
		m.types[t.name] = t
	}
	if err := m.link(); err != nil {
		return nil, fmt.Errorf("model.fga: %w", err)
	}
	return m, nil
}

func rewriteOf(u *openfgav1.Userset) (*rewrite, error) {
	several := func(kind rewriteKind, children ...*openfgav1.Userset) (*rewrite, error) {
		w := &rewrite{kind: kind}
		for _, child := range children {
			operand, err := rewriteOf(child)
			if err != nil {
				return nil, err
			}
			w.operands = append(w.operands, operand)
		}
		return w, nil
	}
	switch u := u.GetUserset().(type) {
	case *openfgav1.Userset_This:
		return &rewrite{kind: direct}, nil
	case *openfgav1.Userset_ComputedUserset:
		return &rewrite{kind: computed, relation: u.ComputedUserset.GetRelation()}, nil
	case *openfgav1.Userset_TupleToUserset:
		return &rewrite{kind: fromTupleset, relation: u.TupleToUserset.GetComputedUserset().GetRelation(), tupleset: u.TupleToUserset.GetTupleset().GetRelation()}, nil
	case *openfgav1.Userset_Union:
		return several(union, u.Union.GetChild()...)
	case *openfgav1.Userset_Intersection:
		return several(intersection, u.Intersection.GetChild()...)
	case *openfgav1.Userset_Difference:
		return several(exclusion, u.Difference.GetBase(), u.Difference.GetSubtract())
	}
	return nil, fmt.Errorf("no rewrite of kind %T", u.GetUserset())
}
