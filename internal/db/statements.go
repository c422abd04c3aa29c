package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"strings"
)

// A SQLite connection of ours keeps what it prepared: parsing and planning took a third of the time of a small statement.
// pgx does the same by itself. The cache lives in the driver's connection: nobody above it sees a difference, and
// nothing runs beside it, unlike the caches of database/sql's users.
const (
	keptStatements = 160
	keptBytes      = 6 << 10 // a longer text is a bulk statement: preparing it costs little of it
)

// liteConnector opens connections that keep their statements.
type liteConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c liteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &liteConn{connection: inner.(connection), kept: map[string]*list.Element{}, recent: list.New()}, nil
}

// connection is what the driver's connection can do and database/sql asks for.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// statement is what the driver's statement can do.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// liteConn is one connection. database/sql lets one caller at a time in.
type liteConn struct {
	connection
	kept   map[string]*list.Element
	recent *list.List // of *keptStatement, the last used first
}

type keptStatement struct {
	text string
	statement
	busy bool // its rows are being read
}

// take answers the kept statement of text, or nil where it cannot be used or kept.
func (c *liteConn) take(ctx context.Context, text string) (*keptStatement, error) {
	if len(text) > keptBytes {
		return nil, nil
	}
	if e := c.kept[text]; e != nil {
		c.recent.MoveToFront(e)
		if s := e.Value.(*keptStatement); !s.busy {
			return s, nil
		}
		return nil, nil // read by an outer loop
	}
	if !alone(text) {
		return nil, nil
	}
	prepared, err := c.connection.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s := &keptStatement{text: text, statement: prepared.(statement)}
	c.kept[text] = c.recent.PushFront(s)
	if c.recent.Len() > keptStatements {
		c.forget(c.recent.Back())
	}
	return s, nil
}

// alone tells whether text is certainly one statement of the kinds that run often.
func alone(text string) bool {
	for i, r := range text {
		if r == ';' {
			return false
		}
		if i == 0 && !strings.ContainsRune("sSiIuUdDwWrR", r) {
			return false
		}
	}
	return true
}

func (c *liteConn) forget(e *list.Element) {
	s := e.Value.(*keptStatement)
	if s.busy {
		return // the next one that is too many takes it along
	}
	c.recent.Remove(e)
	delete(c.kept, s.text)
	s.Close()
}

// ExecContext implements driver.ExecerContext.
func (c *liteConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		if rows, ok := args[0].Value.(bulk); ok {
			return c.each(ctx, s, rows)
		}
	}
	if s == nil {
		return c.connection.ExecContext(ctx, text, args)
	}
	return s.ExecContext(ctx, args)
}

var errNotKept = errors.New("a statement for many rows could not be prepared")

// each runs s for each row. What a row that fails leaves behind is the caller's transaction to take back.
func (c *liteConn) each(ctx context.Context, s *keptStatement, rows bulk) (result driver.Result, err error) {
	if s == nil {
		return nil, errNotKept
	}
	quiet := context.WithoutCancel(ctx) // each wait for a context costs as much as a row
	var args []driver.NamedValue
	for i, row := range rows {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		args = args[:0]
		for j, v := range row {
			plain, err := plainValue(v)
			if err != nil {
				return nil, err
			}
			args = append(args, driver.NamedValue{Ordinal: j + 1, Value: plain})
		}
		if result, err = s.ExecContext(quiet, args); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *liteConn) CheckNamedValue(v *driver.NamedValue) error {
	if _, ok := v.Value.(bulk); ok {
		return nil
	}
	return driver.ErrSkip
}

// QueryContext implements driver.QueryerContext.
func (c *liteConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.connection.QueryContext(ctx, text, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows.(typedRows), s}, nil
}

// Close implements driver.Conn.
func (c *liteConn) Close() error {
	for e := c.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*keptStatement).Close()
	}
	return c.connection.Close()
}

// typedRows is what the driver's rows can do.
type typedRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeScanType
}

type keptRows struct {
	typedRows
	of *keptStatement
}

// Close implements driver.Rows.
func (r *keptRows) Close() error {
	r.of.busy = false
	return r.typedRows.Close()
}
