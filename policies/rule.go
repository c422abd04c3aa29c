package policies

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
)

// person, affiliation and unit are what a rule sees. Their fields are the vocabulary of the language: a field
// that is not here does not compile.
type person struct {
	ID             string            `cel:"id"`
	DisplayName    string            `cel:"display_name"`
	UserName       string            `cel:"user_name"`
	Email          string            `cel:"email"`
	Title          string            `cel:"title"`
	Department     string            `cel:"department"`
	Division       string            `cel:"division"`
	Organization   string            `cel:"organization"`
	Company        string            `cel:"company"`
	EmployeeNumber string            `cel:"employee_number"`
	EmployeeType   string            `cel:"employee_type"`
	CostCenter     string            `cel:"cost_center"`
	Locale         string            `cel:"locale"`
	TimeZone       string            `cel:"time_zone"`
	Manager        string            `cel:"manager"`
	Managers       []string          `cel:"managers"`
	Groups         []string          `cel:"groups"`
	Labels         map[string]string `cel:"labels"`
	Affiliations   []affiliation     `cel:"affiliations"`
	Start          time.Time         `cel:"start"`
	End            time.Time         `cel:"end"`
}

type affiliation struct {
	Unit       string    `cel:"unit"`
	Path       []string  `cel:"path"`
	Department string    `cel:"department"`
	Company    string    `cel:"company"`
	Type       string    `cel:"type"`
	From       time.Time `cel:"from"`
	Until      time.Time `cel:"until"`
}

type unit struct {
	Key  string   `cel:"key"`
	Name string   `cel:"name"`
	Path []string `cel:"path"`
}

// costLimit bounds one evaluation; an ordinary rule costs below 100. It stops a comprehension nested over
// a person's groups within about a millisecond.
const costLimit = 100_000

// maxExpression bounds a condition, in bytes.
const maxExpression = 16 << 10

// ErrCost says that a rule needed more work than one evaluation may cost.
var ErrCost = errors.New("rule costs too much to evaluate")

// Variables that no rule can write: the clock is put in by macros, parameters by the reader of templates.
const (
	clockName       = "@clock"
	parameterBefore = "__"
	parameterAfter  = "_"
)

// language compiles conditions, each text once.
type language struct {
	env      *cel.Env
	compiled map[string]*program
}

// program is a compiled condition with what it depends on; parameters of a template are still open.
type program struct {
	eval    cel.Program
	reads   Reads
	anchors []anchor
	bounded bool  // anchors are a bound: it is true for nobody who has none of them
	plain   plain // nil where only CEL can tell
	names   []mention
}

func newLanguage() (*language, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("policy language: %w", err)
	}
	return &language{env: env, compiled: map[string]*program{}}, nil
}

func environment() (*cel.Env, error) {
	return cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[person](), reflect.TypeFor[unit](), reflect.TypeFor[affiliation](), ext.ParseStructTag("cel")),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.Variable("person", cel.ObjectType("policies.person")),
		cel.Variable("unit", cel.ObjectType("policies.unit")),
		cel.Variable(clockName, clockType),
		cel.Function("days", cel.Overload("days_int", []*cel.Type{cel.IntType}, cel.DurationType, cel.UnaryBinding(daysOf))),
		cel.Function("@reached", cel.Overload("reached", []*cel.Type{clockType, cel.TimestampType}, cel.BoolType, cel.BinaryBinding(reached))),
		cel.Function("@date", cel.Overload("date", []*cel.Type{clockType, cel.StringType}, cel.TimestampType, cel.BinaryBinding(dateOf))),
		cel.Macros(append(cel.StandardMacros, macros()...)...),
	)
}

// macros are words of the language that stand for more: within("rnd") is "rnd" in unit.path, reports_to("1001") is "1001" in person.managers.
func macros() []cel.Macro {
	inside := func(variable, field, wants string) cel.MacroFactory {
		return func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			if args[0].Kind() == ast.LiteralKind {
				if _, ok := literal(args[0]); !ok {
					return nil, f.NewError(args[0].ID(), wants)
				}
			}
			return f.NewCall(operators.In, args[0], f.NewSelect(f.NewIdent(variable), field)), nil
		}
	}
	after := func(f cel.MacroExprFactory, args []ast.Expr) ast.Expr {
		return f.NewCall("@reached", f.NewIdent(clockName), args[0])
	}
	return []cel.Macro{
		cel.GlobalMacro("within", 1, inside("unit", "path", wantsUnit)),
		cel.GlobalMacro("reports_to", 1, inside("person", "managers", wantsManager)),
		cel.GlobalMacro("after", 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return after(f, args), nil
		}),
		cel.GlobalMacro("before", 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return f.NewCall(operators.LogicalNot, after(f, args)), nil
		}),
		cel.GlobalMacro("date", 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			if args[0].Kind() == ast.LiteralKind {
				text, ok := args[0].AsLiteral().Value().(string)
				if _, err := time.Parse(time.DateOnly, text); !ok || err != nil {
					return nil, f.NewError(args[0].ID(), wantsDate)
				}
			}
			return f.NewCall("@date", f.NewIdent(clockName), args[0]), nil
		}),
	}
}

