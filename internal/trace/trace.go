// Package trace follows a change on its way through the parts and nodes of a deployment, and hands what it saw to a collector of OpenTelemetry
// (OTLP over HTTP). It guarantees that nothing waits for the collector, that what is not traced costs a look into the context, and that what
// leaves this server is names of steps, ids, counts and durations. It never carries names of people, messages, tokens or the text of an error.
package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say where traces go.
type Options struct {
	Endpoint string       // of the collector: http(s)://host:port, with /v1/traces behind it unless a path is given
	Token    string       // sent as a bearer token; empty: none
	Sample   float64      // the share of the changes that begin here, from 0 to 1
	Client   *http.Client // how the collector is reached
	Node     string       // the name of this node
	Version  string       // of the program
	Failed   func(error)  // told where spans could not be handed over; nil: nobody is
}

// ErrEndpoint says that an endpoint is no address of a collector.
var ErrEndpoint = errors.New("wants http://host:port or https://host:port")

// Address answers where spans are sent to for an endpoint; ErrEndpoint where it cannot be one.
func Address(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", ErrEndpoint
	}
	if port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16); err != nil || port == 0 {
		return "", ErrEndpoint
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

const (
	handOver = 2 * time.Second  // between two calls of the collector
	patience = 10 * time.Second // with it
	queued   = 8192             // spans that wait for it: one that is silent costs this much memory, and then spans
	mostFrom = 32               // changes that one step names as what it follows from
)

// Tracer begins traces. A nil Tracer begins none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New makes a tracer; nil where no endpoint is given.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if o.Endpoint == "" {
		return nil, nil
	}
	address, err := Address(o.Endpoint)
	if err != nil {
		return nil, err
	}
	with := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(address), otlptracehttp.WithHTTPClient(o.Client), otlptracehttp.WithTimeout(patience)}
	if o.Token != "" {
		with = append(with, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Bearer " + o.Token}))
	}
	exporter, err := otlptracehttp.New(ctx, with...)
	if err != nil {
		return nil, fmt.Errorf("collector of traces: %w", err)
	}
	from := sdk.TraceIDRatioBased(o.Sample)
	provider := sdk.NewTracerProvider(
		// What others say of a request they send is a name to be found by, not an order to keep it.
		sdk.WithSampler(sdk.ParentBased(from, sdk.WithRemoteParentSampled(from), sdk.WithRemoteParentNotSampled(from))),
		sdk.WithBatcher(told{exporter, o.Failed}, sdk.WithBatchTimeout(handOver), sdk.WithExportTimeout(patience), sdk.WithMaxQueueSize(queued)),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "rollcall"), attribute.String("service.instance.id", o.Node), attribute.String("service.version", o.Version))))
	return &Tracer{provider, provider.Tracer("github.com/rollcall-im/rollcall")}, nil
}

// told is an exporter whose errors somebody hears.
type told struct {
	sdk.SpanExporter
	failed func(error)
}

// ExportSpans implements sdktrace.SpanExporter. The spans are lost where it fails: they are kept for nobody.
func (t told) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := t.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && t.failed != nil {
		t.failed(err)
	}
	return nil
}

// Close hands over what waits, within ctx.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

type key struct{}

// With answers a context whose work t may begin traces for.
func With(ctx context.Context, t *Tracer) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, t)
}

func of(ctx context.Context) *Tracer {
	t, _ := ctx.Value(key{}).(*Tracer)
	return t
}

// Span is one step. Its methods do nothing where it is not traced.
type Span struct{ s trace.Span }

var w3c propagation.TraceContext // W3C Trace Context, section 3.2

// Receive begins a trace with a request, or goes on with the one that its header traceparent names.
func Receive(r *http.Request, name string) (context.Context, Span) {
	if of(r.Context()) == nil {
		return r.Context(), Span{}
	}
	// Not the tracestate, which is whatever the caller likes.
	from := w3c.Extract(r.Context(), propagation.MapCarrier{"traceparent": r.Header.Get("Traceparent")})
	return start(from, name, nil, trace.WithSpanKind(trace.SpanKindServer))
}

