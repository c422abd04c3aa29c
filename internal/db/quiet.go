package db

import (
	"gorm.io/driver/postgres"
	gormlite "gorm.io/driver/sqlite"
)

// gorm puts the values of every query that is scanned into its text, for a log that is not kept: 4 % of the CPU of a first sync on PostgreSQL.
// These dialects answer the text as it is.
type (
	quietPostgres struct{ postgres.Dialector }
	quietLite     struct{ gormlite.Dialector }
)

// Explain implements gorm.Dialector.
func (quietPostgres) Explain(text string, _ ...any) string { return text }

// Explain implements gorm.Dialector.
func (quietLite) Explain(text string, _ ...any) string { return text }