// What words of the language want.
const (
	wantsDate    = `date wants a day, as in date("2026-04-01")`
	wantsUnit    = `within wants the key or the name of a unit, as in within("shanghai")`
	wantsManager = `reports_to wants an employee number, a user name or an id, as in reports_to("1001")`
)

// fault is an error at a place inside an expression; Line counts from 1, Column from 0.
type fault struct {
	line, column int
	message      string
	hint         string // empty: hintFor tells
}

// written finds the parameters of a template in an expression.
var written = regexp.MustCompile(`\$\{([a-z][a-z0-9_]*)\}`)

// compile compiles an expression in which parameters of a template stand as ${name}; lists tells which are lists.
func (l *language) compile(expression string, lists map[string]bool) (*program, *fault) {
	var names []string
	unknown := (*fault)(nil)
	source := written.ReplaceAllStringFunc(expression, func(m string) string { // as long as it was: columns stay
		name := m[2 : len(m)-1]
		if _, known := lists[name]; !known && unknown == nil {
			unknown = faultAt(expression, m, fmt.Sprintf("undeclared parameter '%s'", name))
			unknown.hint = "parameters belong to templates"
			if len(lists) > 0 {
				unknown.hint = nearest(name, slices.Sorted(maps.Keys(lists)))
			}
		}
		names = append(names, name)
		return parameterBefore + name + parameterAfter
	})
	if unknown != nil {
		return nil, unknown
	}
	id := expression
	for _, name := range names {
		id += fmt.Sprint("\x00", name, lists[name])
	}
	if known := l.compiled[id]; known != nil {
		return known, nil
	}
	env := l.env
	if len(names) > 0 {
		var options []cel.EnvOption
		seen := map[string]bool{}
		for _, name := range names {
			kind := cel.StringType
			if lists[name] {
				kind = cel.ListType(cel.StringType)
			}
			if !seen[name] {
				options = append(options, cel.Variable(parameterBefore+name+parameterAfter, kind))
			}
			seen[name] = true
		}
		var err error
		if env, err = env.Extend(options...); err != nil {
			return nil, &fault{line: 1, message: err.Error()}
		}
	}
	p, bad := compile(env, source)
	if bad != nil {
		bad.message = inQuotes.ReplaceAllStringFunc(bad.message, func(m string) string { return "${" + m[2:len(m)-1] + "}" })
		return nil, bad
	}
	l.compiled[id] = p
	return p, nil
}

func faultAt(expression, at, message string) *fault {
	before := expression[:strings.Index(expression, at)]
	line := strings.Count(before, "\n")
	return &fault{line: line + 1, column: len([]rune(before[strings.LastIndex(before, "\n")+1:])), message: message}
}

func compile(env *cel.Env, expression string) (*program, *fault) {
	if len(expression) > maxExpression {
		return nil, &fault{line: 1, message: fmt.Sprintf("expression is larger than %d bytes", maxExpression)}
	}
	tree, issues := env.Compile(expression)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		f := &fault{line: max(first.Location.Line(), 1), column: max(first.Location.Column(), 0), message: strings.TrimSuffix(first.Message, " (in container '')")}
		f.hint = hintAt(expression, f)
		return nil, f
	}
	if tree.OutputType() != cel.BoolType {
		return nil, &fault{line: 1, message: fmt.Sprintf("rule must be true or false, this one is %s", tree.OutputType())}
	}
	root := tree.NativeRep()
	if id, found := quotedParameter(root.Expr()); found {
		at := root.SourceInfo().GetStartLocation(id)
		return nil, &fault{line: max(at.Line(), 1), column: max(at.Column(), 0), message: "a parameter stands within quotes"}
	}
	eval, err := env.Program(tree, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &fault{line: 1, message: err.Error()}
	}
	p := &program{eval: eval, reads: readsOf(root.Expr()), plain: plainly(root.Expr()), names: mentionsOf(root)}
	p.anchors, p.bounded = anchorsOf(root.Expr())
	return p, nil
}

var inQuotes = regexp.MustCompile(parameterBefore + `[a-z][a-z0-9_]*` + parameterAfter)

func quotedParameter(root ast.Expr) (found int64, is bool) {
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind || is {
			return
		}
		if text, ok := e.AsLiteral().Value().(string); ok && inQuotes.MatchString(text) {
			found, is = e.ID(), true
		}
	}))
	return found, is
}

func daysOf(n ref.Val) ref.Val {
	days, ok := n.(types.Int)
	if !ok || days > 36500 || days < -36500 {
		return types.NewErr("days wants a whole number up to 36500")
	}
	return types.Duration{Duration: time.Duration(days) * 24 * time.Hour}
}
