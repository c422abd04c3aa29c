package authz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	openfgav1 "github.com/openfga/api/proto/openfga/v1"
	"github.com/openfga/language/pkg/go/transformer"

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
	// Node names this node, unique among those that run.
	Node string
	// Parallel limits the questions under way; 0 means 8.
	Parallel int
	// Timeout limits one question; 0 means 2 s.
	Timeout time.Duration
	Log     *slog.Logger
}

// Engine is a client of OpenFGA that keeps it equal to our tuples.
type Engine struct {
	store *Store

	// Now is the clock of decisions; nil means time.Now.
	Now func() time.Time
}

// NewEngine makes a client; Ensure must run before anything else.
func NewEngine(s *Store, c EngineConfig) (*Engine, error) { return &Engine{store: s}, nil }

// Ensure finds or makes our store and the model in OpenFGA.
func (e *Engine) Ensure(ctx context.Context) error { return errors.New("not built yet") }

// Run applies the log to OpenFGA until ctx ends, on one node at a time.
func (e *Engine) Run(ctx context.Context) error { return errors.New("not built yet") }

// CaughtUp tells whether OpenFGA has applied every change that is committed.
func (e *Engine) CaughtUp(ctx context.Context) (bool, error) {
	return false, errors.New("not built yet")
}

// Check asks OpenFGA whether person has relation to channel now; an action stands for its relation.
func (e *Engine) Check(ctx context.Context, person id.Person, channel id.Channel, relation string) (bool, error) {
	return false, errors.New("not built yet")
}

// Comparison is what Compare found.
type Comparison struct {
	Checked   int
	Different []Difference
}

// Difference is a question that Index and OpenFGA answered differently.
type Difference struct {
	Person         id.Person
	Channel        id.Channel
	Action         string
	Index, OpenFGA bool
}

// Compare asks x and OpenFGA about sample decisions and answers where they differ. ErrBehind where they
// cannot be compared because one of them is behind.
func (e *Engine) Compare(ctx context.Context, x *Index, sample int) (Comparison, error) {
	return Comparison{}, errors.New("not built yet")
}

// Report is what Sweep found and did.
type Report struct {
	Read    int     // tuples that OpenFGA holds
	Foreign []Tuple // in OpenFGA only: removed
	Missing []Tuple // in ours only: written
}

// Sweep reads all of OpenFGA, removes foreign tuples and writes missing ones.
func (e *Engine) Sweep(ctx context.Context) (Report, error) {
	return Report{}, errors.New("not built yet")
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
