package session

import (
	"context"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Row structs and tables say the same, both ways. What is joined to a row, and the hash that is never read, are named.
func TestRowsMatchTables(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if err := Migrate(ctx, d); err != nil {
			t.Fatal(err)
		}
		for table, row := range map[string]any{"sessions": sessionRow{}, "session_tokens": tokenRow{}, "session_tries": triesRow{}, "session_roles": roleRow{}, "session_factors": factorRow{}, "session_emergency": emergencyRow{}} {
			parsed, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			columns, err := d.Read(ctx).Migrator().ColumnTypes(table)
			if err != nil {
				t.Fatal(err)
			}
			have := []string{"token_hash", "current", "held_role", "held_unit", "enrolled"}
			for _, column := range columns {
				have = append(have, column.Name())
				if !slices.Contains(append(parsed.DBNames, "token_hash"), column.Name()) {
					t.Errorf("%s.%s is in no row", table, column.Name())
				}
			}
			for _, name := range parsed.DBNames {
				if !slices.Contains(have, name) {
					t.Errorf("%s.%s is in no table", table, name)
				}
			}
		}
	})
}