// Begin begins a trace, or a step of the one that ctx is in.
func Begin(ctx context.Context, name string, pairs ...any) (context.Context, Span) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return Start(ctx, name, pairs...)
	}
	return start(ctx, name, pairs)
}

// Start begins a step of the trace that ctx is in; nothing where it is in none. Pairs are names and values, as of package slog.
func Start(ctx context.Context, name string, pairs ...any) (context.Context, Span) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, Span{}
	}
	return start(ctx, name, pairs)
}

func start(ctx context.Context, name string, pairs []any, more ...trace.SpanStartOption) (context.Context, Span) {
	t := of(ctx)
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, append(more, trace.WithAttributes(attributes(pairs)...))...)
	return ctx, Span{s}
}

// Follow begins a step that follows from others, which Parent named, maybe on another node: it belongs to the trace of the first, and names the
// others. Nothing where none of them is traced.
func Follow(ctx context.Context, name string, from []string, pairs ...any) (context.Context, Span) {
	if len(from) == 0 || of(ctx) == nil {
		return ctx, Span{}
	}
	var first trace.SpanContext
	var links []trace.Link
	seen := map[string]bool{"": true}
	for _, one := range from {
		if seen[one] || len(seen) > mostFrom {
			continue
		}
		seen[one] = true
		c := trace.SpanContextFromContext(w3c.Extract(context.Background(), propagation.MapCarrier{"traceparent": one}))
		switch {
		case !c.IsSampled():
		case !first.IsValid():
			first = c
		default:
			links = append(links, trace.Link{SpanContext: c})
		}
	}
	if !first.IsValid() {
		return ctx, Span{}
	}
	// Not as a remote parent: whether it is kept was decided where it began.
	return start(trace.ContextWithSpanContext(ctx, first.WithRemote(false)), name, pairs, trace.WithLinks(links...))
}

// Parent names the step that ctx is in, for Follow: a traceparent of W3C Trace Context, or "" where it is not traced.
func Parent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// ID answers the id of the trace that ctx is in, 32 hexadecimal digits, or "" where it is in none that is kept.
func ID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsSampled() {
		return c.TraceID().String()
	}
	return ""
}

// From answers the step that ctx is in.
func From(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// Name gives a step another name, where it was not known when it began.
func (s Span) Name(name string) {
	if s.s != nil {
		s.s.SetName(name)
	}
}

// Set adds pairs of names and values.
func (s Span) Set(pairs ...any) {
	if s.s != nil && s.s.IsRecording() {
		s.s.SetAttributes(attributes(pairs)...)
	}
}

// Note says what happened meanwhile.
func (s Span) Note(what string, pairs ...any) {
	if s.s != nil && s.s.IsRecording() {
		s.s.AddEvent(what, trace.WithAttributes(attributes(pairs)...))
	}
}

// Fail marks a step as one that went wrong.
func (s Span) Fail() {
	if s.s != nil {
		s.s.SetStatus(codes.Error, "")
	}
}

// End ends a step. Of an error only that there was one is told, and of what type: its text may hold what is nobody's business.
func (s Span) End(err error) {
	if s.s == nil {
		return
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		root := err
		for next := errors.Unwrap(root); next != nil; next = errors.Unwrap(root) {
			root = next
		}
		s.s.SetStatus(codes.Error, "")
		s.s.SetAttributes(attribute.String("error.type", reflect.TypeOf(root).String()))
	}
	s.s.End()
}

func attributes(pairs []any) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case int:
			out = append(out, attribute.Int(name, v))
		case int64:
			out = append(out, attribute.Int64(name, v))
		case bool:
			out = append(out, attribute.Bool(name, v))
		case time.Duration:
			out = append(out, attribute.Float64(name, v.Seconds()))
		default:
			if text := fmt.Sprint(v); text != "" {
				out = append(out, attribute.String(name, text))
			}
		}
	}
	return out
}
