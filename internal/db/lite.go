package db

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// connector opens connections of one driver.
type connector struct {
	lite *sqlite.Driver
	dsn  string
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.lite.Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.lite }

// lower is SQLite's lower(), which alone knows ASCII only, for all letters, as PostgreSQL's is.
func lower(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	if text, ok := args[0].(string); ok {
		return strings.ToLower(text), nil
	}
	return args[0], nil
}
