package authz

import (
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/db/dbtest"
)

// Rows and tables have the same columns, on both engines.
func TestRowsMatchTables(t *testing.T) {
	dbtest.Run(t, func(t *testing.T, d *db.DB) {
		newStore(t, d)
		for _, row := range []schema.Tabler{tupleRow{}, logRow{}, engineRow{}} {
			parsed, err := schema.Parse(row, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			types, err := d.Read(t.Context()).Migrator().ColumnTypes(row.TableName())
			if err != nil {
				t.Fatal(err)
			}
			var columns []string
			for _, c := range types {
				if c.Name() != "id" { // the one row's key
					columns = append(columns, c.Name())
				}
			}
			slices.Sort(columns)
			if fields := slices.Sorted(slices.Values(parsed.DBNames)); !slices.Equal(fields, columns) {
				t.Errorf("%s: fields %v, columns %v", row.TableName(), fields, columns)
			}
		}
	})
}
