package db

import (
	"database/sql/driver"
	"fmt"
	"math/bits"
	"reflect"
	"strconv"
	"strings"
)

// Pad repeats the last value until there are as many as a power of two: a condition "in ?" says the same, and statements
// over lists of any length are few texts, each prepared once. A list of more than 512 stays as it is.
func Pad[T any](values []T) []T {
	n := len(values)
	if n == 0 || n > 512 || n&(n-1) == 0 {
		return values
	}
	out := make([]T, 1<<bits.Len(uint(n)))
	copy(out, values)
	for i := n; i < len(out); i++ {
		out[i] = values[n-1]
	}
	return out
}

// How many values one statement inserts at most, and up to how many rows of any number.
const (
	insertMost = 4096
	insertFew  = 4
)

// Insert inserts rows, each with the values of columns. It is for tables that every write fills: gorm takes longer to put such a
// statement together than the engine takes to run it. On PostgreSQL the statements are of 1 to 4, or 8, 16, 32 … rows: few texts, each
// prepared once. SQLite, in the same process, is given one statement of one row, and all rows: a longer one must be able to take back a
// part of itself, and copies every page for that before it writes.
func (t *Tx) Insert(table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.engine == SQLite {
		_, err := t.Statement.ConnPool.ExecContext(t.Statement.Context, t.insertText(table, columns, 1), bulk(rows))
		return err
	}
	most := max(insertMost/len(columns), 1)
	args := make([]any, 0, min(len(rows), most)*len(columns))
	for len(rows) > 0 {
		n := min(len(rows), most)
		if n > insertFew {
			n = 1 << (bits.Len(uint(n)) - 1)
		}
		args = args[:0]
		for _, row := range rows[:n] {
			for _, v := range row {
				plain, err := plainValue(v)
				if err != nil {
					return fmt.Errorf("insert into %s: %w", table, err)
				}
				args = append(args, plain)
			}
		}
		if _, err := t.Statement.ConnPool.ExecContext(t.Statement.Context, t.insertText(table, columns, n), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// bulk is the one argument of a statement of SQLite that runs once for each row.
type bulk [][]any

// plainValue answers v as a driver takes it: database/sql would ask each value what it is by reflection.
func plainValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, int64, bool, []byte, float64:
		return v, nil
	case int:
		return int64(v), nil
	case driver.Valuer:
		return v.Value()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String(), nil
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return plainValue(r.Elem().Interface())
	default:
		return driver.DefaultParameterConverter.ConvertValue(v)
	}
}

func (t *Tx) insertText(table string, columns []string, n int) string {
	var b strings.Builder
	b.WriteString("insert into " + table + " (" + strings.Join(columns, ", ") + ") values ")
	for at := range n * len(columns) {
		switch {
		case at == 0:
			b.WriteByte('(')
		case at%len(columns) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if t.engine == Postgres {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(at + 1))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte(')')
	return b.String()
}
