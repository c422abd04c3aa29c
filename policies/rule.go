package policies

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/ext"
)

// person and unit are what a rule sees under these names. Their fields are the vocabulary of the language:
// a field that is not here does not compile.
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
	Groups         []string          `cel:"groups"`
	Labels         map[string]string `cel:"labels"`
}

type unit struct {
	Key  string   `cel:"key"`
	Name string   `cel:"name"`
	Path []string `cel:"path"`
}

// costLimit bounds one evaluation; an ordinary rule costs below 100. It stops a comprehension nested over
// a person's groups within about a millisecond.
const costLimit = 100_000

// ErrCost says that a rule needed more work than one evaluation may cost.
var ErrCost = errors.New("rule costs too much to evaluate")

func environment() (*cel.Env, error) {
	return cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[person](), reflect.TypeFor[unit](), ext.ParseStructTag("cel")),
		ext.Strings(),
		cel.Variable("person", cel.ObjectType("policies.person")),
		cel.Variable("unit", cel.ObjectType("policies.unit")),
		// within("rnd") is "rnd" in unit.path: a unit's key or name anywhere from the person's unit to the root.
		cel.Macros(append(cel.StandardMacros, cel.GlobalMacro("within", 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return f.NewCall(operators.In, args[0], f.NewSelect(f.NewIdent("unit"), "path")), nil
		}))...),
	)
}

// fault is an error at a place inside an expression; Line counts from 1, Column from 0.
type fault struct {
	line, column int
	message      string
}

func compile(env *cel.Env, expression string) (cel.Program, *fault) {
	tree, issues := env.Compile(expression)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &fault{line: max(first.Location.Line(), 1), column: max(first.Location.Column(), 0), message: first.Message}
	}
	if tree.OutputType() != cel.BoolType {
		return nil, &fault{line: 1, message: fmt.Sprintf("rule must be true or false, this one is %s", tree.OutputType())}
	}
	program, err := env.Program(tree, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &fault{line: 1, message: err.Error()}
	}
	return program, nil
}
